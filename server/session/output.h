/* output.h -- the replies of one connection, in order, each leaving no earlier than what it tells is published.
 *
 * Role      Commands append through the reply writer. A reply that carries a sequence number is held, with all that follow it, until that number
 *           is published; where publishing fails, the held replies that told of it become errors.
 * Threads   One at a time: the loop of the connection.
 * Failure   Exhausted memory fails the writer for good (output_failed): the connection is to be closed.
 */
#ifndef KVS_SESSION_OUTPUT_H
#define KVS_SESSION_OUTPUT_H

#include "protocol/reply.h"

/* A run of replies with the same number. Offsets count from the first byte that the connection ever wrote. */
struct output_mark {
    uint64_t end;
    uint64_t sequence; /* may leave once this is published; 0: at once, if all before it may */
    uint64_t replies;
};

struct output {
    struct reply_writer writer;
    uint64_t start;    /* offset of the first byte in the writer's buffer */
    uint64_t released; /* offset up to which bytes may leave, while marks are held */
    struct output_mark *marks;
    uint64_t highest; /* the largest number of the held marks */
    size_t mark_first;
    size_t mark_end;
    size_t mark_capacity;
    bool failed;
};

void output_init(struct output *output);
void output_fini(struct output *output);

/* The replies written since the last call are `replies` in number and tell of changes up to sequence (0: of none that is not published). */
void output_seal(struct output *output, uint64_t replies, uint64_t sequence);

/* Let go of what tells of published changes only. */
void output_release(struct output *output, uint64_t published);

/* Publishing failed: the held replies that tell of changes above `published` become the error. The rest may leave. */
void output_fail(struct output *output, uint64_t published, const char *code, const char *text);

/* The bytes at the front that may leave now. Borrowed until the next reply is written or bytes are consumed. */
struct kvs_slice output_sendable(const struct output *output);

/* Bytes at the front have left. At most what output_sendable gave. */
void output_consume(struct output *output, size_t size);

/* Take all the bytes that may leave, as memory of the caller's. False: no memory; nothing is taken. */
KVS_MUST_USE bool output_take(struct output *output, struct byte_buffer *taken);

/* Whether replies are held until something is published. */
static inline bool output_is_held(const struct output *output)
{
    return output->mark_first != output->mark_end;
}

/* Bytes written and not consumed. */
static inline size_t output_size(const struct output *output)
{
    return byte_buffer_size(&output->writer.buffer);
}

/* Bytes of memory. */
static inline size_t output_memory(const struct output *output)
{
    return output->writer.buffer.capacity + output->mark_capacity * sizeof *output->marks;
}

static inline bool output_failed(const struct output *output)
{
    return output->failed || reply_writer_failed(&output->writer);
}

#endif
