/* fake_engine.h -- kvstore.h over memory, for tests of the server: what the real engine does seldom, this one does on demand.
 *
 * Role      Keeps every version of every key in one sorted array. Nothing survives the process. The environment says what goes wrong:
 *             KVS_FAKE_SYNC_MS=n       a publication takes n ms
 *             KVS_FAKE_BUSY_EVERY=n    every nth kvs_apply is BUSY; `ready` comes 20 ms later
 *             KVS_FAKE_MISS_EVERY=n    every nth read that may not block is BUSY
 *             KVS_FAKE_FAIL_SYNC=n     the nth publication fails, and writes are refused from then on
 *             KVS_FAKE_NO_SPACE_AT=n   every kvs_apply from the nth on is NO_SPACE
 *             KVS_FAKE_BAD_KEY=text    reading a key that contains text is CORRUPT
 * Threads   As kvstore.h; one lock for everything.
 * Failure   No memory aborts. kvs_close is BUSY while values, iterators or snapshots live, which is how tests find what the server forgot.
 */
#ifndef KVS_FAKE_ENGINE_FAKE_ENGINE_H
#define KVS_FAKE_ENGINE_FAKE_ENGINE_H

#include <kvstore.h>

#include <pthread.h>

struct fake_version {
    struct fake_version *older;
    uint64_t sequence;
    bool is_deleted;
    size_t size;
    char bytes[];
};

struct fake_entry {
    size_t size;
    char *key;
    struct fake_version *newest;
};

/* A callback to be made by the log thread: a publication that is waited for, or a `ready` that is due. */
struct fake_wait {
    struct fake_wait *next;
    kvs_sync_function *publish;
    kvs_ready_function *ready;
    void *context;
    uint64_t sequence;
};

struct kvs_batch {
    struct fake_change {
        char *key, *value;
        size_t key_size, value_size;
        bool is_delete;
    } * changes;
    size_t count;
    size_t capacity;
    size_t bytes;
};

struct kvs_db {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct fake_entry *entries;
    size_t count;
    size_t capacity;
    uint64_t applied, published;
    struct fake_wait *waits;
    bool is_closing;
    bool is_poisoned;
    uint64_t applies, syncs, misses;
    uint64_t live; /* values, iterators, snapshots */
    uint64_t sync_ms, busy_every, miss_every, fail_sync, no_space_at;
    const char *bad_key;
};

/* The place of the first entry at or after key. The lock is held. */
size_t fake_lower_bound(const struct kvs_db *db, struct kvs_slice key);

/* Note a callback for the log thread. The lock is held. */
void fake_add_wait(struct kvs_db *db, struct fake_wait wait);

/* The log thread: context is the database. */
void *fake_log_thread(void *context);

/* Memory or abort. */
void *fake_memory(void *old, size_t size);

struct kvs_status fake_status(enum kvs_code code);

#endif
