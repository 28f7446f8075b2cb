/* cache.h -- blocks in memory: slots that point at them, and the clock that evicts them.
 *
 * Role      A block once read stays decompressed in a slot of its segment; a hit is one pointer load inside a read-side section (base/rcu.h), no table
 *           and no lock. A clock hand walks the ring of resident blocks and evicts those that were not used since its last turn and that nobody pins.
 *           Resident blocks are what yields when the one memory budget is used up; at least a sixteenth of the budget stays theirs.
 * Threads   Any. cache_install, cache_drop and cache_yield take the cache's mutex and may wait for a grace period: never inside a section.
 *           One grace period is paid for a whole batch of evicted blocks.
 * Failure   Only cache_new and allocating a block can fail. A block that finds no room in the budget is private: its reader has it, no slot does.
 *
 *                cache_block_new            cache_install             eviction               grace period over, last unref
 *     (nothing) ----------------> private ----------------> resident ---------> retired ------------------------------> freed
 *                                    |                                                                              ^
 *                                    +------------------------------- last unref -----------------------------------+
 */
#ifndef KVS_CACHE_CACHE_H
#define KVS_CACHE_CACHE_H

#include "base/memory_budget.h"
#include "base/rcu.h"
#include "base/status.h"
#include "io/io.h"

#include <stdatomic.h>

struct cache;

/* Where a block may be resident. Zeroed it is empty. Written under the cache's mutex, read inside sections. */
struct cache_slot {
    _Atomic(struct cache_block *) block;
};

/* size_bytes   of bytes, fixed
 * refcount     one while resident or retired, and one per holder; relaxed up, acquire-release down
 * referenced   used since the hand came by: a hint, relaxed
 * slot         where it is resident, else NULL; with next and prev under the cache's mutex (next alone links retired blocks) */
struct cache_block {
    _Atomic uint32_t refcount;
    _Atomic bool referenced;
    size_t size_bytes;
    struct cache *cache;
    struct cache_slot *slot;
    struct cache_block *next;
    struct cache_block *prev;
    uint8_t bytes[];
};

/* A copy of the cache's counters. */
struct cache_stats {
    size_t resident_count;
    size_t resident_bytes;
    uint64_t installed_count;
    uint64_t evicted_count;
    uint64_t private_count; /* blocks that found no room */
    uint64_t grace_count;   /* grace periods paid */
};

/* Make a cache whose blocks are charged to budget as MEMORY_BLOCK; budget and io must outlive it. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status cache_new(struct cache **cache, struct io *io, struct memory_budget *budget);

/* Free the cache. Nothing is resident (cache_drop) and nobody holds a block. NULL is allowed. */
void cache_free(struct cache *cache);

/* Make a private block of size bytes, undefined contents, one reference. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status cache_block_new(struct cache *cache, struct cache_block **block, size_t size_bytes);

/* Take a reference: on a block one holds already, or found in a slot inside the section that is still open. */
static inline void cache_block_ref(struct cache_block *block)
{
    atomic_fetch_add_explicit(&block->refcount, 1, memory_order_relaxed);
}

/* Drop a reference; the last frees the block. Any thread, also inside a section. NULL is allowed. */
void cache_block_unref(struct cache_block *block);

/* Note that a block was used. Stores only where the hand has been by, so that a hot block's cache line stays shared. */
static inline void cache_block_touch(struct cache_block *block)
{
    if (!atomic_load_explicit(&block->referenced, memory_order_relaxed))
        atomic_store_explicit(&block->referenced, true, memory_order_relaxed);
}

/* The block in a slot, or NULL; inside a section, valid until its end unless a reference is taken. */
static inline struct cache_block *cache_slot_get(struct cache_slot *slot)
{
    /* Acquire: the bytes were written before the block was installed. */
    return atomic_load_explicit(&slot->block, memory_order_acquire);
}

/* Offer a filled private block to a slot. Returns the block to use, with a reference that takes the place of the given one: the same, now resident or
 * (no room) still private; or the one that another thread has installed meanwhile. May evict, and wait for a grace period: not inside a section. */
struct cache_block *cache_install(struct cache *cache, struct cache_slot *slot, struct cache_block *block);

/* Empty all slots of a segment that no section can reach any more; pinned blocks live on until their last unref. */
void cache_drop(struct cache *cache, struct cache_slot *slots, size_t count);

/* Whether a block of size bytes fits in the budget without evicting anything. */
bool cache_has_room(const struct cache *cache, size_t size_bytes);

/* Evict until the budget is met, the cache is at its floor, or all blocks are pinned; for those who have just charged a lot. Not inside a section. */
void cache_yield(struct cache *cache);

struct cache_stats cache_stats_get(struct cache *cache);

/* The working memory that readers of this cache share. */
struct scratch_pool *cache_scratch_pool(struct cache *cache);

#endif
