/* One decompressed block: opening it, the search in it, a walk. */
#include "bench/micro/micro_support.h"

#include "block/block_builder.h"
#include "block/block_iterator.h"

#include <stdlib.h>

extern const struct micro_case micro_block[];

enum { BLOCK_BYTES = 4096 };

struct block_state {
    struct block_builder builder;
    struct kvs_slice bytes;
    struct block block;
    struct block_iterator iterator;
    uint64_t entries;
};

static void *setup(void)
{
    struct block_state *state = micro_alloc(sizeof *state);
    struct block_flaw flaw;
    block_builder_init(&state->builder, BLOCK_INTERVAL_LOG2_DEFAULT);
    while (block_builder_size(&state->builder) < BLOCK_BYTES) {
        char bytes[MICRO_KEY_BYTES];
        struct kvs_slice user_key = micro_key(bytes, 1000000 + state->entries * 2);
        micro_check(block_builder_add(&state->builder, key_of(user_key, key_trailer(++state->entries, KEY_PUT)),
                                      micro_value()));
    }
    micro_check(block_builder_finish(&state->builder, &state->bytes));
    if (!block_open(&state->block, &flaw, state->bytes.data, state->bytes.size))
        micro_fail("block: %s", flaw.what);
    block_iterator_init(&state->iterator);
    block_iterator_set(&state->iterator, &state->block);
    return state;
}

static void teardown(void *context)
{
    struct block_state *state = context;
    block_iterator_fini(&state->iterator);
    block_builder_fini(&state->builder);
    free(state);
}

static void run_open(void *context, uint64_t operations)
{
    struct block_state *state = context;
    for (uint64_t i = 0; i < operations; i++) {
        struct block block;
        struct block_flaw flaw;
        micro_use(block_open(&block, &flaw, state->bytes.data, state->bytes.size));
    }
}

static void get_many(const struct block_state *state, uint64_t operations, uint64_t remainder)
{
    uint64_t found = 0;
    for (uint64_t i = 0; i < operations; i++) {
        char bytes[MICRO_KEY_BYTES];
        uint64_t trailer;
        struct kvs_slice value;
        struct kvs_slice user_key = micro_key(bytes, 1000000 + i * 7 % state->entries * 2 + remainder);
        found += block_get(&state->block, &trailer, &value, user_key, key_seek_trailer(SEQUENCE_MAX));
    }
    if (found != (remainder == 0 ? operations : 0))
        micro_fail("block: %llu of %llu keys found", (unsigned long long)found, (unsigned long long)operations);
}

static void run_get_hit(void *context, uint64_t operations)
{
    get_many(context, operations, 0);
}

static void run_get_miss(void *context, uint64_t operations)
{
    get_many(context, operations, 1);
}

static void run_next(void *context, uint64_t operations)
{
    struct block_iterator *iterator = &((struct block_state *)context)->iterator;
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < operations; i++) {
        micro_check(iterator->base.valid ? block_iterator_next(iterator) : block_iterator_first(iterator));
        bytes += iterator->base.key.user.size + iterator->base.value.size;
    }
    micro_use(bytes);
}

const struct micro_case micro_block[] = {
    {"block/open_and_check", BLOCK_BYTES, setup, run_open, teardown},
    {"block/get_hit", 0, setup, run_get_hit, teardown},
    {"block/get_miss", 0, setup, run_get_miss, teardown},
    {"block/next", 0, setup, run_next, teardown},
    {0},
};
