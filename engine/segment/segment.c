#include "segment/segment.h"

#include "base/assert.h"
#include "block/block.h"
#include "format/file_header.h"
#include "segment/segment_codec.h"
#include "segment/segment_file.h"

#include <stdlib.h>
#include <string.h>

enum { PART_ALIGNMENT = 64 };

static void *allocate_part(size_t size)
{
    return aligned_alloc(PART_ALIGNMENT, (size + PART_ALIGNMENT - 1) & ~(size_t)(PART_ALIGNMENT - 1));
}

/* Read, verify and decompress the filter, index or properties. memory: out, the caller frees it; raw lies in it. */
static struct kvs_status read_part(struct segment *segment, void **memory, struct kvs_slice *raw,
                                   struct scratch *scratch, struct segment_extent extent, enum segment_block_type type,
                                   uint32_t raw_max)
{
    struct kvs_status status;
    struct segment_frame frame;
    uint8_t *unpacked = NULL, *stored = allocate_part(extent.size);
    if (stored == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate %zu bytes for a part of %s", (size_t)extent.size, segment->path);
    status = segment_read(segment, stored, extent.size, extent.offset);
    if (status_is_ok(status))
        status = segment_frame_decode(&frame, stored, extent.size, segment->meta.file_id, extent.offset, type, raw_max,
                                      segment->path);
    if (!status_is_ok(status))
        goto out;
    if (frame.codec == SEGMENT_CODEC_NONE) {
        *memory = stored;
        *raw = frame.stored;
        return status_ok();
    }
    unpacked = allocate_part(frame.raw_size);
    if (unpacked == NULL) {
        status =
            STATUS(KVS_NO_MEMORY, "cannot allocate %zu bytes for a part of %s", (size_t)frame.raw_size, segment->path);
        goto out;
    }
    status = segment_decompress(unpacked, scratch, &frame, segment->path, extent.offset);
    if (!status_is_ok(status))
        goto out;
    *memory = unpacked;
    *raw = slice_of(unpacked, frame.raw_size);
    unpacked = NULL;
out:
    free(unpacked);
    free(stored);
    return status;
}

/* The file is the one that meta describes. */
static struct kvs_status check_identity(struct segment *segment)
{
    uint8_t bytes[FILE_HEADER_BYTES];
    uint64_t size;
    STATUS_RETURN_IF_ERROR(io_file_size(segment->file, &size));
    if (size != segment->meta.size_bytes)
        return segment_corrupt(segment, 0, "size of the file", segment->meta.size_bytes, size);
    if (size < FILE_HEADER_BYTES + SEGMENT_FOOTER_BYTES)
        return segment_corrupt(segment, 0, "size of the file, at least", FILE_HEADER_BYTES + SEGMENT_FOOTER_BYTES,
                               size);
    struct file_header header;
    STATUS_RETURN_IF_ERROR(segment_read(segment, bytes, sizeof bytes, 0));
    STATUS_RETURN_IF_ERROR(file_header_decode(&header, bytes, sizeof bytes, FILE_SEGMENT, segment->path));
    if (header.number != segment->meta.number)
        return segment_corrupt(segment, 0, "number of the file", segment->meta.number, header.number);
    if (header.file_id != segment->meta.file_id)
        return segment_corrupt(segment, 0, "id of the file", segment->meta.file_id, header.file_id);
    return status_ok();
}

static struct kvs_status read_footer(struct segment *segment)
{
    uint8_t bytes[SEGMENT_FOOTER_BYTES];
    uint64_t offset = segment->meta.size_bytes - sizeof bytes;
    STATUS_RETURN_IF_ERROR(segment_read(segment, bytes, sizeof bytes, offset));
    return segment_footer_decode(&segment->footer, bytes, segment->meta.file_id, offset, segment->path);
}

/* What the segment says of itself is what the manifest says of it. */
static struct kvs_status compare_meta(const struct segment *segment, const struct segment_properties *properties)
{
    const struct segment_meta *meta = &segment->meta;
    const struct {
        const char *what;
        uint64_t expected, found;
    } pairs[] = {
        {"number of entries", meta->entry_count, properties->entry_count},
        {"number of tombstones", meta->tombstone_count, properties->tombstone_count},
        {"bytes of keys", meta->raw_key_bytes, properties->raw_key_bytes},
        {"bytes of values", meta->raw_value_bytes, properties->raw_value_bytes},
        {"lowest sequence number", meta->min_sequence, properties->min_sequence},
        {"highest sequence number", meta->max_sequence, properties->max_sequence},
        {"trailer of the smallest key", meta->smallest.trailer, properties->smallest.trailer},
        {"trailer of the largest key", meta->largest.trailer, properties->largest.trailer},
        {"smallest key (1: as the manifest has it)", 1, slice_equal(meta->smallest.user, properties->smallest.user)},
        {"largest key (1: as the manifest has it)", 1, slice_equal(meta->largest.user, properties->largest.user)},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].expected != pairs[i].found)
            return segment_corrupt(segment, segment->footer.properties.offset, pairs[i].what, pairs[i].expected,
                                   pairs[i].found);
    return status_ok();
}

