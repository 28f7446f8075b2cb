/* manifest_edit_test.c -- the bytes of a version edit. */

#include "format_golden.h"

#include "base/coding.h"
#include "format/manifest_edit.h"

#include <string.h>

static struct segment_meta sample_meta(uint64_t number, const char *smallest, const char *largest)
{
    struct segment_meta meta;
    segment_meta_init(&meta);
    meta.number = number;
    meta.file_id = UINT64_C(0x1122334455667788);
    meta.size_bytes = 70000;
    meta.file_hash = UINT64_C(0x99AABBCCDDEEFF00);
    meta.min_sequence = 5;
    meta.max_sequence = 900;
    meta.entry_count = 40;
    meta.tombstone_count = 3;
    meta.raw_key_bytes = 640;
    meta.raw_value_bytes = 99000;
    struct key first = key_of(slice_of_text(smallest), key_trailer(9, KEY_PUT));
    struct key last = key_of(slice_of_text(largest), key_trailer(5, KEY_DELETE));
    assert_int_equal(segment_meta_set_range(&meta, first, last).code, KVS_OK);
    return meta;
}

static void add_sample_segment(struct manifest_edit *edit, unsigned level, uint64_t run, uint64_t number,
                               const char *smallest, const char *largest)
{
    struct segment_meta meta = sample_meta(number, smallest, largest);
    assert_int_equal(manifest_edit_add_segment(edit, level, run, &meta).code, KVS_OK);
    segment_meta_fini(&meta);
}

/* One of everything; the caller fini's it. */
static struct manifest_edit sample_edit(void)
{
    struct manifest_edit edit;
    manifest_edit_init(&edit);
    manifest_edit_set_owner(&edit, "kvstore_server");
    edit.numbers = (struct manifest_numbers){300, 900, 41, 905, UINT64_C(1700000000000)};
    assert_int_equal(manifest_edit_remove_segment(&edit, 0, 17, 17).code, KVS_OK);
    assert_int_equal(manifest_edit_remove_segment(&edit, 7, 2, 3).code, KVS_OK);
    add_sample_segment(&edit, 7, 2, 299, "apple", "pear");
    assert_int_equal(manifest_edit_add_log(&edit, 298, 42).code, KVS_OK);
    assert_int_equal(manifest_edit_end_log(&edit, 290, 1 << 20, 41).code, KVS_OK);
    assert_int_equal(manifest_edit_drop_log(&edit, 250).code, KVS_OK);
    return edit;
}

/* The encoding of an edit in memory of exactly its size; the caller frees it. */
static uint8_t *encode(const struct manifest_edit *edit, size_t *size)
{
    *size = manifest_edit_size(edit);
    uint8_t *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_ptr_equal(manifest_edit_encode(bytes, edit), bytes + *size);
    return bytes;
}

static void check_equal(const struct manifest_edit *a, const struct manifest_edit *b)
{
    size_t a_size, b_size;
    uint8_t *a_bytes = encode(a, &a_size), *b_bytes = encode(b, &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a_bytes, b_bytes, a_size);
    free(a_bytes);
    free(b_bytes);
}

/* Manifests on disk must stay readable. */
static void manifest_edit_golden(void **state)
{
    (void)state;
    struct manifest_edit edit = sample_edit();
    size_t size;
    uint8_t *bytes = encode(&edit, &size);
    golden_check("manifest_edit", bytes, size);
    free(bytes);
    manifest_edit_fini(&edit);
}

static void check_segment(const struct manifest_added *added)
{
    assert_int_equal(added->level, 7);
    assert_int_equal(added->run, 2);
    assert_int_equal(added->meta.number, 299);
    assert_true(added->meta.file_id == UINT64_C(0x1122334455667788));
    assert_int_equal(added->meta.size_bytes, 70000);
    assert_true(added->meta.file_hash == UINT64_C(0x99AABBCCDDEEFF00));
    assert_int_equal(added->meta.min_sequence, 5);
    assert_int_equal(added->meta.max_sequence, 900);
    assert_int_equal(added->meta.entry_count, 40);
    assert_int_equal(added->meta.tombstone_count, 3);
    assert_int_equal(added->meta.raw_key_bytes, 640);
    assert_int_equal(added->meta.raw_value_bytes, 99000);
    assert_true(slice_equal(added->meta.smallest.user, slice_of_text("apple")));
    assert_true(slice_equal(added->meta.largest.user, slice_of_text("pear")));
    assert_int_equal(added->meta.smallest.trailer, key_trailer(9, KEY_PUT));
    assert_int_equal(added->meta.largest.trailer, key_trailer(5, KEY_DELETE));
}

