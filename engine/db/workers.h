/* workers.h -- the threads behind the pipeline: upkeep, flush, compaction, janitor.
 *
 * Role      upkeep      lists logs and their ends in the manifest, prepares the next log and memtable, preallocates, lets go of replaced views,
 *                       notes the durable record in the manifest when the database is idle, and keeps the reserve
 *           flush       makes a run of level 0 of the sealed memtables, and drops their logs
 *           janitor     unlinks obsolete files
 *           compaction  keeps the levels in shape; carries out kvs_compact
 * Threads   Flags and results under commit.lock; a worker's own state belongs to its thread.
 * Failure   What fails before an edit of the manifest has changed nothing and is tried again: NO_SPACE, NO_MEMORY, IO. What poisons the manifest poisons the
 *           pipeline (commit_poison): reads go on. A compaction that meets a damaged segment stops compaction, is reported, and leaves the segment as it is.
 */
#ifndef KVS_DB_WORKERS_H
#define KVS_DB_WORKERS_H

#include "base/status.h"
#include "db/reserve.h"
#include "io/io_thread.h"

#include <stdatomic.h>

struct kvs_db;
struct log_writer;

/* Two, so that what comes in during a long merge can be merged beside it. */
enum { COMPACTION_THREADS = 2 };

/* db  set for the compaction workers, whose bodies must know which they are */
struct worker {
    struct kvs_db *db;
    struct io_thread thread;
    struct io_condition wake;
    bool is_wanted; /* commit lock: something to look at */
    bool is_started;
};

/* A log that is made and durable in name, and neither used nor listed. writer NULL: none */
struct spare_log {
    struct log_writer *writer;
    uint64_t number;
};

/* debt_bytes          what compaction owes
 * noted_record        the durable record that the manifest has
 * spare               a log prepared beside the one of the commit pipeline: upkeep's own
 * reserve             room kept for a full disk: commit lock, moved by reserve.c
 * data_bytes          what segments take
 * editing_logs        the role of composing and installing an edit that touches the list of logs
 * compact_asked       tickets of kvs_compact given out, and served: commit lock; done wakes them
 * compact_failure     why compaction has stopped */
struct workers {
    struct worker upkeep, flush, janitor, compaction[COMPACTION_THREADS];
    struct io_mutex pick_lock; /* one thread picks at a time; taken before commit.lock, never held across I/O */
    uint64_t *busy;            /* pick_lock: segments that are inputs of jobs under way, ascending */
    size_t busy_count, busy_capacity;
    unsigned rounds; /* commit lock: threads that look for a job or carry one out */
    struct io_condition done;
    _Atomic bool stop; /* for jobs under way */
    bool stopping;
    bool editing_logs;
    enum reserve_state reserve;
    uint64_t debt_bytes, data_bytes;
    uint64_t noted_record;
    struct spare_log spare;
    unsigned
        flush_broken_tries; /* the flush thread's own: failures in a row that were not for want of room or memory */
    uint64_t flushed_sequence;
    uint64_t compact_asked, compact_served;
    struct kept_status compact_outcome; /* of the last kvs_compact */
    struct kept_status compact_failure;
    uint64_t flushes, flush_bytes, compactions, compaction_read_bytes, compaction_write_bytes;
};

void workers_init(struct kvs_db *db);
void workers_fini(struct kvs_db *db);

/* Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status workers_start(struct kvs_db *db);

/* Stop what is under way, which leaves nothing behind, and join. */
void workers_stop(struct kvs_db *db);

/* Hooks of the pipeline; commit lock held. context is the database. */
void workers_want_upkeep(void *context);
void workers_want_flush(void *context);

/* Wake the janitor if there are files to unlink. */
void workers_want_janitor_locked(struct kvs_db *db);

/* A reader has let go of a view: if it was the last to hold some files that are dropped, the janitor unlinks them. Takes the commit lock then. */
void workers_note_unref(struct kvs_db *db);
void workers_want_compaction(struct kvs_db *db);

/* Wait until everything up to sequence is in segments. Errors: POISONED, NO_SPACE... as the flush gave. */
KVS_MUST_USE struct kvs_status workers_await_flush(struct kvs_db *db, uint64_t sequence);

/* Ask for a full compaction and wait for it. Errors: what it gave. */
KVS_MUST_USE struct kvs_status workers_compact_all(struct kvs_db *db);

/* The bodies, one file each. */
void upkeep_body(void *db);
void flush_body(void *db);
void janitor_body(void *db);
void compaction_body(void *worker);

/* Sleep until the worker is wanted, the time has come (0: never) or all stop; clears the wish. Commit lock. */
void worker_wait_locked(struct kvs_db *db, struct worker *worker, uint64_t until_ns);

/* The role of editing the list of logs. Commit lock. */
void workers_begin_log_edit_locked(struct kvs_db *db);
void workers_end_log_edit_locked(struct kvs_db *db);

/* At close, threads joined: remove the prepared logs, and list the ends of the others, so that the next open knows all of them to be durable.
 * Errors: those of an install; the database is whole all the same. */
KVS_MUST_USE struct kvs_status upkeep_close(struct kvs_db *db);

/* Compute debt and sizes of the current version for the pace and the statistics. */
void compaction_measure(struct kvs_db *db);

#endif
