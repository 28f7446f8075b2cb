#include "bench/dataset.h"

#include <stdlib.h>
#include <string.h>

enum { PRINTABLE_FIRST = ' ', PRINTABLE_COUNT = 95 };

static void fill_pool(char *pool, size_t size, uint64_t seed)
{
    struct random random = {hash_mix(seed, 1)};
    for (size_t start = 0; start < size; start += DATASET_PIECE_BYTES) {
        char piece[DATASET_PIECE_BYTES];
        for (size_t i = 0; i < DATASET_PIECE_BYTES / 2; i++)
            piece[i] = piece[i + DATASET_PIECE_BYTES / 2] =
                (char)(PRINTABLE_FIRST + random_below(&random, PRINTABLE_COUNT));
        size_t rest = size - start;
        memcpy(pool + start, piece, rest < DATASET_PIECE_BYTES ? rest : DATASET_PIECE_BYTES);
    }
}

bool dataset_init(struct dataset *dataset, uint64_t seed, uint64_t count, size_t key_bytes, size_t value_bytes)
{
    size_t size = (size_t)DATASET_PIECES * DATASET_PIECE_BYTES + value_bytes;
    char *pool = malloc(size);
    if (pool == NULL)
        return false;
    fill_pool(pool, size, seed);
    *dataset = (struct dataset){count, seed, key_bytes, value_bytes, pool};
    return true;
}

void dataset_fini(struct dataset *dataset)
{
    free(dataset->pool);
    *dataset = (struct dataset){0};
}

struct permutation permutation_of(uint64_t count, uint64_t salt)
{
    unsigned half_bits = 1;
    while (UINT64_C(1) << (2 * half_bits) < count)
        half_bits++;
    return (struct permutation){count, hash_mix(salt, 2), half_bits};
}
