/* kvstore.h -- an embeddable, durable, ordered key-value store.
 *
 * Role      The whole public interface of libkvstore. Keys and values are byte strings; keys are ordered by memcmp.
 * Threads   Every function may be called from any thread at the same time, except that one batch or one iterator belongs to one thread at a
 *           time, and that kvs_close is the last call on its handle. Not usable in a forked child.
 * Durability  A write is applied (visible to nobody by default), then published. What publishing waits for is the sync mode of the database:
 *             KVS_SYNC_ALWAYS    an fdatasync that began after the write; survives a power cut
 *             KVS_SYNC_INTERVAL  the write to the log file; survives a kill; a power cut loses at most two intervals
 *             KVS_SYNC_OS        the write to the log file; survives a kill
 *           Reads see published writes only, so nobody sees what a power cut can take back (in the mode that was chosen).
 * Failure   Calls return struct kvs_status; outputs are untouched on failure. Absent is not an error. kvs_status_text gives the whole sentence.
 *           The library prints nothing, installs no signal handler, and has no global state.
 * Limits    Keys 1 byte to 64 KiB, values up to 1 MiB, batches up to 64 MiB: over a limit is KVS_TOO_LARGE and nothing is written.
 */
#ifndef KVSTORE_H
#define KVSTORE_H

#include <kvstore_types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KVS_VERSION_MAJOR 0
#define KVS_VERSION_MINOR 1
#define KVS_VERSION_PATCH 0

#define KVS_KEY_MAX_BYTES ((size_t)64 * 1024)
#define KVS_VALUE_MAX_BYTES ((size_t)1024 * 1024)
#define KVS_BATCH_MAX_BYTES ((size_t)64 * 1024 * 1024)

/* The version of the library that is running, as in "0.1.0". Never freed. */
KVS_API const char *kvs_version(void);

/* One sentence about a failure, with data file and offset where there is one: the full text if status is the calling thread's last failure, else the
 * name of its code. Borrowed until this thread's next failure; never NULL. */
KVS_API const char *kvs_status_text(struct kvs_status status);

static inline bool kvs_ok(struct kvs_status status)
{
    return status.code == KVS_OK;
}

/* ---- Life ---- */

struct kvs_db;

enum kvs_sync_mode { KVS_SYNC_ALWAYS = 0, KVS_SYNC_INTERVAL = 1, KVS_SYNC_OS = 2 };

enum kvs_compression { KVS_COMPRESSION_NONE = 0, KVS_COMPRESSION_ZSTD = 1 };

enum kvs_log_level { KVS_LOG_INFO, KVS_LOG_WARNING, KVS_LOG_ERROR };

/* Receives one line of text without a line end. Called from any thread, under no lock; must not call the library. */
typedef void kvs_log_function(void *context, enum kvs_log_level level, const char *line);

/* Start from kvs_options_default: zeroed fields are not all valid. Strings and context are borrowed during kvs_open only, except log_context, which
 * must live until kvs_close has returned. */
struct kvs_options {
    uint64_t
        memory_bytes; /* budget for memtables, resident blocks, indexes, filters: 1 MiB.., default the smaller of 1 GiB and a quarter of the
                                        machine's (or cgroup's) memory. The one size that most users set. */
    enum kvs_sync_mode sync_mode; /* default KVS_SYNC_ALWAYS */
    uint32_t sync_interval_ms;    /* for KVS_SYNC_INTERVAL: 1..60000, default 1000 */
    bool create_if_missing;       /* default true */
    bool fail_if_exists;          /* default false */
    bool read_only; /* default false: open without changing anything; shares the folder with other readers */
    enum kvs_compression compression; /* of segments; default KVS_COMPRESSION_ZSTD */
    int compression_level;            /* 1..19, default 1: higher levels cost CPU in compaction only */
    uint64_t
        memtable_bytes; /* 0 (default): derived from memory_bytes; else 4 KiB..1 GiB. Smaller ones flush more often, for tests */
    uint32_t
        block_bytes; /* target size of a data block in memory, from 4096 on with its header: 256..1 MiB, default 4096 */
    uint64_t segment_bytes;       /* target size of a segment file: 4 KiB..4 GiB, default 64 MiB */
    uint64_t level_base_bytes;    /* smallest size at which a sorted level is worth having: 4 KiB.., default 256 MiB */
    uint32_t filter_bits_per_key; /* 0 (no filters)..30, default 10: about 1 % of absent keys then cost a block read */
    const char
        *owner; /* at most 31 bytes: what made the database, as recorded in it; a database of another owner is refused.
                                        NULL (default): recorded as "", and any owner is accepted */
    kvs_log_function *log; /* default NULL: nothing is logged */
    void *log_context;
};

