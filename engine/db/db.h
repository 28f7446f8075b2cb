/* db.h -- the database: what kvs_open puts together.
 *
 * Role      One struct that names the parts; each part's rules are in its own header. Simulations and tools open it through db_open with an io of their own.
 * Threads   Seven threads of its own: the log writer and syncer (commit.h); upkeep, flush, janitor and two for compaction (workers.h). Where it was opened without
 *           room, one that looks for it (waiting.h), until there is some.
 * Locks     In this order, none held across I/O but the first:
 *             1. version_set's edit mutex    one manifest edit at a time, with its sync (taken by installs only)
 *             2. workers.pick_lock           picking a compaction; never held across I/O
 *             3. commit.lock                 the pipeline, the chain of logs, the workers' flags, replacing the view
 *             4. version_set's mutex, snapshots.lock, the cache's mutex: leaves
 */
#ifndef KVS_DB_DB_H
#define KVS_DB_DB_H

#include "base/fork_guard.h"
#include "cache/cache.h"
#include "db/commit.h"
#include "db/snapshot.h"
#include "db/view.h"
#include "db/waiting.h"
#include "db/workers.h"
#include "kvstore.h"
#include "segment/segment.h"
#include "segment/segment_writer.h"
#include "version/version_set.h"

/* Counters of the read path, spread over cache lines so that readers on different cores do not share one. */
enum { COUNTER_STRIPES = 16 };

struct counter_stripe {
    _Alignas(128) _Atomic uint64_t gets;
    _Atomic uint64_t memtable_hits, block_hits, block_reads, filter_rejections;
    _Atomic int64_t
        handles; /* pinned values, iterators and snapshots, counted up and down on any stripe: only the sum means something */
};

/* What the last open found and did; fixed afterwards. */
struct recovery_counts {
    uint64_t records, bytes, set_aside_bytes, manifest_cut_bytes;
};

struct kvs_db {
    struct counter_stripe counters[COUNTER_STRIPES];
    struct fork_guard guard;
    struct io *io;
    char *path;
    struct kvs_options options; /* owner points into owner below */
    char owner[32];
    struct io_lock *lock;
    struct memory_budget budget;
    struct cache *cache;
    struct segment_context segments;
    struct version_set *versions;
    struct views views;
    struct snapshots snapshots;
    struct commit commit;
    struct workers workers;
    struct waiting waiting;
    struct recovery_counts recovered;
    uint64_t table_bytes; /* capacity of a memtable */
    struct segment_writer_options segment_writer;
};

/* kvs_open on an io of the caller's, which must outlive the database. */
KVS_MUST_USE struct kvs_status db_open(struct kvs_db **db, struct io *io, const char *path,
                                       const struct kvs_options *options);

/* Say something to the log function of the options, if there is one. Under no lock. */
__attribute__((format(printf, 3, 4))) void db_log(const struct kvs_db *db, enum kvs_log_level level, const char *format,
                                                  ...);

/* Refuse to work in a child of the process that opened the database: its threads are not there. Errors: INVALID. */
KVS_MUST_USE static inline struct kvs_status db_check_process(const struct kvs_db *db)
{
    if (__builtin_expect(fork_guard_is_parent(&db->guard), 1))
        return status_ok();
    return STATUS(KVS_INVALID, "%s was opened before this process was forked: open it again here", db->path);
}

/* The stripe of this thread. */
struct counter_stripe *db_counters(struct kvs_db *db);

/* Values, iterators and snapshots that live. */
int64_t db_handle_count(const struct kvs_db *db);

static inline void db_count_handle(struct kvs_db *db, int64_t change)
{
    atomic_fetch_add_explicit(&db_counters(db)->handles, change, memory_order_relaxed);
}

#endif
