/* wal_replay_test.c -- each replay rule, one by one. */

#include "wal_support.h"

#include "base/hash.h"
#include "format/file_header.h"
#include "format/log_header.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Two logs: records 1 to 4 in the first, 5 to 8 in the second; sequence number 10 times the record number. Each record after the first of a pair
 * was written when all before the pair was durable: the last watermark is 6. */
static void write_two_logs(struct wal_disk *disk)
{
    for (uint64_t log = 1; log <= 2; log++) {
        uint64_t first = log == 1 ? 1 : 5;
        struct log_writer *writer = wal_log_new(disk, log, first);
        for (uint64_t record = first; record < first + 4; record += 2) {
            wal_append(writer, record, record - 1, record * 10);
            wal_append(writer, record + 1, record - 1, (record + 1) * 10);
            wal_sync(writer);
        }
        log_writer_close(writer);
    }
}

static const struct log_listing two_logs[] = {{.number = 1, .first_record = 1}, {.number = 2, .first_record = 5}};

/* Offsets and sizes of the records in the two logs. */
static void locate(struct wal_disk *disk, uint64_t offsets[9])
{
    struct wal_outcome *outcome = wal_replay_expect(disk, two_logs, 2, 0, 1, 8);
    for (size_t i = 0; i < 8; i++)
        offsets[i + 1] = outcome->records[i].offset;
    free(outcome);
}

static void damage(struct wal_disk *disk, uint64_t log, uint64_t offset)
{
    size_t size;
    uint8_t *bytes = io_mem_copy_file(disk->mem, &size, wal_log_path(log));
    assert_true(offset < size);
    uint8_t byte = bytes[offset] ^ 0x40;
    assert_true(io_mem_damage(disk->mem, wal_log_path(log), &byte, 1, offset));
    free(bytes);
}

static int set_up(void **state)
{
    struct wal_disk *disk = calloc(1, sizeof *disk);
    wal_disk_open(disk, 1);
    *state = disk;
    return 0;
}

static int set_up_two_logs(void **state)
{
    set_up(state);
    write_two_logs(*state);
    return 0;
}

static int tear_down(void **state)
{
    wal_disk_close(*state);
    free(*state);
    return 0;
}

/* After any normal end all that was acknowledged is back, in order. */
static void wal_replay_sound_logs_deliver_everything(void **state)
{
    struct wal_outcome *outcome = wal_replay_expect(*state, two_logs, 2, 0, 1, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(outcome->records[i].sequence, (i + 1) * 10);
        assert_int_equal(outcome->records[i].log, i / 4);
        assert_true(outcome->records[i].proven == (i < 6));
    }
    assert_int_equal(outcome->report.durable_record, 6);
    assert_int_equal(outcome->report.last_sequence, 80);
    assert_int_equal(outcome->report.next_record, 9);
    assert_int_equal(outcome->report.next_sequence, 81);
    assert_int_equal(outcome->report.unproven, 2);
    assert_int_equal(outcome->report.tail_bytes, 0);
    assert_int_equal(outcome->ends[1].proven_record, 6);
    assert_int_equal(outcome->ends[1].last_record, 8);
    assert_int_equal(outcome->ends[1].proven_bytes, outcome->records[6].offset);
    assert_int_equal(outcome->ends[0].end_bytes, outcome->ends[0].proven_bytes);
    free(outcome);
}

/* The manifest's durable number covers the last group, which no watermark does. */
static void wal_replay_durable_number_of_the_manifest_proves_the_last_group(void **state)
{
    struct wal_outcome *outcome = wal_replay_expect(*state, two_logs, 2, 8, 1, 8);
    assert_int_equal(outcome->report.unproven, 0);
    free(outcome);
}

