/* Reads a segment's file once, from its first byte to its last, and checks everything that can be checked. */
#include "segment/segment_file.h"

#include "base/hash.h"
#include "block/block_iterator.h"
#include "format/file_header.h"

#include <stdlib.h>

enum { VERIFY_READ_BYTES = 1024 * 1024 };

/* counted    what the entries so far add up to; smallest, min and so on as in the properties
 * last       the entry before, in last_key */
struct verify {
    struct segment *segment;
    struct hash_stream *hash;
    struct scratch *scratch;
    struct segment_window window;
    struct block_iterator inner;
    struct segment_properties counted;
    struct buffer last_key;
    struct key last;
    segment_progress *progress;
    void *context;
    bool is_stopped;
};

static void hash_range(struct verify *verify, const void *data, size_t size)
{
    hash_stream_update(verify->hash, data, size);
    if (verify->progress != NULL && !verify->progress(verify->context, size))
        verify->is_stopped = true;
}

static struct kvs_status verify_entry(struct verify *verify, size_t index, uint64_t offset)
{
    struct segment *segment = verify->segment;
    struct key key = verify->inner.base.key;
    if (verify->counted.entry_count == 0) {
        if (key_compare(key, segment->meta.smallest) != 0)
            return segment_corrupt(segment, offset, "trailer of the smallest key, in its place",
                                   segment->meta.smallest.trailer, key.trailer);
    } else if (key_compare(verify->last, key) >= 0) {
        return segment_corrupt(segment, offset, "order of entries: an entry that sorts after the one before, number",
                               verify->counted.entry_count, key.trailer);
    }
    if (fences_compare(&segment->fences, index, key) > 0)
        return segment_corrupt(segment, offset, "a key at or after the fence of its block", index, key.trailer);
    if (index + 1 < segment->fences.count && fences_compare(&segment->fences, index + 1, key) <= 0)
        return segment_corrupt(segment, offset, "a key before the fence of the next block", index + 1, key.trailer);
    if (!filter_may_contain(&segment->filter, filter_hash(key.user)))
        return segment_corrupt(segment, segment->footer.filter.offset, "a filter that has the key of entry",
                               verify->counted.entry_count, 0);
    segment_properties_count(&verify->counted, key, verify->inner.base.value);
    buffer_clear(&verify->last_key);
    STATUS_RETURN_IF_ERROR(buffer_append(&verify->last_key, key.user.data, key.user.size));
    verify->last = key_of(buffer_slice(&verify->last_key), key.trailer);
    return status_ok();
}

static struct kvs_status verify_block(struct verify *verify, const struct cache_block *block, size_t index,
                                      uint64_t offset)
{
    struct block view = block_view(block->bytes, block->size_bytes);
    block_iterator_set(&verify->inner, &view);
    struct kvs_status status = block_iterator_first(&verify->inner);
    while (status_is_ok(status) && verify->inner.base.valid) {
        status = verify_entry(verify, index, offset);
        if (status_is_ok(status) && !block_iterator_next_shares_all(&verify->inner))
            status =
                segment_corrupt(verify->segment, offset, "an entry that shares all it can with the one before, number",
                                verify->counted.entry_count, 0);
        if (status_is_ok(status))
            status = block_iterator_next(&verify->inner);
    }
    verify->counted.block_count++;
    verify->counted.raw_block_bytes += block->size_bytes;
    return status;
}

static struct kvs_status verify_blocks(struct verify *verify)
{
    struct segment *segment = verify->segment;
    for (size_t index = 0; index < segment->fences.count && !verify->is_stopped; index++) {
        if (index >= verify->window.end) {
            STATUS_RETURN_IF_ERROR(segment_window_load(&verify->window, index, VERIFY_READ_BYTES, false));
            hash_range(verify, verify->window.bytes.data, verify->window.bytes.size);
        }
        struct segment_extent extent = fences_extent(&segment->fences, index);
        struct cache_block *block;
        STATUS_RETURN_IF_ERROR(segment_decode_block(segment, &block, verify->scratch,
                                                    segment_window_block(&verify->window, index), extent));
        struct kvs_status status = verify_block(verify, block, index, extent.offset);
        cache_block_unref(block);
        STATUS_RETURN_IF_ERROR(status);
    }
    return status_ok();
}

