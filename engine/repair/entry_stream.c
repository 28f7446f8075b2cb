#include "repair/entry_stream.h"

#include "format/batch.h"

#include <stdlib.h>
#include <string.h>

struct entry_piece {
    struct entry_piece *next;
    uint8_t bytes[];
};

struct listed_entry {
    struct key key;
    struct kvs_slice value;
};

static struct kvs_status reserve(struct entry_list *list, size_t more)
{
    if (list->capacity - list->count >= more)
        return status_ok();
    size_t capacity = 2 * (list->count + more);
    struct listed_entry *grown = realloc(list->entries, capacity * sizeof *grown);
    if (grown == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for %zu entries of logs", capacity);
    list->entries = grown;
    list->capacity = capacity;
    return status_ok();
}

struct kvs_status entry_list_add(struct entry_list *list, struct kvs_slice payload, uint32_t count,
                                 uint64_t first_sequence)
{
    struct batch_cursor cursor;
    struct batch_entry entry;
    STATUS_RETURN_IF_ERROR(batch_check(payload, count));
    STATUS_RETURN_IF_ERROR(reserve(list, count));
    struct entry_piece *piece = malloc(sizeof *piece + payload.size);
    if (piece == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a record of %zu bytes", payload.size);
    memcpy(piece->bytes, payload.data, payload.size);
    piece->next = list->pieces;
    list->pieces = piece;
    batch_cursor_init(&cursor, slice_of(piece->bytes, payload.size), count, first_sequence);
    while (batch_cursor_next(&cursor, &entry))
        list->entries[list->count++] =
            (struct listed_entry){key_of(entry.key, key_trailer(entry.sequence, entry.kind_byte)), entry.value};
    return status_ok();
}

void entry_list_fini(struct entry_list *list)
{
    while (list->pieces != NULL) {
        struct entry_piece *next = list->pieces->next;
        free(list->pieces);
        list->pieces = next;
    }
    free(list->entries);
    *list = (struct entry_list){.pieces = NULL};
}

struct list_stream {
    struct entry_stream base;
    const struct entry_list *list;
    size_t next;
};

static struct kvs_status list_next(struct entry_stream *base)
{
    struct list_stream *stream = (struct list_stream *)base;
    base->valid = stream->next < stream->list->count;
    if (base->valid) {
        const struct listed_entry *entry = &stream->list->entries[stream->next++];
        base->key = entry->key;
        base->value = entry->value;
    }
    return status_ok();
}

static void list_free(struct entry_stream *base)
{
    free(base);
}

static int compare_entries(const void *a, const void *b)
{
    const struct listed_entry *x = a, *y = b;
    return key_compare(x->key, y->key);
}

struct kvs_status entry_list_stream(struct entry_stream **stream, struct entry_list *list)
{
    struct list_stream *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory to read %zu entries", list->count);
    if (list->count > 0)
        qsort(list->entries, list->count, sizeof *list->entries, compare_entries);
    *made = (struct list_stream){.base = {.next = list_next, .free = list_free}, .list = list};
    *stream = &made->base;
    return status_ok();
}
