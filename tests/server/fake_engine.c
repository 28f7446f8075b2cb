#include "fake_engine/fake_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *fake_memory(void *old, size_t size)
{
    void *memory = realloc(old, size == 0 ? 1 : size);
    if (memory == NULL)
        abort();
    return memory;
}

struct kvs_status fake_status(enum kvs_code code)
{
    return (struct kvs_status){.code = (uint16_t)code, .file = __FILE__};
}

const char *kvs_version(void)
{
    return KVSTORE_VERSION "-fake";
}

const char *kvs_status_text(struct kvs_status status)
{
    static const char *const TEXTS[KVS_CODE_COUNT] = {[KVS_NO_SPACE] = "fake: the disk is full",
                                                      [KVS_CORRUPT] = "fake: block does not verify",
                                                      [KVS_POISONED] = "fake: an earlier sync failed",
                                                      [KVS_BUSY] = "fake: still in use"};
    return TEXTS[status.code] != NULL ? TEXTS[status.code] : "fake: failure";
}

void kvs_options_default(struct kvs_options *options)
{
    *options = (struct kvs_options){.memory_bytes = 64 << 20, .sync_interval_ms = 1000, .create_if_missing = true};
}

static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

struct kvs_status kvs_open(struct kvs_db **db_out, const char *path, const struct kvs_options *options)
{
    (void)path, (void)options;
    struct kvs_db *db = fake_memory(NULL, sizeof *db);
    *db = (struct kvs_db){.sync_ms = number_of("KVS_FAKE_SYNC_MS"),
                          .busy_every = number_of("KVS_FAKE_BUSY_EVERY"),
                          .miss_every = number_of("KVS_FAKE_MISS_EVERY"),
                          .fail_sync = number_of("KVS_FAKE_FAIL_SYNC"),
                          .no_space_at = number_of("KVS_FAKE_NO_SPACE_AT"),
                          .bad_key = getenv("KVS_FAKE_BAD_KEY")};
    pthread_mutex_init(&db->lock, NULL);
    pthread_cond_init(&db->wake, NULL);
    if (pthread_create(&db->thread, NULL, fake_log_thread, db) != 0)
        abort();
    *db_out = db;
    return fake_status(KVS_OK);
}

static void free_entries(struct kvs_db *db)
{
    for (size_t i = 0; i < db->count; i++) {
        struct fake_version *version = db->entries[i].newest, *older;
        for (; version != NULL; version = older) {
            older = version->older;
            free(version);
        }
        free(db->entries[i].key);
    }
    free(db->entries);
}

struct kvs_status kvs_close(struct kvs_db *db)
{
    pthread_mutex_lock(&db->lock);
    if (db->live != 0) {
        pthread_mutex_unlock(&db->lock);
        return fake_status(KVS_BUSY);
    }
    db->is_closing = true;
    pthread_cond_signal(&db->wake);
    pthread_mutex_unlock(&db->lock);
    pthread_join(db->thread, NULL);
    free_entries(db);
    pthread_mutex_destroy(&db->lock);
    pthread_cond_destroy(&db->wake);
    free(db);
    return fake_status(KVS_OK);
}

/* ---- Batches ---- */

struct kvs_status kvs_batch_new(struct kvs_batch **batch)
{
    *batch = fake_memory(NULL, sizeof **batch);
    **batch = (struct kvs_batch){0};
    return fake_status(KVS_OK);
}

void kvs_batch_clear(struct kvs_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->changes[i].key);
        free(batch->changes[i].value);
    }
    batch->count = batch->bytes = 0;
}

void kvs_batch_free(struct kvs_batch *batch)
{
    kvs_batch_clear(batch);
    free(batch->changes);
    free(batch);
}

static char *copy_of(struct kvs_slice slice)
{
    char *copy = fake_memory(NULL, slice.size);
    if (slice.size != 0)
        memcpy(copy, slice.data, slice.size);
    return copy;
}

