/* block.h -- a sorted run of a few entries in one piece of memory, and the search in it.
 *
 * Role      What a data block of a segment is once it has been read and decompressed. block_open checks the whole structure once; after that
 *           block_view, block_get and the iterator trust the bytes and check nothing again.
 * Format    format/README.md, "Segment", "Data block".
 * Threads   A block never changes; any number of readers.
 * Failure   block_open takes any bytes and never reads outside them. What it cannot see is a wrong order of keys, and a key that shares
 *           less with the one before than it could, which a search would pass by: segment_verify looks for both.
 */
#ifndef KVS_BLOCK_BLOCK_H
#define KVS_BLOCK_BLOCK_H

#include "base/coding.h"
#include "base/key.h"

enum {
    BLOCK_HEADER_BYTES = 16,
    BLOCK_HINT_BYTES = 8,
    BLOCK_RESTART_BYTES = 4,
    BLOCK_INTERVAL_LOG2_MAX = 7,
    BLOCK_SEQUENCE_WIDTH_MAX = 7,
    BLOCK_KIND_COLUMN = 0x10, /* bit of the widths byte: kinds differ, and have a column */
};

/* The parts of an opened block; all pointers lie in the bytes it was opened on.
 *
 * base_trailer   the lowest sequence number, and the kind byte where all entries have the same
 * prefix_size    leading bytes that all user keys share, at most 65,535
 * hints          of each restart point: eight bytes of its user key after the prefix
 * sequences      of each entry: sequence number minus the base, in sequence_width bytes
 * kinds          of each entry, or NULL */
struct block {
    const uint8_t *entries;
    const uint8_t *end;
    const uint8_t *hints;
    const uint8_t *restarts;
    const uint8_t *kinds;
    const uint8_t *sequences;
    uint64_t base_trailer;
    uint32_t count;
    uint32_t restart_count;
    uint32_t prefix_size;
    uint8_t interval_log2;
    uint8_t sequence_width;
};

/* What is wrong with the bytes of a block. offset counts from its start. */
struct block_flaw {
    const char *what;
    size_t offset;
    uint64_t expected;
    uint64_t found;
};

/* Take any bytes apart, checking everything that block_get and the iterator rely on. The bytes must outlive the block. Returns false, with *flaw
 * set and *block untouched, if they are not a block. */
KVS_MUST_USE bool block_open(struct block *block, struct block_flaw *flaw, const void *data, size_t size);

/* Take apart bytes that block_open has accepted before. */
static inline struct block block_view(const void *data, size_t size)
{
    const uint8_t *at = data;
    struct block block;
    block.end = at + size;
    block.count = coding_get_u32(at);
    block.prefix_size = coding_get_u16(at + 4);
    block.interval_log2 = at[6];
    block.sequence_width = at[7] & (BLOCK_KIND_COLUMN - 1);
    block.base_trailer = coding_get_u64(at + 8);
    block.restart_count = (uint32_t)((block.count + (UINT64_C(1) << block.interval_log2) - 1) >> block.interval_log2);
    block.hints = at + BLOCK_HEADER_BYTES;
    block.restarts = block.hints + (size_t)block.restart_count * BLOCK_HINT_BYTES;
    block.kinds = block.restarts + (size_t)block.restart_count * BLOCK_RESTART_BYTES;
    block.sequences = block.kinds;
    if (at[7] & BLOCK_KIND_COLUMN)
        block.sequences += block.count;
    else
        block.kinds = NULL;
    block.entries = block.sequences + (size_t)block.count * block.sequence_width;
    return block;
}

/* The trailer of the entry with this index. */
static inline uint64_t block_trailer(const struct block *block, uint32_t index)
{
    const uint8_t *at = block->sequences + (size_t)index * block->sequence_width;
    uint64_t delta = 0;
    for (unsigned i = 0; i < block->sequence_width; i++)
        delta |= (uint64_t)at[i] << (8 * i);
    return block->base_trailer + (delta << 8) + (block->kinds == NULL ? 0 : block->kinds[index]);
}

/* Find the first entry at or after (user_key, seek_trailer). Returns whether there is one and its user key is user_key; then *trailer and *value
 * (borrowed from the block's bytes) are set. No allocation. */
bool block_get(const struct block *block, uint64_t *trailer, struct kvs_slice *value, struct kvs_slice user_key,
               uint64_t seek_trailer);

#endif
