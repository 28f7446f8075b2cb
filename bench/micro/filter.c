/* A filter of a million keys, more than the caches hold: each query is one cache line from memory. */
#include "bench/micro/micro_support.h"

#include "filter/filter_builder.h"

#include <stdlib.h>

extern const struct micro_case micro_filter[];

enum { KEYS = 1 << 20, BITS_PER_KEY = 10 };

struct filter_state {
    struct buffer bytes;
    struct filter filter;
};

static uint64_t hash_of(uint64_t index)
{
    char bytes[MICRO_KEY_BYTES];
    return filter_hash(micro_key(bytes, index));
}

static void *setup(void)
{
    struct filter_state *state = micro_alloc(sizeof *state);
    struct filter_builder builder = {0};
    for (uint64_t i = 0; i < KEYS; i++)
        micro_check(filter_builder_add(&builder, hash_of(i * 2)));
    micro_check(filter_builder_finish(&builder, &state->bytes, BITS_PER_KEY));
    filter_builder_fini(&builder);
    if (!filter_open(&state->filter, state->bytes.data, state->bytes.size))
        micro_fail("filter: not a filter");
    return state;
}

static void teardown(void *context)
{
    struct filter_state *state = context;
    buffer_fini(&state->bytes);
    free(state);
}

static void query_many(const struct filter_state *state, uint64_t operations, uint64_t remainder)
{
    uint64_t found = 0;
    for (uint64_t i = 0; i < operations; i++)
        found += filter_may_contain(&state->filter, hash_of(micro_shuffle(i, KEYS) * 2 + remainder));
    if (remainder == 0 && found != operations)
        micro_fail("filter: a key that was added is said to be missing");
    micro_use(found);
}

static void run_query_hit(void *context, uint64_t operations)
{
    query_many(context, operations, 0);
}

static void run_query_miss(void *context, uint64_t operations)
{
    query_many(context, operations, 1);
}

/* Making the key and hashing it is in the two above; this is what it takes. */
static void run_hash(void *context, uint64_t operations)
{
    (void)context;
    for (uint64_t i = 0; i < operations; i++)
        micro_use(hash_of(micro_shuffle(i, KEYS) * 2));
}

const struct micro_case micro_filter[] = {
    {"filter/query_hit", 0, setup, run_query_hit, teardown},
    {"filter/query_miss", 0, setup, run_query_miss, teardown},
    {"filter/hash_only", 0, setup, run_hash, teardown},
    {0},
};