/* A new database, and one closed in order, open. */
static void wal_replay_no_logs_or_empty_logs_deliver_nothing(void **state)
{
    static const struct log_listing empty[] = {
        {.number = 3, .first_record = 9},
        {.number = 4, .first_record = 9, .has_end = true, .end_bytes = LOG_HEADER_BYTES, .last_record = 8}};
    struct wal_disk *disk = *state;
    struct wal_outcome *outcome = wal_replay_expect(disk, NULL, 0, 8, 9, 8);
    assert_int_equal(outcome->report.next_record, 9);
    free(outcome);
    log_writer_close(wal_log_new(disk, 3, 9));
    log_writer_close(wal_log_new(disk, 4, 9));
    outcome = wal_replay_expect(disk, empty, 1, 8, 9, 8);
    assert_int_equal(outcome->ends[0].last_record, 8);
    free(outcome);
    free(wal_replay_expect(disk, empty, 2, 8, 9, 8));
}

/* A disk that fails to read is not a log that ends: opening all the same would lose the rest. */
static void wal_replay_rule_1_read_error_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    for (uint64_t nth = 1; nth <= 4; nth++) {
        io_fault_fail(disk->fault, IO_CALL_READ, nth, EIO, false);
        wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_IO, 1, ".log");
        io_fault_clear(disk->fault);
    }
    io_fault_fail(disk->fault, IO_CALL_SIZE, 1, EIO, false);
    wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_IO, 1, "000001.log");
    io_fault_clear(disk->fault);
    io_fault_fail(disk->fault, IO_CALL_OPEN, 2, EACCES, false);
    wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_IO, 1, "000002.log");
}

/* A log that was deleted by hand held acknowledged writes. */
static void wal_replay_rule_2_missing_log_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    assert_int_equal(io_unlink(disk->io, wal_log_path(2)).code, KVS_OK);
    wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_CORRUPT, 2, "000002.log");
}

/* A file cut to less than what was synced lost its end; it is not an empty log. */
static void wal_replay_rule_2_log_shorter_than_its_preallocation_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    assert_true(io_mem_resize(disk->mem, wal_log_path(2), WAL_PIECE_BYTES - 1));
    wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_CORRUPT, 2,
                              "offset 511: expected a file of at least 512 bytes");
}

static void wal_replay_rule_2_log_shorter_than_its_listed_end_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    struct log_listing logs[] = {
        two_logs[0], {.number = 2, .first_record = 5, .has_end = true, .end_bytes = 2048, .last_record = 30}};
    wal_replay_expect_refusal(disk, logs, 2, 0, KVS_CORRUPT, 2, "expected a file of at least 2048 bytes");
}

/* Whatever stands before a listed end was synced: none of it can be torn. */
static void wal_replay_rule_2_damage_before_a_listed_end_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    uint64_t at[9];
    locate(disk, at);
    struct wal_outcome *outcome = wal_replay_expect(disk, two_logs, 2, 0, 1, 8);
    struct log_listing logs[] = {
        two_logs[0],
        {.number = 2, .first_record = 5, .has_end = true, .end_bytes = outcome->ends[1].end_bytes, .last_record = 8}};
    free(outcome);
    free(wal_replay_expect(disk, logs, 2, 0, 1, 8));
    damage(disk, 2, at[8] + LOG_RECORD_HEADER_BYTES);
    wal_replay_expect_refusal(
        disk, logs, 2, 0, KVS_CORRUPT, 2,
        "expected record 8, found a payload that does not verify, and next the header of record 8");
    wal_replay_expect_refusal(disk, logs, 2, 0, KVS_CORRUPT, 2, "sequence numbers 71 to 80 are at risk");
}

/* A list that says more or less than the log holds is a list of another log. */
static void wal_replay_rule_2_listed_last_record_that_is_not_there_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    struct wal_outcome *outcome = wal_replay_expect(disk, two_logs, 2, 0, 1, 8);
    struct log_listing logs[] = {
        two_logs[0],
        {.number = 2, .first_record = 5, .has_end = true, .end_bytes = outcome->ends[1].end_bytes, .last_record = 9}};
    free(outcome);
    wal_replay_expect_refusal(disk, logs, 2, 0, KVS_CORRUPT, 2, "expected record 9, found the listed end");
    logs[1].last_record = 7;
    wal_replay_expect_refusal(disk, logs, 2, 0, KVS_CORRUPT, 2, "found the listed end");
}

