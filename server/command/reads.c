/* reads.c -- GET, MGET, EXISTS: from memory on the loop, else on the pool. */
#include "command/command.h"
#include "command/key_list.h"

#include <stdlib.h>
#include <string.h>

enum {
    GETS_IN_JOB = 64,    /* as many consecutive GETs share one multi-get */
    KEYS_ON_LOOP = 64,   /* a command with more goes to the pool at once */
    KEYS_IN_CHUNK = 256, /* of one kvs_multi_get */
    VALUE_OVERHEAD = 32  /* bytes of a reply around a value, at most */
};

enum read_kind { READ_GETS, READ_MGET, READ_EXISTS };

/* The values stay pinned from run to finish; at most the client's output limit of them. */
struct read_job {
    struct job job;
    enum read_kind kind;
    bool is_too_large;
    struct key_list keys;
    struct kvs_value *values;
    bool *found;
    uint64_t present;
    uint64_t limit_bytes;
};

static void release_values(struct read_job *read)
{
    for (size_t i = 0; read->values != NULL && i < read->keys.count; i++)
        kvs_value_release(&read->values[i]);
}

static void read_free(struct job *job)
{
    struct read_job *read = (struct read_job *)job;
    release_values(read);
    free(read->values);
    free(read->found);
    key_list_fini(&read->keys);
    free(read);
}

/* Counts what a chunk found; false once the reply would be larger than the client may have waiting. */
static bool count_chunk(struct read_job *read, uint64_t *reply_bytes, size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++) {
        if (!read->found[i])
            continue;
        read->present++;
        *reply_bytes += read->values[i].bytes.size + VALUE_OVERHEAD;
        if (read->kind == READ_EXISTS)
            kvs_value_release(&read->values[i]);
    }
    return read->kind == READ_EXISTS || *reply_bytes <= read->limit_bytes;
}

/* All keys as of one moment: `options` must name a snapshot if there are more than a chunk. */
static struct kvs_status read_all(struct read_job *read, const struct shared *shared,
                                  const struct kvs_read_options *options)
{
    uint64_t reply_bytes = 0;
    read->present = 0;
    for (size_t at = 0; at < read->keys.count && !read->is_too_large;) {
        size_t count = read->keys.count - at < KEYS_IN_CHUNK ? read->keys.count - at : KEYS_IN_CHUNK;
        struct kvs_status status =
            kvs_multi_get(shared->db, read->values + at, read->found + at, read->keys.keys + at, count, options);
        if (!kvs_ok(status))
            return status;
        read->is_too_large = !count_chunk(read, &reply_bytes, at, count);
        at += count;
    }
    return (struct kvs_status){.code = KVS_OK};
}

/* Runs once the client's own writes are published, so that a snapshot has them. */
static void read_run(struct job *job, const struct shared *shared)
{
    struct read_job *read = (struct read_job *)job;
    struct kvs_read_options options = {.snapshot = NULL};
    struct kvs_snapshot *snapshot = NULL;
    struct kvs_status status = {.code = KVS_OK};
    if (read->keys.count > KEYS_IN_CHUNK)
        status = kvs_snapshot_new(&snapshot, shared->db);
    options.snapshot = snapshot;
    if (kvs_ok(status))
        status = read_all(read, shared, &options);
    if (!kvs_ok(status))
        job_fail(job, status);
    if (snapshot != NULL)
        kvs_snapshot_free(snapshot);
}

static void write_replies(struct read_job *read, struct reply_writer *writer)
{
    if (read->kind == READ_EXISTS) {
        reply_integer(writer, (int64_t)read->present);
        return;
    }
    if (read->kind == READ_MGET)
        reply_array(writer, read->keys.count);
    for (size_t i = 0; i < read->keys.count; i++) {
        if (read->found[i])
            reply_value(writer, read->values[i].bytes);
        else
            reply_nil(writer);
    }
}

/* As many errors as there are commands in the job. */
static void write_errors(struct read_job *read, struct session *session)
{
    size_t replies = read->kind == READ_GETS ? read->keys.count : 1;
    for (size_t i = 0; i < replies; i++) {
        if (read->is_too_large)
            reply_error(&session->output.writer, "ERR", "the values are larger than the server's max-output");
        else
            session_reply_failure(session, read->job.status, read->job.error);
    }
}

static enum job_next read_finish(struct job *job, struct session *session)
{
    struct read_job *read = (struct read_job *)job;
    if (!kvs_ok(job->status) || read->is_too_large)
        write_errors(read, session);
    else
        write_replies(read, &session->output.writer);
    session_seal(session, read->kind == READ_GETS ? read->keys.count : 1);
    return JOB_DONE;
}

