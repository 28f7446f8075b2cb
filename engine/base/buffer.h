/* buffer.h -- owned bytes that grow.
 *
 * Role      What is assembled before it is written: a block, a compressed frame, a version edit. Slices borrow, buffers own.
 * Threads   One owner at a time.
 */
#ifndef KVS_BASE_BUFFER_H
#define KVS_BASE_BUFFER_H

#include "base/slice.h"
#include "base/status.h"

#include <stdlib.h>

/* A zeroed buffer is empty and ready for use. */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* Give the memory back; the buffer is then empty. */
static inline void buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

/* Forget the contents, keep the memory. */
static inline void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

/* Make room for more bytes after the contents, at least doubling. Errors: NO_MEMORY; the buffer is unchanged. */
KVS_MUST_USE static inline struct kvs_status buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->capacity - buffer->size >= more)
        return status_ok();
    size_t needed = buffer->size + more;
    size_t capacity = buffer->capacity * 2 > needed ? buffer->capacity * 2 : needed;
    uint8_t *data = needed < more ? NULL : realloc(buffer->data, capacity);
    if (data == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot grow a buffer of %zu bytes by %zu", buffer->size, more);
    buffer->data = data;
    buffer->capacity = capacity;
    return status_ok();
}

/* Where the next byte goes; room for it was made by buffer_reserve. */
static inline uint8_t *buffer_end(struct buffer *buffer)
{
    return buffer->data + buffer->size;
}

/* Append a copy of size bytes. Errors: NO_MEMORY. */
KVS_MUST_USE static inline struct kvs_status buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    STATUS_RETURN_IF_ERROR(buffer_reserve(buffer, size));
    if (size != 0)
        memcpy(buffer_end(buffer), data, size);
    buffer->size += size;
    return status_ok();
}

static inline struct kvs_slice buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->data, buffer->size);
}

#endif
