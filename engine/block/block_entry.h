/* block_entry.h -- inside the room: one entry of a block that block_open has accepted, and the search for a restart point. */
#ifndef KVS_BLOCK_BLOCK_ENTRY_H
#define KVS_BLOCK_BLOCK_ENTRY_H

#include "block/block.h"

/* shared    bytes of the user key that the entry takes from the one before; 0 at a restart point
 * suffix    the rest of the user key; the value follows it */
struct block_entry {
    size_t shared;
    size_t suffix_size;
    size_t value_size;
    const uint8_t *suffix;
};

/* A varint in checked bytes. */
static inline const uint8_t *block_entry_varint(const uint8_t *at, size_t *value)
{
    size_t result = *at & 0x7F;
    for (unsigned shift = 7; *at++ >= 0x80; shift += 7)
        result |= (size_t)(*at & 0x7F) << shift;
    *value = result;
    return at;
}

/* Decode the entry at an address; returns where the next begins. */
static inline const uint8_t *block_entry_decode(const uint8_t *at, struct block_entry *entry)
{
    if (__builtin_expect((at[0] | at[1] | at[2]) < 0x80, 1)) {
        entry->shared = at[0];
        entry->suffix_size = at[1];
        entry->value_size = at[2];
        at += 3;
    } else {
        at = block_entry_varint(at, &entry->shared);
        at = block_entry_varint(at, &entry->suffix_size);
        at = block_entry_varint(at, &entry->value_size);
    }
    entry->suffix = at;
    return at + entry->suffix_size + entry->value_size;
}

static inline struct kvs_slice block_entry_value(const struct block_entry *entry)
{
    return slice_of(entry->suffix + entry->suffix_size, entry->value_size);
}

static inline const uint8_t *block_restart_entry(const struct block *block, uint32_t restart)
{
    return block->entries + coding_get_u32(block->restarts + (size_t)restart * BLOCK_RESTART_BYTES);
}

/* Where a search for target begins.
 *
 * BLOCK_BEFORE_ALL  every entry's user key is greater than the target's
 * BLOCK_AFTER_ALL   every entry is less than target
 * BLOCK_WITHIN      *restart is the last restart point at or before target, or 0 */
enum block_place { BLOCK_BEFORE_ALL, BLOCK_AFTER_ALL, BLOCK_WITHIN };

enum block_place block_find_restart(const struct block *block, uint32_t *restart, struct key target);

/* A walk in search of target, which compares no byte twice. matched: how many bytes of the target's user key agree with the entry's, where the
 * entry was less. */
enum block_order { BLOCK_LESS, BLOCK_EQUAL_USER, BLOCK_GREATER };

/* Compare the user key of an entry with target, given matched of the entry before (0 for the first); updates matched. An entry that shares
 * nothing, as restart points do, says nothing about the one before it and is compared anew. */
static inline enum block_order block_entry_compare(const struct block_entry *entry, size_t *matched,
                                                   struct kvs_slice target)
{
    if (entry->shared == 0)
        *matched = 0;
    if (entry->shared != *matched)
        return entry->shared > *matched ? BLOCK_LESS : BLOCK_GREATER;
    const uint8_t *bytes = target.data;
    size_t rest = target.size - *matched;
    size_t limit = entry->suffix_size < rest ? entry->suffix_size : rest;
    size_t agree = 0;
    while (agree < limit && entry->suffix[agree] == bytes[*matched + agree])
        agree++;
    *matched += agree;
    if (agree < limit)
        return entry->suffix[agree] < bytes[*matched] ? BLOCK_LESS : BLOCK_GREATER;
    if (entry->suffix_size == rest)
        return BLOCK_EQUAL_USER;
    return entry->suffix_size < rest ? BLOCK_LESS : BLOCK_GREATER;
}

#endif
