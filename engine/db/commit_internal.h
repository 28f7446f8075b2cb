/* commit_internal.h -- what the files of the commit pipeline share: admission.c, commit.c, log_drive.c, log_thread.c. The caller holds commit->lock. */
#ifndef KVS_DB_COMMIT_INTERNAL_H
#define KVS_DB_COMMIT_INTERNAL_H

#include "db/commit.h"

/* Why a batch cannot be applied this moment. */
enum admission {
    ADMITTED,
    WAIT_BUFFER, /* the log's buffer is full: write it out */
    WAIT_PIECE,  /* the log's preallocated piece is used up: upkeep adds one */
    WAIT_LOG,    /* memtable or log is full and the next is not prepared, or too many wait for their flush */
    WAIT_SYNC,   /* mode interval: the oldest unsynced record is too old */
    WAIT_PACE,   /* the debt rate: come back at *until_ns */
};

/* Decide, rotating to the prepared log where that is what it takes. until_ns: out with WAIT_PACE. */
enum admission admission_ask_locked(struct commit *commit, uint64_t *until_ns, size_t table_bytes, size_t record_bytes);

/* Wait until a batch is admitted; then nothing may come between this and its application. sync: it is to be durable too. Errors: POISONED, NO_SPACE, and what a write
 * gave. */
KVS_MUST_USE struct kvs_status admission_wait_locked(struct commit *commit, const struct kvs_batch *batch, bool sync);

/* Account a wait that the engine imposed since begun_ns. */
void admission_count_delay_locked(struct commit *commit, uint64_t begun_ns);

/* Why there is no room of the kind that a wait is for, where the disk is to blame: NO_SPACE or what upkeep or the flush met. */
KVS_MUST_USE struct kvs_status admission_shortage_locked(struct commit *commit, enum admission reason);

/* Write out the buffer, or wait for who does; give it memory for a record that is larger than it. May wake without having done so. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status admission_make_buffer_room_locked(struct commit *commit, uint64_t record_bytes);

/* Whether the active memtable was sealed and replaced by the prepared one. */
bool rotate_locked(struct commit *commit);

/* What a power cut leaves: durable in logs that are listed. */
uint64_t log_durable_locked(const struct commit *commit);

/* Whether everything up to sequence has reached the level. */
bool log_reached_locked(const struct commit *commit, uint64_t sequence, enum kvs_level level);

/* Bring the log one step nearer to that, if the role that it takes is free; false: there is nothing to do but wait for progress. Drops the lock meanwhile. */
bool log_drive_locked(struct commit *commit, uint64_t sequence, enum kvs_level level);

/* Write the buffered bytes of the oldest log that has any. The write role must be free. Drops the lock meanwhile. */
void log_write_step_locked(struct commit *commit);

/* Sync everything applied so far. The sync role must be free. Drops the lock meanwhile. */
void log_sync_step_locked(struct commit *commit);

/* What the last process left has to be flushed before anything later counts as synced, and there was no room for that at the last try: it is tried again, but nobody waits
 * for it. At close any failure of it will do. */
bool log_lacks_room_locked(const struct commit *commit);

/* Whether a change is published and cannot be durable before there is room. */
bool log_gives_up_locked(const struct commit *commit, uint64_t sequence, enum kvs_level level);

/* Why: NO_SPACE, NO_MEMORY. */
KVS_MUST_USE struct kvs_status log_shortage_locked(const struct commit *commit);

/* Wake a log thread that is free to look after callers that were answered BUSY. */
void log_thread_ready_locked(struct commit *commit);

/* Wake the log threads that have requests. */
void log_thread_progress_locked(struct commit *commit);

/* The error of a write that was applied when the pipeline failed. */
KVS_MUST_USE struct kvs_status commit_unknown_locked(struct commit *commit);

#endif
