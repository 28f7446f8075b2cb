#include "db/db.h"

/* Unlinking large files takes a file system its time, during which upkeep would prepare no log. */
static void delete_obsolete_locked(struct kvs_db *db)
{
    if (version_set_obsolete_count(db->versions) == 0 || commit_has_failed_locked(&db->commit))
        return;
    io_mutex_unlock(&db->commit.lock);
    struct kvs_status status = version_set_delete_obsolete(db->versions);
    if (status.code == KVS_NO_SPACE && reserve_lend(db, status)) /* for the edit that lets files go */
        status = version_set_delete_obsolete(db->versions);
    if (!status_is_ok(status))
        db_log(db, KVS_LOG_WARNING, "obsolete files stay for now: %s", status_text(status));
    if (status.code == KVS_POISONED) /* by the edit that lets files go: no other could tell of it soon */
        commit_poison(&db->commit, status);
    io_mutex_lock(&db->commit.lock);
}

void janitor_body(void *argument)
{
    struct kvs_db *db = argument;
    io_mutex_lock(&db->commit.lock);
    while (!db->workers.stopping) {
        worker_wait_locked(db, &db->workers.janitor, 0);
        if (!db->workers.stopping)
            delete_obsolete_locked(db);
    }
    io_mutex_unlock(&db->commit.lock);
}
