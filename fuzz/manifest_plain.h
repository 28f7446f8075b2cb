/* manifest_plain.h -- what version edits add up to, kept in two plain lists, to compare version/manifest_state.h with.
 *
 * Threads   One.
 * Failure   Aborts on a difference, and when memory is exhausted.
 */
#ifndef KVS_FUZZ_MANIFEST_PLAIN_H
#define KVS_FUZZ_MANIFEST_PLAIN_H

#include "version/manifest_state.h"

enum { PLAIN_SEGMENTS_MAX = 1024, PLAIN_LOGS_MAX = 1024 };

/* A zeroed one is empty. */
struct manifest_plain {
    struct manifest_removed segments[PLAIN_SEGMENTS_MAX]; /* those that are live, in any order */
    size_t segment_count;
    struct manifest_log logs[PLAIN_LOGS_MAX];
    size_t log_count;
    struct manifest_numbers numbers;
    bool has_owner;
};

/* Add an edit. Returns whether it fits what was there; if not, the lists are of no more use. */
bool manifest_plain_apply(struct manifest_plain *plain, const struct manifest_edit *edit);

/* Both say the same. */
void manifest_plain_expect(const struct manifest_plain *plain, const struct manifest_state *state);

#endif
