/* memory_budget.h -- the one account of the engine's memory.
 *
 * Role      Everything that grows with the data (memtables, resident blocks, indexes, filters, retired and pinned memory) charges it by
 *           purpose; what yields (resident blocks) looks at the excess and gives back. The budget never refuses: it only tells.
 * Threads   Any thread; relaxed counters, exact in sum.
 */
#ifndef KVS_BASE_MEMORY_BUDGET_H
#define KVS_BASE_MEMORY_BUDGET_H

#include <stdatomic.h>
#include <stddef.h>

enum memory_use {
    MEMORY_MEMTABLE,
    MEMORY_LOG_BUFFER,
    MEMORY_BLOCK, /* resident blocks, retired and pinned ones included */
    MEMORY_INDEX,
    MEMORY_FILTER,
    MEMORY_USE_COUNT
};

struct memory_budget {
    size_t capacity; /* bytes; fixed at init */
    _Atomic size_t used[MEMORY_USE_COUNT];
};

static inline void memory_budget_init(struct memory_budget *budget, size_t capacity)
{
    budget->capacity = capacity;
    for (int use = 0; use < MEMORY_USE_COUNT; use++)
        atomic_init(&budget->used[use], 0);
}

static inline void memory_budget_charge(struct memory_budget *budget, enum memory_use use, size_t bytes)
{
    atomic_fetch_add_explicit(&budget->used[use], bytes, memory_order_relaxed);
}

static inline void memory_budget_release(struct memory_budget *budget, enum memory_use use, size_t bytes)
{
    atomic_fetch_sub_explicit(&budget->used[use], bytes, memory_order_relaxed);
}

static inline size_t memory_budget_used(const struct memory_budget *budget, enum memory_use use)
{
    return atomic_load_explicit(&budget->used[use], memory_order_relaxed);
}

/* The sum over all uses, bytes. */
static inline size_t memory_budget_total(const struct memory_budget *budget)
{
    size_t total = 0;
    for (int use = 0; use < MEMORY_USE_COUNT; use++)
        total += atomic_load_explicit(&budget->used[use], memory_order_relaxed);
    return total;
}

#endif
