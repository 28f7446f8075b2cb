/* filter_builder.h -- collects the hashes of keys and makes a filter of them.
 *
 * Role      Used by the segment writer: the size of a filter depends on the number of keys, which is known at the end.
 * Format    format/README.md, "Segment", "Filter".
 * Threads   One owner at a time.
 */
#ifndef KVS_FILTER_FILTER_BUILDER_H
#define KVS_FILTER_FILTER_BUILDER_H

#include "base/buffer.h"
#include "filter/filter.h"

/* A zeroed builder is empty and ready for use. hashes: u64 each. */
struct filter_builder {
    struct buffer hashes;
};

void filter_builder_fini(struct filter_builder *builder);

/* Add a key by its filter_hash; the same key twice in a row counts once. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status filter_builder_add(struct filter_builder *builder, uint64_t hash);

/* The size of the filter that finish would make now, bytes; 0 without keys. */
size_t filter_builder_size(const struct filter_builder *builder, unsigned bits_per_key);

/* Append the filter of all keys added to out. bits_per_key: 1 to 32; about 10 gives one false positive in a hundred. There is at least one key.
 * Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status filter_builder_finish(const struct filter_builder *builder, struct buffer *out,
                                                     unsigned bits_per_key);

#endif
