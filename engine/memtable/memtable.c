#include "memtable/memtable.h"

#include "memtable/tree.h"

#include <stdlib.h>

/* charged_bytes  what budget was charged with; 0 without a budget
 * count          entries; written by the inserter, read by statistics: relaxed
 * references     a dropped reference is released, and acquired by the last, so that freeing comes after every use */
struct memtable {
    struct tree tree;
    struct memory_budget *budget;
    size_t capacity_bytes;
    _Atomic uint64_t count;
    _Atomic uint64_t references;
};

struct kvs_status memtable_new(struct memtable **memtable, size_t capacity_bytes, struct memory_budget *budget)
{
    struct memtable *made = malloc(sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a memtable");
    struct kvs_status status = tree_init(&made->tree, capacity_bytes);
    if (!status_is_ok(status)) {
        free(made);
        return status;
    }
    made->budget = budget;
    made->capacity_bytes = capacity_bytes;
    atomic_init(&made->count, 0);
    atomic_init(&made->references, 1);
    if (budget != NULL)
        memory_budget_charge(budget, MEMORY_MEMTABLE, capacity_bytes);
    *memtable = made;
    return status_ok();
}

struct memtable *memtable_ref(struct memtable *memtable)
{
    uint64_t before = atomic_fetch_add_explicit(&memtable->references, 1, memory_order_relaxed);
    KVS_ASSERT(before > 0);
    return memtable;
}

void memtable_unref(struct memtable *memtable)
{
    if (memtable == NULL)
        return;
    uint64_t before = atomic_fetch_sub_explicit(&memtable->references, 1, memory_order_acq_rel);
    KVS_ASSERT(before > 0);
    if (before > 1)
        return;
    if (memtable->budget != NULL)
        memory_budget_release(memtable->budget, MEMORY_MEMTABLE, memtable->capacity_bytes);
    tree_fini(&memtable->tree);
    free(memtable);
}

size_t memtable_cost(size_t key_bytes, size_t value_bytes)
{
    return tree_cost(key_bytes, value_bytes);
}

size_t memtable_room(const struct memtable *memtable)
{
    return tree_room(&memtable->tree);
}

size_t memtable_used(const struct memtable *memtable)
{
    return arena_used(&memtable->tree.arena);
}

uint64_t memtable_count(const struct memtable *memtable)
{
    return atomic_load_explicit(&memtable->count, memory_order_relaxed);
}

void memtable_insert(struct memtable *memtable, struct key key, struct kvs_slice value)
{
    tree_insert(&memtable->tree, key, value);
    atomic_store_explicit(&memtable->count, memtable_count(memtable) + 1, memory_order_relaxed);
}

_Static_assert((int)MEMTABLE_PREFETCH_MAX == (int)TREE_PREFETCH_MAX, "one limit");

void memtable_prefetch(const struct memtable *memtable, const struct kvs_slice *user_keys, size_t count)
{
    tree_prefetch(&memtable->tree, user_keys, count);
}

bool memtable_get(const struct memtable *memtable, uint64_t *trailer, struct kvs_slice *value,
                  struct kvs_slice user_key, uint64_t sequence)
{
    const struct entry *entry = tree_find(&memtable->tree, key_of(user_key, key_seek_trailer(sequence)));
    if (entry == NULL)
        return false;
    *trailer = entry->trailer;
    *value = entry_value(entry);
    return true;
}

const struct tree *memtable_tree(const struct memtable *memtable)
{
    return &memtable->tree;
}
