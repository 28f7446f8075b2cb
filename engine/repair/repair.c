#include "repair/repair.h"

#include "repair/log_survey.h"
#include "repair/repair_internal.h"
#include "segment/segment.h"
#include "wal/log_replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Memory for checking the segments that may stay. */
enum { VERIFY_MEMORY_BYTES = 16 * 1024 * 1024 };

static void raise(uint64_t *value, uint64_t other)
{
    if (other > *value)
        *value = other;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* ---- The folder ---- */

/* Numbers of one type of file. */
struct listing {
    enum file_type type;
    uint64_t *numbers;
    size_t count;
    bool is_out_of_memory;
};

static bool note_number(void *context, const char *name)
{
    struct listing *listing = context;
    uint64_t number;
    if (file_name_parse(&number, name) != listing->type)
        return true;
    uint64_t *grown = realloc(listing->numbers, (listing->count + 1) * sizeof *grown);
    listing->is_out_of_memory = grown == NULL;
    if (grown == NULL)
        return false;
    listing->numbers = grown;
    listing->numbers[listing->count++] = number;
    return true;
}

/* The numbers of all files of a type, ascending. numbers: out, the caller frees it. */
static struct kvs_status list_numbers(const struct repair *repair, uint64_t **numbers, size_t *count,
                                      enum file_type type)
{
    struct listing listing = {.type = type};
    struct kvs_status status = io_list(repair->io, repair->folder, note_number, &listing);
    if (status_is_ok(status) && listing.is_out_of_memory)
        status = STATUS(KVS_NO_MEMORY, "no memory for a list of files");
    if (!status_is_ok(status)) {
        free(listing.numbers);
        return status;
    }
    if (listing.count > 0)
        qsort(listing.numbers, listing.count, sizeof *listing.numbers, compare_numbers);
    *numbers = listing.numbers;
    *count = listing.count;
    return status_ok();
}

static struct kvs_status move(struct repair *repair, enum file_type type, uint64_t number)
{
    char path[IO_PATH_BYTES], name[FILE_NAME_BYTES];
    bool exists;
    file_name_print(name, type, number);
    STATUS_RETURN_IF_ERROR(file_name_path(path, repair->folder, type, number));
    STATUS_RETURN_IF_ERROR(io_exists(repair->io, &exists, path));
    return exists ? repair_report_move(&repair->report, name) : status_ok();
}

/* ---- Segments ---- */

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
    raise(&repair->numbers.last_sequence, segment_salvage_largest_sequence(segment->salvage));
    return status_ok();
}

static struct kvs_status take_listed(struct repair *repair, const struct manifest_added *listed)
{
    struct repair_segment segment = {.number = listed->meta.number, .listed = listed};
    size_t findings = repair->report.finding_count;
    bool is_sound = true;
    raise(&repair->numbers.last_sequence, listed->meta.max_sequence);
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
    return is_sound ? status_ok() : move(repair, FILE_SEGMENT, segment.number);
}

static struct kvs_status take_all_listed(struct repair *repair)
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
    return move(repair, FILE_SEGMENT, number);
}

static struct kvs_status take_all_found(struct repair *repair)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    STATUS_RETURN_IF_ERROR(list_numbers(repair, &numbers, &count, FILE_SEGMENT));
    struct kvs_status status = status_ok();
    for (size_t i = 0; i < count && status_is_ok(status); i++)
        status = take_found(repair, numbers[i]);
    free(numbers);
    return status;
}

/* ---- Logs ---- */

static const struct manifest_log *find_log(const struct repair *repair, uint64_t number)
{
    const struct manifest_logs *logs = &repair->manifest.state.logs;
    for (size_t i = 0; i < logs->count; i++) {
        if (logs->logs[i].number == number)
            return &logs->logs[i];
    }
    return NULL;
}

/* Whether the listed logs replay as a start would replay them; with_unlisted: and no other log speaks against it. */
static struct kvs_status check_logs(struct repair *repair, bool *is_sound, bool with_unlisted)
{
    const struct manifest_logs *logs = &repair->manifest.state.logs;
    struct log_listing *listings = calloc(logs->count + 1, sizeof *listings);
    struct log_replay_end *ends = calloc(logs->count + repair->log_count + 1, sizeof *ends);
    struct log_replay_report report;
    struct kvs_status status;
    uint64_t newest = logs->count == 0 ? 0 : logs->logs[logs->count - 1].number;
    size_t first = repair->log_count;
    while (first > 0 && repair->logs[first - 1] > newest)
        first--;
    struct log_replay_options options = {
        .folder = repair->folder,
        .uuid = repair->manifest.uuid,
        .logs = listings,
        .count = logs->count,
        .unlisted = with_unlisted && repair->log_count > first ? repair->logs + first : NULL,
        .unlisted_count = with_unlisted ? repair->log_count - first : 0,
        .durable_record = repair->manifest.state.numbers.durable_record,
    };
    for (size_t i = 0; i < logs->count && listings != NULL; i++)
        listings[i] = (struct log_listing){logs->logs[i].number, logs->logs[i].first_record, logs->logs[i].is_ended,
                                           logs->logs[i].size_bytes, logs->logs[i].last_record};
    if (listings == NULL || ends == NULL)
        status = STATUS(KVS_NO_MEMORY, "no memory for a list of %zu logs", logs->count);
    else
        status = log_replay(repair->io, &report, ends, &options);
    free(listings);
    free(ends);
    *is_sound = status_is_ok(status);
    if (status.code != KVS_CORRUPT)
        return status;
    status_save_text(status, repair->refusal);
    return status_ok();
}

