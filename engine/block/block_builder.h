/* block_builder.h -- makes the bytes of a block from entries in order.
 *
 * Role      Used by the segment writer, one block after the other; the memory is reused.
 * Format    format/README.md, "Segment", "Data block".
 * Threads   One owner at a time.
 * Failure   After NO_MEMORY the contents are lost; block_builder_reset starts over.
 */
#ifndef KVS_BLOCK_BLOCK_BUILDER_H
#define KVS_BLOCK_BLOCK_BUILDER_H

#include "base/buffer.h"
#include "block/block.h"

/* The default distance of restart points. Twice as far saves a percent of space, and costs a get of resident data 50 to 100 ns (of some 350). */
enum { BLOCK_INTERVAL_LOG2_DEFAULT = 2 };

struct block_builder {
    struct buffer entries;
    struct buffer restarts; /* u32 each: offset in entries */
    struct buffer trailers; /* u64 each */
    struct buffer last_key;
    struct buffer block; /* what finish gave */
    uint64_t min_sequence;
    uint64_t max_sequence;
    uint32_t count;
    uint8_t interval_log2;
};

/* interval_log2: every 2^interval_log2-th entry is a restart point. Allocates nothing. */
void block_builder_init(struct block_builder *builder, unsigned interval_log2);
void block_builder_fini(struct block_builder *builder);

/* Begin a new block. */
void block_builder_reset(struct block_builder *builder);

/* Append an entry, which sorts after the one before (asserted). Key and value are copied. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status block_builder_add(struct block_builder *builder, struct key key, struct kvs_slice value);

/* The size in bytes that the block would have now; 0 without entries. */
size_t block_builder_size(const struct block_builder *builder);

/* About what one more entry would add to that, bytes. */
static inline size_t block_builder_entry_size(size_t key_bytes, size_t value_bytes)
{
    return 3 + key_bytes + value_bytes;
}

/* The user key of the last entry, its trailer, and the first user key; borrowed until the next call. There is at least one entry. */
struct key block_builder_last_key(const struct block_builder *builder);
struct key block_builder_first_key(const struct block_builder *builder);

/* Give the bytes of the block, borrowed until the next call that changes the builder. There is at least one entry. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status block_builder_finish(struct block_builder *builder, struct kvs_slice *block);

#endif
