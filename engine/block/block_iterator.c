#include "block/block_iterator.h"

#include "base/assert.h"
#include "block/block_entry.h"

#include <stdlib.h>

static struct kvs_status reserve_key(struct block_iterator *iterator, size_t size)
{
    size_t capacity = 2 * iterator->key_capacity > size ? 2 * iterator->key_capacity : size;
    uint8_t *key = malloc(capacity);
    if (key == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a key buffer of %zu bytes", capacity);
    memcpy(key, iterator->key, iterator->key_capacity);
    if (iterator->key != iterator->inline_key)
        free(iterator->key);
    iterator->key = key;
    iterator->key_capacity = capacity;
    return status_ok();
}

/* Stand on the entry with this index, which begins at the address; the key buffer holds the key of the entry before. */
static inline struct kvs_status load_entry(struct block_iterator *iterator, uint32_t index, const uint8_t *at)
{
    struct block_entry entry;
    const uint8_t *next = block_entry_decode(at, &entry);
    size_t key_size = entry.shared + entry.suffix_size;
    if (__builtin_expect(key_size > iterator->key_capacity, 0)) {
        iterator->base.valid = false;
        STATUS_RETURN_IF_ERROR(reserve_key(iterator, key_size));
    }
    memcpy(iterator->key + entry.shared, entry.suffix, entry.suffix_size);
    iterator->index = index;
    iterator->next = next;
    iterator->base.valid = true;
    iterator->base.key = key_of(slice_of(iterator->key, key_size), block_trailer(&iterator->block, index));
    iterator->base.value = block_entry_value(&entry);
    return status_ok();
}

/* Stand on the entry with this index, by walking from its restart point. */
static struct kvs_status load_index(struct block_iterator *iterator, uint32_t index)
{
    uint32_t restart = index >> iterator->block.interval_log2;
    STATUS_RETURN_IF_ERROR(
        load_entry(iterator, restart << iterator->block.interval_log2, block_restart_entry(&iterator->block, restart)));
    while (iterator->index < index)
        STATUS_RETURN_IF_ERROR(load_entry(iterator, iterator->index + 1, iterator->next));
    return status_ok();
}

static struct kvs_status stand_nowhere(struct block_iterator *iterator)
{
    iterator->base.valid = false;
    return status_ok();
}

struct kvs_status block_iterator_first(struct block_iterator *iterator)
{
    return iterator->block.count == 0 ? stand_nowhere(iterator) : load_entry(iterator, 0, iterator->block.entries);
}

struct kvs_status block_iterator_last(struct block_iterator *iterator)
{
    return iterator->block.count == 0 ? stand_nowhere(iterator) : load_index(iterator, iterator->block.count - 1);
}

struct kvs_status block_iterator_next(struct block_iterator *iterator)
{
    KVS_ASSERT(iterator->base.valid);
    if (iterator->index + 1 == iterator->block.count)
        return stand_nowhere(iterator);
    return load_entry(iterator, iterator->index + 1, iterator->next);
}

struct kvs_status block_iterator_prev(struct block_iterator *iterator)
{
    KVS_ASSERT(iterator->base.valid);
    return iterator->index == 0 ? stand_nowhere(iterator) : load_index(iterator, iterator->index - 1);
}

bool block_iterator_next_shares_all(const struct block_iterator *iterator)
{
    struct block_entry next;
    uint32_t index = iterator->index + 1;
    KVS_ASSERT(iterator->base.valid);
    if (index == iterator->block.count || (index & ((UINT32_C(1) << iterator->block.interval_log2) - 1)) == 0)
        return true;
    block_entry_decode(iterator->next, &next);
    return next.shared == iterator->base.key.user.size || next.suffix_size == 0 ||
           next.suffix[0] != iterator->key[next.shared];
}

/* The index of the first entry at or after target, block.count if there is none; compares without building keys. */
static uint32_t find_index(const struct block *block, struct key target)
{
    uint32_t restart;
    enum block_place place = block_find_restart(block, &restart, target);
    if (place != BLOCK_WITHIN)
        return place == BLOCK_BEFORE_ALL ? 0 : block->count;
    const uint8_t *at = block_restart_entry(block, restart);
    size_t matched = 0;
    uint32_t index = restart << block->interval_log2;
    for (; index < block->count; index++) {
        struct block_entry entry;
        at = block_entry_decode(at, &entry);
        enum block_order order = block_entry_compare(&entry, &matched, target.user);
        if (order == BLOCK_GREATER || (order == BLOCK_EQUAL_USER && block_trailer(block, index) <= target.trailer))
            break;
    }
    return index;
}

struct kvs_status block_iterator_seek(struct block_iterator *iterator, struct key target)
{
    uint32_t index = iterator->block.count == 0 ? 0 : find_index(&iterator->block, target);
    return index == iterator->block.count ? stand_nowhere(iterator) : load_index(iterator, index);
}

struct kvs_status block_iterator_seek_before(struct block_iterator *iterator, struct key target)
{
    uint32_t index = iterator->block.count == 0 ? 0 : find_index(&iterator->block, target);
    return index == 0 ? stand_nowhere(iterator) : load_index(iterator, index - 1);
}

static struct kvs_status op_first(struct iterator *iterator)
{
    return block_iterator_first((struct block_iterator *)iterator);
}

static struct kvs_status op_last(struct iterator *iterator)
{
    return block_iterator_last((struct block_iterator *)iterator);
}

static struct kvs_status op_seek(struct iterator *iterator, struct key target)
{
    return block_iterator_seek((struct block_iterator *)iterator, target);
}

static struct kvs_status op_seek_before(struct iterator *iterator, struct key target)
{
    return block_iterator_seek_before((struct block_iterator *)iterator, target);
}

static struct kvs_status op_next(struct iterator *iterator)
{
    return block_iterator_next((struct block_iterator *)iterator);
}

static struct kvs_status op_prev(struct iterator *iterator)
{
    return block_iterator_prev((struct block_iterator *)iterator);
}

static void op_free(struct iterator *iterator)
{
    block_iterator_fini((struct block_iterator *)iterator);
}

static const struct iterator_ops block_iterator_ops = {
    .first = op_first,
    .last = op_last,
    .seek = op_seek,
    .seek_before = op_seek_before,
    .next = op_next,
    .prev = op_prev,
    .free = op_free,
};

void block_iterator_init(struct block_iterator *iterator)
{
    iterator->base = (struct iterator){.ops = &block_iterator_ops};
    iterator->block = (struct block){0};
    iterator->index = 0;
    iterator->next = NULL;
    iterator->key = iterator->inline_key;
    iterator->key_capacity = sizeof iterator->inline_key;
}

void block_iterator_fini(struct block_iterator *iterator)
{
    if (iterator->key != iterator->inline_key)
        free(iterator->key);
    block_iterator_init(iterator);
}

void block_iterator_set(struct block_iterator *iterator, const struct block *block)
{
    iterator->block = *block;
    iterator->base.valid = false;
}