/* before_sequence: in-out, the largest of the logs so far. */
static struct kvs_status survey_log(struct repair *repair, uint64_t *before_sequence, uint64_t number,
                                    uint64_t next_first, uint64_t flushed_sequence)
{
    const struct manifest_log *listed = find_log(repair, number);
    struct log_survey survey;
    struct log_survey_options options = {
        .folder = repair->folder,
        .listing = {.number = number},
        .next_first = next_first,
        .durable = repair->numbers.durable_record,
        .before_sequence = *before_sequence,
        .flushed_sequence = flushed_sequence,
    };
    if (listed != NULL)
        options.listing = (struct log_listing){number, listed->first_record, listed->is_ended, listed->size_bytes,
                                               listed->last_record};
    STATUS_RETURN_IF_ERROR(log_survey(repair->io, &survey, &repair->entries, &repair->report, &options));
    repair->report.log_records += survey.records;
    repair->report.log_entries += survey.entries;
    raise(before_sequence, survey.largest_sequence);
    raise(&repair->numbers.last_sequence, survey.largest_sequence);
    raise(&repair->numbers.durable_record, survey.largest_record);
    raise(&repair->numbers.durable_record, survey.largest_watermark);
    return move(repair, FILE_LOG, number);
}

/* Read all listed logs, or all that there are. */
static struct kvs_status survey_logs(struct repair *repair, bool only_listed, uint64_t flushed_sequence)
{
    const struct manifest_logs *logs = &repair->manifest.state.logs;
    uint64_t before = 0;
    for (size_t i = 0; i < logs->count; i++) {
        uint64_t next_first = i + 1 < logs->count && !logs->logs[i].is_ended ? logs->logs[i + 1].first_record : 0;
        STATUS_RETURN_IF_ERROR(survey_log(repair, &before, logs->logs[i].number, next_first, flushed_sequence));
    }
    for (size_t i = 0; i < repair->log_count; i++) {
        uint64_t number = repair->logs[i];
        if (find_log(repair, number) != NULL)
            continue;
        if (only_listed) /* prepared, or left over */
            STATUS_RETURN_IF_ERROR(move(repair, FILE_LOG, number));
        else
            STATUS_RETURN_IF_ERROR(survey_log(repair, &before, number, 0, flushed_sequence));
    }
    return status_ok();
}

/* ---- The whole ---- */

/* Segments that the manifest lists are missing while newer ones are there that it does not list: it is an older copy. */
static struct kvs_status is_older_copy(const struct repair *repair, bool *is_older)
{
    const struct manifest_state *state = &repair->manifest.state;
    uint64_t *numbers = NULL, newest = 0;
    size_t count = 0, missing = 0;
    STATUS_RETURN_IF_ERROR(list_numbers(repair, &numbers, &count, FILE_SEGMENT));
    for (size_t i = 0; i < state->slot_count; i++) {
        uint64_t number = state->slots[i].added.meta.number;
        if (!state->slots[i].is_live)
            continue;
        raise(&newest, number);
        missing += count == 0 || bsearch(&number, numbers, count, sizeof *numbers, compare_numbers) == NULL;
    }
    *is_older = missing > 0 && count > 0 && numbers[count - 1] > newest;
    free(numbers);
    return status_ok();
}

/* What the manifest says may be refuted by the files that it does not list. */
static struct kvs_status doubt_manifest(struct repair *repair, bool *logs_are_sound)
{
    bool is_older = false, listed_are_sound = false;
    STATUS_RETURN_IF_ERROR(check_logs(repair, &listed_are_sound, false));
    STATUS_RETURN_IF_ERROR(check_logs(repair, logs_are_sound, true));
    STATUS_RETURN_IF_ERROR(is_older_copy(repair, &is_older));
    if (!is_older && (!listed_are_sound || *logs_are_sound))
        return status_ok();
    struct repair_finding finding = {.part = REPAIR_MANIFEST};
    file_name_print(finding.file, FILE_MANIFEST, repair->manifest.number);
    snprintf(finding.what, sizeof finding.what,
             "it has lost its end, or is an older copy: files in the folder are newer than its last edit");
    repair->manifest.is_sound = false;
    return repair_report_add(&repair->report, &finding);
}

