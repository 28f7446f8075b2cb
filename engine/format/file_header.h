/* file_header.h -- the identity that every file begins with.
 *
 * Role      Says what a file is, of which database, and which file: so that a file that was swapped, renamed, copied from another database or
 *           written by a newer version is refused with a sentence instead of being misread.
 * Format    format/README.md, "Identity header": 64 bytes. The 64 bytes, their layout and their checksum stay the same in every version.
 * Threads   Pure functions.
 * Failure   Bytes that do not verify are CORRUPT, naming file, offset, expected and found.
 */
#ifndef KVS_FORMAT_FILE_HEADER_H
#define KVS_FORMAT_FILE_HEADER_H

#include "base/status.h"
#include "format/file_name.h"

enum { FILE_HEADER_BYTES = 64, FILE_UUID_BYTES = 16, FILE_FORMAT_VERSION = 1 };

/* Bits of features that this version knows, beyond those that the format version implies. */
enum { FILE_MUST_FEATURES_KNOWN = 0 };

/* type     FILE_LOG, FILE_MANIFEST, FILE_SEGMENT or FILE_CURRENT; stored as the magic
 * uuid     the database's
 * file_id  random, and the modifier of every checksum in the file
 * number   the file's number, as in its name; for CURRENT, that of the manifest it names
 * must     features that a reader has to understand; unknown ones are refused
 * may      features that a reader may ignore */
struct file_header {
    enum file_type type;
    uint8_t uuid[FILE_UUID_BYTES];
    uint64_t file_id;
    uint64_t number;
    uint32_t must;
    uint32_t may;
};

/* Write the header as 64 bytes, in this version. */
void file_header_encode(uint8_t out[FILE_HEADER_BYTES], const struct file_header *header);

/* Read a header from the first size bytes of a file that should be of the given type. header: out, untouched on failure. path: for messages.
 *
 * Errors: CORRUPT (too short, another type, checksum), UNSUPPORTED (another format version, an unknown must-understand feature). */
KVS_MUST_USE struct kvs_status file_header_decode(struct file_header *header, const void *bytes, size_t size,
                                                  enum file_type type, const char *path);

/* Check that a verified header is of this database and has this number. Errors: CORRUPT. */
KVS_MUST_USE struct kvs_status file_header_expect(const struct file_header *header, const uint8_t uuid[FILE_UUID_BYTES],
                                                  uint64_t number, const char *path);

#endif
