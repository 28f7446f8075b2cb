#include "repair/repair.h"

#include "repair/repair_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the manifest says may be refuted by the files that it does not list. */
static struct kvs_status doubt_manifest(struct repair *repair, bool *logs_are_sound)
{
    bool is_older = false, listed_are_sound = false;
    STATUS_RETURN_IF_ERROR(repair_check_logs(repair, &listed_are_sound, false));
    STATUS_RETURN_IF_ERROR(repair_check_logs(repair, logs_are_sound, true));
    STATUS_RETURN_IF_ERROR(repair_is_older_copy(repair, &is_older));
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
    STATUS_RETURN_IF_ERROR(repair_move_file(repair, FILE_CURRENT, 0));
    STATUS_RETURN_IF_ERROR(repair_list_numbers(repair, &numbers, &count, FILE_MANIFEST));
    struct kvs_status status = status_ok();
    for (size_t i = 0; i < count && status_is_ok(status); i++)
        status = repair_move_file(repair, FILE_MANIFEST, numbers[i]);
    free(numbers);
    return status;
}

static uint64_t flushed_sequence(const struct repair *repair)
{
    const struct manifest_state *state = &repair->manifest.state;
    uint64_t largest = 0;
    for (size_t i = 0; i < state->slot_count; i++) {
        if (state->slots[i].is_live)
            repair_raise(&largest, state->slots[i].added.meta.max_sequence);
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
    STATUS_RETURN_IF_ERROR(repair_take_listed(repair));
    repair->report.logs_stay = logs_are_sound && !repair->for_salvage;
    if (repair->report.logs_stay)
        return status_ok();
    size_t findings = repair->report.finding_count;
    STATUS_RETURN_IF_ERROR(repair_survey_logs(repair, true, flushed_sequence(repair)));
    return logs_are_sound || repair->report.finding_count > findings ? status_ok() : note_refusal(repair);
}

static struct kvs_status survey_lost_manifest(struct repair *repair)
{
    repair->report.mode = REPAIR_REBUILD;
    STATUS_RETURN_IF_ERROR(repair_take_found(repair));
    return repair_survey_logs(repair, false, 0);
}

static struct kvs_status survey(struct repair *repair)
{
    bool logs_are_sound = false;
    STATUS_RETURN_IF_ERROR(manifest_survey(repair->io, &repair->manifest, repair->folder, &repair->report));
    snprintf(repair->owner, sizeof repair->owner, "%s", repair->manifest.state.owner);
    repair->numbers = repair->manifest.state.numbers;
    STATUS_RETURN_IF_ERROR(repair_list_numbers(repair, &repair->logs, &repair->log_count, FILE_LOG));
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
