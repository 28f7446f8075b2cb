#include "segment/segment_writer.h"

#include "base/assert.h"
#include "base/hash.h"
#include "block/block_builder.h"
#include "filter/filter_builder.h"
#include "segment/segment_codec.h"
#include "segment/segment_fences.h"

enum {
    CHUNK_BYTES = 256 * 1024,
    BLOCK_BYTES_MIN = 256,
    FILTER_BITS_PER_KEY_MAX = 32,
};

/* out         what was not written yet; it lies at written_bytes of the file
 * last_key, last_trailer   the last entry of the last finished data block
 * properties  counts so far; smallest.user borrows smallest */
struct segment_writer {
    struct io *io;
    struct io_file *file;
    struct segment_writer_options options;
    uint64_t file_id;
    struct buffer out;
    uint64_t written_bytes;
    struct hash_stream *hash;
    struct compressor *compressor;
    struct block_builder block;
    struct filter_builder filter;
    struct fences_builder fences;
    struct buffer raw;
    struct buffer smallest;
    struct buffer last_key;
    uint64_t last_trailer;
    struct segment_properties properties;
    char path[IO_PATH_BYTES];
};

static void writer_free(struct segment_writer *writer)
{
    io_file_close(writer->file);
    buffer_fini(&writer->out);
    hash_stream_free(writer->hash);
    compressor_free(writer->compressor);
    block_builder_fini(&writer->block);
    filter_builder_fini(&writer->filter);
    fences_builder_fini(&writer->fences);
    buffer_fini(&writer->raw);
    buffer_fini(&writer->smallest);
    buffer_fini(&writer->last_key);
    free(writer);
}

static struct kvs_status check_options(const struct segment_writer_options *options)
{
    if (options->block_bytes < BLOCK_BYTES_MIN || options->block_bytes > SEGMENT_BLOCK_BYTES_MAX)
        return STATUS(KVS_INVALID, "block size %zu is not between %d and %d bytes", options->block_bytes,
                      BLOCK_BYTES_MIN, SEGMENT_BLOCK_BYTES_MAX);
    if (options->filter_bits_per_key > FILTER_BITS_PER_KEY_MAX)
        return STATUS(KVS_INVALID, "%u filter bits per key are more than %d", options->filter_bits_per_key,
                      FILTER_BITS_PER_KEY_MAX);
    return status_ok();
}

