#include "format/segment_format.h"

#include "base/assert.h"
#include "base/coding.h"
#include "format/checksum.h"
#include "format/file_header.h"

#include <inttypes.h>

static const uint8_t footer_magic[8] = {'K', 'V', 'S', 'S', 'E', 'G', 'E', 'N'};

enum { CHECKSUM_BYTES = 8, FOOTER_MAGIC_AT = 48, FOOTER_CHECKSUM_AT = 56 };

struct kvs_status segment_frame_append(struct buffer *out, enum segment_block_type type, enum segment_codec codec,
                                       uint32_t raw_size, size_t stored_size, uint64_t file_id, uint64_t offset)
{
    KVS_ASSERT(out->size >= stored_size);
    STATUS_RETURN_IF_ERROR(buffer_reserve(out, SEGMENT_FRAME_BYTES));
    uint8_t *at = buffer_end(out);
    at[0] = (uint8_t)type;
    at[1] = (uint8_t)codec;
    coding_put_u32(at + 2, raw_size);
    coding_put_u64(at + 6, checksum_of(at - stored_size, stored_size + 6, file_id, offset));
    out->size += SEGMENT_FRAME_BYTES;
    return status_ok();
}

static struct kvs_status corrupt(const char *path, uint64_t offset, const char *what, uint64_t expected, uint64_t found)
{
    return STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": %s: expected %" PRIu64 ", found %" PRIu64, path, offset, what,
                  expected, found);
}

static struct kvs_status corrupt_checksum(const char *path, uint64_t offset, const char *what, uint64_t expected,
                                          uint64_t found)
{
    return STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": checksum of %s: expected %016" PRIx64 ", found %016" PRIx64,
                  path, offset, what, expected, found);
}

struct kvs_status segment_frame_decode(struct segment_frame *frame, const uint8_t *bytes, size_t size, uint64_t file_id,
                                       uint64_t offset, enum segment_block_type type, uint32_t raw_max,
                                       const char *path)
{
    if (size <= SEGMENT_FRAME_BYTES)
        return corrupt(path, offset, "size of a block, more than", SEGMENT_FRAME_BYTES, size);
    const uint8_t *at = bytes + size - SEGMENT_FRAME_BYTES;
    uint64_t expected = coding_get_u64(at + 6);
    uint64_t found = checksum_of(bytes, size - CHECKSUM_BYTES, file_id, offset);
    if (found != expected)
        return corrupt_checksum(path, offset, "a block", expected, found);
    size_t stored_size = size - SEGMENT_FRAME_BYTES;
    uint32_t raw_size = coding_get_u32(at + 2);
    if (at[0] != type)
        return corrupt(path, offset, "type of a block", type, at[0]);
    if (at[1] != SEGMENT_CODEC_NONE && at[1] != SEGMENT_CODEC_ZSTD)
        return corrupt(path, offset, "codec of a block, at most", SEGMENT_CODEC_ZSTD, at[1]);
    if (raw_size == 0 || raw_size > raw_max)
        return corrupt(path, offset, "raw size of a block, at most", raw_max, raw_size);
    if (at[1] == SEGMENT_CODEC_NONE && raw_size != stored_size)
        return corrupt(path, offset, "raw size of a stored block", stored_size, raw_size);
    *frame = (struct segment_frame){type, (enum segment_codec)at[1], raw_size, slice_of(bytes, stored_size)};
    return status_ok();
}

static uint8_t *put_extent(uint8_t *at, struct segment_extent extent)
{
    coding_put_u64(at, extent.offset);
    coding_put_u64(at + 8, extent.size);
    return at + 16;
}

static struct segment_extent get_extent(const uint8_t *at)
{
    return (struct segment_extent){coding_get_u64(at), coding_get_u64(at + 8)};
}

void segment_footer_encode(uint8_t out[SEGMENT_FOOTER_BYTES], const struct segment_footer *footer, uint64_t file_id,
                           uint64_t offset)
{
    uint8_t *at = put_extent(out, footer->filter);
    at = put_extent(at, footer->index);
    at = put_extent(at, footer->properties);
    memcpy(at, footer_magic, sizeof footer_magic);
    coding_put_u64(at + 8, checksum_of(out, FOOTER_CHECKSUM_AT, file_id, offset));
}

