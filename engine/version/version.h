/* version.h -- the segments that are live at one moment: levels of runs, totally ordered by age.
 *
 * Role      What a reader holds beside the memtables. runs[0] is the newest; level 0's runs come newest to oldest, then level 1's, and so on: a
 *           lookup walks them in this order and the first answer wins.
 *
 *               runs   [ L0 run 9 | L0 run 7 | L0 run 4 | L6 run 2 | L7 run 1 ]
 *                        newest -------------------------------------> oldest
 *
 * Threads   Immutable and reference-counted. May be used without a reference inside a read-side section that protects one.
 *           The last version_unref frees: not inside a read-side section, and only after a grace period if readers may hold it by one.
 */
#ifndef KVS_VERSION_VERSION_H
#define KVS_VERSION_VERSION_H

#include "format/manifest_edit.h"
#include "version/version_run.h"

enum { VERSION_LEVEL_COUNT = MANIFEST_LEVELS };

/* number       counts installed versions of one version_set
 * level_start  runs of level n are runs[level_start[n]] .. runs[level_start[n + 1] - 1] */
struct version {
    _Atomic uint64_t references;
    uint64_t number;
    size_t run_count;
    size_t level_start[VERSION_LEVEL_COUNT + 1];
    struct version_run *runs[];
};

/* Sums over a level. */
struct version_level_size {
    size_t runs;
    size_t segments;
    uint64_t bytes;
    uint64_t entries;
    uint64_t tombstones;
};

/* A version without segments, with one reference. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status version_new_empty(struct version **version);

/* The version that an edit makes of base: segments removed, then added. No I/O.
 *
 * version      out, with one reference
 * opened       opened_count segments, of which those that the edit adds and base does not have are taken; each gets a reference
 *
 * Errors: NO_MEMORY; CORRUPT (the edit removes what is not there, adds a number twice, adds what is neither open nor in base, or makes
 * segments of a run overlap). */
KVS_MUST_USE struct kvs_status version_apply(struct version **version, const struct version *base,
                                             const struct manifest_edit *edit, struct version_segment *const *opened,
                                             size_t opened_count);

struct version *version_ref(struct version *version);

/* NULL is allowed. */
void version_unref(struct version *version);

static inline size_t version_level_runs(const struct version *version, unsigned level)
{
    return version->level_start[level + 1] - version->level_start[level];
}

/* The next segment, in age order, that may hold user_key; NULL at the end. *run starts at 0 and is this walk's state. Borrowed from the
 * version. For read-side sections: allocates nothing, does no I/O.
 *
 *     size_t run = 0;
 *     while ((segment = version_lookup_next(version, &run, key)) != NULL) ... */
static inline struct version_segment *version_lookup_next(const struct version *version, size_t *run,
                                                          struct kvs_slice user_key)
{
    while (*run < version->run_count) {
        struct version_segment *segment = version_run_find(version->runs[(*run)++], user_key);
        if (segment != NULL)
            return segment;
    }
    return NULL;
}

/* Append an iterator for each run that has keys in [lower, upper) (an empty upper is an open end), newest first.
 *
 * iterators  in-out: an array with room for version->run_count more behind its *count; the caller frees what was added
 * On failure nothing has been added. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status version_iterators_new(struct version *version, struct iterator **iterators,
                                                     size_t *count, struct kvs_slice lower, struct kvs_slice upper,
                                                     const struct segment_iterator_options *options);

void version_level_size(const struct version *version, struct version_level_size *size, unsigned level);

/* The edit that makes this version of nothing, split so that each of *count edits encodes to at most limit_bytes (save one segment that
 * alone is larger). edits: out, the caller fini's each and frees the array; at least one. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status version_to_edits(const struct version *version, struct manifest_edit **edits,
                                                size_t *count, size_t limit_bytes);

#endif
