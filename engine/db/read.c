#include "db/read.h"

#include "base/rcu.h"
#include "filter/filter.h"

/* Where the value of a key was found. */
enum outcome { ABSENT, IN_TABLE, IN_BLOCK, MISS };

/* One key on its way through a view.
 *
 * run      how far the walk over the version has come
 * segment  the segment whose block is missing (MISS)
 * table    the memtable that holds the value (IN_TABLE)
 * hit      the segment's answer */
struct lookup {
    struct kvs_db *db;
    struct counter_stripe *counters;
    struct kvs_slice key;
    uint64_t hash;
    uint64_t horizon;
    size_t run;
    struct version_segment *segment;
    struct memtable *table;
    struct segment_hit hit;
};

struct counter_stripe *db_counters(struct kvs_db *db)
{
    static _Atomic unsigned next_stripe;
    static _Thread_local unsigned stripe = COUNTER_STRIPES;
    if (stripe == COUNTER_STRIPES)
        stripe = atomic_fetch_add_explicit(&next_stripe, 1, memory_order_relaxed) % COUNTER_STRIPES;
    return &db->counters[stripe];
}

int64_t db_handle_count(const struct kvs_db *db)
{
    int64_t count = 0;
    for (int i = 0; i < COUNTER_STRIPES; i++)
        count += atomic_load_explicit(&db->counters[i].handles, memory_order_relaxed);
    return count;
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* A key of the newest version at or below the horizon is absent if that version is a delete. */
static enum outcome judge(uint64_t trailer, enum outcome found)
{
    return key_kind(trailer) == KEY_DELETE ? ABSENT : found;
}

/* ---- In memory ---- */

static bool find_in_tables(struct lookup *lookup, const struct view *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        if (memtable_get(view->tables[i], &lookup->hit.trailer, &lookup->hit.value, lookup->key, lookup->horizon)) {
            lookup->table = view->tables[i];
            count(&lookup->counters->memtable_hits);
            return true;
        }
    }
    return false;
}

/* Go on through the runs from where the lookup stands. Inside a section that protects the view, or with a reference on it. */
static enum outcome find_in_runs(struct lookup *lookup, const struct view *view)
{
    while ((lookup->segment = version_lookup_next(view->version, &lookup->run, lookup->key)) != NULL) {
        switch (segment_lookup(lookup->segment->segment, &lookup->hit, lookup->key, lookup->hash, lookup->horizon)) {
        case SEGMENT_FOUND:
            count(&lookup->counters->block_hits);
            return judge(lookup->hit.trailer, IN_BLOCK);
        case SEGMENT_MISS:
            return MISS;
        case SEGMENT_ABSENT:
            if (lookup->hit.is_filtered)
                count(&lookup->counters->filter_rejections);
            break;
        }
    }
    return ABSENT;
}

/* Search what is resident. Inside a section. */
static enum outcome find_resident(struct lookup *lookup, const struct view *view)
{
    if (find_in_tables(lookup, view))
        return judge(lookup->hit.trailer, IN_TABLE);
    if (view->version->run_count == 0)
        return ABSENT;
    lookup->hash = filter_hash(lookup->key);
    return find_in_runs(lookup, view);
}

/* ---- From disk ---- */

/* Read the missing block and go on. The caller holds a reference on the view, and none of it happens inside a section. *outcome: IN_BLOCK (with a
 * reference on the block) or ABSENT. */
static struct kvs_status find_on_disk(struct lookup *lookup, enum outcome *outcome, const struct view *view)
{
    for (;;) {
        struct cache_block *block;
        STATUS_RETURN_IF_ERROR(segment_load(lookup->segment->segment, &block, lookup->hit.block_index, true));
        count(&lookup->counters->block_reads);
        if (segment_lookup_in(&lookup->hit, block, lookup->key, lookup->horizon) == SEGMENT_FOUND) {
            *outcome = judge(lookup->hit.trailer, IN_BLOCK);
            if (*outcome == ABSENT)
                cache_block_unref(block);
            return status_ok();
        }
        cache_block_unref(block);
        rcu_enter();
        *outcome = find_in_runs(lookup, view);
        if (*outcome == IN_BLOCK)
            cache_block_ref(lookup->hit.block);
        rcu_leave();
        if (*outcome != MISS)
            return status_ok();
    }
}

static struct lookup begin(struct kvs_db *db, struct kvs_slice key)
{
    struct lookup lookup = {.db = db, .counters = db_counters(db), .key = key};
    count(&lookup.counters->gets);
    return lookup;
}

/* ---- Pinned values ---- */

/* A pin says what holds the value: a memtable or a block, told apart by the low bit of the database's address beside it. */
_Static_assert(_Alignof(struct kvs_db) > 1, "the low bit of a database's address is free");

static void pin_value(struct kvs_value *value, const struct lookup *lookup, enum outcome outcome)
{
    value->bytes = lookup->hit.value;
    value->pin = outcome == IN_TABLE ? (void *)lookup->table : (void *)lookup->hit.block;
    value->pin_kind = (void *)((uintptr_t)lookup->db | (outcome == IN_TABLE));
    atomic_fetch_add_explicit(&lookup->counters->handles, 1, memory_order_relaxed);
}