struct kvs_status segment_footer_decode(struct segment_footer *footer, const uint8_t bytes[SEGMENT_FOOTER_BYTES],
                                        uint64_t file_id, uint64_t offset, const char *path)
{
    uint64_t expected = coding_get_u64(bytes + FOOTER_CHECKSUM_AT);
    uint64_t found = checksum_of(bytes, FOOTER_CHECKSUM_AT, file_id, offset);
    if (memcmp(bytes + FOOTER_MAGIC_AT, footer_magic, sizeof footer_magic) != 0)
        return corrupt_checksum(path, offset + FOOTER_MAGIC_AT, "a segment's footer (its magic)",
                                coding_get_u64(footer_magic), coding_get_u64(bytes + FOOTER_MAGIC_AT));
    if (found != expected)
        return corrupt_checksum(path, offset, "a segment's footer", expected, found);
    struct segment_footer parts = {get_extent(bytes), get_extent(bytes + 16), get_extent(bytes + 32)};
    const struct segment_extent order[] = {parts.filter, parts.index, parts.properties};
    uint64_t at = parts.filter.offset;
    if (at < FILE_HEADER_BYTES || at > offset)
        return corrupt(path, offset, "end of the data blocks, at most", offset, at);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (order[i].offset != at)
            return corrupt(path, offset, "start of a part", at, order[i].offset);
        if (order[i].size > offset - at || (order[i].size <= SEGMENT_FRAME_BYTES && (i > 0 || order[i].size > 0)))
            return corrupt(path, offset, "size of a part, at most", offset - at, order[i].size);
        at += order[i].size;
    }
    if (at != offset)
        return corrupt(path, offset, "end of the last part", offset, at);
    *footer = parts;
    return status_ok();
}

void segment_properties_count(struct segment_properties *properties, struct key key, struct kvs_slice value)
{
    uint64_t sequence = key_sequence(key.trailer);
    if (properties->entry_count == 0 || sequence < properties->min_sequence)
        properties->min_sequence = sequence;
    if (properties->entry_count == 0 || sequence > properties->max_sequence)
        properties->max_sequence = sequence;
    properties->entry_count++;
    properties->tombstone_count += key_kind(key.trailer) == KEY_DELETE;
    properties->raw_key_bytes += key.user.size;
    properties->raw_value_bytes += value.size;
}

/* Numbers of the properties; part of the format. */
enum property {
    PROPERTY_ENTRY_COUNT = 1,
    PROPERTY_TOMBSTONE_COUNT = 2,
    PROPERTY_RAW_KEY_BYTES = 3,
    PROPERTY_RAW_VALUE_BYTES = 4,
    PROPERTY_MIN_SEQUENCE = 5,
    PROPERTY_MAX_SEQUENCE = 6,
    PROPERTY_BLOCK_COUNT = 7,
    PROPERTY_RAW_BLOCK_BYTES = 8,
    PROPERTY_DICTIONARY_ID = 9,
    PROPERTY_BLOCK_BYTES = 10,
    PROPERTY_FILTER_BITS_PER_KEY = 11,
    PROPERTY_NUMBER_END = 12, /* the ones before are numbers, the ones from here on keys */
    PROPERTY_SMALLEST = 12,
    PROPERTY_LARGEST = 13,
    PROPERTY_END = 14,
};

static uint64_t *number_of(struct segment_properties *properties, uint64_t property)
{
    switch (property) {
    case PROPERTY_ENTRY_COUNT:
        return &properties->entry_count;
    case PROPERTY_TOMBSTONE_COUNT:
        return &properties->tombstone_count;
    case PROPERTY_RAW_KEY_BYTES:
        return &properties->raw_key_bytes;
    case PROPERTY_RAW_VALUE_BYTES:
        return &properties->raw_value_bytes;
    case PROPERTY_MIN_SEQUENCE:
        return &properties->min_sequence;
    case PROPERTY_MAX_SEQUENCE:
        return &properties->max_sequence;
    case PROPERTY_BLOCK_COUNT:
        return &properties->block_count;
    case PROPERTY_RAW_BLOCK_BYTES:
        return &properties->raw_block_bytes;
    case PROPERTY_DICTIONARY_ID:
        return &properties->dictionary_id;
    case PROPERTY_BLOCK_BYTES:
        return &properties->block_bytes;
    case PROPERTY_FILTER_BITS_PER_KEY:
        return &properties->filter_bits_per_key;
    default:
        return NULL;
    }
}