static void wal_replay_rule_2_header_that_does_not_verify_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    damage(disk, 1, 40);
    wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_CORRUPT, 2, "000001.log: offset 0: header checksum");
}

/* A log of another database, or under another name, is not replayed into this one. */
static void wal_replay_rule_2_log_with_another_identity_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    struct log_listing logs[] = {two_logs[0], {.number = 3, .first_record = 5}};
    assert_int_equal(io_rename(disk->io, "/db/000002.log", "/db/000003.log").code, KVS_OK);
    wal_replay_expect_refusal(disk, logs, 2, 0, KVS_CORRUPT, 2, "file number: expected 3, found 2");
}

static void wal_replay_log_of_a_newer_version_is_unsupported(void **state)
{
    struct wal_disk *disk = *state;
    uint8_t bytes[FILE_HEADER_BYTES];
    struct file_header header = {.type = FILE_LOG, .number = 1, .must = 8};
    memcpy(header.uuid, wal_uuid, sizeof wal_uuid);
    file_header_encode(bytes, &header);
    assert_true(io_mem_damage(disk->mem, wal_log_path(1), bytes, sizeof bytes, 0));
    struct wal_outcome *outcome = wal_replay(disk, two_logs, 2, 0);
    assert_int_equal(outcome->status.code, KVS_UNSUPPORTED);
    assert_int_equal(outcome->count, 0);
    free(outcome);
}

/* Damage to what a later watermark calls durable is told, never cut off as a torn tail. */
static void wal_replay_rule_3_damage_below_a_watermark_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    uint64_t at[9];
    locate(disk, at);
    damage(disk, 2, at[6] + 20);
    wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_CORRUPT, 3, "000002.log: offset");
    wal_replay_expect_refusal(
        disk, two_logs, 2, 0, KVS_CORRUPT, 3,
        "expected record 6, found no record header that verifies, and next the header of record 7");
    wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_CORRUPT, 3,
                              "durable up to record 6); sequence numbers 51 to 80 are at risk; nothing was changed");
}

/* The watermark that gives the damage away may be in any later log. */
static void wal_replay_rule_3_damage_in_an_earlier_log_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    uint64_t at[9];
    locate(disk, at);
    damage(disk, 1, at[4] + 20);
    wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_CORRUPT, 3, "000001.log: offset");
}

/* Or in the manifest, for the last group of a database that was idle or closed. */
static void wal_replay_rule_3_damage_below_the_number_of_the_manifest_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    uint64_t at[9];
    locate(disk, at);
    damage(disk, 2, at[8] + 20);
    free(wal_replay_expect(disk, two_logs, 2, 7, 1, 7));
    wal_replay_expect_refusal(disk, two_logs, 2, 8, KVS_CORRUPT, 3, "expected record 8");
}

/* A header alone tells the watermark, even where its payload is gone. */
static void wal_replay_rule_3_search_looks_at_headers_only(void **state)
{
    struct wal_disk *disk = *state;
    uint64_t at[9];
    locate(disk, at);
    damage(disk, 2, at[6] + 20);
    damage(disk, 2, at[7] + LOG_RECORD_HEADER_BYTES);
    damage(disk, 2, at[8] + LOG_RECORD_HEADER_BYTES);
    wal_replay_expect_refusal(disk, two_logs, 2, 0, KVS_CORRUPT, 3, "durable up to record 6");
}

