#include "version/version_internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* A run of the new version.
 *
 * base      the run of the old version in its place, NULL for a new one
 * removed, added   how many segments the edit takes away and adds
 * segments  of a run that the edit touches, borrowed; count of them so far */
struct draft_run {
    unsigned level;
    uint64_t id;
    struct version_run *base;
    size_t removed;
    size_t added;
    struct version_segment **segments;
    size_t count;
};

/* removed, opened   sorted copies of what was given, for searching */
struct draft {
    struct draft_run *runs;
    size_t run_count;
    struct manifest_removed *removed;
    size_t removed_count;
    struct version_segment **opened;
    size_t opened_count;
};

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_removed(const void *a, const void *b)
{
    const struct manifest_removed *x = a, *y = b;
    return compare_u64(x->number, y->number);
}

static int compare_opened(const void *a, const void *b)
{
    const struct version_segment *const *x = a, *const *y = b;
    return compare_u64((*x)->meta.number, (*y)->meta.number);
}

/* Age order: level by level, the newest run first. */
static int compare_drafts(const void *a, const void *b)
{
    const struct draft_run *x = a, *y = b;
    if (x->level != y->level)
        return compare_u64(x->level, y->level);
    return compare_u64(y->id, x->id);
}

/* ---- Setting up ---- */

static void draft_fini(struct draft *draft)
{
    for (size_t i = 0; i < draft->run_count; i++)
        free(draft->runs[i].segments);
    free(draft->runs);
    free(draft->removed);
    free(draft->opened);
}

static void *copy_sorted(const void *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *))
{
    void *copy = malloc((count + 1) * item_bytes);
    if (copy != NULL && count > 0) {
        memcpy(copy, items, count * item_bytes);
        qsort(copy, count, item_bytes, compare);
    }
    return copy;
}

