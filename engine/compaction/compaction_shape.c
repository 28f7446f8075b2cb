#include "compaction/compaction_shape.h"

#include <stdlib.h>

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static struct compaction_segment describe(const struct segment_meta *meta, const uint64_t *busy, size_t busy_count)
{
    return (struct compaction_segment){
        .number = meta->number,
        .size_bytes = meta->size_bytes,
        .entry_count = meta->entry_count,
        .tombstone_count = meta->tombstone_count,
        .smallest = meta->smallest.user,
        .largest = meta->largest.user,
        .is_busy = busy_count > 0 && bsearch(&meta->number, busy, busy_count, sizeof *busy, compare_numbers) != NULL,
    };
}

struct kvs_status compaction_shape_init(struct compaction_shape *shape, const struct version *version,
                                        const uint64_t *busy, size_t busy_count)
{
    size_t segment_count = 0;
    for (size_t i = 0; i < version->run_count; i++)
        segment_count += version->runs[i]->count;
    struct compaction_run *runs = calloc(version->run_count + 1, sizeof *runs);
    struct compaction_segment *segments = calloc(segment_count + 1, sizeof *segments);
    if (runs == NULL || segments == NULL) {
        free(runs);
        free(segments);
        return STATUS(KVS_NO_MEMORY, "cannot allocate the shape of %zu segments", segment_count);
    }
    *shape = (struct compaction_shape){.all_runs = runs, .all_segments = segments};
    for (unsigned n = 0; n < VERSION_LEVEL_COUNT; n++) {
        struct compaction_level *level = &shape->levels[n];
        level->runs = runs;
        level->run_count = version_level_runs(version, n);
        for (size_t i = 0; i < level->run_count; i++) {
            const struct version_run *run = version->runs[version->level_start[n] + i];
            *runs++ = (struct compaction_run){run->id, run->size_bytes, run->count, segments};
            level->size_bytes += run->size_bytes;
            for (size_t s = 0; s < run->count; s++)
                *segments++ = describe(&run->segments[s]->meta, busy, busy_count);
        }
    }
    return status_ok();
}

void compaction_shape_fini(struct compaction_shape *shape)
{
    free(shape->all_runs);
    free(shape->all_segments);
    *shape = (struct compaction_shape){.all_runs = NULL};
}
