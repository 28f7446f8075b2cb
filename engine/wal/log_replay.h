/* log_replay.h -- reading the logs of a database after a crash, or refusing to.
 *
 * Role      Decides what of the listed logs is there, what is a torn tail, and what shows that acknowledged data was damaged, and hands over the
 *           records in order. It writes nothing: what follows from its report is the caller's to do.
 * Format    format/README.md, "Replay rules". Each log is read once. D, the last record known to be durable, is known only at the end, since any
 *           header may raise it: the visitor keeps what it is given to itself until log_replay has returned, and forgets it after a refusal. The few records
 *           beyond D are read again by log_replay_unproven.
 * Threads   One.
 * Failure   A refusal is CORRUPT (or the error that a read gave) and names file, offset, expected and found record number, the sequence numbers
 *           at risk, the rule, and the next command.
 */
#ifndef KVS_WAL_LOG_REPLAY_H
#define KVS_WAL_LOG_REPLAY_H

#include "base/slice.h"
#include "format/log_record.h"
#include "io/io.h"
#include "wal/listed_log.h"

/* A record on its way to the caller.
 *
 * log      index of its log in the list
 * offset   where it begins in the file
 * payload  borrowed for the call */
struct log_replay_record {
    size_t log;
    uint64_t offset;
    struct log_record header;
    struct kvs_slice payload;
};

/* Take a record; an error ends the replay and is its result. */
typedef struct kvs_status log_replay_visit(void *context, const struct log_replay_record *record);

/* folder          the database's
 * uuid            the database's
 * logs, count     the live logs, oldest first
 * unlisted, unlisted_count  numbers of logs in the folder that are newer than all listed ones: nothing in them is replayed, but their headers tell of a manifest
 *                 that has lost its end
 * durable_record  the last record that the manifest says is durable
 * visit           may be NULL: check only, for the same report */
struct log_replay_options {
    const char *folder;
    const uint8_t *uuid;
    const struct log_listing *logs;
    size_t count;
    const uint64_t *unlisted;
    size_t unlisted_count;
    uint64_t durable_record;
    log_replay_visit *visit;
    void *context;
};

/* What one log was found to hold. A record is proven if its number is at most D; one that is not may be in the page cache only.
 *
 * end_bytes, last_record        after the last record that was delivered from it: its header's end and first_record - 1 where there is none
 * proven_bytes, proven_record   the same for the last record that is proven
 * tail_offset, tail_bytes       what is to be set aside, trailing zeros left out; 0 bytes where there is nothing. A log that comes after the torn
 *                               tail is set aside whole, from offset 0 */
struct log_replay_end {
    uint64_t end_bytes;
    uint64_t last_record;
    uint64_t proven_bytes;
    uint64_t proven_record;
    uint64_t tail_offset;
    uint64_t tail_bytes;
};

/* last_record, last_sequence    of what was delivered; without records, the number before the first that could have been, and 0
 * durable_record                D
 * proven_sequence               of the last record delivered that is proven; 0 where there is none
 * next_record, next_sequence    above all that was ever given out as far as the logs show, also in what is set aside: numbers that were cut are
 *                               never given out again
 * records, unproven, bytes      delivered: records, those of them beyond D, and bytes in the files
 * tail_bytes                    to be set aside, in all logs */
struct log_replay_report {
    uint64_t last_record;
    uint64_t last_sequence;
    uint64_t durable_record;
    uint64_t proven_sequence;
    uint64_t next_record;
    uint64_t next_sequence;
    uint64_t records;
    uint64_t unproven;
    uint64_t bytes;
    uint64_t tail_bytes;
};

/* Replay the listed logs. report: out. ends: out, an array of options->count + options->unlisted_count: after those of the listed logs one for each unlisted
 * one, with a tail, from offset 0, where it has changes that no listed log has. Both are untouched on failure, and what was visited then is void.
 *
 * Errors: CORRUPT (a refusal), UNSUPPORTED (a log of another version), IO, NO_MEMORY, and what visit returns. */
KVS_MUST_USE struct kvs_status log_replay(struct io *io, struct log_replay_report *report, struct log_replay_end *ends,
                                          const struct log_replay_options *options);

/* Visit once more, in order, the records beyond D. options and ends are those of a log_replay that succeeded a moment ago; options->visit is not NULL.
 *
 * Errors: CORRUPT (a file is not what it was then), IO, NO_MEMORY, and what visit returns. */
KVS_MUST_USE struct kvs_status log_replay_unproven(struct io *io, const struct log_replay_options *options,
                                                   const struct log_replay_end *ends);

#endif
