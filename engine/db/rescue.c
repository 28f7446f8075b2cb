#include "db/rescue.h"

#include "db/install.h"
#include "merge/merge_iterator.h"

#include <stdlib.h>

/* ---- Published entries only ---- */

/* Shows what inner shows, forwards, up to a sequence number: all that a run is written from. */
struct published_iterator {
    struct iterator base;
    struct iterator *inner;
    uint64_t limit;
};

static struct kvs_status skip_unpublished(struct published_iterator *self, struct kvs_status status)
{
    while (status_is_ok(status) && self->inner->valid && key_sequence(self->inner->key.trailer) > self->limit)
        status = iterator_next(self->inner);
    self->base.valid = status_is_ok(status) && self->inner->valid;
    self->base.key = self->inner->key;
    self->base.value = self->inner->value;
    return status;
}

static struct kvs_status published_first(struct iterator *iterator)
{
    struct published_iterator *self = (struct published_iterator *)iterator;
    return skip_unpublished(self, iterator_first(self->inner));
}

static struct kvs_status published_next(struct iterator *iterator)
{
    struct published_iterator *self = (struct published_iterator *)iterator;
    return skip_unpublished(self, iterator_next(self->inner));
}

static const struct iterator_ops published_ops = {.first = published_first, .next = published_next};

/* One sorted stream of all memtables of a view. Errors: NO_MEMORY. */
static struct kvs_status merge_tables(struct iterator **merged, const struct view *view)
{
    struct iterator **children = calloc(view->count, sizeof(struct iterator *));
    if (children == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory to save what is published");
    size_t count = 0;
    struct kvs_status status = status_ok();
    while (count < view->count && status_is_ok(status)) {
        status = memtable_iterator_new(&children[count], view->tables[count]);
        count += status_is_ok(status);
    }
    if (status_is_ok(status))
        status = merge_iterator_new(merged, children, count, slice_of(NULL, 0));
    if (!status_is_ok(status)) {
        while (count != 0)
            iterator_free(children[--count]);
    }
    free(children);
    return status;
}

/* ---- The run ---- */

static struct kvs_status write_run(struct kvs_db *db, struct compaction_result *result, const struct view *view,
                                   uint64_t published)
{
    struct published_iterator iterator = {.base.ops = &published_ops, .limit = published};
    STATUS_RETURN_IF_ERROR(merge_tables(&iterator.inner, view));
    struct version *version = version_set_current(db->versions);
    struct compaction_environment environment = install_environment(db);
    environment.stop = NULL; /* a close waits for it: it is bounded by what is in memory */
    /* Nothing is dropped, not even a delete with nothing below it: the logs stay, and replay passes over no more of them than the run's last number. */
    struct kvs_status status =
        flush_run(result, &environment, &iterator.base, version, version_set_new_number(db->versions), 0);
    version_unref(version);
    iterator_free(iterator.inner);
    return status;
}

/* The logs stay as they are listed. What is durable in one that is not listed is not there for who recovers. */
static void compose_numbers(struct kvs_db *db, struct manifest_edit *edit, uint64_t published)
{
    struct commit *commit = &db->commit;
    io_mutex_lock(&commit->lock);
    uint64_t durable = commit->durable.record;
    if (commit->unlisted != NULL && durable > commit->unlisted->before.record)
        durable = commit->unlisted->before.record;
    edit->numbers.durable_record = durable;
    edit->numbers.published_sequence = published;
    edit->numbers.last_sequence = commit->applied.sequence;
    io_mutex_unlock(&commit->lock);
}

static struct kvs_status save(struct kvs_db *db, const struct view *view, uint64_t published)
{
    struct compaction_result result;
    STATUS_RETURN_IF_ERROR(write_run(db, &result, view, published));
    compose_numbers(db, &result.edit.manifest, published);
    /* Readers go on with what they have: the run holds nothing that they do not see. */
    struct kvs_status status = version_set_install(db->versions, &result.edit, NULL, NULL);
    if (!status_is_ok(status) && status.code != KVS_POISONED)
        version_edit_discard(&result.edit);
    version_edit_fini(&result.edit);
    return status;
}

/* The roles of the log are given back soon, and nobody takes them again: then the published number is final. */
static uint64_t final_published(struct commit *commit)
{
    io_mutex_lock(&commit->lock);
    while (commit->writing || commit->syncing)
        io_condition_wait(&commit->progress, &commit->lock);
    uint64_t published = commit_published(commit);
    io_mutex_unlock(&commit->lock);
    return published;
}

struct kvs_status rescue_run(struct kvs_db *db, uint64_t *saved)
{
    uint64_t published = final_published(&db->commit);
    struct view *view = views_acquire(&db->views);
    struct kvs_status status = status_ok();
    bool has_entries = false;
    for (uint32_t i = 0; i < view->count; i++)
        has_entries |= memtable_count(view->tables[i]) != 0;
    *saved = 0;
    if (has_entries && !version_set_is_poisoned(db->versions)) {
        status = save(db, view, published);
        if (status_is_ok(status))
            *saved = published;
    }
    view_unref(view);
    workers_note_unref(db);
    return status;
}
