/* byte_buffer.h -- bytes that grow at the end and are consumed at the front.
 *
 * Role      What a connection receives into, and what replies are appended to. Memory grows by doubling, never by more than what was asked
 *           for now; it shrinks when the caller says so (byte_buffer_trim).
 * Threads   One at a time.
 * Failure   A function that may allocate returns false when memory is exhausted; the buffer and its bytes are then as before.
 */
#ifndef KVS_PROTOCOL_BYTE_BUFFER_H
#define KVS_PROTOCOL_BYTE_BUFFER_H

#include "base/slice.h"

/* Bytes [start, end) of memory are the content; [end, capacity) is free. Zeroed is an empty buffer. */
struct byte_buffer {
    uint8_t *memory;
    size_t start;
    size_t end;
    size_t capacity;
};

static inline void byte_buffer_init(struct byte_buffer *buffer)
{
    *buffer = (struct byte_buffer){0};
}

/* Free the memory. The buffer is then as after byte_buffer_init. */
void byte_buffer_fini(struct byte_buffer *buffer);

/* The content: its first byte and its length. Valid until the next call that may allocate or consumes. A buffer without memory has no address, not even with
 * nothing added to it. */
static inline uint8_t *byte_buffer_data(const struct byte_buffer *buffer)
{
    return buffer->start == 0 ? buffer->memory : buffer->memory + buffer->start;
}

static inline size_t byte_buffer_size(const struct byte_buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* Make room for `size` more bytes behind the content; may move the content. After true, byte_buffer_space gives at least that much. */
KVS_MUST_USE bool byte_buffer_reserve(struct byte_buffer *buffer, size_t size);

/* The free bytes behind the content, to be filled (as by read) and then counted with byte_buffer_commit. */
static inline uint8_t *byte_buffer_space(const struct byte_buffer *buffer, size_t *size_out)
{
    *size_out = buffer->capacity - buffer->end;
    return buffer->end == 0 ? buffer->memory : buffer->memory + buffer->end;
}

/* `size` bytes of the space were filled. size <= the space. */
static inline void byte_buffer_commit(struct byte_buffer *buffer, size_t size)
{
    buffer->end += size;
}

/* Append a copy of `size` bytes. */
KVS_MUST_USE bool byte_buffer_append(struct byte_buffer *buffer, const void *data, size_t size);

/* Drop the first `size` bytes. size <= byte_buffer_size. Moves nothing. */
static inline void byte_buffer_consume(struct byte_buffer *buffer, size_t size)
{
    buffer->start += size;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

/* Give back memory: an empty buffer that holds more than keep_bytes frees it all. Cheap; call it when a burst has passed. */
void byte_buffer_trim(struct byte_buffer *buffer, size_t keep_bytes);

#endif
