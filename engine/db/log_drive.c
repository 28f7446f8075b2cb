#include "db/commit_internal.h"

#include "base/assert.h"

/* After a full disk, how long until the same bytes are tried again. */
#define FULL_RETRY_NS UINT64_C(100000000)

/* A sync waits for its group at least this long or not at all: shorter waits cost more than they gather. */
#define GATHER_MIN_NS UINT64_C(50000)

static bool needs_sync(const struct commit *commit, enum kvs_level level)
{
    return level == KVS_DURABLE || commit->options.mode == KVS_SYNC_ALWAYS;
}

uint64_t log_durable_locked(const struct commit *commit)
{
    /* What is durable in a log that is not listed is not there for who recovers. */
    uint64_t durable = commit->durable.sequence;
    if (commit->unlisted != NULL && durable > commit->unlisted->before.sequence)
        durable = commit->unlisted->before.sequence;
    return durable;
}

bool log_reached_locked(const struct commit *commit, uint64_t sequence, enum kvs_level level)
{
    uint64_t published = atomic_load_explicit(&commit->published, memory_order_relaxed);
    return published >= sequence && (level == KVS_PUBLISHED || log_durable_locked(commit) >= sequence);
}

bool log_lacks_room_locked(const struct commit *commit)
{
    enum kvs_code code = commit->flush_full.status.code;
    return commit->syncing_log->writer == NULL && code != KVS_OK &&
           (commit->closing || code == KVS_NO_SPACE || code == KVS_NO_MEMORY);
}

bool log_gives_up_locked(const struct commit *commit, uint64_t sequence, enum kvs_level level)
{
    return level == KVS_DURABLE && log_lacks_room_locked(commit) && log_reached_locked(commit, sequence, KVS_PUBLISHED);
}

struct kvs_status log_shortage_locked(const struct commit *commit)
{
    return STATUS(commit->flush_full.status.code,
                  "not synced: what the last process left has to be flushed first, which is tried again: %s",
                  commit->flush_full.text);
}

/* Wake the callers whose numbers have been reached, or all after a failure; and of the others one for each role that is free and that would help it. */
static void wake_waiters(struct commit *commit)
{
    bool wakes_all = commit_has_failed_locked(commit) || commit->closing, has_writer = false, has_syncer = false;
    for (struct commit_waiter *waiter = commit->waiters; waiter != NULL; waiter = waiter->next) {
        bool syncs = needs_sync(commit, waiter->level);
        bool *has_driver = syncs ? &has_syncer : &has_writer;
        bool is_role_free = syncs ? !commit->syncing : !commit->writing;
        bool is_role_useful = (syncs ? commit->durable : commit->written).sequence < waiter->sequence;
        bool is_served = wakes_all || log_reached_locked(commit, waiter->sequence, waiter->level) ||
                         log_gives_up_locked(commit, waiter->sequence, waiter->level);
        if (!is_served && (*has_driver || !is_role_free || !is_role_useful))
            continue;
        *has_driver |= !is_served;
        io_condition_signal(&waiter->wake);
    }
}

void commit_publish_locked(struct commit *commit)
{
    struct position reached = commit->options.mode == KVS_SYNC_ALWAYS ? commit->durable : commit->written;
    /* Mode os promises what is written, of the list of logs as well: there publication waits for no sync. */
    const struct live_log *unknown = commit->options.mode == KVS_SYNC_OS ? commit->unnoted : commit->unlisted;
    if (unknown != NULL && reached.sequence > unknown->before.sequence)
        reached = unknown->before;
    /* Release: who sees the number sees the entries up to it. */
    if (reached.sequence > atomic_load_explicit(&commit->published, memory_order_relaxed))
        atomic_store_explicit(&commit->published, reached.sequence, memory_order_release);
    atomic_store_explicit(&commit->durable_sequence, log_durable_locked(commit), memory_order_relaxed);
    io_condition_broadcast(&commit->progress);
    wake_waiters(commit);
    log_thread_progress_locked(commit);
}

