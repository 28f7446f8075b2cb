/* fault_allocator.h -- an allocator that fails when told to, in front of the real one.
 *
 * Threads   One at a time arms and clears; allocations may come from any.
 */
#ifndef KVS_TESTS_FAULT_FAULT_ALLOCATOR_H
#define KVS_TESTS_FAULT_FAULT_ALLOCATOR_H

#include <stdbool.h>
#include <stdint.h>

/* Fail the nth allocation from now, and all after it if for_good. */
void allocator_fail(uint64_t nth, bool for_good);

/* Stop failing; whether any has failed stays known until the next allocator_fail. */
void allocator_clear(void);
bool allocator_has_failed(void);

/* Blocks that were allocated and not freed; 0 where calls are wrapped (kvs_fail_allocations). */
uint64_t allocator_live_count(void);

#endif
