/* format_log_test.c -- the log's header, its records, and the batches in them. */

#include "format_golden.h"

#include "format/batch.h"
#include "format/checksum.h"
#include "format/log_header.h"
#include "format/log_record.h"

#include <string.h>

#define FILE_ID UINT64_C(0x1122334455667788)

static struct log_header sample_header(void)
{
    struct log_header header = {
        .identity = {.type = FILE_LOG, .file_id = FILE_ID, .number = 12},
        .preallocated_bytes = 1 << 20,
    };
    memset(header.identity.uuid, 0xDB, FILE_UUID_BYTES);
    return header;
}

/* Two puts and a delete; returns the size. */
static size_t sample_batch(uint8_t payload[64])
{
    uint8_t *at = payload;
    at = batch_put_entry(at, KEY_PUT, slice_of_text("apple"), slice_of_text("red"));
    at = batch_put_entry(at, KEY_DELETE, slice_of_text("pear"), slice_of(NULL, 0));
    at = batch_put_entry(at, KEY_PUT, slice_of_text("fig"), slice_of(NULL, 0));
    return (size_t)(at - payload);
}

static struct log_record sample_record(const uint8_t *payload, size_t size)
{
    return (struct log_record){
        .number = 7,
        .watermark = 5,
        .first_sequence = 0x123456,
        .payload_hash = hash_bytes(payload, size),
        .payload_bytes = (uint32_t)size,
        .count = 3,
        .kind = LOG_BATCH,
    };
}

/* A whole log of one record at its first place; returns the size. */
static size_t sample_log(uint8_t bytes[256])
{
    uint8_t payload[64];
    size_t size = sample_batch(payload);
    struct log_header header = sample_header();
    struct log_record record = sample_record(payload, size);
    log_header_encode(bytes, &header);
    log_record_write(bytes + LOG_HEADER_BYTES, &record, payload, FILE_ID, LOG_HEADER_BYTES);
    return LOG_HEADER_BYTES + log_record_bytes(size);
}

/* Logs on disk must stay readable. */
static void format_log_golden(void **state)
{
    (void)state;
    uint8_t bytes[256];
    size_t size = sample_log(bytes);
    golden_check("format_log", bytes, size);
}

static void format_log_header_encoded_is_decoded_back(void **state)
{
    (void)state;
    uint8_t bytes[LOG_HEADER_BYTES];
    struct log_header header = sample_header(), decoded = {0};
    log_header_encode(bytes, &header);
    assert_int_equal(log_header_decode(&decoded, bytes, sizeof bytes, "f").code, KVS_OK);
    assert_int_equal(decoded.identity.number, header.identity.number);
    assert_true(decoded.identity.file_id == header.identity.file_id);
    assert_int_equal(decoded.preallocated_bytes, header.preallocated_bytes);
}

/* A log that lost its end must not pass for an empty one because its header lies. */
static void format_log_header_damaged_or_short_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[LOG_HEADER_BYTES];
    struct log_header header = sample_header(), decoded;
    for (int bit = 0; bit < LOG_HEADER_BYTES * 8; bit++) {
        log_header_encode(bytes, &header);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(log_header_decode(&decoded, bytes, sizeof bytes, "f").code, KVS_CORRUPT);
    }
    log_header_encode(bytes, &header);
    for (size_t size = 0; size < LOG_HEADER_BYTES; size++)
        assert_int_equal(log_header_decode(&decoded, bytes, size, "f").code, KVS_CORRUPT);
}

static void format_log_record_encoded_is_decoded_back(void **state)
{
    (void)state;
    uint8_t bytes[256];
    uint8_t payload[64];
    size_t size = sample_batch(payload);
    struct log_record record = sample_record(payload, size), decoded;
    sample_log(bytes);
    memset(&decoded, 0, sizeof decoded);
    assert_true(log_record_decode(&decoded, bytes + LOG_HEADER_BYTES, FILE_ID, LOG_HEADER_BYTES));
    assert_int_equal(decoded.number, record.number);
    assert_int_equal(decoded.watermark, record.watermark);
    assert_int_equal(decoded.first_sequence, record.first_sequence);
    assert_true(decoded.payload_hash == record.payload_hash);
    assert_int_equal(decoded.payload_bytes, record.payload_bytes);
    assert_int_equal(decoded.count, record.count);
    assert_int_equal(decoded.kind, record.kind);
    assert_int_equal(log_record_last_sequence(&decoded), 0x123458);
    assert_true(log_record_payload_verifies(&decoded, bytes + LOG_HEADER_BYTES + LOG_RECORD_HEADER_BYTES));
}

