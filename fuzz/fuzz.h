/* fuzz.h -- what all targets share: the entry point, and choices drawn from the input.
 *
 * Role      A target is one file, NAME_fuzz.c, with LLVMFuzzerTestOneInput. Each promises more than not to crash; its header comment says what.
 * Threads   One.
 * Failure   A broken promise aborts (KVS_ASSERT, fuzz_ok), and so does exhausted memory, which is no finding.
 */
#ifndef KVS_FUZZ_FUZZ_H
#define KVS_FUZZ_FUZZ_H

#include "base/assert.h"
#include "base/coding.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must not fail. The sentence goes to stderr, for the report of a crash. */
static inline void fuzz_ok(struct kvs_status status)
{
    if (status_is_ok(status))
        return;
    fprintf(stderr, "%s:%u: %s\n", status.file, status.line, status_text(status));
    abort();
}

/* A choice below limit; 0 once the input is used up. */
static inline size_t fuzz_below(struct cursor *input, size_t limit)
{
    return cursor_u8(input) % limit;
}

/* The next bytes, at most size, fewer where the input ends; borrowed. */
static inline struct kvs_slice fuzz_bytes(struct cursor *input, size_t size)
{
    return cursor_bytes(input, size < cursor_rest(input) ? size : cursor_rest(input));
}

/* A copy in memory of exactly its size, so that a sanitizer sees the first byte past its end. The caller frees it. */
static inline uint8_t *fuzz_copy(const void *data, size_t size)
{
    uint8_t *copy = calloc(1, size > 0 ? size : 1);
    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

#endif
