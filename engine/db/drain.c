#include "db/drain.h"

/* What flushes are taken to do before one was measured, bytes a second. */
#define DRAIN_GUESS (UINT64_C(64) * 1024 * 1024)

void drain_begin(struct drain *drain, uint64_t bytes, uint64_t entries, uint64_t now_ns)
{
    drain->begun_ns = drain->seen_ns = now_ns;
    drain->bytes = bytes;
    drain->entries = entries;
    drain->seen = 0;
    atomic_store_explicit(&drain->done, 0, memory_order_relaxed);
}

void drain_end(struct drain *drain, uint64_t freed_bytes, uint64_t now_ns)
{
    double elapsed_ns = (double)(now_ns - drain->begun_ns + 1), before = (double)drain->rate;
    double rate = (double)freed_bytes * 1e9 / elapsed_ns;
    if (drain->begun_ns != 0 && freed_bytes != 0)
        drain->rate = (uint64_t)(before == 0 ? rate : 0.7 * before + 0.3 * rate);
    drain->begun_ns = 0;
}

/* From the part that is done; before the first, from the speed of those before. */
static uint64_t expected_ns(const struct drain *drain, uint64_t elapsed_ns)
{
    if (drain->seen != 0)
        return (uint64_t)((double)elapsed_ns * (double)(drain->entries - drain->seen) / (double)drain->seen);
    uint64_t rate = drain->rate == 0 ? DRAIN_GUESS : drain->rate;
    uint64_t whole_ns = (uint64_t)((double)drain->bytes * 1e9 / (double)rate);
    return whole_ns > elapsed_ns ? whole_ns - elapsed_ns : 0;
}

uint64_t drain_left_ns(struct drain *drain, uint64_t now_ns, uint64_t *whole_ns)
{
    *whole_ns = 0;
    if (drain->begun_ns == 0)
        return 0;
    uint64_t done = atomic_load_explicit(&drain->done, memory_order_relaxed);
    if (done > drain->seen) {
        drain->seen = done < drain->entries ? done : drain->entries;
        drain->seen_ns = now_ns;
    }
    uint64_t elapsed_ns = now_ns - drain->begun_ns, stood_ns = now_ns - drain->seen_ns;
    uint64_t left_ns = expected_ns(drain, elapsed_ns);
    left_ns = left_ns > stood_ns ? left_ns : stood_ns;
    *whole_ns = elapsed_ns + left_ns;
    return left_ns;
}