KVS_API void kvs_options_default(struct kvs_options *options);

/* Open the database in folder path, creating it as the options say, and recover what the last process left. options may be NULL.
 *
 * db  out: close with kvs_close.
 * Takes about as long as reading the logs (what was written since the last flush). Nothing acknowledged is lost; a log that proves that acknowledged data was damaged
 * is refused with CORRUPT and nothing on disk is changed: the sentence says what was found where, and ends with the command that tells what can be saved
 * (kvstore_tool repair --plan). Repair is the tool's, not this interface's: what is given up is a person's decision.
 * An existing database needs no free space to be opened: where there is none its data can be read, writes get NO_SPACE (kvs_stats: health), and they come back by
 * themselves when there is room.
 *
 * Errors: LOCKED (open elsewhere, also in this process), NOT_FOUND, INVALID (an option), UNSUPPORTED (other format or owner), CORRUPT, IO, NO_SPACE, NO_MEMORY. */
KVS_API KVS_MUST_USE struct kvs_status kvs_open(struct kvs_db **db, const char *path,
                                                const struct kvs_options *options);

/* Finish background work, sync the log in every mode, and free the handle. NULL is allowed. Where the disk was full at kvs_open and still is, or has no room for the flush
 * that a sync needs (kvs_sync), nothing is waited for: NO_SPACE, if what was published was not all on the disk.
 *
 * Errors: BUSY: iterators, snapshots or pinned values of this database still live; the database stays open and usable. Any other error says that the last sync failed: the
 * handle is freed all the same, and what was published before is still safe in its mode. */
KVS_API KVS_MUST_USE struct kvs_status kvs_close(struct kvs_db *db);

/* Delete a database: only the files that a database is made of, and the folder if it is empty then. Errors: LOCKED, NOT_FOUND (no database), CORRUPT or UNSUPPORTED (what is there is not
 * one of ours, or too damaged to tell: nothing was removed), IO. */
KVS_API KVS_MUST_USE struct kvs_status kvs_destroy(const char *path);

/* ---- Write ---- */

struct kvs_batch;

/* sync  ask for an fdatasync before the call returns, whatever the mode. */
struct kvs_write_options {
    bool sync;
};

/* Store or remove one key; as kvs_write of a batch of one. Removing an absent key is OK. options may be NULL. */
KVS_API KVS_MUST_USE struct kvs_status kvs_put(struct kvs_db *db, struct kvs_slice key, struct kvs_slice value,
                                               const struct kvs_write_options *options);
KVS_API KVS_MUST_USE struct kvs_status kvs_delete(struct kvs_db *db, struct kvs_slice key,
                                                  const struct kvs_write_options *options);

/* A list of changes that is applied whole or not at all, in order: of two changes of one key the later wins. Errors of new: NO_MEMORY. */
KVS_API KVS_MUST_USE struct kvs_status kvs_batch_new(struct kvs_batch **batch);
KVS_API void kvs_batch_free(struct kvs_batch *batch);

/* Forget all changes; keeps the memory for the next use. */
KVS_API void kvs_batch_clear(struct kvs_batch *batch);

/* Append a change; key and value are copied. Errors: INVALID (an empty key), TOO_LARGE (key, value or batch), NO_MEMORY; the batch is then as before. */
KVS_API KVS_MUST_USE struct kvs_status kvs_batch_put(struct kvs_batch *batch, struct kvs_slice key,
                                                     struct kvs_slice value);
KVS_API KVS_MUST_USE struct kvs_status kvs_batch_delete(struct kvs_batch *batch, struct kvs_slice key);

