#include "cache/cache.h"

#include "base/assert.h"
#include "cache/scratch.h"
#include "io/io_thread.h"

#include <stdlib.h>

enum {
    FLOOR_FRACTION = 16,               /* of the budget: the cache's own */
    BATCH_FRACTION = 64,               /* of the budget: evicted for one grace period */
    BATCH_MAX_BYTES = 8 * 1024 * 1024, /* and no more, so that an install waits for no long sweep */
    SWEEP_STEPS = 128,                 /* blocks that the hand passes with the mutex held */
    DROP_STEPS = 256,                  /* slots that are emptied with the mutex held */
    ALLOCATION_OVERHEAD_BYTES = 16,
};

_Static_assert(BATCH_FRACTION >= FLOOR_FRACTION, "a batch is smaller than the floor");

struct cache {
    struct memory_budget *budget;
    size_t floor_bytes;
    size_t batch_bytes;
    struct scratch_pool scratches;

    struct io_mutex mutex;
    /* Under mutex. */
    struct cache_block *hand; /* the ring of resident blocks, NULL when there is none */
    bool is_draining;         /* a thread evicts or waits for a grace period */
    struct cache_stats stats;
};

static size_t charge_of(const struct cache_block *block)
{
    return sizeof *block + block->size_bytes + ALLOCATION_OVERHEAD_BYTES;
}

struct kvs_status cache_new(struct cache **cache, struct io *io, struct memory_budget *budget)
{
    struct cache *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a cache");
    made->budget = budget;
    made->floor_bytes = budget->capacity / FLOOR_FRACTION;
    made->batch_bytes =
        budget->capacity / BATCH_FRACTION < BATCH_MAX_BYTES ? budget->capacity / BATCH_FRACTION : BATCH_MAX_BYTES;
    io_mutex_init(&made->mutex, io);
    scratch_pool_init(&made->scratches, io);
    *cache = made;
    return status_ok();
}

void cache_free(struct cache *cache)
{
    if (cache == NULL)
        return;
    KVS_ASSERT(cache->hand == NULL);
    scratch_pool_fini(&cache->scratches);
    io_mutex_fini(&cache->mutex);
    free(cache);
}

struct kvs_status cache_block_new(struct cache *cache, struct cache_block **block, size_t size_bytes)
{
    struct cache_block *made = malloc(sizeof *made + size_bytes);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a block of %zu bytes", size_bytes);
    atomic_init(&made->refcount, 1);
    atomic_init(&made->referenced, false);
    made->size_bytes = size_bytes;
    made->cache = cache;
    made->slot = NULL;
    made->next = made->prev = NULL;
    memory_budget_charge(cache->budget, MEMORY_BLOCK, charge_of(made));
    *block = made;
    return status_ok();
}

void cache_block_unref(struct cache_block *block)
{
    if (block == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&block->refcount, 1, memory_order_acq_rel);
    KVS_ASSERT(before > 0);
    if (before != 1)
        return;
    memory_budget_release(block->cache->budget, MEMORY_BLOCK, charge_of(block));
    free(block);
}

static void ring_add_locked(struct cache *cache, struct cache_slot *slot, struct cache_block *block)
{
    if (cache->hand == NULL) {
        block->next = block->prev = block;
        cache->hand = block;
    } else {
        /* Just behind the hand: the block has a whole turn to be used. */
        block->next = cache->hand;
        block->prev = cache->hand->prev;
        block->prev->next = block;
        block->next->prev = block;
    }
    block->slot = slot;
    cache_block_ref(block);
    /* Release: a reader that sees the pointer sees the bytes. */
    atomic_store_explicit(&slot->block, block, memory_order_release);
    cache->stats.resident_count++;
    cache->stats.resident_bytes += charge_of(block);
    cache->stats.installed_count++;
}

/* Take a resident block out of its slot and the ring; its residency's reference passes to the caller. */
static void ring_remove_locked(struct cache *cache, struct cache_block *block)
{
    atomic_store_explicit(&block->slot->block, NULL, memory_order_relaxed);
    block->slot = NULL;
    if (block->next == block) {
        cache->hand = NULL;
    } else {
        block->prev->next = block->next;
        block->next->prev = block->prev;
        if (cache->hand == block)
            cache->hand = block->next;
    }
    block->next = block->prev = NULL;
    cache->stats.resident_count--;
    cache->stats.resident_bytes -= charge_of(block);
}

/* Move the hand over some blocks; evicted ones are put in front of the list. It stops a batch below the floor, so that new blocks find room up to
 * the floor even when all else is used up. Returns the bytes evicted. */
