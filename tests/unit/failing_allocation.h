/* failing_allocation.h -- the Nth allocation from now fails. For one source of a test that is linked with --wrap=malloc, calloc and realloc; another
 * function that allocates is wrapped by that source with must_fail. */
#ifndef KVS_TESTS_FAILING_ALLOCATION_H
#define KVS_TESTS_FAILING_ALLOCATION_H

#include <stdbool.h>
#include <stddef.h>

static long allocations_until_failure; /* 0: none fails */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool must_fail(void)
{
    return allocations_until_failure > 0 && --allocations_until_failure == 0;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return must_fail() ? NULL : __real_realloc(memory, size);
}

#endif
