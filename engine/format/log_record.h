/* log_record.h -- the frame of one atomic record in a log or manifest.
 *
 * Role      A record is there whole or not at all: a header with its own checksum, a payload with another, zeros up to the next multiple of 8.
 *           Both checksums are stamped with file id and offset, so what was left by another file, or moved within this one, does not verify.
 *           The payload's hash needs no offset, so a caller computes it before it takes any lock.
 * Format    format/README.md, "Log record".
 * Threads   Pure functions.
 * Failure   Not to verify is normal at the end of a log, so decoding gives a bool; what it means is decided by the replay rules.
 */
#ifndef KVS_FORMAT_LOG_RECORD_H
#define KVS_FORMAT_LOG_RECORD_H

#include "base/coding.h"
#include "base/key.h"
#include "base/slice.h"

enum { LOG_RECORD_NUMBER_AT = 16, LOG_RECORD_WATERMARK_AT = 32, LOG_RECORD_HEADER_BYTES = 48 };
enum { LOG_RECORD_ALIGNMENT = 8, LOG_PAYLOAD_MAX_BYTES = BATCH_MAX_BYTES };

/* The largest record number; far above what can be written in a lifetime, so that adding to one never wraps. */
#define RECORD_NUMBER_MAX SEQUENCE_MAX

/* Values are part of the format. */
enum log_kind {
    LOG_BATCH = 1,
    LOG_RAFT_ENTRY = 2, /* reserved */
    LOG_TRUNCATE = 3,   /* reserved */
    LOG_MANIFEST_EDIT = 4,
};

/* number          runs on across files, from 1
 * watermark       the last record, in any file, known to be durable when this one was written; less than number
 * first_sequence  of the payload's first entry; entry i has first_sequence + i. 56 bits
 * payload_hash    hash_bytes of the payload
 * count           entries in the payload
 * kind            enum log_kind, or a value that this version does not know */
struct log_record {
    uint64_t number;
    uint64_t watermark;
    uint64_t first_sequence;
    uint64_t payload_hash;
    uint32_t payload_bytes;
    uint32_t count;
    uint8_t kind;
};

/* The bytes that a record with such a payload takes in a file. */
static inline uint64_t log_record_bytes(uint64_t payload_bytes)
{
    return (LOG_RECORD_HEADER_BYTES + payload_bytes + LOG_RECORD_ALIGNMENT - 1) & ~(uint64_t)(LOG_RECORD_ALIGNMENT - 1);
}

enum { LOG_RECORD_MAX_BYTES = (LOG_RECORD_HEADER_BYTES + LOG_PAYLOAD_MAX_BYTES + LOG_RECORD_ALIGNMENT - 1) & ~7 };

/* The last sequence number of a record with entries. */
static inline uint64_t log_record_last_sequence(const struct log_record *record)
{
    return record->first_sequence + record->count - 1;
}

/* Write the header of a record that begins at offset of the file with this id. */
void log_record_encode(uint8_t out[LOG_RECORD_HEADER_BYTES], const struct log_record *record, uint64_t file_id,
                       uint64_t offset);

/* Write header, payload (record->payload_bytes of it) and padding: log_record_bytes in all. */
void log_record_write(uint8_t *out, const struct log_record *record, const void *payload, uint64_t file_id,
                      uint64_t offset);

/* Whether a header may begin here at all: the first question of a search, which tries every eighth byte of a file, most of them zeros. */
static inline bool log_record_may_begin(const uint8_t bytes[LOG_RECORD_HEADER_BYTES])
{
    return coding_get_u64(bytes + LOG_RECORD_NUMBER_AT) > coding_get_u64(bytes + LOG_RECORD_WATERMARK_AT);
}

/* Read a header, verified by its own checksum alone; sizes and numbers are within their limits. record: out, untouched if false. */
KVS_MUST_USE bool log_record_decode(struct log_record *record, const uint8_t bytes[LOG_RECORD_HEADER_BYTES],
                                    uint64_t file_id, uint64_t offset);

/* Whether the payload of a decoded record, with the padding after it, is as it was written. payload has
 * log_record_bytes(record->payload_bytes) - LOG_RECORD_HEADER_BYTES bytes. */
KVS_MUST_USE bool log_record_payload_verifies(const struct log_record *record, const uint8_t *payload);

#endif
