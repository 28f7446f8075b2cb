/* block_iterator.h -- walks one block, on the caller's storage.
 *
 * Role      The iterator interface over a block that block_open has accepted; the segment iterator moves one of these from block to block.
 * Threads   One thread at a time per iterator.
 * Failure   NO_MEMORY only, and only for keys longer than the inline buffer.
 */
#ifndef KVS_BLOCK_BLOCK_ITERATOR_H
#define KVS_BLOCK_BLOCK_ITERATOR_H

#include "base/iterator.h"
#include "block/block.h"

enum { BLOCK_ITERATOR_INLINE_KEY_BYTES = 64 };

struct block_iterator {
    struct iterator base; /* its free drops what the iterator holds, as block_iterator_fini */
    struct block block;
    const uint8_t *next; /* where the entry after the current one begins */
    uint32_t index;      /* of the current entry */
    uint8_t *key;        /* inline_key, or heap memory once a longer key was met */
    size_t key_capacity;
    uint8_t inline_key[BLOCK_ITERATOR_INLINE_KEY_BYTES];
};

/* Make an iterator that stands nowhere. The iterator must not be moved in memory. */
void block_iterator_init(struct block_iterator *iterator);
void block_iterator_fini(struct block_iterator *iterator);

/* Turn to another block, whose bytes must outlive the iterator's use of it; stands nowhere. A block of no entries (zeroed) is allowed. */
void block_iterator_set(struct block_iterator *iterator, const struct block *block);

/* The iterator interface without the indirection; they never fail but for NO_MEMORY. */
KVS_MUST_USE struct kvs_status block_iterator_first(struct block_iterator *iterator);
KVS_MUST_USE struct kvs_status block_iterator_last(struct block_iterator *iterator);
KVS_MUST_USE struct kvs_status block_iterator_seek(struct block_iterator *iterator, struct key target);
KVS_MUST_USE struct kvs_status block_iterator_seek_before(struct block_iterator *iterator, struct key target);
KVS_MUST_USE struct kvs_status block_iterator_next(struct block_iterator *iterator);
KVS_MUST_USE struct kvs_status block_iterator_prev(struct block_iterator *iterator);

/* Whether the entry after the current one shares all that it can with it, as a search relies on (block_entry_compare) and block_open does not look at, for it
 * takes whole keys. True where there is none, or it is a restart point. */
bool block_iterator_next_shares_all(const struct block_iterator *iterator);

#endif
