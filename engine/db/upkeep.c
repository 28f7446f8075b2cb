#include "db/db.h"

#include "compaction/compaction_pick.h"

#include <stdlib.h>

/* How often the pace is fed while there is anything to pace, how soon a full disk is tried again, and how long without a write is idle. */
#define TICK_NS UINT64_C(50000000)
#define RETRY_NS UINT64_C(200000000)
#define IDLE_NS UINT64_C(1000000000)

/* Logs whose ends one edit lists at most; the rest come with the next. */
enum { ENDED_MAX = 8 };

/* What upkeep remembers between rounds. */
struct upkeep {
    struct kvs_db *db;
    uint64_t ticked_ns;
    uint64_t seen_sequence; /* applied at the last tick, and since when it has not moved */
    uint64_t still_since_ns;
    uint64_t retry_ns; /* when to prepare or extend again after a failure; 0: at once */
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- Room ---- */

/* Keep what the last try to get room gave, for those who wait for it. */
static void note_room_locked(struct upkeep *upkeep, struct kvs_status status)
{
    struct commit *commit = &upkeep->db->commit;
    status_keep(&commit->upkeep_full, status);
    upkeep->retry_ns = status_is_ok(status) ? 0 : io_monotonic_ns(upkeep->db->io) + RETRY_NS;
    io_condition_broadcast(&commit->room);
    io_condition_broadcast(&upkeep->db->workers.done);
    log_thread_room_locked(commit);
    commit_publish_locked(commit);
}

/* ---- The list of logs in the manifest ---- */

/* List logs that have become active, and the ends of those that are synced. Editing role held, commit lock held. */
static struct kvs_status compose_log_edit_locked(struct kvs_db *db, struct manifest_edit *edit)
{
    struct commit *commit = &db->commit;
    for (struct live_log *log = commit->unlisted; log != NULL; log = log->newer)
        STATUS_RETURN_IF_ERROR(manifest_edit_add_log(edit, log->number, log->before.record + 1));
    for (struct live_log *log = commit->oldest; log != NULL; log = log->newer) {
        if (log->state != LOG_SYNCED || !log->listed || log->is_dropped || edit->logs_ended_count == ENDED_MAX)
            continue;
        uint64_t end_bytes, last_record;
        log_writer_end(log->writer, &end_bytes, &last_record);
        STATUS_RETURN_IF_ERROR(manifest_edit_end_log(edit, log->number, end_bytes, last_record));
        log->is_ending = true;
    }
    edit->numbers.durable_record = commit->durable.record;
    edit->numbers.published_sequence = atomic_load_explicit(&commit->published, memory_order_relaxed);
    edit->numbers.last_sequence = commit->applied.sequence;
    return status_ok();
}

/* Logs that the manifest is being made to list, by an edit that is written and not synced. */
struct noting {
    struct kvs_db *db;
    size_t count;
};

/* Under the edit mutex, which is before the commit lock. */
static void note_written(void *context)
{
    const struct noting *noting = context;
    struct commit *commit = &noting->db->commit;
    io_mutex_lock(&commit->lock);
    struct live_log *log = commit->unlisted;
    for (size_t i = 0; i < noting->count; i++)
        log = log->newer;
    commit->unnoted = log;
    commit_publish_locked(commit);
    io_mutex_unlock(&commit->lock);
}

/* The edit is durable: publication may pass the listed logs, and ended ones need no writer. Only upkeep adds to the list, and rotation only appends to the chain,
 * so what the edit listed are the first of the unlisted. */
static void note_listed_locked(struct kvs_db *db, struct log_writer *ended[ENDED_MAX], const struct manifest_edit *edit)
{
    struct commit *commit = &db->commit;
    size_t ended_count = 0;
    for (size_t i = 0; i < edit->logs_added_count; i++) {
        commit->unlisted->listed = true;
        commit->unlisted = commit->unlisted->newer;
    }
    for (struct live_log *log = commit->oldest; log != NULL; log = log->newer) {
        if (!log->is_ending)
            continue;
        log->is_ending = false;
        log->state = LOG_ENDED;
        ended[ended_count++] = log->writer;
        log->writer = NULL;
    }
    db->workers.noted_record = edit->numbers.durable_record;
    commit_publish_locked(commit);
}

static bool has_log_edit_locked(const struct commit *commit)
{
    if (commit->unlisted != NULL)
        return true;
    for (const struct live_log *log = commit->oldest; log != NULL; log = log->newer) {
        if (log->state == LOG_SYNCED && !log->is_dropped)
            return true;
    }
    return false;
}

/* Install an edit of logs and numbers; a failure that is not for want of room or memory has poisoned the manifest. Commit lock held, dropped meanwhile. */
static struct kvs_status install_log_edit_locked(struct kvs_db *db)
{
    struct commit *commit = &db->commit;
    struct version_edit edit;
    version_edit_init(&edit);
    workers_begin_log_edit_locked(db);
    struct kvs_status status = compose_log_edit_locked(db, &edit.manifest);
    struct noting noting = {.db = db, .count = edit.manifest.logs_added_count};
    edit.written = note_written;
    edit.written_context = &noting;
    io_mutex_unlock(&commit->lock);
    if (status_is_ok(status))
        status = version_set_install(db->versions, &edit, NULL, NULL);
    if (!status_is_ok(status) && status.code != KVS_NO_SPACE && status.code != KVS_NO_MEMORY)
        commit_poison(commit, status);
    io_mutex_lock(&commit->lock);
    struct log_writer *ended[ENDED_MAX] = {NULL};
    if (status_is_ok(status))
        note_listed_locked(db, ended, &edit.manifest);
    for (struct live_log *log = commit->oldest; log != NULL; log = log->newer)
        log->is_ending = false;
    workers_end_log_edit_locked(db);
    io_mutex_unlock(&commit->lock);
    for (size_t i = 0; i < ENDED_MAX; i++)
        log_writer_close(ended[i]);
    version_edit_fini(&edit);
    io_mutex_lock(&commit->lock);
    return status;
}

/* ---- The next log and memtable ---- */

/* With less at once where the disk is too full for what the log is likely to need. */
static struct kvs_status create_log(struct kvs_db *db, struct live_log *log, struct log_writer_options *options)
{
    struct kvs_status status = log_writer_create(&log->writer, db->io, db->path, options);
    if (status.code == KVS_NO_SPACE && options->first_bytes != 0) {
        options->first_bytes = 0;
        status = log_writer_create(&log->writer, db->io, db->path, options);
    }
    return status;
}

struct kvs_status upkeep_prepare(struct kvs_db *db, struct prepared_log *prepared, const struct prepare_sizes *sizes)
{
    struct prepared_log made = {.log = calloc(1, sizeof *made.log), .seal = calloc(1, sizeof *made.seal)};
    uint64_t capacity = sizes->table_bytes > db->table_bytes ? sizes->table_bytes : db->table_bytes;
    struct log_writer_options options = {
        .number = version_set_new_number(db->versions),
        .uuid = version_set_uuid(db->versions),
        .capacity_bytes = 2 * capacity + sizes->log_bytes,
        .piece_bytes = db->commit.options.piece_bytes,
        .buffer_bytes = db->commit.options.buffer_bytes,
    };
    if (sizes->first_bytes > options.piece_bytes)
        options.first_bytes = smaller(sizes->first_bytes, options.capacity_bytes);
    struct kvs_status status = status_ok();
    made.view = view_new(db->commit.options.sealed_max + 2);
    if (made.log == NULL || made.seal == NULL || made.view == NULL)
        status = STATUS(KVS_NO_MEMORY, "no memory for the next memtable");
    if (status_is_ok(status))
        status = memtable_new(&made.memtable, capacity, &db->budget);
    cache_yield(db->cache); /* blocks make room for what the memtable will take */
    if (status_is_ok(status))
        status = create_log(db, made.log, &options);
    if (status_is_ok(status))
        status = io_directory_sync(db->io, db->path, SYNC_LOG_DIRECTORY);
    if (!status_is_ok(status)) {
        /* A file that was made and not used is not listed: the next open removes it. */
        if (made.log != NULL)
            log_writer_close(made.log->writer);
        memtable_unref(made.memtable);
        view_unref(made.view);
        free(made.seal);
        free(made.log);
        return status;
    }
    made.log->number = options.number;
    *prepared = made;
    return status_ok();
}

/* Free a prepared pair that is too small, with its file. */
static void discard_prepared(struct kvs_db *db, struct prepared_log *prepared)
{
    char path[IO_PATH_BYTES];
    struct kvs_status status = file_name_path(path, db->path, FILE_LOG, prepared->log->number);
    log_writer_close(prepared->log->writer);
    if (status_is_ok(status))
        status = io_unlink(db->io, path);
    if (!status_is_ok(status))
        db_log(db, KVS_LOG_WARNING, "an unused log stays until the next open: %s", status_text(status));
    memtable_unref(prepared->memtable);
    view_unref(prepared->view);
    free(prepared->seal);
    free(prepared->log);
}

static bool prepare_locked(struct upkeep *upkeep)
{
    struct kvs_db *db = upkeep->db;
    struct commit *commit = &db->commit;
    struct prepared_log old = commit->prepared;
    bool is_small = old.log != NULL && memtable_room(old.memtable) < commit->wanted_table_bytes;
    if (old.log != NULL && !is_small)
        return false;
    if (is_small)
        commit->prepared = (struct prepared_log){0};
    struct prepare_sizes sizes = {.table_bytes = commit->wanted_table_bytes + memtable_cost(0, 0),
                                  .first_bytes = commit->sealed_log_bytes + commit->sealed_log_bytes / 4};
    struct prepared_log made;
    io_mutex_unlock(&commit->lock);
    if (is_small)
        discard_prepared(db, &old);
    struct kvs_status status = upkeep_prepare(db, &made, &sizes);
    io_mutex_lock(&commit->lock);
    if (status_is_ok(status))
        commit->prepared = made;
    note_room_locked(upkeep, status);
    return status_is_ok(status);
}

static bool extend_locked(struct upkeep *upkeep)
{
    struct commit *commit = &upkeep->db->commit;
    if (!commit->piece_wanted)
        return false;
    /* Only this thread ends and closes logs, so the writer lives as long as this call. */
    struct log_writer *writer = commit->active->writer;
    uint64_t more_bytes = commit->wanted_piece_bytes, allocated_bytes = log_writer_allocated_bytes(writer);
    /* Twice as much, as long as the log may grow as large: each extension holds up the log's writes while the file system is busy. */
    if (more_bytes < allocated_bytes && log_writer_room(writer).capacity_bytes > allocated_bytes)
        more_bytes = allocated_bytes;
    io_mutex_unlock(&commit->lock);
    struct kvs_status status = log_writer_extend(writer, more_bytes);
    io_mutex_lock(&commit->lock);
    /* The log knows of a failed write a moment before who made it has the lock again: nobody is admitted in between. */
    if (status.code == KVS_POISONED)
        commit_poison_locked(commit, status);
    if (status_is_ok(status) && writer == commit->active->writer) {
        commit->piece_wanted = false;
        commit->wanted_piece_bytes = 0;
    }
    note_room_locked(upkeep, status);
    return status_is_ok(status);
}

struct kvs_status upkeep_close(struct kvs_db *db)
{
    struct commit *commit = &db->commit;
    if (commit->prepared.log != NULL)
        discard_prepared(db, &commit->prepared);
    commit->prepared = (struct prepared_log){0};
    struct version_edit edit;
    version_edit_init(&edit);
    struct kvs_status status = status_ok();
    for (struct live_log *log = commit->unlisted; log != NULL && status_is_ok(status); log = log->newer)
        status = manifest_edit_add_log(&edit.manifest, log->number, log->before.record + 1);
    for (struct live_log *log = commit->oldest; log != NULL && status_is_ok(status); log = log->newer) {
        uint64_t end_bytes, last_record;
        if (log->state == LOG_ENDED || log->is_dropped)
            continue;
        log_writer_end(log->writer, &end_bytes, &last_record);
        status = manifest_edit_end_log(&edit.manifest, log->number, end_bytes, last_record);
    }
    edit.manifest.numbers.durable_record = commit->durable.record;
    edit.manifest.numbers.published_sequence = atomic_load(&commit->published);
    edit.manifest.numbers.last_sequence = commit->applied.sequence;
    if (status_is_ok(status))
        status = version_set_install(db->versions, &edit, NULL, NULL);
    version_edit_fini(&edit);
    return status;
}

/* ---- What nobody needs any more ---- */

/* Logs whose entries are all in segments leave the chain. */
static bool bury_logs_locked(struct kvs_db *db)
{
    struct commit *commit = &db->commit;
    struct live_log *buried = NULL;
    while (commit->oldest->state != LOG_ACTIVE && commit->oldest->is_dropped && commit->oldest != commit->writing_log &&
           commit->oldest != commit->syncing_log && commit->oldest != commit->syncing_now) {
        struct live_log *log = commit->oldest;
        commit->oldest = log->newer;
        log->newer = buried;
        buried = log;
    }
    if (buried == NULL)
        return false;
    io_mutex_unlock(&commit->lock);
    while (buried != NULL) {
        struct live_log *next = buried->newer;
        log_writer_close(buried->writer);
        free(buried);
        buried = next;
    }
    io_mutex_lock(&commit->lock);
    return true;
}

static bool reclaim_locked(struct kvs_db *db)
{
    struct view *retired = views_take_retired(&db->views);
    if (retired == NULL)
        return false;
    io_mutex_unlock(&db->commit.lock);
    views_reclaim(retired);
    io_mutex_lock(&db->commit.lock);
    return true;
}

/* ---- The clock ---- */

static struct pace_debt measure_debt(const struct kvs_db *db)
{
    const struct commit *commit = &db->commit;
    const struct workers *workers = &db->workers;
    double tolerable = 0.8 * (double)db->table_bytes * (commit->options.sealed_max + 1);
    double waiting = (double)(commit->sealed_bytes + memtable_used(commit->memtable));
    double merge_limit = 4.0 * (double)db->options.level_base_bytes + (double)workers->data_bytes / 4.0;
    double merge = (double)workers->debt_bytes / merge_limit;
    double runs = (double)workers->level0_runs / (2.0 * COMPACTION_RUNS_MAX);
    return (struct pace_debt){
        .memory = commit->sealed_count == 0 ? 0 : waiting / tolerable,
        .merge = merge > runs ? merge : runs,
        .drain_rate = (uint64_t)workers->drain_rate,
    };
}

static void note_durable_locked(struct upkeep *upkeep, uint64_t now_ns)
{
    struct commit *commit = &upkeep->db->commit;
    if (commit->applied.sequence != upkeep->seen_sequence) {
        upkeep->seen_sequence = commit->applied.sequence;
        upkeep->still_since_ns = now_ns;
    }
    bool is_idle = now_ns - upkeep->still_since_ns >= IDLE_NS;
    if (is_idle && commit->durable.record > upkeep->db->workers.noted_record && !commit_has_failed_locked(commit))
        (void)install_log_edit_locked(upkeep->db);
}

static void tick_locked(struct upkeep *upkeep)
{
    struct commit *commit = &upkeep->db->commit;
    uint64_t now_ns = io_monotonic_ns(upkeep->db->io);
    if (now_ns - upkeep->ticked_ns < TICK_NS)
        return;
    upkeep->ticked_ns = now_ns;
    struct pace_debt debt = measure_debt(upkeep->db);
    pace_update(&commit->pace, &debt, now_ns);
    if (commit->pace.rate == 0)
        log_thread_room_locked(commit);
    note_durable_locked(upkeep, now_ns);
}

/* 0 when nothing that a clock decides is going on. */
static uint64_t next_look_ns(const struct upkeep *upkeep)
{
    const struct commit *commit = &upkeep->db->commit;
    bool ticks = commit->sealed_count != 0 || commit->pace.rate != 0 ||
                 commit->applied.sequence != upkeep->seen_sequence || upkeep->db->workers.debt_bytes != 0 ||
                 commit->durable.record > upkeep->db->workers.noted_record;
    uint64_t tick_ns = ticks && !commit_has_failed_locked(commit) ? upkeep->ticked_ns + TICK_NS : 0;
    if (upkeep->retry_ns == 0 || tick_ns == 0)
        return upkeep->retry_ns == 0 ? tick_ns : upkeep->retry_ns;
    return smaller(tick_ns, upkeep->retry_ns);
}

static bool may_allocate(const struct upkeep *upkeep)
{
    return upkeep->retry_ns == 0 || io_monotonic_ns(upkeep->db->io) >= upkeep->retry_ns;
}

/* List logs, or their ends; returns whether it worked, or there was nothing to do. */
static bool list_logs_locked(struct upkeep *upkeep)
{
    if (!has_log_edit_locked(&upkeep->db->commit))
        return true;
    struct kvs_status status = install_log_edit_locked(upkeep->db);
    note_room_locked(upkeep, status);
    return status_is_ok(status);
}

/* One round, the urgent first: publication waits for the list, writers for room. Returns whether something was done that may have made more to do. */
static bool round_locked(struct upkeep *upkeep)
{
    struct kvs_db *db = upkeep->db;
    bool may_try = may_allocate(upkeep);
    if (may_try)
        upkeep->retry_ns = 0;
    if (may_try && !commit_has_failed_locked(&db->commit) && list_logs_locked(upkeep) &&
        (prepare_locked(upkeep) || extend_locked(upkeep)))
        return true;
    /* What was short before is not needed any more, as when a flush took the log whose end could not be listed. */
    if (may_try && upkeep->retry_ns == 0 && !status_is_ok(db->commit.upkeep_full.status))
        note_room_locked(upkeep, status_ok());
    if (bury_logs_locked(db) || reclaim_locked(db))
        return true;
    workers_want_janitor_locked(db);
    tick_locked(upkeep);
    return false;
}

void upkeep_body(void *argument)
{
    struct kvs_db *db = argument;
    struct upkeep upkeep = {.db = db};
    io_mutex_lock(&db->commit.lock);
    while (!db->workers.stopping) {
        if (round_locked(&upkeep))
            continue;
        uint64_t look_ns = next_look_ns(&upkeep);
        db->commit.upkeep_dozes = look_ns == 0;
        worker_wait_locked(db, &db->workers.upkeep, look_ns);
        db->commit.upkeep_dozes = false;
    }
    io_mutex_unlock(&db->commit.lock);
}
