/* iterator.h -- the one interface for walking sorted internal entries: memtable, block, segment, run, merge.
 *
 * Role      An ops table and inline wrappers. An implementation embeds struct iterator as its first member and keeps valid, key and value
 *           up to date, so that reading the current entry costs no call.
 * Threads   One thread at a time per iterator.
 * Failure   A positioning call that fails leaves valid false and returns the error; a later seek may be tried again.
 */
#ifndef KVS_BASE_ITERATOR_H
#define KVS_BASE_ITERATOR_H

#include "base/key.h"
#include "base/status.h"

struct iterator;

struct iterator_ops {
    struct kvs_status (*first)(struct iterator *iterator);
    struct kvs_status (*last)(struct iterator *iterator);
    struct kvs_status (*seek)(struct iterator *iterator, struct key target);
    struct kvs_status (*seek_before)(struct iterator *iterator, struct key target);
    struct kvs_status (*next)(struct iterator *iterator);
    struct kvs_status (*prev)(struct iterator *iterator);
    void (*free)(struct iterator *iterator);
};

/* valid  whether the iterator stands on an entry
 * key    the entry's internal key, borrowed until the next positioning call
 * value  the entry's value, borrowed likewise */
struct iterator {
    const struct iterator_ops *ops;
    bool valid;
    struct key key;
    struct kvs_slice value;
};

/* Stand on the first, or last, entry; not valid if there is none. */
KVS_MUST_USE static inline struct kvs_status iterator_first(struct iterator *iterator)
{
    return iterator->ops->first(iterator);
}

KVS_MUST_USE static inline struct kvs_status iterator_last(struct iterator *iterator)
{
    return iterator->ops->last(iterator);
}

/* Stand on the first entry at or after target. */
KVS_MUST_USE static inline struct kvs_status iterator_seek(struct iterator *iterator, struct key target)
{
    return iterator->ops->seek(iterator, target);
}

/* Stand on the last entry before target. */
KVS_MUST_USE static inline struct kvs_status iterator_seek_before(struct iterator *iterator, struct key target)
{
    return iterator->ops->seek_before(iterator, target);
}

/* Step; the iterator must be valid. Past either end it is no longer valid. */
KVS_MUST_USE static inline struct kvs_status iterator_next(struct iterator *iterator)
{
    return iterator->ops->next(iterator);
}

KVS_MUST_USE static inline struct kvs_status iterator_prev(struct iterator *iterator)
{
    return iterator->ops->prev(iterator);
}

/* Free the iterator and what it references. NULL is allowed. */
static inline void iterator_free(struct iterator *iterator)
{
    if (iterator != NULL)
        iterator->ops->free(iterator);
}

#endif
