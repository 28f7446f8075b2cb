#include "io/io_mem_bytes.h"

#include "base/assert.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* refs  how many page tables point here; a page with more than one is never written */
struct mem_page {
    _Atomic size_t refs;
    uint8_t data[MEM_PAGE_BYTES];
};

static size_t pages_for(uint64_t size)
{
    return (size_t)((size + MEM_PAGE_BYTES - 1) / MEM_PAGE_BYTES);
}

static void page_unref(struct mem_page *page)
{
    /* acq_rel: who frees has seen the last use by everyone else. */
    if (page != NULL && atomic_fetch_sub_explicit(&page->refs, 1, memory_order_acq_rel) == 1)
        free(page);
}

/* The page of an index, private and writable; NULL where there is no memory. */
static struct mem_page *page_to_write(struct mem_bytes *bytes, size_t index)
{
    struct mem_page *old = bytes->pages[index];
    if (old != NULL && atomic_load_explicit(&old->refs, memory_order_acquire) == 1)
        return old;
    struct mem_page *page = malloc(sizeof *page);
    if (page == NULL)
        return NULL;
    atomic_init(&page->refs, 1);
    if (old != NULL)
        memcpy(page->data, old->data, MEM_PAGE_BYTES);
    else
        memset(page->data, 0, MEM_PAGE_BYTES);
    page_unref(old);
    bytes->pages[index] = page;
    return page;
}

static bool reserve_table(struct mem_bytes *bytes, size_t count)
{
    if (count <= bytes->capacity)
        return true;
    size_t capacity = bytes->capacity * 2 > count ? bytes->capacity * 2 : count;
    struct mem_page **pages = realloc(bytes->pages, capacity * sizeof(struct mem_page *));
    if (pages == NULL)
        return false;
    memset(pages + bytes->capacity, 0, (capacity - bytes->capacity) * sizeof(struct mem_page *));
    bytes->pages = pages;
    bytes->capacity = capacity;
    return true;
}

void mem_bytes_fini(struct mem_bytes *bytes)
{
    for (size_t index = 0; index < bytes->capacity; index++)
        page_unref(bytes->pages[index]);
    free(bytes->pages);
    *bytes = (struct mem_bytes){0};
}

bool mem_bytes_share(struct mem_bytes *to, const struct mem_bytes *from)
{
    KVS_ASSERT(to->capacity == 0);
    size_t count = pages_for(from->size);
    if (!reserve_table(to, count))
        return false;
    for (size_t index = 0; index < count; index++) {
        struct mem_page *page = from->pages[index];
        if (page != NULL)
            atomic_fetch_add_explicit(&page->refs, 1, memory_order_relaxed);
        to->pages[index] = page;
    }
    to->size = from->size;
    return true;
}

bool mem_bytes_write(struct mem_bytes *bytes, const void *data, size_t size, uint64_t offset)
{
    KVS_ASSERT(offset <= MEM_FILE_MAX_BYTES && size <= MEM_FILE_MAX_BYTES - offset);
    if (size == 0)
        return true;
    if (!mem_bytes_extend(bytes, offset + size))
        return false;
    const uint8_t *from = data;
    while (size > 0) {
        struct mem_page *page = page_to_write(bytes, (size_t)(offset / MEM_PAGE_BYTES));
        if (page == NULL)
            return false;
        size_t start = (size_t)(offset % MEM_PAGE_BYTES);
        size_t chunk = MEM_PAGE_BYTES - start < size ? MEM_PAGE_BYTES - start : size;
        memcpy(page->data + start, from, chunk);
        from += chunk;
        offset += chunk;
        size -= chunk;
    }
    return true;
}

bool mem_bytes_extend(struct mem_bytes *bytes, uint64_t size)
{
    KVS_ASSERT(size <= MEM_FILE_MAX_BYTES);
    if (!reserve_table(bytes, pages_for(size)))
        return false;
    if (size > bytes->size)
        bytes->size = size;
    return true;
}

bool mem_bytes_resize(struct mem_bytes *bytes, uint64_t size)
{
    if (size >= bytes->size)
        return mem_bytes_extend(bytes, size);
    size_t keep = pages_for(size), tail = (size_t)(size % MEM_PAGE_BYTES);
    if (tail != 0 && bytes->pages[keep - 1] != NULL) {
        struct mem_page *page = page_to_write(bytes, keep - 1);
        if (page == NULL)
            return false;
        memset(page->data + tail, 0, MEM_PAGE_BYTES - tail);
    }
    for (size_t index = keep; index < pages_for(bytes->size); index++) {
        page_unref(bytes->pages[index]);
        bytes->pages[index] = NULL;
    }
    bytes->size = size;
    return true;
}

size_t mem_bytes_read(const struct mem_bytes *bytes, void *buffer, size_t size, uint64_t offset)
{
    if (offset >= bytes->size)
        return 0;
    if (size > bytes->size - offset)
        size = (size_t)(bytes->size - offset);
    uint8_t *to = buffer;
    for (size_t rest = size; rest > 0;) {
        const struct mem_page *page = bytes->pages[offset / MEM_PAGE_BYTES];
        size_t start = (size_t)(offset % MEM_PAGE_BYTES);
        size_t chunk = MEM_PAGE_BYTES - start < rest ? MEM_PAGE_BYTES - start : rest;
        if (page != NULL)
            memcpy(to, page->data + start, chunk);
        else
            memset(to, 0, chunk);
        to += chunk;
        offset += chunk;
        rest -= chunk;
    }
    return size;
}
