#include "db/commit_internal.h"

#include "base/assert.h"
#include "base/hash.h"
#include "format/log_record.h"

#include <stdlib.h>

/* Batches whose hashes are made before one hold of the lock, and applied in it. */
enum { APPLY_CHUNK = 16 };

void commit_init(struct commit *commit, struct io *io, struct views *views, const struct commit_options *options,
                 const struct commit_hooks *hooks)
{
    *commit = (struct commit){.io = io, .views = views, .options = *options, .hooks = *hooks};
    io_mutex_init(&commit->lock, io);
    io_condition_init(&commit->progress, io);
    io_condition_init(&commit->room, io);
    io_condition_init(&commit->gather, io);
    io_condition_init(&commit->writer.wake, io);
    io_condition_init(&commit->syncer.wake, io);
}

static void free_prepared(struct prepared_log *prepared)
{
    if (prepared->log == NULL)
        return;
    log_writer_close(prepared->log->writer);
    free(prepared->log);
    memtable_unref(prepared->memtable);
    view_unref(prepared->view);
    free(prepared->seal);
}

void commit_fini(struct commit *commit)
{
    while (commit->oldest != NULL) {
        struct live_log *log = commit->oldest;
        commit->oldest = log->newer;
        log_writer_close(log->writer);
        free(log);
    }
    while (commit->sealed_oldest != NULL) {
        struct sealed_table *table = commit->sealed_oldest;
        commit->sealed_oldest = table->newer;
        memtable_unref(table->memtable);
        free(table);
    }
    free_prepared(&commit->prepared);
    io_condition_fini(&commit->syncer.wake);
    io_condition_fini(&commit->writer.wake);
    io_condition_fini(&commit->gather);
    io_condition_fini(&commit->room);
    io_condition_fini(&commit->progress);
    io_mutex_fini(&commit->lock);
}

struct kvs_status commit_failure_locked(struct commit *commit)
{
    if (!commit_has_failed_locked(commit))
        return status_ok();
    return STATUS(KVS_POISONED, "writes are refused since an earlier failure: %s", commit->failure.text);
}

struct kvs_status commit_unknown_locked(struct commit *commit)
{
    return STATUS(KVS_UNKNOWN, "the outcome of this write is unknown until the database is reopened: %s",
                  commit->failure.text);
}

void commit_poison_locked(struct commit *commit, struct kvs_status failure)
{
    if (!commit_has_failed_locked(commit))
        status_keep(&commit->failure, failure);
    commit->full_until_ns = 0;
    io_condition_broadcast(&commit->room);
    log_thread_room_locked(commit);
    commit->hooks.flush(commit->hooks.context); /* which tells those who wait for it */
    commit_publish_locked(commit);
}

void commit_poison(struct commit *commit, struct kvs_status failure)
{
    io_mutex_lock(&commit->lock);
    commit_poison_locked(commit, failure);
    io_mutex_unlock(&commit->lock);
}

/* The last record that a crash cannot take back. A log that is not listed yet is lost as a whole, synced or not; and a watermark that reached into it would look like
 * the word of a manifest that has lost its end. */
static uint64_t watermark_locked(const struct commit *commit)
{
    uint64_t durable = commit->durable.record;
    return commit->unlisted != NULL && commit->unlisted->before.record < durable ? commit->unlisted->before.record
                                                                                 : durable;
}

/* The critical section of a write: numbers, log buffer, memtable. Admission has made sure of the room. */
static void apply_locked(struct commit *commit, const struct kvs_batch *batch, uint64_t payload_hash)
{
    uint64_t first = commit->applied.sequence + 1;
    struct log_record record = {
        .kind = LOG_BATCH,
        .number = commit->applied.record + 1,
        .watermark = watermark_locked(commit),
        .first_sequence = first,
        .payload_hash = payload_hash,
        .payload_bytes = (uint32_t)batch->size,
        .count = batch->count,
    };
    log_writer_append(commit->active->writer, &record, batch->payload);
    commit->log_bytes += log_record_bytes(batch->size);
    batch_insert(commit->memtable, slice_of(batch->payload, batch->size), batch->count, first);
    commit->applied.record++;
    commit->applied.sequence += batch->count;
    atomic_store_explicit(&commit->applied_sequence, commit->applied.sequence, memory_order_release);
    commit->writes += batch->count;
    commit->write_bytes += batch->user_bytes;
}

