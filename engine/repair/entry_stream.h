/* entry_stream.h -- entries in the order of internal keys, from whatever still has them.
 *
 * Role      A segment's readable blocks and the records of logs look alike to what merges them.
 * Threads   One owner.
 * Failure   A stream that failed is of no more use than to be freed.
 */
#ifndef KVS_REPAIR_ENTRY_STREAM_H
#define KVS_REPAIR_ENTRY_STREAM_H

#include "base/key.h"
#include "base/status.h"

/* key, value  of the present entry, valid until the next call; only while valid */
struct entry_stream {
    bool valid;
    struct key key;
    struct kvs_slice value;
    struct kvs_status (*next)(struct entry_stream *stream);
    void (*free)(struct entry_stream *stream);
};

/* Step to the next entry, at first to the first. Errors: IO, CORRUPT, NO_MEMORY. */
KVS_MUST_USE static inline struct kvs_status entry_stream_next(struct entry_stream *stream)
{
    return stream->next(stream);
}

static inline void entry_stream_free(struct entry_stream *stream)
{
    if (stream != NULL)
        stream->free(stream);
}

/* ---- Entries in memory ---- */

/* Entries whose bytes are copied in pieces, one for each record of a log. Zeroed it is empty. */
struct entry_list {
    struct entry_piece *pieces;
    struct listed_entry *entries;
    size_t count, capacity;
};

/* Copy the entries of a batch. Errors: NO_MEMORY, CORRUPT (malformed; nothing was added). */
KVS_MUST_USE struct kvs_status entry_list_add(struct entry_list *list, struct kvs_slice payload, uint32_t count,
                                              uint64_t first_sequence);
void entry_list_fini(struct entry_list *list);

/* A stream of the list, which it sorts, borrows, and which must not change meanwhile. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status entry_list_stream(struct entry_stream **stream, struct entry_list *list);

#endif
