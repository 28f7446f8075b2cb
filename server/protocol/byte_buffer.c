#include "protocol/byte_buffer.h"

#include <stdlib.h>

/* Where growth starts: a page of short requests. */
enum { FIRST_CAPACITY_BYTES = 512 };

void byte_buffer_fini(struct byte_buffer *buffer)
{
    free(buffer->memory);
    byte_buffer_init(buffer);
}

static void move_to_front(struct byte_buffer *buffer)
{
    memmove(buffer->memory, buffer->memory + buffer->start, byte_buffer_size(buffer));
    buffer->end -= buffer->start;
    buffer->start = 0;
}

/* New memory instead of realloc where much of the old is consumed: realloc would copy that, too. */
static bool grow(struct byte_buffer *buffer, size_t capacity)
{
    uint8_t *memory;
    if (buffer->start == 0) {
        memory = realloc(buffer->memory, capacity);
        if (memory == NULL)
            return false;
    } else {
        memory = malloc(capacity);
        if (memory == NULL)
            return false;
        size_t size = byte_buffer_size(buffer);
        memcpy(memory, byte_buffer_data(buffer), size);
        free(buffer->memory);
        buffer->start = 0;
        buffer->end = size;
    }
    buffer->memory = memory;
    buffer->capacity = capacity;
    return true;
}

bool byte_buffer_reserve(struct byte_buffer *buffer, size_t size)
{
    if (size <= buffer->capacity - buffer->end)
        return true;
    size_t used = byte_buffer_size(buffer);
    if (size > SIZE_MAX / 2 - used)
        return false;
    /* A move is paid for by the consumed bytes in front, so that many small ones cannot add up. */
    if (used + size <= buffer->capacity && used <= buffer->start) {
        move_to_front(buffer);
        return true;
    }
    size_t capacity = buffer->capacity < FIRST_CAPACITY_BYTES ? FIRST_CAPACITY_BYTES : buffer->capacity;
    while (capacity < used + size)
        capacity *= 2;
    if (capacity == buffer->capacity)
        capacity *= 2;
    return grow(buffer, capacity);
}

bool byte_buffer_append(struct byte_buffer *buffer, const void *data, size_t size)
{
    if (size == 0)
        return true;
    if (!byte_buffer_reserve(buffer, size))
        return false;
    memcpy(buffer->memory + buffer->end, data, size);
    buffer->end += size;
    return true;
}

void byte_buffer_trim(struct byte_buffer *buffer, size_t keep_bytes)
{
    if (byte_buffer_size(buffer) == 0 && buffer->capacity > keep_bytes)
        byte_buffer_fini(buffer);
}
