#include "fault_allocator.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

static _Atomic uint64_t left; /* allocations until one fails; 0: none does */
static _Atomic bool fails_for_good, has_failed, is_out;

void allocator_fail(uint64_t nth, bool for_good)
{
    atomic_store(&has_failed, false);
    atomic_store(&fails_for_good, for_good);
    atomic_store(&left, nth);
}

void allocator_clear(void)
{
    atomic_store(&left, 0);
    atomic_store(&is_out, false);
}

bool allocator_has_failed(void)
{
    return atomic_load(&has_failed);
}

static bool must_fail(void)
{
    if (!atomic_load_explicit(&is_out, memory_order_relaxed)) {
        uint64_t now = atomic_load_explicit(&left, memory_order_relaxed);
        if (now == 0 || atomic_fetch_sub(&left, 1) != 1)
            return false;
        atomic_store(&is_out, atomic_load(&fails_for_good));
    }
    atomic_store(&has_failed, true);
    errno = ENOMEM;
    return true;
}

#ifdef KVS_FAULT_WRAP

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

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

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return must_fail() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

uint64_t allocator_live_count(void)
{
    return 0;
}

#else

/* The C library lets a program bring these, and keeps its own under other names. */

static _Atomic uint64_t live;

#define ALLOCATOR_EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);
ALLOCATOR_EXPORT void *malloc(size_t size);
ALLOCATOR_EXPORT void *calloc(size_t count, size_t size);
ALLOCATOR_EXPORT void *realloc(void *memory, size_t size);
ALLOCATOR_EXPORT void *aligned_alloc(size_t alignment, size_t size);
ALLOCATOR_EXPORT void *memalign(size_t alignment, size_t size);
ALLOCATOR_EXPORT int posix_memalign(void **memory, size_t alignment, size_t size);
ALLOCATOR_EXPORT void free(void *memory);

static void *counted(void *memory)
{
    if (memory != NULL)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return memory;
}

void *malloc(size_t size)
{
    return must_fail() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
    if (must_fail())
        return NULL;
    void *larger = __libc_realloc(memory, size);
    return memory == NULL ? counted(larger) : larger;
}

void *memalign(size_t alignment, size_t size)
{
    return must_fail() ? NULL : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *made = memalign(alignment, size);
    if (made == NULL)
        return ENOMEM;
    *memory = made;
    return 0;
}

void free(void *memory)
{
    if (memory != NULL)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    __libc_free(memory);
}

uint64_t allocator_live_count(void)
{
    return atomic_load(&live);
}

#endif
