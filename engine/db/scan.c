#include "db/read.h"

#include "merge/merge_iterator.h"
#include "merge/visible_iterator.h"

#include <stdlib.h>
#include <string.h>

/* A scan over one view at one horizon. The view's reference keeps memtables and files alive. */
struct kvs_iterator {
    struct kvs_db *db;
    struct view *view;
    struct visible_iterator *visible;
    const struct visible_entry *entry;
    struct kvs_status status;
};

/* ---- Bounds ---- */

/* The bounds of a scan after prefix and limits are combined. upper_memory holds a prefix's successor. */
struct bounds {
    struct kvs_slice lower, upper;
    uint8_t *upper_memory;
    bool is_empty;
};

/* The smallest key above all that begin with prefix: the prefix without its trailing 0xFF bytes, its last byte one up; none if it is all 0xFF. */
static struct kvs_status prefix_successor(struct bounds *bounds, struct kvs_slice prefix)
{
    const uint8_t *bytes = prefix.data;
    size_t size = prefix.size;
    while (size > 0 && bytes[size - 1] == 0xFF)
        size--;
    if (size == 0)
        return status_ok();
    bounds->upper_memory = malloc(size);
    if (bounds->upper_memory == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a scan's bound");
    memcpy(bounds->upper_memory, bytes, size);
    bounds->upper_memory[size - 1]++;
    bounds->upper = slice_of(bounds->upper_memory, size);
    return status_ok();
}

static struct kvs_status combine_bounds(struct bounds *bounds, const struct kvs_iterator_options *options)
{
    *bounds = (struct bounds){.lower = options->prefix};
    if (options->prefix.size != 0)
        STATUS_RETURN_IF_ERROR(prefix_successor(bounds, options->prefix));
    if (slice_compare(options->lower, bounds->lower) > 0)
        bounds->lower = options->lower;
    if (options->upper.size != 0 && (bounds->upper.size == 0 || slice_compare(options->upper, bounds->upper) < 0))
        bounds->upper = options->upper;
    bounds->is_empty = bounds->upper.size != 0 && slice_compare(bounds->lower, bounds->upper) >= 0;
    return status_ok();
}

/* ---- Sources ---- */

/* An iterator for each memtable and each run that bounds touch. children: out, room for all. */
static struct kvs_status open_children(struct iterator **children, size_t *count, struct view *view,
                                       const struct bounds *bounds)
{
    static const struct segment_iterator_options cached = {.fill_cache = true};
    for (uint32_t i = 0; i < view->count; i++) {
        if (memtable_count(view->tables[i]) == 0 && i != 0)
            continue;
        STATUS_RETURN_IF_ERROR(memtable_iterator_new(&children[*count], view->tables[i]));
        ++*count;
    }
    return version_iterators_new(view->version, children, count, bounds->lower, bounds->upper, &cached);
}

static struct kvs_status open_visible(struct visible_iterator **visible, struct view *view, uint64_t horizon,
                                      const struct bounds *bounds)
{
    struct iterator **children = calloc(view->count + view->version->run_count + 1, sizeof *children), *merged = NULL;
    if (children == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a scan");
    size_t count = 0;
    struct kvs_status status = bounds->is_empty ? status_ok() : open_children(children, &count, view, bounds);
    if (status_is_ok(status))
        status = merge_iterator_new(&merged, children, count, slice_of(NULL, 0));
    if (!status_is_ok(status)) {
        while (count != 0)
            iterator_free(children[--count]);
    } else {
        status = visible_iterator_new(visible, merged, horizon, bounds->lower, bounds->upper);
        if (!status_is_ok(status))
            iterator_free(merged);
    }
    free(children);
    return status;
}

/* ---- API ---- */

struct kvs_status kvs_iterator_new(struct kvs_iterator **iterator, struct kvs_db *db,
                                   const struct kvs_iterator_options *options)
{
    static const struct kvs_iterator_options everything;
    struct bounds bounds;
    STATUS_RETURN_IF_ERROR(db_check_process(db));
    struct kvs_status status = combine_bounds(&bounds, options == NULL ? &everything : options);
    struct kvs_iterator *made = calloc(1, sizeof *made);
    if (status_is_ok(status) && made == NULL)
        status = STATUS(KVS_NO_MEMORY, "no memory for an iterator");
    if (status_is_ok(status)) {
        made->db = db;
        made->view = views_acquire(&db->views);
        /* The horizon after the view: a flush in between can only make the view hold more than the horizon needs. */
        uint64_t horizon = read_horizon(db, options == NULL ? NULL : &options->read);
        status = open_visible(&made->visible, made->view, horizon, &bounds);
    }
    free(bounds.upper_memory);
    if (!status_is_ok(status)) {
        if (made != NULL)
            view_unref(made->view);
        free(made);
        return status;
    }
    made->entry = visible_iterator_entry(made->visible);
    db_count_handle(db, 1);
    *iterator = made;
    return status_ok();
}

void kvs_iterator_free(struct kvs_iterator *iterator)
{
    if (iterator == NULL)
        return;
    visible_iterator_free(iterator->visible);
    view_unref(iterator->view);
    workers_note_unref(iterator->db);
    db_count_handle(iterator->db, -1);
    free(iterator);
}

void kvs_iterator_first(struct kvs_iterator *iterator)
{
    iterator->status = visible_iterator_first(iterator->visible);
}

void kvs_iterator_last(struct kvs_iterator *iterator)
{
    iterator->status = visible_iterator_last(iterator->visible);
}

void kvs_iterator_seek(struct kvs_iterator *iterator, struct kvs_slice key)
{
    iterator->status = visible_iterator_seek(iterator->visible, key);
}

void kvs_iterator_seek_before(struct kvs_iterator *iterator, struct kvs_slice key)
{
    iterator->status = visible_iterator_seek_before(iterator->visible, key);
}

void kvs_iterator_next(struct kvs_iterator *iterator)
{
    iterator->status = visible_iterator_next(iterator->visible);
}

void kvs_iterator_prev(struct kvs_iterator *iterator)
{
    iterator->status = visible_iterator_prev(iterator->visible);
}

bool kvs_iterator_valid(const struct kvs_iterator *iterator)
{
    return iterator->entry->valid;
}

struct kvs_slice kvs_iterator_key(const struct kvs_iterator *iterator)
{
    return iterator->entry->key;
}

struct kvs_slice kvs_iterator_value(const struct kvs_iterator *iterator)
{
    return iterator->entry->value;
}

struct kvs_status kvs_iterator_status(const struct kvs_iterator *iterator)
{
    return iterator->status;
}

/* ---- Snapshots ---- */

struct kvs_status kvs_snapshot_new(struct kvs_snapshot **snapshot, struct kvs_db *db)
{
    STATUS_RETURN_IF_ERROR(db_check_process(db));
    struct kvs_snapshot *made = malloc(sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a snapshot");
    made->db = db;
    snapshots_add(&db->snapshots, made, &db->commit.published);
    db_count_handle(db, 1);
    *snapshot = made;
    return status_ok();
}

void kvs_snapshot_free(struct kvs_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    snapshots_remove(&snapshot->db->snapshots, snapshot);
    db_count_handle(snapshot->db, -1);
    free(snapshot);
}

uint64_t kvs_snapshot_sequence(const struct kvs_snapshot *snapshot)
{
    return snapshot->sequence;
}
