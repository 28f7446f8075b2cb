#include "block/block.h"

#include "block/block_entry.h"

static bool flaw_at(struct block_flaw *flaw, const char *what, size_t offset, uint64_t expected, uint64_t found)
{
    *flaw = (struct block_flaw){what, offset, expected, found};
    return false;
}

/* The header and the sizes of the columns, so that block_view gives addresses inside the bytes. */
static bool check_layout(struct block_flaw *flaw, const uint8_t *data, size_t size)
{
    if (size < BLOCK_HEADER_BYTES)
        return flaw_at(flaw, "size of a block", 0, BLOCK_HEADER_BYTES, size);
    uint64_t count = coding_get_u32(data);
    unsigned interval_log2 = data[6], widths = data[7], kind = data[8];
    unsigned width = widths & (BLOCK_KIND_COLUMN - 1);
    if (count == 0)
        return flaw_at(flaw, "number of entries", 0, 1, count);
    if (interval_log2 > BLOCK_INTERVAL_LOG2_MAX)
        return flaw_at(flaw, "restart interval", 6, BLOCK_INTERVAL_LOG2_MAX, interval_log2);
    if (width > BLOCK_SEQUENCE_WIDTH_MAX || widths >= 2 * BLOCK_KIND_COLUMN)
        return flaw_at(flaw, "column widths", 7, BLOCK_KIND_COLUMN | BLOCK_SEQUENCE_WIDTH_MAX, widths);
    bool has_kinds = widths & BLOCK_KIND_COLUMN;
    if (has_kinds ? kind != 0 : !key_kind_byte_is_known(kind))
        return flaw_at(flaw, "kind byte of all entries", 8, has_kinds ? 0 : KEY_PUT, kind);
    uint64_t restarts = (count + (UINT64_C(1) << interval_log2) - 1) >> interval_log2;
    uint64_t columns =
        BLOCK_HEADER_BYTES + restarts * (BLOCK_HINT_BYTES + BLOCK_RESTART_BYTES) + count * (has_kinds + width);
    if (columns > size)
        return flaw_at(flaw, "size of the columns of a block", 0, size, columns);
    return true;
}

/* What check_entry remembers from one entry to the next. */
struct entry_check {
    struct cursor cursor;
    struct kvs_slice first_key;
    size_t key_size;
};

/* A restart point: its offset is listed, its key has the prefix and its hint. */
static bool check_restart(struct block_flaw *flaw, const struct block *block, const uint8_t *start,
                          const struct entry_check *check, uint32_t index, size_t entry_offset, struct kvs_slice key)
{
    uint32_t restart = index >> block->interval_log2;
    const uint8_t *at = block->restarts + (size_t)restart * BLOCK_RESTART_BYTES;
    if (coding_get_u32(at) != entry_offset)
        return flaw_at(flaw, "offset of a restart point", (size_t)(at - start), entry_offset, coding_get_u32(at));
    size_t offset = (size_t)(block->entries - start) + entry_offset;
    if (key.size < block->prefix_size || memcmp(key.data, check->first_key.data, block->prefix_size) != 0)
        return flaw_at(flaw, "prefix of a restart point's key", offset, block->prefix_size,
                       slice_shared_prefix(key, check->first_key));
    at = block->hints + (size_t)restart * BLOCK_HINT_BYTES;
    uint64_t found = __builtin_bswap64(coding_get_u64(at)), expected = slice_hint(key, block->prefix_size);
    if (found != expected)
        return flaw_at(flaw, "hint of a restart point", (size_t)(at - start), expected, found);
    return true;
}

static bool check_entry(struct block_flaw *flaw, const struct block *block, const uint8_t *start,
                        struct entry_check *check, uint32_t index)
{
    const uint8_t *at = check->cursor.at;
    size_t offset = (size_t)(at - start);
    uint64_t shared = cursor_varint(&check->cursor);
    uint64_t suffix_size = cursor_varint(&check->cursor);
    uint64_t value_size = cursor_varint(&check->cursor);
    struct kvs_slice suffix = cursor_bytes(&check->cursor, suffix_size);
    cursor_bytes(&check->cursor, value_size);
    if (check->cursor.failed)
        return flaw_at(flaw, "entry that ends inside the block", offset, (uint64_t)(block->end - at),
                       suffix_size + value_size);
    bool is_restart = (index & ((UINT32_C(1) << block->interval_log2) - 1)) == 0;
    if (is_restart ? shared != 0 : shared > check->key_size || shared < block->prefix_size)
        return flaw_at(flaw, "shared bytes of a key", offset, is_restart ? 0 : check->key_size, shared);
    if (shared + suffix_size == 0 || shared + suffix_size > KEY_MAX_BYTES)
        return flaw_at(flaw, "size of a key", offset, KEY_MAX_BYTES, shared + suffix_size);
    check->key_size = shared + suffix_size;
    if (index == 0)
        check->first_key = suffix;
    if (is_restart && !check_restart(flaw, block, start, check, index, (size_t)(at - block->entries), suffix))
        return false;
    uint64_t delta = (block_trailer(block, index) >> 8) - key_sequence(block->base_trailer);
    if (delta > SEQUENCE_MAX - key_sequence(block->base_trailer))
        return flaw_at(flaw, "sequence number", offset, SEQUENCE_MAX, delta);
    if (block->kinds != NULL && !key_kind_byte_is_known(block->kinds[index]))
        return flaw_at(flaw, "kind byte", (size_t)(block->kinds - start) + index, KEY_PUT, block->kinds[index]);
    return true;
}

