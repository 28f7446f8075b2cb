#include "db/pace.h"

/* What flushes are taken to do before one was measured, bytes a second. */
#define PACE_DRAIN_GUESS (UINT64_C(64) * 1024 * 1024)

/* Each quarter of the merge debt's full mark halves the rate; beyond so many halves nothing is left of it. */
enum { MERGE_STEPS_MAX = 32 };

static uint64_t at_least(uint64_t value, uint64_t least)
{
    return value > least ? value : least;
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

/* Half of the flush's whole time is added: its last sync may be slow, and there is a next one. */
static uint64_t room_rate(const struct pace_debt *debt)
{
    if (debt->whole_ns == 0)
        return 0;
    double until_ns = (double)debt->left_ns + (double)debt->whole_ns / 2;
    return at_least((uint64_t)((double)debt->room_bytes * 1e9 / until_ns), PACE_RATE_MIN);
}

static uint64_t memory_rate(const struct pace_debt *debt)
{
    return debt->memory <= PACE_COMFORT ? 0 : smaller_limit(drain_rate(debt), room_rate(debt));
}

/* Twice the flush speed at the comfortable mark, half of it at the full one, an eighth at half as much again: straight lines between powers of two. */
static uint64_t merge_rate(const struct pace_debt *debt)
{
    if (debt->merge <= PACE_COMFORT)
        return 0;
    double drain = debt->drain_rate == 0 ? (double)PACE_DRAIN_GUESS : (double)debt->drain_rate;
    double steps = 4.0 * (debt->merge - PACE_COMFORT);
    if (steps >= MERGE_STEPS_MAX)
        return PACE_RATE_MIN;
    unsigned halvings = (unsigned)steps;
    double rate = 2.0 * drain / (double)(UINT64_C(1) << halvings) * (1.0 - (steps - halvings) / 2);
    return at_least((uint64_t)rate, PACE_RATE_MIN);
}

void pace_update(struct pace *pace, const struct pace_debt *debt, uint64_t now_ns)
{
    pace->rate = smaller_limit(memory_rate(debt), merge_rate(debt));
    if (pace->rate == 0)
        pace->next_ns = 0;
    pace->updated_ns = now_ns;
}

uint64_t pace_admit(struct pace *pace, uint64_t bytes, uint64_t now_ns)
{
    if (pace->rate != 0) {
        if (pace->next_ns > now_ns + PACE_BURST_NS)
            return pace->next_ns - now_ns < PACE_WAIT_MAX_NS ? pace->next_ns : now_ns + PACE_WAIT_MAX_NS;
        uint64_t price_ns = (uint64_t)((double)bytes * 1e9 / (double)pace->rate);
        pace->next_ns = at_least(pace->next_ns, now_ns) + (price_ns < PACE_AHEAD_MAX_NS ? price_ns : PACE_AHEAD_MAX_NS);
    }
    return 0;
}
