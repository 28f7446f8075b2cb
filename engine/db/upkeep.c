#include "db/db.h"

#include "db/commit_internal.h"
#include "db/prepare.h"

#include <stdlib.h>

/* How often upkeep looks whether the database is idle, how soon a full disk is tried again, and how long without a write is idle. */
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
    uint64_t retry_ns;  /* when to prepare or extend again after a failure; 0: at once */
    bool wants_spare;   /* a log has been prepared since the last spare one was made */
    bool wants_reserve; /* and since the last reserve was */
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

static bool is_short_of_room_locked(const struct kvs_db *db)
{
    const struct commit *commit = &db->commit;
    return !status_is_ok(commit->flush_full.status) || !status_is_ok(commit->upkeep_full.status) ||
           commit->full_until_ns != 0 || db->workers.reserve == RESERVE_LENT;
}

/* Give up the reserve; false: there is none, or nothing to go on with. Drops the lock meanwhile. */
static bool lend_locked(struct kvs_db *db, struct kvs_status failure)
{
    io_mutex_unlock(&db->commit.lock);
    bool is_lent = reserve_lend(db, failure);
    io_mutex_lock(&db->commit.lock);
    return is_lent && !commit_has_failed_locked(&db->commit);
}

/* A log whose bytes were refused needs room as well as a flush does. What was lent for a flush is over where none is to come. */
static void look_at_reserve_locked(struct kvs_db *db)
{
    const struct commit *commit = &db->commit;
    if (commit->full_until_ns != 0)
        (void)lend_locked(db, status_ok());
    else if (commit->sealed_count == 0)
        reserve_settle_locked(db);
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
    bool has_little = db->workers.reserve == RESERVE_LENT;
    struct prepare_sizes sizes = {.table_bytes = commit->wanted_table_bytes + memtable_cost(0, 0),
                                  .first_bytes = has_little ? 0 : prepare_likely_bytes(commit)};
    struct prepared_log made;
    io_mutex_unlock(&commit->lock);
    if (is_small)
        prepare_discard(db, &old);
    struct kvs_status status = prepare_next(db, &made, &sizes);
    io_mutex_lock(&commit->lock);
    if (status_is_ok(status))
        commit->prepared = made;
    upkeep->wants_spare = upkeep->wants_reserve = true;
    note_room_locked(upkeep, status);
    return status_is_ok(status);
}

/* A log more than is needed now, once there was a rotation; tried once after each. On a full disk its room is for others. */
static void keep_spare_locked(struct upkeep *upkeep)
{
    struct kvs_db *db = upkeep->db;
    struct commit *commit = &db->commit;
    bool is_full = is_short_of_room_locked(db);
    uint64_t first_bytes = prepare_likely_bytes(commit);
    if (!is_full && (!upkeep->wants_spare || first_bytes == 0 || commit_has_failed_locked(commit)))
        return;
    upkeep->wants_spare = false;
    io_mutex_unlock(&commit->lock);
    if (is_full)
        prepare_discard_spare(db);
    else
        prepare_spare(db, first_bytes);
    io_mutex_lock(&commit->lock);
}

/* Room for a full disk, once a memtable was filled or segments take as much; tried once after each rotation. */
static void keep_reserve_locked(struct upkeep *upkeep)
{
    struct kvs_db *db = upkeep->db;
    const struct commit *commit = &db->commit;
    bool was_filled = commit->sealed_log_bytes >= db->table_bytes / 4; /* of small entries a log takes less */
    bool is_worth_it = was_filled || db->workers.data_bytes >= reserve_bytes(db);
    if (!upkeep->wants_reserve || !is_worth_it || db->workers.reserve != RESERVE_NONE || is_short_of_room_locked(db) ||
        commit_has_failed_locked(commit))
        return;
    upkeep->wants_reserve = false;
    io_mutex_unlock(&db->commit.lock);
    reserve_make(db);
    io_mutex_lock(&db->commit.lock);
}

