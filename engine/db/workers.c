#include "db/db.h"

#include <stdlib.h>

static void worker_init(struct worker *worker, struct io *io)
{
    *worker = (struct worker){0};
    io_condition_init(&worker->wake, io);
}

void workers_init(struct kvs_db *db)
{
    struct workers *workers = &db->workers;
    worker_init(&workers->upkeep, db->io);
    worker_init(&workers->flush, db->io);
    worker_init(&workers->janitor, db->io);
    for (int i = 0; i < COMPACTION_THREADS; i++) {
        worker_init(&workers->compaction[i], db->io);
        workers->compaction[i].db = db;
    }
    io_mutex_init(&workers->pick_lock, db->io);
    io_condition_init(&workers->done, db->io);
    atomic_init(&workers->stop, false);
}

void workers_fini(struct kvs_db *db)
{
    struct workers *workers = &db->workers;
    io_condition_fini(&workers->done);
    log_writer_close(workers->spare.writer); /* of a database whose log has failed: the next open removes the file */
    free(workers->busy);
    io_mutex_fini(&workers->pick_lock);
    for (int i = 0; i < COMPACTION_THREADS; i++)
        io_condition_fini(&workers->compaction[i].wake);
    io_condition_fini(&workers->janitor.wake);
    io_condition_fini(&workers->flush.wake);
    io_condition_fini(&workers->upkeep.wake);
}

static struct kvs_status start(struct kvs_db *db, struct worker *worker, const char *name, void (*body)(void *),
                               void *argument)
{
    struct kvs_status status = io_thread_start(&worker->thread, db->io, name, body, argument);
    worker->is_started = status_is_ok(status);
    return status;
}

struct kvs_status workers_start(struct kvs_db *db)
{
    struct kvs_status status = start(db, &db->workers.upkeep, "kvs-upkeep", upkeep_body, db);
    if (status_is_ok(status))
        status = start(db, &db->workers.flush, "kvs-flush", flush_body, db);
    if (status_is_ok(status))
        status = start(db, &db->workers.janitor, "kvs-janitor", janitor_body, db);
    for (int i = 0; i < COMPACTION_THREADS && status_is_ok(status); i++)
        status = start(db, &db->workers.compaction[i], "kvs-compact", compaction_body, &db->workers.compaction[i]);
    return status;
}

static void join(struct worker *worker)
{
    if (worker->is_started)
        io_thread_join(&worker->thread);
    worker->is_started = false;
}

void workers_stop(struct kvs_db *db)
{
    struct workers *workers = &db->workers;
    atomic_store_explicit(&workers->stop, true, memory_order_relaxed);
    io_mutex_lock(&db->commit.lock);
    workers->stopping = true;
    io_condition_broadcast(&workers->upkeep.wake);
    io_condition_broadcast(&workers->flush.wake);
    io_condition_broadcast(&workers->janitor.wake);
    for (int i = 0; i < COMPACTION_THREADS; i++)
        io_condition_broadcast(&workers->compaction[i].wake);
    io_condition_broadcast(&workers->done);
    io_mutex_unlock(&db->commit.lock);
    for (int i = 0; i < COMPACTION_THREADS; i++)
        join(&workers->compaction[i]);
    join(&workers->flush);
    join(&workers->janitor);
    join(&workers->upkeep);
}

static void want(struct worker *worker)
{
    worker->is_wanted = true;
    io_condition_signal(&worker->wake);
}

void workers_want_upkeep(void *context)
{
    struct kvs_db *db = context;
    want(&db->workers.upkeep);
}

void workers_want_flush(void *context)
{
    struct kvs_db *db = context;
    want(&db->workers.flush);
}

void workers_want_janitor_locked(struct kvs_db *db)
{
    if (version_set_obsolete_count(db->versions) != 0 && !commit_has_failed_locked(&db->commit))
        want(&db->workers.janitor);
}

void workers_note_unref(struct kvs_db *db)
{
    if (db->options.read_only || waiting_is_on(&db->waiting) || version_set_obsolete_count(db->versions) == 0 ||
        version_set_is_poisoned(db->versions))
        return;
    io_mutex_lock(&db->commit.lock);
    workers_want_janitor_locked(db);
    io_mutex_unlock(&db->commit.lock);
}

void workers_want_compaction(struct kvs_db *db)
{
    for (int i = 0; i < COMPACTION_THREADS; i++)
        want(&db->workers.compaction[i]);
}

void worker_wait_locked(struct kvs_db *db, struct worker *worker, uint64_t until_ns)
{
    while (!worker->is_wanted && !db->workers.stopping) {
        if (until_ns == 0)
            io_condition_wait(&worker->wake, &db->commit.lock);
        else if (!io_condition_wait_until(&worker->wake, &db->commit.lock, until_ns))
            break;
    }
    worker->is_wanted = false;
}

void workers_begin_log_edit_locked(struct kvs_db *db)
{
    while (db->workers.editing_logs)
        io_condition_wait(&db->workers.done, &db->commit.lock);
    db->workers.editing_logs = true;
}

void workers_end_log_edit_locked(struct kvs_db *db)
{
    db->workers.editing_logs = false;
    io_condition_broadcast(&db->workers.done);
}

struct kvs_status workers_await_flush(struct kvs_db *db, uint64_t sequence)
{
    struct commit *commit = &db->commit;
    struct kvs_status status = status_ok();
    io_mutex_lock(&commit->lock);
    while (db->workers.flushed_sequence < sequence && commit->sealed_oldest != NULL && status_is_ok(status)) {
        status = commit_failure_locked(commit);
        if (status_is_ok(status))
            status = status_kept(&commit->flush_full);
        if (status_is_ok(status))
            io_condition_wait(&db->workers.done, &commit->lock);
    }
    io_mutex_unlock(&commit->lock);
    return status;
}

struct kvs_status workers_compact_all(struct kvs_db *db)
{
    struct workers *workers = &db->workers;
    struct commit *commit = &db->commit;
    io_mutex_lock(&commit->lock);
    uint64_t ticket = ++workers->compact_asked;
    workers_want_compaction(db);
    while (workers->compact_served < ticket && status_is_ok(workers->compact_failure.status) && !workers->stopping &&
           !commit_has_failed_locked(commit))
        io_condition_wait(&workers->done, &commit->lock);
    struct kvs_status status = status_kept(&workers->compact_failure);
    if (status_is_ok(status))
        status =
            workers->compact_served >= ticket ? status_kept(&workers->compact_outcome) : commit_failure_locked(commit);
    if (status_is_ok(status) && workers->compact_served < ticket)
        status = STATUS(KVS_BUSY, "the database is closing");
    io_mutex_unlock(&commit->lock);
    return status;
}