/* A power cut that lost the last, unacknowledged writes is normal: the database opens with the rest. */
static void wal_replay_rule_4_torn_tail_is_cut(void **state)
{
    struct wal_disk *disk = *state;
    uint64_t at[9];
    locate(disk, at);
    damage(disk, 2, at[7] + LOG_RECORD_HEADER_BYTES + 3);
    struct wal_outcome *outcome = wal_replay_expect(disk, two_logs, 2, 0, 1, 6);
    assert_int_equal(outcome->ends[1].tail_offset, at[7]);
    assert_true(outcome->ends[1].tail_bytes > at[8] - at[7]);
    assert_true(outcome->ends[1].tail_offset + outcome->ends[1].tail_bytes <= WAL_PIECE_BYTES);
    assert_int_equal(outcome->report.tail_bytes, outcome->ends[1].tail_bytes);
    assert_int_equal(outcome->report.last_sequence, 60);
    /* Record 8 was cut, though it is whole: never a hole. Its numbers are not given out again. */
    assert_int_equal(outcome->report.next_record, 9);
    assert_int_equal(outcome->report.next_sequence, 81);
    free(outcome);
}

/* What comes after a torn tail in later logs goes too: a hole in the history is worse than its end. */
static void wal_replay_rule_4_later_logs_are_cut_whole(void **state)
{
    struct wal_disk *disk = *state;
    static const struct log_listing logs[] = {
        {.number = 1, .first_record = 1}, {.number = 2, .first_record = 5}, {.number = 3, .first_record = 9}};
    struct log_writer *writer = wal_log_new(disk, 3, 9);
    wal_append(writer, 9, 6, 90);
    wal_write(writer);
    log_writer_close(writer);
    uint64_t at[9];
    locate(disk, at);
    damage(disk, 2, at[8] + 1);
    struct wal_outcome *outcome = wal_replay_expect(disk, logs, 3, 0, 1, 7);
    assert_int_equal(outcome->ends[1].tail_offset, at[8]);
    assert_int_equal(outcome->ends[2].tail_offset, 0);
    assert_true(outcome->ends[2].tail_bytes > LOG_HEADER_BYTES);
    assert_int_equal(outcome->ends[2].last_record, 8);
    assert_int_equal(outcome->report.next_record, 10);
    free(outcome);
}

/* A log that holds nothing after a torn tail needs no copy. */
static void wal_replay_rule_4_later_log_without_records_is_no_tail(void **state)
{
    struct wal_disk *disk = *state;
    static const struct log_listing logs[] = {
        {.number = 1, .first_record = 1}, {.number = 2, .first_record = 5}, {.number = 3, .first_record = 9}};
    log_writer_close(wal_log_new(disk, 3, 9));
    uint64_t at[9];
    locate(disk, at);
    damage(disk, 2, at[8] + 1);
    struct wal_outcome *outcome = wal_replay_expect(disk, logs, 3, 0, 1, 7);
    assert_int_equal(outcome->ends[2].tail_bytes, 0);
    free(outcome);
}

/* A rotation before the old log was synced: the new log's records do not follow from the torn old one. */
static void wal_replay_rule_4_later_log_with_a_listed_end_is_still_verified(void **state)
{
    struct wal_disk *disk = *state;
    struct wal_outcome *outcome = wal_replay_expect(disk, two_logs, 2, 0, 1, 8);
    struct log_listing logs[] = {
        two_logs[0],
        {.number = 2, .first_record = 9, .has_end = true, .end_bytes = outcome->ends[1].end_bytes, .last_record = 12}};
    free(outcome);
    wal_replay_expect_refusal(disk, logs, 2, 0, KVS_CORRUPT, 2,
                              "expected record 9, found a record with another number");
}

