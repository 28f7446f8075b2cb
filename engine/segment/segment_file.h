/* segment_file.h -- inside the room: what an open segment is made of, and reading from its file. */
#ifndef KVS_SEGMENT_SEGMENT_FILE_H
#define KVS_SEGMENT_SEGMENT_FILE_H

#include "cache/scratch.h"
#include "segment/segment.h"
#include "segment/segment_fences.h"

/* Fields a hit touches come first. All but refcount, slots and the close callback never change.
 *
 * part_memory  the filter's bytes, freed at close */
struct segment {
    struct filter filter;
    struct cache_slot *slots;
    struct fences fences;
    _Atomic uint32_t refcount;
    struct io_file *file;
    struct cache *cache;
    struct memory_budget *budget;
    struct segment_meta meta;
    struct segment_properties properties; /* its keys borrow those of meta */
    struct segment_footer footer;
    void *filter_memory;
    char *path;
    size_t index_bytes;  /* charged */
    size_t filter_bytes; /* charged */
    segment_closed *closed;
    void *closed_context;
};

/* An error sentence about a place in the segment's file. */
KVS_MUST_USE struct kvs_status segment_corrupt(const struct segment *segment, uint64_t offset, const char *what,
                                               uint64_t expected, uint64_t found);

/* Read exactly size bytes. Errors: IO, CORRUPT (the file has become shorter). */
KVS_MUST_USE struct kvs_status segment_read(const struct segment *segment, uint8_t *out, size_t size, uint64_t offset);

/* Make a private block of the stored bytes of a data block: verify, decompress, check. Errors: CORRUPT, NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_decode_block(const struct segment *segment, struct cache_block **block,
                                                    struct scratch *scratch, const uint8_t *bytes,
                                                    struct segment_extent extent);

/* A run of stored data blocks, read at once. A zeroed window with its segment set is empty.
 *
 * bytes   of the blocks [first, end) */
struct segment_window {
    struct segment *segment;
    struct buffer bytes;
    size_t first;
    size_t end;
};

void segment_window_fini(struct segment_window *window);

/* Have block index in the window: unless it is there, read about read_bytes (at least that block) from it on, or, backward, up to its end.
 * Errors: IO, CORRUPT, NO_MEMORY; the window is then empty. */
KVS_MUST_USE struct kvs_status segment_window_load(struct segment_window *window, size_t index, size_t read_bytes,
                                                   bool backward);

/* The stored bytes of a block in the window. */
const uint8_t *segment_window_block(const struct segment_window *window, size_t index);

#endif
