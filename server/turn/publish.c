#include "turn/turn_internal.h"

/* What a client is told whose write has an unknown outcome; the same for a read that saw such a write. */
#define UNKNOWN_TEXT "the sync of this write failed: after a restart it is there whole, or not at all"
#define POISONED_TEXT "an earlier write or sync failed: the server reads on, but writes need a restart"

/* The engine's callback, on any of its threads or inside of kvs_sync_async. */
static void on_published(void *context, struct kvs_status status)
{
    struct turn *turn = context;
    if (!kvs_ok(status))
        atomic_store_explicit(&turn->failure, status.code, memory_order_relaxed);
    /* Release: the failure above, and what was published, are seen by the turn that takes the flag. */
    atomic_store_explicit(&turn->is_published, true, memory_order_release);
    turn->ops.wake(turn->ops.context);
}

void turn_gate(struct turn *turn, struct session *session)
{
    bool waits = session->state == SESSION_PUBLISH;
    if (!waits && !output_is_held(&session->output))
        return;
    uint64_t sequence = session->output.highest;
    if (waits && session->own_sequence > sequence)
        sequence = session->own_sequence;
    if (sequence > turn->wanted)
        turn->wanted = sequence;
    if (session->is_gated)
        return;
    TAILQ_INSERT_TAIL(&turn->gated, session, gate_link);
    session->is_gated = true;
}

/* Whether the session has nothing to wait for any more. */
static bool release_session(struct turn *turn, struct session *session, uint64_t published)
{
    output_release(&session->output, published);
    turn_touch(turn, session);
    if (session->state == SESSION_PUBLISH && session->own_sequence <= published)
        turn_resume(turn, session);
    return session->state != SESSION_PUBLISH && !output_is_held(&session->output);
}

/* What is above `published` will not be published by this process. */
static void fail_session(struct session *session, uint64_t published, int code)
{
    if (code == KVS_UNKNOWN)
        output_fail(&session->output, published, "UNKNOWN", UNKNOWN_TEXT);
    else
        output_fail(&session->output, published, "POISONED", POISONED_TEXT);
    if (session->own_sequence > published)
        session->own_sequence = 0;
}

void turn_release(struct turn *turn)
{
    if (!atomic_exchange_explicit(&turn->is_published, false, memory_order_acq_rel))
        return;
    int failure = atomic_exchange_explicit(&turn->failure, KVS_OK, memory_order_relaxed);
    uint64_t published = kvs_published_sequence(turn->loop.shared->db);
    struct session *session, *next;
    for (session = TAILQ_FIRST(&turn->gated); session != NULL; session = next) {
        next = TAILQ_NEXT(session, gate_link);
        if (failure != KVS_OK)
            fail_session(session, published, failure);
        if (release_session(turn, session, published)) {
            TAILQ_REMOVE(&turn->gated, session, gate_link);
            session->is_gated = false;
        }
    }
    if (failure != KVS_OK)
        turn->wanted = turn->requested = published;
}

void turn_request(struct turn *turn)
{
    if (turn->wanted <= turn->requested)
        return;
    struct kvs_status status = kvs_sync_async(turn->loop.shared->db, turn->wanted, KVS_PUBLISHED, on_published, turn);
    if (kvs_ok(status)) /* else there was no memory: the next turn asks again */
        turn->requested = turn->wanted;
}
