/* log_reader.h -- the records of one open file, in order, verified.
 *
 * Role      Reads a log or manifest through a window of a few pieces of memory, so that a file of any size is read with bounded memory; and
 *           searches what follows a bad record for headers that verify.
 * Format    format/README.md, "Log record".
 * Threads   One.
 * Failure   That a record does not verify is an answer, not an error; what it means is decided by the caller.
 */
#ifndef KVS_WAL_LOG_READER_H
#define KVS_WAL_LOG_READER_H

#include "format/log_record.h"
#include "io/io.h"

/* What stands at the reader's offset. */
enum log_read {
    LOG_READ_RECORD, /* a record that verifies whole */
    LOG_READ_END,    /* the limit, exactly */
    LOG_READ_BAD,    /* bytes that are no whole record; reader->complaint says why */
};

/* offset         where the next record should begin
 * record_offset  where the last one returned began
 * limit_bytes    what lies from here on does not exist
 * complaint      after LOG_READ_BAD: what was found, as in "a payload that does not verify" */
struct log_reader {
    struct io_file *file;
    const char *path;
    uint64_t file_id;
    uint64_t offset;
    uint64_t record_offset;
    uint64_t limit_bytes;
    const char *complaint;

    uint8_t *window;
    size_t window_capacity;
    size_t window_bytes;
    uint64_t window_offset;
};

/* Begin at offset of a file whose size is at least limit_bytes. file and path are borrowed. Free with log_reader_fini, also after a failure
 * of another call. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status log_reader_init(struct log_reader *reader, struct io_file *file, const char *path,
                                               uint64_t file_id, uint64_t offset, uint64_t limit_bytes);
void log_reader_fini(struct log_reader *reader);

/* Read what stands at reader->offset, and step over it if it is a record. record and payload: out for LOG_READ_RECORD only; payload is
 * borrowed until the next call. The memory is at most that of one record, and never more than the file still holds.
 *
 * Errors: IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status log_reader_next(struct log_reader *reader, enum log_read *found,
                                               struct log_record *record, struct kvs_slice *payload);

/* Find the first header that verifies, payloads aside, at or after *offset, which is moved to it. found: out; record: out if found.
 *
 * Errors: IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status log_reader_search(struct log_reader *reader, bool *found, struct log_record *record,
                                                 uint64_t *offset);

/* Find where the bytes from offset on turn to zeros up to the limit. end: out, offset itself where there is nothing else.
 *
 * Errors: IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status log_reader_find_zeros(struct log_reader *reader, uint64_t *end, uint64_t offset);

#endif
