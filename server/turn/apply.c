#include "turn/turn_internal.h"

#include "base/assert.h"

#include <time.h>

void turn_on_ready(void *context)
{
    struct turn *turn = context;
    atomic_store_explicit(&turn->is_ready, true, memory_order_release);
    turn->ops.wake(turn->ops.context);
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void turn_await_ready(struct turn *turn, struct session *session)
{
    if (session->waiting_since_ns == 0)
        session->waiting_since_ns = monotonic_ns();
    session_move(session, SESSION_ADMISSION);
    turn_enqueue(&turn->waiting, session);
    shared_count(&session->shared->waits, 1);
}

void turn_end_wait(struct session *session)
{
    if (session->waiting_since_ns == 0)
        return;
    shared_raise(&session->shared->wait_us_max, (monotonic_ns() - session->waiting_since_ns) / 1000);
    session->waiting_since_ns = 0;
}

static void put_back_batch(struct turn *turn, struct session *session)
{
    batch_pool_put(&turn->loop.batches, session->batch);
    session->batch = NULL;
    session->batch_replies = 0;
}

/* Answers the commands of a batch: OK, or the failure. */
static void answer(struct turn *turn, struct session *session, uint64_t sequence, const struct kvs_status *failure)
{
    uint64_t replies = session->batch_replies;
    turn_end_wait(session);
    for (uint64_t i = 0; i < replies; i++) {
        if (failure == NULL)
            reply_status(&session->output.writer, "OK");
        else
            session_reply_failure(session, *failure, NULL);
    }
    if (failure == NULL)
        session_advance(session, sequence);
    session_seal(session, replies);
    put_back_batch(turn, session);
    turn_gate(turn, session);
    turn_touch(turn, session);
}

/* Only the sessions with a write wait; what came after it in their input waits with it. */
static void await_with_batch(struct turn *turn, struct session *session)
{
    turn_dequeue(session);
    turn_await_ready(turn, session);
}

void turn_apply(struct turn *turn)
{
    const struct kvs_batch *batches[TURN_WRITERS];
    size_t count = turn->writer_count;
    if (!TAILQ_EMPTY(&turn->waiting)) { /* who has waited longer goes first: the engine will call */
        for (size_t i = 0; i < count; i++)
            await_with_batch(turn, turn->writers[i]);
        turn->writer_count = 0;
        return;
    }
    for (size_t i = 0; i < count; i++)
        batches[i] = turn->writers[i]->batch;
    for (size_t at = 0; at < count;) {
        uint64_t sequence = 0;
        size_t applied = 0;
        struct kvs_status status = session_loop_apply(&turn->loop, &sequence, &applied, batches + at, count - at);
        bool is_whole = kvs_ok(status);
        if (is_whole)
            applied = count - at;
        else if (applied != 0) /* their own numbers are not told; all are at most this one */
            sequence = kvs_applied_sequence(turn->loop.shared->db);
        KVS_ASSERT(applied <= count - at);
        for (size_t end = at + applied; at < end; at++)
            answer(turn, turn->writers[at], sequence, NULL);
        if (status.code == KVS_BUSY) {
            for (; at < count; at++)
                await_with_batch(turn, turn->writers[at]);
        } else if (!is_whole) {
            answer(turn, turn->writers[at++], 0, &status);
        }
    }
    turn->writer_count = 0;
}

void turn_admit(struct turn *turn)
{
    /* Acquire and release pair with turn_on_ready: what made the engine ready is seen by the next kvs_apply. */
    if (!atomic_exchange_explicit(&turn->is_ready, false, memory_order_acq_rel))
        return;
    struct session *session;
    while ((session = TAILQ_FIRST(&turn->waiting)) != NULL) {
        turn_dequeue(session);
        turn_resume(turn, session);
    }
}
