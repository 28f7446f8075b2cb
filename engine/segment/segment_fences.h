/* segment_fences.h -- inside the room: the index of a segment in memory, made for search.
 *
 * Role      A fence stands before each data block: a key that is greater than everything before the block and not greater than anything in it. So the
 *           only block that can hold the first entry at or after a target, if it has the target's user key, is the last whose fence is at or before it.
 *           Fences are as short as they can be (a prefix of the block's first user key). What they all share is kept once; of the rest the first eight
 *           bytes are a number, searched in a tree of two cache lines a node. About 23 bytes a block, and 8 for its slot.
 * Format    format/README.md, "Segment", "Index".
 * Threads   Never change once loaded.
 * Failure   fences_load takes any bytes; its sizes are capped.
 */
#ifndef KVS_SEGMENT_SEGMENT_FENCES_H
#define KVS_SEGMENT_SEGMENT_FENCES_H

#include "base/buffer.h"
#include "base/key.h"
#include "format/segment_format.h"

enum { FENCES_LEVELS_MAX = 8, FENCES_NODE = 16, FENCES_GROUP = 64 };

/* Fences that are being written: a zeroed one is empty.
 *
 * entries    encoded, without the count that goes before them
 * last       the user key of the last fence */
struct fences_builder {
    struct buffer entries;
    struct buffer last;
    uint64_t count;
    uint64_t key_bytes;
};

void fences_builder_fini(struct fences_builder *builder);

/* Add the next block: its first key, the last key of the block before it (ignored for the first block), and its size in the file.
 * Errors: NO_MEMORY, TOO_LARGE (more keys than an index in memory can have). */
KVS_MUST_USE struct kvs_status fences_builder_add(struct fences_builder *builder, struct key first,
                                                  struct key last_before, uint64_t block_size);

/* Append the raw index to out. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status fences_builder_finish(const struct fences_builder *builder, struct buffer *out);

/* levels[0]      the hints of all fences, padded to whole nodes; levels[l + 1] has the first of each node of levels[l]; the last level is one node
 * ends           of each fence: where its bytes end in keys; FENCES_HAS_TRAILER where they end with a trailer
 * keys           the prefix that all share, then of each fence the rest of its user key and, where it has one, its trailer
 * group_starts   file offset of each FENCES_GROUP-th block; starts: of each block, from its group's on; both have one for the end of the last block */
struct fences {
    size_t count;
    size_t prefix_size;
    int level_count;
    uint64_t *levels[FENCES_LEVELS_MAX];
    uint32_t *ends;
    uint8_t *keys;
    uint64_t *group_starts;
    uint32_t *starts;
    size_t memory_bytes;
};

/* Make the fences of a raw index whose first block begins at start. *flaw and *at: out on CORRUPT, what is wrong and where in raw.
 * Returns KVS_OK, KVS_CORRUPT or KVS_NO_MEMORY. */
KVS_MUST_USE enum kvs_code fences_load(struct fences *fences, const char **flaw, size_t *at, struct kvs_slice raw,
                                       uint64_t start);
void fences_fini(struct fences *fences);

/* The last block whose fence is at or before target; 0 if there is none. */
size_t fences_find(const struct fences *fences, struct key target);

/* Compare a fence with a key, as key_compare. */
int fences_compare(const struct fences *fences, size_t index, struct key target);

/* The file offset where a block begins; of the one after the last block: where that ends. */
static inline uint64_t fences_start(const struct fences *fences, size_t index)
{
    return fences->group_starts[index / FENCES_GROUP] + fences->starts[index];
}

static inline struct segment_extent fences_extent(const struct fences *fences, size_t index)
{
    uint64_t start = fences_start(fences, index);
    return (struct segment_extent){start, fences_start(fences, index + 1) - start};
}

#endif
