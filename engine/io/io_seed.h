/* io_seed.h -- the random numbers of simulations: small, fast, the same on every machine.
 *
 * Role      Whoever simulates owns one of these, so that a seed replays a run. Never for identities: those come from io_random.
 * Threads   One at a time.
 */
#ifndef KVS_IO_IO_SEED_H
#define KVS_IO_IO_SEED_H

#include "base/assert.h"
#include "base/hash.h"

struct io_seed {
    uint64_t start;
    uint64_t count;
};

static inline struct io_seed io_seed_of(uint64_t seed)
{
    return (struct io_seed){.start = hash_mix(seed, 0), .count = 0};
}

static inline uint64_t io_seed_next(struct io_seed *seed)
{
    return hash_mix(seed->start, ++seed->count);
}

/* A number from 0 to limit - 1; limit is at least 1. */
static inline uint64_t io_seed_below(struct io_seed *seed, uint64_t limit)
{
    KVS_ASSERT(limit > 0);
    return io_seed_next(seed) % limit;
}

#endif
