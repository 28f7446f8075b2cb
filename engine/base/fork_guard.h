/* fork_guard.h -- noticing that one is in a forked child, for the price of a load.
 *
 * Role      A page that the kernel wipes in a child: threads and locks of the parent are not there, so a handle must refuse to work.
 * Threads   Any.
 */
#ifndef KVS_BASE_FORK_GUARD_H
#define KVS_BASE_FORK_GUARD_H

#include "base/status.h"

struct fork_guard {
    const volatile uint8_t *page; /* its first byte is 1 in the process that made it, 0 in its children */
};

/* Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status fork_guard_init(struct fork_guard *guard);
void fork_guard_fini(struct fork_guard *guard);

static inline bool fork_guard_is_parent(const struct fork_guard *guard)
{
    return *guard->page != 0;
}

#endif
