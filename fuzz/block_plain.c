#include "block_plain.h"

/* Each key takes part of the one before and some bytes of the block. */
static size_t key_bytes_of(const struct block *block)
{
    struct cursor cursor = cursor_of(block->entries, (size_t)(block->end - block->entries));
    size_t total = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        size_t shared = cursor_varint(&cursor), rest = cursor_varint(&cursor), value = cursor_varint(&cursor);
        cursor_bytes(&cursor, rest + value);
        total += shared + rest;
    }
    KVS_ASSERT(cursor_is_done(&cursor));
    return total;
}

static uint64_t trailer_of(const struct block *block, uint32_t index)
{
    uint64_t sequence = block->base_trailer >> 8;
    unsigned kind = block->kinds != NULL ? block->kinds[index] : (unsigned)(block->base_trailer & 0xFF);
    for (unsigned i = 0; i < block->sequence_width; i++)
        sequence += (uint64_t)block->sequences[(size_t)index * block->sequence_width + i] << (8 * i);
    return key_trailer(sequence, kind);
}

void plain_block_init(struct plain_block *plain, const struct block *block)
{
    struct cursor cursor = cursor_of(block->entries, (size_t)(block->end - block->entries));
    *plain = (struct plain_block){.count = block->count, .is_sound = true};
    plain->entries = calloc(block->count, sizeof *plain->entries);
    plain->key_memory = malloc(key_bytes_of(block) + 1);
    if (plain->entries == NULL || plain->key_memory == NULL)
        abort();
    uint8_t *at = plain->key_memory;
    struct key last = {.user = {at, 0}};
    for (uint32_t i = 0; i < block->count; i++) {
        size_t shared = cursor_varint(&cursor), rest_size = cursor_varint(&cursor), value = cursor_varint(&cursor);
        struct kvs_slice rest = cursor_bytes(&cursor, rest_size);
        memcpy(at, last.user.data, shared);
        memcpy(at + shared, rest.data, rest_size);
        struct key key = key_of(slice_of(at, shared + rest_size), trailer_of(block, i));
        bool is_restart = i % (UINT32_C(1) << block->interval_log2) == 0;
        if ((i > 0 && key_compare(last, key) >= 0) ||
            (!is_restart && shared != slice_shared_prefix(last.user, key.user)))
            plain->is_sound = false;
        plain->entries[i] = (struct plain_entry){key, cursor_bytes(&cursor, value)};
        at += key.user.size;
        last = key;
    }
}

void plain_block_fini(struct plain_block *plain)
{
    free(plain->entries);
    free(plain->key_memory);
}

size_t plain_block_find(const struct plain_block *plain, struct key target)
{
    size_t index = 0;
    while (index < plain->count && key_compare(plain->entries[index].key, target) < 0)
        index++;
    return index;
}
