#include "db/install.h"

#include "compaction/compaction_pick.h"

#include <stdlib.h>
#include <string.h>

/* How soon a compaction that met a full disk or short memory is tried again, and one that met another failure of the disk. */
#define RETRY_NS UINT64_C(1000000000)
#define RETRY_BROKEN_NS UINT64_C(10000000000)

static struct compaction_options picking_options(const struct kvs_db *db)
{
    return (struct compaction_options){.level_base_bytes = db->options.level_base_bytes,
                                       .segment_bytes = db->options.segment_bytes};
}

/* Debt as a part of what is tolerable, for the pace. */
static double merge_debt(const struct kvs_db *db, uint64_t debt_bytes, uint64_t data_bytes, size_t level0_runs)
{
    double limit = 4.0 * (double)db->options.level_base_bytes + (double)data_bytes / 4.0;
    double merge = (double)debt_bytes / limit;
    double runs = (double)level0_runs / (2.0 * COMPACTION_RUNS_MAX);
    return merge > runs ? merge : runs;
}

/* The pick lock keeps an older version's figures from being stored over a newer one's. */
void compaction_measure(struct kvs_db *db)
{
    struct compaction_options options = picking_options(db);
    struct compaction_shape shape;
    io_mutex_lock(&db->workers.pick_lock);
    struct version *version = version_set_current(db->versions);
    struct kvs_status status = compaction_shape_init(&shape, version, NULL, 0);
    if (status_is_ok(status)) {
        uint64_t debt_bytes = compaction_debt(&shape, &options), data_bytes = 0;
        for (unsigned level = 0; level < VERSION_LEVEL_COUNT; level++)
            data_bytes += shape.levels[level].size_bytes;
        io_mutex_lock(&db->commit.lock);
        db->workers.debt_bytes = debt_bytes;
        db->workers.data_bytes = data_bytes;
        db->commit.merge_debt = merge_debt(db, debt_bytes, data_bytes, shape.levels[0].run_count);
        io_mutex_unlock(&db->commit.lock);
        compaction_shape_fini(&shape);
    }
    io_mutex_unlock(&db->workers.pick_lock);
    version_unref(version);
    workers_note_unref(db);
}

/* ---- Which segments are at work ---- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Call visit for each input segment of a job. */
static void for_inputs(struct workers *workers, const struct version *version, const struct compaction_job *job,
                       void (*visit)(struct workers *workers, uint64_t number))
{
    for (size_t i = 0; i < job->input_count; i++) {
        const struct compaction_input *input = &job->inputs[i];
        const struct version_run *run = version->runs[version->level_start[input->level] + input->run];
        for (size_t j = 0; j < input->count; j++)
            visit(workers, run->segments[input->first + j]->meta.number);
    }
}

static void add_busy(struct workers *workers, uint64_t number)
{
    workers->busy[workers->busy_count++] = number;
}

static void remove_busy(struct workers *workers, uint64_t number)
{
    uint64_t *found = bsearch(&number, workers->busy, workers->busy_count, sizeof number, by_number);
    size_t after = workers->busy_count - (size_t)(found - workers->busy) - 1;
    memmove(found, found + 1, after * sizeof *found);
    workers->busy_count--;
}

/* Note the inputs of a picked job. Errors: NO_MEMORY. */
static struct kvs_status mark_busy(struct workers *workers, const struct version *version,
                                   const struct compaction_job *job)
{
    size_t needed = workers->busy_count;
    for (size_t i = 0; i < job->input_count; i++)
        needed += job->inputs[i].count;
    if (needed > workers->busy_capacity) {
        uint64_t *larger = realloc(workers->busy, 2 * needed * sizeof *larger);
        if (larger == NULL)
            return STATUS(KVS_NO_MEMORY, "no memory for the list of busy segments");
        workers->busy = larger;
        workers->busy_capacity = 2 * needed;
    }
    for_inputs(workers, version, job, add_busy);
    qsort(workers->busy, workers->busy_count, sizeof *workers->busy, by_number);
    return status_ok();
}

/* The job is over, installed or not. */
static void unmark_busy(struct workers *workers, const struct version *version, const struct compaction_job *job)
{
    io_mutex_lock(&workers->pick_lock);
    for_inputs(workers, version, job, remove_busy);
    io_mutex_unlock(&workers->pick_lock);
}

/* ---- One job ---- */

static struct kvs_status pick_from(struct kvs_db *db, struct compaction_job *job, const struct version *version,
                                   bool is_full)
{
    struct compaction_options options = picking_options(db);
    struct compaction_shape shape;
    STATUS_RETURN_IF_ERROR(compaction_shape_init(&shape, version, db->workers.busy, db->workers.busy_count));
    struct kvs_status status = is_full ? compaction_pick_all(job, &shape) : compaction_pick(job, &shape, &options);
    compaction_shape_fini(&shape);
    return status;
}

/* Pick a job that meets no other and mark its inputs. version: out, that it was picked from, referenced in any case. The lock covers the taking of the
 * version: a job that ends meanwhile is in both, the version and the list, or in neither. */
