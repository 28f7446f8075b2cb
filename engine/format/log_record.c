#include "format/log_record.h"

#include "base/assert.h"
#include "base/coding.h"
#include "format/checksum.h"

enum {
    AT_CHECKSUM = 0,
    AT_PAYLOAD_CHECKSUM = 8,
    AT_NUMBER = LOG_RECORD_NUMBER_AT,
    AT_KIND_SEQUENCE = 24,
    AT_WATERMARK = LOG_RECORD_WATERMARK_AT,
    AT_PAYLOAD_BYTES = 40,
    AT_COUNT = 44,
};

_Static_assert(AT_COUNT + sizeof(uint32_t) == LOG_RECORD_HEADER_BYTES, "the count ends the header");
_Static_assert(LOG_RECORD_HEADER_BYTES % LOG_RECORD_ALIGNMENT == 0, "payloads are aligned");

static uint64_t header_checksum(const uint8_t *bytes, uint64_t file_id, uint64_t offset)
{
    return checksum_of(bytes + AT_PAYLOAD_CHECKSUM, LOG_RECORD_HEADER_BYTES - AT_PAYLOAD_CHECKSUM, file_id, offset);
}

/* What holds of every record ever written, checksums aside. */
static bool fields_are_possible(const struct log_record *record)
{
    return record->number > record->watermark && record->number <= RECORD_NUMBER_MAX &&
           record->payload_bytes <= LOG_PAYLOAD_MAX_BYTES && record->first_sequence <= SEQUENCE_MAX &&
           record->count <= SEQUENCE_MAX - record->first_sequence;
}

void log_record_encode(uint8_t out[LOG_RECORD_HEADER_BYTES], const struct log_record *record, uint64_t file_id,
                       uint64_t offset)
{
    KVS_ASSERT(fields_are_possible(record) && offset % LOG_RECORD_ALIGNMENT == 0);
    uint64_t payload_offset = offset + LOG_RECORD_HEADER_BYTES;
    coding_put_u64(out + AT_PAYLOAD_CHECKSUM, checksum_stamp(record->payload_hash, file_id, payload_offset));
    coding_put_u64(out + AT_NUMBER, record->number);
    coding_put_u64(out + AT_KIND_SEQUENCE, record->first_sequence << 8 | record->kind);
    coding_put_u64(out + AT_WATERMARK, record->watermark);
    coding_put_u32(out + AT_PAYLOAD_BYTES, record->payload_bytes);
    coding_put_u32(out + AT_COUNT, record->count);
    coding_put_u64(out + AT_CHECKSUM, header_checksum(out, file_id, offset));
}

void log_record_write(uint8_t *out, const struct log_record *record, const void *payload, uint64_t file_id,
                      uint64_t offset)
{
    size_t end = LOG_RECORD_HEADER_BYTES + record->payload_bytes;
    log_record_encode(out, record, file_id, offset);
    if (record->payload_bytes > 0)
        memcpy(out + LOG_RECORD_HEADER_BYTES, payload, record->payload_bytes);
    memset(out + end, 0, log_record_bytes(record->payload_bytes) - end);
}

bool log_record_decode(struct log_record *record, const uint8_t bytes[LOG_RECORD_HEADER_BYTES], uint64_t file_id,
                       uint64_t offset)
{
    uint64_t kind_sequence = coding_get_u64(bytes + AT_KIND_SEQUENCE);
    uint64_t payload_checksum = coding_get_u64(bytes + AT_PAYLOAD_CHECKSUM);
    struct log_record decoded = {
        .number = coding_get_u64(bytes + AT_NUMBER),
        .watermark = coding_get_u64(bytes + AT_WATERMARK),
        .first_sequence = kind_sequence >> 8,
        .payload_hash = checksum_unstamp(payload_checksum, file_id, offset + LOG_RECORD_HEADER_BYTES),
        .payload_bytes = coding_get_u32(bytes + AT_PAYLOAD_BYTES),
        .count = coding_get_u32(bytes + AT_COUNT),
        .kind = (uint8_t)kind_sequence,
    };
    if (!fields_are_possible(&decoded) ||
        coding_get_u64(bytes + AT_CHECKSUM) != header_checksum(bytes, file_id, offset))
        return false;
    *record = decoded;
    return true;
}

bool log_record_payload_verifies(const struct log_record *record, const uint8_t *payload)
{
    uint64_t end = log_record_bytes(record->payload_bytes) - LOG_RECORD_HEADER_BYTES;
    for (uint64_t at = record->payload_bytes; at < end; at++) {
        if (payload[at] != 0)
            return false;
    }
    return hash_bytes(payload, record->payload_bytes) == record->payload_hash;
}
