#include "wal/log_replay_internal.h"

#include "format/batch.h"
#include "format/log_header.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Headers ---- */

static void note_header(struct replay *replay, const struct log_record *record)
{
    if (record->watermark > replay->durable)
        replay->durable = record->watermark;
    if (record->number > replay->seen_record)
        replay->seen_record = record->number;
    if (record->count > 0 && log_record_last_sequence(record) > replay->seen_sequence)
        replay->seen_sequence = log_record_last_sequence(record);
}

/* Note every header from offset on that verifies. first_found: out, the number of the first; 0 if there is none. */
static struct kvs_status search_rest(struct replay *replay, struct listed_log *log, uint64_t *first_found,
                                     uint64_t offset)
{
    struct log_record record;
    bool found = true;
    *first_found = 0;
    for (uint64_t at = offset; found; at += LOG_RECORD_ALIGNMENT) {
        STATUS_RETURN_IF_ERROR(log_reader_search(&log->reader, &found, &record, &at));
        if (!found)
            break;
        note_header(replay, &record);
        if (*first_found == 0)
            *first_found = record.number;
    }
    return status_ok();
}

/* ---- Records ---- */

/* A record that verifies is what was written; here, that what was written makes sense. */
static struct kvs_status check_content(const struct replay *replay, const struct log_replay_record *record,
                                       uint64_t last_sequence)
{
    const struct log_record *header = &record->header;
    char found[128];
    if (header->kind != LOG_BATCH) {
        snprintf(found, sizeof found, "it of kind %u, not a batch", header->kind);
    } else if (header->count == 0 || header->first_sequence <= last_sequence) {
        snprintf(found, sizeof found, "it with %" PRIu32 " entries from sequence number %" PRIu64 " after %" PRIu64,
                 header->count, header->first_sequence, last_sequence);
    } else {
        struct kvs_status status = batch_check(record->payload, header->count);
        if (status_is_ok(status))
            return status;
        snprintf(found, sizeof found, "it malformed: %s", status_text(status));
    }
    return replay_refuse(replay, 2, record->log, record->offset, header->number, found);
}

/* The records of a chain within one log, from its first record on.
 *
 * next_record     the number after the last record walked
 * last_sequence   in: of the records before this log
 * at_limit        the walk ended exactly at the limit of what exists */
struct walk {
    uint64_t next_record;
    uint64_t last_sequence;
    bool at_limit;
};

/* A record of the kept chain. */
static struct kvs_status hand_over(struct replay *replay, const struct walk *walk, size_t index,
                                   const struct log_replay_record *record)
{
    const struct replay_mark mark = {index, record->header.number, record->offset, walk->last_sequence};
    STATUS_RETURN_IF_ERROR(replay_set_mark(replay, &mark));
    const struct log_replay_options *options = replay->options;
    return options->visit == NULL ? status_ok() : options->visit(options->context, record);
}

/* Walk to the first record that does not verify or has not the next number; the reader then stands on it. */
static struct kvs_status walk_log(struct replay *replay, struct listed_log *log, struct walk *walk, size_t index)
{
    for (;;) {
        enum log_read found = LOG_READ_END;
        struct log_replay_record record = {.log = index};
        STATUS_RETURN_IF_ERROR(log_reader_next(&log->reader, &found, &record.header, &record.payload));
        walk->at_limit = found == LOG_READ_END;
        if (found != LOG_READ_RECORD)
            return status_ok();
        record.offset = log->reader.record_offset;
        if (record.header.number != walk->next_record) {
            log->reader.offset = record.offset;
            log->reader.complaint = "a record with another number";
            return status_ok();
        }
        note_header(replay, &record.header);
        STATUS_RETURN_IF_ERROR(check_content(replay, &record, walk->last_sequence));
        if (!replay->stopped)
            STATUS_RETURN_IF_ERROR(hand_over(replay, walk, index, &record));
        walk->last_sequence = log_record_last_sequence(&record.header);
        walk->next_record++;
    }
}

/* ---- A listed log ---- */

static void print_found(char *text, size_t capacity, const char *complaint, uint64_t next_record)
{
    if (next_record == 0)
        snprintf(text, capacity, "%s, and no record header after it", complaint);
    else
        snprintf(text, capacity, "%s, and next the header of record %" PRIu64, complaint, next_record);
}

/* A log with a listed end holds exactly what is listed. */
static struct kvs_status check_listed_end(struct replay *replay, struct listed_log *log, const struct walk *walk,
                                          size_t index)
{
    const struct log_listing *listing = &replay->options->logs[index];
    uint64_t next = 0;
    char found[128];
    if (walk->at_limit && walk->next_record == listing->last_record + 1)
        return status_ok();
    STATUS_RETURN_IF_ERROR(search_rest(replay, log, &next, log->reader.offset));
    print_found(found, sizeof found, walk->at_limit ? "the listed end" : log->reader.complaint, next);
    return replay_refuse(replay, 2, index, log->reader.offset, walk->next_record, found);
}

/* Whether the chain goes on in the next log. */
static bool chain_goes_on(const struct replay *replay, size_t index)
{
    const struct log_listing *listing = &replay->options->logs[index];
    if (index + 1 == replay->options->count)
        return false;
    return listing->has_end || listing[1].first_record == replay->expected;
}

