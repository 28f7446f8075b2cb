#include "repair/log_survey.h"

#include "base/coding.h"
#include "format/batch.h"
#include "format/checksum.h"
#include "format/log_header.h"
#include "wal/log_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A survey under way.
 *
 * next_record     the number that comes next
 * last_sequence   of the record before
 * hole            where the bytes that are no record begin; hole_end: 0, or where they were found to end
 * complaint       what stands there
 * is_short        the file has lost its end, and with it nobody knows how many records */
struct walk {
    struct log_survey *survey;
    struct entry_list *entries;
    struct repair_report *report;
    const struct log_survey_options *options;
    char path[IO_PATH_BYTES];
    char name[FILE_NAME_BYTES];
    struct log_reader reader;
    uint64_t next_record;
    uint64_t last_sequence;
    uint64_t hole;
    bool has_hole;
    bool is_short;
    const char *complaint;
};

/* ---- Findings ---- */

static struct kvs_status add(struct walk *walk, const struct repair_finding *finding, const char *what)
{
    struct repair_finding made = *finding;
    made.part = REPAIR_LOG;
    snprintf(made.file, sizeof made.file, "%s", walk->name);
    snprintf(made.what, sizeof made.what, "%s", what);
    return repair_report_add(walk->report, &made);
}

/* Records from next_record up to last are not there. last_sequence 0: not known. */
static struct kvs_status note_lost(struct walk *walk, uint64_t end, uint64_t last, uint64_t last_sequence)
{
    char what[160];
    uint64_t offset = walk->has_hole ? walk->hole : walk->reader.offset;
    uint64_t before = walk->last_sequence;
    if (before < walk->options->before_sequence)
        before = walk->options->before_sequence;
    if (before < walk->options->flushed_sequence)
        before = walk->options->flushed_sequence;
    snprintf(what, sizeof what, "expected record %" PRIu64 ", found %s", walk->next_record,
             walk->complaint == NULL ? "the end" : walk->complaint);
    return add(walk,
               &(struct repair_finding){.offset = offset,
                                        .end = end,
                                        .is_lost = last_sequence == 0 || last_sequence > before,
                                        .first_record = walk->next_record,
                                        .last_record = last,
                                        .first_sequence = before + 1,
                                        .last_sequence = last_sequence},
               what);
}

/* ---- The file's id ---- */

/* The number that hash_mix gave for an offset: the mixing can be undone, so that one intact record header tells what the file's own header should have said. */
static uint64_t unmix(uint64_t mixed, uint64_t offset)
{
    uint64_t z = mixed ^ mixed >> 31 ^ mixed >> 62;
    z *= UINT64_C(0x319642B2D24D8EC3); /* the inverses, modulo 2^64, of the factors of hash_mix */
    z ^= z >> 27 ^ z >> 54;
    z *= UINT64_C(0x96DE1B173F119089);
    z ^= z >> 30 ^ z >> 60;
    return z - UINT64_C(0x9E3779B97F4A7C15) * (offset + 1);
}

/* The id that the first record was written with, if its header is intact: any bytes give some id, and the record's payload, which was stamped with the same, decides. */
static uint64_t guess_file_id(const uint8_t *first_record)
{
    uint64_t mixed = coding_get_u64(first_record) - hash_bytes(first_record + 8, LOG_RECORD_HEADER_BYTES - 8);
    return unmix(mixed, LOG_HEADER_BYTES);
}

/* ---- Records ---- */

static void note_header(struct walk *walk, const struct log_record *record)
{
    struct log_survey *survey = walk->survey;
    uint64_t sequence = record->count == 0 ? 0 : log_record_last_sequence(record);
    if (record->number > survey->largest_record)
        survey->largest_record = record->number;
    if (record->watermark > survey->largest_watermark)
        survey->largest_watermark = record->watermark;
    if (sequence > survey->largest_sequence)
        survey->largest_sequence = sequence;
}