/* The number of changes, and the bytes that they take in the log. */
KVS_API size_t kvs_batch_count(const struct kvs_batch *batch);
KVS_API size_t kvs_batch_bytes(const struct kvs_batch *batch);

/* Apply a batch and wait until it is published (and synced, if options ask for it). The batch is unchanged and may be used again. An empty batch is OK.
 *
 * Waits at admission while the engine makes room (memtable, log, compaction debt). Callers that wait at the same time share one sync.
 *
 * Errors: NO_SPACE, NO_MEMORY, IO (no room, and none can be made at present: nothing written, try later); POISONED (an earlier failure; nothing written); UNKNOWN (this write's own log write or sync failed: after a reopen it is
 * there whole, or not at all).
 * Where options ask for a sync that the mode does not give, NO_SPACE or NO_MEMORY may come too late: the write is published, and only not known to be durable (the
 * sentence begins with "not synced"; see kvs_sync). Making it again does no harm. */
KVS_API KVS_MUST_USE struct kvs_status kvs_write(struct kvs_db *db, const struct kvs_batch *batch,
                                                 const struct kvs_write_options *options);

/* Called once when a write that was answered BUSY is worth trying again. On an engine thread, under no lock; must not block. */
typedef void kvs_ready_function(void *context);

/* Apply batches, in order, each whole or not at all, without waiting for anything: no disk, no sync, no room.
 *
 * sequence  out: the number of the last change applied; published when kvs_sync_async's callback says so. If no batch holds a change: the last applied number.
 *           Written on failure too if some were applied, with a number at or above theirs.
 * applied   out: how many of the batches were applied; written on failure too (those before the one that failed).
 * ready     called once, soon, if and only if BUSY is returned. NULL: no call.
 *
 * Errors: BUSY (admission: call again after ready), NO_SPACE, NO_MEMORY, IO, POISONED (nothing more was written). In mode interval NO_SPACE comes too where the oldest unsynced
 * write is too old and there is no room to make it durable. */
KVS_API KVS_MUST_USE struct kvs_status kvs_apply(struct kvs_db *db, uint64_t *sequence, size_t *applied,
                                                 const struct kvs_batch *const *batches, size_t count,
                                                 kvs_ready_function *ready, void *context);

/* KVS_PUBLISHED: what the sync mode asks. KVS_DURABLE: on stable storage, whatever the mode. */
enum kvs_level { KVS_PUBLISHED = 0, KVS_DURABLE = 1 };

/* Wait until every change applied before the call is on stable storage, whatever the mode.
 *
 * In the modes interval and os, what a killed process left unsynced has to be flushed before anything later counts as synced. Where there is no room for that the wait ends: the
 * changes are published, and are durable when a later kvs_sync returns OK. The flush is tried again by itself, and with room all comes back.
 *
 * Errors: NO_SPACE, NO_MEMORY (as said); UNKNOWN, POISONED. */
KVS_API KVS_MUST_USE struct kvs_status kvs_sync(struct kvs_db *db);

/* Called exactly once, on the engine's log thread, under no lock: status is OK when all changes up to the sequence number have reached the level, else UNKNOWN or POISONED
 * (also at close), or, for KVS_DURABLE, NO_SPACE or NO_MEMORY as kvs_sync gives them: they are published then. May read; must not block or call kvs_close. */
typedef void kvs_sync_function(void *context, struct kvs_status status);

/* Ask for the changes up to sequence to reach a level, without waiting. If they have already, or on failure to ask, the callback may come before this
 * returns, on the calling thread. Requests made while a sync is in flight share the next one. Errors: NO_MEMORY, INVALID (a number that was not given out yet): no callback comes. */
KVS_API KVS_MUST_USE struct kvs_status kvs_sync_async(struct kvs_db *db, uint64_t sequence, enum kvs_level level,
                                                      kvs_sync_function *callback, void *context);

/* The last published and the last applied sequence number. Never waits. */
KVS_API uint64_t kvs_published_sequence(const struct kvs_db *db);
KVS_API uint64_t kvs_applied_sequence(const struct kvs_db *db);

/* ---- Read ---- */

struct kvs_snapshot;