static bool extend_locked(struct upkeep *upkeep)
{
    struct commit *commit = &upkeep->db->commit;
    if (!commit->piece_wanted)
        return false;
    /* Only this thread ends and closes logs, so the writer lives as long as this call. */
    struct log_writer *writer = commit->active->writer;
    uint64_t wanted_bytes = commit->wanted_piece_bytes, allocated_bytes = log_writer_allocated_bytes(writer);
    uint64_t more_bytes = wanted_bytes;
    /* Twice as much, as long as the log may grow as large: each extension holds up the log's writes while the file system is busy. */
    if (more_bytes < allocated_bytes && log_writer_room(writer).capacity_bytes > allocated_bytes)
        more_bytes = allocated_bytes;
    io_mutex_unlock(&commit->lock);
    struct kvs_status status = log_writer_extend(writer, more_bytes);
    if (status.code == KVS_NO_SPACE && more_bytes > wanted_bytes)
        status = log_writer_extend(writer, wanted_bytes);
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

/* A writer waits for room in the log, and the disk has none: a memtable that is flushed before it is full gives its log back. Only where no flush is on its way. If there
 * is no log to go on with, a small one is made of the reserve. */
static bool seal_early_locked(struct upkeep *upkeep)
{
    struct kvs_db *db = upkeep->db;
    struct commit *commit = &db->commit;
    bool is_waited_for = commit->wanted_piece_bytes != 0 || commit->wanted_table_bytes != 0;
    if (commit->upkeep_full.status.code != KVS_NO_SPACE || !is_waited_for || commit->sealed_count != 0 ||
        memtable_count(commit->memtable) == 0)
        return false;
    if (commit->prepared.log == NULL && (!lend_locked(db, status_ok()) || !prepare_locked(upkeep)))
        return false;
    if (commit_has_failed_locked(commit) || !rotate_locked(commit))
        return false;
    note_room_locked(upkeep, status_ok());
    return true;
}

/* What is lent is not for the log. */
static bool make_room_locked(struct upkeep *upkeep)
{
    if (upkeep->db->workers.reserve == RESERVE_LENT)
        return false;
    return prepare_locked(upkeep) || extend_locked(upkeep) || seal_early_locked(upkeep);
}

struct kvs_status upkeep_close(struct kvs_db *db)
{
    struct commit *commit = &db->commit;
    if (commit->prepared.log != NULL)
        prepare_discard(db, &commit->prepared);
    prepare_discard_spare(db);
    if (db->workers.reserve == RESERVE_HELD)
        reserve_remove(db);
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
    uint64_t now_ns = io_monotonic_ns(upkeep->db->io);
    if (now_ns - upkeep->ticked_ns < TICK_NS)
        return;
    upkeep->ticked_ns = now_ns;
    note_durable_locked(upkeep, now_ns);
}

/* 0 when nothing that a clock decides is going on. */
static uint64_t next_look_ns(const struct upkeep *upkeep)
{
    const struct commit *commit = &upkeep->db->commit;
    bool ticks =
        commit->applied.sequence != upkeep->seen_sequence || commit->durable.record > upkeep->db->workers.noted_record;
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
    if (status.code == KVS_NO_SPACE && lend_locked(upkeep->db, status))
        status = install_log_edit_locked(upkeep->db);
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
    /* With a spare log that takes memory only, and comes before a sync that may be slow. */
    if (may_try && !commit_has_failed_locked(&db->commit) && db->workers.spare.writer != NULL)
        (void)prepare_locked(upkeep);
    if (may_try && !commit_has_failed_locked(&db->commit) && list_logs_locked(upkeep) && make_room_locked(upkeep))
        return true;
    /* What was short before is not needed any more, as when a flush took the log whose end could not be listed. */
    if (may_try && upkeep->retry_ns == 0 && !status_is_ok(db->commit.upkeep_full.status))
        note_room_locked(upkeep, status_ok());
    if (bury_logs_locked(db) || reclaim_locked(db))
        return true;
    look_at_reserve_locked(db);
    keep_spare_locked(upkeep);
    keep_reserve_locked(upkeep);
    workers_want_janitor_locked(db);
    tick_locked(upkeep);
    return false;
}

void upkeep_body(void *argument)
{
    struct kvs_db *db = argument;
    struct upkeep upkeep = {.db = db, .wants_spare = true, .wants_reserve = true};
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
