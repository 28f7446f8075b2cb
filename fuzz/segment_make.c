#include "segment_make.h"

#include "block/block.h"
#include "filter/filter_builder.h"
#include "format/file_header.h"
#include "segment/segment_codec.h"

/* raw   of a part that the input has; NULL data where it has none
 * at    where it is in the file */
struct part {
    struct kvs_slice raw;
    bool is_compressed;
    struct segment_extent at;
};

struct making {
    struct made_segment *made;
    struct part data[MADE_BLOCKS_MAX];
    struct part filter, index, properties;
    size_t data_count;
};

/* ---- The input ---- */

static struct part *part_of(struct making *making, unsigned type)
{
    switch (type) {
    case SEGMENT_BLOCK_FILTER:
        return &making->filter;
    case SEGMENT_BLOCK_INDEX:
        return &making->index;
    case SEGMENT_BLOCK_PROPERTIES:
        return &making->properties;
    default:
        return making->data_count < MADE_BLOCKS_MAX ? &making->data[making->data_count++] : NULL;
    }
}

static void read_parts(struct making *making, struct kvs_slice input)
{
    struct cursor cursor = cursor_of(input.data, input.size);
    while (cursor_rest(&cursor) > PART_HEADER_BYTES) {
        unsigned type = cursor_u8(&cursor);
        size_t size = cursor_u8(&cursor);
        size |= (size_t)cursor_u8(&cursor) << 8;
        struct kvs_slice raw = fuzz_bytes(&cursor, size);
        struct part *part = raw.size > 0 ? part_of(making, type & ~(unsigned)PART_COMPRESSED) : NULL;
        if (part != NULL)
            *part = (struct part){.raw = raw, .is_compressed = (type & PART_COMPRESSED) != 0};
    }
}

/* ---- What follows from the blocks ---- */

static bool open_blocks(struct making *making)
{
    struct made_segment *made = making->made;
    struct block block;
    struct block_flaw flaw;
    for (size_t i = 0; i < making->data_count; i++) {
        if (!block_open(&block, &flaw, making->data[i].raw.data, making->data[i].raw.size))
            break;
        plain_block_init(&made->blocks[made->block_count++], &block);
    }
    return made->block_count == making->data_count && made->block_count > 0;
}

static bool blocks_are_sound(const struct made_segment *made)
{
    for (size_t i = 0; i < made->block_count; i++) {
        const struct plain_block *block = &made->blocks[i], *before = i > 0 ? &made->blocks[i - 1] : NULL;
        if (!block->is_sound ||
            (before != NULL && key_compare(before->entries[before->count - 1].key, block->entries[0].key) >= 0))
            return false;
    }
    return true;
}

static void derive_properties(struct making *making, struct buffer *out)
{
    const struct made_segment *made = making->made;
    const struct plain_block *last = &made->blocks[made->block_count - 1];
    struct segment_properties properties = {.block_count = made->block_count, .block_bytes = 4096};
    for (size_t i = 0; i < made->block_count; i++) {
        properties.raw_block_bytes += making->data[i].raw.size;
        for (size_t j = 0; j < made->blocks[i].count; j++)
            segment_properties_count(&properties, made->blocks[i].entries[j].key, made->blocks[i].entries[j].value);
    }
    properties.smallest = made->blocks[0].entries[0].key;
    properties.largest = last->entries[last->count - 1].key;
    fuzz_ok(segment_properties_append(out, &properties));
}

/* The first key of each block, or what stands right behind the last of the block before where both have one user key. */
static void derive_index(struct making *making, struct buffer *out)
{
    const struct made_segment *made = making->made;
    fuzz_ok(buffer_reserve(out, VARINT_MAX_BYTES));
    out->size = (size_t)(coding_put_varint(out->data, made->block_count) - out->data);
    for (size_t i = 0; i < made->block_count; i++) {
        struct kvs_slice user = made->blocks[i].entries[0].key.user;
        const struct plain_block *before = i > 0 ? &made->blocks[i - 1] : NULL;
        const struct key *last = before != NULL ? &before->entries[before->count - 1].key : NULL;
        bool has_trailer = last != NULL && slice_equal(last->user, user);
        fuzz_ok(buffer_reserve(out, user.size + 4 * VARINT_MAX_BYTES));
        uint8_t *at = coding_put_varint(buffer_end(out), 0);
        at = coding_put_varint(at, (uint64_t)user.size << 1 | has_trailer);
        memcpy(at, user.data, user.size);
        at += user.size;
        if (has_trailer) {
            coding_put_u64(at, last->trailer - 1);
            at += sizeof(uint64_t);
        }
        at = coding_put_varint(at, making->data[i].at.size);
        out->size = (size_t)(at - out->data);
    }
}

static void derive_filter(struct making *making, struct buffer *out)
{
    const struct made_segment *made = making->made;
    struct filter_builder builder = {0};
    for (size_t i = 0; i < made->block_count; i++)
        for (size_t j = 0; j < made->blocks[i].count; j++)
            fuzz_ok(filter_builder_add(&builder, filter_hash(made->blocks[i].entries[j].key.user)));
    fuzz_ok(filter_builder_finish(&builder, out, 10));
    filter_builder_fini(&builder);
}

/* ---- The file ---- */

static void append_block(struct buffer *file, struct part *part, enum segment_block_type type)
{
    struct compressor *compressor;
    enum segment_codec codec = SEGMENT_CODEC_NONE;
    size_t start = file->size;
    fuzz_ok(compressor_new(&compressor, part->is_compressed ? SEGMENT_CODEC_ZSTD : SEGMENT_CODEC_NONE, 1));
    fuzz_ok(compressor_append(compressor, file, &codec, part->raw));
    compressor_free(compressor);
    fuzz_ok(segment_frame_append(file, type, codec, (uint32_t)part->raw.size, file->size - start, MADE_FILE_ID, start));
    part->at = (struct segment_extent){start, file->size - start};
}