static bool makes_sense(const struct walk *walk, const struct log_record *record, struct kvs_slice payload)
{
    return record->kind == LOG_BATCH && record->count > 0 && record->first_sequence > walk->last_sequence &&
           record->number >= walk->next_record && status_is_ok(batch_check(payload, record->count));
}

static struct kvs_status take(struct walk *walk, const struct log_record *record, struct kvs_slice payload)
{
    uint64_t offset = walk->reader.record_offset;
    if (record->number > walk->next_record && walk->next_record > 0)
        STATUS_RETURN_IF_ERROR(note_lost(walk, offset, record->number - 1, record->first_sequence - 1));
    walk->has_hole = false;
    walk->complaint = NULL;
    walk->next_record = record->number + 1;
    walk->last_sequence = log_record_last_sequence(record);
    walk->survey->records++;
    if (walk->last_sequence <= walk->options->flushed_sequence)
        return status_ok();
    walk->survey->entries += record->count;
    return entry_list_add(walk->entries, payload, record->count, record->first_sequence);
}

/* Step over what is no record to the next header that verifies. Returns, in found, whether there is one. */
static struct kvs_status skip_hole(struct walk *walk, bool *found, const char *complaint, uint64_t offset)
{
    struct log_record record;
    if (!walk->has_hole) {
        walk->has_hole = true;
        walk->hole = offset;
        walk->complaint = complaint;
    }
    uint64_t at = offset + LOG_RECORD_ALIGNMENT;
    STATUS_RETURN_IF_ERROR(log_reader_search(&walk->reader, found, &record, &at));
    if (*found) {
        note_header(walk, &record);
        walk->reader.offset = at;
    }
    return status_ok();
}

static struct kvs_status walk_records(struct walk *walk)
{
    bool goes_on = true;
    while (goes_on) {
        enum log_read found;
        struct log_record record;
        struct kvs_slice payload;
        STATUS_RETURN_IF_ERROR(log_reader_next(&walk->reader, &found, &record, &payload));
        if (found == LOG_READ_END)
            return status_ok();
        if (found == LOG_READ_RECORD)
            note_header(walk, &record);
        if (found == LOG_READ_BAD)
            STATUS_RETURN_IF_ERROR(skip_hole(walk, &goes_on, walk->reader.complaint, walk->reader.offset));
        else if (!makes_sense(walk, &record, payload))
            STATUS_RETURN_IF_ERROR(
                skip_hole(walk, &goes_on, "a record that does not follow", walk->reader.record_offset));
        else
            STATUS_RETURN_IF_ERROR(take(walk, &record, payload));
    }
    return status_ok();
}

/* The last record that the log held, as far as anything tells. */
static uint64_t last_expected(const struct walk *walk)
{
    const struct log_survey_options *options = walk->options;
    uint64_t durable =
        options->durable > walk->survey->largest_watermark ? options->durable : walk->survey->largest_watermark;
    if (options->listing.has_end)
        return options->listing.last_record;
    if (options->next_first > 0)
        return options->next_first - 1;
    return durable > walk->survey->largest_record ? durable : walk->survey->largest_record;
}

/* What should follow the last record that was read. */
static struct kvs_status judge_end(struct walk *walk)
{
    uint64_t last = last_expected(walk), zeros = 0;
    bool is_known = walk->options->listing.has_end || walk->options->next_first > 0;
    if (walk->next_record == 0)
        return status_ok(); /* an unlisted log without records */
    if (last >= walk->next_record || (walk->is_short && !is_known))
        return note_lost(walk, walk->reader.limit_bytes, is_known ? last : 0, 0);
    if (!walk->has_hole)
        return status_ok();
    STATUS_RETURN_IF_ERROR(log_reader_find_zeros(&walk->reader, &zeros, walk->hole));
    if (zeros == walk->hole)
        return status_ok();
    return add(walk, &(struct repair_finding){.offset = walk->hole, .end = zeros},
               "a torn tail: nothing says that it was ever acknowledged");
}

