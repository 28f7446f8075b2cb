#include "version/version_run.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>

static int compare_segments(const void *a, const void *b)
{
    const struct version_segment *const *x = a, *const *y = b;
    return key_compare((*x)->meta.smallest, (*y)->meta.smallest);
}

static struct kvs_status check_order(const struct version_run *run)
{
    for (size_t i = 1; i < run->count; i++) {
        const struct segment_meta *before = &run->segments[i - 1]->meta;
        const struct segment_meta *after = &run->segments[i]->meta;
        if (slice_compare(before->largest.user, after->smallest.user) >= 0)
            return STATUS(KVS_CORRUPT,
                          "run %" PRIu64 ": expected segments that share no key, found that segments %" PRIu64
                          " and %" PRIu64 " overlap",
                          run->id, before->number, after->number);
    }
    return status_ok();
}

/* The prefix and what depends on it, of sorted segments; and the sums. */
static void summarise(struct version_run *run)
{
    struct kvs_slice first = run->segments[0]->meta.smallest.user;
    struct kvs_slice last = run->segments[run->count - 1]->meta.largest.user;
    run->prefix = slice_of(first.data, slice_shared_prefix(first, last));
    for (size_t i = 0; i < run->count; i++) {
        const struct segment_meta *meta = &run->segments[i]->meta;
        run->largest_hints[i] = slice_hint(meta->largest.user, run->prefix.size);
        run->size_bytes += meta->size_bytes;
        run->entry_count += meta->entry_count;
        run->tombstone_count += meta->tombstone_count;
    }
}

struct kvs_status version_run_new(struct version_run **run, uint64_t id, struct version_segment *const *segments,
                                  size_t count)
{
    KVS_ASSERT(count > 0);
    struct version_run *made = malloc(sizeof *made + count * (sizeof(struct version_segment *) + sizeof(uint64_t)));
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a run of %zu segments", count);
    *made = (struct version_run){.id = id, .count = count};
    atomic_init(&made->references, 1);
    made->segments = (struct version_segment **)(made + 1);
    made->largest_hints = (uint64_t *)(made->segments + count);
    memcpy(made->segments, segments, count * sizeof(struct version_segment *));
    qsort(made->segments, count, sizeof(struct version_segment *), compare_segments);
    struct kvs_status status = check_order(made);
    if (!status_is_ok(status)) {
        free(made);
        return status;
    }
    summarise(made);
    for (size_t i = 0; i < count; i++)
        version_segment_ref(made->segments[i]);
    *run = made;
    return status_ok();
}

struct version_run *version_run_ref(struct version_run *run)
{
    atomic_fetch_add_explicit(&run->references, 1, memory_order_relaxed);
    return run;
}

void version_run_unref(struct version_run *run)
{
    /* Release what this holder read, acquire what the others did, before freeing. */
    if (run == NULL || atomic_fetch_sub_explicit(&run->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < run->count; i++)
        version_segment_unref(run->segments[i]);
    free(run);
}

/* The first index in [low, high) whose hint is at least, or (with above) greater than, hint. */
static size_t search_hints(const struct version_run *run, size_t low, size_t high, uint64_t hint, bool above)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t at = run->largest_hints[middle];
        if (at < hint || (above && at == hint))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t version_run_search(const struct version_run *run, struct kvs_slice user_key)
{
    size_t shared = user_key.size < run->prefix.size ? user_key.size : run->prefix.size;
    int order = shared == 0 ? 0 : memcmp(user_key.data, run->prefix.data, shared);
    if (order != 0 || user_key.size < run->prefix.size)
        return order > 0 ? run->count : 0;
    uint64_t hint = slice_hint(user_key, run->prefix.size);
    size_t low = search_hints(run, 0, run->count, hint, false);
    size_t high = search_hints(run, low, run->count, hint, true);
    while (low < high) { /* equal hints: the keys decide */
        size_t middle = low + (high - low) / 2;
        if (slice_compare(run->segments[middle]->meta.largest.user, user_key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool version_run_overlaps(const struct version_run *run, struct kvs_slice lower, struct kvs_slice upper)
{
    size_t first = version_run_search(run, lower);
    return first < run->count &&
           (upper.size == 0 || slice_compare(run->segments[first]->meta.smallest.user, upper) < 0);
}

void version_run_range(const struct version_run *run, size_t *first, size_t *count, struct kvs_slice smallest,
                       struct kvs_slice largest)
{
    *first = version_run_search(run, smallest);
    *count = 0;
    while (*first + *count < run->count &&
           slice_compare(run->segments[*first + *count]->meta.smallest.user, largest) <= 0)
        (*count)++;
}