/* snapshot   read as of this snapshot; NULL: as of now
 * at_least   see changes up to this sequence number even if they are not published yet (a client's own last write): the caller must not show the
 *            result to anybody before that number is published. 0: published changes only. Ignored with a snapshot.
 * resident_only  do no I/O: BUSY where the answer is not in memory (the caller asks again from a thread that may block). */
struct kvs_read_options {
    const struct kvs_snapshot *snapshot;
    uint64_t at_least;
    bool resident_only;
};

/* A value in the engine's own memory. bytes is valid until kvs_value_release. The caller owns the struct. */
struct kvs_value {
    struct kvs_slice bytes;
    void *pin;      /* the engine's */
    void *pin_kind; /* the engine's */
};

/* Read one key. found: out. value: out, only if found; release it. Never locks, and allocates nothing, where the answer is in memory; otherwise reads one block per run that
 * may hold the key. options may be NULL.
 *
 * Errors: INVALID, TOO_LARGE (the key), CORRUPT, IO, NO_MEMORY, BUSY (resident_only). */
KVS_API KVS_MUST_USE struct kvs_status kvs_get(struct kvs_db *db, struct kvs_value *value, bool *found,
                                               struct kvs_slice key, const struct kvs_read_options *options);

/* Let go of a value, on any thread. A zeroed or released value is allowed. */
KVS_API void kvs_value_release(struct kvs_value *value);

/* Read one key into a buffer. value_bytes: out if found: the value's whole size; at most capacity bytes of it are copied. Errors: as kvs_get. */
KVS_API KVS_MUST_USE struct kvs_status kvs_get_into(struct kvs_db *db, void *buffer, size_t *value_bytes, bool *found,
                                                    struct kvs_slice key, size_t capacity,
                                                    const struct kvs_read_options *options);

/* Read count keys as of one moment. values and found: arrays of count; every found value is to be released. On failure none is. Errors: as kvs_get. */
KVS_API KVS_MUST_USE struct kvs_status kvs_multi_get(struct kvs_db *db, struct kvs_value *values, bool *found,
                                                     const struct kvs_slice *keys, size_t count,
                                                     const struct kvs_read_options *options);

/* ---- Scan ---- */

struct kvs_iterator;

/* lower, upper  keys outside [lower, upper) are not shown; copied; an empty slice is an open end
 * prefix        only keys that begin with these bytes; copied; combines with the bounds
 * read          snapshot and at_least, as for kvs_get; the iterator shows one moment for all its life (resident_only is ignored) */
struct kvs_iterator_options {
    struct kvs_read_options read;
    struct kvs_slice lower;
    struct kvs_slice upper;
    struct kvs_slice prefix;
};

/* Make an iterator, on no entry yet. options may be NULL. It keeps the memory and files of its moment alive: free it soon. Errors: NO_MEMORY, IO, CORRUPT. */
KVS_API KVS_MUST_USE struct kvs_status kvs_iterator_new(struct kvs_iterator **iterator, struct kvs_db *db,
                                                        const struct kvs_iterator_options *options);
KVS_API void kvs_iterator_free(struct kvs_iterator *iterator);

/* Stand on the first or last entry in bounds; on the first at or after key; on the last before key. */
KVS_API void kvs_iterator_first(struct kvs_iterator *iterator);
KVS_API void kvs_iterator_last(struct kvs_iterator *iterator);
KVS_API void kvs_iterator_seek(struct kvs_iterator *iterator, struct kvs_slice key);
KVS_API void kvs_iterator_seek_before(struct kvs_iterator *iterator, struct kvs_slice key);

/* Step to the neighbour; only while valid. */
KVS_API void kvs_iterator_next(struct kvs_iterator *iterator);
KVS_API void kvs_iterator_prev(struct kvs_iterator *iterator);

/* Whether it stands on an entry: false past either end of the bounds, and after a failure, which kvs_iterator_status tells apart. */
KVS_API bool kvs_iterator_valid(const struct kvs_iterator *iterator);

/* The entry it stands on; borrowed until the iterator moves. Only while valid. */
KVS_API struct kvs_slice kvs_iterator_key(const struct kvs_iterator *iterator);
KVS_API struct kvs_slice kvs_iterator_value(const struct kvs_iterator *iterator);

