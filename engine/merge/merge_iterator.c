#include "merge/merge_iterator.h"

#include "base/assert.h"

#include <stdlib.h>

/* hint  orders the child's key as far as eight bytes go: unequal hints decide */
struct child {
    struct iterator *iterator;
    uint64_t hint;
    size_t index;
};

/* children  in the order in which they were given
 * heap      those that are valid, the next one to show at the front
 * count     all children; heap_count of them are in the heap
 * is_backward   the heap has the largest key at the front, and all children stand at or before it */
struct merge {
    struct iterator iterator;
    size_t count;
    size_t heap_count;
    bool is_backward;
    uint8_t *prefix;
    size_t prefix_size;
    struct child **heap;
    struct child children[];
};

static uint64_t hint_of(const struct merge *merge, struct kvs_slice user)
{
    if (merge->prefix_size == 0)
        return slice_hint(user, 0);
    size_t shared = user.size < merge->prefix_size ? user.size : merge->prefix_size;
    int order = shared == 0 ? 0 : memcmp(user.data, merge->prefix, shared);
    if (order != 0)
        return order < 0 ? 0 : UINT64_MAX;
    return slice_hint(user, merge->prefix_size);
}

/* Whether a is shown before b in the present direction. */
static inline bool goes_before(const struct merge *merge, const struct child *a, const struct child *b)
{
    if (a->hint != b->hint)
        return (a->hint < b->hint) != merge->is_backward;
    int order = key_compare(a->iterator->key, b->iterator->key);
    if (order == 0)
        order = a->index < b->index ? -1 : 1;
    return (order < 0) != merge->is_backward;
}

/* ---- The heap ---- */

/* Let the child at index at sink to its place. Neighbouring keys often come from one child, which then stays where it is. */
static void sift_down(struct merge *merge, size_t at)
{
    struct child **heap = merge->heap;
    struct child *moving = heap[at];
    for (;;) {
        size_t below = 2 * at + 1;
        if (below >= merge->heap_count)
            break;
        if (below + 1 < merge->heap_count && goes_before(merge, heap[below + 1], heap[below]))
            below++;
        if (goes_before(merge, moving, heap[below]))
            break;
        heap[at] = heap[below];
        at = below;
    }
    heap[at] = moving;
}

static void show_front(struct merge *merge)
{
    merge->iterator.valid = merge->heap_count > 0;
    if (merge->iterator.valid) {
        merge->iterator.key = merge->heap[0]->iterator->key;
        merge->iterator.value = merge->heap[0]->iterator->value;
    }
}

static void build_heap(struct merge *merge)
{
    merge->heap_count = 0;
    for (size_t i = 0; i < merge->count; i++) {
        struct child *child = &merge->children[i];
        if (child->iterator->valid) {
            child->hint = hint_of(merge, child->iterator->key.user);
            merge->heap[merge->heap_count++] = child;
        }
    }
    for (size_t at = merge->heap_count / 2; at-- > 0;)
        sift_down(merge, at);
    show_front(merge);
}

/* The front child has moved: give it its new place, or take it out. */
static void front_moved(struct merge *merge)
{
    struct child *front = merge->heap[0];
    if (front->iterator->valid)
        front->hint = hint_of(merge, front->iterator->key.user);
    else
        merge->heap[0] = merge->heap[--merge->heap_count];
    if (merge->heap_count > 1)
        sift_down(merge, 0);
    show_front(merge);
}

/* ---- Positioning ---- */

static struct merge *merge_of(struct iterator *iterator)
{
    return (struct merge *)iterator;
}

enum placement { AT_FIRST, AT_LAST, AT_OR_AFTER, BEFORE };

static struct kvs_status place(struct iterator *iterator, enum placement placement, struct key target)
{
    switch (placement) {
    case AT_FIRST:
        return iterator_first(iterator);
    case AT_LAST:
        return iterator_last(iterator);
    case AT_OR_AFTER:
        return iterator_seek(iterator, target);
    default:
        return iterator_seek_before(iterator, target);
    }
}