static struct kvs_status add(struct kvs_batch *batch, struct kvs_slice key, struct kvs_slice value, bool is_delete)
{
    if (key.size == 0)
        return fake_status(KVS_INVALID);
    if (key.size > KVS_KEY_MAX_BYTES || value.size > KVS_VALUE_MAX_BYTES ||
        batch->bytes + key.size + value.size + 16 > KVS_BATCH_MAX_BYTES)
        return fake_status(KVS_TOO_LARGE);
    if (batch->count == batch->capacity) {
        batch->capacity = 2 * batch->capacity + 4;
        batch->changes = fake_memory(batch->changes, batch->capacity * sizeof *batch->changes);
    }
    batch->changes[batch->count++] =
        (struct fake_change){copy_of(key), copy_of(value), key.size, value.size, is_delete};
    batch->bytes += key.size + value.size + 16;
    return fake_status(KVS_OK);
}

struct kvs_status kvs_batch_put(struct kvs_batch *batch, struct kvs_slice key, struct kvs_slice value)
{
    return add(batch, key, value, false);
}

struct kvs_status kvs_batch_delete(struct kvs_batch *batch, struct kvs_slice key)
{
    return add(batch, key, (struct kvs_slice){NULL, 0}, true);
}

size_t kvs_batch_bytes(const struct kvs_batch *batch)
{
    return batch->bytes;
}

/* ---- Writes ---- */

static int compare(const struct fake_entry *entry, struct kvs_slice key)
{
    size_t shorter = entry->size < key.size ? entry->size : key.size;
    int order = memcmp(entry->key, key.data, shorter);
    return order != 0 ? order : (entry->size > key.size) - (entry->size < key.size);
}

size_t fake_lower_bound(const struct kvs_db *db, struct kvs_slice key)
{
    size_t low = 0, high = db->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&db->entries[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct fake_entry *entry_of(struct kvs_db *db, struct kvs_slice key)
{
    size_t at = fake_lower_bound(db, key);
    if (at < db->count && compare(&db->entries[at], key) == 0)
        return &db->entries[at];
    if (db->count == db->capacity) {
        db->capacity = 2 * db->capacity + 64;
        db->entries = fake_memory(db->entries, db->capacity * sizeof *db->entries);
    }
    memmove(db->entries + at + 1, db->entries + at, (db->count - at) * sizeof *db->entries);
    db->entries[at] = (struct fake_entry){key.size, copy_of(key), NULL};
    db->count++;
    return &db->entries[at];
}

static void apply_batch(struct kvs_db *db, const struct kvs_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct fake_change *change = &batch->changes[i];
        struct fake_entry *entry = entry_of(db, (struct kvs_slice){change->key, change->key_size});
        struct fake_version *version = fake_memory(NULL, sizeof *version + change->value_size);
        version->older = entry->newest;
        version->sequence = ++db->applied;
        version->is_deleted = change->is_delete;
        version->size = change->value_size;
        memcpy(version->bytes, change->value, change->value_size);
        entry->newest = version;
    }
}

struct kvs_status kvs_apply(struct kvs_db *db, uint64_t *sequence, size_t *applied,
                            const struct kvs_batch *const *batches, size_t count, kvs_ready_function *ready,
                            void *context)
{
    enum kvs_code code = KVS_OK;
    pthread_mutex_lock(&db->lock);
    *applied = 0;
    for (size_t i = 0; i < count && code == KVS_OK; i++) {
        uint64_t number = ++db->applies;
        if (db->is_poisoned)
            code = KVS_POISONED;
        else if (db->no_space_at != 0 && number >= db->no_space_at)
            code = KVS_NO_SPACE;
        else if (db->busy_every != 0 && number % db->busy_every == 0)
            code = KVS_BUSY;
        else
            apply_batch(db, batches[i]);
        *applied += code == KVS_OK;
    }
    if (code == KVS_OK)
        *sequence = db->applied;
    if (code == KVS_BUSY && ready != NULL)
        fake_add_wait(db, (struct fake_wait){.ready = ready, .context = context});
    pthread_mutex_unlock(&db->lock);
    return fake_status(code);
}
