#include "db/commit_internal.h"

#include "base/assert.h"
#include "format/log_record.h"

/* How often the pace is told how things stand. */
#define PACE_TICK_NS UINT64_C(50000000)

/* There is a prepared pair, and its memtable holds what the waiting batch needs; its log, being empty, takes any one record. */
static bool prepared_fits(const struct commit *commit)
{
    const struct prepared_log *next = &commit->prepared;
    return next->log != NULL && memtable_room(next->memtable) >= commit->wanted_table_bytes;
}

static void seal_memtable(struct commit *commit, struct sealed_table *seal)
{
    *seal = (struct sealed_table){.memtable = memtable_ref(commit->memtable), .last = commit->applied};
    if (commit->sealed_newest != NULL)
        commit->sealed_newest->newer = seal;
    else
        commit->sealed_oldest = seal;
    commit->sealed_newest = seal;
    commit->sealed_count++;
    commit->sealed_bytes += memtable_used(commit->memtable);
}

static void seal_log(struct commit *commit, struct live_log *next)
{
    struct live_log *active = commit->active;
    KVS_ASSERT(active->state == LOG_ACTIVE);
    active->last = commit->applied;
    active->state = LOG_SEALED;
    uint64_t last_record;
    log_writer_end(active->writer, &commit->sealed_log_bytes, &last_record);
    active->newer = next;
    next->before = commit->applied;
    log_writer_begin(next->writer, commit->applied.record + 1);
    commit->active = next;
    if (commit->unlisted == NULL)
        commit->unlisted = next;
    if (commit->unnoted == NULL)
        commit->unnoted = next;
}

/* The new memtable in front of those that the present view has. */
static void publish_view(struct commit *commit, struct view *view, struct memtable *memtable)
{
    const struct view *old = views_current(commit->views);
    view_add_table(view, memtable);
    for (uint32_t i = 0; i < old->count; i++)
        view_add_table(view, old->tables[i]);
    view_set_version(view, old->version);
    views_publish(commit->views, view);
}

bool rotate_locked(struct commit *commit)
{
    if (commit->sealed_count >= commit->options.sealed_max)
        return false;
    if (!prepared_fits(commit)) {
        commit->hooks.upkeep(commit->hooks.context);
        return false;
    }
    struct prepared_log next = commit->prepared;
    commit->prepared = (struct prepared_log){0};
    commit->wanted_table_bytes = commit->wanted_piece_bytes = 0;
    commit->piece_wanted = false;
    seal_memtable(commit, next.seal);
    seal_log(commit, next.log);
    publish_view(commit, next.view, next.memtable);
    commit->memtable = next.memtable;
    memtable_unref(next.memtable); /* the view has its own reference */
    commit->hooks.upkeep(commit->hooks.context);
    commit->hooks.flush(commit->hooks.context);
    return true;
}

static bool fits(const struct commit *commit, size_t table_bytes, size_t record_bytes)
{
    return memtable_room(commit->memtable) >= table_bytes &&
           log_writer_room(commit->active->writer).capacity_bytes >= record_bytes;
}

/* Sync overdue: only while one is in flight, or due and not begun, can a record get too old, so the clock is read only then. */
static bool sync_is_overdue(struct commit *commit)
{
    if (commit->options.mode != KVS_SYNC_INTERVAL || commit->unsynced_since_ns == 0)
        return false;
    return io_monotonic_ns(commit->io) > commit->unsynced_since_ns + 2 * commit->options.interval_ns;
}

static struct pace_debt measure_debt(struct commit *commit, uint64_t now_ns)
{
    uint64_t total_bytes = commit->options.table_bytes * (commit->options.sealed_max + 1);
    uint64_t used_bytes = commit->sealed_bytes + memtable_used(commit->memtable);
    uint64_t rotations =
        commit->sealed_count < commit->options.sealed_max ? commit->options.sealed_max - commit->sealed_count : 0;
    struct pace_debt debt = {
        .memory = commit->sealed_count == 0 ? 0 : (double)used_bytes / (PACE_MEMORY_FULL * (double)total_bytes),
        .merge = commit->merge_debt,
        .drain_rate = commit->drain.rate,
        .room_bytes = rotations * commit->options.table_bytes + memtable_room(commit->memtable),
    };
    debt.left_ns = drain_left_ns(&commit->drain, now_ns, &debt.whole_ns);
    return debt;
}

/* The pace is fed here, by the writes that it is for: a thread behind that did it could be waiting for a sync while the debt grows. Returns 0 if bytes are admitted,
 * else when to ask again. */
static uint64_t ask_pace(struct commit *commit, uint64_t bytes)
{
    struct pace *pace = &commit->pace;
    if (commit->sealed_count == 0 && commit->merge_debt <= PACE_COMFORT && pace->rate == 0)
        return 0;
    uint64_t now_ns = io_monotonic_ns(commit->io);
    if (now_ns - pace->updated_ns >= PACE_TICK_NS) {
        struct pace_debt debt = measure_debt(commit, now_ns);
        pace_update(pace, &debt, now_ns);
    }
    return pace_admit(pace, bytes, now_ns);
}

