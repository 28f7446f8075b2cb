/* format_fuzz.c -- the pure decoders of what stands in files, each on any bytes, also on none.
 *
 * Role      One meaning, one form: what a decoder takes, encoded again, is the same bytes. Where a decoder passes over what it does not know, the encoding
 *           is decoded to the same once more. A record verifies with zeros in its padding, and with nothing else.
 * Format    A byte that picks the decoder, then its bytes.
 * Failure   Aborts.
 */

#include "fuzz.h"

#include "edit_check.h"
#include "mend.h"

#include "format/batch.h"
#include "format/checksum.h"
#include "format/log_header.h"
#include "format/log_record.h"
#include "format/segment_format.h"

enum { INPUT_MAX_BYTES = 4096, FILE_ID = 5, OFFSET = 4096 };

enum decoder {
    DECODER_VARINT,
    DECODER_NAME,
    DECODER_HEADER,
    DECODER_LOG_HEADER,
    DECODER_RECORD,
    DECODER_BATCH,
    DECODER_EDIT,
    DECODER_FOOTER,
    DECODER_PROPERTIES,
    DECODER_COUNT
};

static const enum file_type header_types[] = {FILE_LOG, FILE_SEGMENT, FILE_MANIFEST, FILE_CURRENT};

static void check_varint(struct kvs_slice bytes)
{
    uint8_t again[VARINT_MAX_BYTES];
    struct cursor cursor = cursor_of(bytes.data, bytes.size);
    uint64_t value = cursor_varint(&cursor);
    if (cursor.failed) {
        KVS_ASSERT(value == 0 && cursor_rest(&cursor) == 0);
        return;
    }
    size_t size = (size_t)(coding_put_varint(again, value) - again);
    KVS_ASSERT(size == coding_varint_size(value) && size == bytes.size - cursor_rest(&cursor));
    KVS_ASSERT(memcmp(again, bytes.data, size) == 0);
}

static void check_name(struct kvs_slice bytes)
{
    char name[FILE_NAME_BYTES] = "", again[FILE_NAME_BYTES], path[IO_PATH_BYTES];
    uint64_t number = 77;
    if (bytes.size >= sizeof name)
        return;
    if (bytes.size > 0)
        memcpy(name, bytes.data, bytes.size);
    enum file_type type = file_name_parse(&number, name);
    if (type == FILE_UNKNOWN) {
        KVS_ASSERT(number == 77);
    } else if (type == FILE_TAIL) {
        uint64_t offset = strtoull(strstr(name, ".log.") + 5, NULL, 10);
        fuzz_ok(file_name_tail_path(path, "f", number, offset));
        KVS_ASSERT(strcmp(path + strlen("f/lost/"), name) == 0);
    } else {
        file_name_print(again, type, number);
        KVS_ASSERT(strcmp(again, name) == 0);
    }
}

static void check_header(const uint8_t *bytes, size_t size)
{
    uint8_t again[FILE_HEADER_BYTES];
    struct file_header header;
    for (size_t i = 0; i < sizeof header_types / sizeof *header_types; i++) {
        if (!status_is_ok(file_header_decode(&header, bytes, size, header_types[i], "input")))
            continue;
        KVS_ASSERT(header.type == header_types[i]);
        file_header_encode(again, &header);
        KVS_ASSERT(memcmp(again, bytes, sizeof again) == 0);
    }
}

static void check_log_header(const uint8_t *bytes, size_t size)
{
    uint8_t again[LOG_HEADER_BYTES];
    struct log_header header;
    if (!status_is_ok(log_header_decode(&header, bytes, size, "input")))
        return;
    log_header_encode(again, &header);
    KVS_ASSERT(memcmp(again, bytes, sizeof again) == 0);
}

/* A record with its payload and its padding, as far as they are there. */
static void check_record(const uint8_t *bytes, size_t size)
{
    uint8_t *again;
    struct log_record record;
    if (size < LOG_RECORD_HEADER_BYTES || !log_record_decode(&record, bytes, FILE_ID, OFFSET))
        return;
    KVS_ASSERT(record.number > record.watermark && record.number <= RECORD_NUMBER_MAX);
    size_t record_bytes = log_record_bytes(record.payload_bytes);
    if (record_bytes > size)
        return;
    again = fuzz_copy(bytes, record_bytes);
    memset(again, 0xEE, record_bytes);
    log_record_write(again, &record, bytes + LOG_RECORD_HEADER_BYTES, FILE_ID, OFFSET);
    KVS_ASSERT(memcmp(again, bytes, LOG_RECORD_HEADER_BYTES) == 0);
    bool verifies = log_record_payload_verifies(&record, bytes + LOG_RECORD_HEADER_BYTES);
    bool is_hash = hash_bytes(bytes + LOG_RECORD_HEADER_BYTES, record.payload_bytes) == record.payload_hash;
    KVS_ASSERT(verifies == (is_hash && memcmp(again, bytes, record_bytes) == 0));
    free(again);
}

