#include "db/install.h"

#include "db/options.h"
#include "db/rescue.h"
#include "merge/merge_iterator.h"

#include <stdlib.h>

/* How soon a flush that failed is tried again, and how often in a row where it is not for want of room or memory. */
#define RETRY_NS UINT64_C(200000000)
enum { BROKEN_TRIES_MAX = 50 };

/* Memtables that one flush takes at most, so that the first of many does not wait for the last: fewer than may wait, or writers would have only the active one as
 * long as a flush of all the others lasts. One at a time would be smoother still, but twice the syncs. */
enum { FLUSH_TABLES_MAX = 2 };
_Static_assert((int)FLUSH_TABLES_MAX < (int)OPTIONS_SEALED_MAX, "some room is left while a flush lasts");

/* What one flush is about: the oldest sealed memtables, which nobody else removes from the list.
 *
 * has_reserve  it is what the reserve was lent for, and takes one memtable */
struct flush_work {
    uint32_t count;
    struct memtable *tables[FLUSH_TABLES_MAX]; /* oldest first; the list holds the references */
    struct position last;
    uint64_t bytes, entries;
    bool has_reserve;
};

static bool take_work_locked(struct kvs_db *db, struct flush_work *work)
{
    *work = (struct flush_work){.has_reserve = db->workers.reserve == RESERVE_LENT};
    uint32_t most = work->has_reserve ? 1 : FLUSH_TABLES_MAX;
    for (struct sealed_table *table = db->commit.sealed_oldest; table != NULL && work->count < most;
         table = table->newer) {
        work->tables[work->count++] = table->memtable;
        work->last = table->last;
        work->bytes += memtable_used(table->memtable);
        work->entries += memtable_count(table->memtable);
    }
    return work->count != 0;
}

/* One sorted stream of the memtables, newest first as the merge likes it. */
static struct kvs_status work_iterator(struct iterator **iterator, const struct flush_work *work)
{
    struct iterator *children[FLUSH_TABLES_MAX];
    size_t count = 0;
    struct kvs_status status = status_ok();
    while (count < work->count && status_is_ok(status)) {
        status = memtable_iterator_new(&children[count], work->tables[work->count - 1 - count]);
        count += status_is_ok(status);
    }
    if (status_is_ok(status))
        status = merge_iterator_new(iterator, children, count, slice_of(NULL, 0));
    if (!status_is_ok(status)) {
        while (count != 0)
            iterator_free(children[--count]);
    }
    return status;
}

/* Logs all of whose records are in the flushed memtables go with the edit. Editing role and commit lock held. */
static struct kvs_status drop_logs_locked(struct kvs_db *db, struct manifest_edit *edit, struct position last)
{
    struct commit *commit = &db->commit;
    for (struct live_log *log = commit->oldest; log != NULL && log->state != LOG_ACTIVE; log = log->newer) {
        /* One without records may not be listed yet: it goes with a later flush. */
        if (log->last.record <= last.record && log->listed && !log->is_dropped)
            STATUS_RETURN_IF_ERROR(manifest_edit_drop_log(edit, log->number));
    }
    /* What is durable in a log that is not listed yet is not there for who recovers. */
    uint64_t durable = commit_durable_after_flush_locked(commit, last).record;
    if (commit->unlisted != NULL && durable > commit->unlisted->before.record)
        durable = commit->unlisted->before.record;
    edit->numbers.durable_record = durable;
    edit->numbers.published_sequence = atomic_load_explicit(&commit->published, memory_order_relaxed);
    edit->numbers.last_sequence = commit->applied.sequence;
    return status_ok();
}

static void mark_dropped_locked(struct kvs_db *db, const struct manifest_edit *edit)
{
    for (struct live_log *log = db->commit.oldest; log != NULL; log = log->newer) {
        for (size_t i = 0; i < edit->logs_dropped_count; i++)
            log->is_dropped |= log->number == edit->logs_dropped[i];
    }
}