enum admission admission_ask_locked(struct commit *commit, uint64_t *until_ns, size_t table_bytes, size_t record_bytes)
{
    if (!fits(commit, table_bytes, record_bytes)) {
        if (commit->wanted_table_bytes < table_bytes)
            commit->wanted_table_bytes = table_bytes;
        if (!rotate_locked(commit) || !fits(commit, table_bytes, record_bytes))
            return WAIT_LOG;
    }
    struct log_room room = log_writer_room(commit->active->writer);
    if (room.piece_bytes < record_bytes) {
        commit->piece_wanted = true;
        if (commit->wanted_piece_bytes < record_bytes)
            commit->wanted_piece_bytes = record_bytes;
        commit->hooks.upkeep(commit->hooks.context);
        return WAIT_PIECE;
    }
    /* While the disk is full, what is in the buffer has to go first. */
    if (room.buffer_bytes < record_bytes || commit->full_until_ns != 0)
        return WAIT_BUFFER;
    if (sync_is_overdue(commit))
        return WAIT_SYNC;
    *until_ns = ask_pace(commit, record_bytes);
    return *until_ns == 0 ? ADMITTED : WAIT_PACE;
}

/* Give the log a buffer that a larger record fits in. The write role must be free. Drops the lock meanwhile. */
static struct kvs_status grow_buffer_locked(struct commit *commit, size_t record_bytes)
{
    struct log_writer *writer = commit->active->writer;
    commit->writing = true;
    io_mutex_unlock(&commit->lock);
    struct kvs_status status = log_writer_grow_buffer(writer, record_bytes);
    io_mutex_lock(&commit->lock);
    commit->writing = false;
    commit_publish_locked(commit); /* for who waits for the role */
    return status;
}

/* Write out the buffer, or wait for who does, or for room on the disk. */
struct kvs_status admission_make_buffer_room_locked(struct commit *commit, uint64_t record_bytes)
{
    if (commit->writing) {
        io_condition_wait(&commit->progress, &commit->lock);
        return status_ok();
    }
    if (commit->full_until_ns != 0 && io_monotonic_ns(commit->io) < commit->full_until_ns) {
        io_condition_wait_until(&commit->progress, &commit->lock, commit->full_until_ns);
        return status_ok();
    }
    /* Only into the active log: an older one that is not written out yet still uses the role for itself. */
    if (record_bytes > commit->options.buffer_bytes && commit->written.record == commit->applied.record)
        STATUS_RETURN_IF_ERROR(grow_buffer_locked(commit, record_bytes));
    log_write_step_locked(commit);
    return status_ok();
}

struct kvs_status admission_shortage_locked(struct commit *commit, enum admission reason)
{
    if (reason == WAIT_LOG && commit->sealed_count >= commit->options.sealed_max)
        return status_kept(&commit->flush_full);
    if (reason == WAIT_LOG || reason == WAIT_PIECE)
        return status_kept(&commit->upkeep_full);
    if (reason == WAIT_SYNC && log_lacks_room_locked(commit))
        return log_shortage_locked(commit);
    return status_ok();
}

static struct kvs_status wait_for_locked(struct commit *commit, enum admission reason, uint64_t until_ns,
                                         size_t record_bytes)
{
    switch (reason) {
    case WAIT_BUFFER:
        return admission_make_buffer_room_locked(commit, record_bytes);
    case WAIT_PIECE:
    case WAIT_LOG:
        STATUS_RETURN_IF_ERROR(admission_shortage_locked(commit, reason));
        io_condition_wait(&commit->room, &commit->lock);
        return status_ok();
    case WAIT_SYNC:
        STATUS_RETURN_IF_ERROR(admission_shortage_locked(commit, reason));
        if (commit->full_until_ns != 0) /* nothing can be synced before it is written */
            return admission_make_buffer_room_locked(commit, 0);
        if (!commit->syncing)
            log_sync_step_locked(commit);
        else
            io_condition_wait(&commit->progress, &commit->lock);
        return status_ok();
    case WAIT_PACE:
        io_mutex_unlock(&commit->lock);
        io_sleep_until(commit->io, until_ns);
        io_mutex_lock(&commit->lock);
        return status_ok();
    case ADMITTED:
        break;
    }
    return status_ok();
}

void admission_count_delay_locked(struct commit *commit, uint64_t begun_ns)
{
    uint64_t delay_ns = io_monotonic_ns(commit->io) - begun_ns;
    commit->delayed_writes++;
    commit->delay_ns_total += delay_ns;
    if (commit->delay_ns_max < delay_ns)
        commit->delay_ns_max = delay_ns;
}

struct kvs_status admission_wait_locked(struct commit *commit, const struct kvs_batch *batch, bool sync)
{
    size_t record_bytes = log_record_bytes(batch->size);
    uint64_t begun_ns = 0, until_ns = 0;
    for (;;) {
        STATUS_RETURN_IF_ERROR(commit_failure_locked(commit));
        if (sync && log_lacks_room_locked(commit))
            return log_shortage_locked(commit);
        enum admission reason = admission_ask_locked(commit, &until_ns, batch->table_cost, record_bytes);
        if (reason == ADMITTED)
            break;
        /* A full buffer is ordinary work, not a delay that the engine imposes. */
        if (begun_ns == 0 && reason != WAIT_BUFFER)
            begun_ns = io_monotonic_ns(commit->io);
        STATUS_RETURN_IF_ERROR(wait_for_locked(commit, reason, until_ns, record_bytes));
    }
    if (begun_ns != 0)
        admission_count_delay_locked(commit, begun_ns);
    return status_ok();
}