/* Room for the results of `count` keys. */
static bool allocate_results(struct read_job *read, size_t count)
{
    read->values = calloc(count, sizeof *read->values);
    read->found = calloc(count, sizeof *read->found);
    return read->values != NULL && read->found != NULL;
}

/* A job for the words from the second on. NULL: no memory, and the error is answered. */
static struct read_job *read_new(struct session *session, const struct request *request, enum read_kind kind)
{
    struct read_job *read = calloc(1, sizeof *read);
    if (read != NULL) {
        read->job = (struct job){.run = read_run, .finish = read_finish, .free = read_free};
        read->kind = kind;
        read->limit_bytes = session->shared->settings->max_output;
        key_list_init(&read->keys);
        if (allocate_results(read, kind == READ_GETS ? GETS_IN_JOB : request->count - 1) &&
            key_list_add_words(&read->keys, session, request, 1)) {
            key_list_finish(&read->keys);
            return read;
        }
        read_free(&read->job);
    }
    reply_error(&session->output.writer, "OOM", "no memory for this command");
    return NULL;
}

static enum command_outcome go_to_pool(struct session *session, struct read_job *read)
{
    session->job = &read->job;
    return COMMAND_JOB;
}

enum command_outcome command_get(struct session *session, const struct request *request)
{
    enum command_outcome outcome;
    if (!key_list_check_words(&outcome, session, request, 1, 1))
        return outcome;
    uint8_t stored[SESSION_STORED_KEY_BYTES];
    struct kvs_slice key = session_stored_key(session, stored, request_argument(request, 1));
    struct kvs_read_options options = {.at_least = session_read_sequence(session), .resident_only = true};
    struct kvs_value value = {0};
    bool found;
    struct kvs_status status = kvs_get(session->shared->db, &value, &found, key, &options);
    if (status.code == KVS_BUSY) {
        if (options.at_least != 0)
            return COMMAND_AFTER_PUBLISH;
        struct read_job *read = read_new(session, request, READ_GETS);
        return read == NULL ? COMMAND_DONE : go_to_pool(session, read);
    }
    session_tell(session, options.at_least);
    if (!kvs_ok(status)) {
        session_reply_failure(session, status, NULL);
    } else if (found) {
        reply_value(&session->output.writer, value.bytes);
        kvs_value_release(&value);
    } else {
        reply_nil(&session->output.writer);
    }
    return COMMAND_DONE;
}

bool command_join(struct session *session, const struct request *request)
{
    struct read_job *read = (struct read_job *)session->job;
    if (session->job->run != read_run || read->kind != READ_GETS || read->keys.count == GETS_IN_JOB)
        return false;
    const struct command *command = command_find(request_argument(request, 0));
    if (command == NULL || command->run != command_get || request->count != 2 ||
        request->spans[1].size > SESSION_KEY_BYTES)
        return false;
    if (!key_list_add(&read->keys, session, request_argument(request, 1)))
        return false;
    key_list_finish(&read->keys);
    return true;
}

/* MGET and EXISTS. */
static enum command_outcome read_many(struct session *session, const struct request *request, enum read_kind kind)
{
    enum command_outcome outcome;
    if (!key_list_check_words(&outcome, session, request, 1, 1))
        return outcome;
    struct kvs_read_options options = {.at_least = session_read_sequence(session), .resident_only = true};
    bool on_loop = request->count - 1 <= KEYS_ON_LOOP;
    if (!on_loop && options.at_least != 0)
        return COMMAND_AFTER_PUBLISH;
    struct read_job *read = read_new(session, request, kind);
    if (read == NULL)
        return COMMAND_DONE;
    if (!on_loop)
        return go_to_pool(session, read);
    struct kvs_status status = read_all(read, session->shared, &options);
    if (status.code == KVS_BUSY && options.at_least == 0)
        return go_to_pool(session, read);
    outcome = COMMAND_AFTER_PUBLISH;
    if (status.code != KVS_BUSY) {
        outcome = COMMAND_DONE;
        session_tell(session, options.at_least);
        if (!kvs_ok(status))
            job_fail(&read->job, status);
        if (!kvs_ok(status) || read->is_too_large)
            write_errors(read, session);
        else
            write_replies(read, &session->output.writer);
    }
    read_free(&read->job);
    return outcome;
}

enum command_outcome command_mget(struct session *session, const struct request *request)
{
    return read_many(session, request, READ_MGET);
}

enum command_outcome command_exists(struct session *session, const struct request *request)
{
    return read_many(session, request, READ_EXISTS);
}