/* The chain ends in this log: what follows is its tail, and later logs are not part of it. */
static struct kvs_status stop_chain(struct replay *replay, struct listed_log *log, size_t index)
{
    struct log_replay_end *end = &replay->ends[index];
    uint64_t zeros = 0;
    STATUS_RETURN_IF_ERROR(log_reader_find_zeros(&log->reader, &zeros, end->end_bytes));
    end->tail_offset = end->end_bytes;
    end->tail_bytes = zeros - end->end_bytes;
    replay->stopped = true;
    replay->stop_log = index;
    return status_ok();
}

/* A log of the chain that is kept. */
static struct kvs_status scan_kept(struct replay *replay, struct listed_log *log, size_t index)
{
    const struct log_listing *listing = &replay->options->logs[index];
    struct log_replay_end *end = &replay->ends[index];
    struct walk walk = {.next_record = listing->first_record, .last_sequence = replay->last_sequence};
    uint64_t next = 0;
    STATUS_RETURN_IF_ERROR(walk_log(replay, log, &walk, index));
    *end = (struct log_replay_end){.end_bytes = log->reader.offset, .last_record = walk.next_record - 1};
    replay->expected = walk.next_record;
    replay->last_sequence = walk.last_sequence;
    if (listing->has_end)
        STATUS_RETURN_IF_ERROR(check_listed_end(replay, log, &walk, index));
    else
        STATUS_RETURN_IF_ERROR(search_rest(replay, log, &next, end->end_bytes));
    print_found(replay->found, sizeof replay->found, walk.at_limit ? "the end of the file" : log->reader.complaint,
                next);

    if (index + 1 < replay->options->count && listing[1].first_record < walk.next_record)
        return replay_refuse(replay, 2, index + 1, LOG_HEADER_BYTES, walk.next_record,
                             "an earlier one listed as the log's first");
    return chain_goes_on(replay, index) ? status_ok() : stop_chain(replay, log, index);
}

/* A log after the torn tail: it is set aside whole, but its headers still tell what is durable. */
static struct kvs_status scan_cut(struct replay *replay, struct listed_log *log, size_t index)
{
    const struct log_listing *listing = &replay->options->logs[index];
    struct log_replay_end *end = &replay->ends[index];
    struct walk walk = {.next_record = listing->first_record};
    uint64_t next = 0;
    uint64_t zeros = 0;
    if (listing->has_end) {
        STATUS_RETURN_IF_ERROR(walk_log(replay, log, &walk, index));
        STATUS_RETURN_IF_ERROR(check_listed_end(replay, log, &walk, index));
    }
    STATUS_RETURN_IF_ERROR(search_rest(replay, log, &next, LOG_HEADER_BYTES));
    STATUS_RETURN_IF_ERROR(log_reader_find_zeros(&log->reader, &zeros, LOG_HEADER_BYTES));
    *end = (struct log_replay_end){
        .end_bytes = LOG_HEADER_BYTES,
        .last_record = listing->first_record - 1,
        .tail_bytes = zeros > LOG_HEADER_BYTES ? zeros : 0,
    };
    return status_ok();
}

struct kvs_status replay_scan_listed(struct replay *replay, size_t index)
{
    const struct log_replay_options *options = replay->options;
    struct listed_log log = {0};
    struct kvs_status status = listed_log_open(replay->io, &log, options->folder, options->uuid, &options->logs[index]);
    if (!status_is_ok(status)) {
        status = replay_refuse_cause(replay, index, status);
        goto out;
    }
    status = replay->stopped ? scan_cut(replay, &log, index) : scan_kept(replay, &log, index);
    if (status.code == KVS_IO)
        status = replay_refuse_cause(replay, index, status);
out:
    listed_log_close(&log);
    return status;
}

/* ---- Logs that the manifest does not list ---- */

/* Note the headers of an unlisted log. A watermark never reaches into a log before that is listed (db/commit.c), so one that does says that the
 * listing was there once. */
static struct kvs_status note_unlisted(struct replay *replay, struct listed_log *log, uint64_t number,
                                       struct log_replay_end *end)
{
    uint64_t listed_sequence = replay->last_sequence;
    struct log_record record;
    uint64_t zeros = 0;
    bool found = true, has_news = false;
    STATUS_RETURN_IF_ERROR(log_reader_find_zeros(&log->reader, &zeros, LOG_HEADER_BYTES));
    if (zeros == LOG_HEADER_BYTES) /* prepared, as most are */
        return status_ok();
    for (uint64_t at = LOG_HEADER_BYTES; found; at += LOG_RECORD_ALIGNMENT) {
        STATUS_RETURN_IF_ERROR(log_reader_search(&log->reader, &found, &record, &at));
        if (!found)
            break;
        if (record.watermark > replay->durable) {
            replay->witness = number;
            replay->witness_offset = at;
        }
        note_header(replay, &record);
        has_news |= record.count > 0 && log_record_last_sequence(&record) > listed_sequence;
    }
    end->tail_bytes = has_news ? zeros : 0;
    return status_ok();
}

struct kvs_status replay_scan_unlisted(struct replay *replay, size_t index)
{
    const struct log_replay_options *options = replay->options;
    struct log_listing listing = {.number = options->unlisted[index]};
    struct listed_log log = {0};
    struct kvs_status status = listed_log_open(replay->io, &log, options->folder, options->uuid, &listing);
    if (status_is_ok(status))
        status = note_unlisted(replay, &log, listing.number, &replay->ends[options->count + index]);
    else if (status.code == KVS_CORRUPT || status.code == KVS_NOT_FOUND || status.code == KVS_UNSUPPORTED)
        status = status_ok();
    if (status.code == KVS_IO)
        status = replay_refuse_unread(replay, status);
    listed_log_close(&log);
    return status;
}
