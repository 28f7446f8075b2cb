/* visible_iterator.h -- what a reader at a horizon sees of internal entries.
 *
 * Role      Shows each user key of [lower, upper) once, with its newest version at or below the horizon, and leaves out deleted keys.
 *           The bound is looked at before every step, so that tombstones beyond it are never walked.
 * Threads   One at a time.
 * Failure   A positioning call that fails leaves valid false and returns the error; a later seek may be tried again.
 */
#ifndef KVS_MERGE_VISIBLE_ITERATOR_H
#define KVS_MERGE_VISIBLE_ITERATOR_H

#include "base/iterator.h"

struct visible_iterator;

/* valid  whether the iterator stands on an entry
 * key, value  borrowed until the next positioning call */
struct visible_entry {
    bool valid;
    struct kvs_slice key;
    struct kvs_slice value;
};

/* Make an iterator over inner, on no entry yet.
 *
 * inner         owned by the new iterator; on failure still the caller's
 * lower, upper  bounds on user keys, lower inclusive, upper exclusive; copied. Empty: open
 * Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status visible_iterator_new(struct visible_iterator **iterator, struct iterator *inner,
                                                    uint64_t horizon, struct kvs_slice lower, struct kvs_slice upper);

/* NULL is allowed. */
void visible_iterator_free(struct visible_iterator *iterator);

/* The entry it stands on; the address stays the same for the iterator's life. */
const struct visible_entry *visible_iterator_entry(const struct visible_iterator *iterator);

/* Stand on the first or last visible key in bounds; on the first at or after key; on the last before key. Errors: inner's, NO_MEMORY. */
KVS_MUST_USE struct kvs_status visible_iterator_first(struct visible_iterator *iterator);
KVS_MUST_USE struct kvs_status visible_iterator_last(struct visible_iterator *iterator);
KVS_MUST_USE struct kvs_status visible_iterator_seek(struct visible_iterator *iterator, struct kvs_slice key);
KVS_MUST_USE struct kvs_status visible_iterator_seek_before(struct visible_iterator *iterator, struct kvs_slice key);

/* Step to the neighbour; it must be valid. Errors: as the others. */
KVS_MUST_USE struct kvs_status visible_iterator_next(struct visible_iterator *iterator);
KVS_MUST_USE struct kvs_status visible_iterator_prev(struct visible_iterator *iterator);

#endif
