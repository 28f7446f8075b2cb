/* segment.h -- an immutable sorted file of entries, open for reading.
 *
 * Role      Its index, filter and slots are in memory; data blocks are read when needed and stay in their slots (cache/cache.h).
 *           A point read has two parts, so that no I/O happens inside a read-side section:
 *
 *               section:  segment_lookup -> ABSENT, FOUND (ref hit.block if the value outlives the section), or MISS
 *               outside:  MISS: hold a reference on the segment, segment_load(hit.block_index), segment_lookup_in, unref the block
 *
 * Format    format/README.md, "Segment".
 * Threads   Any number of readers. The last unref closes the file; it must come when no section can reach the segment any more.
 * Failure   Every byte from disk is verified before it is used, on every read; CORRUPT names file, offset, expected and found.
 *           A segment with a bad block stays usable for its other blocks.
 */
#ifndef KVS_SEGMENT_SEGMENT_H
#define KVS_SEGMENT_SEGMENT_H

#include "base/iterator.h"
#include "cache/cache.h"
#include "filter/filter.h"
#include "format/segment_format.h"
#include "segment/segment_blocks.h"

struct segment;

/* Open the file that meta describes. meta is copied. cache and budget outlive the segment; index and slots are charged as MEMORY_INDEX, the filter as
 * MEMORY_FILTER. segment: out, one reference.
 *
 * Errors: NOT_FOUND, IO, CORRUPT (the file is damaged, or is not the one that meta describes), UNSUPPORTED, NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_open(struct segment **segment, struct io *io, const char *folder,
                                            const struct segment_meta *meta, struct cache *cache,
                                            struct memory_budget *budget);

struct segment *segment_ref(struct segment *segment);

/* Drop a reference; the last drops the resident blocks and closes the file. Blocks that are pinned live on. Not inside a section. NULL is allowed. */
void segment_unref(struct segment *segment);

/* Called once, after the file was closed, by the thread that dropped the last reference; must not block for long. */
typedef void segment_closed(void *context, uint64_t number);

/* Have closed called when the segment goes, for an owner that unlinks obsolete files. The owner's calls are serialised by the owner; NULL for none. */
void segment_on_close(struct segment *segment, segment_closed *closed, void *context);

/* Valid as long as the segment. */
const struct segment_meta *segment_meta_of(const struct segment *segment);
const struct segment_properties *segment_properties_of(const struct segment *segment);

/* Number of data blocks, and bytes of index, slots and filter in memory. */
size_t segment_block_count(const struct segment *segment);
size_t segment_memory_bytes(const struct segment *segment);

enum segment_result { SEGMENT_ABSENT, SEGMENT_FOUND, SEGMENT_MISS };

/* What a lookup found.
 *
 * block, trailer, value   FOUND: the entry; value borrows the block's bytes
 * block_index             MISS: the block to load
 * is_filtered             ABSENT: it was the filter that said so */
struct segment_hit {
    struct cache_block *block;
    struct kvs_slice value;
    uint64_t trailer;
    size_t block_index;
    bool is_filtered;
};

/* Look for the newest entry of user_key at or below sequence, in memory only. hash: filter_hash(user_key). Call inside a section; neither locks nor
 * allocates. Returns MISS if the block is not resident. */
enum segment_result segment_lookup(const struct segment *segment, struct segment_hit *hit, struct kvs_slice user_key,
                                   uint64_t hash, uint64_t sequence);

/* The same in a block that segment_load gave, which the caller holds: FOUND or ABSENT. */
enum segment_result segment_lookup_in(struct segment_hit *hit, struct cache_block *block, struct kvs_slice user_key,
                                      uint64_t sequence);

/* Read a data block, or take it from its slot. Not inside a section; the caller holds a reference on the segment. block: out, with a reference.
 * fill_cache: make it resident, if the budget has room or other blocks can make some.
 *
 * Errors: IO, CORRUPT, NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_load(struct segment *segment, struct cache_block **block, size_t block_index,
                                            bool fill_cache);

/* Make blocks that the writer of this segment kept resident, as far as the budget has room; blocks is emptied. */
void segment_adopt_blocks(struct segment *segment, struct segment_blocks *blocks);

/* fill_cache       blocks that are read become resident; for users' scans of what may be read again
 * readahead_bytes  0: block by block, through the cache; else read that much at once, past the cache: for compaction */
struct segment_iterator_options {
    bool fill_cache;
    size_t readahead_bytes;
};

/* A new iterator; it holds a reference on the segment and on the block it stands in. Positioning errors: IO, CORRUPT, NO_MEMORY; not inside a section.
 * Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_iterator_new(struct iterator **iterator, struct segment *segment,
                                                    struct segment_iterator_options options);

/* Called now and then with the bytes verified since the last call; return false to stop. */
typedef bool segment_progress(void *context, uint64_t bytes);

/* Read the whole file once and check everything: all checksums, the order of entries, fences, counts, ranges, that the filter has every key, and the
 * hash of the file. progress may be NULL. Stopped by progress it returns OK.
 *
 * Errors: IO, CORRUPT, NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_verify(struct segment *segment, segment_progress *progress, void *context);

#endif
