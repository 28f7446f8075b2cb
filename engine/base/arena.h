/* arena.h -- memory of one capacity, handed out in order and freed at once.
 *
 * Role      A memtable lives in one arena. Its whole capacity is reserved when it is made, outside every lock, so that an insertion never
 *           allocates: admission compares arena_rest with the batch's worst case. Untouched pages cost nothing (the mapping is lazy).
 * Threads   One thread allocates at a time; what was handed out may be read by any.
 */
#ifndef KVS_BASE_ARENA_H
#define KVS_BASE_ARENA_H

#include "base/assert.h"
#include "base/status.h"

#include <stdatomic.h>

enum { ARENA_ALIGNMENT = 8 };

struct arena {
    uint8_t *memory;
    size_t capacity;
    size_t mapped_bytes; /* of a mapping of its own; 0: from the heap */
    _Atomic size_t used; /* written by the one allocating thread, read by statistics: relaxed */
};

/* Reserve capacity bytes; their contents are undefined. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status arena_init(struct arena *arena, size_t capacity);

/* Give everything back. A zeroed arena is allowed. */
void arena_fini(struct arena *arena);

static inline size_t arena_used(const struct arena *arena)
{
    return atomic_load_explicit(&arena->used, memory_order_relaxed);
}

static inline size_t arena_rest(const struct arena *arena)
{
    return arena->capacity - arena_used(arena);
}

/* The next size bytes, aligned to ARENA_ALIGNMENT, or to alignment (a power of two, from the arena's page-aligned start). The caller has made sure
 * of the room: running out is our own mistake. */
static inline void *arena_alloc_aligned(struct arena *arena, size_t size, size_t alignment)
{
    size_t start = (arena_used(arena) + alignment - 1) & ~(alignment - 1);
    KVS_ASSERT(start <= arena->capacity && size <= arena->capacity - start);
    atomic_store_explicit(&arena->used, start + size, memory_order_relaxed);
    return arena->memory + start;
}

static inline void *arena_alloc(struct arena *arena, size_t size)
{
    return arena_alloc_aligned(arena, size, ARENA_ALIGNMENT);
}

#endif
