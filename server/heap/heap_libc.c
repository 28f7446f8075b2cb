#include "heap/heap.h"

#include <malloc.h>
#include <stdio.h>

/* What glibc takes from the system for one large block, and gives back with it; as a constant, for else it grows with what is freed. */
enum { LARGE_BYTES = 128 * 1024 };

/* One heap: memory that one thread allocates and another frees stays behind in a heap of the first otherwise. */
void heap_configure(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

void heap_name(char name[HEAP_NAME_BYTES])
{
    snprintf(name, HEAP_NAME_BYTES, "libc");
}
