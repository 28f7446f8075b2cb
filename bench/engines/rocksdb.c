/* RocksDB, through its C interface.
 *
 * A quarter of the memory is for its two write buffers, the rest for the block cache; indexes and filters lie outside the budget, as is its
 * default, which favours it. Reads are pinned, which spares it a copy. What is set apart from the defaults is what makes the engines equal:
 * filters, compression level, memory.
 */
#include "bench/engines/engine.h"
#include "bench/failure.h"

#include "bench_engines.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

extern const struct engine engine_rocksdb;

enum { ROCKS_WRITE_BUFFERS = 2, ROCKS_FILTER_BITS = 10, ROCKS_ZSTD_LEVEL = 1, ROCKS_ZSTD_WINDOW_DEFAULT = -14 };

struct rocks {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
};

/* Takes over the error text. */
static bool rocks_is_ok(char *error, const char *call)
{
    if (error == NULL)
        return true;
    failure_set("%s: %s", call, error);
    rocksdb_free(error);
    return false;
}

/* The C interface does not tell; this is the package's version when this was built. */
static void rocks_version(char *text)
{
    snprintf(text, ENGINE_TEXT_BYTES, "%s", BENCH_ROCKSDB_VERSION);
}

static void rocks_set_memory(struct rocks *rocks, uint64_t memory_bytes)
{
    uint64_t write_bytes = memory_bytes / 4;
    rocksdb_options_set_write_buffer_size(rocks->options, write_bytes / ROCKS_WRITE_BUFFERS);
    rocksdb_options_set_max_write_buffer_number(rocks->options, ROCKS_WRITE_BUFFERS);
    rocks->cache = rocksdb_cache_create_lru(memory_bytes - write_bytes);
    rocksdb_block_based_options_set_block_cache(rocks->table, rocks->cache);
}

static void rocks_set_options(struct rocks *rocks, const struct engine_options *options)
{
    rocks->options = rocksdb_options_create();
    rocks->table = rocksdb_block_based_options_create();
    rocks->read = rocksdb_readoptions_create();
    rocks->write = rocksdb_writeoptions_create();
    rocks_set_memory(rocks, options->memory_bytes);
    /* The table options take over the filter policy. */
    rocksdb_block_based_options_set_filter_policy(rocks->table,
                                                  rocksdb_filterpolicy_create_bloom_full(ROCKS_FILTER_BITS));
    rocksdb_options_set_block_based_table_factory(rocks->options, rocks->table);
    rocksdb_options_set_create_if_missing(rocks->options, options->create);
    if (options->compress) {
        rocksdb_options_set_compression(rocks->options, rocksdb_zstd_compression);
        rocksdb_options_set_compression_options(rocks->options, ROCKS_ZSTD_WINDOW_DEFAULT, ROCKS_ZSTD_LEVEL, 0, 0);
    } else {
        rocksdb_options_set_compression(rocks->options, rocksdb_no_compression);
    }
    rocksdb_writeoptions_set_sync(rocks->write, options->sync);
}

static void rocks_close(void *db)
{
    struct rocks *rocks = db;
    if (rocks->db != NULL)
        rocksdb_close(rocks->db);
    rocksdb_writeoptions_destroy(rocks->write);
    rocksdb_readoptions_destroy(rocks->read);
    rocksdb_block_based_options_destroy(rocks->table);
    rocksdb_options_destroy(rocks->options);
    rocksdb_cache_destroy(rocks->cache);
    free(rocks);
}

static bool rocks_open(void **db, const struct engine_options *options)
{
    struct rocks *rocks = calloc(1, sizeof *rocks);
    if (rocks == NULL) {
        failure_set("no memory for a handle");
        return false;
    }
    rocks_set_options(rocks, options);
    char *error = NULL;
    rocks->db = rocksdb_open(rocks->options, options->path, &error);
    if (!rocks_is_ok(error, "rocksdb_open")) {
        rocks->db = NULL;
        rocks_close(rocks);
        return false;
    }
    *db = rocks;
    return true;
}

static bool rocks_put(void *db, struct kvs_slice key, struct kvs_slice value)
{
    struct rocks *rocks = db;
    char *error = NULL;
    rocksdb_put(rocks->db, rocks->write, key.data, key.size, value.data, value.size, &error);
    return rocks_is_ok(error, "rocksdb_put");
}

