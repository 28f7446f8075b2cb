#include "db/install.h"

/* How soon a compaction that met a full disk or short memory is tried again. */
#define RETRY_NS UINT64_C(1000000000)

static struct compaction_options picking_options(const struct kvs_db *db)
{
    return (struct compaction_options){.level_base_bytes = db->options.level_base_bytes,
                                       .segment_bytes = db->options.segment_bytes};
}

void compaction_measure(struct kvs_db *db)
{
    struct compaction_options options = picking_options(db);
    struct compaction_shape shape;
    struct version *version = version_set_current(db->versions);
    struct kvs_status status = compaction_shape_init(&shape, version, NULL, 0);
    if (status_is_ok(status)) {
        uint64_t debt_bytes = compaction_debt(&shape, &options), data_bytes = 0;
        for (unsigned level = 0; level < VERSION_LEVEL_COUNT; level++)
            data_bytes += shape.levels[level].size_bytes;
        io_mutex_lock(&db->commit.lock);
        db->workers.debt_bytes = debt_bytes;
        db->workers.data_bytes = data_bytes;
        db->workers.level0_runs = shape.levels[0].run_count;
        io_mutex_unlock(&db->commit.lock);
        compaction_shape_fini(&shape);
    }
    version_unref(version);
    workers_note_unref(db);
}

static struct kvs_status pick(struct kvs_db *db, struct compaction_job *job, const struct version *version,
                              bool is_full)
{
    struct compaction_options options = picking_options(db);
    struct compaction_shape shape;
    STATUS_RETURN_IF_ERROR(compaction_shape_init(&shape, version, NULL, 0));
    struct kvs_status status = is_full ? compaction_pick_all(job, &shape) : compaction_pick(job, &shape, &options);
    compaction_shape_fini(&shape);
    return status;
}

static void count_job(struct kvs_db *db, const struct compaction_result *result)
{
    struct workers *workers = &db->workers;
    io_mutex_lock(&db->commit.lock);
    workers->compactions++;
    workers->compaction_read_bytes += result->read_bytes;
    workers->compaction_write_bytes += result->written_bytes;
    io_mutex_unlock(&db->commit.lock);
}

/* Pick a job and carry it out. did: out, whether there was one. */
static struct kvs_status compact_once(struct kvs_db *db, bool *did, bool is_full)
{
    struct compaction_job job = {0};
    struct compaction_result result;
    struct version *version = version_set_current(db->versions);
    struct kvs_status status = pick(db, &job, version, is_full);
    *did = false;
    if (status_is_ok(status) && job.kind != COMPACTION_NONE) {
        struct compaction_environment environment = install_environment(db);
        uint64_t horizon = snapshots_horizon(&db->snapshots, &db->commit.published);
        status = compaction_run(&result, &environment, version, &job, horizon);
        if (status_is_ok(status)) {
            status = install_result(db, &result.edit, 0, (struct position){0});
            if (status_is_ok(status))
                count_job(db, &result);
        }
        *did = status_is_ok(status);
    }
    compaction_job_fini(&job);
    version_unref(version);
    workers_note_unref(db);
    if (*did)
        compaction_measure(db);
    return status;
}

/* Returns when to go on: at once (0), or after a while. Damage stops compaction for good. */
static uint64_t handle_failure(struct kvs_db *db, struct kvs_status status)
{
    if (status.code == KVS_BUSY)
        return 0;
    db_log(db, KVS_LOG_ERROR, "compaction failed: %s", status_text(status));
    bool is_worth_retrying = status.code == KVS_NO_SPACE || status.code == KVS_NO_MEMORY;
    io_mutex_lock(&db->commit.lock);
    if (!is_worth_retrying)
        status_keep(&db->workers.compact_failure, status);
    io_condition_broadcast(&db->workers.done);
    io_mutex_unlock(&db->commit.lock);
    return is_worth_retrying ? io_monotonic_ns(db->io) + RETRY_NS : 0;
}

/* What kvs_compact asked for goes first. Commit lock held, dropped meanwhile. Returns whether there may be more to do. */
static bool round_locked(struct kvs_db *db, uint64_t *retry_ns)
{
    struct workers *workers = &db->workers;
    uint64_t asked = workers->compact_asked;
    bool is_full = workers->compact_served < asked, did = false;
    io_mutex_unlock(&db->commit.lock);
    struct kvs_status status = compact_once(db, &did, is_full);
    struct kept_status outcome = {0};
    status_keep(&outcome, status);
    *retry_ns = status_is_ok(status) ? 0 : handle_failure(db, status);
    io_mutex_lock(&db->commit.lock);
    if (is_full) {
        workers->compact_served = asked;
        workers->compact_outcome = outcome;
        io_condition_broadcast(&workers->done);
    }
    return did || (is_full && status_is_ok(status));
}

void compaction_body(void *argument)
{
    struct kvs_db *db = argument;
    struct worker *worker = &db->workers.compaction;
    uint64_t retry_ns = 0;
    compaction_measure(db);
    io_mutex_lock(&db->commit.lock);
    while (!db->workers.stopping) {
        bool is_able = status_is_ok(db->workers.compact_failure.status) && !commit_has_failed_locked(&db->commit);
        if (!is_able || !round_locked(db, &retry_ns))
            worker_wait_locked(db, worker, is_able ? retry_ns : 0);
    }
    io_mutex_unlock(&db->commit.lock);
}
