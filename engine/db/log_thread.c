#include "db/commit_internal.h"

#include <stdlib.h>

/* Callers that wait for the pace are told by the writer, or this much later by the syncer: a write may hold the writer up. */
#define READY_GRACE_NS UINT64_C(5000000)

void log_thread_progress_locked(struct commit *commit)
{
    if (commit->writer.requests != NULL || commit->drain_bytes != 0)
        io_condition_signal(&commit->writer.wake);
    if (commit->syncer.requests != NULL)
        io_condition_signal(&commit->syncer.wake);
}

void log_thread_ready_locked(struct commit *commit)
{
    io_condition_signal(&commit->writer.wake);
    if (commit->writing || commit->syncing) /* perhaps by the writer */
        io_condition_signal(&commit->syncer.wake);
}

void log_thread_room_locked(struct commit *commit)
{
    if (commit->ready != NULL) {
        commit->ready_now = true;
        log_thread_ready_locked(commit);
    }
}

/* Unlink the requests that have reached their level, or cannot without room; all of them after a failure, or when the pipeline stops. */
static struct sync_request *take_answered(struct log_thread *thread)
{
    struct commit *commit = thread->commit;
    bool failed = commit_has_failed_locked(commit);
    struct sync_request *answered = NULL, **link = &thread->requests;
    while (*link != NULL) {
        struct sync_request *request = *link;
        if (!failed && !log_reached_locked(commit, request->sequence, thread->level) &&
            !log_gives_up_locked(commit, request->sequence, thread->level)) {
            link = &request->next;
            continue;
        }
        *link = request->next;
        request->next = answered;
        answered = request;
    }
    return answered;
}

/* Call back what was answered, under no lock. Returns whether there was anything. */
static bool answer_locked(struct log_thread *thread)
{
    struct commit *commit = thread->commit;
    struct sync_request *answered = take_answered(thread);
    if (answered == NULL)
        return false;
    struct kvs_status failure = status_ok();
    if (commit_has_failed_locked(commit))
        failure = commit_unknown_locked(commit);
    else if (log_lacks_room_locked(commit))
        failure = log_shortage_locked(commit);
    uint64_t published = atomic_load_explicit(&commit->published, memory_order_relaxed);
    uint64_t durable = log_durable_locked(commit);
    uint64_t reached = thread->level == KVS_DURABLE && durable < published ? durable : published;
    io_mutex_unlock(&commit->lock);
    while (answered != NULL) {
        struct sync_request *next = answered->next;
        answered->callback(answered->context, answered->sequence <= reached ? status_ok() : failure);
        free(answered);
        answered = next;
    }
    io_mutex_lock(&commit->lock);
    return true;
}

/* Tell callers that were answered BUSY, when there may be room. Returns whether there were any. */
static bool call_ready_locked(struct commit *commit)
{
    if (commit->ready == NULL)
        return false;
    bool due = commit->ready_now || commit->stopping ||
               (commit->ready_at_ns != 0 && io_monotonic_ns(commit->io) >= commit->ready_at_ns);
    if (!due)
        return false;
    struct ready_request *list = commit->ready;
    commit->ready = NULL;
    commit->ready_now = false;
    commit->ready_at_ns = 0;
    for (const struct ready_request *request = list; request != NULL; request = request->next) {
        if (request->begun_ns != 0)
            admission_count_delay_locked(commit, request->begun_ns);
    }
    io_mutex_unlock(&commit->lock);
    while (list != NULL) {
        struct ready_request *next = list->next;
        list->ready(list->context);
        free(list);
        list = next;
    }
    io_mutex_lock(&commit->lock);
    return true;
}

/* The request to drive for: the furthest, or while the disk is full the furthest that needs no more room on it. */
static uint64_t furthest(const struct commit *commit, const struct sync_request *requests)
{
    uint64_t sequence = 0, written = 0;
    for (; requests != NULL; requests = requests->next) {
        sequence = sequence < requests->sequence ? requests->sequence : sequence;
        if (requests->sequence <= commit->written.sequence && written < requests->sequence)
            written = requests->sequence;
    }
    return commit->full_until_ns != 0 && written > commit->durable.sequence ? written : sequence;
}

/* The syncer's own duty in mode interval. Returns whether it synced. */
static bool interval_sync_locked(struct commit *commit)
{
    if (commit->options.mode != KVS_SYNC_INTERVAL || commit->unsynced_since_ns == 0 || commit->syncing ||
        commit_has_failed_locked(commit))
        return false;
    uint64_t now_ns = io_monotonic_ns(commit->io);
    if (commit->full_until_ns != 0) {
        if (commit->writing || now_ns < commit->full_until_ns)
            return false;
        log_write_step_locked(commit);
        return true;
    }
    if (now_ns < commit->unsynced_since_ns + commit->options.interval_ns)
        return false;
    /* There is no room for the flush that this would wait for: it would come back at once, and again. */
    if (commit->written.record == commit->applied.record && log_lacks_room_locked(commit))
        return false;
    log_sync_step_locked(commit);
    return true;
}

/* Make room in the buffer for a caller that may not do it itself. Returns whether it tried. */
static bool drain_locked(struct commit *commit)
{
    uint64_t bytes = commit->drain_bytes;
    if (bytes == 0 || commit->writing || commit_has_failed_locked(commit))
        return false;
    if (commit->full_until_ns != 0 && io_monotonic_ns(commit->io) < commit->full_until_ns)
        return false;
    commit->drain_bytes = 0;
    struct kvs_status status = admission_make_buffer_room_locked(commit, bytes);
    if (commit->full_until_ns != 0 && commit->drain_bytes < bytes)
        commit->drain_bytes = bytes;
    if (!status_is_ok(status))
        log_thread_room_locked(commit); /* the caller meets the shortage itself, or finds it gone */
    return true;
}

