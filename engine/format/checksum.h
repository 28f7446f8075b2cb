/* checksum.h -- the checksum of bytes that have a place in a file.
 *
 * Role      A checksum is xxh3-64 of the bytes plus a modifier mixed from the file's id and the offset: bytes that are valid but in the wrong
 *           place do not verify, and bytes copied raw to another place are stamped anew without hashing them again.
 * Format    format/README.md, "Primitives".
 */
#ifndef KVS_FORMAT_CHECKSUM_H
#define KVS_FORMAT_CHECKSUM_H

#include "base/hash.h"

/* The checksum of bytes whose hash_bytes is bytes_hash, where they begin at offset of the file with this id. */
static inline uint64_t checksum_stamp(uint64_t bytes_hash, uint64_t file_id, uint64_t offset)
{
    return bytes_hash + hash_mix(file_id, offset);
}

/* The same, hashing the bytes. */
static inline uint64_t checksum_of(const void *data, size_t size, uint64_t file_id, uint64_t offset)
{
    return checksum_stamp(hash_bytes(data, size), file_id, offset);
}

/* The hash_bytes that a stamped checksum was made from. */
static inline uint64_t checksum_unstamp(uint64_t checksum, uint64_t file_id, uint64_t offset)
{
    return checksum - hash_mix(file_id, offset);
}

#endif
