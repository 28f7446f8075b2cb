#include "base_test_support.h"

#include "base/coding.h"
#include "base/hash.h"

/* Numbers around each length of a varint. */
static uint64_t edge(int index)
{
    uint64_t power = index / 3 < 64 ? UINT64_C(1) << index / 3 : 0;
    return power - 1 + (uint64_t)(index % 3);
}

/* Files written on one machine would be unreadable on another. */
static void coding_words_golden_bytes(void **state)
{
    (void)state;
    uint8_t bytes[14];
    static const uint8_t golden[14] = {0x02, 0x01, 0x06, 0x05, 0x04, 0x03, 0x0E,
                                       0x0D, 0x0C, 0x0B, 0x0A, 0x09, 0x08, 0x07};
    coding_put_u16(bytes, 0x0102);
    coding_put_u32(bytes + 2, 0x03040506);
    coding_put_u64(bytes + 6, UINT64_C(0x0708090A0B0C0D0E));
    assert_memory_equal(bytes, golden, sizeof golden);
    assert_int_equal(coding_get_u16(bytes), 0x0102);
    assert_int_equal(coding_get_u32(bytes + 2), 0x03040506);
    assert_int_equal(coding_get_u64(bytes + 6), UINT64_C(0x0708090A0B0C0D0E));
}

/* Lengths and sequence numbers would come back changed. */
static void coding_varint_round_trip_with_announced_size(void **state)
{
    (void)state;
    for (int index = 0; index < 3 * 64; index++) {
        uint8_t bytes[VARINT_MAX_BYTES + 1];
        uint64_t value = edge(index);
        uint8_t *end = coding_put_varint(bytes, value);
        size_t size = (size_t)(end - bytes);
        assert_int_equal(size, coding_varint_size(value));
        assert_in_range(size, 1, VARINT_MAX_BYTES);
        struct cursor cursor = cursor_of(bytes, size);
        assert_true(cursor_varint(&cursor) == value);
        assert_true(cursor_is_done(&cursor));
        for (size_t shorter = 0; shorter < size; shorter++) {
            cursor = cursor_of(bytes, shorter);
            assert_int_equal(cursor_varint(&cursor), 0);
            assert_true(cursor.failed);
        }
    }
}

static bool varint_is_refused(const uint8_t *bytes, size_t size)
{
    struct cursor cursor = cursor_of(bytes, size);
    return cursor_varint(&cursor) == 0 && cursor.failed && cursor_rest(&cursor) == 0;
}

/* One number would have many encodings, so a file that differs would verify as the same. */
static void coding_varint_overlong_and_too_large_refused(void **state)
{
    (void)state;
    assert_true(varint_is_refused((const uint8_t[]){0x80, 0x00}, 2));
    assert_true(varint_is_refused((const uint8_t[]){0xFF, 0x80, 0x00}, 3));
    uint8_t longest[11] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x00};
    struct cursor cursor = cursor_of(longest, 10);
    assert_true(cursor_varint(&cursor) == UINT64_MAX);
    longest[9] = 0x02;
    assert_true(varint_is_refused(longest, 10));
    longest[9] = 0x80;
    assert_true(varint_is_refused(longest, 11));
    longest[9] = 0x81;
    assert_true(varint_is_refused(longest, 11));
    longest[9] = 0x00;
    assert_true(varint_is_refused(longest, 10));
}

/* A damaged file would make the parser read beyond its block. */
static void cursor_never_passes_its_end(void **state)
{
    (void)state;
    static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct cursor cursor = cursor_of(bytes, size);
        assert_true(cursor_u32(&cursor) == (size >= 4 ? 0x04030201 : 0));
        assert_int_equal(cursor.failed, size < 4);
        cursor = cursor_of(bytes, size);
        assert_true(cursor_u64(&cursor) == (size >= 8 ? UINT64_C(0x0807060504030201) : 0));
        assert_int_equal(cursor.failed, size < 8);
        cursor = cursor_of(bytes, size);
        assert_int_equal(cursor_u8(&cursor), size >= 1 ? 1 : 0);
        cursor = cursor_of(bytes, size);
        assert_int_equal(cursor_bytes(&cursor, 5).size, size >= 5 ? 5 : 0);
        assert_int_equal(cursor.failed, size < 5);
        cursor = cursor_of(bytes, size);
        assert_int_equal(cursor_bytes(&cursor, UINT64_MAX).size, 0);
        assert_true(cursor.failed && cursor.at == cursor.end);
    }
    struct cursor empty = cursor_of(NULL, 0);
    assert_true(cursor_is_done(&empty));
    assert_int_equal(cursor_bytes(&empty, 0).size, 0);
    assert_true(cursor_is_done(&empty));
}