/* Damage anywhere in a record, its padding included, is noticed. */
static void format_log_record_any_flipped_bit_does_not_verify(void **state)
{
    (void)state;
    uint8_t bytes[256];
    uint8_t *at = bytes + LOG_HEADER_BYTES;
    size_t size = sample_log(bytes) - LOG_HEADER_BYTES;
    for (size_t bit = 0; bit < size * 8; bit++) {
        struct log_record record;
        at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        bool verifies = log_record_decode(&record, at, FILE_ID, LOG_HEADER_BYTES);
        assert_true(verifies == (bit / 8 >= LOG_RECORD_HEADER_BYTES));
        if (verifies)
            assert_false(log_record_payload_verifies(&record, at + LOG_RECORD_HEADER_BYTES));
        at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* What another file left in a reused block, or a block that the disk put elsewhere, is not taken for a record. */
static void format_log_record_in_another_place_does_not_verify(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct log_record record;
    sample_log(bytes);
    assert_false(log_record_decode(&record, bytes + LOG_HEADER_BYTES, FILE_ID, LOG_HEADER_BYTES + 8));
    assert_false(log_record_decode(&record, bytes + LOG_HEADER_BYTES, FILE_ID + 1, LOG_HEADER_BYTES));
}

/* A length that passes its own checksum is still capped before anything is allocated for it. */
static void format_log_record_with_impossible_fields_does_not_verify(void **state)
{
    (void)state;
    uint8_t bytes[LOG_RECORD_HEADER_BYTES];
    static const struct {
        int at;
        uint64_t value;
    } cases[] = {
        {16, 5},                            /* number not above the watermark */
        {16, UINT64_MAX},                   /* number over its limit */
        {40, LOG_PAYLOAD_MAX_BYTES + 1ull}, /* payload over its limit */
        {24, UINT64_MAX},                   /* sequence numbers that pass 56 bits */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct log_record record = sample_record((const uint8_t *)"", 0);
        log_record_encode(bytes, &record, FILE_ID, 80);
        coding_put_u64(bytes + cases[i].at, cases[i].value | (cases[i].at == 40 ? UINT64_C(1) << 32 : 0));
        coding_put_u64(bytes, checksum_of(bytes + 8, 40, FILE_ID, 80));
        assert_false(log_record_decode(&record, bytes, FILE_ID, 80));
    }
}

static void expect_entry(struct batch_cursor *cursor, unsigned kind, const char *key, const char *value,
                         uint64_t sequence)
{
    struct batch_entry entry;
    assert_true(batch_cursor_next(cursor, &entry));
    assert_int_equal(entry.kind_byte, kind);
    assert_true(slice_equal(entry.key, slice_of_text(key)));
    assert_true(slice_equal(entry.value, slice_of_text(value)));
    assert_int_equal(entry.sequence, sequence);
}

static void format_batch_written_is_walked_back(void **state)
{
    (void)state;
    uint8_t payload[64];
    size_t size = sample_batch(payload);
    struct batch_cursor cursor;
    struct batch_entry entry;
    assert_int_equal(size, batch_entry_bytes(KEY_PUT, 5, 3) + batch_entry_bytes(KEY_DELETE, 4, 0) +
                               batch_entry_bytes(KEY_PUT, 3, 0));
    batch_cursor_init(&cursor, slice_of(payload, size), 3, 100);
    expect_entry(&cursor, KEY_PUT, "apple", "red", 100);
    expect_entry(&cursor, KEY_DELETE, "pear", "", 101);
    expect_entry(&cursor, KEY_PUT, "fig", "", 102);
    assert_false(batch_cursor_next(&cursor, &entry));
    assert_int_equal(batch_cursor_status(&cursor).code, KVS_OK);
    assert_int_equal(batch_check(slice_of(payload, size), 3).code, KVS_OK);
}

/* The largest key and value that a client may send come back whole. */
static void format_batch_largest_entry_is_walked_back(void **state)
{
    (void)state;
    size_t size = batch_entry_bytes(KEY_PUT, KEY_MAX_BYTES, VALUE_MAX_BYTES);
    uint8_t *key = calloc(1, KEY_MAX_BYTES), *value = calloc(1, VALUE_MAX_BYTES), *payload = malloc(size);
    struct batch_cursor cursor;
    struct batch_entry entry;
    assert_ptr_equal(batch_put_entry(payload, KEY_PUT, slice_of(key, KEY_MAX_BYTES), slice_of(value, VALUE_MAX_BYTES)),
                     payload + size);
    batch_cursor_init(&cursor, slice_of(payload, size), 1, 1);
    assert_true(batch_cursor_next(&cursor, &entry));
    assert_int_equal(entry.key.size, KEY_MAX_BYTES);
    assert_int_equal(entry.value.size, VALUE_MAX_BYTES);
    free(payload);
    free(value);
    free(key);
}

struct malformed_case {
    const char *bytes;
    size_t size;
    uint32_t count;
    const char *sentence;
};

/* A batch that a bug wrote wrongly is refused with its place, not applied in part. */
static void format_batch_malformed_is_corrupt(void **state)
{
    (void)state;
    static const struct malformed_case cases[] = {
        {"", 0, 1, "entry 1 of 1 at byte 0: expected an entry, found the end"},
        {"\x02\x01k", 3, 2, "entry 2 of 2 at byte 3: expected an entry, found the end"},
        {"\x02\x01k\x02\x01k", 6, 1, "entry 2 of 1 at byte 3: expected the end, found more bytes"},
        {"\x03\x01k", 3, 1, "at byte 0: expected a kind of entry"},
        {"\x81\x01k\x00", 4, 1, "at byte 0: expected a kind of entry"},
        {"\x02\x00", 2, 1, "expected a key"},
        {"\x02\x05k", 3, 1, "expected a key"},
        {"\x02\x81\x80\x04", 4, 1, "expected a key"},
        {"\x01\x01k", 3, 1, "expected a value"},
        {"\x01\x01k\x02v", 5, 1, "expected a value"},
        {"\x01\x01k\x81\x80\x40", 6, 1, "expected a value"},
        {"\x01\x01k\x80\x00", 5, 1, "expected a value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kvs_status status = batch_check(slice_of(cases[i].bytes, cases[i].size), cases[i].count);
        assert_int_equal(status.code, KVS_CORRUPT);
        if (strstr(status_text(status), cases[i].sentence) == NULL)
            fail_msg("case %zu: %s", i, status_text(status));
    }
}

/* Every cut of a batch stops the walk inside what is there. */
static void format_batch_cut_anywhere_is_corrupt(void **state)
{
    (void)state;
    uint8_t payload[64];
    size_t size = sample_batch(payload);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut > 0 ? cut : 1);
        memcpy(exact, payload, cut);
        assert_int_equal(batch_check(slice_of(exact, cut), 3).code, KVS_CORRUPT);
        free(exact);
    }
}

/* A block copied raw to a new place gets its new checksum from the old one. */
static void format_checksum_stamp_moves_without_hashing(void **state)
{
    (void)state;
    static const char bytes[] = "some block";
    uint64_t there = checksum_of(bytes, sizeof bytes, FILE_ID, 4096);
    uint64_t moved = checksum_stamp(checksum_unstamp(there, FILE_ID, 4096), FILE_ID + 1, 512);
    assert_true(moved == checksum_of(bytes, sizeof bytes, FILE_ID + 1, 512));
    assert_true(moved != there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_log_golden),
        cmocka_unit_test(format_log_header_encoded_is_decoded_back),
        cmocka_unit_test(format_log_header_damaged_or_short_is_refused),
        cmocka_unit_test(format_log_record_encoded_is_decoded_back),
        cmocka_unit_test(format_log_record_any_flipped_bit_does_not_verify),
        cmocka_unit_test(format_log_record_in_another_place_does_not_verify),
        cmocka_unit_test(format_log_record_with_impossible_fields_does_not_verify),
        cmocka_unit_test(format_batch_written_is_walked_back),
        cmocka_unit_test(format_batch_largest_entry_is_walked_back),
        cmocka_unit_test(format_batch_malformed_is_corrupt),
        cmocka_unit_test(format_batch_cut_anywhere_is_corrupt),
        cmocka_unit_test(format_checksum_stamp_moves_without_hashing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