/* What was installed is what recovery finds. */
static void manifest_edit_encoded_is_decoded_back(void **state)
{
    (void)state;
    struct manifest_edit edit = sample_edit(), decoded;
    size_t size;
    uint8_t *bytes = encode(&edit, &size);
    assert_int_equal(manifest_edit_decode(&decoded, bytes, size, "f", 0).code, KVS_OK);
    assert_true(decoded.has_owner);
    assert_string_equal(decoded.owner, "kvstore_server");
    assert_memory_equal(&decoded.numbers, &edit.numbers, sizeof edit.numbers);
    assert_int_equal(decoded.removed_count, 2);
    assert_int_equal(decoded.removed[1].level, 7);
    assert_int_equal(decoded.removed[1].run, 2);
    assert_int_equal(decoded.removed[1].number, 3);
    assert_int_equal(decoded.added_count, 1);
    check_segment(&decoded.added[0]);
    assert_int_equal(decoded.logs_added_count, 1);
    assert_int_equal(decoded.logs_added[0].number, 298);
    assert_int_equal(decoded.logs_added[0].first_record, 42);
    assert_int_equal(decoded.logs_ended_count, 1);
    assert_int_equal(decoded.logs_ended[0].size_bytes, 1 << 20);
    assert_int_equal(decoded.logs_ended[0].last_record, 41);
    assert_int_equal(decoded.logs_dropped_count, 1);
    assert_int_equal(decoded.logs_dropped[0], 250);
    check_equal(&edit, &decoded);
    manifest_edit_fini(&decoded);
    manifest_edit_fini(&edit);
    free(bytes);
}

/* An edit of thousands of segments, as a full compaction makes, survives. */
static void manifest_edit_of_many_segments_is_decoded_back(void **state)
{
    (void)state;
    struct manifest_edit edit, decoded;
    size_t size;
    manifest_edit_init(&edit);
    for (uint64_t i = 1; i <= 5000; i++) {
        add_sample_segment(&edit, 7, 2, 10000 + i, "a", "b");
        assert_int_equal(manifest_edit_remove_segment(&edit, 6, 2, i).code, KVS_OK);
    }
    uint8_t *bytes = encode(&edit, &size);
    assert_int_equal(manifest_edit_decode(&decoded, bytes, size, "f", 0).code, KVS_OK);
    check_equal(&edit, &decoded);
    manifest_edit_fini(&decoded);
    manifest_edit_fini(&edit);
    free(bytes);
}

/* A damaged edit is refused or is another valid edit; it never crashes the reader, and it is never read beyond its end. */
static void manifest_edit_damaged_is_refused_or_another_edit(void **state)
{
    (void)state;
    struct manifest_edit edit = sample_edit(), decoded;
    size_t size;
    uint8_t *bytes = encode(&edit, &size);
    unsigned refused = 0;
    for (size_t bit = 0; bit < size * 8; bit++) {
        uint8_t *copy = malloc(size); /* exactly, so that AddressSanitizer sees every read beyond */
        memcpy(copy, bytes, size);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct kvs_status status = manifest_edit_decode(&decoded, copy, size, "f", 0);
        if (status_is_ok(status))
            manifest_edit_fini(&decoded);
        else
            assert_true(status.code == KVS_CORRUPT || status.code == KVS_UNSUPPORTED);
        refused += !status_is_ok(status);
        free(copy);
    }
    assert_true(refused > size);
    manifest_edit_fini(&edit);
    free(bytes);
}

/* A cut edit is refused, save where the cut is between two fields (the record's checksum guards that). */
static void manifest_edit_cut_anywhere_is_refused_or_has_fewer_fields(void **state)
{
    (void)state;
    struct manifest_edit edit = sample_edit(), decoded;
    size_t size;
    unsigned whole = 0;
    uint8_t *bytes = encode(&edit, &size);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, bytes, cut);
        struct kvs_status status = manifest_edit_decode(&decoded, copy, cut, "f", 0);
        if (status_is_ok(status)) {
            whole++;
            manifest_edit_fini(&decoded);
        } else {
            assert_int_equal(status.code, KVS_CORRUPT);
        }
        free(copy);
    }
    assert_int_equal(whole, 12); /* before each of the 12 fields */
    manifest_edit_fini(&edit);
    free(bytes);
}

