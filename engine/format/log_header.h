/* log_header.h -- what a log file begins with: its identity, and how much of it was preallocated and synced.
 *
 * Role      Lets replay tell a log that lost its end (shorter than what was synced) from one that is empty.
 * Format    format/README.md, "Log file": 80 bytes; the first record follows.
 * Threads   Pure functions.
 * Failure   Bytes that do not verify are CORRUPT, naming file, offset, expected and found.
 */
#ifndef KVS_FORMAT_LOG_HEADER_H
#define KVS_FORMAT_LOG_HEADER_H

#include "format/file_header.h"

enum { LOG_HEADER_BYTES = FILE_HEADER_BYTES + 16 };

/* preallocated_bytes  the file's size when the header was synced; it is never shorter afterwards */
struct log_header {
    struct file_header identity;
    uint64_t preallocated_bytes;
};

/* Write the header. identity.type is FILE_LOG. */
void log_header_encode(uint8_t out[LOG_HEADER_BYTES], const struct log_header *header);

/* Read a header from the first size bytes of a file. header: out, untouched on failure. path: for messages.
 *
 * Errors: as file_header_decode. */
KVS_MUST_USE struct kvs_status log_header_decode(struct log_header *header, const void *bytes, size_t size,
                                                 const char *path);

#endif
