/* commit.h -- the life of a write: admitted, applied, published.
 *
 * Role      Admission reserves room in the active memtable, its log and the log's buffer, and asks the pace. Applying is one short critical section: the
 *           batch gets the next sequence numbers, its record is copied into the log's private buffer, its entries go into the memtable. Publishing follows
 *           the log: when every record up to a number has reached what the sync mode asks, the number becomes visible.
 *
 *              applied >= written >= durable       (positions in the log; each only grows)
 *              published = durable in mode always, else written; never beyond the last record of a log whose successor the manifest does not list yet
 *              (in mode os: has no listing of, written; the sync of it is waited for by who asks for durability)
 *
 *           Two roles drive the log, each held by one thread at a time, taken and given back under the commit lock, exercised outside it: the write role (pwrite of the
 *           buffered bytes) and the sync role (fdatasync). Whoever waits for a number takes a free role and does the work for all: group commit.
 *
 *                        rotate               sync reaches last         upkeep lists the end          flush covers last
 *              ACTIVE ------------> SEALED --------------------> SYNCED -------------------> ENDED ----------------------> gone
 *
 * Threads   struct commit's fields belong to commit->lock unless said otherwise. No I/O, no allocation and no callback happen under the lock.
 * Failure   A failed sync, or a failed write that is not a full disk, poisons: what was applied and not published has an unknown outcome, nothing later is
 *           admitted, reads go on at the published number. A full disk closes admission until the same bytes could be written. A sync that needs room for the flush of what the
 *           last process left is refused, or given up, while there is none.
 */
#ifndef KVS_DB_COMMIT_H
#define KVS_DB_COMMIT_H

#include "db/drain.h"
#include "db/pace.h"
#include "db/view.h"
#include "db/batch.h"
#include "io/io_thread.h"
#include "kvstore.h"
#include "memtable/memtable.h"
#include "wal/log_writer.h"

/* A point in the log: a record, and the last sequence number in it. */
struct position {
    uint64_t record;
    uint64_t sequence;
};

enum log_state { LOG_ACTIVE, LOG_SEALED, LOG_SYNCED, LOG_ENDED };

/* A log that a recovery now would read; the chain runs from the oldest to the active one.
 *
 * before  the position before the log's first record
 * last    the position of its last record, once it is sealed
 * listed  the manifest lists it, with its first record */
struct live_log {
    struct live_log *newer;
    struct log_writer *writer; /* NULL from LOG_ENDED on */
    uint64_t number;
    struct position before, last;
    enum log_state state;
    bool listed;
    bool is_ending;  /* an edit that lists its end is under way */
    bool is_dropped; /* the manifest lists it no more: upkeep closes it */
};

/* A memtable that takes no more insertions, from the oldest on. */
struct sealed_table {
    struct sealed_table *newer;
    struct memtable *memtable;
    struct position last;
};

/* The next log, memtable and what rotation needs to install them without allocating. */
struct prepared_log {
    struct live_log *log;
    struct memtable *memtable;
    struct view *view;
    struct sealed_table *seal;
};

/* A caller that waits for its number. Each has a condition of its own, so that a step wakes those whom it serves and, where a role is free, one to take
 * it: waking all for each step costs more than the steps. */
struct commit_waiter {
    struct commit_waiter *next;
    uint64_t sequence;
    enum kvs_level level;
    struct io_condition wake;
};

struct sync_request {
    struct sync_request *next;
    uint64_t sequence;
    kvs_sync_function *callback;
    void *context;
};

struct ready_request {
    struct ready_request *next;
    kvs_ready_function *ready;
    void *context;
    uint64_t begun_ns; /* since when the engine delays it; 0: it only waits for a write of the buffer */
};

/* A thread that waits for others: the writer answers requests that need a write, the syncer those that need a sync. */
struct log_thread {
    struct commit *commit;
    struct io_thread thread;
    struct io_condition wake;
    enum kvs_level level;
    struct sync_request *requests;
    bool started;
};

struct commit_options {
    enum kvs_sync_mode mode;
    uint64_t interval_ns;
    uint32_t sealed_max;  /* memtables that may wait for their flush */
    uint64_t table_bytes; /* what a memtable holds */
    size_t buffer_bytes;  /* of a log's buffer; larger records get a larger one for themselves */
    uint64_t piece_bytes; /* preallocated at a time */
};

/* Called under the commit lock, to wake the thread that serves it; only signals. */
struct commit_hooks {
    void (*upkeep)(void *context);
    void (*flush)(void *context);
    void *context;
};

struct commit {
    struct io *io;
    struct views *views;
    struct commit_options options;
    struct commit_hooks hooks;

    struct io_mutex lock;
    struct io_condition progress; /* a role is free, a position moved, or a failure: for those who need a role */
    struct io_condition room;     /* admission may succeed now */
    struct io_condition gather;   /* the group that a sync waits for may be complete */

    _Atomic uint64_t published; /* written under lock, read anywhere: release/acquire orders the entries before it */
    _Atomic uint64_t applied_sequence; /* the same; equals applied.sequence */
    _Atomic uint64_t durable_sequence;

