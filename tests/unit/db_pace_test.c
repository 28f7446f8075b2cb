#include "db_support.h"

#include "db/drain.h"
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
    struct drain drain = {.rate = 80 << 20};
    const uint64_t total = 100 << 20, tick = SECOND / 20;
    uint64_t used = 60 << 20, begun = SECOND;
    drain_begin(&drain, 40 << 20, 1000, begun);
    atomic_store(&drain.done, 1000); /* all is written; the sync does not come back */
    for (uint64_t now = begun + SECOND / 4; now < begun + 3 * SECOND; now += tick) {
        struct pace_debt debt = {
            .memory = (double)used / (0.8 * (double)total), .drain_rate = drain.rate, .room_bytes = total - used};
        debt.left_ns = drain_left_ns(&drain, now, &debt.whole_ns);
        pace_update(&pace, &debt, now);
        for (uint64_t at = now; at < now + tick;) {
            uint64_t until = pace_admit(&pace, 10000, at);
            used += until == 0 ? 10000 : 0;
            at = until == 0 ? at : until;
        }
        assert_true(used < total);
    }
    assert_true(pace.rate < 10 << 20);
    drain_end(&drain, 40 << 20, begun + 3 * SECOND);
    struct pace_debt debt = {.memory = 0.6, .drain_rate = 80 << 20, .room_bytes = total / 2};
    debt.left_ns = drain_left_ns(&drain, begun + 3 * SECOND, &debt.whole_ns);
    pace_update(&pace, &debt, begun + 3 * SECOND);
    assert_true(pace.rate > 80 << 20);
}

/* Memtables, the flush that takes them and writers that want more than it can do; in steps of 10 ms. */
struct overload {
    struct pace pace;
    struct drain drain;
    uint64_t now, used, sealed, taken, flush_left, sync_left, slowest;
};

enum { TABLE = 25 << 20, TABLES = 4, FLUSH_SPEED = 100 << 20, STEP = 10000000, SYNC_STEPS = 10 };

static void step_writers(struct overload *load)
{
    struct pace_debt debt = {.memory = (double)(load->sealed + load->used) / (PACE_MEMORY_FULL * TABLES * TABLE),
                             .drain_rate = load->drain.rate,
                             .room_bytes = (uint64_t)TABLES * TABLE - load->sealed - load->used};
    uint64_t admitted = 0;
    debt.left_ns = drain_left_ns(&load->drain, load->now, &debt.whole_ns);
    pace_update(&load->pace, &debt, load->now);
    for (uint64_t at = load->now; at < load->now + STEP && load->sealed + load->used < (uint64_t)TABLES * TABLE;) {
        uint64_t until = pace_admit(&load->pace, 10000, at);
        admitted += until == 0 ? 10000 : 0;
        load->used += until == 0 ? 10000 : 0;
        at = until == 0 ? at + 20000 : until;
        if (load->used >= TABLE && load->sealed < (uint64_t)(TABLES - 1) * TABLE) {
            load->used -= TABLE;
            load->sealed += TABLE;
        }
    }
    if (load->now > 5 * SECOND && admitted < load->slowest)
        load->slowest = admitted;
}

static void step_flush(struct overload *load)
{
    const uint64_t share = (uint64_t)FLUSH_SPEED / 100;
    if (load->taken == 0 && load->sealed != 0) {
        load->taken = load->flush_left = load->sealed < 2 * TABLE ? load->sealed : 2 * TABLE;
        load->sync_left = SYNC_STEPS;
        drain_begin(&load->drain, load->taken, load->taken, load->now);
    } else if (load->flush_left != 0) {
        load->flush_left -= load->flush_left < share ? load->flush_left : share;
        atomic_store(&load->drain.done, load->taken - load->flush_left);
    } else if (load->taken != 0 && --load->sync_left == 0) {
        load->sealed -= load->taken;
        drain_end(&load->drain, load->taken, load->now);
        load->taken = 0;
    }
}

