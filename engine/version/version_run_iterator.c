#include "version/version_run.h"

#include "base/assert.h"

#include <stdlib.h>

/* at      which segment of the run current is in, first <= at < end; meaningless while current is NULL
 * current an iterator over that segment, or NULL */
struct run_iterator {
    struct iterator iterator;
    struct version_run *run;
    struct segment_iterator_options options;
    size_t first;
    size_t end;
    size_t at;
    struct iterator *current;
};

static struct run_iterator *run_iterator_of(struct iterator *iterator)
{
    return (struct run_iterator *)iterator;
}

static struct kvs_status show(struct run_iterator *it)
{
    it->iterator.valid = it->current != NULL && it->current->valid;
    if (it->iterator.valid) {
        it->iterator.key = it->current->key;
        it->iterator.value = it->current->value;
    }
    return status_ok();
}

/* Have current walk the segment at index. */
static struct kvs_status enter(struct run_iterator *it, size_t index)
{
    it->iterator.valid = false;
    if (it->current != NULL && it->at == index)
        return status_ok();
    struct iterator *next = NULL;
    STATUS_RETURN_IF_ERROR(segment_iterator_new(&next, it->run->segments[index]->segment, it->options));
    iterator_free(it->current);
    it->current = next;
    it->at = index;
    return status_ok();
}

/* Current has left its segment at the back, or the front: stand on the nearest entry of a segment further on. A segment has entries, so this
 * is the next one. */
static struct kvs_status go_on(struct run_iterator *it)
{
    while (!it->current->valid && it->at + 1 < it->end) {
        STATUS_RETURN_IF_ERROR(enter(it, it->at + 1));
        STATUS_RETURN_IF_ERROR(iterator_first(it->current));
    }
    return show(it);
}

static struct kvs_status go_back(struct run_iterator *it)
{
    while (!it->current->valid && it->at > it->first) {
        STATUS_RETURN_IF_ERROR(enter(it, it->at - 1));
        STATUS_RETURN_IF_ERROR(iterator_last(it->current));
    }
    return show(it);
}

static struct kvs_status run_iterator_first(struct iterator *iterator)
{
    struct run_iterator *it = run_iterator_of(iterator);
    STATUS_RETURN_IF_ERROR(enter(it, it->first));
    STATUS_RETURN_IF_ERROR(iterator_first(it->current));
    return go_on(it);
}

static struct kvs_status run_iterator_last(struct iterator *iterator)
{
    struct run_iterator *it = run_iterator_of(iterator);
    STATUS_RETURN_IF_ERROR(enter(it, it->end - 1));
    STATUS_RETURN_IF_ERROR(iterator_last(it->current));
    return go_back(it);
}

/* The segment that a search for user_key begins in, within [first, end). */
static size_t segment_for(const struct run_iterator *it, struct kvs_slice user_key)
{
    size_t index = version_run_search(it->run, user_key);
    if (index < it->first)
        return it->first;
    return index < it->end ? index : it->end - 1;
}

static struct kvs_status run_iterator_seek(struct iterator *iterator, struct key target)
{
    struct run_iterator *it = run_iterator_of(iterator);
    STATUS_RETURN_IF_ERROR(enter(it, segment_for(it, target.user)));
    STATUS_RETURN_IF_ERROR(iterator_seek(it->current, target));
    return go_on(it);
}

static struct kvs_status run_iterator_seek_before(struct iterator *iterator, struct key target)
{
    struct run_iterator *it = run_iterator_of(iterator);
    STATUS_RETURN_IF_ERROR(enter(it, segment_for(it, target.user)));
    STATUS_RETURN_IF_ERROR(iterator_seek_before(it->current, target));
    return go_back(it);
}

static struct kvs_status run_iterator_next(struct iterator *iterator)
{
    struct run_iterator *it = run_iterator_of(iterator);
    KVS_ASSERT(it->iterator.valid);
    it->iterator.valid = false;
    STATUS_RETURN_IF_ERROR(iterator_next(it->current));
    return go_on(it);
}

static struct kvs_status run_iterator_prev(struct iterator *iterator)
{
    struct run_iterator *it = run_iterator_of(iterator);
    KVS_ASSERT(it->iterator.valid);
    it->iterator.valid = false;
    STATUS_RETURN_IF_ERROR(iterator_prev(it->current));
    return go_back(it);
}

static void run_iterator_free(struct iterator *iterator)
{
    struct run_iterator *it = run_iterator_of(iterator);
    iterator_free(it->current);
    version_run_unref(it->run);
    free(it);
}

static const struct iterator_ops run_iterator_ops = {
    .first = run_iterator_first,
    .last = run_iterator_last,
    .seek = run_iterator_seek,
    .seek_before = run_iterator_seek_before,
    .next = run_iterator_next,
    .prev = run_iterator_prev,
    .free = run_iterator_free,
};

struct kvs_status version_run_iterator_new(struct iterator **iterator, struct version_run *run, size_t first,
                                           size_t count, const struct segment_iterator_options *options)
{
    KVS_ASSERT(count > 0 && first < run->count && count <= run->count - first);
    struct run_iterator *it = malloc(sizeof *it);
    if (it == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate an iterator");
    *it = (struct run_iterator){
        .iterator = {.ops = &run_iterator_ops},
        .run = version_run_ref(run),
        .options = *options,
        .first = first,
        .end = first + count,
    };
    *iterator = &it->iterator;
    return status_ok();
}