static enum engine_found rocks_get(void *db, struct engine_value *value, struct kvs_slice key)
{
    struct rocks *rocks = db;
    char *error = NULL;
    rocksdb_pinnableslice_t *pinned = rocksdb_get_pinned(rocks->db, rocks->read, key.data, key.size, &error);
    if (!rocks_is_ok(error, "rocksdb_get_pinned"))
        return ENGINE_FAILED;
    if (pinned == NULL)
        return ENGINE_ABSENT;
    value->hold[0] = pinned;
    value->bytes.data = rocksdb_pinnableslice_value(pinned, &value->bytes.size);
    return ENGINE_FOUND;
}

static void rocks_value_release(struct engine_value *value)
{
    rocksdb_pinnableslice_destroy(value->hold[0]);
}

static bool rocks_cursor_new(void **cursor, void *db)
{
    struct rocks *rocks = db;
    *cursor = rocksdb_create_iterator(rocks->db, rocks->read);
    return true;
}

static bool rocks_cursor_free(void *cursor)
{
    char *error = NULL;
    rocksdb_iter_get_error(cursor, &error);
    rocksdb_iter_destroy(cursor);
    return rocks_is_ok(error, "rocksdb_iter_get_error");
}

static bool rocks_entry(const rocksdb_iterator_t *iterator, struct engine_entry *entry)
{
    if (!rocksdb_iter_valid(iterator))
        return false;
    entry->key.data = rocksdb_iter_key(iterator, &entry->key.size);
    entry->value.data = rocksdb_iter_value(iterator, &entry->value.size);
    return true;
}

static bool rocks_cursor_first(void *cursor, struct engine_entry *entry)
{
    rocksdb_iter_seek_to_first(cursor);
    return rocks_entry(cursor, entry);
}

static bool rocks_cursor_last(void *cursor, struct engine_entry *entry)
{
    rocksdb_iter_seek_to_last(cursor);
    return rocks_entry(cursor, entry);
}

static bool rocks_cursor_seek(void *cursor, struct engine_entry *entry, struct kvs_slice key)
{
    rocksdb_iter_seek(cursor, key.data, key.size);
    return rocks_entry(cursor, entry);
}

static bool rocks_cursor_next(void *cursor, struct engine_entry *entry)
{
    rocksdb_iter_next(cursor);
    return rocks_entry(cursor, entry);
}

static bool rocks_cursor_prev(void *cursor, struct engine_entry *entry)
{
    rocksdb_iter_prev(cursor);
    return rocks_entry(cursor, entry);
}

static bool rocks_flush(void *db)
{
    struct rocks *rocks = db;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, 1);
    char *error = NULL;
    rocksdb_flush(rocks->db, options, &error);
    rocksdb_flushoptions_destroy(options);
    return rocks_is_ok(error, "rocksdb_flush");
}

static bool rocks_is_settled(void *db)
{
    static const char *const properties[] = {
        "rocksdb.mem-table-flush-pending",
        "rocksdb.num-running-flushes",
        "rocksdb.compaction-pending",
        "rocksdb.num-running-compactions",
    };
    struct rocks *rocks = db;
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        uint64_t value = 0;
        if (rocksdb_property_int(rocks->db, properties[i], &value) == 0 && value != 0)
            return false;
    }
    return true;
}

const struct engine engine_rocksdb = {
    .name = "rocksdb",
    .settings =
        "2 write buffers in a quarter of the budget, block cache in the rest (index and filters beside it), log written to the "
        "system by each put, zstd level 1, bloom 10 bits per key, pinned reads, else its defaults",
    .symbol = (const void *)rocksdb_open,
    .version = rocks_version,
    .open = rocks_open,
    .close = rocks_close,
    .put = rocks_put,
    .get = rocks_get,
    .value_release = rocks_value_release,
    .cursor_new = rocks_cursor_new,
    .cursor_free = rocks_cursor_free,
    .cursor_first = rocks_cursor_first,
    .cursor_last = rocks_cursor_last,
    .cursor_seek = rocks_cursor_seek,
    .cursor_next = rocks_cursor_next,
    .cursor_prev = rocks_cursor_prev,
    .flush = rocks_flush,
    .is_settled = rocks_is_settled,
};
