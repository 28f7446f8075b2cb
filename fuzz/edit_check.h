/* edit_check.h -- a version edit means the same after encoding; shared by the targets that decode edits.
 *
 * Threads   One.
 * Failure   Aborts on a difference, and when memory is exhausted, which is no finding.
 */
#ifndef KVS_FUZZ_EDIT_CHECK_H
#define KVS_FUZZ_EDIT_CHECK_H

#include "fuzz.h"

#include "format/manifest_edit.h"

/* The caller frees it. */
static inline uint8_t *edit_encoded(const struct manifest_edit *edit, size_t *size)
{
    *size = manifest_edit_size(edit);
    uint8_t *bytes = malloc(*size + 1);
    if (bytes == NULL)
        abort();
    KVS_ASSERT(manifest_edit_encode(bytes, edit) == bytes + *size);
    return bytes;
}

/* Encoded, decoded and encoded again it is the same bytes. */
static inline void edit_check_again(const struct manifest_edit *edit)
{
    struct manifest_edit again;
    size_t once_size, twice_size;
    uint8_t *once = edit_encoded(edit, &once_size);
    fuzz_ok(manifest_edit_decode(&again, once, once_size, "again", 0));
    uint8_t *twice = edit_encoded(&again, &twice_size);
    KVS_ASSERT(slice_equal(slice_of(once, once_size), slice_of(twice, twice_size)));
    manifest_edit_fini(&again);
    free(once);
    free(twice);
}

#endif
