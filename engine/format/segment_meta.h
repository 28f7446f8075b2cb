/* segment_meta.h -- what the manifest knows of a segment file.
 *
 * Role      Made by the segment writer, encoded in version edits, checked when the segment is opened and verified.
 * Threads   A plain value with two owned keys; one owner at a time.
 */
#ifndef KVS_FORMAT_SEGMENT_META_H
#define KVS_FORMAT_SEGMENT_META_H

#include "base/key.h"
#include "base/status.h"

/* number           names the file, never reused
 * file_id          the random id in the file's header: a file of the right name that is not this one is refused
 * size_bytes       of the file
 * file_hash        xxh3-64 (seed 0) of the whole file; checked by verify, not at open
 * min_sequence, max_sequence   over all entries
 * entry_count      all entries, tombstones included; at least 1
 * tombstone_count  entries of kind KEY_DELETE
 * raw_key_bytes, raw_value_bytes   sums of user key and value sizes
 * smallest, largest   the first and last internal key; the bytes belong to the meta (segment_meta_set_range) */
struct segment_meta {
    uint64_t number;
    uint64_t file_id;
    uint64_t size_bytes;
    uint64_t file_hash;
    uint64_t min_sequence;
    uint64_t max_sequence;
    uint64_t entry_count;
    uint64_t tombstone_count;
    uint64_t raw_key_bytes;
    uint64_t raw_value_bytes;
    struct key smallest;
    struct key largest;
    uint8_t *key_memory; /* holds the bytes of smallest and largest; NULL when both are empty */
};

/* Everything zero, no keys. */
void segment_meta_init(struct segment_meta *meta);

/* Free the keys. A zeroed meta is allowed. */
void segment_meta_fini(struct segment_meta *meta);

/* Replace smallest and largest by copies of these keys (which may be the meta's own). Errors: NO_MEMORY; the meta is then unchanged. */
KVS_MUST_USE struct kvs_status segment_meta_set_range(struct segment_meta *meta, struct key smallest,
                                                      struct key largest);

/* Make to, which is not initialised, a deep copy of from. Errors: NO_MEMORY; to is then untouched. */
KVS_MUST_USE struct kvs_status segment_meta_copy(struct segment_meta *to, const struct segment_meta *from);

#endif
