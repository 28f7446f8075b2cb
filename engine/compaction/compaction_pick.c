#include "compaction/compaction_pick.h"

#include "base/assert.h"
#include "compaction/compaction_measure.h"

#include <stdlib.h>

/* How much is taken from a level at once, in segments of the target size. */
enum { SEGMENTS_AT_ONCE = 8 };

/* ---- Making jobs ---- */

void compaction_job_fini(struct compaction_job *job)
{
    free(job->inputs);
    *job = (struct compaction_job){.kind = COMPACTION_NONE};
}

static void take(struct compaction_job *job, unsigned level, size_t run, struct stretch stretch)
{
    if (stretch.count == 0)
        return;
    job->inputs[job->input_count++] = (struct compaction_input){level, run, stretch.first, stretch.count};
    job->input_bytes += stretch.size_bytes;
}

/* Aim the job, whose inputs have been taken, at a level: at its run, or at a new one with the age of the newest input. */
static void aim(struct compaction_job *job, const struct compaction_shape *shape, enum compaction_kind kind,
                unsigned level)
{
    const struct compaction_input *newest = &job->inputs[0];
    const struct compaction_level *target = &shape->levels[level];
    job->kind = kind;
    job->target_level = level;
    job->target_run =
        level > 0 && target->run_count > 0 ? target->runs[0].id : shape->levels[newest->level].runs[newest->run].id;
}

static int compare_smallest(const void *a, const void *b)
{
    const struct compaction_segment *const *x = a, *const *y = b;
    return slice_compare((*x)->smallest, (*y)->smallest);
}

/* Whether no two segments of level 0 share keys. Errors: NO_MEMORY. */
static struct kvs_status top_is_disjoint(const struct compaction_level *level, bool *disjoint)
{
    size_t count = 0;
    for (size_t i = 0; i < level->run_count; i++)
        count += level->runs[i].count;
    const struct compaction_segment **sorted = malloc((count + 1) * sizeof(struct compaction_segment *));
    if (sorted == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate %zu pointers", count);
    count = 0;
    for (size_t i = 0; i < level->run_count; i++) {
        for (size_t s = 0; s < level->runs[i].count; s++)
            sorted[count++] = &level->runs[i].segments[s];
    }
    qsort(sorted, count, sizeof(struct compaction_segment *), compare_smallest);
    *disjoint = true;
    for (size_t i = 1; i < count; i++)
        *disjoint &= slice_compare(sorted[i - 1]->largest, sorted[i]->smallest) < 0;
    free(sorted);
    return status_ok();
}

/* All of level 0, with what it overlaps in the base level. */
static struct kvs_status merge_top_down(struct compaction_job *job, const struct compaction_shape *shape,
                                        const struct top *top)
{
    const struct compaction_level *level = &shape->levels[0];
    bool is_move = false;
    if (top->overlap.count == 0 && top->tombstone_count == 0)
        STATUS_RETURN_IF_ERROR(top_is_disjoint(level, &is_move));
    for (size_t i = 0; i < level->run_count; i++)
        take(job, 0, i, stretch_of_run(&level->runs[i]));
    take(job, top->base, 0, top->overlap);
    aim(job, shape, is_move ? COMPACTION_MOVE : COMPACTION_MERGE, top->base);
    return status_ok();
}

/* The newest COMPACTION_RUNS or more adjacent runs of level 0 that are of like size and not busy, if there are such. */
static void merge_within_top(struct compaction_job *job, const struct compaction_shape *shape)
{
    const struct compaction_level *level = &shape->levels[0];
    for (size_t first = 0; first < level->run_count; first++) {
        uint64_t least = UINT64_MAX, most = 0;
        size_t end = first;
        for (; end < level->run_count; end++) {
            struct stretch run = stretch_of_run(&level->runs[end]);
            uint64_t lower = run.size_bytes < least ? run.size_bytes : least;
            uint64_t upper = run.size_bytes > most ? run.size_bytes : most;
            if (run.is_busy || upper / COMPACTION_RUNS >= lower)
                break;
            least = lower;
            most = upper;
        }
        if (end - first < COMPACTION_RUNS)
            continue;
        for (size_t i = first; i < end; i++)
            take(job, 0, i, stretch_of_run(&level->runs[i]));
        aim(job, shape, COMPACTION_MERGE, 0);
        return;
    }
}

/* Level 0, if it is full; with for_tombstones, also if it is mostly deletes of a good part of what lies below. */
static struct kvs_status pick_top(struct compaction_job *job, const struct compaction_shape *shape, unsigned base,
                                  const struct compaction_options *options, bool for_tombstones)
{
    struct top top = top_measure(shape, base);
    if (shape->levels[0].run_count == 0 || shape->levels[base].run_count > 1)
        return status_ok();
    bool is_due = for_tombstones ? top.tombstone_count * 2 > top.entry_count &&
                                       top.tombstone_count >= top.overlap.entry_count / COMPACTION_FANOUT
                                 : top_is_full(shape, &top, options);
    if (!is_due)
        return status_ok();
    /* While a merge downwards is under way, the runs that have come since are kept few by merging them with each other. */
    if (!for_tombstones && (top.is_busy || !top_goes_down(shape, &top)))
        merge_within_top(job, shape);
    else if (!top.is_busy)
        return merge_top_down(job, shape, &top);
    return status_ok();
}

/* A segment that could go to the next level, and what it would meet there. */
struct seed {
    size_t index;
    struct stretch overlap;
    bool is_mostly_tombstones;
    double cost; /* bytes met per byte moved */
};

static bool is_mostly_tombstones(const struct compaction_segment *segment)
{
    return segment->tombstone_count * 2 > segment->entry_count;
}

static bool is_better(const struct seed *a, const struct seed *b)
{
    if (a->is_mostly_tombstones != b->is_mostly_tombstones)
        return a->is_mostly_tombstones;
    return a->cost < b->cost;
}

static bool find_seed(struct seed *seed, const struct compaction_shape *shape, unsigned n, bool for_tombstones)
{
    static const struct compaction_run nothing = {.count = 0};
    const struct compaction_level *next = &shape->levels[n + 1];
    const struct compaction_run *run = &shape->levels[n].runs[0];
    const struct compaction_run *below = next->run_count == 0 ? &nothing : &next->runs[0];
    bool found = false;
    size_t first = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct compaction_segment *segment = &run->segments[i];
        struct seed here = {.index = i, .is_mostly_tombstones = is_mostly_tombstones(segment)};
        here.overlap = stretch_overlapping(below, first, (struct range){segment->smallest, segment->largest});
        here.cost = (double)here.overlap.size_bytes / (double)(segment->size_bytes + 1);
        first = here.overlap.first;
        if (segment->is_busy || here.overlap.is_busy || (for_tombstones && !here.is_mostly_tombstones))
            continue;
        if (!found || is_better(&here, seed))
            *seed = here;
        found = true;
    }
    return found;
}

