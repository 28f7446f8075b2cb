#include "load/latency.h"

/* One bucket per nanosecond for two rows of steps, then a row for each doubling. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < LATENCY_STEPS)
        return (unsigned)ns;
    unsigned row = 63 - (unsigned)__builtin_clzll(ns) - LATENCY_STEP_BITS;
    return row * LATENCY_STEPS + (unsigned)(ns >> row);
}

static uint64_t bucket_max_ns(unsigned bucket)
{
    if (bucket < 2 * LATENCY_STEPS)
        return bucket;
    unsigned row = bucket / LATENCY_STEPS - 1;
    return (((uint64_t)bucket - (uint64_t)row * LATENCY_STEPS + 1) << row) - 1;
}

void latency_add(struct latency *latency, uint64_t ns)
{
    latency->counts[bucket_of(ns)]++;
    latency->total++;
    if (latency->max_ns < ns)
        latency->max_ns = ns;
}

uint64_t latency_quantile_ns(const struct latency *latency, double share)
{
    double wanted = share * (double)latency->total;
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS && latency->total != 0; bucket++) {
        seen += latency->counts[bucket];
        if (seen != 0 && (double)seen >= wanted)
            return bucket_max_ns(bucket) < latency->max_ns ? bucket_max_ns(bucket) : latency->max_ns;
    }
    return latency->max_ns;
}