/* What is preallocated is nearly used up; of a log that is small yet, and may be filled in no time, half. */
static bool needs_piece(const struct commit *commit)
{
    uint64_t piece_bytes = commit->options.piece_bytes;
    uint64_t allocated_bytes = log_writer_allocated_bytes(commit->active->writer);
    uint64_t left_bytes = log_writer_room(commit->active->writer).piece_bytes;
    return left_bytes < piece_bytes / 2 || left_bytes < allocated_bytes / (allocated_bytes <= 4 * piece_bytes ? 2 : 8);
}

/* What follows an application: clocks and wake-ups that others wait for. */
static void after_apply_locked(struct commit *commit)
{
    if (commit->options.mode == KVS_SYNC_INTERVAL && commit->unsynced_since_ns == 0) {
        commit->unsynced_since_ns = io_monotonic_ns(commit->io);
        io_condition_signal(&commit->syncer.wake);
    }
    if (commit->syncing && commit->applied.sequence - commit->durable.sequence >= commit->last_group)
        io_condition_signal(&commit->gather);
    if (commit->upkeep_dozes) {
        commit->upkeep_dozes = false;
        commit->hooks.upkeep(commit->hooks.context);
    }
    if (!commit->piece_wanted && needs_piece(commit)) {
        commit->piece_wanted = true;
        commit->hooks.upkeep(commit->hooks.context);
    }
}

/* Sleep until served, chosen to drive the log, or until it is time to try a full disk again. */
static void sleep_as_waiter_locked(struct commit *commit, uint64_t sequence, enum kvs_level level)
{
    struct commit_waiter waiter = {.next = commit->waiters, .sequence = sequence, .level = level};
    io_condition_init(&waiter.wake, commit->io);
    commit->waiters = &waiter;
    /* A deadline only for who needs the write that is to be tried again. */
    if (commit->full_until_ns != 0 && !commit->writing && commit->written.sequence < sequence)
        (void)io_condition_wait_until(&waiter.wake, &commit->lock, commit->full_until_ns);
    else
        io_condition_wait(&waiter.wake, &commit->lock);
    struct commit_waiter **link = &commit->waiters;
    while (*link != &waiter)
        link = &(*link)->next;
    *link = waiter.next;
    io_condition_fini(&waiter.wake);
}

/* The log waits for room on the disk: for its bytes, for the edit that lists it, or for the flush of what the last process left. */
static bool is_out_of_room(const struct commit *commit)
{
    return commit->full_until_ns != 0 || (commit->unlisted != NULL && !status_is_ok(commit->upkeep_full.status)) ||
           log_lacks_room_locked(commit);
}

static struct kvs_status await_locked(struct commit *commit, uint64_t sequence, enum kvs_level level)
{
    while (!log_reached_locked(commit, sequence, level)) {
        if (commit_has_failed_locked(commit))
            return commit_unknown_locked(commit);
        if (log_gives_up_locked(commit, sequence, level))
            return log_shortage_locked(commit);
        if (log_drive_locked(commit, sequence, level))
            continue;
        if (commit->closing && is_out_of_room(commit))
            return STATUS(KVS_NO_SPACE, "closing while the disk is full: the last writes are not on it");
        if (!commit_has_failed_locked(commit) && !log_reached_locked(commit, sequence, level))
            sleep_as_waiter_locked(commit, sequence, level);
    }
    return status_ok();
}

struct kvs_status commit_write(struct commit *commit, const struct kvs_batch *batch, bool sync)
{
    if (batch->count == 0)
        return sync ? commit_await(commit, atomic_load_explicit(&commit->applied_sequence, memory_order_acquire),
                                   KVS_DURABLE)
                    : status_ok();
    uint64_t payload_hash = hash_bytes(batch->payload, batch->size);
    io_mutex_lock(&commit->lock);
    struct kvs_status status = admission_wait_locked(commit, batch, sync);
    if (status_is_ok(status)) {
        apply_locked(commit, batch, payload_hash);
        after_apply_locked(commit);
        status = await_locked(commit, commit->applied.sequence, sync ? KVS_DURABLE : KVS_PUBLISHED);
    }
    io_mutex_unlock(&commit->lock);
    return status;
}

