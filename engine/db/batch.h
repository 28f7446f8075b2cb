/* batch.h -- a batch as the pipeline sees it: the payload of its log record, and what it costs.
 *
 * Role      kvs_batch_* build the record's payload as the changes come, so that applying it is a copy.
 * Format    format/README.md, "Batch".
 * Threads   One at a time.
 */
#ifndef KVS_DB_BATCH_H
#define KVS_DB_BATCH_H

#include "kvstore.h"

#include "base/slice.h"
#include "memtable/memtable.h"

/* payload     the encoded changes; owned unless borrowed
 * table_cost  what the changes take in a memtable at most, bytes
 * user_bytes  key and value bytes
 * borrowed    payload is the caller's memory of fixed capacity: used for single changes */
struct kvs_batch {
    uint8_t *payload;
    size_t size;
    size_t capacity;
    uint32_t count;
    size_t table_cost;
    uint64_t user_bytes;
    bool borrowed;
};

/* A batch in memory of the caller's, for one change that needs at most capacity bytes. Not to be freed. */
struct kvs_batch batch_on(void *memory, size_t capacity);

/* Bytes that one change takes in a payload at most. */
size_t batch_change_bytes(struct kvs_slice key, struct kvs_slice value);

/* Insert the changes of a payload that has been checked, numbered from first_sequence on; memtable has the room. */
void batch_insert(struct memtable *memtable, struct kvs_slice payload, uint32_t count, uint64_t first_sequence);

/* Check a key against the limits. Errors: INVALID (empty), TOO_LARGE. */
KVS_MUST_USE struct kvs_status batch_check_key(struct kvs_slice key);

#endif
