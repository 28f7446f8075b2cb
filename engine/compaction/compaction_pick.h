/* compaction_pick.h -- which segments to merge next, and how much merging is owed.
 *
 * Role      Pure functions of a shape. Level 0 takes flushed runs (tiered); below it each level is one run, and each of those aims at a tenth of the
 *           next, counted up from the last, so that what is superseded but still on disk stays near a ninth of the data.
 *
 *               level 0     runs of flushes; when there are COMPACTION_RUNS of them:
 *                             merged into the base level, if together they are a tenth of what they overlap there, so that a byte is
 *                             rewritten at most about ten times per level;
 *                             else those of like size are merged with each other
 *               base level  the first below 0 that is worth having: its target is at least level_base_bytes. Never below a level that
 *                           still has data
 *               level n     over its target: the segments whose overlap with level n + 1 costs least go there; those that are mostly
 *                           tombstones go first, and go even if the level is within its target
 *               last level  as large as it gets
 *
 *           Segments that overlap nothing where they go are moved by an edit, without being rewritten: a sequential load costs none.
 * Threads   Pure.
 * Failure   Only memory.
 */
#ifndef KVS_COMPACTION_COMPACTION_PICK_H
#define KVS_COMPACTION_COMPACTION_PICK_H

#include "compaction/compaction_shape.h"

/* COMPACTION_RUNS      runs of like size in level 0 that start a merge
 * COMPACTION_RUNS_MAX  runs in level 0 that are merged down whatever it costs: each costs every scan
 * COMPACTION_FANOUT    the ratio of neighbouring levels' targets */
enum { COMPACTION_RUNS = 4, COMPACTION_RUNS_MAX = 12, COMPACTION_FANOUT = 10 };

/* level_base_bytes  the smallest target that a level is made for
 * segment_bytes     the target size of segments; bounds how many are taken at once */
struct compaction_options {
    uint64_t level_base_bytes;
    uint64_t segment_bytes;
};

enum compaction_kind {
    COMPACTION_NONE,  /* nothing is worth doing */
    COMPACTION_MOVE,  /* an edit only: the inputs change their level */
    COMPACTION_MERGE, /* the inputs are merged into new segments */
};

/* Segments [first, first + count) of runs[run] of a level, in the version that the shape was made of. */
struct compaction_input {
    unsigned level;
    size_t run;
    size_t first;
    size_t count;
};

/* inputs         newest first, adjacent in age (over the range of keys that they span); owned
 * target_level, target_run   where the output goes: an existing run, or a new one that takes the age of the newest input
 * input_bytes    what is read; also about what is written */
struct compaction_job {
    enum compaction_kind kind;
    unsigned target_level;
    uint64_t target_run;
    struct compaction_input *inputs;
    size_t input_count;
    uint64_t input_bytes;
};

/* Choose the most urgent job none of whose inputs is busy. job: out, fini it; kind is COMPACTION_NONE if nothing is to be done.
 * Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status compaction_pick(struct compaction_job *job, const struct compaction_shape *shape,
                                               const struct compaction_options *options);

/* The job that merges everything into one run at the last level; COMPACTION_NONE if there is nothing, or if something is busy.
 * Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status compaction_pick_all(struct compaction_job *job, const struct compaction_shape *shape);

/* A zeroed job is allowed. */
void compaction_job_fini(struct compaction_job *job);

/* The first level that level 0 is merged into, and the target of each level in bytes (UINT64_MAX for the last one and 0 for those above
 * the base that should be empty; level 0's is not set). */
unsigned compaction_targets(uint64_t targets[VERSION_LEVEL_COUNT], const struct compaction_shape *shape,
                            const struct compaction_options *options);

/* Bytes that must still be rewritten for every level to reach its target, an estimate: 0 when compaction_pick has nothing to do for sizes'
 * sake, and growing by more than what is written when writes outrun compaction. */
uint64_t compaction_debt(const struct compaction_shape *shape, const struct compaction_options *options);

#endif
