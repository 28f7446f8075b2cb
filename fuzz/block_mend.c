#include "block_mend.h"

#include "block/block.h"

#include <stdlib.h>

enum {
    COUNT_AT = 0,
    PREFIX_AT = 4,
    INTERVAL_AT = 6,
    WIDTHS_AT = 7,
    KIND_AT = 8,
    ENTRY_MIN_BYTES = 4,
    GREEDY_PREFIX = 0x7FFF
};

/* key  of the entry before, KEY_MAX_BYTES of room
 * prefix_size  what all keys so far have in common and no entry stores again
 * is_greedy    the prefix may be longer than what entries share: block_open has to say no */
struct mending {
    uint8_t *data;
    size_t size;
    struct block block;
    uint8_t *key;
    uint8_t *first_key;
    size_t key_size;
    size_t first_size;
    size_t prefix_size;
    bool is_greedy;
};

static size_t columns_size(uint64_t count, unsigned interval_log2, unsigned per_entry)
{
    uint64_t restarts = (count + (UINT64_C(1) << interval_log2) - 1) >> interval_log2;
    return BLOCK_HEADER_BYTES + restarts * (BLOCK_HINT_BYTES + BLOCK_RESTART_BYTES) + count * per_entry;
}

/* Returns whether there is room for an entry at all. */
static bool mend_header(uint8_t *data, size_t size)
{
    unsigned has_kinds = data[WIDTHS_AT] & BLOCK_KIND_COLUMN;
    data[INTERVAL_AT] &= BLOCK_INTERVAL_LOG2_MAX;
    data[WIDTHS_AT] = (uint8_t)(has_kinds | (data[WIDTHS_AT] & BLOCK_SEQUENCE_WIDTH_MAX));
    data[KIND_AT] = has_kinds ? 0 : (uint8_t)(KEY_PUT + (data[KIND_AT] & 1));
    unsigned per_entry = (data[WIDTHS_AT] & BLOCK_SEQUENCE_WIDTH_MAX) + (has_kinds ? 1 : 0);
    uint64_t count = coding_get_u32(data + COUNT_AT);
    count = count == 0 ? 1 : count > size / ENTRY_MIN_BYTES ? size / ENTRY_MIN_BYTES : count;
    while (count > 0 && columns_size(count, data[INTERVAL_AT], per_entry) + count * ENTRY_MIN_BYTES > size)
        count--;
    if (count == 0)
        return false;
    coding_put_u32(data + COUNT_AT, (uint32_t)count);
    return true;
}

static uint8_t least(size_t a, size_t b)
{
    size_t value = a < b ? a : b;
    return (uint8_t)(value < 0x7F ? value : 0x7F);
}

/* What an entry says, if it fits before end; else small numbers that do. The last one ends the block. */
static void mend_sizes(struct mending *mending, uint8_t *at, size_t room, bool is_restart, bool is_last)
{
    struct cursor cursor = cursor_of(at, room);
    size_t shared = cursor_varint(&cursor), suffix = cursor_varint(&cursor), value = cursor_varint(&cursor);
    size_t rest = cursor_rest(&cursor);
    bool fits = !cursor.failed && suffix <= rest && value <= rest - suffix && shared <= mending->key_size &&
                shared + suffix > 0 && shared + suffix <= KEY_MAX_BYTES && (!is_restart || shared == 0);
    if (fits && (!is_last || value == rest - suffix))
        return;
    at[0] = is_restart ? 0 : least(at[0], mending->key_size);
    at[1] = least(1 + at[1] % 16, room - 3);
    at[2] = least(at[2] % 32, room - 3 - at[1]);
    size_t left = room - 3 - at[1];
    if (is_last && left == 0x80) {
        at[1]++;
        left--;
    }
    if (is_last && left <= 0x7F) {
        at[2] = (uint8_t)left;
    } else if (is_last) {
        left--;
        at[2] = (uint8_t)(left | 0x80);
        at[3] = (uint8_t)(left >> 7 & 0x7F);
    }
}