static struct key *key_property_of(struct segment_properties *properties, uint64_t property)
{
    return property == PROPERTY_SMALLEST  ? &properties->smallest
           : property == PROPERTY_LARGEST ? &properties->largest
                                          : NULL;
}

struct kvs_status segment_properties_append(struct buffer *out, const struct segment_properties *properties)
{
    struct segment_properties copy = *properties;
    STATUS_RETURN_IF_ERROR(
        buffer_reserve(out, PROPERTY_END * 4 * VARINT_MAX_BYTES + copy.smallest.user.size + copy.largest.user.size));
    uint8_t *at = buffer_end(out);
    for (uint64_t property = 1; property < PROPERTY_NUMBER_END; property++) {
        uint64_t value = *number_of(&copy, property);
        at = coding_put_varint(at, property);
        at = coding_put_varint(at, coding_varint_size(value));
        at = coding_put_varint(at, value);
    }
    for (uint64_t property = PROPERTY_NUMBER_END; property < PROPERTY_END; property++) {
        struct key key = *key_property_of(&copy, property);
        at = coding_put_varint(at, property);
        at = coding_put_varint(at, key.user.size + sizeof key.trailer);
        memcpy(at, key.user.data, key.user.size);
        coding_put_u64(at + key.user.size, key.trailer);
        at += key.user.size + sizeof key.trailer;
    }
    out->size = (size_t)(at - out->data);
    return status_ok();
}

/* Decode the bytes of one known property. Returns false if they are not such a property. */
static bool decode_property(struct segment_properties *properties, uint64_t property, struct kvs_slice bytes)
{
    if (property < PROPERTY_NUMBER_END) {
        struct cursor cursor = cursor_of(bytes.data, bytes.size);
        *number_of(properties, property) = cursor_varint(&cursor);
        return cursor_is_done(&cursor);
    }
    struct key *key = key_property_of(properties, property);
    if (bytes.size <= sizeof key->trailer || bytes.size - sizeof key->trailer > KEY_MAX_BYTES)
        return false;
    key->user = slice_of(bytes.data, bytes.size - sizeof key->trailer);
    key->trailer = coding_get_u64((const uint8_t *)bytes.data + key->user.size);
    return true;
}

struct kvs_status segment_properties_decode(struct segment_properties *properties, struct kvs_slice raw,
                                            uint64_t offset, const char *path)
{
    const uint64_t all = (UINT64_C(1) << PROPERTY_END) - 2;
    struct segment_properties decoded = {0};
    struct cursor cursor = cursor_of(raw.data, raw.size);
    uint64_t seen = 0;
    while (cursor_rest(&cursor) > 0) {
        uint64_t property = cursor_varint(&cursor);
        struct kvs_slice bytes = cursor_sized_bytes(&cursor, raw.size);
        if (cursor.failed || property == 0)
            return corrupt(path, offset, "properties, bytes that can be decoded", raw.size,
                           raw.size - cursor_rest(&cursor));
        if (property >= PROPERTY_END)
            continue;
        if ((seen >> property & 1) != 0 || !decode_property(&decoded, property, bytes))
            return corrupt(path, offset, "a property that is there once and whole", property, seen);
        seen |= UINT64_C(1) << property;
    }
    if (seen != all)
        return corrupt(path, offset, "bits of the properties that are there", all, seen);
    if (decoded.dictionary_id != 0)
        return STATUS(KVS_UNSUPPORTED,
                      "%s: offset %" PRIu64 ": compressed with dictionary %" PRIu64 ", which this version cannot read",
                      path, offset, decoded.dictionary_id);
    *properties = decoded;
    return status_ok();
}