/* Writers that want more than flushes can do get it evenly: no tenth of a second at which nearly nothing is let in. */
static void pace_overload_is_let_in_evenly(void **state)
{
    (void)state;
    struct overload load = {.now = SECOND, .slowest = UINT64_MAX};
    for (int step = 0; step < 3000; step++, load.now += STEP) {
        step_writers(&load);
        step_flush(&load);
    }
    assert_true(load.slowest > load.drain.rate / 100 / 2);
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

/* Merge debt brakes writers, the more the larger it is and without a jump, and lets go when it is paid. */
static void pace_merge_debt_brakes_then_releases(void **state)
{
    (void)state;
    struct pace pace = {0};
    const uint64_t drain = 80 << 20;
    uint64_t before = UINT64_MAX;
    pace_update(&pace, &(struct pace_debt){.merge = PACE_COMFORT, .drain_rate = drain}, SECOND);
    assert_int_equal(pace.rate, 0);
    for (double merge = PACE_COMFORT + 0.01; merge < 2.5; merge += 0.01) {
        pace_update(&pace, &(struct pace_debt){.merge = merge, .drain_rate = drain}, SECOND);
        assert_true(pace.rate <= before);
        assert_true(before == UINT64_MAX ? pace.rate > drain * 19 / 10
                                         : pace.rate > before * 9 / 10 || pace.rate == PACE_RATE_MIN);
        before = pace.rate;
    }
    pace_update(&pace, &(struct pace_debt){.merge = 1.0, .drain_rate = drain}, SECOND);
    assert_in_range(pace.rate, drain / 2 - 1, drain / 2 + 1);
    pace_update(&pace, &(struct pace_debt){.merge = 1e9, .drain_rate = drain}, SECOND);
    assert_int_equal(pace.rate, PACE_RATE_MIN);
    pace_update(&pace, &(struct pace_debt){.merge = 0.3, .drain_rate = drain}, SECOND);
    assert_int_equal(pace.rate, 0);
}

/* A debt that stays where it is must not slow writers further and further: what compaction can do shows only when one ends. */
static void pace_merge_debt_that_stays_keeps_the_rate(void **state)
{
    (void)state;
    struct pace pace = {0};
    struct pace_debt debt = {.merge = 1.1, .drain_rate = 80 << 20};
    pace_update(&pace, &debt, SECOND);
    uint64_t first = pace.rate;
    for (int tick = 1; tick <= 100; tick++)
        pace_update(&pace, &debt, SECOND + (uint64_t)tick * SECOND / 20);
    assert_int_equal(pace.rate, first);
    assert_true(first > debt.drain_rate / 4);
}

/* What is told of a flush: nothing while none runs; from its progress; and as long again while it stands still. */
static void drain_tells_what_is_left(void **state)
{
    (void)state;
    struct drain drain = {0};
    uint64_t whole = 1;
    assert_int_equal(drain_left_ns(&drain, SECOND, &whole), 0);
    assert_int_equal(whole, 0);
    drain_begin(&drain, 128 << 20, 1000, SECOND);
    assert_in_range(drain_left_ns(&drain, SECOND + SECOND / 2, &whole), SECOND * 3 / 2 - 1, SECOND * 3 / 2 + 1);
    atomic_store(&drain.done, 250);
    assert_int_equal(drain_left_ns(&drain, 2 * SECOND, &whole), 3 * SECOND);
    assert_int_equal(whole, 4 * SECOND);
    atomic_store(&drain.done, 1000);
    assert_int_equal(drain_left_ns(&drain, 5 * SECOND, &whole), 0);
    assert_int_equal(drain_left_ns(&drain, 7 * SECOND, &whole), 2 * SECOND);
    drain_end(&drain, 128 << 20, 9 * SECOND);
    assert_in_range(drain.rate, (16 << 20) - 1, (16 << 20) + 1);
    assert_int_equal(drain_left_ns(&drain, 10 * SECOND, &whole), 0);
    drain_begin(&drain, 128 << 20, 1000, 10 * SECOND);
    drain_end(&drain, 0, 11 * SECOND); /* failed */
    assert_in_range(drain.rate, (16 << 20) - 1, (16 << 20) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pace_comfortable_debt_admits_at_once),
        cmocka_unit_test(pace_memory_debt_settles_at_the_drain),
        cmocka_unit_test(pace_flush_that_lasts_leaves_room),
        cmocka_unit_test(pace_overload_is_let_in_evenly),
        cmocka_unit_test(pace_wait_is_bounded),
        cmocka_unit_test(pace_merge_debt_brakes_then_releases),
        cmocka_unit_test(pace_merge_debt_that_stays_keeps_the_rate),
        cmocka_unit_test(drain_tells_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
