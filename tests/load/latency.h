/* latency.h -- durations of pipelined batches, in buckets whose width grows with the duration.
 *
 * Role      Percentiles in constant memory: 32 buckets for each doubling, so that one is off by at most 3 %. The longest is exact.
 * Threads   One owner.
 */
#ifndef KVS_LOAD_LATENCY_H
#define KVS_LOAD_LATENCY_H

#include <stdint.h>

enum { LATENCY_STEP_BITS = 5, LATENCY_STEPS = 1 << LATENCY_STEP_BITS, LATENCY_BUCKETS = 65 * LATENCY_STEPS };

/* A zeroed one is empty. */
struct latency {
    uint64_t total;
    uint64_t max_ns;
    uint64_t counts[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);

/* A duration that this share (0..1) of the durations do not pass; 0 where there are none. */
uint64_t latency_quantile_ns(const struct latency *latency, double share);

#endif