void kvs_value_release(struct kvs_value *value)
{
    if (value->pin == NULL)
        return;
    uintptr_t kind = (uintptr_t)value->pin_kind;
    struct kvs_db *db = (struct kvs_db *)(kind & ~(uintptr_t)1);
    if (kind & 1)
        memtable_unref(value->pin);
    else
        cache_block_unref(value->pin);
    db_count_handle(db, -1);
    *value = (struct kvs_value){0};
}

/* Look a key up and hold what holds its value. *outcome: IN_TABLE, IN_BLOCK or ABSENT. */
static struct kvs_status find_and_hold(struct lookup *lookup, enum outcome *outcome, struct view *held,
                                       const struct kvs_read_options *options)
{
    rcu_enter();
    struct view *view = held != NULL ? held : views_current(&lookup->db->views);
    if (held == NULL)
        lookup->horizon = read_horizon(lookup->db, options); /* after the view */
    *outcome = find_resident(lookup, view);
    if (*outcome == IN_TABLE)
        memtable_ref(lookup->table);
    else if (*outcome == IN_BLOCK)
        cache_block_ref(lookup->hit.block);
    else if (*outcome == MISS && held == NULL)
        view_ref(view);
    rcu_leave();
    if (*outcome != MISS)
        return status_ok();
    struct kvs_status status = options != NULL && options->resident_only
                                   ? STATUS(KVS_BUSY, "the block is not in memory")
                                   : find_on_disk(lookup, outcome, view);
    if (held == NULL) {
        view_unref(view);
        workers_note_unref(lookup->db);
    }
    return status;
}

struct kvs_status kvs_get(struct kvs_db *db, struct kvs_value *value, bool *found, struct kvs_slice key,
                          const struct kvs_read_options *options)
{
    STATUS_RETURN_IF_ERROR(db_check_process(db));
    STATUS_RETURN_IF_ERROR(batch_check_key(key));
    struct lookup lookup = begin(db, key);
    enum outcome outcome;
    STATUS_RETURN_IF_ERROR(find_and_hold(&lookup, &outcome, NULL, options));
    *found = outcome != ABSENT;
    if (outcome != ABSENT)
        pin_value(value, &lookup, outcome);
    return status_ok();
}

static void copy_out(void *buffer, struct kvs_slice value, size_t capacity)
{
    size_t bytes = value.size < capacity ? value.size : capacity;
    if (bytes != 0)
        memcpy(buffer, value.data, bytes);
}

struct kvs_status kvs_get_into(struct kvs_db *db, void *buffer, size_t *value_bytes, bool *found, struct kvs_slice key,
                               size_t capacity, const struct kvs_read_options *options)
{
    STATUS_RETURN_IF_ERROR(db_check_process(db));
    STATUS_RETURN_IF_ERROR(batch_check_key(key));
    struct lookup lookup = begin(db, key);
    rcu_enter();
    struct view *view = views_current(&db->views);
    lookup.horizon = read_horizon(db, options); /* after the view */
    enum outcome outcome = find_resident(&lookup, view);
    struct kvs_slice value = lookup.hit.value;
    if (outcome == IN_TABLE || outcome == IN_BLOCK)
        copy_out(buffer, value, capacity);
    else if (outcome == MISS)
        view_ref(view);
    rcu_leave();
    if (outcome == MISS) {
        struct kvs_status status = options != NULL && options->resident_only
                                       ? STATUS(KVS_BUSY, "the block is not in memory")
                                       : find_on_disk(&lookup, &outcome, view);
        if (status_is_ok(status) && outcome == IN_BLOCK) {
            value = lookup.hit.value;
            copy_out(buffer, value, capacity);
            cache_block_unref(lookup.hit.block);
        }
        view_unref(view);
        workers_note_unref(db);
        STATUS_RETURN_IF_ERROR(status);
    }
    *found = outcome != ABSENT;
    if (outcome != ABSENT)
        *value_bytes = value.size;
    return status_ok();
}

struct kvs_status kvs_multi_get(struct kvs_db *db, struct kvs_value *values, bool *found, const struct kvs_slice *keys,
                                size_t key_count, const struct kvs_read_options *options)
{
    STATUS_RETURN_IF_ERROR(db_check_process(db));
    for (size_t i = 0; i < key_count; i++)
        STATUS_RETURN_IF_ERROR(batch_check_key(keys[i]));
    /* One view and, after it, one horizon: all keys as of one moment. */
    struct view *view = views_acquire(&db->views);
    uint64_t horizon = read_horizon(db, options);
    struct kvs_status status = status_ok();
    size_t done = 0;
    while (done < key_count && status_is_ok(status)) {
        struct lookup lookup = begin(db, keys[done]);
        enum outcome outcome;
        lookup.horizon = horizon;
        status = find_and_hold(&lookup, &outcome, view, options);
        if (!status_is_ok(status))
            break;
        found[done] = outcome != ABSENT;
        if (outcome != ABSENT)
            pin_value(&values[done], &lookup, outcome);
        done++;
    }
    view_unref(view);
    workers_note_unref(db);
    for (size_t i = 0; i < done && !status_is_ok(status); i++) {
        if (found[i])
            kvs_value_release(&values[i]);
    }
    return status;
}