    struct position applied, written, durable;
    struct position taken;          /* where the write that is under way, or to be repeated after a full disk, ends */
    bool writing, syncing;          /* the roles */
    bool closing;                   /* do not wait for room on a full disk any more */
    bool stopping;                  /* the log threads leave when nobody waits for them */
    struct kept_status failure;     /* poisoned: the first error */
    uint64_t full_until_ns;         /* the disk was full at the last write: try again then; 0: it is not */
    struct kept_status upkeep_full; /* no room for the next log or piece, or to list it, at upkeep's last try */
    struct kept_status flush_full;  /* why the last flush failed: no room for a segment, most often */
    bool upkeep_dozes;              /* upkeep sleeps without a deadline: the next write wakes it */

    struct live_log *oldest, *active;
    struct live_log *writing_log, *syncing_log; /* the oldest logs not written, not synced, to their end */
    struct live_log *syncing_now;               /* the log of the sync that is under way */
    struct live_log *unlisted;                  /* the oldest log that the manifest does not list yet; NULL: none */
    struct live_log *unnoted;  /* the oldest whose listing is not even written: unlisted, or newer; NULL: none */
    struct memtable *memtable; /* takes insertions; the view holds the reference */
    struct sealed_table *sealed_oldest, *sealed_newest;
    uint32_t sealed_count;
    uint64_t sealed_bytes;
    struct commit_waiter *waiters; /* callers that wait for their numbers, the latest first */
    struct prepared_log prepared;  /* prepared.log NULL: none */
    size_t wanted_table_bytes;     /* what the next memtable must hold for a batch that waits for it */
    uint64_t wanted_piece_bytes;   /* and the active log's next piece */
    uint64_t sealed_log_bytes;     /* what the last log that was sealed held: the next is likely to grow as large */
    bool piece_wanted;             /* the active log's preallocated piece is running out */

    struct pace pace;
    double merge_debt;          /* what compaction owes, as the pace counts it */
    struct drain drain;         /* flushes: their speed, and how far the one under way is */
    uint64_t unsynced_since_ns; /* mode interval: when the oldest unsynced record may have been applied */
    uint64_t last_sync_ns;      /* how long the last sync took */
    uint64_t last_group;        /* changes that it covered */

    struct log_thread writer, syncer;
    struct ready_request *ready, *ready_last; /* callers answered BUSY, the first first */
    uint64_t ready_at_ns;                     /* the pace lets them in then; 0: at the next room */
    bool ready_now;
    uint64_t drain_bytes; /* a caller that was answered BUSY needs this much room in the log's buffer; 0: none does */

    /* Counters: lock. */
    uint64_t writes, write_bytes, log_bytes, log_writes, log_syncs, log_sync_ns_max;
    uint64_t delayed_writes, delay_ns_total, delay_ns_max;
};

/* Prepare the pipeline; recovery then fills in positions, chain, memtable and view before commit_start. */
void commit_init(struct commit *commit, struct io *io, struct views *views, const struct commit_options *options,
                 const struct commit_hooks *hooks);

/* Start the two log threads. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status commit_start(struct commit *commit);

/* Write and sync what is applied, answer every request, join the threads. Returns the failure of that, if any. */
KVS_MUST_USE struct kvs_status commit_stop(struct commit *commit);

/* Free what is left: chain, tables, prepared log (whose file stays for the next open to clear away). */
void commit_fini(struct commit *commit);

/* kvs_write, kvs_apply, kvs_sync, kvs_sync_async: see kvstore.h. */
KVS_MUST_USE struct kvs_status commit_write(struct commit *commit, const struct kvs_batch *batch, bool sync);
KVS_MUST_USE struct kvs_status commit_apply(struct commit *commit, uint64_t *sequence, size_t *applied,
                                            const struct kvs_batch *const *batches, size_t count,
                                            kvs_ready_function *ready, void *context);
KVS_MUST_USE struct kvs_status commit_await(struct commit *commit, uint64_t sequence, enum kvs_level level);
KVS_MUST_USE struct kvs_status commit_request(struct commit *commit, uint64_t sequence, enum kvs_level level,
                                              kvs_sync_function *callback, void *context);

/* Seal the active memtable if it holds anything, waiting for the prepared log. sequence: out, what was applied then. */
KVS_MUST_USE struct kvs_status commit_rotate(struct commit *commit, uint64_t *sequence);

/* The failure that poisoned the pipeline, or OK. Lock held. */
struct kvs_status commit_failure_locked(struct commit *commit);

/* Forbid further writes: answer and wake everybody with this failure. The first one stays. */
void commit_poison(struct commit *commit, struct kvs_status failure);
void commit_poison_locked(struct commit *commit, struct kvs_status failure);

static inline bool commit_has_failed_locked(const struct commit *commit)
{
    return !status_is_ok(commit->failure.status);
}

/* Wake asynchronous callers that wait for admission. Lock held. */
void log_thread_room_locked(struct commit *commit);

/* Move the published number as far as positions and the listed logs allow, and wake who waits. Lock held. */
void commit_publish_locked(struct commit *commit);

/* The durable position once everything up to flushed is in synced segments. It does not move into a log that recovery read into several memtables and that stays
 * listed until the last of them is flushed: replay misses what is said to be durable and is not in a listed log. Lock held. */
struct position commit_durable_after_flush_locked(const struct commit *commit, struct position flushed);

/* Everything up to a position is in synced segments: logs that it covers need no sync any more. Lock held. */
void commit_note_flushed_locked(struct commit *commit, struct position flushed);

static inline uint64_t commit_published(const struct commit *commit)
{
    return atomic_load_explicit(&commit->published, memory_order_acquire);
}

#endif
