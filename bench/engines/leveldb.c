/* LevelDB, through its C interface.
 *
 * It has two write buffers at most, the one being filled and the one being flushed: a quarter of the memory is for both, the rest for the block
 * cache. Snappy is the only compression of this version. The C interface has no reads without a copy (one into a string, one into memory from malloc).
 */
#include "bench/engines/engine.h"
#include "bench/failure.h"

#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>

extern const struct engine engine_leveldb;

enum { LEVEL_WRITE_BUFFERS = 2, LEVEL_FILTER_BITS = 10, LEVEL_FILES_BEFORE_COMPACTION = 4 };

struct level {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_readoptions_t *read;
    leveldb_writeoptions_t *write;
};

/* Takes over the error text. */
static bool level_is_ok(char *error, const char *call)
{
    if (error == NULL)
        return true;
    failure_set("%s: %s", call, error);
    leveldb_free(error);
    return false;
}

static void level_version(char *text)
{
    snprintf(text, ENGINE_TEXT_BYTES, "%d.%d", leveldb_major_version(), leveldb_minor_version());
}

static void level_set_options(struct level *level, const struct engine_options *options)
{
    uint64_t write_bytes = options->memory_bytes / 4;
    level->options = leveldb_options_create();
    level->read = leveldb_readoptions_create();
    level->write = leveldb_writeoptions_create();
    level->cache = leveldb_cache_create_lru(options->memory_bytes - write_bytes);
    level->filter = leveldb_filterpolicy_create_bloom(LEVEL_FILTER_BITS);
    leveldb_options_set_write_buffer_size(level->options, write_bytes / LEVEL_WRITE_BUFFERS);
    leveldb_options_set_cache(level->options, level->cache);
    leveldb_options_set_filter_policy(level->options, level->filter);
    leveldb_options_set_create_if_missing(level->options, options->create);
    leveldb_options_set_compression(level->options,
                                    options->compress ? leveldb_snappy_compression : leveldb_no_compression);
    leveldb_readoptions_set_verify_checksums(level->read, 1);
    leveldb_writeoptions_set_sync(level->write, options->sync);
}

static void level_close(void *db)
{
    struct level *level = db;
    if (level->db != NULL)
        leveldb_close(level->db);
    leveldb_writeoptions_destroy(level->write);
    leveldb_readoptions_destroy(level->read);
    leveldb_options_destroy(level->options);
    leveldb_filterpolicy_destroy(level->filter);
    leveldb_cache_destroy(level->cache);
    free(level);
}

static bool level_open(void **db, const struct engine_options *options)
{
    struct level *level = calloc(1, sizeof *level);
    if (level == NULL) {
        failure_set("no memory for a handle");
        return false;
    }
    level_set_options(level, options);
    char *error = NULL;
    level->db = leveldb_open(level->options, options->path, &error);
    if (!level_is_ok(error, "leveldb_open")) {
        level->db = NULL;
        level_close(level);
        return false;
    }
    *db = level;
    return true;
}

static bool level_put(void *db, struct kvs_slice key, struct kvs_slice value)
{
    struct level *level = db;
    char *error = NULL;
    leveldb_put(level->db, level->write, key.data, key.size, value.data, value.size, &error);
    return level_is_ok(error, "leveldb_put");
}

static enum engine_found level_get(void *db, struct engine_value *value, struct kvs_slice key)
{
    struct level *level = db;
    char *error = NULL;
    char *data = leveldb_get(level->db, level->read, key.data, key.size, &value->bytes.size, &error);
    if (!level_is_ok(error, "leveldb_get"))
        return ENGINE_FAILED;
    if (data == NULL)
        return ENGINE_ABSENT;
    value->hold[0] = data;
    value->bytes.data = data;
    return ENGINE_FOUND;
}

static void level_value_release(struct engine_value *value)
{
    leveldb_free(value->hold[0]);
}

static bool level_cursor_new(void **cursor, void *db)
{
    struct level *level = db;
    *cursor = leveldb_create_iterator(level->db, level->read);
    return true;
}

static bool level_cursor_free(void *cursor)
{
    char *error = NULL;
    leveldb_iter_get_error(cursor, &error);
    leveldb_iter_destroy(cursor);
    return level_is_ok(error, "leveldb_iter_get_error");
}

static bool level_entry(const leveldb_iterator_t *iterator, struct engine_entry *entry)
{
    if (!leveldb_iter_valid(iterator))
        return false;
    entry->key.data = leveldb_iter_key(iterator, &entry->key.size);
    entry->value.data = leveldb_iter_value(iterator, &entry->value.size);
    return true;
}

static bool level_cursor_first(void *cursor, struct engine_entry *entry)
{
    leveldb_iter_seek_to_first(cursor);
    return level_entry(cursor, entry);
}

static bool level_cursor_last(void *cursor, struct engine_entry *entry)
{
    leveldb_iter_seek_to_last(cursor);
    return level_entry(cursor, entry);
}

static bool level_cursor_seek(void *cursor, struct engine_entry *entry, struct kvs_slice key)
{
    leveldb_iter_seek(cursor, key.data, key.size);
    return level_entry(cursor, entry);
}

static bool level_cursor_next(void *cursor, struct engine_entry *entry)
{
    leveldb_iter_next(cursor);
    return level_entry(cursor, entry);
}

static bool level_cursor_prev(void *cursor, struct engine_entry *entry)
{
    leveldb_iter_prev(cursor);
    return level_entry(cursor, entry);
}

/* There is no flush; but compacting any range first flushes the memtable, and a range behind all keys compacts nothing else. */
static bool level_flush(void *db)
{
    struct level *level = db;
    leveldb_compact_range(level->db, "\xff", 1, "\xff\xff", 2);
    return true;
}

/* It says nothing about compactions that run; level 0 is where the need for one shows. The driver sees the rest from outside. */
static bool level_is_settled(void *db)
{
    struct level *level = db;
    char *files = leveldb_property_value(level->db, "leveldb.num-files-at-level0");
    bool settled = files == NULL || atoi(files) < LEVEL_FILES_BEFORE_COMPACTION;
    leveldb_free(files);
    return settled;
}

const struct engine engine_leveldb = {
    .name = "leveldb",
    .settings =
        "2 write buffers in a quarter of the budget, block cache in the rest, log written to the system by each put, snappy (it "
        "has no zstd), bloom 10 bits per key, checksums of blocks verified, else its defaults",
    .symbol = (const void *)leveldb_open,
    .version = level_version,
    .open = level_open,
    .close = level_close,
    .put = level_put,
    .get = level_get,
    .value_release = level_value_release,
    .cursor_new = level_cursor_new,
    .cursor_free = level_cursor_free,
    .cursor_first = level_cursor_first,
    .cursor_last = level_cursor_last,
    .cursor_seek = level_cursor_seek,
    .cursor_next = level_cursor_next,
    .cursor_prev = level_cursor_prev,
    .flush = level_flush,
    .is_settled = level_is_settled,
};
