#include "session/session.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void session_init(struct session *session, struct session_loop *loop, const struct protocol_commands *commands)
{
    struct shared *shared = loop->shared;
    memset(session, 0, sizeof *session);
    session->shared = shared;
    session->loop = loop;
    session->state = SESSION_IDLE;
    session->id = 1 + atomic_fetch_add_explicit(&shared->next_client_id, 1, memory_order_relaxed);
    request_parser_init(&session->parser, commands, &shared->request_limits);
    byte_buffer_init(&session->input);
    output_init(&session->output);
}

void session_fini(struct session *session)
{
    KVS_ASSERT(session->queue == NULL && !session->is_gated && !session->is_to_flush);
    batch_pool_put(&session->loop->batches, session->batch);
    if (session->job != NULL)
        session->job->free(session->job);
    request_parser_fini(&session->parser);
    byte_buffer_fini(&session->input);
    output_fini(&session->output);
}

void session_move(struct session *session, enum session_state to)
{
#define BIT(state) (1U << SESSION_##state)
    static const unsigned LEGAL[] = {
        [SESSION_IDLE] = BIT(RUNNING) | BIT(CLOSING),
        [SESSION_RUNNING] = BIT(IDLE) | BIT(ADMISSION) | BIT(PUBLISH) | BIT(JOB) | BIT(DRAIN) | BIT(CLOSING),
        [SESSION_ADMISSION] = BIT(RUNNING) | BIT(CLOSING),
        [SESSION_PUBLISH] = BIT(RUNNING) | BIT(CLOSING),
        [SESSION_JOB] = BIT(RUNNING) | BIT(CLOSING),
        [SESSION_DRAIN] = BIT(RUNNING) | BIT(CLOSING),
        [SESSION_CLOSING] = 0,
    };
#undef BIT
    KVS_ASSERT((LEGAL[session->state] >> to & 1) != 0);
    session->state = to;
}

struct kvs_slice session_stored_key(const struct session *session, uint8_t *stored, struct kvs_slice key)
{
    KVS_ASSERT(key.size <= SESSION_KEY_BYTES);
    stored[0] = (uint8_t)session->database;
    if (key.size != 0)
        memcpy(stored + 1, key.data, key.size);
    return slice_of(stored, key.size + 1);
}

uint64_t session_read_sequence(struct session *session)
{
    if (session->own_sequence != 0 && session->own_sequence <= kvs_published_sequence(session->shared->db))
        session->own_sequence = 0;
    return session->own_sequence;
}

struct kvs_status session_loop_apply(struct session_loop *loop, uint64_t *sequence, size_t *applied,
                                     const struct kvs_batch *const *batches, size_t count)
{
    return kvs_apply(loop->shared->db, sequence, applied, batches, count, loop->ready, loop->ready_context);
}

void session_advance(struct session *session, uint64_t sequence)
{
    if (sequence > session->own_sequence)
        session->own_sequence = sequence;
    session_tell(session, sequence);
}

void session_tell(struct session *session, uint64_t sequence)
{
    if (sequence > session->reply_sequence)
        session->reply_sequence = sequence;
}

void session_seal(struct session *session, uint64_t replies)
{
    uint64_t sequence = session->reply_sequence;
    session->reply_sequence = 0;
    if (sequence != 0 && sequence <= kvs_published_sequence(session->shared->db))
        sequence = 0;
    output_seal(&session->output, replies, sequence);
}

/* The word that a program can tell failures of the engine by. */
static const char *failure_word(enum kvs_code code)
{
    switch (code) {
    case KVS_NO_MEMORY:
        return "OOM";
    case KVS_NO_SPACE:
        return "NOSPACE";
    case KVS_IO:
        return "IOERR";
    case KVS_CORRUPT:
        return "CORRUPT";
    case KVS_POISONED:
        return "POISONED";
    case KVS_UNKNOWN:
        return "UNKNOWN";
    default:
        return "ERR";
    }
}

void session_reply_failure(struct session *session, struct kvs_status status, const char *text)
{
    reply_error(&session->output.writer, failure_word(status.code), text != NULL ? text : kvs_status_text(status));
}

void job_fail(struct job *job, struct kvs_status status)
{
    job->status = status;
    snprintf(job->error, sizeof job->error, "%s", kvs_status_text(status));
}

size_t session_memory(const struct session *session)
{
    return session->input.capacity + output_memory(&session->output) +
           session->parser.span_capacity * sizeof(struct request_span);
}
