/* segment_blocks.h -- blocks of a segment that is being written, kept in memory for its reader.
 *
 * Role      Flushes and compactions have their output in memory anyway: what the budget has room for need not be read again.
 * Threads   One owner at a time.
 * Failure   Keeping is an offer: where there is no memory a block is not kept.
 */
#ifndef KVS_SEGMENT_SEGMENT_BLOCKS_H
#define KVS_SEGMENT_SEGMENT_BLOCKS_H

#include "base/buffer.h"
#include "cache/cache.h"

/* A data block by its index, with a reference. */
struct segment_kept_block {
    size_t index;
    struct cache_block *block;
};

/* kept    struct segment_kept_block each
 * count   of data blocks so far, kept or not */
struct segment_blocks {
    struct cache *cache;
    struct buffer kept;
    size_t count;
};

void segment_blocks_init(struct segment_blocks *blocks, struct cache *cache);

/* Let go of all blocks. */
void segment_blocks_fini(struct segment_blocks *blocks);

/* Keep a copy of the next data block, if there is room. */
void segment_blocks_add(struct segment_blocks *blocks, struct kvs_slice raw);

#endif
