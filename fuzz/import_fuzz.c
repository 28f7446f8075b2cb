/* import_fuzz.c -- arbitrary lines as records of an import, in TSV and in JSON; arbitrary keys and values as records of an export.
 *
 * Role      What a line is read as, written in either format, is read as the same key and value; a line is never read behind its end. Any key and value are
 *           exported as one line that is imported as the same key and value, and base64 comes back.
 * Format    One byte that chooses, then a line, or: a byte for the length of a key, the key, and the value.
 * Failure   Aborts.
 */

#include "fuzz.h"

#include "base64.h"
#include "record.h"

#include "protocol/quote.h"

enum { INPUT_MAX_BYTES = 4096 };

static bool is_same(const struct record *a, const struct record *b)
{
    return slice_equal(a->key, b->key) && slice_equal(a->value, b->value);
}

/* The record as a line, and back. */
static void check_round_trip(const struct record *record, enum record_format format)
{
    struct byte_buffer line, storage;
    struct record again;
    byte_buffer_init(&line);
    byte_buffer_init(&storage);
    if (!record_append(&line, format, record))
        abort();
    char *text = (char *)byte_buffer_data(&line);
    size_t size = byte_buffer_size(&line);
    KVS_ASSERT(memchr(text, '\n', size) == text + size - 1 && quote_is_utf8(slice_of(text, size)));
    KVS_ASSERT(record_parse(&again, &storage, format, text, size - 1) == NULL);
    KVS_ASSERT(is_same(record, &again));
    byte_buffer_fini(&line);
    byte_buffer_fini(&storage);
}

static void check_record(const struct record *record)
{
    check_round_trip(record, RECORD_TSV);
    check_round_trip(record, RECORD_JSONL);
}

static void check_line(struct kvs_slice input, enum record_format format)
{
    struct byte_buffer storage;
    struct record record;
    char *line = (char *)fuzz_copy(input.data, input.size);
    byte_buffer_init(&storage);
    if (record_parse(&record, &storage, format, line, input.size) == NULL)
        check_record(&record);
    byte_buffer_fini(&storage);
    free(line);
}

/* One text for each value, one value for each text. */
static void check_base64(struct kvs_slice input)
{
    struct byte_buffer text, value;
    byte_buffer_init(&text);
    byte_buffer_init(&value);
    if (base64_append_decoded(&value, input)) {
        if (!base64_append(&text, slice_of(byte_buffer_data(&value), byte_buffer_size(&value))))
            abort();
        KVS_ASSERT(slice_equal(slice_of(byte_buffer_data(&text), byte_buffer_size(&text)), input));
    }
    byte_buffer_fini(&text);
    byte_buffer_fini(&value);
}

static void check_made(struct cursor *input)
{
    size_t size = cursor_u8(input);
    struct record record = {.key = fuzz_bytes(input, size)};
    record.value = fuzz_bytes(input, INPUT_MAX_BYTES);
    check_record(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX_BYTES)
        return 0;
    struct cursor input = cursor_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        check_line(slice_of(data + 1, size - 1), RECORD_TSV);
        break;
    case 1:
        check_line(slice_of(data + 1, size - 1), RECORD_JSONL);
        break;
    case 2:
        check_made(&input);
        break;
    default:
        check_base64(slice_of(data + 1, size - 1));
        break;
    }
    return 0;
}
