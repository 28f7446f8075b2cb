/* merge_iterator.h -- many sorted iterators as one.
 *
 * Role      Reads memtables and runs, or the inputs of a compaction, in one order, forward and backward. A binary heap over cached
 *           8-byte key hints: a step that stays in one child costs two comparisons, which the hints mostly decide.
 * Threads   One at a time.
 * Failure   An error of a child is returned by the call that met it; the merge is then not valid and may be positioned anew.
 */
#ifndef KVS_MERGE_MERGE_ITERATOR_H
#define KVS_MERGE_MERGE_ITERATOR_H

#include "base/iterator.h"

/* Merge count iterators; an internal key must not be in two of them (of such a pair the earlier child's comes first going forward, and one of
 * them may be left out after a change of direction).
 *
 * iterator  out. With one child it is that child itself; with none it is never valid
 * children  newest first by convention; owned by the merge from now on. On failure still the caller's
 * prefix    what most user keys share, copied; only speed depends on it. May be empty
 *
 * The key and value shown are those of a child: valid until the next positioning call.
 * Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status merge_iterator_new(struct iterator **iterator, struct iterator *const *children,
                                                  size_t count, struct kvs_slice prefix);

#endif
