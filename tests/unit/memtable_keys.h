/* memtable_keys.h -- patterns of keys that lead a memtable into its different shapes. */
#ifndef KVS_TESTS_MEMTABLE_KEYS_H
#define KVS_TESTS_MEMTABLE_KEYS_H

#include "base/hash.h"
#include "base/key.h"

#include <stdio.h>

enum key_pattern {
    KEYS_RANDOM,     /* binary, no structure */
    KEYS_ASCENDING,  /* decimal counters behind a long prefix */
    KEYS_DESCENDING, /* the same, downwards */
    KEYS_INWARD,     /* from both ends to the middle */
    KEYS_STREAMS,    /* ascending in several places by turns */
    KEYS_STAIRS,     /* some upwards, then some downwards below the last: full leaves that go on */
    KEYS_VERSIONS,   /* few keys, many versions */
    KEYS_NESTED,     /* prefixes of each other, telling apart by zero bytes */
    KEYS_UNSHARING,  /* each shares a byte less with those before */
    KEYS_PATTERN_COUNT
};

enum { KEYS_MAX_BYTES = 80 };

/* The key at index of a pattern, of total ones; two indexes may have the same key. Returns its size. */
static inline size_t keys_make(uint8_t *key, enum key_pattern pattern, uint64_t index, uint64_t total)
{
    char *text = (char *)key;
    uint64_t mixed = hash_mix(index, 7);
    switch (pattern) {
    case KEYS_RANDOM:
        memcpy(key, &mixed, sizeof mixed);
        return 8;
    case KEYS_ASCENDING:
        return (size_t)snprintf(text, KEYS_MAX_BYTES, "a/prefix/that/is/long/%08u", (unsigned)index);
    case KEYS_DESCENDING:
        return (size_t)snprintf(text, KEYS_MAX_BYTES, "a/prefix/that/is/long/%08u", (unsigned)(total - index));
    case KEYS_INWARD:
        index = index % 2 == 0 ? index : 2 * total - index;
        return (size_t)snprintf(text, KEYS_MAX_BYTES, "in/%07u", (unsigned)index);
    case KEYS_STREAMS:
        return (size_t)snprintf(text, KEYS_MAX_BYTES, "stream/%u/%06u", (unsigned)(mixed % 5), (unsigned)index);
    case KEYS_STAIRS:
        index = index / 30 * 1000 + (index % 30 < 15 ? index % 30 * 10 : 900 - index % 30);
        return (size_t)snprintf(text, KEYS_MAX_BYTES, "%08u", (unsigned)index);
    case KEYS_VERSIONS:
        return (size_t)snprintf(text, KEYS_MAX_BYTES, "counter%u", (unsigned)(mixed % 3));
    case KEYS_NESTED:
        memset(key, 0, KEYS_MAX_BYTES);
        key[mixed % 40] = (uint8_t)(mixed >> 32 & 1);
        return mixed >> 8 & 63;
    default:
        memset(key, 'x', KEYS_MAX_BYTES);
        key[KEYS_MAX_BYTES - 1 - index * KEYS_MAX_BYTES / (total + 1)] = (uint8_t)('A' + mixed % 50);
        return KEYS_MAX_BYTES;
    }
}

#endif