static void append_derived(struct making *making, struct part *part, enum segment_block_type type,
                           void (*derive)(struct making *making, struct buffer *out))
{
    struct made_segment *made = making->made;
    struct buffer raw = {0};
    if (part->raw.size > 0)
        made->is_derived = false;
    else if (made->block_count > 0)
        derive(making, &raw);
    if (raw.size > 0)
        part->raw = buffer_slice(&raw);
    if (part->raw.size > 0)
        append_block(&made->file, part, type);
    else
        part->at.offset = made->file.size;
    part->raw = slice_of(NULL, 0);
    buffer_fini(&raw);
}

static void derive_nothing(struct making *making, struct buffer *out)
{
    (void)making;
    (void)out;
}

static void append_header(struct buffer *file)
{
    struct file_header header = {.type = FILE_SEGMENT, .file_id = MADE_FILE_ID, .number = MADE_NUMBER};
    fuzz_ok(buffer_reserve(file, FILE_HEADER_BYTES));
    file_header_encode(file->data, &header);
    file->size = FILE_HEADER_BYTES;
}

static void append_footer(struct making *making)
{
    struct buffer *file = &making->made->file;
    struct segment_footer footer = {making->filter.at, making->index.at, making->properties.at};
    fuzz_ok(buffer_reserve(file, SEGMENT_FOOTER_BYTES));
    segment_footer_encode(buffer_end(file), &footer, MADE_FILE_ID, file->size);
    file->size += SEGMENT_FOOTER_BYTES;
}

/* What a manifest says where the file's properties say this. */
static void describe(struct made_segment *made, const struct segment_properties *properties, uint64_t file_id)
{
    made->meta = (struct segment_meta){
        .number = MADE_NUMBER,
        .file_id = file_id,
        .size_bytes = made->file.size,
        .file_hash = hash_bytes(made->file.data, made->file.size),
        .min_sequence = properties->min_sequence,
        .max_sequence = properties->max_sequence,
        .entry_count = properties->entry_count,
        .tombstone_count = properties->tombstone_count,
        .raw_key_bytes = properties->raw_key_bytes,
        .raw_value_bytes = properties->raw_value_bytes,
    };
    fuzz_ok(segment_meta_set_range(&made->meta, properties->smallest, properties->largest));
}

/* The properties that a file has, if they can be read without more ado. */
static struct segment_properties read_properties(struct kvs_slice file, uint64_t file_id)
{
    struct segment_properties properties = {0};
    struct segment_footer footer;
    struct segment_frame frame;
    const uint8_t *bytes = file.data;
    if (file.size < FILE_HEADER_BYTES + SEGMENT_FOOTER_BYTES)
        return properties;
    uint64_t end = file.size - SEGMENT_FOOTER_BYTES;
    struct kvs_status status = segment_footer_decode(&footer, bytes + end, file_id, end, "made");
    if (status_is_ok(status))
        status = segment_frame_decode(&frame, bytes + footer.properties.offset, footer.properties.size, file_id,
                                      footer.properties.offset, SEGMENT_BLOCK_PROPERTIES, SEGMENT_PROPERTIES_MAX_BYTES,
                                      "made");
    if (status_is_ok(status) && frame.codec == SEGMENT_CODEC_NONE)
        status = segment_properties_decode(&properties, frame.stored, footer.properties.offset, "made");
    return properties;
}

void made_segment_of_parts(struct made_segment *made, struct kvs_slice parts, bool with_filter)
{
    struct making making = {.made = made};
    *made = (struct made_segment){.is_derived = true};
    read_parts(&making, parts);
    append_header(&made->file);
    for (size_t i = 0; i < making.data_count; i++)
        append_block(&made->file, &making.data[i], SEGMENT_BLOCK_DATA);
    if (!open_blocks(&making)) {
        while (made->block_count > 0)
            plain_block_fini(&made->blocks[--made->block_count]);
    }
    made->is_sound = made->block_count > 0 && blocks_are_sound(made);
    struct buffer properties = {0};
    struct segment_properties derived = {0};
    if (made->block_count > 0) {
        derive_properties(&making, &properties);
        fuzz_ok(segment_properties_decode(&derived, buffer_slice(&properties), 0, "made"));
    }
    append_derived(&making, &making.filter, SEGMENT_BLOCK_FILTER, with_filter ? derive_filter : derive_nothing);
    append_derived(&making, &making.index, SEGMENT_BLOCK_INDEX, derive_index);
    if (making.properties.raw.size > 0)
        made->is_derived = false;
    else
        making.properties.raw = buffer_slice(&properties);
    if (making.properties.raw.size > 0)
        append_block(&made->file, &making.properties, SEGMENT_BLOCK_PROPERTIES);
    append_footer(&making);
    describe(made, &derived, MADE_FILE_ID);
    buffer_fini(&properties);
}

void made_segment_of_file(struct made_segment *made, struct kvs_slice file)
{
    *made = (struct made_segment){.is_derived = false};
    fuzz_ok(buffer_append(&made->file, file.data, file.size));
    uint64_t file_id = file.size >= FILE_HEADER_BYTES ? coding_get_u64(made->file.data + 32) : 0;
    struct segment_properties properties = read_properties(file, file_id);
    describe(made, &properties, file_id);
}

void made_segment_fini(struct made_segment *made)
{
    for (size_t i = 0; i < made->block_count; i++)
        plain_block_fini(&made->blocks[i]);
    segment_meta_fini(&made->meta);
    buffer_fini(&made->file);
}
