/* connection.h -- one socket: bytes in, bytes out, and when it has to go.
 *
 * Role      Carries bytes between a libuv stream and a session, and decides nothing about commands.
 * Threads   The thread of its loop.
 * Failure   Whatever goes wrong closes this connection only.
 *
 *     OPEN --(all is answered)--> LINGERING --(the peer closed, or time is up)--> CLOSING --(libuv and the pool let go)--> freed
 *       \---------------------------(an error, a limit)------------------------------^
 *
 * Lingering sends the end of the stream and reads on, for closing with unread bytes would reset the connection, and the peer might lose its
 * last replies.
 */
#ifndef KVS_NET_CONNECTION_H
#define KVS_NET_CONNECTION_H

#include "session/session.h"

#include <uv.h>

struct loop;

enum connection_state { CONNECTION_OPEN, CONNECTION_LINGERING, CONNECTION_CLOSING };

struct connection {
    enum connection_state state;
    struct loop *loop;
    struct session session;
    uv_tcp_t socket;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uv_work_t work;
    struct byte_buffer sending; /* given to libuv until its write is over */
    bool is_reading;
    bool is_deserted; /* nobody waits for a reply: the peer has ended the stream, or was idle when we did */
    bool is_writing;
    bool is_working; /* the session's job is on the pool */
    bool is_closed;  /* libuv has let go of the socket */

    size_t charged_bytes;         /* of it in shared->buffer_bytes */
    uint64_t input_ms;            /* when bytes came last */
    uint64_t request_ms;          /* since when an incomplete request waits for its rest; 0: none does */
    uint64_t requests;            /* the session's count at that time */
    uint64_t output_ms;           /* since when no byte of the waiting replies has left; 0: none waits */
    size_t unsent_bytes;          /* at that time */
    uint64_t linger_ms;           /* since when it lingers */
    TAILQ_ENTRY(connection) link; /* of its loop */
};

TAILQ_HEAD(connection_list, connection);

/* Serve an accepted socket on a loop; the descriptor is the connection's, also on failure. */
void connection_open(struct loop *loop, int descriptor);

/* After a turn: send what may leave, read or stop reading, close if all is done. */
void connection_flush(struct connection *connection);

/* Run the job of the session on the pool. */
void connection_submit(struct connection *connection);

/* Once a second: what has waited for too long goes. */
void connection_tick(struct connection *connection, uint64_t now_ms);

/* What has come to the socket is the last that is read; it closes when that is answered. */
void connection_finish(struct connection *connection);

/* Close at once. reason: logged; NULL for none. The connection is freed when libuv and the pool have let go. */
void connection_drop(struct connection *connection, const char *reason);

static inline struct connection *connection_of_session(struct session *session)
{
    return (struct connection *)((char *)session - offsetof(struct connection, session));
}

#endif