static size_t sweep_locked(struct cache *cache, struct cache_block **retired, size_t wanted_bytes, size_t *steps)
{
    size_t evicted = 0;
    for (int i = 0; i<SWEEP_STEPS && * steps> 0 && evicted < wanted_bytes; i++, --*steps) {
        struct cache_block *block = cache->hand;
        if (block == NULL || cache->stats.resident_bytes - charge_of(block) < cache->floor_bytes - cache->batch_bytes) {
            *steps = 0;
            break;
        }
        cache->hand = block->next;
        bool is_pinned = atomic_load_explicit(&block->refcount, memory_order_relaxed) > 1;
        bool was_used = atomic_load_explicit(&block->referenced, memory_order_relaxed);
        if (was_used)
            atomic_store_explicit(&block->referenced, false, memory_order_relaxed);
        if (is_pinned || was_used)
            continue;
        ring_remove_locked(cache, block);
        cache->stats.evicted_count++;
        evicted += charge_of(block);
        block->next = *retired;
        *retired = block;
    }
    return evicted;
}

/* Let go of evicted blocks, once no section can hold them any more. */
static void release_retired(struct cache_block *retired)
{
    if (retired == NULL)
        return;
    rcu_wait();
    while (retired != NULL) {
        struct cache_block *next = retired->next;
        cache_block_unref(retired);
        retired = next;
    }
}

/* Evict about this many bytes, and wait until they are free. The mutex is held on entry and on return, but not while waiting. */
static void drain_locked(struct cache *cache, size_t wanted_bytes)
{
    struct cache_block *retired = NULL;
    size_t steps = 2 * cache->stats.resident_count + 1; /* two turns: one to forget uses, one to evict */
    cache->is_draining = true;
    while (steps > 0 && wanted_bytes > 0) {
        size_t evicted = sweep_locked(cache, &retired, wanted_bytes, &steps);
        wanted_bytes -= evicted < wanted_bytes ? evicted : wanted_bytes;
        io_mutex_unlock(&cache->mutex);
        io_mutex_lock(&cache->mutex);
    }
    cache->stats.grace_count += retired != NULL;
    io_mutex_unlock(&cache->mutex);
    release_retired(retired);
    io_mutex_lock(&cache->mutex);
    cache->is_draining = false;
}

/* Bytes by which the whole budget is exceeded. */
static size_t excess(const struct cache *cache)
{
    size_t total = memory_budget_total(cache->budget);
    return total > cache->budget->capacity ? total - cache->budget->capacity : 0;
}

bool cache_has_room(const struct cache *cache, size_t size_bytes)
{
    size_t total = memory_budget_total(cache->budget);
    return total <= cache->budget->capacity && size_bytes <= cache->budget->capacity - total;
}

static bool may_reside_locked(const struct cache *cache, const struct cache_block *block)
{
    return excess(cache) == 0 || cache->stats.resident_bytes + charge_of(block) <= cache->floor_bytes;
}

struct cache_block *cache_install(struct cache *cache, struct cache_slot *slot, struct cache_block *block)
{
    io_mutex_lock(&cache->mutex);
    if (!may_reside_locked(cache, block) && !cache->is_draining)
        drain_locked(cache, cache->batch_bytes > charge_of(block) ? cache->batch_bytes : charge_of(block));
    struct cache_block *winner = atomic_load_explicit(&slot->block, memory_order_relaxed);
    if (winner != NULL) {
        cache_block_ref(winner);
        cache_block_touch(winner);
    } else if (may_reside_locked(cache, block)) {
        ring_add_locked(cache, slot, block);
    } else {
        cache->stats.private_count++;
    }
    io_mutex_unlock(&cache->mutex);
    if (winner == NULL)
        return block;
    cache_block_unref(block);
    return winner;
}

void cache_yield(struct cache *cache)
{
    if (excess(cache) == 0)
        return;
    io_mutex_lock(&cache->mutex);
    if (!cache->is_draining)
        drain_locked(cache, excess(cache) + cache->batch_bytes);
    io_mutex_unlock(&cache->mutex);
}

void cache_drop(struct cache *cache, struct cache_slot *slots, size_t count)
{
    struct cache_block *dropped = NULL;
    for (size_t done = 0; done < count;) {
        size_t end = count - done < DROP_STEPS ? count : done + DROP_STEPS;
        io_mutex_lock(&cache->mutex);
        for (; done < end; done++) {
            struct cache_block *block = atomic_load_explicit(&slots[done].block, memory_order_relaxed);
            if (block == NULL)
                continue;
            ring_remove_locked(cache, block);
            block->next = dropped;
            dropped = block;
        }
        io_mutex_unlock(&cache->mutex);
        while (dropped != NULL) {
            struct cache_block *next = dropped->next;
            cache_block_unref(dropped);
            dropped = next;
        }
    }
}

struct cache_stats cache_stats_get(struct cache *cache)
{
    io_mutex_lock(&cache->mutex);
    struct cache_stats stats = cache->stats;
    io_mutex_unlock(&cache->mutex);
    return stats;
}

struct scratch_pool *cache_scratch_pool(struct cache *cache)
{
    return &cache->scratches;
}
