#include "memtable/memtable.h"

#include "memtable/tree.h"

#include <stdlib.h>

/* Stands on the entry after spot. The leaf and its order are those that a search found, perhaps replaced or grown
 * since; the fences lead on to its neighbours as they are now. Nothing that was there at the search is missed: it lies
 * in that leaf or beyond a fence. */
struct memtable_iterator {
    struct iterator iterator;
    struct memtable *memtable;
    struct tree_spot spot;
};

static struct memtable_iterator *self_of(struct iterator *iterator)
{
    return (struct memtable_iterator *)iterator;
}

static const struct tree *tree_of(const struct memtable_iterator *self)
{
    return memtable_tree(self->memtable);
}

static unsigned spot_count(const struct tree_spot *spot)
{
    return order_count(spot->order);
}

static const struct entry *spot_entry(const struct tree *tree, const struct tree_spot *spot, unsigned position)
{
    return tree_entry(tree, spot->leaf->keys[order_slot(spot->order, position)]);
}

/* Entries of a leaf lie anywhere in the arena: fetch them all while the first is being looked at. */
static void prefetch_leaf(const struct tree *tree, const struct tree_spot *spot)
{
    for (unsigned position = 0; position < spot_count(spot); position++)
        __builtin_prefetch(spot_entry(tree, spot, position));
}

/* Show the entry after the spot. */
static struct kvs_status show(struct memtable_iterator *self)
{
    const struct entry *entry = spot_entry(tree_of(self), &self->spot, self->spot.position);
    self->iterator.valid = true;
    self->iterator.key = entry_key(entry);
    self->iterator.value = entry_value(entry);
    return status_ok();
}

static struct kvs_status show_nothing(struct memtable_iterator *self)
{
    self->iterator.valid = false;
    return status_ok();
}

/* From the end of a leaf go on to its upper fence, which is the first entry of the next. A leaf that was found in the
 * middle of its split may have entries beyond the fence, which have been shown: then go on behind the last of them. */
static void spot_cross_upper(const struct tree *tree, struct tree_spot *spot)
{
    const struct entry *fence = tree_entry(tree, spot->upper);
    const struct entry *last = spot->position == 0 ? NULL : spot_entry(tree, spot, spot->position - 1);
    if (last == NULL || key_compare(entry_key(last), entry_key(fence)) < 0) {
        tree_seek(tree, spot, entry_key(fence));
    } else {
        tree_seek(tree, spot, entry_key(last));
        spot->position++;
    }
    prefetch_leaf(tree, spot);
}

/* Show the entry after the spot, which may be at the end of its leaf. */
static struct kvs_status show_after(struct memtable_iterator *self)
{
    while (self->spot.position == spot_count(&self->spot)) {
        if (self->spot.upper == PLACE_NONE)
            return show_nothing(self);
        spot_cross_upper(tree_of(self), &self->spot);
    }
    return show(self);
}

/* Show the entry before the spot, which is not at its leaf's start unless nothing is before it. */
static struct kvs_status show_before(struct memtable_iterator *self)
{
    if (self->spot.position == 0)
        return show_nothing(self);
    self->spot.position--;
    return show(self);
}

static struct kvs_status seek(struct iterator *iterator, struct key target)
{
    struct memtable_iterator *self = self_of(iterator);
    tree_seek(tree_of(self), &self->spot, target);
    return show_after(self);
}

static struct kvs_status seek_before(struct iterator *iterator, struct key target)
{
    struct memtable_iterator *self = self_of(iterator);
    tree_seek_before(tree_of(self), &self->spot, target);
    return show_before(self);
}

/* The least internal key: no user key, and of its versions the newest. */
static struct kvs_status first(struct iterator *iterator)
{
    return seek(iterator, key_of(slice_of("", 0), UINT64_MAX));
}

static struct kvs_status last(struct iterator *iterator)
{
    struct memtable_iterator *self = self_of(iterator);
    tree_seek_end(tree_of(self), &self->spot);
    return show_before(self);
}

static struct kvs_status next(struct iterator *iterator)
{
    KVS_ASSERT(iterator->valid);
    struct memtable_iterator *self = self_of(iterator);
    self->spot.position++;
    return show_after(self);
}

static struct kvs_status prev(struct iterator *iterator)
{
    KVS_ASSERT(iterator->valid);
    struct memtable_iterator *self = self_of(iterator);
    const struct tree *tree = tree_of(self);
    if (self->spot.position == 0 && self->spot.lower != PLACE_NONE) {
        tree_seek_before(tree, &self->spot, entry_key(tree_entry(tree, self->spot.lower)));
        KVS_ASSERT(self->spot.position > 0);
        prefetch_leaf(tree, &self->spot);
    }
    return show_before(self);
}

static void free_iterator(struct iterator *iterator)
{
    struct memtable_iterator *self = self_of(iterator);
    memtable_unref(self->memtable);
    free(self);
}

static const struct iterator_ops memtable_iterator_ops = {
    .first = first,
    .last = last,
    .seek = seek,
    .seek_before = seek_before,
    .next = next,
    .prev = prev,
    .free = free_iterator,
};

struct kvs_status memtable_iterator_new(struct iterator **iterator, struct memtable *memtable)
{
    struct memtable_iterator *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate an iterator");
    made->iterator.ops = &memtable_iterator_ops;
    made->memtable = memtable_ref(memtable);
    *iterator = &made->iterator;
    return status_ok();
}