/* Move past logs that are written, synced, to their end; never past the one that the holder of the write role is at work on. */
static void settle_logs(struct commit *commit)
{
    while (!commit->writing && commit->writing_log->state != LOG_ACTIVE &&
           commit->writing_log->last.record <= commit->written.record)
        commit->writing_log = commit->writing_log->newer;
    bool synced = false;
    while ((!commit->writing || commit->syncing_log != commit->writing_log) &&
           commit->syncing_log->state != LOG_ACTIVE && commit->syncing_log->last.record <= commit->durable.record) {
        if (commit->syncing_log->state == LOG_SEALED) {
            /* A log left by the last process has no writer: its end is not listed, it goes with the flush that made it durable. */
            commit->syncing_log->state = commit->syncing_log->writer != NULL ? LOG_SYNCED : LOG_ENDED;
            synced = true;
        }
        commit->syncing_log = commit->syncing_log->newer;
    }
    if (synced)
        commit->hooks.upkeep(commit->hooks.context);
}

/* A flush ends between the records of a log that nothing else makes durable. */
static bool ends_inside_log(const struct commit *commit, struct position flushed)
{
    uint64_t end = 0;
    for (const struct live_log *log = commit->oldest; log->state != LOG_ACTIVE; log = log->newer) {
        if (log->last.record > flushed.record)
            return end < flushed.record;
        end = log->last.record;
    }
    return false;
}

struct position commit_durable_after_flush_locked(const struct commit *commit, struct position flushed)
{
    bool stays = commit->durable.record >= flushed.record || ends_inside_log(commit, flushed);
    return stays ? commit->durable : flushed;
}

void commit_note_flushed_locked(struct commit *commit, struct position flushed)
{
    commit->durable = commit_durable_after_flush_locked(commit, flushed);
    settle_logs(commit);
    if (commit->unsynced_since_ns != 0)
        io_condition_signal(&commit->syncer.wake); /* which may have given it up */
    commit_publish_locked(commit);
}

/* A full disk is met again later, with the same bytes; anything else is the end of writing. */
static void note_write_failure(struct commit *commit, struct kvs_status status)
{
    if (status.code != KVS_NO_SPACE) {
        commit_poison_locked(commit, status);
        return;
    }
    commit->full_until_ns = io_monotonic_ns(commit->io) + FULL_RETRY_NS;
    commit->hooks.upkeep(commit->hooks.context); /* which may have a reserve */
}

void log_write_step_locked(struct commit *commit)
{
    KVS_ASSERT(!commit->writing);
    settle_logs(commit);
    struct live_log *log = commit->writing_log;
    /* After a full disk the same bytes are written again: what was appended since is not among them. */
    if (commit->full_until_ns == 0)
        commit->taken = log->state == LOG_ACTIVE ? commit->applied : log->last;
    commit->writing = true;
    struct kvs_status status = status_ok();
    if (log_writer_take(log->writer)) {
        uint64_t written_record;
        if (commit->ready != NULL) /* this thread may not be back in time to tell who waits for the pace */
            io_condition_signal(&commit->syncer.wake);
        io_mutex_unlock(&commit->lock);
        status = log_writer_write(log->writer, &written_record);
        io_mutex_lock(&commit->lock);
        commit->log_writes++;
    }
    commit->writing = false;
    if (status_is_ok(status)) {
        commit->written = commit->taken;
        if (commit->full_until_ns != 0)
            io_condition_signal(&commit->syncer.wake); /* which waited for the write */
        commit->full_until_ns = 0;
        settle_logs(commit);
        io_condition_broadcast(&commit->room);
        log_thread_room_locked(commit);
    } else {
        note_write_failure(commit, status);
    }
    commit_publish_locked(commit);
}

/* Wait, a quarter of the last sync's time at most, for as many changes as the last group had: released together, its writers are likely to come back together,
 * and a sync started for the first of them would split them into two convoys that each wait for the other's sync. */
static void gather_locked(struct commit *commit)
{
    uint64_t bound_ns = commit->last_sync_ns / 4;
    if (bound_ns < GATHER_MIN_NS)
        return;
    uint64_t deadline_ns = io_monotonic_ns(commit->io) + bound_ns;
    while (commit->applied.sequence - commit->durable.sequence < commit->last_group && !commit->stopping) {
        if (!io_condition_wait_until(&commit->gather, &commit->lock, deadline_ns))
            break;
    }
}

