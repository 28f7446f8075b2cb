/* listener.h -- the one listening socket.
 *
 * Role      Accepts connections on its own loop and hands each to the next of the loops, in turn. More than maxclients are told so and closed.
 * Threads   That of the loop it was opened on.
 * Failure   Out of descriptors: the connection that would be one too many is closed, the others go on. The rest is transient and ignored.
 */
#ifndef KVS_NET_LISTENER_H
#define KVS_NET_LISTENER_H

#include "net/loop.h"

struct listener {
    uv_poll_t poll;
    int descriptor;
    int spare; /* a descriptor kept for the moment when there are no more */
    unsigned port;
    struct shared *shared;
    struct loop *loops;
    size_t loop_count;
    size_t next_loop;
};

enum { LISTENER_ERROR_BYTES = 256 };

/* Bind and listen as the settings say, without accepting yet; sets listener->port. False: error says why. */
bool listener_open(struct listener *listener, char error[LISTENER_ERROR_BYTES], struct shared *shared);

/* Begin to accept, on uv, for these loops. Returns 0 or an error of libuv. */
int listener_start(struct listener *listener, uv_loop_t *uv, struct loop *loops, size_t loop_count);

/* Accept those that wait, then no more, and close the socket. uv must run once more if it was started. */
void listener_close(struct listener *listener);

#endif
