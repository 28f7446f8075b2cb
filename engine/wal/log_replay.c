#include "wal/log_replay.h"

#include "base/assert.h"
#include "format/batch.h"
#include "format/log_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* How much of a log is read before another mark is set. */
#define MARK_BYTES (UINT64_C(1) << 20)

/* Where a record of the kept chain begins. D is known only when all is read; from the last mark before it, it is found again at little cost.
 *
 * last_sequence  of the records before this one */
struct mark {
    size_t log;
    uint64_t record;
    uint64_t offset;
    uint64_t last_sequence;
};

/* expected       the next record number, of the chain that is kept
 * durable        D as far as it is known
 * last_sequence  of the chain that is kept
 * seen_*         the largest in any header that verifies, also in what is set aside
 * stopped        the chain has ended; logs after stop_log are not part of it
 * found          what stood where the chain ended
 * witness        of the unlisted log whose header at witness_offset raised D last; 0 if none did */
struct replay {
    struct io *io;
    const struct log_replay_options *options;
    struct log_replay_end *ends;
    struct log_replay_report report;
    struct mark *marks;
    size_t mark_count, mark_capacity;
    uint64_t expected;
    uint64_t durable;
    uint64_t last_sequence;
    uint64_t seen_record;
    uint64_t seen_sequence;
    bool stopped;
    size_t stop_log;
    char found[128];
    uint64_t witness;
    uint64_t witness_offset;
};

/* ---- Refusals ---- */

static const char *rule_text(int rule)
{
    switch (rule) {
    case 1:
        return "a listed log cannot be read";
    case 2:
        return "a listed log is missing or damaged before its known end";
    default:
        return "a record known to be durable is missing";
    }
}

/* "4 to 9", or "from 4 on" where no header tells how far. */
static void print_risk(char *text, size_t capacity, const struct replay *replay)
{
    if (replay->seen_sequence > replay->last_sequence)
        snprintf(text, capacity, "%" PRIu64 " to %" PRIu64, replay->last_sequence + 1, replay->seen_sequence);
    else
        snprintf(text, capacity, "from %" PRIu64 " on", replay->last_sequence + 1);
}

static struct kvs_status refuse(const struct replay *replay, int rule, size_t log, uint64_t offset, uint64_t expected,
                                const char *found)
{
    char name[FILE_NAME_BYTES];
    char risk[64];
    file_name_print(name, FILE_LOG, replay->options->logs[log].number);
    print_risk(risk, sizeof risk, replay);
    return STATUS(KVS_CORRUPT,
                  "%s: offset %" PRIu64 ": expected record %" PRIu64
                  ", found %s: refused by replay rule %d (%s; durable "
                  "up to record %" PRIu64
                  "); sequence numbers %s are at risk; nothing was changed; next: kvstore_tool repair --plan "
                  "%s",
                  name, offset, expected, found, rule, rule_text(rule), replay->durable, risk, replay->options->folder);
}

/* Refuse for a failure that has its own sentence, with file and offset in it. */
static struct kvs_status refuse_with_cause(const struct replay *replay, int rule, size_t log, struct kvs_status cause)
{
    char text[STATUS_TEXT_BYTES];
    char risk[64];
    print_risk(risk, sizeof risk, replay);
    snprintf(text, sizeof text,
             "%s: expected record %" PRIu64
             ": refused by replay rule %d (%s); sequence numbers %s are at risk; nothing was "
             "changed; next: kvstore_tool repair --plan %s",
             status_text(cause), replay->options->logs[log].first_record, rule, rule_text(rule), risk,
             replay->options->folder);
    /* What the manifest lists and is not there is damage, not the absence of a database. */
    if (cause.code == KVS_NOT_FOUND)
        cause.code = KVS_CORRUPT;
    return status_restore_text(cause, text);
}

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

/* ---- One open log ---- */