/* After a recovery the old log still holds what was cut; it does not exist any more, whatever it says. */
static void wal_replay_beyond_a_listed_end_nothing_exists(void **state)
{
    struct wal_disk *disk = *state;
    uint64_t at[9];
    locate(disk, at);
    struct log_listing logs[] = {
        two_logs[0],
        {.number = 2, .first_record = 5, .has_end = true, .end_bytes = at[6], .last_record = 5},
        {.number = 3, .first_record = 9}};
    struct log_writer *writer = wal_log_new(disk, 3, 9);
    wal_append(writer, 9, 5, 60);
    wal_sync(writer);
    log_writer_close(writer);
    struct wal_outcome *outcome = wal_replay(disk, logs, 3, 0);
    assert_int_equal(outcome->status.code, KVS_OK);
    assert_int_equal(outcome->count, 6);
    assert_int_equal(outcome->records[5].record, 9);
    assert_int_equal(outcome->records[5].sequence, 60);
    assert_int_equal(outcome->report.durable_record, 5);
    assert_int_equal(outcome->report.tail_bytes, 0);
    free(outcome);
}

/* What was synced before its end was listed needs no watermark to prove it; written again it would be there twice. */
static void wal_replay_records_before_a_listed_end_are_proven(void **state)
{
    struct wal_disk *disk = *state;
    struct wal_outcome *outcome = wal_replay_expect(disk, two_logs, 2, 0, 1, 8);
    struct log_listing logs[] = {two_logs[0], two_logs[1]};
    for (size_t i = 0; i < 2; i++) {
        logs[i].has_end = true;
        logs[i].end_bytes = outcome->ends[i].end_bytes;
        logs[i].last_record = outcome->ends[i].last_record;
    }
    free(outcome);
    outcome = wal_replay_expect(disk, logs, 2, 0, 1, 8);
    assert_int_equal(outcome->report.durable_record, 8);
    assert_int_equal(outcome->report.unproven, 0);
    assert_int_equal(outcome->ends[1].proven_bytes, outcome->ends[1].end_bytes);
    free(outcome);

    /* The end of a later log says nothing of an earlier one that has none. */
    logs[0].has_end = false;
    outcome = wal_replay_expect(disk, logs, 2, 0, 1, 8);
    assert_int_equal(outcome->report.durable_record, 6);
    free(outcome);
}

/* A manifest that names logs in an order that cannot be is refused before anything is read. */
static void wal_replay_impossible_list_is_corrupt(void **state)
{
    struct wal_disk *disk = *state;
    static const struct log_listing lists[][2] = {
        {{.number = 1, .first_record = 0}, {.number = 2, .first_record = 5}},
        {{.number = 2, .first_record = 1}, {.number = 2, .first_record = 5}},
        {{.number = 1, .first_record = 6}, {.number = 2, .first_record = 5}},
        {{.number = 1, .first_record = 1, .has_end = true, .end_bytes = 512, .last_record = 5},
         {.number = 2, .first_record = 5}},
        {{.number = 1, .first_record = 3, .has_end = true, .end_bytes = 512, .last_record = 1},
         {.number = 2, .first_record = 5}},
        {{.number = 1, .first_record = 1, .has_end = true, .end_bytes = 72, .last_record = 0},
         {.number = 2, .first_record = 5}},
        {{.number = 1, .first_record = 1, .has_end = true, .end_bytes = 513, .last_record = 4},
         {.number = 2, .first_record = 5}},
        {{.number = 1, .first_record = UINT64_MAX}, {.number = 2, .first_record = UINT64_MAX}},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct wal_outcome *outcome = wal_replay(disk, lists[i], 2, 0);
        if (outcome->status.code != KVS_CORRUPT || strstr(outcome->text, "the manifest lists log") == NULL)
            fail_msg("list %zu: %s", i, outcome->text);
        free(outcome);
    }
    struct wal_outcome *outcome = wal_replay(disk, two_logs, 2, UINT64_MAX);
    assert_int_equal(outcome->status.code, KVS_CORRUPT);
    free(outcome);
}

/* Two logs that both claim a record would give one of them twice. */
static void wal_replay_log_that_begins_before_the_end_of_the_last_is_refused(void **state)
{
    static const struct log_listing logs[] = {{.number = 1, .first_record = 1}, {.number = 2, .first_record = 4}};
    wal_replay_expect_refusal(*state, logs, 2, 0, KVS_CORRUPT, 2,
                              "expected record 5, found an earlier one listed as the log's first");
}