struct kvs_status commit_await(struct commit *commit, uint64_t sequence, enum kvs_level level)
{
    io_mutex_lock(&commit->lock);
    struct kvs_status status = await_locked(commit, sequence, level);
    io_mutex_unlock(&commit->lock);
    return status;
}

/* Note a caller that is to be told when admission is worth another try (*request is then taken over), and start what makes room. */
static struct kvs_status refuse_locked(struct commit *commit, enum admission reason, uint64_t until_ns,
                                       uint64_t record_bytes, struct ready_request **request)
{
    STATUS_RETURN_IF_ERROR(admission_shortage_locked(commit, reason));
    if (*request != NULL) {
        (*request)->begun_ns = reason == WAIT_BUFFER ? 0 : io_monotonic_ns(commit->io);
        if (commit->ready != NULL)
            commit->ready_last->next = *request;
        else
            commit->ready = *request;
        commit->ready_last = *request;
        *request = NULL;
    }
    if (reason == WAIT_PACE && commit->ready != NULL && (commit->ready_at_ns == 0 || until_ns < commit->ready_at_ns))
        commit->ready_at_ns = until_ns;
    if (reason == WAIT_BUFFER)
        commit->drain_bytes = record_bytes > commit->drain_bytes ? record_bytes : commit->drain_bytes;
    if (reason == WAIT_SYNC)
        io_condition_signal(&commit->syncer.wake);
    else
        log_thread_ready_locked(commit); /* there is a new time to look */
    return STATUS(KVS_BUSY, "the write is not admitted at this moment");
}

static struct kvs_status apply_chunk(struct commit *commit, size_t *applied, const struct kvs_batch *const *batches,
                                     size_t count, struct ready_request **request)
{
    uint64_t hashes[APPLY_CHUNK], until_ns = 0;
    for (size_t i = 0; i < count; i++)
        hashes[i] = hash_bytes(batches[i]->payload, batches[i]->size);
    io_mutex_lock(&commit->lock);
    struct kvs_status status = status_ok();
    for (size_t i = 0; i < count; i++) {
        const struct kvs_batch *batch = batches[i];
        status = commit_failure_locked(commit);
        if (!status_is_ok(status))
            break;
        if (batch->count != 0) {
            enum admission reason =
                admission_ask_locked(commit, &until_ns, batch->table_cost, log_record_bytes(batch->size));
            if (reason != ADMITTED) {
                status = refuse_locked(commit, reason, until_ns, log_record_bytes(batch->size), request);
                break;
            }
            apply_locked(commit, batch, hashes[i]);
            after_apply_locked(commit);
        }
        ++*applied;
    }
    io_mutex_unlock(&commit->lock);
    return status;
}

struct kvs_status commit_apply(struct commit *commit, uint64_t *sequence, size_t *applied,
                               const struct kvs_batch *const *batches, size_t count, kvs_ready_function *ready,
                               void *context)
{
    struct ready_request *request = NULL;
    if (ready != NULL) {
        request = malloc(sizeof *request);
        if (request == NULL)
            return STATUS(KVS_NO_MEMORY, "no memory to wait for admission");
        *request = (struct ready_request){.ready = ready, .context = context};
    }
    struct kvs_status status = status_ok();
    size_t done = 0;
    while (done < count && status_is_ok(status)) {
        size_t chunk = count - done < APPLY_CHUNK ? count - done : APPLY_CHUNK;
        status = apply_chunk(commit, &done, batches + done, chunk, &request);
    }
    free(request);
    *applied = done;
    if (done != 0 || status_is_ok(status))
        *sequence = atomic_load_explicit(&commit->applied_sequence, memory_order_acquire);
    return status;
}

struct kvs_status commit_rotate(struct commit *commit, uint64_t *sequence)
{
    io_mutex_lock(&commit->lock);
    struct kvs_status status = commit_failure_locked(commit);
    while (status_is_ok(status) && memtable_count(commit->memtable) != 0 && !rotate_locked(commit)) {
        status = admission_shortage_locked(commit, WAIT_LOG);
        if (status_is_ok(status))
            io_condition_wait(&commit->room, &commit->lock);
        if (status_is_ok(status))
            status = commit_failure_locked(commit);
    }
    if (status_is_ok(status))
        *sequence = commit->applied.sequence;
    io_mutex_unlock(&commit->lock);
    return status;
}
