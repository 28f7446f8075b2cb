#include "segment_make.h"

#include "block_mend.h"

#include "format/checksum.h"
#include "format/file_header.h"

enum { FRAME_CODEC = 1, FRAME_RAW_SIZE = 2, FRAME_CHECKSUM = 6 };

/* The file under repair. */
struct patient {
    uint8_t *data;
    size_t size;
    uint64_t file_id;
};

static void mend_header(struct patient *patient)
{
    struct file_header header = {.type = FILE_SEGMENT, .number = MADE_NUMBER, .file_id = patient->file_id};
    memcpy(header.uuid, patient->data + 16, FILE_UUID_BYTES);
    header.may = coding_get_u32(patient->data + 52);
    file_header_encode(patient->data, &header);
}

/* Type, codec and checksum. Returns the raw bytes if they are stored as such. */
static struct kvs_slice mend_frame(struct patient *patient, struct segment_extent at, enum segment_block_type type)
{
    if (at.size <= SEGMENT_FRAME_BYTES)
        return slice_of(NULL, 0);
    uint8_t *stored = patient->data + at.offset;
    size_t stored_size = (size_t)at.size - SEGMENT_FRAME_BYTES;
    uint8_t *frame = stored + stored_size;
    frame[0] = (uint8_t)type;
    frame[FRAME_CODEC] &= 1;
    bool is_raw = frame[FRAME_CODEC] == SEGMENT_CODEC_NONE;
    if (is_raw)
        coding_put_u32(frame + FRAME_RAW_SIZE, (uint32_t)stored_size);
    if (is_raw && type == SEGMENT_BLOCK_DATA)
        block_mend(stored, stored_size);
    coding_put_u64(frame + FRAME_CHECKSUM,
                   checksum_of(stored, stored_size + FRAME_CHECKSUM, patient->file_id, at.offset));
    return is_raw ? slice_of(stored, stored_size) : slice_of(NULL, 0);
}

static struct segment_extent last_part(uint64_t *end, uint64_t size)
{
    if (size > *end - FILE_HEADER_BYTES)
        size = (*end - FILE_HEADER_BYTES) / 2;
    *end -= size;
    return (struct segment_extent){*end, size};
}

static struct segment_footer mend_footer(struct patient *patient)
{
    uint64_t end = patient->size - SEGMENT_FOOTER_BYTES;
    uint8_t *bytes = patient->data + end;
    struct segment_footer footer;
    footer.properties = last_part(&end, coding_get_u64(bytes + 40));
    footer.index = last_part(&end, coding_get_u64(bytes + 24));
    footer.filter = last_part(&end, coding_get_u64(bytes + 8));
    segment_footer_encode(bytes, &footer, patient->file_id, patient->size - SEGMENT_FOOTER_BYTES);
    return footer;
}

/* The data blocks, as long as the index can be read and they lie where it says. */
static void mend_blocks(struct patient *patient, struct kvs_slice index, uint64_t end)
{
    struct cursor cursor = cursor_of(index.data, index.size);
    uint64_t count = cursor_varint(&cursor), at = FILE_HEADER_BYTES;
    for (uint64_t i = 0; i < count && !cursor.failed; i++) {
        cursor_varint(&cursor);
        uint64_t sized = cursor_varint(&cursor);
        cursor_bytes(&cursor, sized >> 1);
        if (sized & 1)
            cursor_u64(&cursor);
        uint64_t size = cursor_varint(&cursor);
        if (cursor.failed || size > end - at)
            return;
        mend_frame(patient, (struct segment_extent){at, size}, SEGMENT_BLOCK_DATA);
        at += size;
    }
}

void segment_mend_file(uint8_t *data, size_t size)
{
    if (size < FILE_HEADER_BYTES + SEGMENT_FOOTER_BYTES)
        return;
    struct patient patient = {data, size, coding_get_u64(data + 32)};
    mend_header(&patient);
    struct segment_footer footer = mend_footer(&patient);
    mend_frame(&patient, footer.properties, SEGMENT_BLOCK_PROPERTIES);
    mend_frame(&patient, footer.filter, SEGMENT_BLOCK_FILTER);
    mend_blocks(&patient, mend_frame(&patient, footer.index, SEGMENT_BLOCK_INDEX), footer.filter.offset);
}

void segment_mend_parts(uint8_t *data, size_t size)
{
    for (size_t at = 0; size - at > PART_HEADER_BYTES;) {
        unsigned type = data[at] & ~(unsigned)PART_COMPRESSED;
        size_t part = coding_get_u16(data + at + 1), rest = size - at - PART_HEADER_BYTES;
        part = part < rest ? part : rest;
        if (type < SEGMENT_BLOCK_FILTER || type > SEGMENT_BLOCK_PROPERTIES)
            block_mend(data + at + PART_HEADER_BYTES, part);
        at += PART_HEADER_BYTES + part;
    }
}