static struct kvs_status move_manifest(struct repair *repair)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    STATUS_RETURN_IF_ERROR(move(repair, FILE_CURRENT, 0));
    STATUS_RETURN_IF_ERROR(list_numbers(repair, &numbers, &count, FILE_MANIFEST));
    struct kvs_status status = status_ok();
    for (size_t i = 0; i < count && status_is_ok(status); i++)
        status = move(repair, FILE_MANIFEST, numbers[i]);
    free(numbers);
    return status;
}

static uint64_t flushed_sequence(const struct repair *repair)
{
    const struct manifest_state *state = &repair->manifest.state;
    uint64_t largest = 0;
    for (size_t i = 0; i < state->slot_count; i++) {
        if (state->slots[i].is_live)
            raise(&largest, state->slots[i].added.meta.max_sequence);
    }
    return largest;
}

/* A start refuses the logs, yet nothing in them is missing: a file lost only what was preallocated, say. */
static struct kvs_status note_refusal(struct repair *repair)
{
    struct repair_finding finding = {.part = REPAIR_LOG};
    const char *end = strstr(repair->refusal, ".log"), *begin = end;
    while (begin != NULL && begin > repair->refusal && begin[-1] != '/' && begin[-1] != ' ')
        begin--;
    if (end != NULL)
        snprintf(finding.file, sizeof finding.file, "%.*s.log", (int)(end - begin), begin);
    snprintf(finding.what, sizeof finding.what, "%s", repair->refusal);
    char *rule = strstr(finding.what, ": refused by");
    if (rule != NULL)
        *rule = '\0';
    return repair_report_add(&repair->report, &finding);
}

static struct kvs_status survey_sound_manifest(struct repair *repair, bool logs_are_sound)
{
    STATUS_RETURN_IF_ERROR(take_all_listed(repair));
    repair->report.logs_stay = logs_are_sound && !repair->for_salvage;
    if (repair->report.logs_stay)
        return status_ok();
    size_t findings = repair->report.finding_count;
    STATUS_RETURN_IF_ERROR(survey_logs(repair, true, flushed_sequence(repair)));
    return logs_are_sound || repair->report.finding_count > findings ? status_ok() : note_refusal(repair);
}

static struct kvs_status survey_lost_manifest(struct repair *repair)
{
    repair->report.mode = REPAIR_REBUILD;
    STATUS_RETURN_IF_ERROR(take_all_found(repair));
    return survey_logs(repair, false, 0);
}

static struct kvs_status survey(struct repair *repair)
{
    bool logs_are_sound = false;
    STATUS_RETURN_IF_ERROR(manifest_survey(repair->io, &repair->manifest, repair->folder, &repair->report));
    snprintf(repair->owner, sizeof repair->owner, "%s", repair->manifest.state.owner);
    repair->numbers = repair->manifest.state.numbers;
    STATUS_RETURN_IF_ERROR(list_numbers(repair, &repair->logs, &repair->log_count, FILE_LOG));
    if (repair->manifest.is_sound)
        STATUS_RETURN_IF_ERROR(doubt_manifest(repair, &logs_are_sound));
    STATUS_RETURN_IF_ERROR(repair->manifest.is_sound ? survey_sound_manifest(repair, logs_are_sound)
                                                     : survey_lost_manifest(repair));
    if (repair->report.mode == REPAIR_NOTHING && repair->report.finding_count > 0)
        repair->report.mode = REPAIR_PATCH;
    repair->numbers.published_sequence = repair->numbers.last_sequence;
    return repair->report.mode == REPAIR_NOTHING ? status_ok() : move_manifest(repair);
}

struct kvs_status repair_survey(struct repair **repair, struct io *io, const char *folder, bool for_salvage)
{
    struct repair *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a survey of %s", folder);
    made->io = io;
    made->for_salvage = for_salvage;
    repair_report_init(&made->report);
    manifest_state_init(&made->manifest.state);
    if ((size_t)snprintf(made->folder, sizeof made->folder, "%s", folder) >= sizeof made->folder) {
        free(made);
        return STATUS(KVS_TOO_LARGE, "the folder's name has more than %d bytes", IO_PATH_BYTES - 1);
    }
    struct kvs_status status = survey(made);
    if (status_is_ok(status))
        *repair = made;
    else
        repair_free(made);
    return status;
}

void repair_free(struct repair *repair)
{
    if (repair == NULL)
        return;
    for (size_t i = 0; i < repair->segment_count; i++)
        segment_salvage_free(repair->segments[i].salvage);
    free(repair->segments);
    free(repair->logs);
    entry_list_fini(&repair->entries);
    manifest_survey_fini(&repair->manifest);
    repair_report_fini(&repair->report);
    free(repair);
}

const struct repair_report *repair_report_of(const struct repair *repair)
{
    return &repair->report;
}

const char *repair_owner(const struct repair *repair)
{
    return repair->owner;
}

void repair_set_owner(struct repair *repair, const char *owner)
{
    snprintf(repair->owner, sizeof repair->owner, "%s", owner);
}
