/* link.h -- one connection with at most one pipelined batch of commands in flight.
 *
 * Role      Beside each command the batch holds the exact reply that it must get; what arrives is compared with it byte by byte as it arrives.
 * Threads   One owner. Never blocks, after link_open.
 * Failure   Said on stderr: by link_open why there is no connection, by link_receive which command got a wrong reply.
 */
#ifndef KVS_LOAD_LINK_H
#define KVS_LOAD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_bytes {
    char *data;
    size_t size;
};

/* A zeroed one is closed.
 *
 * request       the batch, of which sent bytes have been sent
 * expected      its replies, of which matched bytes have come
 * request_ends, reply_ends   of each of the count commands
 * begun_ns, first, end       the owner's: when the batch was begun, and the places that it writes */
struct link {
    int fd;
    struct link_bytes request, expected;
    size_t sent, matched;
    size_t *request_ends, *reply_ends;
    size_t count;
    uint64_t begun_ns;
    uint64_t first, end;
};

/* Connect, with room for batches of most commands whose key and value have at most item_bytes together. Close with link_close, also after
 * a failure. Blocks. */
bool link_open(struct link *link, const char *host, const char *port, size_t most, size_t item_bytes);

/* Safe on a zeroed link. */
void link_close(struct link *link);

/* Forget the batch. */
void link_clear(struct link *link);

/* Append SET key value, which must be answered OK. */
void link_add_set(struct link *link, const char *key, size_t key_bytes, const char *value, size_t value_bytes);

/* Append GET key, which must be answered value, or nil if that is NULL. */
void link_add_get(struct link *link, const char *key, size_t key_bytes, const char *value, size_t value_bytes);

/* DONE: the batch is empty, or each command got its reply. WAITING: for the socket (to send: is_sent is false). LOST: no connection any more.
 * WRONG: another reply than the expected one. */
enum link_outcome { LINK_DONE, LINK_WAITING, LINK_LOST, LINK_WRONG };

/* Send what can be sent, and receive what has come. */
enum link_outcome link_send(struct link *link);
enum link_outcome link_receive(struct link *link);

static inline bool link_is_sent(const struct link *link)
{
    return link->sent == link->request.size;
}

/* How many of the commands got their whole reply. */
size_t link_answered(const struct link *link);

#endif
