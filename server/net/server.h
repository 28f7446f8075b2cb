/* server.h -- the life of the server, from the listening socket to the last connection.
 *
 * Role      Puts listener, loops and signals together. Borrows the database.
 * Threads   server_run blocks the main thread, which accepts connections; loops and pool have their own.
 * Failure   Setting up fails with a sentence; a running server ends by a signal only.
 */
#ifndef KVS_NET_SERVER_H
#define KVS_NET_SERVER_H

#include "net/listener.h"

struct server {
    uv_loop_t uv; /* accepts connections and signals */
    bool has_loop;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    struct listener listener;
    struct shared *shared;
    struct loop *loops;
    size_t loop_count;
};

/* Bind the port: before the database is opened, so that a busy port is found at once. False: error says why; nothing is left open. */
bool server_bind(struct server *server, char error[LISTENER_ERROR_BYTES], struct shared *shared);

/* Undo server_bind where server_run is not called. */
void server_unbind(struct server *server);

/* Serve until SIGTERM or SIGINT; prints the ready line. Returns when all that was received is answered, or too late, and no thread of the server
 * is left. False: it could not begin, and error says why. The engine may still call back: close it, then call server_fini. */
bool server_run(struct server *server, char error[LISTENER_ERROR_BYTES]);

/* Free what server_run left for the engine's last callbacks. */
void server_fini(struct server *server);

#endif
