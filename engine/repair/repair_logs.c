#include "repair/log_survey.h"
#include "repair/repair_internal.h"
#include "wal/log_replay.h"

#include <stdlib.h>

static const struct manifest_log *find_log(const struct repair *repair, uint64_t number)
{
    const struct manifest_logs *logs = &repair->manifest.state.logs;
    for (size_t i = 0; i < logs->count; i++) {
        if (logs->logs[i].number == number)
            return &logs->logs[i];
    }
    return NULL;
}

struct kvs_status repair_check_logs(struct repair *repair, bool *is_sound, bool with_unlisted)
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
    repair_raise(before_sequence, survey.largest_sequence);
    repair_raise(&repair->numbers.last_sequence, survey.largest_sequence);
    repair_raise(&repair->numbers.durable_record, survey.largest_record);
    repair_raise(&repair->numbers.durable_record, survey.largest_watermark);
    return repair_move_file(repair, FILE_LOG, number);
}

struct kvs_status repair_survey_logs(struct repair *repair, bool only_listed, uint64_t flushed_sequence)
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
            STATUS_RETURN_IF_ERROR(repair_move_file(repair, FILE_LOG, number));
        else
            STATUS_RETURN_IF_ERROR(survey_log(repair, &before, number, 0, flushed_sequence));
    }
    return status_ok();
}
