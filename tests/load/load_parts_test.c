/* load_parts_test.c -- the parts of kvstore_load that its verdicts rest on: records, backlog and percentiles. */
#include "load/backlog.h"
#include "load/latency.h"
#include "load/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum { KEY_BYTES = 16, VALUE_BYTES = 100 };

static struct records make_records(uint64_t count, uint64_t seed)
{
    struct records records = {.count = count, .seed = seed, .key_bytes = KEY_BYTES, .value_bytes = VALUE_BYTES};
    records_init(&records);
    return records;
}

/* A record that came twice would be an overwrite, and the load smaller than it says. */
static void records_order_of_any_count_is_permutation(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 3, 4, 5, 63, 64, 65, 1000, 4096, 4097, 100003};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct records records = make_records(counts[i], i);
        bool *seen = calloc(counts[i], sizeof *seen);
        assert_non_null(seen);
        for (uint64_t place = 0; place < counts[i]; place++) {
            uint64_t record = records_at(&records, place);
            assert_true(record < counts[i]);
            assert_false(seen[record]);
            seen[record] = true;
        }
        free(seen);
    }
}

/* Neighbours in time must not be neighbours in key order: that is another, easier, load. */
static void records_order_random_mixes_places(void **state)
{
    (void)state;
    struct records records = make_records(1000000, 7);
    uint64_t ascents = 0, near = 0;
    for (uint64_t place = 0; place < 10000; place++) {
        uint64_t a = records_at(&records, place), b = records_at(&records, place + 1);
        ascents += a < b;
        near += a > b ? a - b < 1000 : b - a < 1000;
    }
    assert_in_range(ascents, 4700, 5300);
    assert_in_range(near, 0, 60);
}

/* The key of no record may be equal to an absent one, and keys must be as long as they are said to be. */
static void records_keys_are_decimal_and_absent_ones_lie_between(void **state)
{
    (void)state;
    struct records records = make_records(20000000, 1);
    char key[KEY_BYTES], absent[KEY_BYTES], next[KEY_BYTES];
    records_key(&records, key, 1234569);
    assert_memory_equal(key, "0000000001234569", KEY_BYTES);
    records_absent_key(&records, absent, 1234569);
    assert_memory_equal(absent, "000000000123456j", KEY_BYTES);
    records_key(&records, next, 1234570);
    assert_true(memcmp(key, absent, KEY_BYTES) < 0 && memcmp(absent, next, KEY_BYTES) < 0);
}

/* The bound on disk space is about data of which compression takes about half. */
static void records_values_compress_to_half(void **state)
{
    (void)state;
    enum { COUNT = 4096 };
    struct records records = make_records(COUNT, 1);
    static char values[COUNT * VALUE_BYTES], packed[2 * sizeof values];
    for (uint64_t record = 0; record < COUNT; record++)
        records_value(&records, values + record * VALUE_BYTES, record);
    assert_memory_not_equal(values, values + VALUE_BYTES, VALUE_BYTES);
    assert_memory_equal(values, values + VALUE_BYTES / 2, VALUE_BYTES / 2);
    size_t size = ZSTD_compress(packed, sizeof packed, values, sizeof values, 1);
    assert_false(ZSTD_isError(size));
    assert_in_range(size, sizeof values * 45 / 100, sizeof values * 60 / 100);
}

/* A place that was lost between runs would be missing at the end; one taken twice would hide a loss. */
static void backlog_saved_and_restored_takes_each_place_once(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static const char path[] = "load_parts_backlog";
    int taken[COUNT] = {0};
    unlink(path);
    struct backlog backlog = {.count = COUNT};
    for (int round = 0; backlog_left(&backlog) != 0; round++) {
        assert_true(backlog_restore(&backlog, path, "load a"));
        for (int i = 0; i < 3; i++) {
            struct range range = backlog_take(&backlog, 64), rest = range;
            rest.first += (rest.end - rest.first) / (round % 2 == 0 ? 2 : 1);
            for (uint64_t place = range.first; place < rest.first; place++)
                taken[place]++;
            assert_true(backlog_put_back(&backlog, rest));
        }
        for (uint64_t place = 0; place < COUNT; place++)
            assert_int_equal(backlog_is_done(&backlog, place), taken[place]);
        assert_true(backlog_save(&backlog, path, "load a"));
        backlog_fini(&backlog);
        backlog.count = COUNT;
        assert_true(backlog_restore(&backlog, path, "load a"));
        assert_true(round < 100);
    }
    for (uint64_t place = 0; place < COUNT; place++)
        assert_int_equal(taken[place], 1);
    assert_false(backlog_restore(&backlog, path, "load b"));
    backlog_fini(&backlog);
    unlink(path);
}

/* Percentiles that are off would hide what writers wait. */
static void latency_quantiles_are_within_three_percent(void **state)
{
    (void)state;
    static struct latency latency;
    assert_int_equal(latency_quantile_ns(&latency, 0.5), 0);
    for (uint64_t us = 1; us <= 100000; us++)
        latency_add(&latency, us * 1000);
    assert_in_range(latency_quantile_ns(&latency, 0.5), 50000000, 51600000);
    assert_in_range(latency_quantile_ns(&latency, 0.99), 99000000, 100000000);
    assert_int_equal(latency_quantile_ns(&latency, 1), 100000000);
    latency_add(&latency, UINT64_MAX);
    assert_true(latency_quantile_ns(&latency, 1) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_order_of_any_count_is_permutation),
        cmocka_unit_test(records_order_random_mixes_places),
        cmocka_unit_test(records_keys_are_decimal_and_absent_ones_lie_between),
        cmocka_unit_test(records_values_compress_to_half),
        cmocka_unit_test(backlog_saved_and_restored_takes_each_place_once),
        cmocka_unit_test(latency_quantiles_are_within_three_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