/* Everything but the file. */
static struct kvs_status prepare(struct segment_writer *writer, const char *folder)
{
    STATUS_RETURN_IF_ERROR(file_name_path(writer->path, folder, FILE_SEGMENT, writer->options.number));
    STATUS_RETURN_IF_ERROR(compressor_new(&writer->compressor, writer->options.codec, writer->options.level));
    block_builder_init(&writer->block, BLOCK_INTERVAL_LOG2_DEFAULT);
    writer->hash = hash_stream_new();
    if (writer->hash == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a hash for %s", writer->path);
    STATUS_RETURN_IF_ERROR(io_random(writer->io, &writer->file_id, sizeof writer->file_id));
    STATUS_RETURN_IF_ERROR(buffer_reserve(&writer->out, CHUNK_BYTES + CHUNK_BYTES / 4));
    struct file_header header = {.type = FILE_SEGMENT, .file_id = writer->file_id, .number = writer->options.number};
    memcpy(header.uuid, writer->options.uuid, sizeof header.uuid);
    file_header_encode(writer->out.data, &header);
    writer->out.size = FILE_HEADER_BYTES;
    return status_ok();
}

struct kvs_status segment_writer_new(struct segment_writer **writer, struct io *io, const char *folder,
                                     const struct segment_writer_options *options)
{
    STATUS_RETURN_IF_ERROR(check_options(options));
    struct segment_writer *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a segment writer");
    made->io = io;
    made->options = *options;
    struct kvs_status status = prepare(made, folder);
    if (status_is_ok(status))
        status = io_file_open(io, &made->file, made->path, IO_OPEN_CREATE);
    if (!status_is_ok(status)) {
        writer_free(made);
        return status;
    }
    *writer = made;
    return status_ok();
}

static uint64_t position(const struct segment_writer *writer)
{
    return writer->written_bytes + writer->out.size;
}

static struct kvs_status write_out(struct segment_writer *writer)
{
    STATUS_RETURN_IF_ERROR(io_file_write(writer->file, writer->out.data, writer->out.size, writer->written_bytes));
    hash_stream_update(writer->hash, writer->out.data, writer->out.size);
    /* Not all at once at the end, where every other sync on the device would wait behind it. */
    io_file_start_writeback(writer->file, writer->written_bytes, writer->out.size);
    writer->written_bytes += writer->out.size;
    buffer_clear(&writer->out);
    return status_ok();
}

/* Append a block with its frame. extent: out, of both. */
static struct kvs_status put_block(struct segment_writer *writer, struct segment_extent *extent,
                                   enum segment_block_type type, struct kvs_slice raw, bool is_compressible)
{
    size_t before = writer->out.size;
    uint64_t offset = position(writer);
    enum segment_codec codec = SEGMENT_CODEC_NONE;
    KVS_ASSERT(raw.size > 0);
    if (raw.size > SEGMENT_INDEX_MAX_BYTES)
        return STATUS(KVS_TOO_LARGE, "%s: a block of %zu bytes is larger than %d", writer->path, raw.size,
                      SEGMENT_INDEX_MAX_BYTES);
    if (is_compressible)
        STATUS_RETURN_IF_ERROR(compressor_append(writer->compressor, &writer->out, &codec, raw));
    else
        STATUS_RETURN_IF_ERROR(buffer_append(&writer->out, raw.data, raw.size));
    size_t stored_size = writer->out.size - before;
    STATUS_RETURN_IF_ERROR(
        segment_frame_append(&writer->out, type, codec, (uint32_t)raw.size, stored_size, writer->file_id, offset));
    *extent = (struct segment_extent){offset, writer->out.size - before};
    return writer->out.size >= CHUNK_BYTES ? write_out(writer) : status_ok();
}

/* Remember where the finished block ends, for the fence of the next. */
static struct kvs_status keep_last_key(struct segment_writer *writer)
{
    struct key last = block_builder_last_key(&writer->block);
    buffer_clear(&writer->last_key);
    writer->last_trailer = last.trailer;
    return buffer_append(&writer->last_key, last.user.data, last.user.size);
}

static struct kvs_status finish_block(struct segment_writer *writer)
{
    struct kvs_slice raw;
    struct segment_extent extent;
    STATUS_RETURN_IF_ERROR(block_builder_finish(&writer->block, &raw));
    STATUS_RETURN_IF_ERROR(put_block(writer, &extent, SEGMENT_BLOCK_DATA, raw, true));
    struct key last_before = key_of(buffer_slice(&writer->last_key), writer->last_trailer);
    STATUS_RETURN_IF_ERROR(
        fences_builder_add(&writer->fences, block_builder_first_key(&writer->block), last_before, extent.size));
    STATUS_RETURN_IF_ERROR(keep_last_key(writer));
    if (writer->options.keep != NULL)
        segment_blocks_add(writer->options.keep, raw);
    writer->properties.block_count++;
    writer->properties.raw_block_bytes += raw.size;
    block_builder_reset(&writer->block);
    return status_ok();
}

struct kvs_status segment_writer_add(struct segment_writer *writer, struct key key, struct kvs_slice value)
{
    KVS_ASSERT(value.size <= VALUE_MAX_BYTES);
    size_t size = block_builder_size(&writer->block);
    if (size != 0 && size + block_builder_entry_size(key.user.size, value.size) > writer->options.block_bytes)
        STATUS_RETURN_IF_ERROR(finish_block(writer));
    if (writer->properties.entry_count == 0) {
        STATUS_RETURN_IF_ERROR(buffer_append(&writer->smallest, key.user.data, key.user.size));
        writer->properties.smallest = key_of(buffer_slice(&writer->smallest), key.trailer);
    } else if (writer->block.count == 0) {
        KVS_ASSERT(key_compare(key_of(buffer_slice(&writer->last_key), writer->last_trailer), key) < 0);
    }
    STATUS_RETURN_IF_ERROR(block_builder_add(&writer->block, key, value));
    if (writer->options.filter_bits_per_key != 0)
        STATUS_RETURN_IF_ERROR(filter_builder_add(&writer->filter, filter_hash(key.user)));
    segment_properties_count(&writer->properties, key, value);
    return status_ok();
}

uint64_t segment_writer_count(const struct segment_writer *writer)
{
    return writer->properties.entry_count;
}

uint64_t segment_writer_size(const struct segment_writer *writer)
{
    size_t filter = writer->options.filter_bits_per_key == 0
                        ? 0
                        : filter_builder_size(&writer->filter, writer->options.filter_bits_per_key);
    return position(writer) + block_builder_size(&writer->block) + filter + writer->fences.entries.size +
           SEGMENT_FOOTER_BYTES;
}

static struct kvs_status put_filter(struct segment_writer *writer, struct segment_footer *footer)
{
    footer->filter = (struct segment_extent){position(writer), 0};
    if (writer->options.filter_bits_per_key == 0)
        return status_ok();
    buffer_clear(&writer->raw);
    STATUS_RETURN_IF_ERROR(filter_builder_finish(&writer->filter, &writer->raw, writer->options.filter_bits_per_key));
    return put_block(writer, &footer->filter, SEGMENT_BLOCK_FILTER, buffer_slice(&writer->raw), false);
}

static struct kvs_status put_index(struct segment_writer *writer, struct segment_footer *footer)
{
    buffer_clear(&writer->raw);
    STATUS_RETURN_IF_ERROR(fences_builder_finish(&writer->fences, &writer->raw));
    return put_block(writer, &footer->index, SEGMENT_BLOCK_INDEX, buffer_slice(&writer->raw), true);
}

static struct kvs_status put_properties(struct segment_writer *writer, struct segment_footer *footer)
{
    struct segment_properties *properties = &writer->properties;
    properties->largest = key_of(buffer_slice(&writer->last_key), writer->last_trailer);
    properties->block_bytes = writer->options.block_bytes;
    properties->filter_bits_per_key = writer->options.filter_bits_per_key;
    buffer_clear(&writer->raw);
    STATUS_RETURN_IF_ERROR(segment_properties_append(&writer->raw, properties));
    return put_block(writer, &footer->properties, SEGMENT_BLOCK_PROPERTIES, buffer_slice(&writer->raw), true);
}

static struct kvs_status put_footer(struct segment_writer *writer, const struct segment_footer *footer)
{
    uint8_t bytes[SEGMENT_FOOTER_BYTES];
    segment_footer_encode(bytes, footer, writer->file_id, position(writer));
    STATUS_RETURN_IF_ERROR(buffer_append(&writer->out, bytes, sizeof bytes));
    return write_out(writer);
}

static struct kvs_status make_meta(const struct segment_writer *writer, struct segment_meta *meta)
{
    const struct segment_properties *properties = &writer->properties;
    struct segment_meta made;
    segment_meta_init(&made);
    made.number = writer->options.number;
    made.file_id = writer->file_id;
    made.size_bytes = writer->written_bytes;
    made.file_hash = hash_stream_value(writer->hash);
    made.min_sequence = properties->min_sequence;
    made.max_sequence = properties->max_sequence;
    made.entry_count = properties->entry_count;
    made.tombstone_count = properties->tombstone_count;
    made.raw_key_bytes = properties->raw_key_bytes;
    made.raw_value_bytes = properties->raw_value_bytes;
    STATUS_RETURN_IF_ERROR(segment_meta_set_range(&made, properties->smallest, properties->largest));
    *meta = made;
    return status_ok();
}

struct kvs_status segment_writer_finish(struct segment_writer *writer, struct segment_meta *meta)
{
    KVS_ASSERT(writer->properties.entry_count > 0);
    struct segment_footer footer;
    struct segment_meta made;
    STATUS_RETURN_IF_ERROR(finish_block(writer));
    STATUS_RETURN_IF_ERROR(put_filter(writer, &footer));
    STATUS_RETURN_IF_ERROR(put_index(writer, &footer));
    STATUS_RETURN_IF_ERROR(put_properties(writer, &footer));
    STATUS_RETURN_IF_ERROR(put_footer(writer, &footer));
    STATUS_RETURN_IF_ERROR(make_meta(writer, &made));
    struct kvs_status status = io_file_sync(writer->file, SYNC_SEGMENT);
    if (!status_is_ok(status)) {
        segment_meta_fini(&made);
        return status;
    }
    *meta = made;
    writer_free(writer);
    return status_ok();
}

void segment_writer_abandon(struct segment_writer *writer)
{
    if (writer == NULL)
        return;
    io_file_close(writer->file);
    writer->file = NULL;
    /* Best effort: the name is in no manifest, so that what stays is found and removed at the next open. */
    struct kvs_status status = io_unlink(writer->io, writer->path);
    (void)status;
    writer_free(writer);
}
