/* delete.c -- DEL: removes the keys that are there, in one batch, and says how many those were.
 *
 * It looks at the newest applied state, published or not, and tells the client once that is published. See session/delete_gate.h for
 * what happens when two do it at once. */
#include "command/command.h"
#include "command/key_list.h"

#include <stdlib.h>

enum {
    TRIES_ON_LOOP = 4,  /* then the pool goes on */
    KEYS_ON_LOOP = 64,  /* a command with more goes to the pool at once */
    KEYS_IN_CHUNK = 256 /* of one kvs_multi_get */
};

struct delete_job {
    struct job job;
    struct key_list keys;
    bool is_distinct; /* no key is in the list twice */
    bool *found;
    size_t asked;
    uint64_t ticket;        /* of the gate */
    uint64_t read_sequence; /* found is true of the state at this number */
};

static void delete_free(struct job *job)
{
    struct delete_job *delete = (struct delete_job *)job;
    free(delete->found);
    key_list_fini(&delete->keys);
    free(delete);
}

static int compare_keys(const void *a, const void *b)
{
    return slice_compare(*(const struct kvs_slice *)a, *(const struct kvs_slice *)b);
}

/* A key that is named twice is removed, and counted, once. */
static void drop_duplicates(struct delete_job *delete)
{
    struct key_list *list = &delete->keys;
    delete->is_distinct = true;
    if (list->count < 2)
        return;
    qsort(list->keys, list->count, sizeof *list->keys, compare_keys);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++)
        if (!slice_equal(list->keys[i], list->keys[kept - 1]))
            list->keys[kept++] = list->keys[i];
    list->count = kept;
}

static struct kvs_status look_chunk(struct delete_job *delete, const struct shared *shared, size_t at, size_t count,
                                    const struct kvs_read_options *options)
{
    struct kvs_value values[KEYS_IN_CHUNK];
    struct kvs_status status =
        kvs_multi_get(shared->db, values, delete->found + at, delete->keys.keys + at, count, options);
    for (size_t i = at; kvs_ok(status) && i < at + count; i++)
        if (delete->found[i])
            kvs_value_release(&values[i - at]);
    return status;
}

/* Which keys are there, in the newest applied state. Errors: as kvs_multi_get. */
static struct kvs_status look(struct delete_job *delete, const struct shared *shared, bool resident_only)
{
    if (!delete->is_distinct)
        drop_duplicates(delete);
    delete->ticket = delete_gate_ticket(&shared->deletes, delete->keys.keys, delete->keys.count);
    delete->read_sequence = kvs_applied_sequence(shared->db);
    struct kvs_read_options options = {.at_least = delete->read_sequence, .resident_only = resident_only};
    struct kvs_status status = {.code = KVS_OK};
    for (size_t at = 0; kvs_ok(status) && at < delete->keys.count;) {
        size_t count = delete->keys.count - at < KEYS_IN_CHUNK ? delete->keys.count - at : KEYS_IN_CHUNK;
        status = look_chunk(delete, shared, at, count, &options);
        at += count;
    }
    return status;
}

static void delete_run(struct job *job, const struct shared *shared)
{
    struct kvs_status status = look((struct delete_job *)job, shared, false);
    if (!kvs_ok(status))
        job_fail(job, status);
}

/* A batch that removes what was found. Errors: as kvs_batch_delete. */
static struct kvs_status fill(struct delete_job *delete, struct kvs_batch *batch, uint64_t *removed)
{
    *removed = 0;
    for (size_t i = 0; i < delete->keys.count; i++) {
        if (!delete->found[i])
            continue;
        struct kvs_status status = kvs_batch_delete(batch, delete->keys.keys[i]);
        if (!kvs_ok(status))
            return status;
        ++*removed;
    }
    return (struct kvs_status){.code = KVS_OK};
}

