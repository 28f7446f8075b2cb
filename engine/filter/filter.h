/* filter.h -- which user keys a segment may contain: a bloom filter whose probes for one key all lie in one cache line.
 *
 * Role      Spares a get the search in segments that do not have the key. A key is hashed once per get, for all segments.
 * Format    format/README.md, "Segment", "Filter".
 * Threads   A filter never changes; any number of readers.
 * Failure   filter_open takes any bytes; a filter that was accepted is never read outside them.
 */
#ifndef KVS_FILTER_FILTER_H
#define KVS_FILTER_FILTER_H

#include "base/hash.h"
#include "base/slice.h"

enum { FILTER_LINE_BYTES = 64, FILTER_LINE_BITS = 8 * FILTER_LINE_BYTES, FILTER_PROBES_MAX = 16 };

/* lines       line_count lines, best aligned to FILTER_LINE_BYTES; NULL for a filter that contains everything */
struct filter {
    const uint8_t *lines;
    uint32_t line_count;
    uint32_t probes;
};

/* Take the bytes of a filter apart; they must outlive it. Returns false, *filter untouched, if they are not a filter. */
KVS_MUST_USE bool filter_open(struct filter *filter, const void *data, size_t size);

/* What filters know a user key by. */
static inline uint64_t filter_hash(struct kvs_slice user_key)
{
    return hash_bytes(user_key.data, user_key.size);
}

/* The line of a key: the upper half of the hash, scaled. */
static inline size_t filter_line(uint32_t line_count, uint64_t hash)
{
    return (size_t)(((hash >> 32) * line_count) >> 32);
}

/* Whether a key with this hash may have been added; false is certain. One cache line is read. */
static inline bool filter_may_contain(const struct filter *filter, uint64_t hash)
{
    if (filter->lines == NULL)
        return true;
    const uint8_t *line = filter->lines + filter_line(filter->line_count, hash) * FILTER_LINE_BYTES;
    uint32_t probe = (uint32_t)hash;
    for (uint32_t i = 0; i < filter->probes; i++) {
        probe *= UINT32_C(0x9E3779B9);
        if ((line[probe >> 26] >> (probe >> 23 & 7) & 1) == 0)
            return false;
    }
    return true;
}

#endif
