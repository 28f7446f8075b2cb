#include "zstd_contexts.h"

#include "base/assert.h"

#include <zstd.h>

enum { IDLE_MAX = 16 };

static ZSTD_CCtx *compressors[IDLE_MAX];
static ZSTD_DCtx *decompressors[IDLE_MAX];
static size_t compressor_count, decompressor_count;

/* The linker's names: __wrap_F is called in the place of F, and __real_F is F. */
ZSTD_CCtx *__real_ZSTD_createCCtx(void);
ZSTD_CCtx *__wrap_ZSTD_createCCtx(void);
size_t __real_ZSTD_freeCCtx(ZSTD_CCtx *context);
size_t __wrap_ZSTD_freeCCtx(ZSTD_CCtx *context);
ZSTD_DCtx *__real_ZSTD_createDCtx(void);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
size_t __real_ZSTD_freeDCtx(ZSTD_DCtx *context);
size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *context);

ZSTD_CCtx *__wrap_ZSTD_createCCtx(void)
{
    return compressor_count == 0 ? __real_ZSTD_createCCtx() : compressors[--compressor_count];
}

size_t __wrap_ZSTD_freeCCtx(ZSTD_CCtx *context)
{
    for (size_t i = 0; i < compressor_count; i++)
        KVS_ASSERT(compressors[i] != context);
    if (context == NULL || compressor_count == IDLE_MAX ||
        ZSTD_isError(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)))
        return __real_ZSTD_freeCCtx(context);
    compressors[compressor_count++] = context;
    return 0;
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
    return decompressor_count == 0 ? __real_ZSTD_createDCtx() : decompressors[--decompressor_count];
}

size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *context)
{
    for (size_t i = 0; i < decompressor_count; i++)
        KVS_ASSERT(decompressors[i] != context);
    if (context == NULL || decompressor_count == IDLE_MAX ||
        ZSTD_isError(ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters)))
        return __real_ZSTD_freeDCtx(context);
    decompressors[decompressor_count++] = context;
    return 0;
}

size_t zstd_contexts_idle_bytes(void)
{
    size_t bytes = 0;
    for (size_t i = 0; i < compressor_count; i++)
        bytes += ZSTD_sizeof_CCtx(compressors[i]);
    for (size_t i = 0; i < decompressor_count; i++)
        bytes += ZSTD_sizeof_DCtx(decompressors[i]);
    return bytes;
}
