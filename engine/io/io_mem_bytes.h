/* io_mem_bytes.h -- the bytes of a simulated file: sparse pages, shared between copies until one changes them.
 *
 * Role      A page that was never written is a hole and reads as zeros; a copy costs one pointer a page. Private to io_mem.
 * Threads   Callers lock each struct; pages may be shared between disks of different threads.
 * Failure   false is always "no memory"; what was asked for may then have happened in part.
 */
#ifndef KVS_IO_IO_MEM_BYTES_H
#define KVS_IO_IO_MEM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEM_PAGE_BYTES = 4096 };

/* The largest file: bounds the page table. */
#define MEM_FILE_MAX_BYTES (UINT64_C(1) << 34)

struct mem_page;

/* pages  NULL entries are holes; nothing but zeros lies beyond size. A zeroed struct is empty. */
struct mem_bytes {
    struct mem_page **pages;
    size_t capacity; /* entries in pages */
    uint64_t size;
};

void mem_bytes_fini(struct mem_bytes *bytes);

/* Copy from into to, which is empty. */
bool mem_bytes_share(struct mem_bytes *to, const struct mem_bytes *from);

/* Write, extending as needed; offset + size is at most MEM_FILE_MAX_BYTES. */
bool mem_bytes_write(struct mem_bytes *bytes, const void *data, size_t size, uint64_t offset);

/* Make it at least size long. */
bool mem_bytes_extend(struct mem_bytes *bytes, uint64_t size);

/* Make it exactly size long. */
bool mem_bytes_resize(struct mem_bytes *bytes, uint64_t size);

/* Returns how many bytes there were to read. */
size_t mem_bytes_read(const struct mem_bytes *bytes, void *buffer, size_t size, uint64_t offset);

#endif