/* The count is one that the walk itself finds, or whatever the first byte says. */
static void check_batch(const uint8_t *bytes, size_t size)
{
    struct batch_cursor cursor;
    struct batch_entry entry;
    uint32_t count = size > 0 ? bytes[0] : 0;
    struct kvs_slice payload = size > 1 ? slice_of(bytes + 1, size - 1) : slice_of(NULL, 0);
    uint8_t *again = malloc(size + 1), *at = again;
    uint64_t sequence = 9;
    if (again == NULL)
        abort();
    batch_cursor_init(&cursor, payload, count, sequence);
    while (batch_cursor_next(&cursor, &entry)) {
        KVS_ASSERT(entry.sequence == sequence++);
        KVS_ASSERT(batch_entry_bytes(entry.kind_byte, entry.key.size, entry.value.size) <= size - (size_t)(at - again));
        at = batch_put_entry(at, entry.kind_byte, entry.key, entry.value);
    }
    struct kvs_status status = batch_cursor_status(&cursor);
    bool is_whole = status_is_ok(status);
    if (!is_whole && payload.size == 0)
        KVS_ASSERT(strstr(status_text(status), "at byte 0:") != NULL);
    KVS_ASSERT(is_whole == status_is_ok(batch_check(payload, count)));
    if (is_whole)
        KVS_ASSERT(sequence == 9 + count && slice_equal(slice_of(again, (size_t)(at - again)), payload));
    free(again);
}

static void check_edit(const uint8_t *bytes, size_t size)
{
    struct manifest_edit edit;
    if (!status_is_ok(manifest_edit_decode(&edit, bytes, size, "input", 0)))
        return;
    edit_check_again(&edit);
    manifest_edit_fini(&edit);
}

static void check_footer(const uint8_t *bytes, size_t size)
{
    uint8_t again[SEGMENT_FOOTER_BYTES];
    struct segment_footer footer;
    if (size < SEGMENT_FOOTER_BYTES || !status_is_ok(segment_footer_decode(&footer, bytes, FILE_ID, OFFSET, "input")))
        return;
    segment_footer_encode(again, &footer, FILE_ID, OFFSET);
    KVS_ASSERT(memcmp(again, bytes, sizeof again) == 0);
    KVS_ASSERT(footer.filter.offset >= FILE_HEADER_BYTES &&
               footer.properties.offset + footer.properties.size == OFFSET);
}

static void check_properties(const uint8_t *bytes, size_t size)
{
    struct segment_properties properties, again;
    struct buffer once = {0}, twice = {0};
    if (!status_is_ok(segment_properties_decode(&properties, slice_of(bytes, size), 0, "input")))
        return;
    fuzz_ok(segment_properties_append(&once, &properties));
    fuzz_ok(segment_properties_decode(&again, buffer_slice(&once), 0, "again"));
    fuzz_ok(segment_properties_append(&twice, &again));
    KVS_ASSERT(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
    buffer_fini(&once);
    buffer_fini(&twice);
}

/* ---- Mending ---- */

static void mend_header(uint8_t *bytes, size_t size, enum file_type type)
{
    if (size < FILE_HEADER_BYTES)
        return;
    struct file_header header = {.type = type,
                                 .file_id = coding_get_u64(bytes + 32),
                                 .number = coding_get_u64(bytes + 40),
                                 .may = coding_get_u32(bytes + 52)};
    memcpy(header.uuid, bytes + 16, sizeof header.uuid);
    file_header_encode(bytes, &header);
}

static void mend_log_header(uint8_t *bytes, size_t size)
{
    mend_header(bytes, size, FILE_LOG);
    if (size >= LOG_HEADER_BYTES)
        coding_put_u64(bytes + 72,
                       checksum_of(bytes + FILE_HEADER_BYTES, 8, coding_get_u64(bytes + 32), FILE_HEADER_BYTES));
}

static void mend_record(uint8_t *bytes, size_t size)
{
    if (size < LOG_RECORD_HEADER_BYTES)
        return;
    size_t payload_bytes = coding_get_u32(bytes + 40) % (uint32_t)(size - LOG_RECORD_HEADER_BYTES + 1);
    uint64_t hash = hash_bytes(bytes + LOG_RECORD_HEADER_BYTES, payload_bytes);
    coding_put_u32(bytes + 40, (uint32_t)payload_bytes);
    coding_put_u64(bytes + 8, checksum_stamp(hash, FILE_ID, OFFSET + LOG_RECORD_HEADER_BYTES));
    coding_put_u64(bytes, checksum_of(bytes + 8, LOG_RECORD_HEADER_BYTES - 8, FILE_ID, OFFSET));
}

void fuzz_mend(uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    switch ((enum decoder)(data[0] % DECODER_COUNT)) {
    case DECODER_HEADER:
        mend_header(data + 1, size - 1, header_types[data[0] / DECODER_COUNT % 4]);
        break;
    case DECODER_LOG_HEADER:
        mend_log_header(data + 1, size - 1);
        break;
    case DECODER_RECORD:
        mend_record(data + 1, size - 1);
        break;
    case DECODER_FOOTER:
        if (size > SEGMENT_FOOTER_BYTES)
            coding_put_u64(data + 57, checksum_of(data + 1, 56, FILE_ID, OFFSET));
        break;
    default:
        break;
    }
}

static void decode(enum decoder decoder, const uint8_t *bytes, size_t size)
{
    switch (decoder) {
    case DECODER_VARINT:
        check_varint(slice_of(bytes, size));
        break;
    case DECODER_NAME:
        check_name(slice_of(bytes, size));
        break;
    case DECODER_HEADER:
        check_header(bytes, size);
        break;
    case DECODER_LOG_HEADER:
        check_log_header(bytes, size);
        break;
    case DECODER_RECORD:
        check_record(bytes, size);
        break;
    case DECODER_BATCH:
        check_batch(bytes, size);
        break;
    case DECODER_EDIT:
        check_edit(bytes, size);
        break;
    case DECODER_FOOTER:
        check_footer(bytes, size);
        break;
    default:
        check_properties(bytes, size);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX_BYTES)
        return 0;
    uint8_t *bytes = size > 1 ? fuzz_copy(data + 1, size - 1) : NULL;
    decode((enum decoder)(data[0] % DECODER_COUNT), bytes, size - 1);
    free(bytes);
    return 0;
}
