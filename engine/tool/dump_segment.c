#include "tool.h"

#include "segment/segment.h"
#include "version/manifest.h"

#include <inttypes.h>
#include <stdio.h>

/* Memory for the blocks of a dump. */
enum { DUMP_MEMORY_BYTES = 16 * 1024 * 1024 };

/* The search for what the manifest says of a segment. */
struct wanted {
    uint64_t number;
    bool is_found;
    struct segment_meta meta;
};

static struct kvs_status look_for_segment(void *context, const struct manifest_edit *edit, const char *path,
                                          uint64_t offset)
{
    struct wanted *wanted = context;
    (void)path;
    (void)offset;
    for (size_t i = 0; i < edit->added_count && !wanted->is_found; i++) {
        if (edit->added[i].meta.number != wanted->number)
            continue;
        STATUS_RETURN_IF_ERROR(segment_meta_copy(&wanted->meta, &edit->added[i].meta));
        wanted->is_found = true;
    }
    return status_ok();
}

static void print_properties(const struct segment *segment)
{
    const struct segment_properties *properties = segment_properties_of(segment);
    printf("segment %" PRIu64 ": %" PRIu64 " entries (%" PRIu64 " deletes), %" PRIu64 " blocks of about %" PRIu64
           " bytes, %" PRIu64 " key bytes, %" PRIu64 " value bytes, sequence %" PRIu64 "-%" PRIu64 "\n",
           segment_meta_of(segment)->number, properties->entry_count, properties->tombstone_count,
           properties->block_count, properties->block_bytes, properties->raw_key_bytes, properties->raw_value_bytes,
           properties->min_sequence, properties->max_sequence);
}

static struct kvs_status print_entries(struct segment *segment)
{
    struct iterator *iterator;
    STATUS_RETURN_IF_ERROR(
        segment_iterator_new(&iterator, segment, (struct segment_iterator_options){.fill_cache = false}));
    struct kvs_status status = iterator_first(iterator);
    while (status_is_ok(status) && iterator->valid) {
        print_entry(key_sequence(iterator->key.trailer), (unsigned)iterator->key.trailer & 0xFF, iterator->key.user,
                    iterator->value);
        status = iterator_next(iterator);
    }
    iterator_free(iterator);
    return status;
}

static struct kvs_status dump_opened(struct io *io, const char *folder, const struct segment_meta *meta)
{
    struct memory_budget budget;
    struct cache *cache;
    struct segment *segment;
    memory_budget_init(&budget, DUMP_MEMORY_BYTES);
    STATUS_RETURN_IF_ERROR(cache_new(&cache, io, &budget));
    struct kvs_status status = segment_open(&segment, io, folder, meta, cache, &budget);
    if (status_is_ok(status)) {
        print_properties(segment);
        status = print_entries(segment);
        segment_unref(segment);
    }
    cache_free(cache);
    return status;
}

struct kvs_status dump_segment(struct io *io, const char *folder, uint64_t number)
{
    struct wanted wanted = {.number = number};
    struct manifest_current current;
    struct manifest_replay_result result;
    bool found;
    STATUS_RETURN_IF_ERROR(manifest_current_read(io, &current, &found, folder));
    if (!found)
        return STATUS(KVS_NOT_FOUND, "there is no database in %s", folder);
    struct kvs_status status = manifest_replay(io, &result, folder, &current, look_for_segment, &wanted);
    if (status_is_ok(status) && !wanted.is_found)
        status = STATUS(KVS_NOT_FOUND, "the manifest of %s lists no segment %" PRIu64, folder, number);
    if (status_is_ok(status))
        status = dump_opened(io, folder, &wanted.meta);
    if (wanted.is_found)
        segment_meta_fini(&wanted.meta);
    return status;
}