static struct kvs_status draft_init(struct draft *draft, const struct version *base, const struct manifest_edit *edit,
                                    struct version_segment *const *opened, size_t opened_count)
{
    *draft = (struct draft){.removed_count = edit->removed_count, .opened_count = opened_count};
    draft->runs = calloc(base->run_count + edit->added_count + 1, sizeof *draft->runs);
    draft->removed = copy_sorted(edit->removed, edit->removed_count, sizeof *edit->removed, compare_removed);
    draft->opened = copy_sorted(opened, opened_count, sizeof(struct version_segment *), compare_opened);
    if (draft->runs == NULL || draft->removed == NULL || draft->opened == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a version");
    for (unsigned level = 0; level < VERSION_LEVEL_COUNT; level++) {
        for (size_t i = base->level_start[level]; i < base->level_start[level + 1]; i++)
            draft->runs[draft->run_count++] =
                (struct draft_run){.level = level, .id = base->runs[i]->id, .base = base->runs[i]};
    }
    return status_ok();
}

static struct draft_run *find_run(struct draft *draft, unsigned level, uint64_t id)
{
    for (size_t i = 0; i < draft->run_count; i++) {
        if (draft->runs[i].level == level && draft->runs[i].id == id)
            return &draft->runs[i];
    }
    return NULL;
}

static struct kvs_status no_such_segment(const struct manifest_removed *removed)
{
    return STATUS(KVS_CORRUPT,
                  "version edit: expected segment %" PRIu64 " in run %" PRIu64
                  " of level %u, to remove it; it is not there",
                  removed->number, removed->run, removed->level);
}

/* Note which runs the edit touches, and make room in them. */
static struct kvs_status count_changes(struct draft *draft, const struct manifest_edit *edit)
{
    for (size_t i = 0; i < edit->removed_count; i++) {
        const struct manifest_removed *removed = &edit->removed[i];
        struct draft_run *run = find_run(draft, removed->level, removed->run);
        if (run == NULL)
            return no_such_segment(removed);
        run->removed++;
    }
    for (size_t i = 0; i < edit->added_count; i++) {
        const struct manifest_added *added = &edit->added[i];
        struct draft_run *run = find_run(draft, added->level, added->run);
        if (run == NULL) {
            run = &draft->runs[draft->run_count++];
            *run = (struct draft_run){.level = added->level, .id = added->run};
        }
        run->added++;
    }
    for (size_t i = 0; i < draft->run_count; i++) {
        struct draft_run *run = &draft->runs[i];
        if (run->removed + run->added == 0)
            continue;
        run->segments =
            malloc((run->added + (run->base == NULL ? 0 : run->base->count)) * sizeof(struct version_segment *));
        if (run->segments == NULL)
            return STATUS(KVS_NO_MEMORY, "cannot allocate a run");
    }
    return status_ok();
}

/* ---- Filling ---- */

static const struct manifest_removed *find_removed(const struct draft *draft, uint64_t number)
{
    struct manifest_removed wanted = {.number = number};
    if (draft->removed_count == 0)
        return NULL;
    return bsearch(&wanted, draft->removed, draft->removed_count, sizeof wanted, compare_removed);
}

/* The segments of a touched run that stay. */
static struct kvs_status keep_segments(const struct draft *draft, struct draft_run *run)
{
    size_t removed = 0;
    for (size_t i = 0; run->base != NULL && i < run->base->count; i++) {
        struct version_segment *segment = run->base->segments[i];
        const struct manifest_removed *found = find_removed(draft, segment->meta.number);
        if (found != NULL && found->level == run->level && found->run == run->id)
            removed++;
        else
            run->segments[run->count++] = segment;
    }
    if (removed != run->removed)
        return STATUS(KVS_CORRUPT,
                      "version edit: expected to remove %zu segments from run %" PRIu64
                      " of level %u, found %zu of them",
                      run->removed, run->id, run->level, removed);
    return status_ok();
}

/* A segment that the edit removes from one place and adds in another. */
static struct version_segment *find_moved(const struct draft *draft, uint64_t number)
{
    const struct manifest_removed *removed = find_removed(draft, number);
    if (removed == NULL)
        return NULL;
    for (size_t i = 0; i < draft->run_count; i++) {
        const struct draft_run *run = &draft->runs[i];
        if (run->base == NULL || run->level != removed->level || run->id != removed->run)
            continue;
        for (size_t s = 0; s < run->base->count; s++) {
            if (run->base->segments[s]->meta.number == number)
                return run->base->segments[s];
        }
    }
    return NULL;
}

static struct version_segment *find_opened(const struct draft *draft, uint64_t number)
{
    size_t low = 0, high = draft->opened_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (draft->opened[middle]->meta.number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < draft->opened_count && draft->opened[low]->meta.number == number ? draft->opened[low] : NULL;
}

static struct kvs_status add_segment(struct draft *draft, const struct manifest_added *added)
{
    struct version_segment *segment = find_opened(draft, added->meta.number);
    if (segment == NULL)
        segment = find_moved(draft, added->meta.number);
    if (segment == NULL)
        return STATUS(KVS_CORRUPT,
                      "version edit: expected segment %" PRIu64 ", which it adds, to be open or in the version before",
                      added->meta.number);
    struct draft_run *run = find_run(draft, added->level, added->run);
    run->segments[run->count++] = segment;
    return status_ok();
}

static struct kvs_status fill(struct draft *draft, const struct manifest_edit *edit)
{
    STATUS_RETURN_IF_ERROR(count_changes(draft, edit));
    for (size_t i = 0; i < draft->run_count; i++) {
        if (draft->runs[i].segments != NULL)
            STATUS_RETURN_IF_ERROR(keep_segments(draft, &draft->runs[i]));
    }
    for (size_t i = 0; i < edit->added_count; i++)
        STATUS_RETURN_IF_ERROR(add_segment(draft, &edit->added[i]));
    return status_ok();
}

/* ---- Finishing ---- */

static struct kvs_status build_run(struct version *version, const struct draft_run *draft)
{
    struct version_run *run;
    if (draft->segments == NULL) {
        version_add_run(version, draft->level, version_run_ref(draft->base));
        return status_ok();
    }
    if (draft->count == 0)
        return status_ok();
    STATUS_RETURN_IF_ERROR(version_run_new(&run, draft->id, draft->segments, draft->count));
    version_add_run(version, draft->level, run);
    return status_ok();
}

static struct kvs_status build(struct version **version, struct draft *draft)
{
    struct version *made;
    STATUS_RETURN_IF_ERROR(version_new_sized(&made, draft->run_count));
    qsort(draft->runs, draft->run_count, sizeof *draft->runs, compare_drafts);
    for (size_t i = 0; i < draft->run_count; i++) {
        struct kvs_status status = build_run(made, &draft->runs[i]);
        if (!status_is_ok(status)) {
            version_unref(made);
            return status;
        }
    }
    *version = made;
    return status_ok();
}

struct kvs_status version_apply(struct version **version, const struct version *base, const struct manifest_edit *edit,
                                struct version_segment *const *opened, size_t opened_count)
{
    struct draft draft;
    struct version *made = NULL;
    struct kvs_status status = draft_init(&draft, base, edit, opened, opened_count);
    if (status_is_ok(status))
        status = fill(&draft, edit);
    if (status_is_ok(status))
        status = build(&made, &draft);
    if (status_is_ok(status)) {
        made->number = base->number + 1;
        *version = made;
    }
    draft_fini(&draft);
    return status;
}
