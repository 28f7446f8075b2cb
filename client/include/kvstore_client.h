/* kvstore_client.h -- a connection to a kvstore (or Redis) server from C.
 *
 * Role      The whole public interface of libkvstore_client: connect, send commands one by one or in a pipeline, read replies.
 * Format    RESP. A connection starts in RESP2; a command HELLO 3 changes it to RESP3, and both are read.
 * Threads   A connection and its replies belong to one thread at a time; different connections are independent. No global state, no signal handler,
 *           no SIGPIPE.
 * Failure   Calls return struct kvs_status; outputs are untouched on failure. kvc_status_text gives the sentence. A server's error reply is a reply
 *           (KVC_ERROR), not a failure of the call. After a failure to send or receive, or a time-out, the connection is broken: what was under way may or
 *           may not have been done, and every later call says so. Then close it and connect anew.
 *
 *     struct kvc_connection *connection;
 *     struct kvc_reply *reply;
 *     struct kvs_status status = kvc_connect(&connection, "127.0.0.1", 12345, 5000);
 *     if (status.code != KVS_OK)
 *         return puts(kvc_status_text(status));
 *     status = kvc_command_text(connection, &reply, "GET", "hello", NULL);
 *     if (status.code == KVS_OK && reply->type == KVC_VALUE)
 *         printf("%s\n", reply->text);
 *     ...
 *     kvc_reply_free(reply);
 *     kvc_close(connection);
 */
#ifndef KVSTORE_CLIENT_H
#define KVSTORE_CLIENT_H

#include <kvstore_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that is running, as in "0.1.0". Never freed. */
KVS_API const char *kvc_version(void);

/* One sentence about a failure: the full text if status is the calling thread's last failure in this library, else the name of its code. Borrowed until
 * this thread's next failure; never NULL. */
KVS_API const char *kvc_status_text(struct kvs_status status);

/* ---- Replies ---- */

enum kvc_type {
    KVC_STATUS,     /* text: "OK" */
    KVC_ERROR,      /* text: "ERR unknown command ..." */
    KVC_INTEGER,    /* integer */
    KVC_NIL,        /* nothing there */
    KVC_VALUE,      /* text: any bytes */
    KVC_VERBATIM,   /* text: for a person (RESP3) */
    KVC_BOOL,       /* integer: 0 or 1 (RESP3) */
    KVC_DOUBLE,     /* number, and text as it was sent (RESP3) */
    KVC_BIG_NUMBER, /* text: digits (RESP3) */
    KVC_ARRAY,      /* elements */
    KVC_MAP,        /* elements: key, value, key, value... (RESP3) */
    KVC_SET,        /* elements (RESP3) */
    KVC_PUSH        /* elements: a message that answers no command (RESP3) */
};

/* A reply and everything in it, in one piece of memory. Only the reply itself is freed, never an element. */
struct kvc_reply {
    enum kvc_type type;
    const char *text; /* the bytes, with a zero byte behind them that is not counted; "" where the type has none */
    size_t text_size; /* in bytes */
    int64_t integer;  /* 0 where the type has none */
    double number;    /* 0 where the type has none */
    const struct kvc_reply *elements;
    size_t count; /* of elements */
};

/* Free a reply. NULL is allowed. */
KVS_API void kvc_reply_free(struct kvc_reply *reply);

/* ---- Connections ---- */

struct kvc_connection;

/* Connect over TCP.
 *
 * connection_out  out: owned by the caller; close it with kvc_close
 * host            a name or an IPv4 or IPv6 address; all its addresses are tried in turn
 * timeout_ms      for connecting in all, and afterwards for each wait of a later call; 0 waits without limit
 *
 * Errors: NOT_FOUND (the name), IO (refused, unreachable, timed out: sys_errno), NO_MEMORY. */
KVS_MUST_USE KVS_API struct kvs_status kvc_connect(struct kvc_connection **connection_out, const char *host,
                                                   uint16_t port, uint32_t timeout_ms);

/* Close the connection and free it, with all that is queued or unread. NULL is allowed. */
KVS_API void kvc_close(struct kvc_connection *connection);

/* Change the time-out of later calls, in ms; 0 waits without limit. It limits the time without any progress, not the whole call. */
KVS_API void kvc_set_timeout(struct kvc_connection *connection, uint32_t timeout_ms);

/* Whether the connection can still be used, as far as can be told without waiting: false once it is broken, or the server has closed it. */
KVS_API bool kvc_is_alive(struct kvc_connection *connection);

/* ---- Commands ---- */

/* Send a command and wait for its reply.
 *
 * reply_out         out: owned by the caller; free it with kvc_reply_free
 * arguments, count  the command name first; borrowed for the call; count at least 1
 *
 * Push messages that arrive before the reply are dropped.
 * Errors: INVALID (count is 0, or replies of a pipeline are unread), IO (the connection is broken now), CORRUPT (what came is no RESP; broken now),
 * TOO_LARGE (the reply passes a limit; broken now), NO_MEMORY (broken now if it happened while receiving). */
KVS_MUST_USE KVS_API struct kvs_status kvc_command(struct kvc_connection *connection, struct kvc_reply **reply_out,
                                                   const struct kvs_slice *arguments, size_t count);

/* kvc_command for arguments that are C strings, at most 64, the last one followed by NULL: kvc_command_text(c, &reply, "GET", "hello", NULL). */
__attribute__((sentinel)) KVS_MUST_USE KVS_API struct kvs_status
kvc_command_text(struct kvc_connection *connection, struct kvc_reply **reply_out, const char *name, ...);

/* ---- Pipelines: append many commands, then read as many replies ---- */

/* Queue a command in memory (the arguments are copied); sends nothing. Errors: INVALID, NO_MEMORY (the queue is as before), IO (broken before). */
KVS_MUST_USE KVS_API struct kvs_status kvc_append(struct kvc_connection *connection, const struct kvs_slice *arguments,
                                                  size_t count);

/* The bytes queued and not yet sent: a measure of when to flush. */
KVS_API size_t kvc_queued_bytes(const struct kvc_connection *connection);

/* Send everything that is queued. Replies that arrive meanwhile are kept in memory, so that a server that waits for us to read cannot block us for ever.
 * Errors: IO, NO_MEMORY; either breaks the connection. */
KVS_MUST_USE KVS_API struct kvs_status kvc_flush(struct kvc_connection *connection);

/* Commands whose replies have not been read. */
KVS_API size_t kvc_pending(const struct kvc_connection *connection);

/* The next reply, in the order of the commands; sends what is queued first. A push message (KVC_PUSH) is returned when it comes and answers no command.
 * Errors: as kvc_command; INVALID if no command is pending. */
KVS_MUST_USE KVS_API struct kvs_status kvc_next_reply(struct kvc_connection *connection, struct kvc_reply **reply_out);

#ifdef __cplusplus
}
#endif

#endif
