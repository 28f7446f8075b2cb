/* compaction.h -- carrying out flushes and compactions.
 *
 * Role      Merges sorted inputs through the retention filter into new segments, and makes the edit that puts them in the inputs' place.
 * Threads   Each call belongs to one thread; the stop flag may be set from any. Several may run side by side on different inputs.
 * Failure   On any error what was made is unlinked and the version is as it was. The segments of a result are synced, and so is the
 *           directory (SYNC_SEGMENT_DIRECTORY), before it is returned.
 *
 * A caller, for either:
 *
 *     status = compaction_run(&result, &environment, version, &job, horizon);
 *     status = version_set_install(set, &result.edit, publish, context);
 *     if (status is neither OK nor POISONED)
 *         version_edit_discard(&result.edit);
 *     version_edit_fini(&result.edit);
 */
#ifndef KVS_COMPACTION_COMPACTION_H
#define KVS_COMPACTION_COMPACTION_H

#include "compaction/compaction_pick.h"
#include "segment/segment_writer.h"
#include "version/version_set.h"

/* set            gives numbers, folder and the means to open segments
 * segment_bytes  target size of a segment; one is cut at the first user key after it is reached
 * writer         how segments are written; number, uuid and keep are filled in here
 * stop           the job returns BUSY soon after this is set; may be NULL. Flushes look at it too
 * progress       counts the entries that were read, a few late; may be NULL */
struct compaction_environment {
    struct io *io;
    const char *folder;
    struct version_set *set;
    uint64_t segment_bytes;
    struct segment_writer_options writer;
    const _Atomic bool *stop;
    _Atomic uint64_t *progress;
};

/* edit               to be installed; the caller's to fini
 * read_bytes         sizes of the inputs' files (for a flush: key and value bytes read)
 * written_bytes      sizes of the segments made
 * written_entries
 * dropped_versions, dropped_tombstones   see merge/retention.h */
struct compaction_result {
    struct version_edit edit;
    uint64_t read_bytes;
    uint64_t written_bytes;
    uint64_t written_entries;
    uint64_t dropped_versions;
    uint64_t dropped_tombstones;
};

/* Carry out a job that was picked from version. horizon: H of DESIGN "What may be dropped", taken after the version was. result: out,
 * untouched on failure.
 *
 * Errors: BUSY (stopped), NO_SPACE, IO, CORRUPT (an input), NO_MEMORY. */
KVS_MUST_USE struct kvs_status compaction_run(struct compaction_result *result,
                                              const struct compaction_environment *environment, struct version *version,
                                              const struct compaction_job *job, uint64_t horizon);

/* Write the entries of memory, which is sorted and not changed while this runs (a memtable, or a merge of adjacent ones), as one new run of level
 * 0. If nothing is left to write the result's edit adds nothing and is to be installed all the same (with the logs that it ends and drops,
 * which the caller adds).
 *
 * memory   positioned here; stays the caller's
 * version  current, or older but with nothing missing that is older than memory: says which deletes have nothing below them
 * run      id of the new run: a version_set_new_number that is greater than that of every older memtable's flush
 *
 * Errors: BUSY (stopped), NO_SPACE, IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status flush_run(struct compaction_result *result,
                                         const struct compaction_environment *environment, struct iterator *memory,
                                         const struct version *version, uint64_t run, uint64_t horizon);

#endif
