/* dataset.h -- the records of a benchmark: keys, values and orders, all computed from a seed.
 *
 * Role      Nothing is remembered about what was written, so that millions of records cost no memory, and every value that is read can be
 *           compared with what it must be.
 *           A key is its index in decimal, with leading zeros. A value is a part of one text pool, from a piece on that index and generation choose;
 *           the pool is made as LevelDB's db_bench makes it: pieces of 100 bytes, each of 50 random printable characters and the same 50 again,
 *           so that values compress to about half, and with zstd, which shortens the rest too, to 44 %.
 * Threads   Read only after dataset_init.
 */
#ifndef KVS_BENCH_DATASET_H
#define KVS_BENCH_DATASET_H

#include "base/hash.h"
#include "base/slice.h"

enum {
    DATASET_KEY_BYTES_MIN = 8,
    DATASET_KEY_BYTES_MAX = 128,
    DATASET_VALUE_BYTES_MAX = 1024 * 1024,
    DATASET_PIECE_BYTES = 100,
    DATASET_PIECES = 10486, /* a megabyte, which stays in a processor's cache */
};

struct dataset {
    uint64_t count;
    uint64_t seed;
    size_t key_bytes;
    size_t value_bytes;
    char *pool;
};

/* seed, sizes and count are the caller's; count < 10 to the power of key_bytes. Returns whether there was memory for the pool. */
bool dataset_init(struct dataset *dataset, uint64_t seed, uint64_t count, size_t key_bytes, size_t value_bytes);
void dataset_fini(struct dataset *dataset);

/* Write key number index; key has room for key_bytes + 1, of which the last is for dataset_missing_key. */
static inline struct kvs_slice dataset_key(const struct dataset *dataset, char *key, uint64_t index)
{
    for (char *at = key + dataset->key_bytes; at != key; index /= 10)
        *--at = (char)('0' + index % 10);
    return slice_of(key, dataset->key_bytes);
}

/* A key that is never written, just behind key number index: inside the range of keys, so that only a search or a filter can tell. */
static inline struct kvs_slice dataset_missing_key(const struct dataset *dataset, char *key, uint64_t index)
{
    dataset_key(dataset, key, index);
    key[dataset->key_bytes] = '.';
    return slice_of(key, dataset->key_bytes + 1);
}

/* The value of a record; another record or generation has the same in one case of DATASET_PIECES. Borrowed from the pool. */
static inline struct kvs_slice dataset_value(const struct dataset *dataset, uint64_t index, unsigned generation)
{
    uint64_t piece = hash_mix(index, dataset->seed + generation) % DATASET_PIECES;
    return slice_of(dataset->pool + piece * DATASET_PIECE_BYTES, dataset->value_bytes);
}

/* The numbers below count in an order that depends on salt: each once. A Feistel network over the next power of two, walked until it is in range. */
struct permutation {
    uint64_t count;
    uint64_t salt;
    unsigned half_bits;
};

struct permutation permutation_of(uint64_t count, uint64_t salt);

/* Where the number that stands at position lies. position < count. */
static inline uint64_t permutation_at(const struct permutation *permutation, uint64_t position)
{
    uint64_t mask = (UINT64_C(1) << permutation->half_bits) - 1;
    do {
        uint64_t left = position >> permutation->half_bits, right = position & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t mixed = (right + permutation->salt + round) * UINT64_C(0x9E3779B97F4A7C15);
            uint64_t next = left ^ (mixed >> 40 & mask);
            left = right;
            right = next;
        }
        position = left << permutation->half_bits | right;
    } while (position >= permutation->count);
    return position;
}

/* A stream of random numbers (splitmix64). */
struct random {
    uint64_t state;
};

/* A number below limit, limit up to 2^32 or so. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    random->state++;
    return (uint64_t)((unsigned __int128)hash_mix(random->state, 0) * limit >> 64);
}

#endif