/* Put the run in the place of the memtables and of their logs. */
static struct kvs_status install_flush(struct kvs_db *db, struct compaction_result *result,
                                       const struct flush_work *work)
{
    struct commit *commit = &db->commit;
    struct manifest_edit dropped; /* the installed edit is consumed */
    manifest_edit_init(&dropped);
    io_mutex_lock(&commit->lock);
    workers_begin_log_edit_locked(db);
    struct kvs_status status = drop_logs_locked(db, &result->edit.manifest, work->last);
    if (status_is_ok(status))
        status = drop_logs_locked(db, &dropped, work->last);
    io_mutex_unlock(&commit->lock);
    if (status_is_ok(status))
        status = install_result(db, &result->edit, work->count, work->last);
    else
        version_edit_discard(&result->edit);
    io_mutex_lock(&commit->lock);
    if (status_is_ok(status))
        mark_dropped_locked(db, &dropped);
    workers_want_upkeep(db);
    workers_end_log_edit_locked(db);
    io_mutex_unlock(&commit->lock);
    manifest_edit_fini(&dropped);
    return status;
}

static struct kvs_status write_run(struct kvs_db *db, struct compaction_result *result, const struct flush_work *work)
{
    struct iterator *iterator = NULL;
    STATUS_RETURN_IF_ERROR(work_iterator(&iterator, work));
    struct version *version = version_set_current(db->versions);
    struct compaction_environment environment = install_environment(db);
    environment.progress = &db->commit.drain.done;
    uint64_t horizon = snapshots_horizon(&db->snapshots, &db->commit.published);
    struct kvs_status status =
        flush_run(result, &environment, iterator, version, version_set_new_number(db->versions), horizon);
    version_unref(version);
    workers_note_unref(db);
    iterator_free(iterator);
    return status;
}

static void note_success_locked(struct kvs_db *db, const struct flush_work *work,
                                const struct compaction_result *result)
{
    struct workers *workers = &db->workers;
    status_keep(&db->commit.flush_full, status_ok());
    drain_end(&db->commit.drain, work->bytes, io_monotonic_ns(db->io));
    workers->flushes++;
    workers->flush_bytes += result->written_bytes;
    workers->flush_broken_tries = 0;
}

/* A run is installed only when all its entries are published: what a power cut could take back is not put in a segment. */
static struct kvs_status flush_work(struct kvs_db *db, const struct flush_work *work)
{
    struct compaction_result result;
    STATUS_RETURN_IF_ERROR(commit_await(&db->commit, work->last.sequence, KVS_PUBLISHED));
    STATUS_RETURN_IF_ERROR(write_run(db, &result, work));
    struct kvs_status status = install_flush(db, &result, work);
    if (status_is_ok(status)) {
        io_mutex_lock(&db->commit.lock);
        note_success_locked(db, work, &result);
        io_mutex_unlock(&db->commit.lock);
        compaction_measure(db);
    }
    return status;
}

/* On a full disk with what was kept in reserve: the log that goes with the memtable makes more room than its run takes. */
static struct kvs_status flush_in_any_room(struct kvs_db *db, struct flush_work *work)
{
    struct kvs_status status = flush_work(db, work);
    if (status.code != KVS_NO_SPACE || !reserve_lend(db, status))
        return status;
    io_mutex_lock(&db->commit.lock);
    drain_end(&db->commit.drain, 0, io_monotonic_ns(db->io));
    (void)take_work_locked(db, work);
    drain_begin(&db->commit.drain, work->bytes, work->entries, io_monotonic_ns(db->io));
    io_mutex_unlock(&db->commit.lock);
    return flush_work(db, work);
}

static bool is_short(struct kvs_status status)
{
    return status.code == KVS_NO_SPACE || status.code == KVS_NO_MEMORY;
}

/* A flush that failed before its edit has changed nothing, and the next try begins with a new file: a full disk, short memory, too many open files or a failing
 * device may pass. A device that goes on failing is given up, since syncs may be waiting for the flush; so is a merge that finds its own memory damaged. */
static bool is_worth_retrying(const struct kvs_db *db, struct kvs_status status)
{
    return is_short(status) || (status.code == KVS_IO && db->workers.flush_broken_tries < BROKEN_TRIES_MAX);
}

/* Report a failed flush; one that cannot succeed later forbids further writes, since memory would only fill up. Until then writers are let in as long as there is
 * memory, and then told what the flush met. Returns when to try again. */
