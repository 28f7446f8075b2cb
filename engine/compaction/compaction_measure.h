/* compaction_measure.h -- inside the room: how large the parts of a shape are, for what is picked (compaction_pick.c) and what is owed.
 *
 * Role      Stretches of a run, and level 0 as a whole. Targets and debt, which are made of these, are those of compaction_pick.h.
 * Threads   Pure.
 */
#ifndef KVS_COMPACTION_COMPACTION_MEASURE_H
#define KVS_COMPACTION_COMPACTION_MEASURE_H

#include "compaction/compaction_pick.h"

enum { LAST_LEVEL = VERSION_LEVEL_COUNT - 1 };

/* Segments [first, first + count) of a run, and what they amount to. */
struct stretch {
    size_t first;
    size_t count;
    uint64_t size_bytes;
    uint64_t entry_count;
    bool is_busy;
};

/* A closed range of user keys. */
struct range {
    struct kvs_slice smallest;
    struct kvs_slice largest;
};

struct stretch stretch_of_run(const struct compaction_run *run);

/* The segments that touch the range. first: where the search may begin, for ranges that ascend. */
struct stretch stretch_overlapping(const struct compaction_run *run, size_t first, struct range range);

/* Level 0, and what it overlaps in the base level. */
struct top {
    unsigned base;
    uint64_t size_bytes;
    uint64_t entry_count;
    uint64_t tombstone_count;
    struct range range;
    struct stretch overlap;
    bool is_busy;
};

struct top top_measure(const struct compaction_shape *shape, unsigned base);

/* Whether level 0 has enough for a merge of some kind. */
bool top_is_full(const struct compaction_shape *shape, const struct top *top, const struct compaction_options *options);

/* Whether merging all of level 0 into the base level is worth what is rewritten there. */
bool top_goes_down(const struct compaction_shape *shape, const struct top *top);

#endif
