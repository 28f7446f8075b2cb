/* listed_log.h -- a log that the manifest lists, opened for reading.
 *
 * Role      What is listed and what the file says of itself agree, before a record is looked at.
 * Format    format/README.md, "Log".
 * Threads   One.
 * Failure   A status whose sentence names file and offset; what it means for a recovery is the caller's to say.
 */
#ifndef KVS_WAL_LISTED_LOG_H
#define KVS_WAL_LISTED_LOG_H

#include "wal/log_reader.h"

/* A live log as the manifest lists it.
 *
 * number         of the file
 * first_record   the record number that it begins with
 * has_end        its end is listed: what lies beyond does not exist, what lies before was synced
 * end_bytes      only with has_end: the file's size up to there
 * last_record    only with has_end: of the record that ends there; first_record - 1 for a log without records */
struct log_listing {
    uint64_t number;
    uint64_t first_record;
    bool has_end;
    uint64_t end_bytes;
    uint64_t last_record;
};

/* The reader stands on the first record. */
struct listed_log {
    struct io_file *file;
    char path[IO_PATH_BYTES];
    struct log_reader reader;
};

/* Open a log and verify its header, its owner and its size. log: zeroed by the caller; closed with listed_log_close, also after a failure.
 *
 * Errors: NOT_FOUND, CORRUPT (another file, or one that is too short), UNSUPPORTED (another version), IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status listed_log_open(struct io *io, struct listed_log *log, const char *folder,
                                               const uint8_t *uuid, const struct log_listing *listing);
void listed_log_close(struct listed_log *log);

#endif
