#include "version/version.h"

#include "version/version_internal.h"

#include <stdlib.h>

struct kvs_status version_new_sized(struct version **version, size_t run_count)
{
    struct version *made = calloc(1, sizeof *made + run_count * sizeof(struct version_run *));
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a version of %zu runs", run_count);
    atomic_init(&made->references, 1);
    *version = made;
    return status_ok();
}

struct kvs_status version_new_empty(struct version **version)
{
    return version_new_sized(version, 0);
}

void version_add_run(struct version *version, unsigned level, struct version_run *run)
{
    version->runs[version->run_count++] = run;
    for (unsigned n = level + 1; n <= VERSION_LEVEL_COUNT; n++)
        version->level_start[n] = version->run_count;
}

struct version *version_ref(struct version *version)
{
    atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
    return version;
}

void version_unref(struct version *version)
{
    /* Release what this holder read, acquire what the others did, before freeing. */
    if (version == NULL || atomic_fetch_sub_explicit(&version->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < version->run_count; i++)
        version_run_unref(version->runs[i]);
    free(version);
}

struct kvs_status version_iterators_new(struct version *version, struct iterator **iterators, size_t *count,
                                        struct kvs_slice lower, struct kvs_slice upper,
                                        const struct segment_iterator_options *options)
{
    size_t had = *count;
    for (size_t i = 0; i < version->run_count; i++) {
        struct version_run *run = version->runs[i];
        if (!version_run_overlaps(run, lower, upper))
            continue;
        struct kvs_status status = version_run_iterator_new(&iterators[*count], run, 0, run->count, options);
        if (!status_is_ok(status)) {
            while (*count > had)
                iterator_free(iterators[--*count]);
            return status;
        }
        (*count)++;
    }
    return status_ok();
}

void version_level_size(const struct version *version, struct version_level_size *size, unsigned level)
{
    *size = (struct version_level_size){.runs = version_level_runs(version, level)};
    for (size_t i = version->level_start[level]; i < version->level_start[level + 1]; i++) {
        const struct version_run *run = version->runs[i];
        size->segments += run->count;
        size->bytes += run->size_bytes;
        size->entries += run->entry_count;
        size->tombstones += run->tombstone_count;
    }
}

/* ---- As edits ---- */

/* What an added segment takes in an edit at most. */
static size_t added_bytes(const struct segment_meta *meta)
{
    return 160 + meta->smallest.user.size + meta->largest.user.size;
}

/* Edits that are being filled, one after the other. used: about what the last one takes. */
struct edit_list {
    struct manifest_edit *edits;
    size_t count;
    size_t used;
};

static struct kvs_status begin_edit(struct edit_list *list)
{
    struct manifest_edit *grown = realloc(list->edits, (list->count + 1) * sizeof *grown);
    if (grown == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a version edit");
    list->edits = grown;
    list->used = 0;
    manifest_edit_init(&list->edits[list->count++]);
    return status_ok();
}

static struct kvs_status add_to_list(struct edit_list *list, unsigned level, uint64_t run,
                                     const struct segment_meta *meta, size_t limit_bytes)
{
    if (list->used > 0 && list->used + added_bytes(meta) > limit_bytes)
        STATUS_RETURN_IF_ERROR(begin_edit(list));
    list->used += added_bytes(meta);
    return manifest_edit_add_segment(&list->edits[list->count - 1], level, run, meta);
}

static struct kvs_status list_version(struct edit_list *list, const struct version *version, size_t limit_bytes)
{
    STATUS_RETURN_IF_ERROR(begin_edit(list));
    for (unsigned level = 0; level < VERSION_LEVEL_COUNT; level++) {
        for (size_t i = version->level_start[level]; i < version->level_start[level + 1]; i++) {
            const struct version_run *run = version->runs[i];
            for (size_t s = 0; s < run->count; s++)
                STATUS_RETURN_IF_ERROR(add_to_list(list, level, run->id, &run->segments[s]->meta, limit_bytes));
        }
    }
    return status_ok();
}

struct kvs_status version_to_edits(const struct version *version, struct manifest_edit **edits, size_t *count,
                                   size_t limit_bytes)
{
    struct edit_list list = {.count = 0};
    struct kvs_status status = list_version(&list, version, limit_bytes);
    if (!status_is_ok(status)) {
        while (list.count > 0)
            manifest_edit_fini(&list.edits[--list.count]);
        free(list.edits);
        return status;
    }
    *edits = list.edits;
    *count = list.count;
    return status_ok();
}
