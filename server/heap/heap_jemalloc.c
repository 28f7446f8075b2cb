#include "heap/heap.h"

#include <jemalloc/jemalloc.h>
#include <stdio.h>

/* Read by jemalloc before main: one arena, since threads have caches of their own, and freed pages go back after 0.2 seconds. */
__attribute__((visibility("default"), used)) const char *malloc_conf = "narenas:1,dirty_decay_ms:200,muzzy_decay_ms:0";

void heap_configure(void)
{
    /* malloc_conf has done it. */
}

void heap_name(char name[HEAP_NAME_BYTES])
{
    const char *version;
    size_t size = sizeof version;
    if (mallctl("version", &version, &size, NULL, 0) != 0)
        version = "?";
    int digits = 0; /* what follows the hyphen names a commit */
    while (version[digits] != '\0' && version[digits] != '-')
        digits++;
    snprintf(name, HEAP_NAME_BYTES, "jemalloc-%.*s", digits, version);
}
