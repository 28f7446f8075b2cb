/* sim_exhaust.h -- every short workload, every crash point, every subset of what was not synced.
 *
 * Role      What the seeds draw, enumerated: sequences of a few operations on two keys; the power going before and halfway in each I/O call that changes the disk
 *           (after one call is before the next); each subset of the unsynced changes, names and bytes apart, and a kill;
 *           and, if asked for, a second crash before and halfway in each call of every recovery of these: all that is different is recovered, up to there, once.
 * Threads   One real thread; fibers as in sim.h.
 * Failure   A broken promise ends the process and says how to see it again.
 */
#ifndef KVS_TESTS_SIM_SIM_EXHAUST_H
#define KVS_TESTS_SIM_SIM_EXHAUST_H

#include <stdbool.h>
#include <stdint.h>

/* Run all workloads of up to length operations (1 to 4). drop_sync: a row of the ledger whose syncs do nothing; 0: none. crash_again: crash in each recovery, too. Prints what was done, and how many crash points had more unsynced changes than are enumerated. */
void sim_exhaust(uint64_t length, uint64_t drop_sync, bool crash_again);

#endif
