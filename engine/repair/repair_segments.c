#include "repair/repair_internal.h"
#include "segment/segment.h"

#include <stdlib.h>

/* Memory for checking the segments that may stay. */
enum { VERIFY_MEMORY_BYTES = 16 * 1024 * 1024 };

static struct kvs_status add_segment(struct repair *repair, const struct repair_segment *segment)
{
    if (repair->segment_count == repair->segment_capacity) {
        size_t capacity = repair->segment_capacity == 0 ? 64 : repair->segment_capacity * 2;
        struct repair_segment *grown = realloc(repair->segments, capacity * sizeof *grown);
        if (grown == NULL)
            return STATUS(KVS_NO_MEMORY, "no memory for a list of %zu segments", capacity);
        repair->segments = grown;
        repair->segment_capacity = capacity;
    }
    repair->segments[repair->segment_count++] = *segment;
    return status_ok();
}

/* Whether a segment is what the manifest says, byte for byte. Errors: IO, NO_MEMORY, UNSUPPORTED. */
static struct kvs_status check_segment(struct repair *repair, bool *is_sound, const struct segment_meta *meta)
{
    struct memory_budget budget;
    struct cache *cache;
    struct segment *segment;
    memory_budget_init(&budget, VERIFY_MEMORY_BYTES);
    STATUS_RETURN_IF_ERROR(cache_new(&cache, repair->io, &budget));
    struct kvs_status status = segment_open(&segment, repair->io, repair->folder, meta, cache, &budget);
    if (status_is_ok(status)) {
        status = segment_verify(segment, NULL, NULL);
        segment_unref(segment);
    }
    cache_free(cache);
    *is_sound = status_is_ok(status);
    return status.code == KVS_CORRUPT || status.code == KVS_NOT_FOUND ? status_ok() : status;
}

/* Read what is left of a segment. */
static struct kvs_status salvage_segment(struct repair *repair, struct repair_segment *segment)
{
    struct repair_report *report = &repair->report;
    const struct segment_meta *meta = segment->listed == NULL ? NULL : &segment->listed->meta;
    STATUS_RETURN_IF_ERROR(
        segment_salvage_new(&segment->salvage, repair->io, repair->folder, segment->number, meta, report));
    segment->is_gone = segment->salvage == NULL;
    if (segment->salvage == NULL)
        return status_ok();
    report->salvaged_segments++;
    report->salvaged_entries += segment_salvage_entries(segment->salvage);
    repair_raise(&repair->numbers.last_sequence, segment_salvage_largest_sequence(segment->salvage));
    return status_ok();
}

static struct kvs_status take_listed(struct repair *repair, const struct manifest_added *listed)
{
    struct repair_segment segment = {.number = listed->meta.number, .listed = listed};
    size_t findings = repair->report.finding_count;
    bool is_sound = true;
    repair_raise(&repair->numbers.last_sequence, listed->meta.max_sequence);
    struct kvs_status status = check_segment(repair, &is_sound, &listed->meta);
    if (status_is_ok(status) && (!is_sound || repair->for_salvage))
        status = salvage_segment(repair, &segment);
    if (is_sound)
        repair_report_cut(&repair->report, findings); /* a salvage of what is sound says so, and that is no finding */
    if (status_is_ok(status))
        status = add_segment(repair, &segment);
    if (!status_is_ok(status)) {
        segment_salvage_free(segment.salvage);
        return status;
    }
    repair->report.kept_segments += is_sound;
    return is_sound ? status_ok() : repair_move_file(repair, FILE_SEGMENT, segment.number);
}

struct kvs_status repair_take_listed(struct repair *repair)
{
    const struct manifest_state *state = &repair->manifest.state;
    for (size_t i = 0; i < state->slot_count; i++) {
        if (state->slots[i].is_live)
            STATUS_RETURN_IF_ERROR(take_listed(repair, &state->slots[i].added));
    }
    return status_ok();
}

/* The edit that added a segment, if it was read. */
static const struct manifest_slot *find_slot(const struct repair *repair, uint64_t number)
{
    const struct manifest_state *state = &repair->manifest.state;
    for (size_t i = 0; i < state->slot_count; i++) {
        if (state->slots[i].added.meta.number == number)
            return &state->slots[i];
    }
    return NULL;
}

/* REBUILD: a segment of the folder, unless an edit says that it is not used any more. */
static struct kvs_status take_found(struct repair *repair, uint64_t number)
{
    const struct manifest_slot *slot = find_slot(repair, number);
    struct repair_segment segment = {.number = number, .listed = slot == NULL ? NULL : &slot->added};
    if (slot != NULL && !slot->is_live)
        return status_ok();
    size_t findings = repair->report.finding_count;
    struct kvs_status status = salvage_segment(repair, &segment);
    if (status_is_ok(status) && repair->report.finding_count == findings + 1 &&
        !repair->report.findings[findings].is_lost && !segment.is_gone)
        repair_report_cut(&repair->report, findings);
    if (status_is_ok(status))
        status = add_segment(repair, &segment);
    if (!status_is_ok(status)) {
        segment_salvage_free(segment.salvage);
        return status;
    }
    return repair_move_file(repair, FILE_SEGMENT, number);
}

struct kvs_status repair_take_found(struct repair *repair)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    STATUS_RETURN_IF_ERROR(repair_list_numbers(repair, &numbers, &count, FILE_SEGMENT));
    struct kvs_status status = status_ok();
    for (size_t i = 0; i < count && status_is_ok(status); i++)
        status = take_found(repair, numbers[i]);
    free(numbers);
    return status;
}
