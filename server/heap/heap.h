/* heap.h -- the allocator of the server, and how it gives memory back.
 *
 * Role      The engine's memory is mostly blocks of a page each, in use for any time, allocated by one thread and freed by another, and more or fewer of them as
 *           memtables take or leave their part of the budget. What is freed has to go back to the system, or the resident size is the sum of the largest that
 *           each part has ever been. jemalloc does that, page by page; it is linked where it is there and no sanitizer brings an allocator of its own.
 *           (20 million records into 256M: 582 MB with glibc's default heaps, 390 to 420 MB with a single one, under 330 MB with jemalloc.)
 */
#ifndef KVS_HEAP_HEAP_H
#define KVS_HEAP_HEAP_H

/* Call first in main, before there are threads. */
void heap_configure(void);

/* Its name and version, for INFO. */
enum { HEAP_NAME_BYTES = 32 };
void heap_name(char name[HEAP_NAME_BYTES]);

#endif
