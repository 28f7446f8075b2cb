#include "compaction/compaction_measure.h"

/* ---- Stretches ---- */

struct stretch stretch_of_run(const struct compaction_run *run)
{
    struct stretch stretch = {.first = 0, .count = run->count};
    for (size_t i = 0; i < run->count; i++) {
        stretch.size_bytes += run->segments[i].size_bytes;
        stretch.entry_count += run->segments[i].entry_count;
        stretch.is_busy |= run->segments[i].is_busy;
    }
    return stretch;
}

struct stretch stretch_overlapping(const struct compaction_run *run, size_t first, struct range range)
{
    while (first < run->count && slice_compare(run->segments[first].largest, range.smallest) < 0)
        first++;
    struct stretch stretch = {.first = first};
    for (size_t i = first; i < run->count && slice_compare(run->segments[i].smallest, range.largest) <= 0; i++) {
        stretch.count++;
        stretch.size_bytes += run->segments[i].size_bytes;
        stretch.entry_count += run->segments[i].entry_count;
        stretch.is_busy |= run->segments[i].is_busy;
    }
    return stretch;
}

/* Of a level's only run; nothing for an empty level. */
static struct stretch overlap_of_level(const struct compaction_level *level, struct range range)
{
    if (level->run_count == 0)
        return (struct stretch){.count = 0};
    return stretch_overlapping(&level->runs[0], 0, range);
}

/* ---- Level 0 ---- */

static void widen(struct range *range, const struct compaction_segment *segment)
{
    if (slice_compare(segment->smallest, range->smallest) < 0)
        range->smallest = segment->smallest;
    if (slice_compare(segment->largest, range->largest) > 0)
        range->largest = segment->largest;
}

struct top top_measure(const struct compaction_shape *shape, unsigned base)
{
    const struct compaction_level *level = &shape->levels[0];
    struct top top = {.base = base, .size_bytes = level->size_bytes};
    if (level->run_count == 0)
        return top;
    top.range = (struct range){level->runs[0].segments[0].smallest, level->runs[0].segments[0].largest};
    for (size_t i = 0; i < level->run_count; i++) {
        for (size_t s = 0; s < level->runs[i].count; s++) {
            const struct compaction_segment *segment = &level->runs[i].segments[s];
            widen(&top.range, segment);
            top.entry_count += segment->entry_count;
            top.tombstone_count += segment->tombstone_count;
            top.is_busy |= segment->is_busy;
        }
    }
    top.overlap = overlap_of_level(&shape->levels[base], top.range);
    top.is_busy |= top.overlap.is_busy;
    return top;
}

bool top_is_full(const struct compaction_shape *shape, const struct top *top, const struct compaction_options *options)
{
    return shape->levels[0].run_count >= COMPACTION_RUNS || top->size_bytes >= options->level_base_bytes;
}

bool top_goes_down(const struct compaction_shape *shape, const struct top *top)
{
    return shape->levels[0].run_count >= COMPACTION_RUNS_MAX ||
           top->size_bytes >= top->overlap.size_bytes / COMPACTION_FANOUT;
}

/* ---- Targets and debt ---- */

unsigned compaction_targets(uint64_t targets[VERSION_LEVEL_COUNT], const struct compaction_shape *shape,
                            const struct compaction_options *options)
{
    uint64_t target = 0;
    for (unsigned n = 0; n < VERSION_LEVEL_COUNT; n++) {
        targets[n] = 0;
        if (n > 0 && shape->levels[n].size_bytes > target)
            target = shape->levels[n].size_bytes;
    }
    targets[LAST_LEVEL] = UINT64_MAX;
    unsigned base = LAST_LEVEL;
    for (target /= COMPACTION_FANOUT; base > 1 && target >= options->level_base_bytes; target /= COMPACTION_FANOUT)
        targets[--base] = target;
    for (unsigned n = 1; n < base; n++) {
        if (shape->levels[n].size_bytes > 0)
            return n;
    }
    return base;
}

uint64_t compaction_debt(const struct compaction_shape *shape, const struct compaction_options *options)
{
    uint64_t targets[VERSION_LEVEL_COUNT];
    unsigned base = compaction_targets(targets, shape, options);
    struct top top = top_measure(shape, base);
    uint64_t debt = 0;
    uint64_t carried = 0; /* what comes down from the level above */
    if (top_is_full(shape, &top, options)) {
        debt = top.size_bytes;
        if (top_goes_down(shape, &top)) {
            debt += top.overlap.size_bytes;
            carried = top.size_bytes;
        }
    }
    for (unsigned n = base; n < LAST_LEVEL; n++) {
        uint64_t size = shape->levels[n].size_bytes + carried;
        carried = size > targets[n] ? size - targets[n] : 0;
        debt += carried;
        if (size > 0)
            debt += (uint64_t)((double)carried * (double)shape->levels[n + 1].size_bytes / (double)size);
    }
    return debt;
}
