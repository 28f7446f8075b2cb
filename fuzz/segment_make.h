/* segment_make.h -- a segment file made of the input of the target segment, whose checksums are right.
 *
 * Role      A file in one piece, as it is, or put together of parts: data blocks as the fuzzer likes them, and of filter, index and properties either what
 *           the fuzzer says or what follows from the blocks. With it comes what a manifest would say of it.
 * Format    Parts: a byte for the type of the block (enum segment_block_type), + PART_COMPRESSED for zstd, its size as a u16, its raw bytes.
 * Threads   One.
 * Failure   Aborts when memory is exhausted.
 */
#ifndef KVS_FUZZ_SEGMENT_MAKE_H
#define KVS_FUZZ_SEGMENT_MAKE_H

#include "block_plain.h"

#include "base/buffer.h"
#include "format/segment_format.h"

enum { MADE_NUMBER = 7, MADE_FILE_ID = 77, MADE_BLOCKS_MAX = 32, PART_COMPRESSED = 0x80, PART_HEADER_BYTES = 3 };

/* blocks      the data blocks that could be opened, if all could: only then are there any
 * is_derived  everything but the data blocks follows from them
 * is_sound    the data blocks are in order, as is what they hold */
struct made_segment {
    struct buffer file;
    struct segment_meta meta;
    struct plain_block blocks[MADE_BLOCKS_MAX];
    size_t block_count;
    bool is_derived;
    bool is_sound;
};

/* Put a file together. with_filter: where the input has none, one is derived. Free with made_segment_fini. */
void made_segment_of_parts(struct made_segment *made, struct kvs_slice parts, bool with_filter);

/* Take a whole file; the manifest repeats what the file's properties say. */
void made_segment_of_file(struct made_segment *made, struct kvs_slice file);

void made_segment_fini(struct made_segment *made);

/* Mend what the two take. */
void segment_mend_parts(uint8_t *data, size_t size);
void segment_mend_file(uint8_t *data, size_t size);

#endif
