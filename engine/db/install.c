#include "db/install.h"

#include "base/assert.h"

#include <stdlib.h>

struct install {
    struct kvs_db *db;
    struct view *view; /* made before the install, which cannot fail after its edit is durable */
    uint32_t flushed_count;
    struct position flushed;
    struct sealed_table *freed;
};

/* The sealed tables that were flushed leave the list; they are freed by the caller, outside the lock. */
static struct sealed_table *unlink_flushed(struct commit *commit, uint32_t count)
{
    struct sealed_table *first = commit->sealed_oldest, *last = NULL;
    for (uint32_t i = 0; i < count; i++) {
        last = commit->sealed_oldest;
        commit->sealed_oldest = last->newer;
        commit->sealed_count--;
        commit->sealed_bytes -= memtable_used(last->memtable);
    }
    if (commit->sealed_oldest == NULL)
        commit->sealed_newest = NULL;
    if (last == NULL)
        return NULL;
    last->newer = NULL;
    return first;
}

/* Under the version_set's edit mutex, which is before the commit lock. */
static void publish(void *context, struct version *version)
{
    struct install *install = context;
    struct commit *commit = &install->db->commit;
    io_mutex_lock(&commit->lock);
    const struct view *old = views_current(&install->db->views);
    KVS_ASSERT(install->flushed_count < old->count);
    for (uint32_t i = 0; i < old->count - install->flushed_count; i++)
        view_add_table(install->view, old->tables[i]);
    view_set_version(install->view, version);
    views_publish(&install->db->views, install->view);
    install->view = NULL;
    if (install->flushed_count != 0) {
        install->freed = unlink_flushed(commit, install->flushed_count);
        install->db->workers.flushed_sequence = install->flushed.sequence;
        commit_note_flushed_locked(commit, install->flushed);
        io_condition_broadcast(&commit->room);
        log_thread_room_locked(commit);
        io_condition_broadcast(&install->db->workers.done);
    }
    workers_want_upkeep(install->db);
    workers_want_compaction(install->db);
    io_mutex_unlock(&commit->lock);
}

static void free_tables(struct sealed_table *table)
{
    while (table != NULL) {
        struct sealed_table *next = table->newer;
        memtable_unref(table->memtable);
        free(table);
        table = next;
    }
}

static uint32_t count_tables(struct kvs_db *db)
{
    io_mutex_lock(&db->commit.lock);
    uint32_t count = views_current(&db->views)->count;
    io_mutex_unlock(&db->commit.lock);
    return count;
}

struct kvs_status install_result(struct kvs_db *db, struct version_edit *edit, uint32_t flushed_count,
                                 struct position flushed)
{
    /* Tables may be sealed meanwhile, as many as admission allows. */
    uint32_t capacity = count_tables(db) + db->commit.options.sealed_max + 1;
    struct install install = {.db = db, .view = view_new(capacity), .flushed_count = flushed_count, .flushed = flushed};
    struct kvs_status status = install.view == NULL ? STATUS(KVS_NO_MEMORY, "no memory for a view")
                                                    : version_set_install(db->versions, edit, publish, &install);
    if (!status_is_ok(status) && status.code != KVS_POISONED)
        version_edit_discard(edit);
    /* An IO is one of before the edit, as when the manifest could not be extended: the caller decides how often that is tried. */
    bool has_changed_nothing = status.code == KVS_NO_SPACE || status.code == KVS_NO_MEMORY || status.code == KVS_IO;
    if (!status_is_ok(status) && !has_changed_nothing)
        commit_poison(&db->commit, status);
    view_unref(install.view);
    free_tables(install.freed);
    version_edit_fini(edit);
    return status;
}

struct compaction_environment install_environment(struct kvs_db *db)
{
    return (struct compaction_environment){
        .io = db->io,
        .folder = db->path,
        .set = db->versions,
        .segment_bytes = db->options.segment_bytes,
        .writer = db->segment_writer,
        .stop = &db->workers.stop,
    };
}
