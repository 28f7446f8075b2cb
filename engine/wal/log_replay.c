#include "wal/log_replay_internal.h"

#include "format/log_header.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- The list ---- */

static bool listing_is_possible(const struct log_listing *log, const struct log_listing *before)
{
    if (log->first_record == 0 || log->first_record > RECORD_NUMBER_MAX)
        return false;
    if (log->has_end && (log->end_bytes < LOG_HEADER_BYTES || log->end_bytes % LOG_RECORD_ALIGNMENT != 0 ||
                         log->last_record > RECORD_NUMBER_MAX || log->last_record + 1 < log->first_record))
        return false;
    if (before == NULL)
        return true;
    return log->number > before->number && log->first_record >= before->first_record &&
           (!before->has_end || log->first_record > before->last_record);
}

/* Numbers that were cut by an earlier recovery are missing between a listed end and the next log, so a gap there is no damage. */
static struct kvs_status check_listings(const struct log_replay_options *options)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct log_listing *log = &options->logs[i];
        if (!listing_is_possible(log, i > 0 ? log - 1 : NULL))
            return STATUS(KVS_CORRUPT,
                          "%s: the manifest lists log %" PRIu64 " with records from %" PRIu64
                          ", which does not follow what is listed before it",
                          options->folder, log->number, log->first_record);
    }
    if (options->durable_record > RECORD_NUMBER_MAX)
        return STATUS(KVS_CORRUPT, "%s: the manifest has durable record %" PRIu64 ", above any that can be",
                      options->folder, options->durable_record);
    return status_ok();
}

/* ---- The rules, in order ---- */

/* What is durable by the manifest's word: its number, and the logs that were synced to their listed ends. An end after a log without one
 * says nothing of that log. */
static uint64_t listed_as_durable(const struct log_replay_options *options)
{
    uint64_t durable = options->durable_record;
    for (size_t i = 0; i < options->count && options->logs[i].has_end; i++) {
        if (options->logs[i].last_record > durable)
            durable = options->logs[i].last_record;
    }
    return durable;
}

static struct kvs_status scan(struct replay *replay)
{
    const struct log_replay_options *options = replay->options;
    replay->durable = listed_as_durable(options);
    replay->expected = options->count > 0 ? options->logs[0].first_record : options->durable_record + 1;
    for (size_t i = 0; i < options->count; i++)
        STATUS_RETURN_IF_ERROR(replay_scan_listed(replay, i));
    if (options->count > 0 && replay->durable >= replay->expected)
        return replay_refuse(replay, 3, replay->stop_log, replay->ends[replay->stop_log].end_bytes, replay->expected,
                             replay->found);
    for (size_t i = 0; i < options->unlisted_count; i++)
        STATUS_RETURN_IF_ERROR(replay_scan_unlisted(replay, i));
    return replay->durable >= replay->expected ? replay_refuse_unlisted(replay) : status_ok();
}

/* ---- The report ---- */

/* What was listed was given out, whether or not a header shows it. */
static uint64_t largest_record(const struct replay *replay)
{
    const struct log_replay_options *options = replay->options;
    uint64_t largest = replay->seen_record > replay->durable ? replay->seen_record : replay->durable;
    for (size_t i = 0; i < options->count; i++) {
        const struct log_listing *log = &options->logs[i];
        uint64_t listed = log->has_end ? log->last_record : log->first_record - 1;
        if (listed > largest)
            largest = listed;
    }
    return largest;
}

static void finish_report(struct replay *replay)
{
    struct log_replay_report *report = &replay->report;
    report->last_record = replay->expected - 1;
    report->last_sequence = replay->last_sequence;
    report->durable_record = replay->durable;
    report->next_record = largest_record(replay) + 1;
    report->next_sequence = replay->seen_sequence + 1;
    for (size_t i = 0; i < replay->options->count + replay->options->unlisted_count; i++)
        report->tail_bytes += replay->ends[i].tail_bytes;
}

struct kvs_status log_replay(struct io *io, struct log_replay_report *report, struct log_replay_end *ends,
                             const struct log_replay_options *options)
{
    struct replay replay = {.io = io, .options = options};
    STATUS_RETURN_IF_ERROR(check_listings(options));
    size_t end_count = options->count + options->unlisted_count;
    replay.ends = calloc(end_count + 1, sizeof *replay.ends);
    if (replay.ends == NULL)
        return STATUS(KVS_NO_MEMORY, "%s: no memory to replay %zu logs", options->folder, options->count);
    struct kvs_status status = scan(&replay);
    if (status_is_ok(status))
        status = replay_measure(&replay);
    if (!status_is_ok(status))
        goto out;
    finish_report(&replay);
    *report = replay.report;
    memcpy(ends, replay.ends, end_count * sizeof *ends);
out:
    free(replay.marks);
    free(replay.ends);
    return status;
}