static uint64_t handle_failure(struct kvs_db *db, struct kvs_status status)
{
    if (status.code != KVS_BUSY)
        db_log(db, KVS_LOG_ERROR, "flush failed: %s", status_text(status));
    db->workers.flush_broken_tries = is_short(status) ? 0 : db->workers.flush_broken_tries + 1;
    bool retries = is_worth_retrying(db, status);
    if (!retries && status.code != KVS_BUSY)
        commit_poison(&db->commit, status);
    io_mutex_lock(&db->commit.lock);
    if (retries)
        status_keep(&db->commit.flush_full, status);
    io_condition_broadcast(&db->commit.room);
    io_condition_broadcast(&db->workers.done);
    log_thread_room_locked(&db->commit);
    commit_publish_locked(&db->commit); /* who waits for a sync that there is no room for is told */
    io_mutex_unlock(&db->commit.lock);
    return retries ? io_monotonic_ns(db->io) + RETRY_NS : 0;
}

/* The log has failed: save what is published, once; nobody waits, so that it is tried for as long as it may work. Returns when to try again; 0: not. */
static uint64_t rescue(struct kvs_db *db, bool *is_over)
{
    uint64_t saved;
    struct kvs_status status = rescue_run(db, &saved);
    if (status.code == KVS_NO_SPACE && reserve_lend(db, status))
        status = rescue_run(db, &saved);
    *is_over = status_is_ok(status) || !(is_short(status) || status.code == KVS_IO);
    if (!status_is_ok(status))
        db_log(db, KVS_LOG_ERROR, "what is published could not be written to a segment: %s", status_text(status));
    else if (saved != 0)
        db_log(db, KVS_LOG_WARNING,
               "the log has failed: what is published, up to sequence number %llu, is in a segment",
               (unsigned long long)saved);
    return *is_over ? 0 : io_monotonic_ns(db->io) + RETRY_NS;
}

/* The log may have failed at its last sync, that of the close: what readers have seen, and it does not hold durably, is saved before the thread ends. */
static void rescue_at_close_locked(struct kvs_db *db)
{
    struct commit *commit = &db->commit;
    bool is_over;
    if (!commit_has_failed_locked(commit) || atomic_load(&commit->durable_sequence) >= commit_published(commit))
        return;
    io_mutex_unlock(&commit->lock);
    (void)rescue(db, &is_over);
    io_mutex_lock(&commit->lock);
}

/* One round. retry_ns: out, when to look again although nobody wakes the thread; 0: never. Returns whether there may be more to do at once. Commit lock held, dropped
 * meanwhile. */
static bool round_locked(struct kvs_db *db, uint64_t *retry_ns, bool *is_rescued)
{
    struct commit *commit = &db->commit;
    struct flush_work work = {0};
    bool has_failed = commit_has_failed_locked(commit);
    *retry_ns = 0;
    if (has_failed)
        io_condition_broadcast(&db->workers.done);
    if (has_failed ? *is_rescued : !take_work_locked(db, &work))
        return false;
    drain_begin(&commit->drain, work.bytes, work.entries, io_monotonic_ns(db->io));
    io_mutex_unlock(&commit->lock);
    if (has_failed) {
        *retry_ns = rescue(db, is_rescued);
    } else {
        struct kvs_status status = flush_in_any_room(db, &work);
        *retry_ns = status_is_ok(status) ? 0 : handle_failure(db, status);
    }
    io_mutex_lock(&commit->lock);
    drain_end(&commit->drain, 0, io_monotonic_ns(db->io)); /* if it did not succeed */
    if (work.has_reserve)
        reserve_settle_locked(db);
    return *retry_ns == 0;
}

void flush_body(void *argument)
{
    struct kvs_db *db = argument;
    uint64_t retry_ns;
    bool is_rescued = false;
    io_mutex_lock(&db->commit.lock);
    while (!db->workers.stopping) {
        if (!round_locked(db, &retry_ns, &is_rescued))
            worker_wait_locked(db, &db->workers.flush, retry_ns);
    }
    if (!is_rescued)
        rescue_at_close_locked(db);
    io_mutex_unlock(&db->commit.lock);
}
