/* turn.h -- what a loop does between two waits: execute what came, apply what was written, ask for one sync.
 *
 * Role      The scheduler of the sessions of one loop. Knows no sockets and never blocks.
 * Threads   All functions on the loop's thread, save the engine's callbacks, which only set flags and call ops.wake.
 * Failure   Per session: errors are replies. Nothing stops the turn.
 *
 * A turn has rounds. In a round each session executes its commands until it comes to one that must see its own writes applied, or has to wait, or has used
 * up its share; then the batches of all are handed to the engine together, and those that waited for that go on in the next round. Sessions that the
 * engine does not admit wait for its `ready`; the others go on.
 */
#ifndef KVS_TURN_TURN_H
#define KVS_TURN_TURN_H

#include "session/session.h"

/* What the loop does for the turn.
 *
 * submit  run session->job on the pool, then call turn_job_back on the loop
 * wake    see to it that turn_run is called soon; from any thread */
struct turn_ops {
    void (*submit)(void *context, struct session *session);
    void (*wake)(void *context);
    void *context;
};

enum { TURN_WRITERS = 64 };

struct turn {
    struct session_loop loop;
    struct turn_ops ops;
    struct session_queue running; /* RUNNING, in the next round or turn */
    struct session_queue waiting; /* ADMISSION, first come first served */
    struct session_queue gated;   /* with replies held, or PUBLISH */
    struct session_queue flush;   /* with something to send, or to be looked after */

    struct session *writers[TURN_WRITERS]; /* with a batch, in this round */
    size_t writer_count;

    uint64_t requests;  /* done with in this turn */
    uint64_t wanted;    /* the highest number that a held reply tells of */
    uint64_t requested; /* up to which publication was asked for */

    /* Set by the engine's threads, taken by the loop. */
    _Atomic bool is_ready;
    _Atomic bool is_published;
    _Atomic int failure; /* the kvs_code with which publication failed */
};

/* shared and ops are borrowed or copied. */
void turn_init(struct turn *turn, struct shared *shared, const struct turn_ops *ops);

/* No session is left, and the engine calls back no more. */
void turn_fini(struct turn *turn);

/* Bytes came into session->input, or session->is_ended was set. */
void turn_input(struct turn *turn, struct session *session);

/* The job of the session has run. */
void turn_job_back(struct turn *turn, struct session *session);

/* The client has taken most of its replies. */
void turn_drained(struct turn *turn, struct session *session);

/* The socket of the session is to be looked after when the turn is over. */
void turn_touch(struct turn *turn, struct session *session);

/* Execute what there is to execute. True: there is more, call again after the sockets were looked at. */
bool turn_run(struct turn *turn);

/* Take the next session whose socket is to be looked after. NULL: none. */
struct session *turn_next_to_flush(struct turn *turn);

/* Forget a session, whatever it waits for. If its job is on the pool, turn_job_back is not called any more. */
void turn_remove(struct turn *turn, struct session *session);

#endif
