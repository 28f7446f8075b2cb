/* version_segment.h -- an open segment file that versions share.
 *
 * Role      Counts who uses a segment. The last to let go hands it to its version_set, which closes it, and unlinks the file if an edit
 *           dropped it and the manifest rules allow.
 * Threads   References from any thread. meta and segment never change.
 */
#ifndef KVS_VERSION_VERSION_SEGMENT_H
#define KVS_VERSION_VERSION_SEGMENT_H

#include "format/file_name.h"
#include "format/segment_meta.h"
#include "segment/segment.h"

#include <stdatomic.h>

struct version_set;

/* What segments are opened with; the io is that of the version_set. All outlive the set. */
struct segment_context {
    struct io *io;
    struct cache *cache;
    struct memory_budget *budget;
};

/* A file that nothing uses any more may go once a manifest record after dropped_record has been synced. dropped_record is 0 for a segment that no
 * edit removed (then the file stays), and for a manifest that CURRENT no longer names. Under the set's mutex, as next, which links its lists. */
struct version_file {
    enum file_type type;
    uint64_t number;
    uint64_t dropped_record;
    struct version_file *next;
};

/* file  first, so that the set's lists can hold segments too
 * set   outlives the segment */
struct version_segment {
    struct version_file file;
    struct segment *segment;
    struct segment_meta meta;
    struct version_set *set;
    _Atomic uint64_t references;
};

/* Open the segment that meta describes in the set's folder. segment: out, with one reference. meta is copied. The file is not listed
 * in any version yet.
 *
 * Errors: NOT_FOUND, CORRUPT, UNSUPPORTED, IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status version_segment_open(struct version_segment **segment, struct version_set *set,
                                                    const struct segment_meta *meta);

struct version_segment *version_segment_ref(struct version_segment *segment);

/* Drop a reference. Takes the set's mutex when it is the last; closes and unlinks nothing by itself. NULL is allowed. */
void version_segment_unref(struct version_segment *segment);

#endif