/* A parser that checks once at the end would take a half-read record for a whole one. */
static void cursor_failure_is_sticky(void **state)
{
    (void)state;
    static const uint8_t bytes[6] = {1, 2, 3, 4, 5, 6};
    struct cursor cursor = cursor_of(bytes, sizeof bytes);
    assert_int_equal(cursor_u32(&cursor), 0x04030201);
    assert_int_equal(cursor_u32(&cursor), 0);
    assert_int_equal(cursor_u8(&cursor), 0);
    assert_int_equal(cursor_varint(&cursor), 0);
    assert_int_equal(cursor_bytes(&cursor, 0).size, 0);
    assert_true(cursor.failed);
    assert_false(cursor_is_done(&cursor));
    cursor = cursor_of(bytes, sizeof bytes);
    assert_int_equal(cursor_u32(&cursor), 0x04030201);
    assert_false(cursor_is_done(&cursor));
}

/* A length from a damaged file would be believed. */
static void cursor_sized_bytes_limited(void **state)
{
    (void)state;
    static const uint8_t bytes[5] = {3, 'a', 'b', 'c', 'd'};
    struct cursor cursor = cursor_of(bytes, sizeof bytes);
    struct kvs_slice slice = cursor_sized_bytes(&cursor, 3);
    assert_int_equal(slice.size, 3);
    assert_memory_equal(slice.data, "abc", 3);
    assert_int_equal(cursor_rest(&cursor), 1);
    cursor = cursor_of(bytes, sizeof bytes);
    assert_int_equal(cursor_sized_bytes(&cursor, 2).size, 0);
    assert_true(cursor.failed);
    cursor = cursor_of(bytes, 3);
    assert_int_equal(cursor_sized_bytes(&cursor, 3).size, 0);
    assert_true(cursor.failed);
}

/* Random bytes must end every read within bounds, whatever they say; AddressSanitizer watches. */
static void cursor_random_bytes_stay_within_bounds(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[16];
        size_t size = (size_t)(next_random(&random) % sizeof bytes);
        for (size_t index = 0; index < size; index++)
            bytes[index] = (uint8_t)next_random(&random);
        struct cursor cursor = cursor_of(bytes, size);
        while (!cursor.failed && cursor.at < cursor.end) {
            const uint8_t *before = cursor.at;
            switch (next_random(&random) % 5) {
            case 0:
                cursor_u8(&cursor);
                break;
            case 1:
                cursor_u32(&cursor);
                break;
            case 2:
                cursor_u64(&cursor);
                break;
            case 3:
                cursor_varint(&cursor);
                break;
            default:
                cursor_sized_bytes(&cursor, 8);
                break;
            }
            assert_true(cursor.at > before && cursor.at <= bytes + size);
        }
    }
}

/* A changed hash would make every file on disk unreadable. */
static void hash_golden_values(void **state)
{
    (void)state;
    assert_true(hash_bytes("", 0) == UINT64_C(0x2D06800538D394C2));
    assert_true(hash_bytes("kvstore", 7) != hash_bytes("kvstorf", 7));
    assert_true(hash_mix(0, 0) == UINT64_C(0xE220A8397B1DCDAF));
    assert_true(hash_mix(1, 2) != hash_mix(2, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coding_words_golden_bytes),
        cmocka_unit_test(coding_varint_round_trip_with_announced_size),
        cmocka_unit_test(coding_varint_overlong_and_too_large_refused),
        cmocka_unit_test(cursor_never_passes_its_end),
        cmocka_unit_test(cursor_failure_is_sticky),
        cmocka_unit_test(cursor_sized_bytes_limited),
        cmocka_unit_test(cursor_random_bytes_stay_within_bounds),
        cmocka_unit_test(hash_golden_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
