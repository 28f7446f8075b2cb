#include "test_support.h"

#include "bench/dataset.h"
#include "bench/histogram.h"

#include <stdlib.h>

/* A latency would be reported as another one. */
static void histogram_bucket_holds_its_durations_within_one_percent(void **state)
{
    (void)state;
    struct random random = {1};
    for (int i = 0; i < 200000; i++) {
        uint64_t ns = random_below(&random, UINT64_C(1) << (1 + i % (HISTOGRAM_VALUE_BITS - 1)));
        unsigned bucket = histogram_bucket(ns);
        assert_true(bucket < HISTOGRAM_BUCKETS);
        uint64_t max_ns = histogram_bucket_max_ns(bucket);
        assert_true(max_ns >= ns);
        assert_true(max_ns - ns <= ns / HISTOGRAM_STEPS);
        assert_true(bucket == 0 || histogram_bucket_max_ns(bucket - 1) < ns);
    }
}

/* Neighbouring buckets would overlap or leave a gap, and a percentile jump. */
static void histogram_buckets_meet_without_gap_or_overlap(void **state)
{
    (void)state;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        uint64_t max_ns = histogram_bucket_max_ns(bucket);
        assert_int_equal(histogram_bucket(max_ns), bucket);
        if (bucket + 1 < HISTOGRAM_BUCKETS)
            assert_int_equal(histogram_bucket(max_ns + 1), bucket + 1);
    }
}

/* A stall of an hour would be lost, or write outside the histogram. */
static void histogram_add_of_huge_duration_counts_in_last_bucket_with_exact_max(void **state)
{
    (void)state;
    struct histogram *histogram = calloc(1, sizeof *histogram);
    assert_non_null(histogram);
    histogram_add(histogram, UINT64_MAX);
    histogram_add(histogram, 5);
    assert_int_equal(histogram->total, 2);
    assert_int_equal(histogram_quantile_ns(histogram, 0.5), 5);
    assert_int_equal(histogram_quantile_ns(histogram, 1), UINT64_MAX);
    free(histogram);
}

/* p99 would be another percentile. */
static void histogram_quantile_of_known_durations_is_theirs(void **state)
{
    (void)state;
    struct histogram *halves = calloc(2, sizeof *halves);
    assert_non_null(halves);
    assert_int_equal(histogram_quantile_ns(halves, 0.99), 0);
    for (uint64_t us = 1; us <= 1000; us++)
        histogram_add(&halves[us % 2], us * 1000);
    histogram_merge(&halves[0], &halves[1]);
    const double shares[] = {0.001, 0.5, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double ns = (double)histogram_quantile_ns(&halves[0], shares[i]);
        double exact = shares[i] * 1000 * 1000;
        assert_true(ns >= exact && ns <= exact * 1.01);
    }
    assert_int_equal(halves[0].max_ns, 1000000);
    free(halves);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histogram_bucket_holds_its_durations_within_one_percent),
        cmocka_unit_test(histogram_buckets_meet_without_gap_or_overlap),
        cmocka_unit_test(histogram_add_of_huge_duration_counts_in_last_bucket_with_exact_max),
        cmocka_unit_test(histogram_quantile_of_known_durations_is_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