/* ---- The file ---- */

/* All records that the listing tells of are gone. */
static struct kvs_status lose_all(struct walk *walk, uint64_t size, const char *what)
{
    const struct log_survey_options *options = walk->options;
    uint64_t first = options->listing.first_record, last = last_expected(walk);
    bool is_known = options->listing.has_end || options->next_first > 0;
    struct repair_finding finding = {.end = size, .is_lost = first == 0 || !is_known || last >= first};
    if (finding.is_lost) {
        finding.first_record = first;
        finding.last_record = is_known ? last : 0;
    }
    return add(walk, &finding, what);
}

/* Records with an id that is known, or was guessed: then complaint says what is wrong with the header. */
static struct kvs_status survey_records(struct walk *walk, uint64_t size, const char *complaint)
{
    if (complaint != NULL) {
        enum log_read found;
        struct log_record record;
        struct kvs_slice payload;
        STATUS_RETURN_IF_ERROR(log_reader_next(&walk->reader, &found, &record, &payload));
        if (found != LOG_READ_RECORD)
            return lose_all(walk, size, complaint);
        walk->reader.offset = LOG_HEADER_BYTES;
        STATUS_RETURN_IF_ERROR(add(walk, &(struct repair_finding){.end = LOG_HEADER_BYTES}, complaint));
    }
    STATUS_RETURN_IF_ERROR(walk_records(walk));
    return judge_end(walk);
}

static struct kvs_status survey_file(struct walk *walk, struct io_file *file)
{
    const struct log_listing *listing = &walk->options->listing;
    uint8_t bytes[LOG_HEADER_BYTES + LOG_RECORD_HEADER_BYTES] = {0};
    char complaint[STATUS_TEXT_BYTES];
    struct log_header header;
    uint64_t size;
    size_t read_bytes;
    STATUS_RETURN_IF_ERROR(io_file_size(file, &size));
    STATUS_RETURN_IF_ERROR(io_file_read(file, bytes, &read_bytes, sizeof bytes, 0));
    struct kvs_status decoded = log_header_decode(&header, bytes, read_bytes, walk->path);
    bool has_header = status_is_ok(decoded);
    status_save_text(decoded, complaint);
    if (has_header && header.identity.number != listing->number)
        return lose_all(walk, size, "the file is another log: its number is not that of its name");
    uint64_t limit = listing->has_end && listing->end_bytes < size ? listing->end_bytes : size;
    if (limit < LOG_HEADER_BYTES)
        return lose_all(walk, size, complaint);
    walk->is_short = has_header && size < header.preallocated_bytes;
    uint64_t file_id = has_header ? header.identity.file_id : guess_file_id(bytes + LOG_HEADER_BYTES);
    STATUS_RETURN_IF_ERROR(log_reader_init(&walk->reader, file, walk->path, file_id, LOG_HEADER_BYTES, limit));
    struct kvs_status status = survey_records(walk, size, has_header ? NULL : complaint);
    log_reader_fini(&walk->reader);
    return status;
}

struct kvs_status log_survey(struct io *io, struct log_survey *survey, struct entry_list *entries,
                             struct repair_report *report, const struct log_survey_options *options)
{
    struct io_file *file = NULL;
    *survey = (struct log_survey){.records = 0};
    struct walk walk = {.survey = survey,
                        .entries = entries,
                        .report = report,
                        .options = options,
                        .next_record = options->listing.first_record};
    file_name_print(walk.name, FILE_LOG, options->listing.number);
    STATUS_RETURN_IF_ERROR(file_name_path(walk.path, options->folder, FILE_LOG, options->listing.number));
    struct kvs_status status = io_file_open(io, &file, walk.path, IO_OPEN_READ);
    if (status.code == KVS_NOT_FOUND)
        return lose_all(&walk, 0, "the file is missing");
    STATUS_RETURN_IF_ERROR(status);
    status = survey_file(&walk, file);
    io_file_close(file);
    return status;
}
