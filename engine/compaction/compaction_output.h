/* compaction_output.h -- inside the room: a sorted stream made into the segments of one run.
 *
 * Role      Applies the retention filter, cuts segments between user keys, and collects them, open, in an edit.
 * Threads   One owner at a time.
 * Failure   An error of any call is given to compaction_output_finish, which unlinks everything that was made.
 */
#ifndef KVS_COMPACTION_COMPACTION_OUTPUT_H
#define KVS_COMPACTION_COMPACTION_OUTPUT_H

#include "compaction/compaction.h"
#include "merge/retention.h"

/* A run that is older than the inputs, and how far the ascending keys have come in it. */
struct older_run {
    const struct version_run *run;
    size_t at;
};

/* Says whether something older may hold a key. */
struct older_runs {
    struct older_run *runs;
    size_t count;
};

/* level, run  where the segments go
 * result      being made
 * writer      of the segment under way, or NULL; keep: its blocks */
struct compaction_output {
    const struct compaction_environment *environment;
    unsigned level;
    uint64_t run;
    struct older_runs older;
    struct retention retention;
    struct compaction_result result;
    struct segment_writer *writer;
    struct segment_blocks keep;
};

/* older_count: room for so many older runs, which the caller adds. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status compaction_output_init(struct compaction_output *output,
                                                      const struct compaction_environment *environment, unsigned level,
                                                      uint64_t run, uint64_t horizon, size_t older_count);

void compaction_output_add_older(struct compaction_output *output, const struct version_run *run);

/* Write what is to be kept of all entries of input. read_bytes: in-out, their key and value bytes are added; may be NULL.
 * Errors: as compaction_run. */
KVS_MUST_USE struct kvs_status compaction_output_write(struct compaction_output *output, uint64_t *read_bytes,
                                                       struct iterator *input);

/* Finish the last segment, sync the directory, and hand over the result. status: of the work so far; if it, or this, fails,
 * everything that was made is unlinked. The output is of no more use. Returns the first error. */
KVS_MUST_USE struct kvs_status compaction_output_finish(struct compaction_output *output,
                                                        struct compaction_result *result, struct kvs_status status);

#endif
