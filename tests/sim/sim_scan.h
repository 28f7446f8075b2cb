/* sim_scan.h -- walking over an iterator and noting what it shows, which keys are there and which are not.
 *
 * Role      An iterator shows one moment, so all that a walk has seen, in any direction, must fit one state of history.
 * Threads   One fiber; others may run during each step.
 */
#ifndef KVS_TESTS_SIM_SIM_SCAN_H
#define KVS_TESTS_SIM_SIM_SCAN_H

#include "sim.h"

/* begin, end  the ranks of the keys in bounds
 * from, to    the iterator's moment lies between these sequence numbers
 * at          the rank of the key that it stands on, if valid
 * known       which ranks' values are known; values: SIM_ABSENT for those not there */
struct sim_scan {
    struct sim *sim;
    const char *who;
    struct kvs_iterator *iterator;
    size_t begin, end;
    uint64_t from, to;
    size_t at;
    bool known[SIM_KEYS_MAX];
    uint32_t values[SIM_KEYS_MAX];
};

/* Make an iterator; options as for kvs_iterator_new. Returns false where that failed for a good reason. */
bool sim_scan_open(struct sim_scan *scan, struct sim *sim, const char *who, const struct kvs_iterator_options *options);

/* Moves. Each returns whether the iterator stands on an entry; false also after a failure with a good reason. */
bool sim_scan_first(struct sim_scan *scan);
bool sim_scan_last(struct sim_scan *scan);
bool sim_scan_seek(struct sim_scan *scan, struct kvs_slice key);
bool sim_scan_seek_before(struct sim_scan *scan, struct kvs_slice key);
bool sim_scan_next(struct sim_scan *scan);
bool sim_scan_prev(struct sim_scan *scan);

/* Free the iterator, after judging what was seen or without. */
void sim_scan_judge_and_close(struct sim_scan *scan);
void sim_scan_close(struct sim_scan *scan);

#endif
