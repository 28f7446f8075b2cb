#include "db/reserve.h"

#include "base/assert.h"
#include "db/db.h"
#include "format/file_name.h"

/* The one place where the state changes. */
static void move_locked(struct kvs_db *db, enum reserve_state to)
{
    enum reserve_state from = db->workers.reserve;
    KVS_ASSERT((from == RESERVE_NONE && to == RESERVE_HELD) || (from == RESERVE_HELD && to != RESERVE_HELD) ||
               (from == RESERVE_LENT && to == RESERVE_NONE));
    db->workers.reserve = to;
    workers_want_upkeep(db);
}

static void move(struct kvs_db *db, enum reserve_state to)
{
    io_mutex_lock(&db->commit.lock);
    move_locked(db, to);
    io_mutex_unlock(&db->commit.lock);
}

/* A run of entries that do not compress is smaller than the memtable that they fill, but for its filter and index; the manifest grows by a piece for the edit that
 * lists the new log, and at worst by another for the flush. */
uint64_t reserve_bytes(const struct kvs_db *db)
{
    return db->table_bytes + db->table_bytes / 8 + db->commit.options.piece_bytes + 2 * (uint64_t)MANIFEST_PIECE_BYTES;
}

/* Absent is as good. */
static struct kvs_status unlink_file(struct kvs_db *db)
{
    char path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(path, db->path, FILE_RESERVE, 0));
    struct kvs_status status = io_unlink(db->io, path);
    if (status_is_ok(status) || status.code == KVS_NOT_FOUND)
        return status_ok();
    db_log(db, KVS_LOG_WARNING, "the reserve stays until the next open: %s", status_text(status));
    return status;
}

/* What is left must do for writes, too. */
static bool is_roomy(struct kvs_db *db)
{
    uint64_t free_bytes;
    return status_is_ok(io_free_space(db->io, &free_bytes, db->path)) && free_bytes / 2 >= reserve_bytes(db);
}

/* Closed at once: an open file would keep its room when it is unlinked. */
static struct kvs_status make_file(struct kvs_db *db)
{
    char path[IO_PATH_BYTES];
    struct io_file *file;
    STATUS_RETURN_IF_ERROR(file_name_path(path, db->path, FILE_RESERVE, 0));
    STATUS_RETURN_IF_ERROR(io_file_open(db->io, &file, path, IO_OPEN_TEMPORARY));
    struct kvs_status status = io_file_preallocate(file, 0, reserve_bytes(db));
    io_file_close(file);
    return status;
}

void reserve_make(struct kvs_db *db)
{
    if (!is_roomy(db))
        return;
    struct kvs_status status = make_file(db);
    if (status_is_ok(status))
        move(db, RESERVE_HELD);
    else
        status = unlink_file(db);
    (void)status;
}

void reserve_settle_locked(struct kvs_db *db)
{
    if (db->workers.reserve == RESERVE_LENT)
        move_locked(db, RESERVE_NONE);
}

bool reserve_lend(struct kvs_db *db, struct kvs_status failure)
{
    char text[STATUS_TEXT_BYTES] = "";
    io_mutex_lock(&db->commit.lock);
    bool is_held = db->workers.reserve == RESERVE_HELD;
    if (is_held)
        move_locked(db, RESERVE_LENT);
    io_mutex_unlock(&db->commit.lock);
    if (!is_held)
        return false;
    status_save_text(failure, text);
    if (!status_is_ok(unlink_file(db))) {
        (void)status_restore_text(failure, text);
        io_mutex_lock(&db->commit.lock);
        reserve_settle_locked(db); /* if upkeep has not: no flush may be to come */
        io_mutex_unlock(&db->commit.lock);
        return false;
    }
    db_log(db, KVS_LOG_WARNING, "the disk is full: what was kept in reserve is given up, for what makes room");
    return true;
}

void reserve_remove(struct kvs_db *db)
{
    struct kvs_status status = unlink_file(db);
    (void)status;
    if (db->workers.reserve != RESERVE_NONE)
        move(db, RESERVE_NONE);
}
