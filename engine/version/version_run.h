/* version_run.h -- a run: sorted segments that do not overlap.
 *
 * Role      All versions of a user key that a run holds are in one segment of it, so a lookup asks at most one segment per run. The
 *           segments' largest keys are searched by 8-byte hints, taken after the prefix that all keys of the run share.
 * Threads   Immutable and reference-counted; a version that an edit does not touch a run of shares it with its successor.
 */
#ifndef KVS_VERSION_VERSION_RUN_H
#define KVS_VERSION_VERSION_RUN_H

#include "base/iterator.h"
#include "version/version_segment.h"

/* id            orders the runs of a level, the larger the newer
 * prefix        shared by every user key in the run; borrowed from the first segment's meta
 * size_bytes, entry_count, tombstone_count   sums over the segments
 * segments      referenced; ascending, and segments[i].largest.user < segments[i + 1].smallest.user
 * largest_hints slice_hint(segments[i].largest.user, prefix.size) */
struct version_run {
    _Atomic uint64_t references;
    uint64_t id;
    struct kvs_slice prefix;
    uint64_t size_bytes;
    uint64_t entry_count;
    uint64_t tombstone_count;
    size_t count;
    struct version_segment **segments;
    uint64_t *largest_hints;
};

/* Make a run of count >= 1 segments, which are sorted here and each get a reference. run: out, with one reference.
 *
 * Errors: NO_MEMORY; CORRUPT (two segments overlap: names both). */
KVS_MUST_USE struct kvs_status version_run_new(struct version_run **run, uint64_t id,
                                               struct version_segment *const *segments, size_t count);

struct version_run *version_run_ref(struct version_run *run);

/* NULL is allowed. */
void version_run_unref(struct version_run *run);

/* The index of the first segment whose largest user key is at or after user_key; run->count if there is none. Allocates nothing, does
 * no I/O, O(log count). */
size_t version_run_search(const struct version_run *run, struct kvs_slice user_key);

/* The one segment that may hold user_key, borrowed from the run, or NULL. For read-side sections: as version_run_search. */
static inline struct version_segment *version_run_find(const struct version_run *run, struct kvs_slice user_key)
{
    size_t index = version_run_search(run, user_key);
    if (index == run->count || slice_compare(user_key, run->segments[index]->meta.smallest.user) < 0)
        return NULL;
    return run->segments[index];
}

/* Whether some segment of the run has keys in [lower, upper); an empty upper is an open end. */
bool version_run_overlaps(const struct version_run *run, struct kvs_slice lower, struct kvs_slice upper);

/* Find the segments [*first, *first + *count) that touch the closed range [smallest, largest] of user keys. */
void version_run_range(const struct version_run *run, size_t *first, size_t *count, struct kvs_slice smallest,
                       struct kvs_slice largest);

/* An iterator over segments [first, first + count) of a run; opens one segment iterator at a time. Takes a reference on the run.
 * options as for segment_iterator_new. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status version_run_iterator_new(struct iterator **iterator, struct version_run *run,
                                                        size_t first, size_t count,
                                                        const struct segment_iterator_options *options);

#endif