/* Removes what was found unless another DEL came in between, and answers. The reply is not sealed. */
static enum job_next remove_found(struct delete_job *delete, struct session *session)
{
    struct delete_gate *gate = &session->shared->deletes;
    struct kvs_batch *batch = NULL;
    enum job_next next = JOB_DONE;
    uint64_t removed = 0, sequence = delete->read_sequence;
    struct kvs_status status = batch_pool_get(&session->loop->batches, &batch);
    if (kvs_ok(status))
        status = fill(delete, batch, &removed);
    if (!kvs_ok(status) || removed == 0)
        goto out;
    if (!delete_gate_enter(gate, delete->ticket, delete->keys.keys, delete->keys.count)) {
        next = JOB_AGAIN;
        goto out;
    }
    size_t applied = 0;
    const struct kvs_batch *to_apply = batch;
    status = session_loop_apply(session->loop, &sequence, &applied, &to_apply, 1);
    delete_gate_leave(gate, kvs_ok(status), delete->keys.keys, delete->keys.count);
    if (status.code == KVS_BUSY)
        next = JOB_AFTER_READY;
out:
    batch_pool_put(&session->loop->batches, batch);
    if (next != JOB_DONE)
        return next;
    if (kvs_ok(status)) {
        session_advance(session, sequence);
        reply_deleted(&session->output.writer, removed, delete->asked);
    } else {
        session_reply_failure(session, status, NULL);
    }
    return JOB_DONE;
}

static enum job_next delete_finish(struct job *job, struct session *session)
{
    enum job_next next = JOB_DONE;
    if (kvs_ok(job->status))
        next = remove_found((struct delete_job *)job, session);
    else
        session_reply_failure(session, job->status, job->error);
    if (next == JOB_DONE)
        session_seal(session, 1);
    return next;
}

static struct delete_job *delete_new(const struct session *session, const struct request *request)
{
    struct delete_job *delete = calloc(1, sizeof *delete);
    if (delete == NULL)
        return NULL;
    delete->job = (struct job){.run = delete_run, .finish = delete_finish, .free = delete_free};
    delete->asked = request->count - 1;
    key_list_init(&delete->keys);
    delete->found = calloc(delete->asked, sizeof *delete->found);
    if (delete->found == NULL || !key_list_add_words(&delete->keys, session, request, 1)) {
        delete_free(&delete->job);
        return NULL;
    }
    key_list_finish(&delete->keys);
    return delete;
}

/* Looks and removes without blocking. *status is BUSY where the disk must be read; else next says how it ended. */
static enum job_next try_on_loop(struct delete_job *delete, struct session *session, struct kvs_status *status)
{
    enum job_next next = JOB_AGAIN;
    for (int tries = 0; next == JOB_AGAIN && tries < TRIES_ON_LOOP; tries++) {
        *status = look(delete, session->shared, true);
        if (!kvs_ok(*status))
            return JOB_AGAIN;
        next = remove_found(delete, session);
    }
    return next;
}

enum command_outcome command_del(struct session *session, const struct request *request)
{
    enum command_outcome outcome;
    if (!key_list_check_words(&outcome, session, request, 1, 1))
        return outcome;
    struct delete_job *delete = delete_new(session, request);
    if (delete == NULL) {
        reply_error(&session->output.writer, "OOM", "no memory for this command");
        return COMMAND_DONE;
    }
    struct kvs_status status = {.code = KVS_OK};
    enum job_next next = JOB_AGAIN;
    if (delete->keys.count <= KEYS_ON_LOOP)
        next = try_on_loop(delete, session, &status);
    if (next != JOB_DONE && (kvs_ok(status) || status.code == KVS_BUSY)) {
        session->job = &delete->job;
        return next == JOB_AGAIN ? COMMAND_JOB : COMMAND_AFTER_READY;
    }
    if (next != JOB_DONE)
        session_reply_failure(session, status, NULL);
    delete_free(&delete->job);
    return COMMAND_DONE;
}
