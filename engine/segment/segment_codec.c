#include "segment/segment_codec.h"

#include <inttypes.h>
#include <zstd.h>

struct compressor {
    ZSTD_CCtx *context; /* NULL: store */
    int level;
};

struct kvs_status compressor_new(struct compressor **compressor, enum segment_codec codec, int level)
{
    struct compressor *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a compressor");
    made->level = level;
    if (codec == SEGMENT_CODEC_ZSTD) {
        made->context = ZSTD_createCCtx();
        if (made->context == NULL) {
            free(made);
            return STATUS(KVS_NO_MEMORY, "cannot allocate a zstd compressor");
        }
    }
    *compressor = made;
    return status_ok();
}

void compressor_free(struct compressor *compressor)
{
    if (compressor == NULL)
        return;
    ZSTD_freeCCtx(compressor->context);
    free(compressor);
}

struct kvs_status compressor_append(struct compressor *compressor, struct buffer *out, enum segment_codec *codec,
                                    struct kvs_slice raw)
{
    STATUS_RETURN_IF_ERROR(buffer_reserve(out, raw.size));
    if (compressor->context != NULL) {
        /* A result that would save too little does not fit, and zstd stops early. */
        size_t limit = raw.size - raw.size / 8;
        size_t size =
            ZSTD_compressCCtx(compressor->context, buffer_end(out), limit, raw.data, raw.size, compressor->level);
        if (!ZSTD_isError(size)) {
            out->size += size;
            *codec = SEGMENT_CODEC_ZSTD;
            return status_ok();
        }
    }
    memcpy(buffer_end(out), raw.data, raw.size);
    out->size += raw.size;
    *codec = SEGMENT_CODEC_NONE;
    return status_ok();
}

static void free_decompressor(void *tool)
{
    ZSTD_freeDCtx(tool);
}

struct kvs_status segment_decompress(uint8_t *raw, struct scratch *scratch, const struct segment_frame *frame,
                                     const char *path, uint64_t offset)
{
    if (frame->codec == SEGMENT_CODEC_NONE) {
        memcpy(raw, frame->stored.data, frame->stored.size);
        return status_ok();
    }
    if (scratch->tool == NULL) {
        scratch->tool = ZSTD_createDCtx();
        scratch->tool_free = free_decompressor;
    }
    if (scratch->tool == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a zstd decompressor");
    size_t size = ZSTD_decompressDCtx(scratch->tool, raw, frame->raw_size, frame->stored.data, frame->stored.size);
    if (ZSTD_isError(size))
        return STATUS(KVS_CORRUPT,
                      "%s: offset %" PRIu64 ": zstd frame of %zu bytes: expected %" PRIu32 " bytes, found: %s", path,
                      offset, frame->stored.size, frame->raw_size, ZSTD_getErrorName(size));
    if (size != frame->raw_size)
        return STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": raw size of a block: expected %" PRIu32 ", found %zu", path,
                      offset, frame->raw_size, size);
    return status_ok();
}
