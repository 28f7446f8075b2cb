#include "db_support.h"

#include "db/pace.h"

#define SECOND UINT64_C(1000000000)

/* Writers that are not behind must never be slowed. */
static void pace_comfortable_debt_admits_at_once(void **state)
{
    (void)state;
    struct pace pace = {0};
    pace_update(&pace, &(struct pace_debt){.memory = 0.4, .merge = 0.5, .drain_rate = 1}, SECOND);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pace_admit(&pace, 1 << 20, SECOND), 0);
}

/* Under steady overload the admitted rate has to end near the drain, or memory would grow without end. */
static void pace_memory_debt_settles_at_the_drain(void **state)
{
    (void)state;
    struct pace pace = {0};
    const double drain = 50e6, tolerable = 100e6;
    double debt = 0;
    uint64_t now = SECOND, admitted_late = 0;
    for (int tick = 0; tick < 2000; tick++, now += SECOND / 100) {
        pace_update(&pace, &(struct pace_debt){.memory = debt / tolerable, .drain_rate = (uint64_t)drain}, now);
        uint64_t at = now;
        while (at < now + SECOND / 100) {
            uint64_t until = pace_admit(&pace, 100000, at);
            if (until == 0) {
                debt += 100000;
                admitted_late += tick >= 1000 ? 100000 : 0;
                at += 100000; /* a writer that could do 1 GB a second */
            } else {
                at = until;
            }
        }
        debt = debt > drain / 100 ? debt - drain / 100 : 0;
        assert_true(debt / tolerable < 1.1);
    }
    double rate = (double)admitted_late / 10;
    assert_true(rate > 0.9 * drain && rate < 1.1 * drain);
}

/* While the device stands still, writers must use up the room for less and less of the time, or one of them would wait for all of it. */
static void pace_flush_that_lasts_leaves_room(void **state)
{
    (void)state;
    struct pace pace = {0};
    const uint64_t total = 100 << 20, tick = SECOND / 20;
    uint64_t used = 60 << 20, now = SECOND;
    for (uint64_t flushing = SECOND / 4; flushing < 3 * SECOND; flushing += tick, now += tick) {
        struct pace_debt debt = {.memory = (double)used / (0.8 * (double)total),
                                 .drain_rate = 80 << 20,
                                 .room_bytes = total - used,
                                 .flushing_ns = flushing};
        pace_update(&pace, &debt, now);
        for (uint64_t at = now; at < now + tick;) {
            uint64_t until = pace_admit(&pace, 10000, at);
            used += until == 0 ? 10000 : 0;
            at = until == 0 ? at : until;
        }
        assert_true(used < total);
    }
    assert_true(pace.rate < 10 << 20);
    pace_update(&pace, &(struct pace_debt){.memory = 0.6, .drain_rate = 80 << 20, .room_bytes = total / 2}, now);
    assert_true(pace.rate > 80 << 20);
}

/* A single admission is never asked to wait long, however slow the rate and large the batch. */
static void pace_wait_is_bounded(void **state)
{
    (void)state;
    struct pace pace = {0};
    pace_update(&pace, &(struct pace_debt){.memory = 5, .drain_rate = 1}, SECOND);
    assert_int_equal(pace.rate, PACE_RATE_MIN);
    assert_int_equal(pace_admit(&pace, UINT64_C(1) << 40, SECOND), 0);
    uint64_t until = pace_admit(&pace, 1, SECOND);
    assert_true(until > SECOND && until <= SECOND + PACE_WAIT_MAX_NS);
}

/* Merge debt brakes writers below what they were doing, and lets go when it is paid. */
static void pace_merge_debt_brakes_then_releases(void **state)
{
    (void)state;
    struct pace pace = {0};
    pace_update(&pace, &(struct pace_debt){0}, SECOND);
    assert_int_equal(pace_admit(&pace, 100 << 20, SECOND), 0);
    pace_update(&pace, &(struct pace_debt){.merge = 0.6}, 2 * SECOND);
    uint64_t first = pace.rate;
    assert_in_range(first, 99 << 20, 101 << 20);
    pace_update(&pace, &(struct pace_debt){.merge = 1.2}, 3 * SECOND);
    assert_true(pace.rate < first);
    pace_update(&pace, &(struct pace_debt){.merge = 0.3}, 4 * SECOND);
    assert_int_equal(pace.rate, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pace_comfortable_debt_admits_at_once), cmocka_unit_test(pace_memory_debt_settles_at_the_drain),
        cmocka_unit_test(pace_flush_that_lasts_leaves_room),    cmocka_unit_test(pace_wait_is_bounded),
        cmocka_unit_test(pace_merge_debt_brakes_then_releases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