bool block_open(struct block *block, struct block_flaw *flaw, const void *data, size_t size)
{
    if (!check_layout(flaw, data, size))
        return false;
    struct block view = block_view(data, size);
    struct entry_check check = {cursor_of(view.entries, (size_t)(view.end - view.entries)), {NULL, 0}, 0};
    for (uint32_t index = 0; index < view.count; index++)
        if (!check_entry(flaw, &view, data, &check, index))
            return false;
    if (!cursor_is_done(&check.cursor))
        return flaw_at(flaw, "end of the entries", size - cursor_rest(&check.cursor), 0, cursor_rest(&check.cursor));
    *block = view;
    return true;
}

static uint64_t restart_hint(const struct block *block, uint32_t restart)
{
    return __builtin_bswap64(coding_get_u64(block->hints + (size_t)restart * BLOCK_HINT_BYTES));
}

/* How many hints are at or below hint. Few are counted through, which mispredicts no branch. */
static uint32_t count_at_or_below(const struct block *block, uint64_t hint)
{
    uint32_t low = 0, high = block->restart_count;
    while (high - low > 16) {
        uint32_t middle = low + (high - low) / 2;
        if (restart_hint(block, middle) <= hint)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t count = low;
    for (uint32_t restart = low; restart < high; restart++)
        count += restart_hint(block, restart) <= hint;
    return count;
}

static int compare_restart(const struct block *block, uint32_t restart, struct key target)
{
    struct block_entry entry;
    block_entry_decode(block_restart_entry(block, restart), &entry);
    struct kvs_slice user = slice_of(entry.suffix, entry.suffix_size);
    return key_compare(key_of(user, block_trailer(block, restart << block->interval_log2)), target);
}

/* Compare target with the prefix that all keys share: negative or positive where that decides. */
static int compare_prefix(const struct block *block, struct kvs_slice target)
{
    if (block->prefix_size == 0)
        return 0;
    struct block_entry first;
    block_entry_decode(block->entries, &first);
    size_t limit = target.size < block->prefix_size ? target.size : block->prefix_size;
    int order = limit == 0 ? 0 : memcmp(target.data, first.suffix, limit);
    return order == 0 && limit < block->prefix_size ? -1 : order;
}

enum block_place block_find_restart(const struct block *block, uint32_t *restart, struct key target)
{
    int order = compare_prefix(block, target.user);
    if (order != 0)
        return order > 0 ? BLOCK_AFTER_ALL : BLOCK_BEFORE_ALL;
    uint64_t hint = slice_hint(target.user, block->prefix_size);
    uint32_t high = count_at_or_below(block, hint);
    if (high == 0)
        return BLOCK_BEFORE_ALL;
    if (__builtin_expect(restart_hint(block, high - 1) == hint, 0)) {
        /* The hints do not decide: keys are compared in full. */
        for (uint32_t low = 0; low < high;) {
            uint32_t middle = low + (high - low) / 2;
            if (compare_restart(block, middle, target) > 0)
                high = middle;
            else
                low = middle + 1;
        }
    }
    *restart = high == 0 ? 0 : high - 1;
    return BLOCK_WITHIN;
}

bool block_get(const struct block *block, uint64_t *trailer, struct kvs_slice *value, struct kvs_slice user_key,
               uint64_t seek_trailer)
{
    uint32_t restart;
    if (block_find_restart(block, &restart, key_of(user_key, seek_trailer)) != BLOCK_WITHIN)
        return false;
    const uint8_t *at = block_restart_entry(block, restart);
    size_t matched = 0;
    for (uint32_t index = restart << block->interval_log2; index < block->count; index++) {
        struct block_entry entry;
        at = block_entry_decode(at, &entry);
        enum block_order order = block_entry_compare(&entry, &matched, user_key);
        if (order == BLOCK_GREATER)
            return false;
        if (order == BLOCK_LESS)
            continue;
        uint64_t found = block_trailer(block, index);
        if (found <= seek_trailer) {
            *trailer = found;
            *value = block_entry_value(&entry);
            return true;
        }
    }
    return false;
}