/* Rule 2 where the cause is what the file holds, rule 1 where it cannot be read. */
static struct kvs_status refuse_for(const struct replay *replay, size_t log, struct kvs_status cause)
{
    switch (cause.code) {
    case KVS_CORRUPT:
    case KVS_NOT_FOUND:
        return refuse_with_cause(replay, 2, log, cause);
    case KVS_IO:
        return refuse_with_cause(replay, 1, log, cause);
    default:
        return cause;
    }
}

/* ---- One pass: verify, hand over, and find D ---- */

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

static void print_found(char *text, size_t capacity, const char *complaint, uint64_t next_record)
{
    if (next_record == 0)
        snprintf(text, capacity, "%s, and no record header after it", complaint);
    else
        snprintf(text, capacity, "%s, and next the header of record %" PRIu64, complaint, next_record);
}

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
    return refuse(replay, 2, record->log, record->offset, header->number, found);
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

static struct kvs_status set_mark(struct replay *replay, const struct mark *mark)
{
    if (replay->mark_count == replay->mark_capacity) {
        size_t capacity = replay->mark_capacity == 0 ? 64 : 2 * replay->mark_capacity;
        struct mark *larger = realloc(replay->marks, capacity * sizeof *larger);
        if (larger == NULL)
            return STATUS(KVS_NO_MEMORY, "%s: no memory to replay its logs", replay->options->folder);
        replay->marks = larger;
        replay->mark_capacity = capacity;
    }
    KVS_ASSERT(replay->marks != NULL);
    replay->marks[replay->mark_count++] = *mark;
    return status_ok();
}

/* A record of the kept chain. */
static struct kvs_status hand_over(struct replay *replay, const struct walk *walk, size_t index,
                                   const struct log_replay_record *record)
{
    const struct mark *last = replay->mark_count == 0 ? NULL : &replay->marks[replay->mark_count - 1];
    if (last == NULL || last->log != index || record->offset - last->offset >= MARK_BYTES)
        STATUS_RETURN_IF_ERROR(
            set_mark(replay, &(struct mark){index, record->header.number, record->offset, walk->last_sequence}));
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
    return refuse(replay, 2, index, log->reader.offset, walk->next_record, found);
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
        return refuse(replay, 2, index + 1, LOG_HEADER_BYTES, walk.next_record,
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

static struct kvs_status scan_log(struct replay *replay, size_t index)
{
    const struct log_replay_options *options = replay->options;
    struct listed_log log = {0};
    struct kvs_status status = listed_log_open(replay->io, &log, options->folder, options->uuid, &options->logs[index]);
    if (!status_is_ok(status)) {
        status = refuse_for(replay, index, status);
        goto out;
    }
    status = replay->stopped ? scan_cut(replay, &log, index) : scan_kept(replay, &log, index);
    if (status.code == KVS_IO)
        status = refuse_with_cause(replay, 1, index, status);
out:
    listed_log_close(&log);
    return status;
}

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

/* Rule 1 for a log that is not listed. */
static struct kvs_status refuse_unread(const struct replay *replay, struct kvs_status cause)
{
    char text[STATUS_TEXT_BYTES];
    snprintf(
        text, sizeof text,
        "%s: refused by replay rule 1 (a log newer than the listed ones cannot be read); nothing was changed; next: "
        "kvstore_tool repair --plan %s",
        status_text(cause), replay->options->folder);
    return status_restore_text(cause, text);
}

/* A file that is not there any more, or whose making was cut short, says nothing. */
static struct kvs_status scan_unlisted(struct replay *replay, size_t index)
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
        status = refuse_unread(replay, status);
    listed_log_close(&log);
    return status;
}

static struct kvs_status refuse_unlisted(const struct replay *replay)
{
    char name[FILE_NAME_BYTES];
    char risk[64];
    file_name_print(name, FILE_LOG, replay->witness);
    print_risk(risk, sizeof risk, replay);
    return STATUS(
        KVS_CORRUPT,
        "%s: offset %" PRIu64 ": found a record for which record %" PRIu64
        " was durable, in a log that the manifest does not list; expected record %" PRIu64
        " in a listed one: refused by replay rule 3 (%s: the manifest has lost its end, or is an older copy); "
        "sequence numbers %s are at risk; nothing was changed; next: kvstore_tool repair --plan %s",
        name, replay->witness_offset, replay->durable, replay->expected, rule_text(3), risk, replay->options->folder);
}

static struct kvs_status scan(struct replay *replay)
{
    const struct log_replay_options *options = replay->options;
    replay->durable = listed_as_durable(options);
    replay->expected = options->count > 0 ? options->logs[0].first_record : options->durable_record + 1;
    for (size_t i = 0; i < options->count; i++)
        STATUS_RETURN_IF_ERROR(scan_log(replay, i));
    if (options->count > 0 && replay->durable >= replay->expected)
        return refuse(replay, 3, replay->stop_log, replay->ends[replay->stop_log].end_bytes, replay->expected,
                      replay->found);
    for (size_t i = 0; i < options->unlisted_count; i++)
        STATUS_RETURN_IF_ERROR(scan_unlisted(replay, i));
    return replay->durable >= replay->expected ? refuse_unlisted(replay) : status_ok();
}

/* ---- What is proven ---- */

/* Where the record after the last proven one of a log begins, from the mark before it on. */
static struct kvs_status find_proven_end(struct replay *replay, size_t index, const struct mark *mark)
{
    const struct log_replay_options *options = replay->options;
    struct log_replay_end *end = &replay->ends[index];
    struct listed_log log = {0};
    struct kvs_status status = listed_log_open(replay->io, &log, options->folder, options->uuid, &options->logs[index]);
    log.reader.offset = mark->offset;
    replay->report.proven_sequence = mark->last_sequence;
    for (uint64_t number = mark->record; number <= end->proven_record && status_is_ok(status); number++) {
        enum log_read found = LOG_READ_END;
        struct log_record record;
        struct kvs_slice payload;
        status = log_reader_next(&log.reader, &found, &record, &payload);
        if (status_is_ok(status) && (found != LOG_READ_RECORD || record.number != number))
            status = STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": record %" PRIu64 " is not there any more", log.path,
                            log.reader.offset, number);
        if (status_is_ok(status))
            replay->report.proven_sequence = log_record_last_sequence(&record);
    }
    end->proven_bytes = log.reader.offset;
    listed_log_close(&log);
    return status_is_ok(status) ? status : refuse_for(replay, index, status);
}

