/* slice.h -- helpers for borrowed bytes. Slices borrow, buffers own. */
#ifndef KVS_BASE_SLICE_H
#define KVS_BASE_SLICE_H

#include "base/kvstore_types.h"

#include <string.h>

static inline struct kvs_slice slice_of(const void *data, size_t size)
{
    return (struct kvs_slice){data, size};
}

static inline struct kvs_slice slice_of_text(const char *text)
{
    return slice_of(text, strlen(text));
}

/* What lies from offset on, at most the size; of an empty slice, which may have no address, that is the slice. */
static inline struct kvs_slice slice_from(struct kvs_slice slice, size_t offset)
{
    return offset == 0 ? slice : slice_of((const uint8_t *)slice.data + offset, slice.size - offset);
}

/* The one order of the database: bytes as unsigned, a prefix before what it begins. Negative, 0 or positive. */
static inline int slice_compare(struct kvs_slice a, struct kvs_slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static inline bool slice_equal(struct kvs_slice a, struct kvs_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_has_prefix(struct kvs_slice slice, struct kvs_slice prefix)
{
    return slice.size >= prefix.size && (prefix.size == 0 || memcmp(slice.data, prefix.data, prefix.size) == 0);
}

/* The number of leading bytes that a and b share. */
static inline size_t slice_shared_prefix(struct kvs_slice a, struct kvs_slice b)
{
    const uint8_t *x = a.data, *y = b.data;
    size_t limit = a.size < b.size ? a.size : b.size;
    size_t shared = 0;
    while (shared < limit && x[shared] == y[shared])
        shared++;
    return shared;
}

/* Eight bytes of the slice from offset on as a big-endian number, zeros where it ends: a < b implies hint(a) <= hint(b) for slices that
 * agree before offset, so unequal hints decide a comparison without touching the keys. */
static inline uint64_t slice_hint(struct kvs_slice slice, size_t offset)
{
    uint64_t raw = 0;
    size_t rest = offset < slice.size ? slice.size - offset : 0;
    if (rest >= sizeof raw)
        memcpy(&raw, (const uint8_t *)slice.data + offset, sizeof raw);
    else if (rest > 0)
        memcpy(&raw, (const uint8_t *)slice.data + offset, rest);
    return __builtin_bswap64(raw);
}

#endif
