/* Hashes and varints. */
#include "bench/micro/micro_support.h"

#include "base/coding.h"
#include "base/hash.h"

#include <stdlib.h>

extern const struct micro_case micro_base[];

enum { RECORD_BYTES = 128, BLOCK_BYTES = 4096, VARINTS = 1024 };

static void *setup_bytes(void)
{
    uint8_t *bytes = micro_alloc(BLOCK_BYTES);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        bytes[i] = (uint8_t)(i * 31);
    return bytes;
}

static void hash_many(uint8_t *bytes, size_t size, uint64_t operations)
{
    for (uint64_t i = 0; i < operations; i++) {
        bytes[0] = (uint8_t)i;
        micro_use(hash_bytes(bytes, size));
    }
}

static void run_hash_record(void *state, uint64_t operations)
{
    hash_many(state, RECORD_BYTES, operations);
}

static void run_hash_block(void *state, uint64_t operations)
{
    hash_many(state, BLOCK_BYTES, operations);
}

/* Numbers of one to five bytes, as sizes and offsets are. */
static uint64_t varint_number(uint64_t i)
{
    return hash_mix(i, 0) >> (28 + i % 5 * 7);
}

struct varints {
    uint64_t numbers[VARINTS];
    uint8_t bytes[VARINTS * VARINT_MAX_BYTES];
    size_t size;
};

static void *setup_varints(void)
{
    struct varints *varints = micro_alloc(sizeof *varints);
    uint8_t *at = varints->bytes;
    for (uint64_t i = 0; i < VARINTS; i++) {
        varints->numbers[i] = varint_number(i);
        at = coding_put_varint(at, varints->numbers[i]);
    }
    varints->size = (size_t)(at - varints->bytes);
    return varints;
}

static void run_varint_put(void *state, uint64_t operations)
{
    struct varints *varints = state;
    uint8_t *at = varints->bytes;
    for (uint64_t i = 0; i < operations; i++) {
        if (i % VARINTS == 0)
            at = varints->bytes;
        at = coding_put_varint(at, varints->numbers[i % VARINTS]);
    }
    micro_use((uint64_t)(at - varints->bytes));
}

static void run_varint_get(void *state, uint64_t operations)
{
    struct varints *varints = state;
    struct cursor cursor = cursor_of(varints->bytes, varints->size);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        if (cursor_rest(&cursor) == 0)
            cursor = cursor_of(varints->bytes, varints->size);
        sum += cursor_varint(&cursor);
    }
    micro_use(sum);
}

const struct micro_case micro_base[] = {
    {"base/hash_128B", RECORD_BYTES, setup_bytes, run_hash_record, free},
    {"base/hash_4KiB", BLOCK_BYTES, setup_bytes, run_hash_block, free},
    {"base/varint_put", 0, setup_varints, run_varint_put, free},
    {"base/varint_get", 0, setup_varints, run_varint_get, free},
    {0},
};