/* Records that verify but cannot be right are a mistake of the writer, and refused before anything is applied. */
static void wal_replay_sequence_that_goes_back_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    static const struct log_listing logs[] = {{.number = 1, .first_record = 1}};
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    wal_append(writer, 1, 0, 10);
    wal_append(writer, 2, 0, 10);
    wal_sync(writer);
    log_writer_close(writer);
    wal_replay_expect_refusal(disk, logs, 1, 0, KVS_CORRUPT, 2,
                              "expected record 2, found it with 1 entries from sequence number 10 after 10");
}

static void append_raw(struct log_writer *writer, uint64_t number, uint8_t kind, const char *payload, uint32_t count)
{
    struct log_record record = {
        .number = number,
        .first_sequence = number,
        .payload_hash = hash_bytes(payload, strlen(payload)),
        .payload_bytes = (uint32_t)strlen(payload),
        .count = count,
        .kind = kind,
    };
    log_writer_append(writer, &record, payload);
}

static void wal_replay_malformed_batch_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    static const struct log_listing logs[] = {{.number = 1, .first_record = 1}, {.number = 2, .first_record = 1}};
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    append_raw(writer, 1, LOG_BATCH, "\x02\x05key", 1);
    wal_sync(writer);
    log_writer_close(writer);
    wal_replay_expect_refusal(disk, logs, 1, 0, KVS_CORRUPT, 2,
                              "found it malformed: batch entry 1 of 1 at byte 0: expected a key");

    writer = wal_log_new(disk, 2, 1);
    append_raw(writer, 1, LOG_TRUNCATE, "\x02\x03key", 1);
    wal_sync(writer);
    log_writer_close(writer);
    wal_replay_expect_refusal(disk, logs + 1, 1, 0, KVS_CORRUPT, 2, "found it of kind 3, not a batch");
}

static struct kvs_status fail_at_third(void *context, const struct log_replay_record *record)
{
    ++*(int *)context;
    return record->header.number == 3 ? STATUS(KVS_NO_MEMORY, "the memtable is full") : status_ok();
}

/* Applying stops where the memtable has no memory; the report does not claim otherwise. */
static void wal_replay_error_of_the_visitor_ends_it(void **state)
{
    struct wal_disk *disk = *state;
    int calls = 0;
    struct log_replay_report report = {.records = 99};
    struct log_replay_end ends[2];
    struct log_replay_options options = {.folder = WAL_FOLDER,
                                         .uuid = wal_uuid,
                                         .logs = two_logs,
                                         .count = 2,
                                         .visit = fail_at_third,
                                         .context = &calls};
    struct kvs_status status = log_replay(disk->io, &report, ends, &options);
    assert_int_equal(status.code, KVS_NO_MEMORY);
    assert_string_equal(status_text(status), "the memtable is full");
    assert_int_equal(calls, 3);
    assert_int_equal(report.records, 99);
}

/* A check without a visitor gives the same report, wherever D lies. */
static void wal_replay_without_a_visitor_only_checks(void **state)
{
    struct wal_disk *disk = *state;
    for (uint64_t durable = 6; durable <= 8; durable++) {
        struct log_replay_report report;
        struct log_replay_end ends[2];
        struct log_replay_options options = {
            .folder = WAL_FOLDER, .uuid = wal_uuid, .logs = two_logs, .count = 2, .durable_record = durable};
        struct wal_outcome *outcome = wal_replay_expect(disk, two_logs, 2, durable, 1, 8);
        assert_int_equal(log_replay(disk->io, &report, ends, &options).code, KVS_OK);
        assert_memory_equal(&report, &outcome->report, sizeof report);
        assert_memory_equal(ends, outcome->ends, sizeof ends);
        assert_int_equal(report.bytes, ends[0].end_bytes + ends[1].end_bytes - 2 * LOG_HEADER_BYTES);
        free(outcome);
    }
}

