#include "db/db.h"

#include "db/options.h"
#include "db/recovery.h"
#include "format/file_name.h"
#include "io/io_posix.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void db_log(const struct kvs_db *db, enum kvs_log_level level, const char *format, ...)
{
    if (db->options.log == NULL)
        return;
    char line[STATUS_TEXT_BYTES + IO_PATH_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    db->options.log(db->options.log_context, level, line);
}

/* ---- The folder ---- */

/* Names in a folder: whether there is a CURRENT, and one that no database has. */
struct folder_look {
    bool has_current;
    char stranger[FILE_NAME_BYTES];
};

static bool look_at_name(void *context, const char *name)
{
    struct folder_look *look = context;
    uint64_t number;
    enum file_type type = file_name_parse(&number, name);
    look->has_current |= type == FILE_CURRENT;
    if (type == FILE_UNKNOWN && look->stranger[0] == '\0')
        snprintf(look->stranger, sizeof look->stranger, "%.*s", (int)sizeof look->stranger - 1, name);
    return true;
}

/* Nothing is created among files that are not ours. has_database: out. */
static struct kvs_status check_folder(struct io *io, bool *has_database, const char *path)
{
    struct folder_look look = {0};
    STATUS_RETURN_IF_ERROR(io_list(io, path, look_at_name, &look));
    *has_database = look.has_current;
    if (!look.has_current && look.stranger[0] != '\0')
        return STATUS(KVS_UNSUPPORTED, "%s is not a database and not empty (it holds %s): nothing was changed", path,
                      look.stranger);
    return status_ok();
}

static struct kvs_status sync_parent(struct io *io, const char *path)
{
    char parent[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_parent_path(parent, path));
    return io_directory_sync(io, parent, SYNC_DATABASE_DIRECTORY);
}

/* The folder is there, and its name is durable before there is a database in it: who made it, perhaps a process that was killed, may not have synced it. */
static struct kvs_status make_folder(struct io *io, const char *path, const struct kvs_options *options)
{
    bool exists, has_database = false;
    STATUS_RETURN_IF_ERROR(io_exists(io, &exists, path));
    if (exists)
        STATUS_RETURN_IF_ERROR(check_folder(io, &has_database, path));
    else if (!options->create_if_missing || options->read_only)
        return STATUS(KVS_NOT_FOUND, "there is no folder %s", path);
    else
        STATUS_RETURN_IF_ERROR(io_make_directory(io, path));
    return has_database || options->read_only ? status_ok() : sync_parent(io, path);
}

static struct kvs_status lock_folder(struct kvs_db *db)
{
    char path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(make_folder(db->io, db->path, &db->options));
    STATUS_RETURN_IF_ERROR(file_name_path(path, db->path, FILE_LOCK, 0));
    return io_lock(db->io, &db->lock, path, db->options.read_only);
}

/* ---- Life ---- */

/* With its header in memory a block fills whole pages, which an allocator can give back one by one. */
enum { PAGE_BYTES = 4096 };

static uint32_t block_target_bytes(const struct kvs_options *options)
{
    return options->block_bytes >= PAGE_BYTES ? options->block_bytes - (uint32_t)sizeof(struct cache_block)
                                              : options->block_bytes;
}

static void configure(struct kvs_db *db)
{
    db->table_bytes = options_table_bytes(&db->options);
    db->segment_writer = (struct segment_writer_options){
        .codec = db->options.compression == KVS_COMPRESSION_ZSTD ? SEGMENT_CODEC_ZSTD : SEGMENT_CODEC_NONE,
        .level = db->options.compression_level,
        .block_bytes = block_target_bytes(&db->options),
        .filter_bits_per_key = db->options.filter_bits_per_key,
    };
    struct commit_options commit = {
        .mode = db->options.sync_mode,
        .interval_ns = (uint64_t)db->options.sync_interval_ms * 1000000,
        .sealed_max = OPTIONS_SEALED_MAX,
        .table_bytes = db->table_bytes,
        .buffer_bytes = options_buffer_bytes(db->table_bytes),
        .piece_bytes = options_piece_bytes(db->table_bytes),
    };
    struct commit_hooks hooks = {.upkeep = workers_want_upkeep, .flush = workers_want_flush, .context = db};
    memory_budget_init(&db->budget, db->options.memory_bytes);
    commit_init(&db->commit, db->io, &db->views, &commit, &hooks);
    snapshots_init(&db->snapshots, db->io);
    workers_init(db);
    waiting_init(db);
}

static struct kvs_status allocate(struct kvs_db **db, struct io *io, const char *path,
                                  const struct kvs_options *options)
{
    struct kvs_db *made = aligned_alloc(_Alignof(struct kvs_db), sizeof *made);
    char *copy = strdup(path);
    if (made == NULL || copy == NULL) {
        free(made);
        free(copy);
        return STATUS(KVS_NO_MEMORY, "no memory for a database handle");
    }
    memset(made, 0, sizeof *made);
    made->io = io;
    made->path = copy;
    made->options = *options;
    if (options->owner != NULL) {
        snprintf(made->owner, sizeof made->owner, "%s", options->owner);
        made->options.owner = made->owner;
    }
    configure(made);
    *db = made;
    return status_ok();
}

/* Free everything; threads are joined. The order is that of who uses whom. */
static void dismantle(struct kvs_db *db)
{
    views_reclaim(views_take_retired(&db->views));
    view_unref(atomic_load(&db->views.current));
    waiting_fini(db);
    commit_fini(&db->commit);
    version_set_close(db->versions);
    cache_free(db->cache);
    workers_fini(db);
    snapshots_fini(&db->snapshots);
    io_unlock(db->lock);
    fork_guard_fini(&db->guard);
    free(db->path);
    free(db);
}

static struct kvs_status start(struct kvs_db *db)
{
    if (db->options.read_only)
        return status_ok();
    if (waiting_is_on(&db->waiting))
        return waiting_start(db);
    STATUS_RETURN_IF_ERROR(commit_start(&db->commit));
    return workers_start(db);
}

static void stop(struct kvs_db *db, struct kvs_status *status)
{
    waiting_stop(db);
    if (db->options.read_only || db->commit.memtable == NULL || waiting_is_on(&db->waiting))
        return;
    *status = commit_stop(&db->commit);
    workers_stop(db);
}

/* A refusal for damage ends with the command that says what can be saved; its beginning, which says what was found where, may be all that fits. */
static struct kvs_status name_next_command(struct kvs_status status, const char *path)
{
    static const char command[] = "next: kvstore_tool repair --plan ";
    char text[STATUS_TEXT_BYTES], next[STATUS_TEXT_BYTES / 2];
    if (status.code != KVS_CORRUPT || strstr(status_text(status), command) != NULL)
        return status;
    status_save_text(status, text);
    size_t next_size = (size_t)snprintf(next, sizeof next, "; %s%s", command, path);
    if (next_size >= sizeof next)
        return status;
    size_t kept = strnlen(text, sizeof text - 1 - next_size);
    memcpy(text + kept, next, next_size + 1);
    return status_restore_text(status, text);
}

struct kvs_status db_open(struct kvs_db **db, struct io *io, const char *path, const struct kvs_options *options)
{
    struct kvs_options defaults;
    if (options == NULL) {
        kvs_options_default(&defaults);
        options = &defaults;
    }
    STATUS_RETURN_IF_ERROR(options_check(options));
    struct kvs_db *made;
    STATUS_RETURN_IF_ERROR(allocate(&made, io, path, options));
    struct kvs_status status = fork_guard_init(&made->guard);
    if (status_is_ok(status))
        status = lock_folder(made);
    if (status_is_ok(status))
        status = cache_new(&made->cache, io, &made->budget);
    if (status_is_ok(status)) {
        made->segments = (struct segment_context){.io = io, .cache = made->cache, .budget = &made->budget};
        status = name_next_command(recovery_run(made), path);
    }
    if (status_is_ok(status))
        status = start(made);
    if (!status_is_ok(status)) {
        char text[STATUS_TEXT_BYTES];
        struct kvs_status ignored;
        status_save_text(status, text);
        /* What the last process left may need a flush before it counts as synced: with a thread missing, nobody may wait for that. */
        if (made->commit.active != NULL)
            commit_poison(&made->commit, status);
        stop(made, &ignored);
        dismantle(made);
        return status_restore_text(status, text);
    }
    *db = made;
    return status_ok();
}

struct kvs_status kvs_open(struct kvs_db **db, const char *path, const struct kvs_options *options)
{
    return db_open(db, io_posix(), path, options);
}

/* A database that never had room has synced nothing of what the last process left. */
static struct kvs_status check_durable(struct kvs_db *db)
{
    if (atomic_load(&db->commit.durable_sequence) >= commit_published(&db->commit))
        return status_ok();
    return STATUS(KVS_NO_SPACE, "closing while the disk is full: what the last process left unsynced in %s still is",
                  db->path);
}

struct kvs_status kvs_close(struct kvs_db *db)
{
    if (db == NULL)
        return status_ok();
    STATUS_RETURN_IF_ERROR(db_check_process(db));
    int64_t handles = db_handle_count(db);
    if (handles != 0)
        return STATUS(KVS_BUSY, "%lld values, iterators or snapshots of %s are still held", (long long)handles,
                      db->path);
    struct kvs_status status = status_ok();
    stop(db, &status);
    if (status_is_ok(status) && !db->options.read_only)
        status = waiting_is_on(&db->waiting) ? check_durable(db) : upkeep_close(db);
    char text[STATUS_TEXT_BYTES];
    status_save_text(status, text);
    dismantle(db);
    return status_is_ok(status) ? status : status_restore_text(status, text);
}
