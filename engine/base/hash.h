/* hash.h -- xxh3-64, for checksums and filters. Seeds and modifiers are the callers'. */
#ifndef KVS_BASE_HASH_H
#define KVS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The xxh3-64 hash of size bytes with seed 0. */
uint64_t hash_bytes(const void *data, size_t size);

/* The same hash of bytes that come in pieces. NULL when there is no memory; free takes NULL. */
struct hash_stream;
struct hash_stream *hash_stream_new(void);
void hash_stream_free(struct hash_stream *stream);
void hash_stream_update(struct hash_stream *stream, const void *data, size_t size);
uint64_t hash_stream_value(const struct hash_stream *stream);

/* Mix two words into one (the finaliser of splitmix64, Steele et al. 2014): used to derive a modifier from a file id and an offset. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a + UINT64_C(0x9E3779B97F4A7C15) * (b + 1);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

#endif