/* The manifest has lost the edit that listed log 2: all that was acknowledged in it would go with the file. Before any record of it was durable, nothing was. */
static void wal_replay_unlisted_log_proves_that_a_listing_was_lost(void **state)
{
    struct wal_disk *disk = *state;
    static const uint64_t unlisted[] = {2, 3};
    struct log_replay_report report;
    struct log_replay_end ends[3];
    struct log_replay_options options = {.folder = WAL_FOLDER,
                                         .uuid = wal_uuid,
                                         .logs = two_logs,
                                         .count = 1,
                                         .unlisted = unlisted,
                                         .unlisted_count = 2};
    struct kvs_status status = log_replay(disk->io, &report, ends, &options);
    assert_int_equal(status.code, KVS_CORRUPT);
    const char *parts[] = {"000002.log: offset ", "replay rule 3", ("next: kvstore_tool repair --plan " WAL_FOLDER)};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_non_null(strstr(status_text(status), parts[i]));

    struct log_writer *writer = wal_log_new(disk, 3, 100);
    wal_append(writer, 100, 4, 300);
    wal_sync(writer);
    log_writer_close(writer);
    options.unlisted = unlisted + 1;
    options.unlisted_count = 1;
    assert_int_equal(log_replay(disk->io, &report, ends, &options).code, KVS_OK);
    assert_int_equal(report.next_record, 101);
    assert_int_equal(report.next_sequence, 301);
    assert_true(ends[1].tail_offset == 0 && ends[1].tail_bytes > LOG_HEADER_BYTES);
    assert_int_equal(report.tail_bytes, ends[1].tail_bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_two_logs, tear_down)
#define TEST_EMPTY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wal_replay_sound_logs_deliver_everything),
        TEST(wal_replay_durable_number_of_the_manifest_proves_the_last_group),
        TEST_EMPTY(wal_replay_no_logs_or_empty_logs_deliver_nothing),
        TEST(wal_replay_rule_1_read_error_is_refused),
        TEST(wal_replay_unlisted_log_proves_that_a_listing_was_lost),
        TEST(wal_replay_rule_2_missing_log_is_refused),
        TEST(wal_replay_rule_2_log_shorter_than_its_preallocation_is_refused),
        TEST(wal_replay_rule_2_log_shorter_than_its_listed_end_is_refused),
        TEST(wal_replay_rule_2_damage_before_a_listed_end_is_refused),
        TEST(wal_replay_rule_2_listed_last_record_that_is_not_there_is_refused),
        TEST(wal_replay_rule_2_header_that_does_not_verify_is_refused),
        TEST(wal_replay_rule_2_log_with_another_identity_is_refused),
        TEST(wal_replay_log_of_a_newer_version_is_unsupported),
        TEST(wal_replay_rule_3_damage_below_a_watermark_is_refused),
        TEST(wal_replay_rule_3_damage_in_an_earlier_log_is_refused),
        TEST(wal_replay_rule_3_damage_below_the_number_of_the_manifest_is_refused),
        TEST(wal_replay_rule_3_search_looks_at_headers_only),
        TEST(wal_replay_rule_4_torn_tail_is_cut),
        TEST(wal_replay_rule_4_later_logs_are_cut_whole),
        TEST(wal_replay_rule_4_later_log_without_records_is_no_tail),
        TEST(wal_replay_rule_4_later_log_with_a_listed_end_is_still_verified),
        TEST(wal_replay_beyond_a_listed_end_nothing_exists),
        TEST(wal_replay_records_before_a_listed_end_are_proven),
        TEST_EMPTY(wal_replay_impossible_list_is_corrupt),
        TEST(wal_replay_log_that_begins_before_the_end_of_the_last_is_refused),
        TEST_EMPTY(wal_replay_sequence_that_goes_back_is_refused),
        TEST_EMPTY(wal_replay_malformed_batch_is_refused),
        TEST(wal_replay_error_of_the_visitor_ends_it),
        TEST(wal_replay_without_a_visitor_only_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
