#include "fake_engine/fake_engine.h"

#include <stdlib.h>
#include <string.h>

/* The version that a reader at `horizon` sees, NULL where the key is absent. */
static struct fake_version *visible(const struct fake_entry *entry, uint64_t horizon)
{
    struct fake_version *version = entry->newest;
    while (version != NULL && version->sequence > horizon)
        version = version->older;
    return version == NULL || version->is_deleted ? NULL : version;
}

struct kvs_snapshot {
    struct kvs_db *db;
    uint64_t sequence;
};

static uint64_t horizon_of(const struct kvs_db *db, const struct kvs_read_options *options)
{
    if (options == NULL)
        return db->published;
    if (options->snapshot != NULL)
        return options->snapshot->sequence;
    return options->at_least > db->published ? options->at_least : db->published;
}

static bool is_bad(const struct kvs_db *db, struct kvs_slice key)
{
    return db->bad_key != NULL && memmem(key.data, key.size, db->bad_key, strlen(db->bad_key)) != NULL;
}

struct kvs_status kvs_multi_get(struct kvs_db *db, struct kvs_value *values, bool *found, const struct kvs_slice *keys,
                                size_t count, const struct kvs_read_options *options)
{
    enum kvs_code code = KVS_OK;
    pthread_mutex_lock(&db->lock);
    if (options != NULL && options->resident_only && db->miss_every != 0 && ++db->misses % db->miss_every == 0)
        code = KVS_BUSY;
    for (size_t i = 0; i < count; i++)
        if (code == KVS_OK && is_bad(db, keys[i]))
            code = KVS_CORRUPT;
    uint64_t horizon = horizon_of(db, options);
    for (size_t i = 0; i < count && code == KVS_OK; i++) {
        size_t at = fake_lower_bound(db, keys[i]);
        const struct fake_entry *entry = at < db->count ? &db->entries[at] : NULL;
        bool is_key =
            entry != NULL && entry->size == keys[i].size && memcmp(entry->key, keys[i].data, entry->size) == 0;
        struct fake_version *version = is_key ? visible(entry, horizon) : NULL;
        found[i] = version != NULL;
        if (version == NULL)
            continue;
        values[i] = (struct kvs_value){{version->bytes, version->size}, db, NULL};
        db->live++;
    }
    pthread_mutex_unlock(&db->lock);
    return fake_status(code);
}

struct kvs_status kvs_get(struct kvs_db *db, struct kvs_value *value, bool *found, struct kvs_slice key,
                          const struct kvs_read_options *options)
{
    return kvs_multi_get(db, value, found, &key, 1, options);
}

static void end_life(struct kvs_db *db)
{
    pthread_mutex_lock(&db->lock);
    db->live--;
    pthread_mutex_unlock(&db->lock);
}

void kvs_value_release(struct kvs_value *value)
{
    if (value->pin != NULL)
        end_life(value->pin);
    *value = (struct kvs_value){0};
}

struct kvs_status kvs_snapshot_new(struct kvs_snapshot **snapshot, struct kvs_db *db)
{
    *snapshot = fake_memory(NULL, sizeof **snapshot);
    pthread_mutex_lock(&db->lock);
    **snapshot = (struct kvs_snapshot){db, db->published};
    db->live++;
    pthread_mutex_unlock(&db->lock);
    return fake_status(KVS_OK);
}

void kvs_snapshot_free(struct kvs_snapshot *snapshot)
{
    end_life(snapshot->db);
    free(snapshot);
}

/* ---- Iterators ---- */

/* Stands on a key, not on a place: places move as keys come. */
struct kvs_iterator {
    struct kvs_db *db;
    uint64_t horizon;
    struct kvs_slice lower, upper;
    struct fake_entry entry;      /* key borrowed from the database, which frees none before its end */
    struct fake_version *version; /* NULL: on no entry */
};

static struct kvs_slice copy_of(struct kvs_slice slice)
{
    char *copy = fake_memory(NULL, slice.size);
    if (slice.size != 0)
        memcpy(copy, slice.data, slice.size);
    return (struct kvs_slice){copy, slice.size};
}

struct kvs_status kvs_iterator_new(struct kvs_iterator **iterator, struct kvs_db *db,
                                   const struct kvs_iterator_options *options)
{
    *iterator = fake_memory(NULL, sizeof **iterator);
    pthread_mutex_lock(&db->lock);
    **iterator = (struct kvs_iterator){.db = db,
                                       .horizon = horizon_of(db, &options->read),
                                       .lower = copy_of(options->lower),
                                       .upper = copy_of(options->upper)};
    db->live++;
    pthread_mutex_unlock(&db->lock);
    return fake_status(KVS_OK);
}

void kvs_iterator_free(struct kvs_iterator *iterator)
{
    if (iterator == NULL)
        return;
    end_life(iterator->db);
    free((void *)(uintptr_t)iterator->lower.data);
    free((void *)(uintptr_t)iterator->upper.data);
    free(iterator);
}

/* From place `at` on, by steps, to the first entry that is there; none outside of the bounds. */
static void settle(struct kvs_iterator *iterator, size_t at, int step)
{
    struct kvs_db *db = iterator->db;
    size_t low = fake_lower_bound(db, iterator->lower);
    size_t high = iterator->upper.size == 0 ? db->count : fake_lower_bound(db, iterator->upper);
    iterator->version = NULL;
    for (; at >= low && at < high; at += (size_t)step) {
        iterator->entry = db->entries[at];
        iterator->version = visible(&iterator->entry, iterator->horizon);
        if (iterator->version != NULL)
            return;
    }
}

static void move_to(struct kvs_iterator *iterator, struct kvs_slice key, int offset, int step)
{
    pthread_mutex_lock(&iterator->db->lock);
    settle(iterator, fake_lower_bound(iterator->db, key) + (size_t)offset, step);
    pthread_mutex_unlock(&iterator->db->lock);
}

void kvs_iterator_first(struct kvs_iterator *iterator)
{
    move_to(iterator, iterator->lower, 0, 1);
}

void kvs_iterator_last(struct kvs_iterator *iterator)
{
    move_to(iterator, iterator->upper, -1, -1);
}

void kvs_iterator_seek(struct kvs_iterator *iterator, struct kvs_slice key)
{
    move_to(iterator, key, 0, 1);
}

void kvs_iterator_next(struct kvs_iterator *iterator)
{
    move_to(iterator, kvs_iterator_key(iterator), 1, 1);
}

void kvs_iterator_prev(struct kvs_iterator *iterator)
{
    move_to(iterator, kvs_iterator_key(iterator), -1, -1);
}

bool kvs_iterator_valid(const struct kvs_iterator *iterator)
{
    return iterator->version != NULL;
}

struct kvs_slice kvs_iterator_key(const struct kvs_iterator *iterator)
{
    return (struct kvs_slice){iterator->entry.key, iterator->entry.size};
}

struct kvs_slice kvs_iterator_value(const struct kvs_iterator *iterator)
{
    return (struct kvs_slice){iterator->version->bytes, iterator->version->size};
}

struct kvs_status kvs_iterator_status(const struct kvs_iterator *iterator)
{
    (void)iterator;
    return fake_status(KVS_OK);
}

void kvs_stats(const struct kvs_db *db, struct kvs_stats *stats)
{
    *stats = (struct kvs_stats){.published_sequence = kvs_published_sequence(db),
                                .applied_sequence = kvs_applied_sequence(db)};
}
