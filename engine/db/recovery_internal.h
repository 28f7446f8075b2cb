/* recovery_internal.h -- what the two halves of a recovery share: reading the logs into memory (recovery_replay.c), and making what was read the state of
 * the database (recovery.c). */
#ifndef KVS_DB_RECOVERY_INTERNAL_H
#define KVS_DB_RECOVERY_INTERNAL_H

#include "db/db.h"
#include "wal/log_replay.h"

/* What becomes of records that only the page cache may hold.
 *
 * PROVEN_ALL      there are none
 * WRITTEN_AGAIN   into the new log, synced, before they are served
 * LEFT_TO_FLUSH   they are served at once and stay in the old logs, which have no listed end, until the flush of their memtables has made them durable: for modes
 *                 that do not promise more than surviving kill -9, and only where the numbers run on into the new log without a hole */
enum unproven { PROVEN_ALL, WRITTEN_AGAIN, LEFT_TO_FLUSH };

/* logs, listings, ends    the live logs as the manifest lists them, and what replay found in them
 *                   ends goes on for the unlisted ones
 * unlisted          numbers of logs that are newer than all listed ones: prepared ones, or a sign that the manifest has lost its end
 * flushed_sequence  entries up to it are in segments already: a crash between a flush and the next edit leaves them in a log too
 * filling           takes the replayed entries, becomes the active memtable
 * position          of the last record, as it is numbered from now on
 * durable           of the last record that is on stable storage
 * first_new         the first record number of the new log: above all that were ever given out
 * writer            the new log, while unproven records are written again
 * renumbered        the sealed memtable that the record being written again may be the last of
 * state             what the manifest had
 * has_begun         tails are set aside and a new manifest is current: a later try passes over that
 * is_spent          the memtables have been handed over to the pipeline: no other try is possible
 * is_listed         the manifest lists the new log: whatever fails now, its file stays */
struct recovery {
    struct kvs_db *db;
    struct manifest_log *logs;
    struct log_listing *listings;
    struct log_replay_end *ends;
    size_t count;
    uint64_t *unlisted;
    size_t unlisted_count;
    bool is_out_of_memory;
    struct log_replay_options options;
    struct log_replay_report report;
    uint64_t flushed_sequence;
    struct memtable *filling;
    struct position position;
    struct position durable;
    enum unproven unproven;
    uint64_t first_new;
    struct log_writer *writer;
    struct sealed_table *renumbered;
    struct version_recovery state;
    bool has_begun, is_spent, is_listed;
};

/* List the live logs, and replay them into memtables: recovery->filling, and those that are sealed in the commit pipeline. Nothing on disk is changed.
 *
 * durable_record  the last that the manifest says is durable
 *
 * Errors: those of log_replay. */
KVS_MUST_USE struct kvs_status recovery_replay(struct recovery *recovery, uint64_t durable_record);

/* The filling memtable becomes one that waits for its flush; its place is empty then. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status recovery_seal(struct recovery *recovery);

/* Write the unproven records into the new log and sync it; recovery->position moves to the last of them. On failure all numbers are as before. Errors: IO, NO_SPACE, NO_MEMORY, CORRUPT. */
KVS_MUST_USE struct kvs_status recovery_write_again(struct recovery *recovery, struct log_writer *writer);

#endif