/* The last mark at or before a record; there is one, since every log with records has one at its first. */
static const struct mark *mark_before(const struct replay *replay, uint64_t record)
{
    const struct mark *mark = replay->marks;
    for (size_t i = 1; i < replay->mark_count && replay->marks[i].record <= record; i++)
        mark = &replay->marks[i];
    return mark;
}

/* What a log holds, and which of it is proven; in the log that D lies in, where that ends is not known yet. */
static void measure_log(struct replay *replay, size_t index)
{
    struct log_replay_end *end = &replay->ends[index];
    uint64_t before = replay->options->logs[index].first_record - 1;
    uint64_t proven = replay->durable < end->last_record ? replay->durable : end->last_record;
    end->proven_record = proven > before ? proven : before;
    end->proven_bytes = end->proven_record == end->last_record ? end->end_bytes : LOG_HEADER_BYTES;
    replay->report.records += end->last_record - before;
    replay->report.unproven += end->last_record - end->proven_record;
    replay->report.bytes += end->end_bytes - LOG_HEADER_BYTES;
}

static struct kvs_status measure(struct replay *replay)
{
    const struct log_replay_options *options = replay->options;
    size_t last_proven = options->count;
    for (size_t i = 0; i < options->count; i++) {
        measure_log(replay, i);
        if (replay->ends[i].proven_record >= options->logs[i].first_record)
            last_proven = i;
    }
    if (replay->report.unproven == 0)
        replay->report.proven_sequence = replay->last_sequence;
    else if (last_proven < options->count)
        return find_proven_end(replay, last_proven, mark_before(replay, replay->ends[last_proven].proven_record));
    return status_ok();
}

/* ---- The whole ---- */

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
        status = measure(&replay);
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