static struct kvs_status read_properties(struct segment *segment, struct scratch *scratch)
{
    void *memory = NULL;
    struct kvs_slice raw = slice_of(NULL, 0);
    struct segment_properties properties;
    struct segment_extent extent = segment->footer.properties;
    STATUS_RETURN_IF_ERROR(
        read_part(segment, &memory, &raw, scratch, extent, SEGMENT_BLOCK_PROPERTIES, SEGMENT_PROPERTIES_MAX_BYTES));
    struct kvs_status status = segment_properties_decode(&properties, raw, extent.offset, segment->path);
    if (status_is_ok(status))
        status = compare_meta(segment, &properties);
    if (status_is_ok(status)) {
        segment->properties = properties;
        segment->properties.smallest = segment->meta.smallest;
        segment->properties.largest = segment->meta.largest;
    }
    free(memory);
    return status;
}

static struct kvs_status read_index(struct segment *segment, struct scratch *scratch)
{
    void *memory = NULL;
    struct kvs_slice raw = slice_of(NULL, 0);
    const char *flaw;
    size_t at;
    struct segment_extent extent = segment->footer.index;
    STATUS_RETURN_IF_ERROR(
        read_part(segment, &memory, &raw, scratch, extent, SEGMENT_BLOCK_INDEX, SEGMENT_INDEX_MAX_BYTES));
    enum kvs_code code = fences_load(&segment->fences, &flaw, &at, raw, FILE_HEADER_BYTES);
    size_t raw_size = raw.size;
    free(memory);
    if (code == KVS_NO_MEMORY)
        return STATUS(KVS_NO_MEMORY, "cannot allocate the index of %s", segment->path);
    if (code == KVS_CORRUPT)
        return segment_corrupt(segment, extent.offset, flaw, raw_size, at);
    if (segment->fences.count != segment->properties.block_count)
        return segment_corrupt(segment, extent.offset, "number of data blocks", segment->properties.block_count,
                               segment->fences.count);
    uint64_t end = fences_start(&segment->fences, segment->fences.count);
    if (end != segment->footer.filter.offset)
        return segment_corrupt(segment, extent.offset, "end of the data blocks", segment->footer.filter.offset, end);
    segment->slots = calloc(segment->fences.count, sizeof segment->slots[0]);
    if (segment->slots == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate %zu slots for %s", segment->fences.count, segment->path);
    segment->index_bytes = segment->fences.memory_bytes + segment->fences.count * sizeof segment->slots[0];
    memory_budget_charge(segment->budget, MEMORY_INDEX, segment->index_bytes);
    return status_ok();
}

static struct kvs_status read_filter(struct segment *segment, struct scratch *scratch)
{
    struct kvs_slice raw = slice_of(NULL, 0);
    struct segment_extent extent = segment->footer.filter;
    if (extent.size == 0)
        return status_ok();
    STATUS_RETURN_IF_ERROR(read_part(segment, &segment->filter_memory, &raw, scratch, extent, SEGMENT_BLOCK_FILTER,
                                     SEGMENT_INDEX_MAX_BYTES));
    if (!filter_open(&segment->filter, raw.data, raw.size))
        return segment_corrupt(segment, extent.offset, "size of a filter, in whole lines and one byte",
                               FILTER_LINE_BYTES, raw.size);
    segment->filter_bytes = raw.size;
    memory_budget_charge(segment->budget, MEMORY_FILTER, segment->filter_bytes);
    return status_ok();
}

/* With one decompressor for the three: making one costs more than they do. */
static struct kvs_status read_parts(struct segment *segment)
{
    struct scratch scratch = {0};
    struct kvs_status status = read_properties(segment, &scratch);
    if (status_is_ok(status))
        status = read_index(segment, &scratch);
    if (status_is_ok(status))
        status = read_filter(segment, &scratch);
    if (scratch.tool != NULL)
        scratch.tool_free(scratch.tool);
    return status;
}

static void segment_free(struct segment *segment)
{
    if (segment->slots != NULL)
        cache_drop(segment->cache, segment->slots, segment->fences.count);
    memory_budget_release(segment->budget, MEMORY_INDEX, segment->index_bytes);
    memory_budget_release(segment->budget, MEMORY_FILTER, segment->filter_bytes);
    io_file_close(segment->file);
    free(segment->slots);
    fences_fini(&segment->fences);
    free(segment->filter_memory);
    segment_meta_fini(&segment->meta);
    free(segment->path);
    free(segment);
}

static struct kvs_status open_parts(struct segment *segment, struct io *io, const char *folder,
                                    const struct segment_meta *meta)
{
    char path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(segment_meta_copy(&segment->meta, meta));
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_SEGMENT, meta->number));
    segment->path = strdup(path);
    if (segment->path == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate the path %s", path);
    STATUS_RETURN_IF_ERROR(io_file_open(io, &segment->file, path, IO_OPEN_READ));
    STATUS_RETURN_IF_ERROR(check_identity(segment));
    STATUS_RETURN_IF_ERROR(read_footer(segment));
    return read_parts(segment);
}

