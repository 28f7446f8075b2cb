#include "base/fork_guard.h"

#include <sys/mman.h>

enum { GUARD_BYTES = 4096 };

struct kvs_status fork_guard_init(struct fork_guard *guard)
{
    uint8_t *page = mmap(NULL, GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return STATUS(KVS_NO_MEMORY, "no memory for a page");
    /* Kernels before 4.14 do not know the wish; a child is then not noticed. */
    (void)madvise(page, GUARD_BYTES, MADV_WIPEONFORK);
    page[0] = 1;
    guard->page = page;
    return status_ok();
}

void fork_guard_fini(struct fork_guard *guard)
{
    if (guard->page != NULL)
        munmap((void *)guard->page, GUARD_BYTES);
    guard->page = NULL;
}
