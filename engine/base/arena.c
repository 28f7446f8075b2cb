#include "base/arena.h"

#include <stdlib.h>
#include <sys/mman.h>

/* From here on an arena is a mapping of its own: its memory goes back to the system when it is freed, whatever the heap does, and may be huge pages, which
 * save a memtable most of its address translation misses. */
enum { ARENA_PAGE_BYTES = 4096, ARENA_MAPPED_BYTES = 4 * 1024 * 1024, ARENA_HUGE_BYTES = 2 * 1024 * 1024 };

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) & ~(unit - 1);
}

/* A mapping that begins at a multiple of the huge page size: one that is larger by such a page, trimmed at both ends. */
static uint8_t *map_aligned(size_t size)
{
    size_t whole = size + ARENA_HUGE_BYTES;
    uint8_t *mapped = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    uint8_t *start = (uint8_t *)round_up((size_t)mapped, ARENA_HUGE_BYTES);
    size_t before = (size_t)(start - mapped);
    if (before != 0)
        munmap(mapped, before);
    munmap(start + size, ARENA_HUGE_BYTES - before);
    (void)madvise(start, size, MADV_HUGEPAGE); /* a wish: without it the arena is slower, not wrong */
    return start;
}

struct kvs_status arena_init(struct arena *arena, size_t capacity)
{
    bool is_mapped = capacity >= ARENA_MAPPED_BYTES;
    size_t rounded = capacity > SIZE_MAX - 2 * (size_t)ARENA_HUGE_BYTES
                         ? 0
                         : round_up(capacity, is_mapped ? ARENA_HUGE_BYTES : ARENA_PAGE_BYTES);
    uint8_t *memory = NULL;
    if (rounded != 0 || capacity == 0)
        memory = is_mapped ? map_aligned(rounded) : aligned_alloc(ARENA_PAGE_BYTES, rounded);
    if (memory == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot reserve an arena of %zu bytes", capacity);
    arena->memory = memory;
    arena->capacity = capacity;
    arena->mapped_bytes = is_mapped ? rounded : 0;
    atomic_init(&arena->used, 0);
    return status_ok();
}

void arena_fini(struct arena *arena)
{
    if (arena->mapped_bytes != 0)
        munmap(arena->memory, arena->mapped_bytes);
    else
        free(arena->memory);
    arena->memory = NULL;
    arena->capacity = arena->mapped_bytes = 0;
}