/* Neighbours of the seed that meet nothing in the next level but what is taken from there anyway. */
static struct stretch extend_seed(const struct compaction_shape *shape, unsigned n, const struct seed *seed,
                                  const struct compaction_options *options)
{
    const struct compaction_run *run = &shape->levels[n].runs[0];
    struct stretch taken = {seed->index, 1, run->segments[seed->index].size_bytes, 0, false};
    if (seed->overlap.count == 0)
        return taken;
    const struct compaction_segment *below = shape->levels[n + 1].runs[0].segments + seed->overlap.first;
    struct range range = {below[0].smallest, below[seed->overlap.count - 1].largest};
    uint64_t limit = options->segment_bytes * SEGMENTS_AT_ONCE;
    for (size_t i = seed->index + 1; i < run->count && !run->segments[i].is_busy && taken.size_bytes < limit &&
                                     slice_compare(run->segments[i].largest, range.largest) <= 0;
         i++) {
        taken.count++;
        taken.size_bytes += run->segments[i].size_bytes;
    }
    for (size_t i = seed->index; i-- > 0 && !run->segments[i].is_busy && taken.size_bytes < limit &&
                                 slice_compare(run->segments[i].smallest, range.smallest) >= 0;) {
        taken.first = i;
        taken.count++;
        taken.size_bytes += run->segments[i].size_bytes;
    }
    return taken;
}

static void pick_level(struct compaction_job *job, const struct compaction_shape *shape, unsigned n,
                       const struct compaction_options *options, bool for_tombstones)
{
    struct seed seed;
    if (shape->levels[n].run_count != 1 || shape->levels[n + 1].run_count > 1 ||
        !find_seed(&seed, shape, n, for_tombstones))
        return;
    bool is_move = seed.overlap.count == 0 && !seed.is_mostly_tombstones;
    take(job, n, 0, extend_seed(shape, n, &seed, options));
    take(job, n + 1, 0, seed.overlap);
    aim(job, shape, is_move ? COMPACTION_MOVE : COMPACTION_MERGE, n + 1);
}

