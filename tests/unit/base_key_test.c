#include "base_test_support.h"

#include "base/key.h"

enum { ROUNDS = 200000 };

static struct kvs_slice random_slice(uint64_t *random, uint8_t *bytes, size_t limit)
{
    size_t size = (size_t)(next_random(random) % (limit + 1));
    /* Few different bytes, so that slices share prefixes and are often equal. */
    for (size_t index = 0; index < size; index++)
        bytes[index] = (const uint8_t[]){0x00, 0x01, 0x7F, 0x80, 0xFF}[next_random(random) % 5];
    return slice_of(bytes, size);
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

/* Scans would return keys in an order that depends on the sign of char, or lose a key that is another's prefix. */
static void slice_order_is_unsigned_and_prefix_first(void **state)
{
    (void)state;
    assert_true(slice_compare(slice_of_text("a"), slice_of_text("b")) < 0);
    assert_true(slice_compare(slice_of_text("a"), slice_of_text("\xFF")) < 0);
    assert_true(slice_compare(slice_of_text("a"), slice_of_text("ab")) < 0);
    assert_true(slice_compare(slice_of(NULL, 0), slice_of_text("")) == 0);
    assert_true(slice_compare(slice_of(NULL, 0), slice_of("\0", 1)) < 0);
    assert_true(slice_compare(slice_of("a\0", 2), slice_of("a", 1)) > 0);
    assert_true(slice_equal(slice_of(NULL, 0), slice_of_text("")));
    assert_false(slice_equal(slice_of_text("a"), slice_of_text("b")));
    assert_true(slice_has_prefix(slice_of_text("abc"), slice_of_text("ab")));
    assert_true(slice_has_prefix(slice_of_text("abc"), slice_of(NULL, 0)));
    assert_false(slice_has_prefix(slice_of_text("ab"), slice_of_text("abc")));
    assert_int_equal(slice_shared_prefix(slice_of_text("abcd"), slice_of_text("abxd")), 2);
    assert_int_equal(slice_shared_prefix(slice_of_text("ab"), slice_of_text("abxd")), 2);
    assert_int_equal(slice_shared_prefix(slice_of(NULL, 0), slice_of_text("a")), 0);
}

/* A search by hints would go to the wrong side of a node and miss a key that is there. */
static void slice_hint_never_contradicts_order(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t x[12], y[12];
        struct kvs_slice a = random_slice(&random, x, sizeof x), b = random_slice(&random, y, sizeof y);
        size_t offset = (size_t)(next_random(&random) % (slice_shared_prefix(a, b) + 1));
        uint64_t hint_a = slice_hint(a, offset), hint_b = slice_hint(b, offset);
        if (slice_compare(a, b) < 0)
            assert_true(hint_a <= hint_b);
        if (hint_a < hint_b)
            assert_true(slice_compare(a, b) < 0);
    }
    assert_true(slice_hint(slice_of_text("abcdefghi"), 0) == UINT64_C(0x6162636465666768));
    assert_true(slice_hint(slice_of_text("abc"), 1) == UINT64_C(0x6263000000000000));
    assert_int_equal(slice_hint(slice_of_text("abc"), 3), 0);
    assert_int_equal(slice_hint(slice_of(NULL, 0), 9), 0);
}

/* An old version of a key would be read before its newest. */
static void key_order_is_user_key_then_newest_first(void **state)
{
    (void)state;
    struct key old = key_of(slice_of_text("k"), key_trailer(5, KEY_PUT));
    struct key new = key_of(slice_of_text("k"), key_trailer(6, KEY_DELETE));
    struct key next = key_of(slice_of_text("k\0"), key_trailer(SEQUENCE_MAX, KEY_PUT));
    next.user.size = 2;
    assert_true(key_compare(new, old) < 0);
    assert_true(key_compare(old, new) > 0);
    assert_int_equal(key_compare(old, old), 0);
    assert_true(key_compare(old, next) < 0);
}

/* A read at a sequence number would see a later write, or miss one at that number. */
static void key_seek_trailer_stands_before_entries_at_or_below(void **state)
{
    (void)state;
    struct kvs_slice user = slice_of_text("k");
    static const unsigned kinds[] = {KEY_PUT, KEY_DELETE, KEY_PUT | KEY_FLAG_EXPIRY,
                                     KEY_PUT | KEY_FLAG_BLOB | KEY_FLAG_EXPIRY};
    for (uint64_t sequence = 1; sequence < SEQUENCE_MAX; sequence = sequence * 3 + 1) {
        struct key seek = key_of(user, key_seek_trailer(sequence));
        for (size_t index = 0; index < sizeof kinds / sizeof *kinds; index++) {
            assert_true(key_compare(seek, key_of(user, key_trailer(sequence, kinds[index]))) < 0);
            assert_true(key_compare(seek, key_of(user, key_trailer(sequence - 1, kinds[index]))) < 0);
            assert_true(key_compare(seek, key_of(user, key_trailer(sequence + 1, kinds[index]))) > 0);
        }
    }
}

/* A trailer would be taken apart differently from how it was put together. */
static void key_trailer_parts_come_back(void **state)
{
    (void)state;
    uint64_t trailer = key_trailer(SEQUENCE_MAX, KEY_DELETE | KEY_FLAG_EXPIRY);
    assert_true(key_sequence(trailer) == SEQUENCE_MAX);
    assert_int_equal(key_kind(trailer), KEY_DELETE);
    assert_true(key_kind_byte_is_known(KEY_PUT));
    assert_true(key_kind_byte_is_known(KEY_DELETE));
    for (unsigned kind = 0; kind < 256; kind++) {
        if (kind != KEY_PUT && kind != KEY_DELETE)
            assert_false(key_kind_byte_is_known(kind));
    }
}

/* Sorting would loop or lose entries if the order were not one. */
static void key_order_is_antisymmetric_and_transitive(void **state)
{
    (void)state;
    uint64_t random = 2;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t bytes[3][4];
        struct key keys[3];
        for (int index = 0; index < 3; index++) {
            struct kvs_slice user = random_slice(&random, bytes[index], sizeof bytes[index]);
            keys[index] = key_of(user, key_trailer(next_random(&random) % 3, KEY_PUT));
        }
        assert_int_equal(sign(key_compare(keys[0], keys[1])), -sign(key_compare(keys[1], keys[0])));
        if (key_compare(keys[0], keys[1]) <= 0 && key_compare(keys[1], keys[2]) <= 0)
            assert_true(key_compare(keys[0], keys[2]) <= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_order_is_unsigned_and_prefix_first),
        cmocka_unit_test(slice_hint_never_contradicts_order),
        cmocka_unit_test(key_order_is_user_key_then_newest_first),
        cmocka_unit_test(key_seek_trailer_stands_before_entries_at_or_below),
        cmocka_unit_test(key_trailer_parts_come_back),
        cmocka_unit_test(key_order_is_antisymmetric_and_transitive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