static struct kvs_status hash_file_part(struct verify *verify, uint64_t start, uint64_t end)
{
    buffer_clear(&verify->window.bytes);
    verify->window.first = verify->window.end = 0;
    STATUS_RETURN_IF_ERROR(buffer_reserve(&verify->window.bytes, VERIFY_READ_BYTES));
    while (start < end && !verify->is_stopped) {
        size_t size = end - start < VERIFY_READ_BYTES ? (size_t)(end - start) : VERIFY_READ_BYTES;
        STATUS_RETURN_IF_ERROR(segment_read(verify->segment, verify->window.bytes.data, size, start));
        hash_range(verify, verify->window.bytes.data, size);
        start += size;
    }
    return status_ok();
}

static struct kvs_status compare_counts(const struct verify *verify)
{
    const struct segment_properties *expected = &verify->segment->properties, *found = &verify->counted;
    const struct {
        const char *what;
        uint64_t expected, found;
    } pairs[] = {
        {"number of entries", expected->entry_count, found->entry_count},
        {"number of tombstones", expected->tombstone_count, found->tombstone_count},
        {"bytes of keys", expected->raw_key_bytes, found->raw_key_bytes},
        {"bytes of values", expected->raw_value_bytes, found->raw_value_bytes},
        {"lowest sequence number", expected->min_sequence, found->min_sequence},
        {"highest sequence number", expected->max_sequence, found->max_sequence},
        {"number of data blocks", expected->block_count, found->block_count},
        {"raw bytes of data blocks", expected->raw_block_bytes, found->raw_block_bytes},
        {"largest key (1: as the manifest has it)", 1, key_compare(verify->segment->meta.largest, verify->last) == 0},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].expected != pairs[i].found)
            return segment_corrupt(verify->segment, verify->segment->footer.properties.offset, pairs[i].what,
                                   pairs[i].expected, pairs[i].found);
    return status_ok();
}

static struct kvs_status verify_file(struct verify *verify)
{
    const struct segment *segment = verify->segment;
    STATUS_RETURN_IF_ERROR(hash_file_part(verify, 0, FILE_HEADER_BYTES));
    STATUS_RETURN_IF_ERROR(verify_blocks(verify));
    STATUS_RETURN_IF_ERROR(hash_file_part(verify, segment->footer.filter.offset, segment->meta.size_bytes));
    if (verify->is_stopped)
        return status_ok();
    STATUS_RETURN_IF_ERROR(compare_counts(verify));
    uint64_t found = hash_stream_value(verify->hash);
    if (found != segment->meta.file_hash)
        return segment_corrupt(segment, 0, "hash of the whole file", segment->meta.file_hash, found);
    return status_ok();
}

struct kvs_status segment_verify(struct segment *segment, segment_progress *progress, void *context)
{
    struct scratch_pool *pool = cache_scratch_pool(segment->cache);
    struct verify verify = {.segment = segment, .window.segment = segment, .progress = progress, .context = context};
    STATUS_RETURN_IF_ERROR(scratch_take(pool, &verify.scratch));
    block_iterator_init(&verify.inner);
    verify.hash = hash_stream_new();
    struct kvs_status status = verify.hash == NULL
                                   ? STATUS(KVS_NO_MEMORY, "cannot allocate a hash for %s", segment->path)
                                   : verify_file(&verify);
    hash_stream_free(verify.hash);
    block_iterator_fini(&verify.inner);
    segment_window_fini(&verify.window);
    buffer_fini(&verify.last_key);
    scratch_give(pool, verify.scratch);
    return status;
}
