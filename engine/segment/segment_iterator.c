/* Walks the blocks of a segment with one block iterator that moves from block to block. */
#include "segment/segment_file.h"

#include "base/assert.h"
#include "block/block_iterator.h"

#include <stdlib.h>

/* block     the one that inner walks, with a reference; NULL where there is none
 * window, scratch   with readahead only */
struct segment_iterator {
    struct iterator base;
    struct segment *segment;
    struct segment_iterator_options options;
    struct cache_block *block;
    size_t index;
    struct block_iterator inner;
    struct segment_window window;
    struct scratch *scratch;
};

static void drop_block(struct segment_iterator *iterator)
{
    const struct block none = {0};
    iterator->base.valid = false;
    block_iterator_set(&iterator->inner, &none);
    cache_block_unref(iterator->block);
    iterator->block = NULL;
}

static struct kvs_status fetch(struct segment_iterator *iterator, struct cache_block **block, size_t index,
                               bool backward)
{
    struct segment *segment = iterator->segment;
    if (iterator->options.readahead_bytes == 0)
        return segment_load(segment, block, index, iterator->options.fill_cache);
    STATUS_RETURN_IF_ERROR(segment_window_load(&iterator->window, index, iterator->options.readahead_bytes, backward));
    return segment_decode_block(segment, block, iterator->scratch, segment_window_block(&iterator->window, index),
                                fences_extent(&segment->fences, index));
}

/* Have inner walk this block; it stands nowhere afterwards. */
static struct kvs_status enter_block(struct segment_iterator *iterator, size_t index, bool backward)
{
    if (iterator->block != NULL && iterator->index == index)
        return status_ok();
    drop_block(iterator);
    STATUS_RETURN_IF_ERROR(fetch(iterator, &iterator->block, index, backward));
    iterator->index = index;
    struct block view = block_view(iterator->block->bytes, iterator->block->size_bytes);
    block_iterator_set(&iterator->inner, &view);
    return status_ok();
}

static struct kvs_status first_of(struct segment_iterator *iterator, size_t index)
{
    STATUS_RETURN_IF_ERROR(enter_block(iterator, index, false));
    return block_iterator_first(&iterator->inner);
}

static struct kvs_status last_of(struct segment_iterator *iterator, size_t index)
{
    STATUS_RETURN_IF_ERROR(enter_block(iterator, index, true));
    return block_iterator_last(&iterator->inner);
}

/* Show what inner stands on. */
static inline struct kvs_status show(struct segment_iterator *iterator, struct kvs_status status)
{
    iterator->base.valid = iterator->inner.base.valid && status_is_ok(status);
    iterator->base.key = iterator->inner.base.key;
    iterator->base.value = iterator->inner.base.value;
    return status;
}

static struct kvs_status iterator_op_first(struct iterator *base)
{
    struct segment_iterator *iterator = (struct segment_iterator *)base;
    return show(iterator, first_of(iterator, 0));
}

static struct kvs_status iterator_op_last(struct iterator *base)
{
    struct segment_iterator *iterator = (struct segment_iterator *)base;
    return show(iterator, last_of(iterator, iterator->segment->fences.count - 1));
}

static struct kvs_status seek(struct segment_iterator *iterator, struct key target)
{
    size_t index = fences_find(&iterator->segment->fences, target);
    STATUS_RETURN_IF_ERROR(enter_block(iterator, index, false));
    STATUS_RETURN_IF_ERROR(block_iterator_seek(&iterator->inner, target));
    if (!iterator->inner.base.valid && index + 1 < iterator->segment->fences.count)
        return first_of(iterator, index + 1);
    return status_ok();
}

static struct kvs_status iterator_op_seek(struct iterator *base, struct key target)
{
    struct segment_iterator *iterator = (struct segment_iterator *)base;
    return show(iterator, seek(iterator, target));
}

static struct kvs_status seek_before(struct segment_iterator *iterator, struct key target)
{
    size_t index = fences_find(&iterator->segment->fences, target);
    STATUS_RETURN_IF_ERROR(enter_block(iterator, index, true));
    STATUS_RETURN_IF_ERROR(block_iterator_seek_before(&iterator->inner, target));
    if (!iterator->inner.base.valid && index > 0)
        return last_of(iterator, index - 1);
    return status_ok();
}

static struct kvs_status iterator_op_seek_before(struct iterator *base, struct key target)
{
    struct segment_iterator *iterator = (struct segment_iterator *)base;
    return show(iterator, seek_before(iterator, target));
}

static struct kvs_status iterator_op_next(struct iterator *base)
{
    struct segment_iterator *iterator = (struct segment_iterator *)base;
    KVS_ASSERT(base->valid);
    struct kvs_status status = block_iterator_next(&iterator->inner);
    if (!iterator->inner.base.valid && status_is_ok(status) && iterator->index + 1 < iterator->segment->fences.count)
        status = first_of(iterator, iterator->index + 1);
    return show(iterator, status);
}

static struct kvs_status iterator_op_prev(struct iterator *base)
{
    struct segment_iterator *iterator = (struct segment_iterator *)base;
    KVS_ASSERT(base->valid);
    struct kvs_status status = block_iterator_prev(&iterator->inner);
    if (!iterator->inner.base.valid && status_is_ok(status) && iterator->index > 0)
        status = last_of(iterator, iterator->index - 1);
    return show(iterator, status);
}

static void iterator_op_free(struct iterator *base)
{
    struct segment_iterator *iterator = (struct segment_iterator *)base;
    drop_block(iterator);
    block_iterator_fini(&iterator->inner);
    segment_window_fini(&iterator->window);
    if (iterator->scratch != NULL)
        scratch_give(cache_scratch_pool(iterator->segment->cache), iterator->scratch);
    segment_unref(iterator->segment);
    free(iterator);
}

static const struct iterator_ops segment_iterator_ops = {
    .first = iterator_op_first,
    .last = iterator_op_last,
    .seek = iterator_op_seek,
    .seek_before = iterator_op_seek_before,
    .next = iterator_op_next,
    .prev = iterator_op_prev,
    .free = iterator_op_free,
};

struct kvs_status segment_iterator_new(struct iterator **iterator, struct segment *segment,
                                       struct segment_iterator_options options)
{
    struct segment_iterator *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate an iterator of %s", segment->path);
    if (options.readahead_bytes != 0) {
        struct kvs_status status = scratch_take(cache_scratch_pool(segment->cache), &made->scratch);
        if (!status_is_ok(status)) {
            free(made);
            return status;
        }
    }
    made->base.ops = &segment_iterator_ops;
    made->segment = segment_ref(segment);
    made->options = options;
    made->window.segment = segment;
    block_iterator_init(&made->inner);
    *iterator = &made->base;
    return status_ok();
}
