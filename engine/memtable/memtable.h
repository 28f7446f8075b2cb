/* memtable.h -- the newest writes, sorted in memory: a B+tree in one arena, one writer, readers that never wait.
 *
 * Role      Takes every applied entry; serves reads until a flush has made a segment of it.
 * Threads   One inserter at a time (the commit lock). Any number of readers beside it, without locks: an insertion is published by one release store,
 *           no node is changed in place in a way that a reader could see half of, and none is freed before the memtable.
 *           A reader finds every entry whose insertion happened before its call began; later ones it may see or not, which its horizon hides.
 * Failure   memtable_insert cannot fail: the caller has compared memtable_room with memtable_cost.
 */
#ifndef KVS_MEMTABLE_MEMTABLE_H
#define KVS_MEMTABLE_MEMTABLE_H

#include "base/iterator.h"
#include "base/memory_budget.h"

struct memtable;

/* Make an empty memtable that holds capacity bytes of entries and nodes, charged to budget as MEMORY_MEMTABLE until it is freed (pass NULL for none).
 * The caller gets the one reference. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status memtable_new(struct memtable **memtable, size_t capacity_bytes,
                                            struct memory_budget *budget);

struct memtable *memtable_ref(struct memtable *memtable);

/* Drop a reference; the last frees everything. Any thread. NULL is allowed. */
void memtable_unref(struct memtable *memtable);

/* Bytes that an entry takes at the very most, nodes included; a batch's cost is the sum over its entries. A new memtable's room is its capacity. */
size_t memtable_cost(size_t key_bytes, size_t value_bytes);

/* Bytes still free. */
size_t memtable_room(const struct memtable *memtable);

/* Bytes used so far; the number of entries; whether there is none. Exact for the inserter, a recent value for others. */
size_t memtable_used(const struct memtable *memtable);
uint64_t memtable_count(const struct memtable *memtable);

/* Insert an entry; its trailer is greater than every trailer inserted before for the same user key. Key and value are copied. */
void memtable_insert(struct memtable *memtable, struct key key, struct kvs_slice value);

/* Before count insertions, of at most MEMTABLE_PREFETCH_MAX user keys: have the processor fetch what they will touch, for all of them at once. Changes nothing. The
 * inserter only. */
enum { MEMTABLE_PREFETCH_MAX = 16 };
void memtable_prefetch(const struct memtable *memtable, const struct kvs_slice *user_keys, size_t count);

/* The newest entry of user_key with a sequence number at or below sequence: true and its trailer and value (borrowed from the memtable's memory, valid
 * while the caller holds a reference or a read-side section that protects one), or false. Never locks, allocates or waits. */
bool memtable_get(const struct memtable *memtable, uint64_t *trailer, struct kvs_slice *value,
                  struct kvs_slice user_key, uint64_t sequence);

/* A new iterator over the memtable; takes a reference that iterator_free drops. It walks a live memtable: it shows what was
 * inserted before the last first, last, seek or seek_before, and may or may not show what came later. Keys and values it shows stay valid as long as the memtable. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status memtable_iterator_new(struct iterator **iterator, struct memtable *memtable);

#endif
