#include "test_support.h"

#include "bench/dataset.h"

#include <stdlib.h>
#include <zstd.h>

enum { RECORDS = 10000, KEY_BYTES = 16, VALUE_BYTES = 100 };

static int make_dataset(void **state)
{
    struct dataset *dataset = calloc(1, sizeof *dataset);
    if (dataset == NULL || !dataset_init(dataset, 7, RECORDS, KEY_BYTES, VALUE_BYTES))
        return -1;
    *state = dataset;
    return 0;
}

static int free_dataset(void **state)
{
    dataset_fini(*state);
    free(*state);
    return 0;
}

/* A scan would not come in the order of the indexes, and its check would be wrong. */
static void dataset_key_is_its_index_in_sixteen_digits(void **state)
{
    char key[KEY_BYTES + 1];
    assert_true(slice_equal(dataset_key(*state, key, 0), slice_of_text("0000000000000000")));
    assert_true(slice_equal(dataset_key(*state, key, 1234567), slice_of_text("0000000001234567")));
    assert_true(slice_equal(dataset_missing_key(*state, key, 42), slice_of_text("0000000000000042.")));
}

/* Misses would be answered by the range of the keys alone. */
static void dataset_missing_key_lies_between_neighbours(void **state)
{
    char key[KEY_BYTES + 1], neighbour[KEY_BYTES + 1];
    struct kvs_slice missing = dataset_missing_key(*state, key, 41);
    assert_true(slice_compare(dataset_key(*state, neighbour, 41), missing) < 0);
    assert_true(slice_compare(missing, dataset_key(*state, neighbour, 42)) < 0);
}

/* An engine that returns an old value would pass the check. */
static void dataset_value_differs_between_records_and_generations(void **state)
{
    unsigned same = 0;
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct kvs_slice value = dataset_value(*state, i, 0);
        assert_int_equal(value.size, VALUE_BYTES);
        assert_true(slice_equal(value, dataset_value(*state, i, 0)));
        same += slice_equal(value, dataset_value(*state, i, 1));
        same += slice_equal(value, dataset_value(*state, i + 1, 0));
    }
    assert_true(same <= 4 * 2 * RECORDS / DATASET_PIECES);
}

/* Compression would be measured on data that is easier or harder than said. */
static void dataset_values_compress_to_about_half(void **state)
{
    enum { VALUES = 40 };
    char block[VALUES * VALUE_BYTES], packed[2 * sizeof block];
    size_t packed_bytes = 0;
    for (uint64_t start = 0; start < RECORDS; start += VALUES) {
        for (uint64_t i = 0; i < VALUES; i++)
            memcpy(block + i * VALUE_BYTES, dataset_value(*state, start + i, 0).data, VALUE_BYTES);
        packed_bytes += ZSTD_compress(packed, sizeof packed, block, sizeof block, 1);
    }
    double share = (double)packed_bytes / (RECORDS * VALUE_BYTES);
    assert_true(share > 0.40 && share < 0.55);
}

/* A random fill would write a record twice, and miss another. */
static void permutation_visits_every_number_once(void **state)
{
    (void)state;
    const uint64_t counts[] = {1, 2, 3, 4, 5, 1000, 4096, 4097, RECORDS};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct permutation order = permutation_of(counts[i], 5);
        bool *seen = calloc(counts[i], sizeof *seen);
        assert_non_null(seen);
        for (uint64_t position = 0; position < counts[i]; position++) {
            uint64_t number = permutation_at(&order, position);
            assert_true(number < counts[i]);
            assert_false(seen[number]);
            seen[number] = true;
        }
        free(seen);
    }
}

/* A random fill would come in an order that an engine may find easy. */
static void permutation_is_in_no_simple_order(void **state)
{
    (void)state;
    struct permutation order = permutation_of(RECORDS, 1), other = permutation_of(RECORDS, 2);
    unsigned ascents = 0, same = 0;
    for (uint64_t position = 1; position < RECORDS; position++) {
        uint64_t number = permutation_at(&order, position);
        ascents += number > permutation_at(&order, position - 1);
        same += number == permutation_at(&other, position);
    }
    assert_true(ascents > RECORDS * 48 / 100 && ascents < RECORDS * 52 / 100);
    assert_true(same < 20);
}

/* Reads would be confined to a part of the records. */
static void random_below_covers_its_range_evenly(void **state)
{
    (void)state;
    enum { BUCKETS = 10, DRAWS = 100000 };
    unsigned counts[BUCKETS] = {0};
    struct random random = {3};
    for (int i = 0; i < DRAWS; i++) {
        uint64_t number = random_below(&random, BUCKETS);
        assert_true(number < BUCKETS);
        counts[number]++;
    }
    for (int i = 0; i < BUCKETS; i++)
        assert_in_range(counts[i], DRAWS / BUCKETS * 95 / 100, DRAWS / BUCKETS * 105 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dataset_key_is_its_index_in_sixteen_digits),
        cmocka_unit_test(dataset_missing_key_lies_between_neighbours),
        cmocka_unit_test(dataset_value_differs_between_records_and_generations),
        cmocka_unit_test(dataset_values_compress_to_about_half),
        cmocka_unit_test(permutation_visits_every_number_once),
        cmocka_unit_test(permutation_is_in_no_simple_order),
        cmocka_unit_test(random_below_covers_its_range_evenly),
    };
    return cmocka_run_group_tests(tests, make_dataset, free_dataset);
}
