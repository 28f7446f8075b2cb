#include "segment/segment_file.h"

#include "base/assert.h"
#include "block/block.h"
#include "segment/segment_codec.h"

#include <inttypes.h>

struct kvs_status segment_corrupt(const struct segment *segment, uint64_t offset, const char *what, uint64_t expected,
                                  uint64_t found)
{
    return STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": %s: expected %" PRIu64 ", found %" PRIu64, segment->path,
                  offset, what, expected, found);
}

struct kvs_status segment_read(const struct segment *segment, uint8_t *out, size_t size, uint64_t offset)
{
    size_t read_bytes = 0;
    STATUS_RETURN_IF_ERROR(io_file_read(segment->file, out, &read_bytes, size, offset));
    if (read_bytes != size)
        return segment_corrupt(segment, offset, "bytes of the file from here on", size, read_bytes);
    return status_ok();
}

struct kvs_status segment_decode_block(const struct segment *segment, struct cache_block **block,
                                       struct scratch *scratch, const uint8_t *bytes, struct segment_extent extent)
{
    struct segment_frame frame;
    STATUS_RETURN_IF_ERROR(segment_frame_decode(&frame, bytes, extent.size, segment->meta.file_id, extent.offset,
                                                SEGMENT_BLOCK_DATA, SEGMENT_DATA_MAX_BYTES, segment->path));
    struct cache_block *made;
    STATUS_RETURN_IF_ERROR(cache_block_new(segment->cache, &made, frame.raw_size));
    struct kvs_status status = segment_decompress(made->bytes, scratch, &frame, segment->path, extent.offset);
    struct block checked;
    struct block_flaw flaw;
    if (status_is_ok(status) && !block_open(&checked, &flaw, made->bytes, frame.raw_size))
        status =
            STATUS(KVS_CORRUPT,
                   "%s: offset %" PRIu64 ": decompressed block, offset %zu: %s: expected %" PRIu64 ", found %" PRIu64,
                   segment->path, extent.offset, flaw.offset, flaw.what, flaw.expected, flaw.found);
    if (!status_is_ok(status)) {
        cache_block_unref(made);
        return status;
    }
    *block = made;
    return status_ok();
}

/* Read, verify and decompress with working memory from the pool. */
static struct kvs_status read_block(struct segment *segment, struct cache_block **block, struct segment_extent extent)
{
    struct scratch_pool *pool = cache_scratch_pool(segment->cache);
    struct scratch *scratch;
    STATUS_RETURN_IF_ERROR(scratch_take(pool, &scratch));
    struct kvs_status status = buffer_reserve(&scratch->buffer, extent.size);
    if (status_is_ok(status))
        status = segment_read(segment, scratch->buffer.data, extent.size, extent.offset);
    if (status_is_ok(status))
        status = segment_decode_block(segment, block, scratch, scratch->buffer.data, extent);
    scratch_give(pool, scratch);
    return status;
}

/* The block in a slot with a reference, or NULL. */
static struct cache_block *take_resident(struct cache_slot *slot)
{
    rcu_enter();
    struct cache_block *block = cache_slot_get(slot);
    if (block != NULL)
        cache_block_ref(block);
    rcu_leave();
    return block;
}

struct kvs_status segment_load(struct segment *segment, struct cache_block **block, size_t block_index, bool fill_cache)
{
    KVS_ASSERT(block_index < segment->fences.count);
    struct cache_slot *slot = &segment->slots[block_index];
    struct cache_block *loaded = take_resident(slot);
    if (loaded != NULL) {
        if (fill_cache)
            cache_block_touch(loaded);
        *block = loaded;
        return status_ok();
    }
    STATUS_RETURN_IF_ERROR(read_block(segment, &loaded, fences_extent(&segment->fences, block_index)));
    *block = fill_cache ? cache_install(segment->cache, slot, loaded) : loaded;
    return status_ok();
}

void segment_window_fini(struct segment_window *window)
{
    buffer_fini(&window->bytes);
    window->first = window->end = 0;
}

const uint8_t *segment_window_block(const struct segment_window *window, size_t index)
{
    KVS_ASSERT(index >= window->first && index < window->end);
    const struct fences *fences = &window->segment->fences;
    return window->bytes.data + (fences_start(fences, index) - fences_start(fences, window->first));
}

struct kvs_status segment_window_load(struct segment_window *window, size_t index, size_t read_bytes, bool backward)
{
    if (index >= window->first && index < window->end)
        return status_ok();
    const struct fences *fences = &window->segment->fences;
    size_t first = index, end = index + 1;
    if (backward)
        while (first > 0 && fences_start(fences, end) - fences_start(fences, first - 1) <= read_bytes)
            first--;
    else
        while (end < fences->count && fences_start(fences, end + 1) - fences_start(fences, first) <= read_bytes)
            end++;
    window->first = window->end = 0;
    uint64_t start = fences_start(fences, first);
    size_t size = (size_t)(fences_start(fences, end) - start);
    buffer_clear(&window->bytes);
    STATUS_RETURN_IF_ERROR(buffer_reserve(&window->bytes, size));
    STATUS_RETURN_IF_ERROR(segment_read(window->segment, window->bytes.data, size, start));
    window->bytes.size = size;
    window->first = first;
    window->end = end;
    return status_ok();
}
