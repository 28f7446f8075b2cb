#include "db/pace.h"

/* What flushes are taken to do before one was measured, bytes a second. */
#define PACE_DRAIN_GUESS (UINT64_C(64) * 1024 * 1024)

/* Merge debt slows writers to this part of the flush speed at most: a byte is rewritten some ten times on its way down. */
enum { PACE_DRAIN_SHARE = 16 };

static uint64_t at_least(uint64_t value, uint64_t least)
{
    return value > least ? value : least;
}

/* What writers did since the last update, bytes a second. */
static uint64_t measured_rate(const struct pace *pace, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - pace->updated_ns;
    if (elapsed_ns == 0)
        return PACE_RATE_MIN;
    return at_least((uint64_t)((double)pace->admitted * 1e9 / (double)elapsed_ns), PACE_RATE_MIN);
}

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static uint64_t drain_rate(const struct pace_debt *debt)
{
    if (debt->drain_rate == 0)
        return 0;
    double over = (debt->memory - PACE_COMFORT) / (1.0 - PACE_COMFORT);
    double factor = over < 1.0 ? 2.0 - 1.1 * over : 0.9 / (over * over);
    return at_least((uint64_t)((double)debt->drain_rate * factor), PACE_RATE_MIN);
}

static uint64_t room_rate(const struct pace_debt *debt)
{
    if (debt->flushing_ns == 0)
        return 0;
    return at_least((uint64_t)((double)debt->room_bytes * 1e9 / (double)debt->flushing_ns), PACE_RATE_MIN);
}

static uint64_t memory_rate(const struct pace_debt *debt)
{
    return debt->memory <= PACE_COMFORT ? 0 : smaller_limit(drain_rate(debt), room_rate(debt));
}

/* Above the mark brake by up to a half; below it let go, more gently the nearer it is, and hold while the debt still grows. */
static double merge_step(double merge, bool growing)
{
    if (merge >= 1.5)
        return 0.5;
    if (merge >= 1.0)
        return 1.0 - (merge - 1.0) * 0.5 - (growing ? 0.1 : 0.0);
    if (growing)
        return 1.0 - 0.2 * (merge - PACE_COMFORT);
    return 1.0 + 0.3 * (1.0 - merge);
}

static uint64_t merge_rate(const struct pace *pace, const struct pace_debt *debt, uint64_t now_ns)
{
    if (debt->merge <= PACE_COMFORT)
        return 0;
    uint64_t drain = debt->drain_rate == 0 ? PACE_DRAIN_GUESS : debt->drain_rate;
    if (pace->merge_rate == 0)
        return at_least(measured_rate(pace, now_ns), drain);
    double next = (double)pace->merge_rate * merge_step(debt->merge, debt->merge > pace->last_merge);
    return at_least((uint64_t)next, at_least(drain / PACE_DRAIN_SHARE, PACE_RATE_MIN));
}

void pace_update(struct pace *pace, const struct pace_debt *debt, uint64_t now_ns)
{
    pace->merge_rate = merge_rate(pace, debt, now_ns);
    pace->rate = smaller_limit(memory_rate(debt), pace->merge_rate);
    if (pace->rate == 0)
        pace->next_ns = 0;
    pace->last_merge = debt->merge;
    pace->updated_ns = now_ns;
    pace->admitted = 0;
}

uint64_t pace_admit(struct pace *pace, uint64_t bytes, uint64_t now_ns)
{
    if (pace->rate != 0) {
        if (pace->next_ns > now_ns + PACE_BURST_NS)
            return pace->next_ns - now_ns < PACE_WAIT_MAX_NS ? pace->next_ns : now_ns + PACE_WAIT_MAX_NS;
        uint64_t price_ns = (uint64_t)((double)bytes * 1e9 / (double)pace->rate);
        pace->next_ns = at_least(pace->next_ns, now_ns) + (price_ns < PACE_AHEAD_MAX_NS ? price_ns : PACE_AHEAD_MAX_NS);
    }
    pace->admitted += bytes;
    return 0;
}
