#include "bench/histogram.h"

#include <math.h>

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    histogram->total += from->total;
    if (from->max_ns > histogram->max_ns)
        histogram->max_ns = from->max_ns;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
        histogram->counts[bucket] += from->counts[bucket];
}

uint64_t histogram_bucket_max_ns(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_STEPS)
        return bucket;
    unsigned row = bucket / HISTOGRAM_STEPS - 1;
    uint64_t leading = bucket - (uint64_t)row * HISTOGRAM_STEPS;
    return ((leading + 1) << row) - 1;
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)ceil(share * (double)histogram->total);
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen >= wanted && seen != 0) {
            uint64_t ns = histogram_bucket_max_ns(bucket);
            return bucket == HISTOGRAM_BUCKETS - 1 || ns > histogram->max_ns ? histogram->max_ns : ns;
        }
    }
    return histogram->max_ns;
}
