#include "db/batch.h"

#include "base/key.h"
#include "base/status.h"
#include "format/batch.h"

#include <stdlib.h>

_Static_assert(KVS_KEY_MAX_BYTES == KEY_MAX_BYTES, "the public limit is the format's");
_Static_assert(KVS_VALUE_MAX_BYTES == VALUE_MAX_BYTES, "the public limit is the format's");
_Static_assert(KVS_BATCH_MAX_BYTES == BATCH_MAX_BYTES, "the public limit is the format's");

/* The smallest allocation of a batch that grows. */
enum { BATCH_START_BYTES = 512 };

struct kvs_batch batch_on(void *memory, size_t capacity)
{
    return (struct kvs_batch){.payload = memory, .capacity = capacity, .borrowed = true};
}

size_t batch_change_bytes(struct kvs_slice key, struct kvs_slice value)
{
    return batch_entry_bytes(KEY_PUT, key.size, value.size);
}

void batch_insert(struct memtable *memtable, struct kvs_slice payload, uint32_t count, uint64_t first_sequence)
{
    struct batch_cursor cursor;
    struct batch_entry entries[MEMTABLE_PREFETCH_MAX];
    struct kvs_slice keys[MEMTABLE_PREFETCH_MAX];
    size_t group;
    batch_cursor_init(&cursor, payload, count, first_sequence);
    do {
        group = 0;
        while (group < MEMTABLE_PREFETCH_MAX && batch_cursor_next(&cursor, &entries[group])) {
            keys[group] = entries[group].key;
            group++;
        }
        if (group > 1)
            memtable_prefetch(memtable, keys, group);
        for (size_t i = 0; i < group; i++)
            memtable_insert(memtable, key_of(keys[i], key_trailer(entries[i].sequence, entries[i].kind_byte)),
                            entries[i].value);
    } while (group == MEMTABLE_PREFETCH_MAX);
}

struct kvs_status batch_check_key(struct kvs_slice key)
{
    if (key.size == 0)
        return STATUS(KVS_INVALID, "a key has at least one byte");
    if (key.size > KVS_KEY_MAX_BYTES)
        return STATUS(KVS_TOO_LARGE, "a key of %zu bytes; the limit is %zu", key.size, KVS_KEY_MAX_BYTES);
    return status_ok();
}

struct kvs_status kvs_batch_new(struct kvs_batch **batch)
{
    struct kvs_batch *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a batch");
    *batch = made;
    return status_ok();
}

void kvs_batch_free(struct kvs_batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->payload);
    free(batch);
}

void kvs_batch_clear(struct kvs_batch *batch)
{
    batch->size = 0;
    batch->count = 0;
    batch->table_cost = 0;
    batch->user_bytes = 0;
}

size_t kvs_batch_count(const struct kvs_batch *batch)
{
    return batch->count;
}

size_t kvs_batch_bytes(const struct kvs_batch *batch)
{
    return batch->size;
}

static struct kvs_status make_room(struct kvs_batch *batch, size_t bytes)
{
    if (bytes > KVS_BATCH_MAX_BYTES - batch->size)
        return STATUS(KVS_TOO_LARGE, "the batch would have more than %zu bytes", KVS_BATCH_MAX_BYTES);
    size_t needed = batch->size + bytes;
    if (needed <= batch->capacity)
        return status_ok();
    if (batch->borrowed)
        return STATUS(KVS_TOO_LARGE, "a change of %zu bytes in a buffer of %zu", bytes, batch->capacity);
    size_t capacity = batch->capacity < BATCH_START_BYTES ? BATCH_START_BYTES : 2 * batch->capacity;
    if (capacity < needed)
        capacity = needed;
    uint8_t *payload = realloc(batch->payload, capacity);
    if (payload == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a batch of %zu bytes", capacity);
    batch->payload = payload;
    batch->capacity = capacity;
    return status_ok();
}

static struct kvs_status append(struct kvs_batch *batch, unsigned kind_byte, struct kvs_slice key,
                                struct kvs_slice value)
{
    STATUS_RETURN_IF_ERROR(batch_check_key(key));
    if (value.size > KVS_VALUE_MAX_BYTES)
        return STATUS(KVS_TOO_LARGE, "a value of %zu bytes; the limit is %zu", value.size, KVS_VALUE_MAX_BYTES);
    size_t bytes = batch_entry_bytes(kind_byte, key.size, value.size);
    STATUS_RETURN_IF_ERROR(make_room(batch, bytes));
    batch_put_entry(batch->payload + batch->size, kind_byte, key, value);
    batch->size += bytes;
    batch->count++;
    batch->table_cost += memtable_cost(key.size, value.size);
    batch->user_bytes += key.size + value.size;
    return status_ok();
}

struct kvs_status kvs_batch_put(struct kvs_batch *batch, struct kvs_slice key, struct kvs_slice value)
{
    return append(batch, KEY_PUT, key, value);
}

struct kvs_status kvs_batch_delete(struct kvs_batch *batch, struct kvs_slice key)
{
    return append(batch, KEY_DELETE, key, slice_of(NULL, 0));
}