static void mend_hint(struct mending *mending, uint8_t *hint, size_t at)
{
    struct cursor cursor =
        cursor_of(mending->block.entries + at, (size_t)(mending->block.end - mending->block.entries) - at);
    cursor_varint(&cursor);
    size_t suffix = cursor_varint(&cursor);
    cursor_varint(&cursor);
    struct kvs_slice key = cursor_bytes(&cursor, suffix);
    coding_put_u64(hint, __builtin_bswap64(slice_hint(key, mending->prefix_size)));
}

/* Mend the entry at an offset from the first; returns where the next one begins. */
static size_t mend_entry(struct mending *mending, uint32_t index, size_t offset)
{
    const struct block *block = &mending->block;
    uint8_t *entries = mending->data + (block->entries - mending->data);
    bool is_restart = index % (UINT32_C(1) << block->interval_log2) == 0;
    size_t later = (size_t)(block->count - 1 - index) * ENTRY_MIN_BYTES;
    bool is_last = index + 1 == block->count;
    size_t room = (size_t)(block->end - block->entries) - offset - later;
    mend_sizes(mending, entries + offset, room, is_restart, is_last);
    struct cursor cursor = cursor_of(entries + offset, room);
    size_t shared = cursor_varint(&cursor), suffix = cursor_varint(&cursor), value = cursor_varint(&cursor);
    struct kvs_slice rest = cursor_bytes(&cursor, suffix);
    cursor_bytes(&cursor, value);
    if (suffix > 0)
        memcpy(mending->key + shared, rest.data, suffix);
    mending->key_size = shared + suffix;
    struct kvs_slice key = slice_of(mending->key, mending->key_size);
    if (index == 0) {
        mending->first_size = mending->key_size;
        memcpy(mending->first_key, mending->key, mending->key_size);
    }
    size_t common = is_restart           ? slice_shared_prefix(key, slice_of(mending->first_key, mending->first_size))
                    : mending->is_greedy ? mending->prefix_size
                                         : shared;
    if (common < mending->prefix_size)
        mending->prefix_size = common;
    if (is_restart)
        coding_put_u32(mending->data + (block->restarts - mending->data) +
                           (index >> block->interval_log2) * BLOCK_RESTART_BYTES,
                       (uint32_t)offset);
    return (size_t)(cursor.at - entries);
}

static void mend_entries(struct mending *mending)
{
    struct block *block = &mending->block;
    size_t offset = 0;
    mending->prefix_size = block->prefix_size;
    mending->is_greedy = block->prefix_size > GREEDY_PREFIX;
    for (uint32_t i = 0; block->kinds != NULL && i < block->count; i++)
        mending->data[block->kinds - mending->data + i] = (uint8_t)(KEY_PUT + (block->kinds[i] & 1));
    for (uint32_t i = 0; i < block->count; i++)
        offset = mend_entry(mending, i, offset);
    coding_put_u16(mending->data + PREFIX_AT, (uint16_t)mending->prefix_size);
    for (uint32_t i = 0; i < block->restart_count; i++)
        mend_hint(mending, mending->data + BLOCK_HEADER_BYTES + (size_t)i * BLOCK_HINT_BYTES,
                  coding_get_u32(block->restarts + (size_t)i * BLOCK_RESTART_BYTES));
}

void block_mend(uint8_t *data, size_t size)
{
    if (size <= BLOCK_HEADER_BYTES || size > UINT32_MAX || !mend_header(data, size))
        return;
    /* Sequence numbers stay far from their limit, whatever is added to the lowest. */
    data[15] &= 0x7F;
    struct mending mending = {.data = data, .size = size, .block = block_view(data, size)};
    mending.key = calloc(2, KEY_MAX_BYTES);
    if (mending.key == NULL)
        abort();
    mending.first_key = mending.key + KEY_MAX_BYTES;
    mend_entries(&mending);
    free(mending.key);
}