static bool can_write(const struct commit *commit)
{
    return !commit_has_failed_locked(commit) && commit->full_until_ns == 0;
}

/* One fdatasync; everything written to the log before is then durable. Drops the lock meanwhile. */
static struct kvs_status sync_log_locked(struct commit *commit, struct live_log *log)
{
    uint64_t begun_ns = io_monotonic_ns(commit->io);
    commit->syncing_now = log;
    io_mutex_unlock(&commit->lock);
    struct kvs_status status = log_writer_sync(log->writer, SYNC_LOG);
    io_mutex_lock(&commit->lock);
    commit->syncing_now = NULL;
    commit->last_sync_ns = io_monotonic_ns(commit->io) - begun_ns;
    commit->log_syncs++;
    if (commit->log_sync_ns_max < commit->last_sync_ns)
        commit->log_sync_ns_max = commit->last_sync_ns;
    return status;
}

/* A log that the last process left, and that recovery did not write again, cannot be synced: that process may have met a failure of it. The flush of its memtables,
 * which began when the database was opened, makes its records durable. Where there is no room for it that is not waited for. */
static void await_flush_locked(struct commit *commit, const struct live_log *log)
{
    while (commit->syncing_log == log && !commit_has_failed_locked(commit) && !log_lacks_room_locked(commit))
        io_condition_wait(&commit->progress, &commit->lock);
}

/* Sync what is written, log by log. A failed sync is never tried again, whatever its cause. */
static void sync_written_locked(struct commit *commit)
{
    struct position goal = commit->written;
    uint64_t before = commit->durable.sequence;
    settle_logs(commit);
    while (commit->durable.record < goal.record) {
        struct live_log *log = commit->syncing_log;
        if (log->writer == NULL) {
            await_flush_locked(commit, log);
            if (commit->syncing_log == log)
                return;
            continue;
        }
        struct kvs_status status = sync_log_locked(commit, log);
        if (!status_is_ok(status)) {
            commit_poison_locked(commit, status);
            return;
        }
        struct position reached = log->state != LOG_ACTIVE && log->last.record < goal.record ? log->last : goal;
        if (commit->durable.record < reached.record)
            commit->durable = reached;
        settle_logs(commit);
    }
    commit->last_group = commit->durable.sequence - before;
}

void log_sync_step_locked(struct commit *commit)
{
    KVS_ASSERT(!commit->syncing);
    commit->syncing = true;
    gather_locked(commit);
    uint64_t target = commit->applied.record, begun_ns = io_monotonic_ns(commit->io);
    while (commit->written.record < target && can_write(commit)) {
        if (commit->writing)
            io_condition_wait(&commit->progress, &commit->lock);
        else
            log_write_step_locked(commit);
    }
    if (!commit_has_failed_locked(commit))
        sync_written_locked(commit);
    /* What was applied since is younger than this sync's beginning. */
    if (commit->durable.record >= target)
        commit->unsynced_since_ns = commit->applied.record > commit->durable.record ? begun_ns : 0;
    commit->syncing = false;
    if (commit->unsynced_since_ns != 0)
        io_condition_signal(&commit->syncer.wake); /* it sleeps without a deadline while the role is taken */
    log_thread_room_locked(commit);
    commit_publish_locked(commit);
}

bool log_drive_locked(struct commit *commit, uint64_t sequence, enum kvs_level level)
{
    if (commit_has_failed_locked(commit))
        return false;
    if (commit->full_until_ns != 0 && commit->written.sequence < sequence) {
        if (io_monotonic_ns(commit->io) < commit->full_until_ns || commit->writing)
            return false;
        log_write_step_locked(commit);
        return commit->full_until_ns == 0;
    }
    if (needs_sync(commit, level)) {
        if (commit->syncing || commit->durable.sequence >= sequence || commit->durable.record == commit->applied.record)
            return false;
        /* Everything is written, and what a sync would wait for is given up. */
        if (commit->written.record == commit->applied.record && log_lacks_room_locked(commit))
            return false;
        log_sync_step_locked(commit);
        return true;
    }
    if (commit->writing || commit->written.sequence >= sequence || commit->written.record == commit->applied.record)
        return false;
    log_write_step_locked(commit);
    return true;
}