static bool work_locked(struct log_thread *thread)
{
    struct commit *commit = thread->commit;
    if (answer_locked(thread))
        return true;
    if (call_ready_locked(commit) || (thread == &commit->writer && drain_locked(commit)))
        return true;
    if (thread == &commit->syncer && interval_sync_locked(commit))
        return true;
    if (thread->requests == NULL)
        return false;
    if (log_drive_locked(commit, furthest(commit, thread->requests), thread->level))
        return true;
    /* The furthest request may be waiting for something else than the write that others need. */
    if (commit_has_failed_locked(commit) || commit->full_until_ns == 0 || commit->writing ||
        io_monotonic_ns(commit->io) < commit->full_until_ns)
        return false;
    log_write_step_locked(commit);
    return true;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* When the thread has to look again although nobody wakes it; 0: never. */
static uint64_t next_look_ns(const struct log_thread *thread)
{
    const struct commit *commit = thread->commit;
    bool is_writer = thread == &commit->writer;
    if (commit_has_failed_locked(commit))
        return 0;
    bool is_interval_due = !is_writer && commit->options.mode == KVS_SYNC_INTERVAL && commit->unsynced_since_ns != 0;
    bool wants_write = thread->requests != NULL || (is_writer && commit->drain_bytes != 0) || is_interval_due;
    uint64_t look_ns = wants_write && !commit->writing ? commit->full_until_ns : 0;
    uint64_t ready_at_ns = commit->ready == NULL ? 0 : commit->ready_at_ns;
    if (is_writer)
        return sooner(look_ns, ready_at_ns);
    /* While there is no room for what a sync waits for, what comes in is still written once in an interval. */
    uint64_t since_ns = log_lacks_room_locked(commit) ? io_monotonic_ns(commit->io) : commit->unsynced_since_ns;
    if (look_ns == 0 && is_interval_due && !commit->syncing && commit->full_until_ns == 0)
        look_ns = since_ns + commit->options.interval_ns;
    return ready_at_ns == 0 ? look_ns : sooner(look_ns, ready_at_ns + READY_GRACE_NS);
}

static void log_thread_body(void *argument)
{
    struct log_thread *thread = argument;
    struct commit *commit = thread->commit;
    io_mutex_lock(&commit->lock);
    while (!commit->stopping || thread->requests != NULL || (thread == &commit->writer && commit->ready != NULL)) {
        if (work_locked(thread))
            continue;
        if (commit->stopping && thread->requests == NULL)
            continue;
        uint64_t look_ns = next_look_ns(thread);
        if (look_ns != 0)
            io_condition_wait_until(&thread->wake, &commit->lock, look_ns);
        else
            io_condition_wait(&thread->wake, &commit->lock);
    }
    io_mutex_unlock(&commit->lock);
}

static struct kvs_status start(struct log_thread *thread, struct commit *commit, enum kvs_level level, const char *name)
{
    thread->commit = commit;
    thread->level = level;
    struct kvs_status status = io_thread_start(&thread->thread, commit->io, name, log_thread_body, thread);
    thread->started = status_is_ok(status);
    return status;
}

static void join(struct log_thread *thread)
{
    if (thread->started)
        io_thread_join(&thread->thread);
    thread->started = false;
}

struct kvs_status commit_start(struct commit *commit)
{
    struct kvs_status status = start(&commit->writer, commit, KVS_PUBLISHED, "kvs-log-write");
    if (status_is_ok(status))
        status = start(&commit->syncer, commit, KVS_DURABLE, "kvs-log-sync");
    return status;
}

struct kvs_status commit_stop(struct commit *commit)
{
    io_mutex_lock(&commit->lock);
    commit->closing = true;
    io_condition_broadcast(&commit->progress);
    io_mutex_unlock(&commit->lock);
    struct kvs_status status =
        commit_await(commit, atomic_load_explicit(&commit->applied_sequence, memory_order_acquire), KVS_DURABLE);
    if (!status_is_ok(status)) {
        /* Whoever still waits is answered; what is not on the disk will not be. */
        struct kept_status kept = {0};
        status_keep(&kept, status);
        commit_poison(commit, status);
        status = status_kept(&kept);
    }
    io_mutex_lock(&commit->lock);
    commit->stopping = true;
    io_condition_signal(&commit->writer.wake);
    io_condition_signal(&commit->syncer.wake);
    io_condition_signal(&commit->gather);
    io_mutex_unlock(&commit->lock);
    join(&commit->writer);
    join(&commit->syncer);
    return status;
}

struct kvs_status commit_request(struct commit *commit, uint64_t sequence, enum kvs_level level,
                                 kvs_sync_function *callback, void *context)
{
    if (level == KVS_PUBLISHED && commit_published(commit) >= sequence) {
        callback(context, status_ok());
        return status_ok();
    }
    struct sync_request *request = malloc(sizeof *request);
    if (request == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a sync request");
    *request = (struct sync_request){.sequence = sequence, .callback = callback, .context = context};
    io_mutex_lock(&commit->lock);
    if (sequence > commit->applied.sequence) {
        io_mutex_unlock(&commit->lock);
        free(request);
        return STATUS(KVS_INVALID, "sequence number %llu was not given out yet", (unsigned long long)sequence);
    }
    bool sync = level == KVS_DURABLE || commit->options.mode == KVS_SYNC_ALWAYS;
    struct log_thread *thread = sync ? &commit->syncer : &commit->writer;
    request->next = thread->requests;
    thread->requests = request;
    io_condition_signal(&thread->wake);
    io_mutex_unlock(&commit->lock);
    return status_ok();
}
