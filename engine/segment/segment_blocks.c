#include "segment/segment_blocks.h"

void segment_blocks_init(struct segment_blocks *blocks, struct cache *cache)
{
    *blocks = (struct segment_blocks){.cache = cache};
}

void segment_blocks_fini(struct segment_blocks *blocks)
{
    struct segment_kept_block *kept = (struct segment_kept_block *)blocks->kept.data;
    for (size_t i = 0; i < blocks->kept.size / sizeof kept[0]; i++)
        cache_block_unref(kept[i].block);
    buffer_fini(&blocks->kept);
    blocks->count = 0;
}

void segment_blocks_add(struct segment_blocks *blocks, struct kvs_slice raw)
{
    struct segment_kept_block kept = {blocks->count++, NULL};
    if (!cache_has_room(blocks->cache, raw.size) ||
        !status_is_ok(cache_block_new(blocks->cache, &kept.block, raw.size)))
        return;
    memcpy(kept.block->bytes, raw.data, raw.size);
    if (!status_is_ok(buffer_append(&blocks->kept, &kept, sizeof kept)))
        cache_block_unref(kept.block);
}