static struct kvs_status pick(struct kvs_db *db, struct compaction_job *job, struct version **version, bool is_full)
{
    struct workers *workers = &db->workers;
    io_mutex_lock(&workers->pick_lock);
    *version = version_set_current(db->versions);
    struct kvs_status status = pick_from(db, job, *version, is_full);
    if (status_is_ok(status) && job->kind != COMPACTION_NONE) {
        status = mark_busy(workers, *version, job);
        if (!status_is_ok(status))
            job->kind = COMPACTION_NONE;
    }
    io_mutex_unlock(&workers->pick_lock);
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

static bool has_sealed(struct kvs_db *db)
{
    io_mutex_lock(&db->commit.lock);
    bool has = db->commit.sealed_count != 0;
    io_mutex_unlock(&db->commit.lock);
    return has;
}

static struct kvs_status carry_out(struct kvs_db *db, struct version *version, const struct compaction_job *job)
{
    struct compaction_result result;
    struct compaction_environment environment = install_environment(db);
    uint64_t horizon = snapshots_horizon(&db->snapshots, &db->commit.published);
    STATUS_RETURN_IF_ERROR(compaction_run(&result, &environment, version, job, horizon));
    STATUS_RETURN_IF_ERROR(install_result(db, &result.edit, 0, (struct position){0}));
    count_job(db, &result);
    return status_ok();
}

/* On a full disk with what was kept in reserve, if that is enough and no flush needs it: what the inputs give back is about what the output takes, or more. */
static struct kvs_status carry_out_in_any_room(struct kvs_db *db, struct version *version,
                                               const struct compaction_job *job)
{
    struct kvs_status status = carry_out(db, version, job);
    if (status.code != KVS_NO_SPACE || job->input_bytes > reserve_bytes(db) || has_sealed(db) ||
        !reserve_lend(db, status))
        return status;
    return carry_out(db, version, job);
}

/* Look at the levels once. did: out, whether a job was carried out. */
static struct kvs_status compact_once(struct kvs_db *db, bool *did, bool is_full)
{
    struct compaction_job job = {0};
    struct version *version;
    struct kvs_status status = pick(db, &job, &version, is_full);
    *did = false;
    if (status_is_ok(status) && job.kind != COMPACTION_NONE) {
        status = carry_out_in_any_room(db, version, &job);
        unmark_busy(&db->workers, version, &job);
        *did = status_is_ok(status);
    }
    compaction_job_fini(&job);
    version_unref(version);
    workers_note_unref(db);
    if (*did)
        compaction_measure(db);
    return status;
}

/* Returns when to go on: at once (0), or after a while, as long as trying changes nothing. Damage stops compaction for good. */
static uint64_t handle_failure(struct kvs_db *db, struct kvs_status status)
{
    if (status.code == KVS_BUSY)
        return 0;
    db_log(db, KVS_LOG_ERROR, "compaction failed: %s", status_text(status));
    bool is_short = status.code == KVS_NO_SPACE || status.code == KVS_NO_MEMORY;
    bool is_worth_retrying = is_short || status.code == KVS_IO;
    io_mutex_lock(&db->commit.lock);
    if (!is_worth_retrying)
        status_keep(&db->workers.compact_failure, status);
    io_condition_broadcast(&db->workers.done);
    io_mutex_unlock(&db->commit.lock);
    return is_worth_retrying ? io_monotonic_ns(db->io) + (is_short ? RETRY_NS : RETRY_BROKEN_NS) : 0;
}

/* What kvs_compact asked for goes first, and alone: its output may lie across gaps between the segments of the last level, into which another job could put
 * something. So it is begun only when no other round is under way, and while it is outstanding no other is begun. Commit lock held, dropped meanwhile. Returns
 * whether there may be more to do. */
static bool round_locked(struct kvs_db *db, uint64_t *retry_ns)
{
    struct workers *workers = &db->workers;
    uint64_t asked = workers->compact_asked;
    bool is_full = workers->compact_served < asked, did;
    *retry_ns = 0;
    if (is_full && workers->rounds != 0)
        return false; /* the other thread's round wakes this one at its end */
    workers->rounds++;
    struct kept_status outcome = {0};
    io_mutex_unlock(&db->commit.lock);
    struct kvs_status status = compact_once(db, &did, is_full);
    status_keep(&outcome, status);
    *retry_ns = status_is_ok(status) ? 0 : handle_failure(db, status);
    io_mutex_lock(&db->commit.lock);
    workers->rounds--;
    if (is_full) {
        workers->compact_served = asked;
        workers->compact_outcome = outcome;
        io_condition_broadcast(&workers->done);
    }
    if (did || is_full || workers->compact_served < workers->compact_asked)
        workers_want_compaction(db); /* the other thread may go on, too */
    return did;
}

void compaction_body(void *argument)
{
    struct worker *worker = argument;
    struct kvs_db *db = worker->db;
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
