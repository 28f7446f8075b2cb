/* coding.h -- little-endian words, LEB128 varints, and one bounded cursor for all parsing.
 *
 * Role      Every byte that comes from a file or a log is read through struct cursor, which never passes its end: a read that would
 *           fails the cursor, and a failed cursor stays failed, so that a parser checks once at the end.
 * Format    format/README.md, "Primitives".
 */
#ifndef KVS_BASE_CODING_H
#define KVS_BASE_CODING_H

#include "base/kvstore_types.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian and read in place");
_Static_assert(sizeof(size_t) == 8, "sizes are 64 bits");

enum { VARINT_MAX_BYTES = 10 };

static inline void coding_put_u16(void *at, uint16_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void coding_put_u32(void *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void coding_put_u64(void *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline uint16_t coding_get_u16(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t coding_get_u32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t coding_get_u64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* The number of bytes that value takes as a varint. */
static inline size_t coding_varint_size(uint64_t value)
{
    return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

/* Write value as a varint; returns the address after it. at has room for coding_varint_size(value) bytes. */
static inline uint8_t *coding_put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* Bytes that are read from the front. at <= end always; failed is sticky. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct cursor cursor_of(const void *data, size_t size)
{
    /* An empty slice may have no address, and arithmetic on none is undefined. */
    const uint8_t *bytes = data != NULL ? data : (const uint8_t *)"";
    return (struct cursor){bytes, bytes + size, false};
}

static inline size_t cursor_rest(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* Fail the cursor: it then has nothing left, and every later read gives zero or an empty slice. */
static inline void cursor_fail(struct cursor *cursor)
{
    cursor->at = cursor->end;
    cursor->failed = true;
}

/* Whether everything was read, and nothing beyond. */
static inline bool cursor_is_done(const struct cursor *cursor)
{
    return !cursor->failed && cursor->at == cursor->end;
}

static inline uint8_t cursor_u8(struct cursor *cursor)
{
    if (cursor->at == cursor->end) {
        cursor_fail(cursor);
        return 0;
    }
    return *cursor->at++;
}

static inline uint32_t cursor_u32(struct cursor *cursor)
{
    if (cursor_rest(cursor) < sizeof(uint32_t)) {
        cursor_fail(cursor);
        return 0;
    }
    cursor->at += sizeof(uint32_t);
    return coding_get_u32(cursor->at - sizeof(uint32_t));
}

static inline uint64_t cursor_u64(struct cursor *cursor)
{
    if (cursor_rest(cursor) < sizeof(uint64_t)) {
        cursor_fail(cursor);
        return 0;
    }
    cursor->at += sizeof(uint64_t);
    return coding_get_u64(cursor->at - sizeof(uint64_t));
}

/* A varint; one that runs over ten bytes, over 64 bits, or past the end fails the cursor. Overlong forms fail too: one number, one encoding. */
static inline uint64_t cursor_varint(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (cursor->at == cursor->end)
            break;
        uint64_t byte = *cursor->at++;
        if (shift == 63 && byte > 1)
            break;
        if (byte == 0 && shift != 0)
            break;
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
    cursor_fail(cursor);
    return 0;
}

/* The next size bytes, borrowed. */
static inline struct kvs_slice cursor_bytes(struct cursor *cursor, uint64_t size)
{
    if (cursor_rest(cursor) < size) {
        cursor_fail(cursor);
        return (struct kvs_slice){NULL, 0};
    }
    struct kvs_slice bytes = {cursor->at, (size_t)size};
    cursor->at += size;
    return bytes;
}

/* A varint length of at most limit, and that many bytes. */
static inline struct kvs_slice cursor_sized_bytes(struct cursor *cursor, uint64_t limit)
{
    uint64_t size = cursor_varint(cursor);
    if (size > limit) {
        cursor_fail(cursor);
        return (struct kvs_slice){NULL, 0};
    }
    return cursor_bytes(cursor, size);
}

#endif
