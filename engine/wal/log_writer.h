/* log_writer.h -- one log file being written.
 *
 * Role      Takes records into private memory at their file offsets, and brings them to the file in one write for many of them.
 * Format    format/README.md, "Log file". This file only calls format/log_header.h and format/log_record.h.
 * Threads   Three roles, each held by one thread at a time, which may run side by side:
 *             commit lock  begin, room, append, take, end
 *             write role   take (under the commit lock as well), write, grow_buffer
 *             log thread   extend
 *           sync may run beside all of them (one at a time), status from anywhere.
 * Failure   After a failed write or sync what the file holds is unknown: the log is poisoned, and every later call returns POISONED with the
 *           first sentence. A write that meets a full disk is no such failure: the same bytes are written at the same offset again when the
 *           caller asks.
 *
 *   fill (commit lock)          drain (write role)            file
 *   append ...append  --take--> [records n..m]     --write--> pages  --sync--> stable
 */
#ifndef KVS_WAL_LOG_WRITER_H
#define KVS_WAL_LOG_WRITER_H

#include "format/file_header.h"
#include "format/log_record.h"
#include "io/io.h"

struct log_writer;

/* number          of the file
 * uuid            the database's; FILE_UUID_BYTES, copied
 * capacity_bytes  where the file counts as full and the next one is due; a log without records takes any one record
 * first_bytes     how much create preallocates; 0: one piece. Extending a log holds up its writes while the file system is busy, creating it does not
 * piece_bytes     how much extend preallocates at a time
 * buffer_bytes    of each of the two buffers */
struct log_writer_options {
    uint64_t number;
    const uint8_t *uuid;
    uint64_t capacity_bytes;
    uint64_t first_bytes;
    uint64_t piece_bytes;
    size_t buffer_bytes;
};

/* Create the file, preallocate its first bytes, write its header and sync it (SYNC_LOG_HEADER). Its name is not durable before the caller
 * syncs the folder (SYNC_LOG_DIRECTORY). Nothing is left behind on failure.
 *
 * writer  out: close with log_writer_close. Records are taken after log_writer_begin.
 *
 * Errors: NO_SPACE, NO_MEMORY, IO, TOO_LARGE (the folder's name). */
KVS_MUST_USE struct kvs_status log_writer_create(struct log_writer **writer, struct io *io, const char *folder,
                                                 const struct log_writer_options *options);

/* Close the file without writing or syncing, and free the writer. What is preallocated stays. NULL is allowed. */
void log_writer_close(struct log_writer *writer);

/* Say which record number comes first; a file made ahead of need does not know. Once, before the first append. Commit lock. */
void log_writer_begin(struct log_writer *writer, uint64_t first_record);

/* Bytes of whole records (log_record_bytes) that can be appended now, and what each kind of room waits for:
 *
 * capacity_bytes  the next log file
 * piece_bytes     log_writer_extend
 * buffer_bytes    log_writer_take and _write, or log_writer_grow_buffer for a record over the buffer's size */
struct log_room {
    uint64_t capacity_bytes;
    uint64_t piece_bytes;
    uint64_t buffer_bytes;
};

/* Commit lock. piece_bytes may be more a moment later. */
struct log_room log_writer_room(const struct log_writer *writer);

/* Copy a record into the fill buffer. Never fails, allocates nothing, waits for nothing: all three kinds of room were checked, and
 * record->number follows that of the record before it. payload: record->payload_bytes, copied. Commit lock. */
void log_writer_append(struct log_writer *writer, const struct log_record *record, const void *payload);

/* Hand what was appended to the write role, and give appends the empty buffer; after a full disk, what is there to be written again stays.
 * Returns whether there is anything for log_writer_write. Write role and commit lock. */
bool log_writer_take(struct log_writer *writer);

/* Write what was taken, with one call. Nothing taken: OK. Write role, not under the commit lock.
 *
 * written_record  out: the last record that has been written; a sync started from now on covers it.
 *
 * Errors: NO_SPACE (call again for the same bytes), IO (the log is now poisoned), POISONED. */
KVS_MUST_USE struct kvs_status log_writer_write(struct log_writer *writer, uint64_t *written_record);

/* fdatasync: what had been written when the call began is durable when it returns. tag: SYNC_LOG or SYNC_LOG_RECOVERY.
 *
 * Errors: IO, NO_SPACE (the log is now poisoned), POISONED. */
KVS_MUST_USE struct kvs_status log_writer_sync(struct log_writer *writer, enum io_sync_tag tag);

/* Preallocate the next piece, or as many as give more_bytes. Beside appends; one at a time.
 *
 * Errors: NO_SPACE, IO; the writer is as before and may be asked again. POISONED. */
KVS_MUST_USE struct kvs_status log_writer_extend(struct log_writer *writer, uint64_t more_bytes);

/* Make the empty buffer large enough for a record of record_bytes; appends get it by the next log_writer_take. It returns to its normal
 * size once such a record has been written. Write role, nothing taken that is not written; not under the commit lock.
 *
 * Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status log_writer_grow_buffer(struct log_writer *writer, uint64_t record_bytes);

/* OK, NO_SPACE (a write is to be repeated: admit nothing), or POISONED. */
KVS_MUST_USE struct kvs_status log_writer_status(struct log_writer *writer);

/* Where the log ends with what was appended, and its last record (first - 1 if there is none): what is listed as its end once it has been
 * written and synced. Commit lock. */
void log_writer_end(const struct log_writer *writer, uint64_t *end_bytes, uint64_t *last_record);

uint64_t log_writer_number(const struct log_writer *writer);

/* The size of the file. Any thread. */
uint64_t log_writer_allocated_bytes(const struct log_writer *writer);

#endif