/* OK, or why the last step failed: CORRUPT, IO, NO_MEMORY. */
KVS_API struct kvs_status kvs_iterator_status(const struct kvs_iterator *iterator);

/* ---- Versions ---- */

/* Keep the present published state readable. Cheap, but while it lives, what it alone needs is kept on disk. Errors: NO_MEMORY. */
KVS_API KVS_MUST_USE struct kvs_status kvs_snapshot_new(struct kvs_snapshot **snapshot, struct kvs_db *db);
KVS_API void kvs_snapshot_free(struct kvs_snapshot *snapshot);
KVS_API uint64_t kvs_snapshot_sequence(const struct kvs_snapshot *snapshot);

/* ---- Upkeep ---- */

/* Write what is in memory to segments and wait for it. Errors: NO_SPACE, IO, POISONED. */
KVS_API KVS_MUST_USE struct kvs_status kvs_flush(struct kvs_db *db);

/* Flush, then merge everything into one run, dropping what no snapshot needs, and wait for it. Errors: NO_SPACE, IO, CORRUPT, POISONED. */
KVS_API KVS_MUST_USE struct kvs_status kvs_compact(struct kvs_db *db);

/* Called now and then with the bytes checked and to be checked; return false to stop. */
typedef bool kvs_progress_function(void *context, uint64_t done_bytes, uint64_t total_bytes);

/* Read every live segment and check every checksum and invariant (order, counts, ranges, filters, whole-file hashes). Manifest and logs are verified whole by every
 * kvs_open. progress may be NULL.
 *
 * Errors: CORRUPT (the first damage, with file and offset), IO, BUSY (progress said stop). */
KVS_API KVS_MUST_USE struct kvs_status kvs_verify(struct kvs_db *db, kvs_progress_function *progress, void *context);

/* ---- Insight ---- */

enum { KVS_LEVEL_COUNT = 8 };

/* Counters since kvs_open and present sizes. Bytes and counts; each is exact or a moment old, together they are not one moment. */
struct kvs_stats {
    uint64_t applied_sequence, published_sequence, durable_sequence;
    uint64_t writes, write_bytes; /* changes, and their key and value bytes */
    uint64_t gets, get_memtable_hits, get_block_hits, get_block_reads, filter_rejections;
    uint64_t log_bytes, log_writes, log_syncs; /* written to logs; write calls; fdatasync calls */
    uint64_t log_sync_ns_max;
    uint64_t flushes, flush_bytes; /* segments bytes written by flushes */
    uint64_t compactions, compaction_read_bytes, compaction_write_bytes;
    uint64_t compaction_debt_bytes; /* what must still be rewritten for the levels to be in shape */
    uint64_t delayed_writes, delay_ns_total, delay_ns_max; /* waits at admission that the engine imposed; a write
                                                              that kvs_apply refuses twice counts as two waits */
    uint64_t memory_used_bytes, memory_memtable_bytes, memory_block_bytes, memory_index_bytes, memory_filter_bytes;
    uint64_t immutable_memtables, snapshots;
    uint64_t segment_bytes, segment_entries,
        segment_tombstones;  /* live segments; entries count versions and tombstones */
    uint64_t live_log_bytes; /* allocated to logs that recovery would read */
    uint64_t obsolete_files; /* waiting for readers or for the manifest before they are unlinked */
    uint32_t level_runs[KVS_LEVEL_COUNT], level_segments[KVS_LEVEL_COUNT];
    uint64_t level_bytes[KVS_LEVEL_COUNT];
    uint64_t recovered_records, recovered_bytes, set_aside_bytes; /* by the last kvs_open */
    uint64_t manifest_cut_bytes; /* found by it after the last edit of the manifest: an edit that was never finished */
    enum kvs_code health;        /* KVS_OK, or why writes are refused */
};

KVS_API void kvs_stats(const struct kvs_db *db, struct kvs_stats *stats);

/* A named property as text: "levels", "stats", "options", "health". text: out, at most capacity bytes with a terminating NUL. Errors: NOT_FOUND (no such property). */
KVS_API KVS_MUST_USE struct kvs_status kvs_property(const struct kvs_db *db, char *text, size_t capacity,
                                                    const char *name);

#ifdef __cplusplus
}
#endif

#endif
