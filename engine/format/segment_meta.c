#include "format/segment_meta.h"

#include <stdlib.h>

void segment_meta_init(struct segment_meta *meta)
{
    *meta = (struct segment_meta){0};
}

void segment_meta_fini(struct segment_meta *meta)
{
    free(meta->key_memory);
    segment_meta_init(meta);
}

static struct key copy_key(uint8_t *at, struct key key)
{
    if (key.user.size != 0)
        memcpy(at, key.user.data, key.user.size);
    return key_of(slice_of(at, key.user.size), key.trailer);
}

struct kvs_status segment_meta_set_range(struct segment_meta *meta, struct key smallest, struct key largest)
{
    size_t size = smallest.user.size + largest.user.size;
    uint8_t *memory = malloc(size + 1);
    if (memory == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate %zu bytes for the key range of a segment", size);
    struct key first = copy_key(memory, smallest);
    struct key last = copy_key(memory + smallest.user.size, largest);
    free(meta->key_memory);
    meta->key_memory = memory;
    meta->smallest = first;
    meta->largest = last;
    return status_ok();
}

struct kvs_status segment_meta_copy(struct segment_meta *to, const struct segment_meta *from)
{
    struct segment_meta copy = *from;
    copy.key_memory = NULL;
    STATUS_RETURN_IF_ERROR(segment_meta_set_range(&copy, from->smallest, from->largest));
    *to = copy;
    return status_ok();
}
