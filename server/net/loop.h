/* loop.h -- one event loop with its thread, its connections and its turns.
 *
 * Role      libuv tells of bytes, of jobs that are back and of wake-ups; when all of a wait's events are in, the turn runs, and then the
 *           sockets of the sessions it touched are looked after.
 * Threads   Everything on the loop's own thread, save loop_give, loop_stop and the wake-ups of the turn.
 * Failure   A loop that cannot be set up is an error of libuv (a negative number); afterwards only connections fail.
 *
 * The engine may call back until it is closed, so a loop is torn down (loop_fini) only after that.
 */
#ifndef KVS_NET_LOOP_H
#define KVS_NET_LOOP_H

#include "net/connection.h"
#include "turn/turn.h"

struct loop {
    uv_loop_t uv;
    uv_thread_t thread;
    uv_async_t wake;
    uv_check_t check; /* after the events of a wait */
    uv_idle_t idle;   /* active while the turn has more to run: the next wait is none */
    uv_timer_t tick;
    struct shared *shared;
    struct turn turn;
    struct connection_list connections;
    bool is_stopping;
    uint64_t deadline_ms; /* when stopping: connections that are open then are dropped */
    uint8_t *discard;     /* what lingering connections still read */

    /* Guarded by lock. */
    uv_mutex_t lock;
    int *given; /* accepted descriptors, to be served */
    size_t given_count;
    size_t given_capacity;

    _Atomic bool is_stop_asked;
};

enum { LOOP_DISCARD_BYTES = 64 * 1024 };

/* Set up, without a thread yet. Returns 0 or an error of libuv. */
int loop_init(struct loop *loop, struct shared *shared);

/* Start the thread. Returns 0 or an error of libuv. */
int loop_start(struct loop *loop);

/* Hand over an accepted socket, from any thread. False: no memory; the descriptor stays the caller's. */
bool loop_give(struct loop *loop, int descriptor);

/* Ask the loop, from any thread, to answer what it has received, and to end: within a few seconds, whatever its clients do. */
void loop_stop(struct loop *loop);

/* Wait for the thread's end. */
void loop_join(struct loop *loop);

/* Tear down a loop that has no thread (any more). The engine is closed. */
void loop_fini(struct loop *loop);

#endif
