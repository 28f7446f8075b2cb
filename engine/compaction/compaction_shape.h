/* compaction_shape.h -- what picking looks at: the sizes and key ranges of a version's segments.
 *
 * Role      Separates the choice of a compaction from files and versions, so that it is a pure function that a test can drive with a few lines
 *           of text.
 * Threads   A plain value; keys are borrowed from the version (or text) that it was made of.
 */
#ifndef KVS_COMPACTION_COMPACTION_SHAPE_H
#define KVS_COMPACTION_COMPACTION_SHAPE_H

#include "version/version.h"

/* smallest, largest  user keys
 * is_busy            an input of a job that is running */
struct compaction_segment {
    uint64_t number;
    uint64_t size_bytes;
    uint64_t entry_count;
    uint64_t tombstone_count;
    struct kvs_slice smallest;
    struct kvs_slice largest;
    bool is_busy;
};

struct compaction_run {
    uint64_t id;
    uint64_t size_bytes;
    size_t count;
    struct compaction_segment *segments;
};

/* Runs of a level stand newest first. */
struct compaction_level {
    uint64_t size_bytes;
    size_t run_count;
    struct compaction_run *runs;
};

struct compaction_shape {
    struct compaction_level levels[VERSION_LEVEL_COUNT];
    struct compaction_run *all_runs;
    struct compaction_segment *all_segments;
};

/* Describe a version; it must outlive the shape. busy: segment numbers, count of them, ascending. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status compaction_shape_init(struct compaction_shape *shape, const struct version *version,
                                                     const uint64_t *busy, size_t busy_count);

/* A zeroed shape is allowed. */
void compaction_shape_fini(struct compaction_shape *shape);

#endif
