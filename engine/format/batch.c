#include "format/batch.h"

#include "base/assert.h"

#include <inttypes.h>

size_t batch_entry_bytes(unsigned kind_byte, size_t key_size, size_t value_size)
{
    size_t bytes = 1 + coding_varint_size(key_size) + key_size;
    if (kind_byte == KEY_PUT)
        bytes += coding_varint_size(value_size) + value_size;
    return bytes;
}

static uint8_t *put_sized_bytes(uint8_t *at, struct kvs_slice bytes)
{
    at = coding_put_varint(at, bytes.size);
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

uint8_t *batch_put_entry(uint8_t *at, unsigned kind_byte, struct kvs_slice key, struct kvs_slice value)
{
    KVS_ASSERT(key_kind_byte_is_known(kind_byte));
    KVS_ASSERT(key.size > 0 && key.size <= KEY_MAX_BYTES);
    KVS_ASSERT(value.size <= (kind_byte == KEY_PUT ? VALUE_MAX_BYTES : 0));
    *at++ = (uint8_t)kind_byte;
    at = put_sized_bytes(at, key);
    return kind_byte == KEY_PUT ? put_sized_bytes(at, value) : at;
}

void batch_cursor_init(struct batch_cursor *cursor, struct kvs_slice payload, uint32_t count, uint64_t first_sequence)
{
    /* The cursor's address and not the payload's, which is none where it is empty: places are counted from it. */
    struct cursor bytes = cursor_of(payload.data, payload.size);
    *cursor = (struct batch_cursor){
        .bytes = bytes,
        .entry = bytes.at,
        .payload = bytes.at,
        .next_sequence = first_sequence,
        .count = count,
    };
}

static bool stop(struct batch_cursor *cursor, const char *complaint)
{
    cursor->complaint = complaint;
    return false;
}

bool batch_cursor_next(struct batch_cursor *cursor, struct batch_entry *entry)
{
    struct cursor *bytes = &cursor->bytes;
    if (cursor->complaint != NULL)
        return false;
    cursor->entry = bytes->at;
    if (cursor->walked == cursor->count)
        return bytes->at == bytes->end ? false : stop(cursor, "expected the end, found more bytes");
    if (bytes->at == bytes->end)
        return stop(cursor, "expected an entry, found the end");

    struct batch_entry decoded = {.kind_byte = cursor_u8(bytes), .sequence = cursor->next_sequence};
    if (!key_kind_byte_is_known(decoded.kind_byte))
        return stop(cursor, "expected a kind of entry, found an unknown one");
    decoded.key = cursor_sized_bytes(bytes, KEY_MAX_BYTES);
    if (bytes->failed || decoded.key.size == 0)
        return stop(cursor, "expected a key of 1 byte to 64 KiB, found another size or the end");
    if (decoded.kind_byte == KEY_PUT)
        decoded.value = cursor_sized_bytes(bytes, VALUE_MAX_BYTES);
    if (bytes->failed)
        return stop(cursor, "expected a value of at most 1 MiB, found another size or the end");
    cursor->walked++;
    cursor->next_sequence++;
    *entry = decoded;
    return true;
}

_Static_assert(KEY_MAX_BYTES == 64 * 1024 && VALUE_MAX_BYTES == 1024 * 1024, "the messages say so");

struct kvs_status batch_cursor_status(const struct batch_cursor *cursor)
{
    if (cursor->complaint == NULL)
        return status_ok();
    return STATUS(KVS_CORRUPT, "batch entry %" PRIu32 " of %" PRIu32 " at byte %zu: %s", cursor->walked + 1,
                  cursor->count, (size_t)(cursor->entry - cursor->payload), cursor->complaint);
}

struct kvs_status batch_check(struct kvs_slice payload, uint32_t count)
{
    struct batch_cursor cursor;
    struct batch_entry entry;
    batch_cursor_init(&cursor, payload, count, 0);
    while (batch_cursor_next(&cursor, &entry))
        continue;
    return batch_cursor_status(&cursor);
}
