/* The memtable: insertion in both orders, gets that find and that do not, a walk. */
#include "bench/micro/micro_support.h"

#include "memtable/memtable.h"

#include <stdlib.h>

extern const struct micro_case micro_memtable[];

/* About as many as a memtable of the default size holds, and far more than a processor's caches. */
enum { ENTRIES = 1 << 19 };

struct table {
    struct memtable *memtable;
    struct iterator *iterator;
    uint64_t entries;
};

static void empty_table(struct table *table)
{
    memtable_unref(table->memtable);
    table->entries = 0;
    micro_check(memtable_new(&table->memtable, ENTRIES * memtable_cost(MICRO_KEY_BYTES, MICRO_VALUE_BYTES), NULL));
}

/* Inserts key number index; even numbers only, so that the odd ones are missing. */
static void insert(struct table *table, uint64_t index)
{
    char bytes[MICRO_KEY_BYTES];
    struct kvs_slice user_key = micro_key(bytes, index * 2);
    memtable_insert(table->memtable, key_of(user_key, key_trailer(++table->entries, KEY_PUT)), micro_value());
}

static void *setup_empty(void)
{
    struct table *table = micro_alloc(sizeof *table);
    empty_table(table);
    return table;
}

static void *setup_full(void)
{
    struct table *table = setup_empty();
    for (uint64_t i = 0; i < ENTRIES; i++)
        insert(table, micro_shuffle(i, ENTRIES));
    micro_check(memtable_iterator_new(&table->iterator, table->memtable));
    return table;
}

static void teardown(void *state)
{
    struct table *table = state;
    iterator_free(table->iterator);
    memtable_unref(table->memtable);
    free(table);
}

/* A full memtable is dropped and begun anew; that is part of the price, as its pages are in use for the first time. */
static void run_insert_random(void *state, uint64_t operations)
{
    struct table *table = state;
    for (uint64_t i = 0; i < operations; i++) {
        if (table->entries == ENTRIES)
            empty_table(table);
        insert(table, micro_shuffle(i, ENTRIES));
    }
}

static void run_insert_in_order(void *state, uint64_t operations)
{
    struct table *table = state;
    for (uint64_t i = 0; i < operations; i++) {
        if (table->entries == ENTRIES)
            empty_table(table);
        insert(table, table->entries);
    }
}

/* remainder  0: keys that are there, 1: keys that are not */
static void get_many(const struct table *table, uint64_t operations, uint64_t remainder)
{
    uint64_t found = 0;
    for (uint64_t i = 0; i < operations; i++) {
        char bytes[MICRO_KEY_BYTES];
        uint64_t trailer;
        struct kvs_slice value;
        struct kvs_slice user_key = micro_key(bytes, micro_shuffle(i, ENTRIES) * 2 + remainder);
        found += memtable_get(table->memtable, &trailer, &value, user_key, SEQUENCE_MAX);
    }
    if (found != (remainder == 0 ? operations : 0))
        micro_fail("memtable: %llu of %llu keys found", (unsigned long long)found, (unsigned long long)operations);
}

static void run_get_hit(void *state, uint64_t operations)
{
    get_many(state, operations, 0);
}

static void run_get_miss(void *state, uint64_t operations)
{
    get_many(state, operations, 1);
}

static void run_next(void *state, uint64_t operations)
{
    struct iterator *iterator = ((struct table *)state)->iterator;
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < operations; i++) {
        micro_check(iterator->valid ? iterator_next(iterator) : iterator_first(iterator));
        bytes += iterator->key.user.size + iterator->value.size;
    }
    micro_use(bytes);
}

const struct micro_case micro_memtable[] = {
    {"memtable/insert_random", 0, setup_empty, run_insert_random, teardown},
    {"memtable/insert_in_order", 0, setup_empty, run_insert_in_order, teardown},
    {"memtable/get_hit", 0, setup_full, run_get_hit, teardown},
    {"memtable/get_miss", 0, setup_full, run_get_miss, teardown},
    {"memtable/next", 0, setup_full, run_next, teardown},
    {0},
};
