#include "base/arena.h"

#include <stdlib.h>

enum { ARENA_PAGE_BYTES = 4096 };

struct kvs_status arena_init(struct arena *arena, size_t capacity)
{
    size_t rounded = (capacity + ARENA_PAGE_BYTES - 1) & ~(size_t)(ARENA_PAGE_BYTES - 1);
    uint8_t *memory = rounded < capacity ? NULL : aligned_alloc(ARENA_PAGE_BYTES, rounded);
    if (memory == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot reserve an arena of %zu bytes", capacity);
    arena->memory = memory;
    arena->capacity = capacity;
    atomic_init(&arena->used, 0);
    return status_ok();
}

void arena_fini(struct arena *arena)
{
    free(arena->memory);
    arena->memory = NULL;
    arena->capacity = 0;
}
