#include "db/prepare.h"

#include <stdlib.h>

static uint64_t log_capacity(const struct kvs_db *db, const struct prepare_sizes *sizes)
{
    uint64_t table_bytes = sizes->table_bytes > db->table_bytes ? sizes->table_bytes : db->table_bytes;
    return 2 * table_bytes + sizes->log_bytes;
}

uint64_t prepare_likely_bytes(const struct commit *commit)
{
    return commit->sealed_log_bytes + commit->sealed_log_bytes / 4;
}

/* With less at once where the disk is too full for what the log is likely to need. */
static struct kvs_status create_file(struct kvs_db *db, struct log_writer **writer, struct log_writer_options *options)
{
    struct kvs_status status = log_writer_create(writer, db->io, db->path, options);
    if (status.code == KVS_NO_SPACE && options->first_bytes != 0) {
        options->first_bytes = 0;
        status = log_writer_create(writer, db->io, db->path, options);
    }
    return status;
}

static struct kvs_status create_log(struct kvs_db *db, struct spare_log *log, const struct prepare_sizes *sizes)
{
    struct log_writer *writer;
    struct log_writer_options options = {
        .number = version_set_new_number(db->versions),
        .uuid = version_set_uuid(db->versions),
        .capacity_bytes = log_capacity(db, sizes),
        .piece_bytes = db->commit.options.piece_bytes,
        .buffer_bytes = db->commit.options.buffer_bytes,
    };
    if (sizes->first_bytes > options.piece_bytes)
        options.first_bytes = sizes->first_bytes < options.capacity_bytes ? sizes->first_bytes : options.capacity_bytes;
    STATUS_RETURN_IF_ERROR(create_file(db, &writer, &options));
    struct kvs_status status = io_directory_sync(db->io, db->path, SYNC_LOG_DIRECTORY);
    if (!status_is_ok(status)) {
        log_writer_close(writer); /* the file is not listed: the next open removes it */
        return status;
    }
    *log = (struct spare_log){.writer = writer, .number = options.number};
    return status_ok();
}

/* The spare log if it may grow as large as this one has to, else a new one; the spare one is then too old to be used later. */
static struct kvs_status take_log(struct kvs_db *db, struct spare_log *log, const struct prepare_sizes *sizes)
{
    struct spare_log *spare = &db->workers.spare;
    if (spare->writer == NULL || log_capacity(db, sizes) > 2 * db->table_bytes) {
        prepare_discard_spare(db);
        return create_log(db, log, sizes);
    }
    *log = *spare;
    *spare = (struct spare_log){0};
    return status_ok();
}

struct kvs_status prepare_next(struct kvs_db *db, struct prepared_log *prepared, const struct prepare_sizes *sizes)
{
    struct prepared_log made = {.log = calloc(1, sizeof *made.log), .seal = calloc(1, sizeof *made.seal)};
    uint64_t capacity = sizes->table_bytes > db->table_bytes ? sizes->table_bytes : db->table_bytes;
    struct spare_log log = {0};
    struct kvs_status status = status_ok();
    made.view = view_new(db->commit.options.sealed_max + 2);
    if (made.log == NULL || made.seal == NULL || made.view == NULL)
        status = STATUS(KVS_NO_MEMORY, "no memory for the next memtable");
    if (status_is_ok(status))
        status = memtable_new(&made.memtable, capacity, &db->budget);
    cache_yield(db->cache); /* blocks make room for what the memtable will take */
    if (status_is_ok(status))
        status = take_log(db, &log, sizes);
    if (!status_is_ok(status)) {
        memtable_unref(made.memtable);
        view_unref(made.view);
        free(made.seal);
        free(made.log);
        return status;
    }
    made.log->writer = log.writer;
    made.log->number = log.number;
    *prepared = made;
    return status_ok();
}

static void remove_log(struct kvs_db *db, struct log_writer *writer, uint64_t number)
{
    char path[IO_PATH_BYTES];
    struct kvs_status status = file_name_path(path, db->path, FILE_LOG, number);
    log_writer_close(writer);
    if (status_is_ok(status))
        status = io_unlink(db->io, path);
    if (!status_is_ok(status))
        db_log(db, KVS_LOG_WARNING, "an unused log stays until the next open: %s", status_text(status));
}

void prepare_discard(struct kvs_db *db, struct prepared_log *prepared)
{
    remove_log(db, prepared->log->writer, prepared->log->number);
    memtable_unref(prepared->memtable);
    view_unref(prepared->view);
    free(prepared->seal);
    free(prepared->log);
}

void prepare_spare(struct kvs_db *db, uint64_t first_bytes)
{
    struct prepare_sizes sizes = {.table_bytes = db->table_bytes, .first_bytes = first_bytes};
    if (db->workers.spare.writer != NULL)
        return;
    struct kvs_status status = create_log(db, &db->workers.spare, &sizes);
    (void)status;
}

void prepare_discard_spare(struct kvs_db *db)
{
    struct spare_log spare = db->workers.spare;
    db->workers.spare = (struct spare_log){0};
    if (spare.writer != NULL)
        remove_log(db, spare.writer, spare.number);
}
