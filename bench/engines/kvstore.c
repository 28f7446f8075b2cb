/* kvstore, through its public header. */
#include "bench/engines/engine.h"
#include "bench/failure.h"

#include <kvstore.h>
#include <stdio.h>

extern const struct engine engine_kvstore;

static bool kvstore_is_ok(struct kvs_status status, const char *call)
{
    if (kvs_ok(status))
        return true;
    failure_set("%s: %s", call, kvs_status_text(status));
    return false;
}

static void kvstore_version(char *text)
{
    snprintf(text, ENGINE_TEXT_BYTES, "%s", kvs_version());
}

static bool kvstore_open(void **db, const struct engine_options *options)
{
    struct kvs_options own;
    kvs_options_default(&own);
    own.memory_bytes = options->memory_bytes;
    own.sync_mode = options->sync ? KVS_SYNC_ALWAYS : KVS_SYNC_OS;
    own.create_if_missing = options->create;
    own.compression = options->compress ? KVS_COMPRESSION_ZSTD : KVS_COMPRESSION_NONE;
    struct kvs_db *opened = NULL;
    if (!kvstore_is_ok(kvs_open(&opened, options->path, &own), "kvs_open"))
        return false;
    *db = opened;
    return true;
}

static void kvstore_close(void *db)
{
    (void)kvstore_is_ok(kvs_close(db), "kvs_close");
}

static bool kvstore_put(void *db, struct kvs_slice key, struct kvs_slice value)
{
    return kvstore_is_ok(kvs_put(db, key, value, NULL), "kvs_put");
}

static enum engine_found kvstore_get(void *db, struct engine_value *value, struct kvs_slice key)
{
    struct kvs_value own;
    bool found = false;
    if (!kvstore_is_ok(kvs_get(db, &own, &found, key, NULL), "kvs_get"))
        return ENGINE_FAILED;
    if (!found)
        return ENGINE_ABSENT;
    *value = (struct engine_value){own.bytes, {own.pin, own.pin_kind}};
    return ENGINE_FOUND;
}

static void kvstore_value_release(struct engine_value *value)
{
    struct kvs_value own = {value->bytes, value->hold[0], value->hold[1]};
    kvs_value_release(&own);
}

static bool kvstore_cursor_new(void **cursor, void *db)
{
    struct kvs_iterator *iterator = NULL;
    if (!kvstore_is_ok(kvs_iterator_new(&iterator, db, NULL), "kvs_iterator_new"))
        return false;
    *cursor = iterator;
    return true;
}

static bool kvstore_cursor_free(void *cursor)
{
    bool ok = kvstore_is_ok(kvs_iterator_status(cursor), "kvs_iterator_status");
    kvs_iterator_free(cursor);
    return ok;
}

static bool kvstore_entry(const struct kvs_iterator *iterator, struct engine_entry *entry)
{
    if (!kvs_iterator_valid(iterator))
        return false;
    entry->key = kvs_iterator_key(iterator);
    entry->value = kvs_iterator_value(iterator);
    return true;
}

static bool kvstore_cursor_first(void *cursor, struct engine_entry *entry)
{
    kvs_iterator_first(cursor);
    return kvstore_entry(cursor, entry);
}

static bool kvstore_cursor_last(void *cursor, struct engine_entry *entry)
{
    kvs_iterator_last(cursor);
    return kvstore_entry(cursor, entry);
}

static bool kvstore_cursor_seek(void *cursor, struct engine_entry *entry, struct kvs_slice key)
{
    kvs_iterator_seek(cursor, key);
    return kvstore_entry(cursor, entry);
}

static bool kvstore_cursor_next(void *cursor, struct engine_entry *entry)
{
    kvs_iterator_next(cursor);
    return kvstore_entry(cursor, entry);
}

static bool kvstore_cursor_prev(void *cursor, struct engine_entry *entry)
{
    kvs_iterator_prev(cursor);
    return kvstore_entry(cursor, entry);
}

static bool kvstore_flush(void *db)
{
    return kvstore_is_ok(kvs_flush(db), "kvs_flush");
}

static bool kvstore_is_settled(void *db)
{
    struct kvs_stats stats;
    kvs_stats(db, &stats);
    return stats.immutable_memtables == 0 && stats.compaction_debt_bytes == 0;
}

static uint64_t kvstore_written_bytes(void *db)
{
    struct kvs_stats stats;
    kvs_stats(db, &stats);
    return stats.log_bytes + stats.flush_bytes + stats.compaction_write_bytes;
}

const struct engine engine_kvstore = {
    .name = "kvstore",
    .settings = "memory_bytes is the budget, KVS_SYNC_OS or KVS_SYNC_ALWAYS, zstd level 1, filters 10 bits per key",
    .symbol = (const void *)kvs_open,
    .assertions = "with assertions (its own, as in every build)",
    .version = kvstore_version,
    .open = kvstore_open,
    .close = kvstore_close,
    .put = kvstore_put,
    .get = kvstore_get,
    .value_release = kvstore_value_release,
    .cursor_new = kvstore_cursor_new,
    .cursor_free = kvstore_cursor_free,
    .cursor_first = kvstore_cursor_first,
    .cursor_last = kvstore_cursor_last,
    .cursor_seek = kvstore_cursor_seek,
    .cursor_next = kvstore_cursor_next,
    .cursor_prev = kvstore_cursor_prev,
    .flush = kvstore_flush,
    .is_settled = kvstore_is_settled,
    .written_bytes = kvstore_written_bytes,
};
