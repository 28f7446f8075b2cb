#include "format_golden.h"

#include "filter/filter_builder.h"

#include <string.h>

static void check_ok(struct kvs_status status)
{
    if (!status_is_ok(status))
        fail_msg("%s", status_text(status));
}

static uint64_t hash_of_number(uint64_t number)
{
    return filter_hash(slice_of(&number, sizeof number));
}

/* A filter of the numbers [0, count), in buffer. */
static struct filter build(struct buffer *buffer, uint64_t count, unsigned bits_per_key)
{
    struct filter_builder builder = {0};
    struct filter filter;
    for (uint64_t number = 0; number < count; number++)
        check_ok(filter_builder_add(&builder, hash_of_number(number)));
    size_t size = filter_builder_size(&builder, bits_per_key);
    check_ok(filter_builder_finish(&builder, buffer, bits_per_key));
    assert_int_equal(buffer->size, size);
    filter_builder_fini(&builder);
    assert_true(filter_open(&filter, buffer->data, buffer->size));
    return filter;
}

/* A key that is there would read as absent. */
static void filter_may_contain_every_added_key_is_true(void **state)
{
    (void)state;
    const uint64_t counts[] = {1, 2, 51, 52, 1000, 20000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (unsigned bits = 1; bits <= 32; bits += 3) {
            struct buffer buffer = {0};
            struct filter filter = build(&buffer, counts[i], bits);
            for (uint64_t number = 0; number < counts[i]; number++)
                assert_true(filter_may_contain(&filter, hash_of_number(number)));
            buffer_fini(&buffer);
        }
    }
}

static double false_positive_rate(unsigned bits_per_key)
{
    enum { KEYS = 100000, PROBES = 400000 };
    struct buffer buffer = {0};
    struct filter filter = build(&buffer, KEYS, bits_per_key);
    unsigned positives = 0;
    for (uint64_t number = 0; number < PROBES; number++)
        positives += filter_may_contain(&filter, hash_of_number(KEYS + 1 + number));
    buffer_fini(&buffer);
    return (double)positives / PROBES;
}

/* Reads of absent keys would search, and read from disk, segments for nothing. */
static void filter_may_contain_absent_keys_false_positives_within_bounds(void **state)
{
    (void)state;
    const struct {
        unsigned bits;
        double at_most;
    } expected[] = {{6, 0.070}, {8, 0.030}, {10, 0.0125}, {12, 0.0060}, {16, 0.0017}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        double rate = false_positive_rate(expected[i].bits);
        print_message("%u bits per key: %.4f %% false positives\n", expected[i].bits, 100 * rate);
        assert_true(rate <= expected[i].at_most);
        assert_true(rate > 0);
    }
}

/* Filters of existing segments would deny keys that are there. */
static void filter_builder_tiny_filter_matches_golden_bytes(void **state)
{
    (void)state;
    struct filter_builder builder = {0};
    struct buffer buffer = {0};
    check_ok(filter_builder_add(&builder, filter_hash(slice_of_text("apple"))));
    check_ok(filter_builder_add(&builder, filter_hash(slice_of_text("apple"))));
    check_ok(filter_builder_add(&builder, filter_hash(slice_of_text("pear"))));
    assert_int_equal(builder.hashes.size, 2 * sizeof(uint64_t));
    check_ok(filter_builder_finish(&builder, &buffer, 10));
    golden_check("filter_tiny", buffer.data, buffer.size);
    buffer_fini(&buffer);
    filter_builder_fini(&builder);
}

/* A damaged filter would be read outside its bytes. */
static void filter_open_impossible_sizes_and_probes_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[2 * FILTER_LINE_BYTES + 2] = {0};
    struct filter filter;
    for (size_t size = 0; size <= sizeof bytes; size++) {
        memset(bytes, 6, sizeof bytes);
        bool is_whole = size == FILTER_LINE_BYTES + 1 || size == 2 * FILTER_LINE_BYTES + 1;
        assert_int_equal(filter_open(&filter, bytes, size), is_whole);
        if (size == 0)
            continue;
        bytes[size - 1] = 0;
        assert_false(filter_open(&filter, bytes, size));
        bytes[size - 1] = FILTER_PROBES_MAX + 1;
        assert_false(filter_open(&filter, bytes, size));
    }
}

/* A segment without a filter would lose its keys. */
static void filter_may_contain_without_filter_is_true(void **state)
{
    (void)state;
    const struct filter none = {0};
    assert_true(filter_may_contain(&none, 0));
    assert_true(filter_may_contain(&none, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_may_contain_every_added_key_is_true),
        cmocka_unit_test(filter_may_contain_absent_keys_false_positives_within_bounds),
        cmocka_unit_test(filter_builder_tiny_filter_matches_golden_bytes),
        cmocka_unit_test(filter_open_impossible_sizes_and_probes_are_refused),
        cmocka_unit_test(filter_may_contain_without_filter_is_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
