/* segment_codec.h -- inside the room: zstd, with contexts that are used again. */
#ifndef KVS_SEGMENT_SEGMENT_CODEC_H
#define KVS_SEGMENT_SEGMENT_CODEC_H

#include "cache/scratch.h"
#include "format/segment_format.h"

struct compressor;

/* codec NONE makes a compressor that stores. level: as zstd's. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status compressor_new(struct compressor **compressor, enum segment_codec codec, int level);
void compressor_free(struct compressor *compressor);

/* Append raw to out, compressed where that saves at least an eighth; *codec: out, which of the two it was. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status compressor_append(struct compressor *compressor, struct buffer *out,
                                                 enum segment_codec *codec, struct kvs_slice raw);

/* Decompress a verified frame into raw, which has frame->raw_size bytes; the decompressor lives in scratch. path and offset: for messages.
 * Errors: CORRUPT, NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_decompress(uint8_t *raw, struct scratch *scratch,
                                                  const struct segment_frame *frame, const char *path, uint64_t offset);

#endif