static struct kvs_status decode_field(uint64_t tag, const void *body, size_t size)
{
    struct manifest_edit decoded;
    uint8_t bytes[256], *at = bytes;
    at = coding_put_varint(at, tag);
    at = coding_put_varint(at, size);
    memcpy(at, body, size);
    struct kvs_status status = manifest_edit_decode(&decoded, bytes, (size_t)(at - bytes) + size, "f", 1000);
    if (status_is_ok(status))
        manifest_edit_fini(&decoded);
    return status;
}

/* A newer version's database is refused by name, not misread; what it marks as harmless is passed over. */
static void manifest_edit_unknown_field_is_refused_unless_it_may_be_ignored(void **state)
{
    (void)state;
    struct kvs_status status = decode_field(100, "new", 3);
    assert_int_equal(status.code, KVS_UNSUPPORTED);
    assert_non_null(strstr(status_text(status), "tag 100"));
    assert_non_null(strstr(status_text(status), "offset 1000"));
    assert_int_equal(decode_field(101, "new", 3).code, KVS_OK);
}

/* Values that nobody writes are found out here, before they reach code that relies on them. */
static void manifest_edit_impossible_values_are_refused(void **state)
{
    (void)state;
    static const uint8_t level_8[] = {8, 1, 1}, number_0[] = {7, 1, 0}, log_0[] = {0, 1}, first_0[] = {5, 0};
    assert_int_equal(decode_field(14, level_8, 3).code, KVS_CORRUPT);
    assert_int_equal(decode_field(14, number_0, 3).code, KVS_CORRUPT);
    assert_int_equal(decode_field(14, level_8, 2).code, KVS_CORRUPT);
    assert_int_equal(decode_field(18, log_0, 2).code, KVS_CORRUPT);
    assert_int_equal(decode_field(18, first_0, 2).code, KVS_CORRUPT);
    assert_int_equal(decode_field(2, "an owner that is far too long for it", 36).code, KVS_CORRUPT);
    assert_int_equal(decode_field(2, "an owner\0", 9).code, KVS_CORRUPT);
}

/* Each of these makes one field of a segment wrong. */
static void spoil(struct segment_meta *meta, int how)
{
    switch (how) {
    case 0:
        meta->entry_count = 0;
        break;
    case 1:
        meta->tombstone_count = meta->entry_count + 1;
        break;
    case 2:
        meta->min_sequence = meta->max_sequence + 1;
        break;
    case 3:
        meta->max_sequence = SEQUENCE_MAX + 1;
        break;
    case 4:
        meta->smallest.trailer = key_trailer(901, KEY_PUT);
        break;
    case 5:
        meta->largest.trailer = key_trailer(4, KEY_PUT);
        break;
    case 6:
        meta->largest.user.size = 0;
        break;
    case 7:
        meta->number = 0;
        break;
    default:
        meta->size_bytes = 0;
        break;
    }
}

/* A segment whose description contradicts itself is refused: its ranges steer every lookup. */
static void manifest_edit_contradictory_segment_is_refused(void **state)
{
    (void)state;
    for (int how = 0; how <= 8; how++) {
        struct manifest_edit edit, decoded;
        size_t size;
        manifest_edit_init(&edit);
        add_sample_segment(&edit, 1, 1, 9, "a", "b");
        spoil(&edit.added[0].meta, how);
        uint8_t *bytes = encode(&edit, &size);
        struct kvs_status status = manifest_edit_decode(&decoded, bytes, size, "f", 0);
        assert_int_equal(status.code, KVS_CORRUPT);
        free(bytes);
        manifest_edit_fini(&edit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_edit_golden),
        cmocka_unit_test(manifest_edit_encoded_is_decoded_back),
        cmocka_unit_test(manifest_edit_of_many_segments_is_decoded_back),
        cmocka_unit_test(manifest_edit_damaged_is_refused_or_another_edit),
        cmocka_unit_test(manifest_edit_cut_anywhere_is_refused_or_has_fewer_fields),
        cmocka_unit_test(manifest_edit_unknown_field_is_refused_unless_it_may_be_ignored),
        cmocka_unit_test(manifest_edit_impossible_values_are_refused),
        cmocka_unit_test(manifest_edit_contradictory_segment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