/* A level below 0 with several runs, as another policy may have left it, becomes one run before anything else is done with it. */
static void pick_runs(struct compaction_job *job, const struct compaction_shape *shape, unsigned n)
{
    const struct compaction_level *level = &shape->levels[n];
    for (size_t i = 0; i < level->run_count; i++) {
        if (stretch_of_run(&level->runs[i]).is_busy)
            return;
    }
    for (size_t i = 0; i < level->run_count; i++)
        take(job, n, i, stretch_of_run(&level->runs[i]));
    aim(job, shape, COMPACTION_MERGE, n);
}

/* ---- Choosing ---- */

/* How urgent a level is: 1 and more is due. */
static double score_of(const struct compaction_shape *shape, unsigned n, uint64_t target,
                       const struct compaction_options *options)
{
    const struct compaction_level *level = &shape->levels[n];
    if (n == 0) {
        double by_runs = (double)level->run_count / COMPACTION_RUNS;
        double by_size = (double)level->size_bytes / (double)options->level_base_bytes;
        return by_runs > by_size ? by_runs : by_size;
    }
    if (level->run_count > 1)
        return (double)level->run_count;
    if (n == LAST_LEVEL || level->size_bytes == 0)
        return 0;
    return target == 0 ? 1 : (double)level->size_bytes / (double)target;
}

static struct kvs_status pick_by_score(struct compaction_job *job, const struct compaction_shape *shape,
                                       const struct compaction_options *options)
{
    uint64_t targets[VERSION_LEVEL_COUNT];
    unsigned base = compaction_targets(targets, shape, options);
    double scores[VERSION_LEVEL_COUNT];
    for (unsigned n = 0; n < VERSION_LEVEL_COUNT; n++)
        scores[n] = score_of(shape, n, targets[n], options);
    while (job->kind == COMPACTION_NONE) {
        unsigned best = 0;
        for (unsigned n = 1; n < VERSION_LEVEL_COUNT; n++)
            best = scores[n] > scores[best] ? n : best;
        if (scores[best] < 1)
            break;
        scores[best] = 0;
        if (best == 0)
            STATUS_RETURN_IF_ERROR(pick_top(job, shape, base, options, false));
        else if (shape->levels[best].run_count > 1)
            pick_runs(job, shape, best);
        else
            pick_level(job, shape, best, options, false);
    }
    return status_ok();
}

static struct kvs_status pick_by_tombstones(struct compaction_job *job, const struct compaction_shape *shape,
                                            const struct compaction_options *options)
{
    uint64_t targets[VERSION_LEVEL_COUNT];
    unsigned base = compaction_targets(targets, shape, options);
    STATUS_RETURN_IF_ERROR(pick_top(job, shape, base, options, true));
    for (unsigned n = base; n < LAST_LEVEL && job->kind == COMPACTION_NONE; n++)
        pick_level(job, shape, n, options, true);
    return status_ok();
}

static struct kvs_status job_init(struct compaction_job *job, const struct compaction_shape *shape)
{
    size_t runs = 0;
    for (unsigned n = 0; n < VERSION_LEVEL_COUNT; n++)
        runs += shape->levels[n].run_count;
    struct compaction_input *inputs = calloc(runs + 1, sizeof *inputs);
    if (inputs == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a compaction of %zu runs", runs);
    *job = (struct compaction_job){.kind = COMPACTION_NONE, .inputs = inputs};
    return status_ok();
}

struct kvs_status compaction_pick(struct compaction_job *job, const struct compaction_shape *shape,
                                  const struct compaction_options *options)
{
    KVS_ASSERT(options->level_base_bytes > 0 && options->segment_bytes > 0);
    struct compaction_job picked;
    STATUS_RETURN_IF_ERROR(job_init(&picked, shape));
    struct kvs_status status = pick_by_score(&picked, shape, options);
    if (status_is_ok(status) && picked.kind == COMPACTION_NONE)
        status = pick_by_tombstones(&picked, shape, options);
    if (status_is_ok(status))
        *job = picked;
    else
        compaction_job_fini(&picked);
    return status;
}

struct kvs_status compaction_pick_all(struct compaction_job *job, const struct compaction_shape *shape)
{
    struct compaction_job picked;
    bool is_busy = false;
    STATUS_RETURN_IF_ERROR(job_init(&picked, shape));
    for (unsigned n = 0; n < VERSION_LEVEL_COUNT; n++) {
        for (size_t i = 0; i < shape->levels[n].run_count; i++) {
            struct stretch run = stretch_of_run(&shape->levels[n].runs[i]);
            is_busy |= run.is_busy;
            take(&picked, n, i, run);
        }
    }
    if (is_busy)
        picked.input_count = 0;
    if (picked.input_count > 0)
        aim(&picked, shape, COMPACTION_MERGE, LAST_LEVEL);
    *job = picked;
    return status_ok();
}