struct kvs_status segment_open(struct segment **segment, struct io *io, const char *folder,
                               const struct segment_meta *meta, struct cache *cache, struct memory_budget *budget)
{
    struct segment *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a segment");
    atomic_init(&opened->refcount, 1);
    opened->cache = cache;
    opened->budget = budget;
    struct kvs_status status = open_parts(opened, io, folder, meta);
    if (!status_is_ok(status)) {
        segment_free(opened);
        return status;
    }
    *segment = opened;
    return status_ok();
}

struct segment *segment_ref(struct segment *segment)
{
    atomic_fetch_add_explicit(&segment->refcount, 1, memory_order_relaxed);
    return segment;
}

void segment_unref(struct segment *segment)
{
    if (segment == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&segment->refcount, 1, memory_order_acq_rel);
    KVS_ASSERT(before > 0);
    if (before != 1)
        return;
    segment_closed *closed = segment->closed;
    void *context = segment->closed_context;
    uint64_t number = segment->meta.number;
    segment_free(segment);
    if (closed != NULL)
        closed(context, number);
}

void segment_on_close(struct segment *segment, segment_closed *closed, void *context)
{
    segment->closed = closed;
    segment->closed_context = context;
}

const struct segment_meta *segment_meta_of(const struct segment *segment)
{
    return &segment->meta;
}

const struct segment_properties *segment_properties_of(const struct segment *segment)
{
    return &segment->properties;
}

size_t segment_block_count(const struct segment *segment)
{
    return segment->fences.count;
}

size_t segment_memory_bytes(const struct segment *segment)
{
    return segment->index_bytes + segment->filter_bytes;
}

enum segment_result segment_lookup_in(struct segment_hit *hit, struct cache_block *block, struct kvs_slice user_key,
                                      uint64_t sequence)
{
    struct block view = block_view(block->bytes, block->size_bytes);
    hit->is_filtered = false;
    if (!block_get(&view, &hit->trailer, &hit->value, user_key, key_seek_trailer(sequence)))
        return SEGMENT_ABSENT;
    hit->block = block;
    return SEGMENT_FOUND;
}

enum segment_result segment_lookup(const struct segment *segment, struct segment_hit *hit, struct kvs_slice user_key,
                                   uint64_t hash, uint64_t sequence)
{
    hit->is_filtered = !filter_may_contain(&segment->filter, hash);
    if (hit->is_filtered)
        return SEGMENT_ABSENT;
    size_t index = fences_find(&segment->fences, key_of(user_key, key_seek_trailer(sequence)));
    struct cache_block *block = cache_slot_get(&segment->slots[index]);
    if (block == NULL) {
        hit->block_index = index;
        return SEGMENT_MISS;
    }
    /* Header, hints and the first entries lie side by side: ask for all of them at once. */
    __builtin_prefetch(block->bytes + PART_ALIGNMENT);
    __builtin_prefetch(block->bytes + 2 * PART_ALIGNMENT);
    cache_block_touch(block);
    return segment_lookup_in(hit, block, user_key, sequence);
}

void segment_adopt_blocks(struct segment *segment, struct segment_blocks *blocks)
{
    struct segment_kept_block *kept = (struct segment_kept_block *)blocks->kept.data;
    KVS_ASSERT(blocks->count == segment->fences.count);
    for (size_t i = 0; i < blocks->kept.size / sizeof kept[0]; i++)
        kept[i].block = cache_install(segment->cache, &segment->slots[kept[i].index], kept[i].block);
    segment_blocks_fini(blocks);
}
