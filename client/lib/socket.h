/* socket.h -- a non-blocking TCP socket with time-outs.
 *
 * Role      All system calls of the client library: resolve, connect, wait, send, receive. Interrupted calls are repeated; SIGPIPE never occurs.
 * Threads   One at a time per socket.
 * Failure   A time-out is IO with ETIMEDOUT. The end of the stream is IO with ECONNRESET.
 */
#ifndef KVS_CLIENT_SOCKET_H
#define KVS_CLIENT_SOCKET_H

#include "base/kvstore_types.h"

/* Connect within timeout_ms in all (0: no limit). fd_out: owned by the caller, who closes it. Errors: NOT_FOUND, IO. */
KVS_MUST_USE struct kvs_status socket_connect(int *fd_out, const char *host, uint16_t port, uint32_t timeout_ms);

/* Wait until one of `events` (POLLIN, POLLOUT) is there. events_out: those that are; an error or a hang-up counts as all of them.
 * Errors: IO (ETIMEDOUT after timeout_ms without any; 0: no limit). */
KVS_MUST_USE struct kvs_status socket_wait(short *events_out, int fd, short events, uint32_t timeout_ms);

/* Send what can be sent without waiting: 0 or more bytes. Errors: IO. */
KVS_MUST_USE struct kvs_status socket_send(size_t *sent_out, int fd, const void *data, size_t size);

/* Receive what is there without waiting: 0 if nothing is. size > 0. Errors: IO. */
KVS_MUST_USE struct kvs_status socket_receive(size_t *received_out, int fd, void *data, size_t size);

/* Whether nothing says that the peer has gone. Looks without waiting, and takes nothing out of the stream. */
bool socket_is_alive(int fd);

#endif