static struct kvs_status fail(struct merge *merge, struct kvs_status status)
{
    merge->iterator.valid = false;
    merge->heap_count = 0;
    return status;
}

static struct kvs_status place_all(struct merge *merge, enum placement placement, struct key target)
{
    merge->is_backward = placement == AT_LAST || placement == BEFORE;
    for (size_t i = 0; i < merge->count; i++) {
        struct kvs_status status = place(merge->children[i].iterator, placement, target);
        if (!status_is_ok(status))
            return fail(merge, status);
    }
    build_heap(merge);
    return status_ok();
}

static struct kvs_status merge_first(struct iterator *iterator)
{
    return place_all(merge_of(iterator), AT_FIRST, (struct key){.trailer = 0});
}

static struct kvs_status merge_last(struct iterator *iterator)
{
    return place_all(merge_of(iterator), AT_LAST, (struct key){.trailer = 0});
}

static struct kvs_status merge_seek(struct iterator *iterator, struct key target)
{
    return place_all(merge_of(iterator), AT_OR_AFTER, target);
}

static struct kvs_status merge_seek_before(struct iterator *iterator, struct key target)
{
    return place_all(merge_of(iterator), BEFORE, target);
}

/* Bring the other children to the other side of the entry that is shown, whose own child stays, so that its key stays valid. */
static struct kvs_status turn(struct merge *merge)
{
    struct child *front = merge->heap[0];
    struct key here = front->iterator->key;
    for (size_t i = 0; i < merge->count; i++) {
        struct child *child = &merge->children[i];
        if (child != front)
            STATUS_RETURN_IF_ERROR(place(child->iterator, merge->is_backward ? AT_OR_AFTER : BEFORE, here));
    }
    merge->is_backward = !merge->is_backward;
    build_heap(merge);
    return status_ok();
}

static struct kvs_status step(struct merge *merge, bool backward)
{
    KVS_ASSERT(merge->iterator.valid);
    struct kvs_status status = status_ok();
    if (merge->is_backward != backward)
        status = turn(merge);
    if (status_is_ok(status)) {
        struct iterator *front = merge->heap[0]->iterator;
        status = backward ? iterator_prev(front) : iterator_next(front);
    }
    if (!status_is_ok(status))
        return fail(merge, status);
    front_moved(merge);
    return status_ok();
}

static struct kvs_status merge_next(struct iterator *iterator)
{
    return step(merge_of(iterator), false);
}

static struct kvs_status merge_prev(struct iterator *iterator)
{
    return step(merge_of(iterator), true);
}

static void merge_free(struct iterator *iterator)
{
    struct merge *merge = merge_of(iterator);
    for (size_t i = 0; i < merge->count; i++)
        iterator_free(merge->children[i].iterator);
    free(merge);
}

static const struct iterator_ops merge_ops = {
    .first = merge_first,
    .last = merge_last,
    .seek = merge_seek,
    .seek_before = merge_seek_before,
    .next = merge_next,
    .prev = merge_prev,
    .free = merge_free,
};

struct kvs_status merge_iterator_new(struct iterator **iterator, struct iterator *const *children, size_t count,
                                     struct kvs_slice prefix)
{
    if (count == 1) {
        *iterator = children[0];
        return status_ok();
    }
    size_t at_heap = sizeof(struct merge) + count * sizeof(struct child);
    size_t at_prefix = at_heap + count * sizeof(struct child *);
    struct merge *merge = malloc(at_prefix + prefix.size);
    if (merge == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a merge of %zu iterators", count);
    *merge = (struct merge){
        .iterator = {.ops = &merge_ops},
        .count = count,
        .heap = (struct child **)((uint8_t *)merge + at_heap),
        .prefix = (uint8_t *)merge + at_prefix,
        .prefix_size = prefix.size,
    };
    for (size_t i = 0; i < count; i++)
        merge->children[i] = (struct child){.iterator = children[i], .index = i};
    if (prefix.size != 0)
        memcpy(merge->prefix, prefix.data, prefix.size);
    *iterator = &merge->iterator;
    return status_ok();
}
