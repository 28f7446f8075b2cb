/* segment_format.h -- the fixed parts of a segment file: the frame of a block, the footer, the properties.
 *
 * Role      Pure encoding and decoding; what reads, writes and compresses is in segment/.
 * Format    format/README.md, "Segment".
 * Threads   Pure functions.
 * Failure   Bytes that do not verify are CORRUPT, naming file, offset, expected and found.
 */
#ifndef KVS_FORMAT_SEGMENT_FORMAT_H
#define KVS_FORMAT_SEGMENT_FORMAT_H

#include "base/buffer.h"
#include "format/segment_meta.h"

/* Values are part of the format. */
enum segment_block_type {
    SEGMENT_BLOCK_DATA = 1,
    SEGMENT_BLOCK_FILTER = 2,
    SEGMENT_BLOCK_INDEX = 3,
    SEGMENT_BLOCK_PROPERTIES = 4,
};

enum segment_codec {
    SEGMENT_CODEC_NONE = 0,
    SEGMENT_CODEC_ZSTD = 1,
};

enum {
    SEGMENT_FRAME_BYTES = 14, /* what follows the stored bytes of a block */
    SEGMENT_FOOTER_BYTES = 64,
    SEGMENT_BLOCK_BYTES_MAX = 1024 * 1024, /* an option's limit */
    SEGMENT_DATA_MAX_BYTES = SEGMENT_BLOCK_BYTES_MAX + VALUE_MAX_BYTES + KEY_MAX_BYTES + 64 * 1024, /* raw */
    SEGMENT_INDEX_MAX_BYTES = 1024 * 1024 * 1024,            /* raw; filters too */
    SEGMENT_PROPERTIES_MAX_BYTES = 2 * KEY_MAX_BYTES + 4096, /* raw */
};

/* A block as it lies in a file; stored borrows the bytes it was decoded from. */
struct segment_frame {
    enum segment_block_type type;
    enum segment_codec codec;
    uint32_t raw_size;
    struct kvs_slice stored;
};

/* Append the frame that closes a block: the stored_size bytes before it in out, which begin at offset in the file, are the stored bytes.
 * Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_frame_append(struct buffer *out, enum segment_block_type type,
                                                    enum segment_codec codec, uint32_t raw_size, size_t stored_size,
                                                    uint64_t file_id, uint64_t offset);

/* Check the size bytes of a block (stored bytes and frame) read from offset: checksum, type, codec, and a raw size of 1 to raw_max bytes (equal to the
 * stored size where the codec is none). path: for messages. Errors: CORRUPT. */
KVS_MUST_USE struct kvs_status segment_frame_decode(struct segment_frame *frame, const uint8_t *bytes, size_t size,
                                                    uint64_t file_id, uint64_t offset, enum segment_block_type type,
                                                    uint32_t raw_max, const char *path);

/* A part of the file: stored bytes and frame. */
struct segment_extent {
    uint64_t offset;
    uint64_t size;
};

/* The parts that follow the data blocks, in this order and without gaps. A filter of size 0 is absent. */
struct segment_footer {
    struct segment_extent filter;
    struct segment_extent index;
    struct segment_extent properties;
};

/* The footer stands at the end of the file, at offset. */
void segment_footer_encode(uint8_t out[SEGMENT_FOOTER_BYTES], const struct segment_footer *footer, uint64_t file_id,
                           uint64_t offset);

/* Errors: CORRUPT (also where the parts do not lie between the file's header and offset as they must). */
KVS_MUST_USE struct kvs_status segment_footer_decode(struct segment_footer *footer,
                                                     const uint8_t bytes[SEGMENT_FOOTER_BYTES], uint64_t file_id,
                                                     uint64_t offset, const char *path);

/* What a segment says of itself. The first fields repeat the manifest's segment_meta, and must agree with it.
 *
 * block_bytes, filter_bits_per_key   how it was made; nothing depends on them
 * smallest, largest   borrow the decoded bytes */
struct segment_properties {
    uint64_t entry_count;
    uint64_t tombstone_count;
    uint64_t raw_key_bytes;
    uint64_t raw_value_bytes;
    uint64_t min_sequence;
    uint64_t max_sequence;
    struct key smallest;
    struct key largest;
    uint64_t block_count;
    uint64_t raw_block_bytes; /* of all data blocks, before compression */
    uint64_t dictionary_id;   /* 0: none, the only one known */
    uint64_t block_bytes;
    uint64_t filter_bits_per_key;
};

/* Count one more entry: numbers of entries, bytes, range of sequence numbers. */
void segment_properties_count(struct segment_properties *properties, struct key key, struct kvs_slice value);

/* Append the encoded properties. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_properties_append(struct buffer *out,
                                                         const struct segment_properties *properties);

/* Decode raw properties, whose block lies at offset of the file. Unknown properties are ignored; each known one is there once.
 * Errors: CORRUPT, UNSUPPORTED (a dictionary). */
KVS_MUST_USE struct kvs_status segment_properties_decode(struct segment_properties *properties, struct kvs_slice raw,
                                                         uint64_t offset, const char *path);

#endif
