#include "db/waiting.h"

#include "db/db.h"
#include "db/recovery.h"

/* How soon a full disk is tried again. */
#define RETRY_NS UINT64_C(500000000)

void waiting_init(struct kvs_db *db)
{
    io_condition_init(&db->waiting.wake, db->io);
}

void waiting_fini(struct kvs_db *db)
{
    recovery_abandon(db->waiting.recovery);
    io_condition_fini(&db->waiting.wake);
}

static void keep_shortage(struct kvs_db *db, struct kvs_status status)
{
    struct kvs_status told =
        STATUS(KVS_NO_SPACE, "the database was opened without room to write, and is read-only until there is some: %s",
               status_text(status));
    io_mutex_lock(&db->commit.lock);
    status_keep(&db->waiting.shortage, told);
    io_mutex_unlock(&db->commit.lock);
}

/* What a try has left on the disk is not known, or cannot be taken back: no other is made. */
static void keep_end(struct kvs_db *db, struct kvs_status status)
{
    struct kvs_status told =
        STATUS(KVS_POISONED, "writes are refused until the database is reopened, since there was room but: %s",
               status_text(status));
    db_log(db, KVS_LOG_ERROR, "%s", status_text(told));
    io_mutex_lock(&db->commit.lock);
    status_keep(&db->waiting.shortage, told);
    io_mutex_unlock(&db->commit.lock);
}

void waiting_note(struct kvs_db *db, struct recovery *recovery, struct kvs_status status)
{
    db_log(db, KVS_LOG_WARNING, "opened without room to write: reads only for now: %s", status_text(status));
    keep_shortage(db, status);
    db->waiting.recovery = recovery;
    atomic_store_explicit(&db->waiting.is_on, true, memory_order_release);
}

/* Returns whether there is nothing to try any more. */
static bool try_again(struct kvs_db *db)
{
    struct kvs_status status = recovery_try_again(db->waiting.recovery);
    if (!status_is_ok(status)) {
        bool is_over = status.code == KVS_POISONED || !recovery_may_repeat(db->waiting.recovery);
        if (is_over)
            keep_end(db, status);
        else
            keep_shortage(db, status);
        return is_over;
    }
    status = commit_start(&db->commit);
    if (status_is_ok(status))
        status = workers_start(db);
    if (!status_is_ok(status))
        commit_poison(&db->commit, status);
    else
        db_log(db, KVS_LOG_INFO, "there is room again: open for writing");
    atomic_store_explicit(&db->waiting.is_on, false, memory_order_release);
    return true;
}

static void waiting_body(void *argument)
{
    struct kvs_db *db = argument;
    bool is_over = false;
    io_mutex_lock(&db->commit.lock);
    while (!is_over) {
        uint64_t deadline_ns = io_monotonic_ns(db->io) + RETRY_NS;
        while (!db->waiting.stopping && io_condition_wait_until(&db->waiting.wake, &db->commit.lock, deadline_ns))
            continue;
        if (db->waiting.stopping)
            break;
        io_mutex_unlock(&db->commit.lock);
        is_over = try_again(db);
        io_mutex_lock(&db->commit.lock);
    }
    io_mutex_unlock(&db->commit.lock);
}

struct kvs_status waiting_start(struct kvs_db *db)
{
    struct kvs_status status = io_thread_start(&db->waiting.thread, db->io, "kvs-room", waiting_body, db);
    db->waiting.is_started = status_is_ok(status);
    return status;
}

void waiting_stop(struct kvs_db *db)
{
    if (!db->waiting.is_started)
        return;
    io_mutex_lock(&db->commit.lock);
    db->waiting.stopping = true;
    io_condition_signal(&db->waiting.wake);
    io_mutex_unlock(&db->commit.lock);
    io_thread_join(&db->waiting.thread);
    db->waiting.is_started = false;
}

struct kvs_status waiting_shortage(struct kvs_db *db)
{
    if (__builtin_expect(!waiting_is_on(&db->waiting), 1))
        return status_ok();
    io_mutex_lock(&db->commit.lock);
    struct kvs_status status = status_kept(&db->waiting.shortage);
    io_mutex_unlock(&db->commit.lock);
    return status;
}
