/* histogram.h -- durations in buckets whose width grows with the duration.
 *
 * Role      Latency of every operation in constant memory: 128 buckets for each doubling, so that a percentile is off by less than 1 %.
 * Threads   One owner at a time; each worker has its own, merged afterwards.
 * Failure   None: durations over the last bucket (about 18 minutes) count in it; max is exact.
 */
#ifndef KVS_BENCH_HISTOGRAM_H
#define KVS_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 7,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_VALUE_BITS = 40,
    /* One bucket per nanosecond up to two rows of steps, then one row for each doubling. */
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS,
};

/* A zeroed histogram is empty. */
struct histogram {
    uint64_t total;
    uint64_t max_ns;
    uint64_t counts[HISTOGRAM_BUCKETS];
};

/* The bucket of a duration: durations of one doubling share a row, their leading bits choose the step. */
static inline unsigned histogram_bucket(uint64_t ns)
{
    if (ns >= UINT64_C(1) << HISTOGRAM_VALUE_BITS)
        return HISTOGRAM_BUCKETS - 1;
    if (ns < HISTOGRAM_STEPS)
        return (unsigned)ns;
    unsigned row = 63 - (unsigned)__builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
    return (unsigned)(ns >> row) + row * HISTOGRAM_STEPS;
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->counts[histogram_bucket(ns)]++;
    histogram->total++;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

/* Add all that from has. */
void histogram_merge(struct histogram *histogram, const struct histogram *from);

/* The longest duration that falls into a bucket. */
uint64_t histogram_bucket_max_ns(unsigned bucket);

/* A duration that at least this share (0..1) of the durations do not pass, as exact as the buckets are; never over max_ns. 0 if empty. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, double share);

#endif
