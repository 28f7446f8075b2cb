/* repair_log_survey_test.c -- what a survey finds in damaged logs, and what it says of the rest. */

#include "wal_support.h"

#include "format/log_header.h"
#include "repair/log_survey.h"

#include <string.h>

enum { RECORDS = 6, RECORD_BYTES_MAX = 200 };

/* A log of records 10 to 15, one change each, sequence number three times the record number; offsets of the records and of the end. */
struct world {
    struct wal_disk disk;
    uint64_t offsets[RECORDS + 1];
    struct repair_report report;
    struct entry_list entries;
    struct log_survey survey;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    uint8_t bytes[RECORD_BYTES_MAX];
    wal_disk_open(&world->disk, 1);
    struct log_writer *writer = wal_log_new(&world->disk, 1, 10);
    world->offsets[0] = LOG_HEADER_BYTES;
    for (uint64_t i = 0; i < RECORDS; i++) {
        uint64_t record = 10 + i;
        wal_append(writer, record, record - 1, record * 3);
        world->offsets[i + 1] = world->offsets[i] + wal_put_record(bytes, record, record - 1, record * 3, 1, 0);
    }
    wal_sync(writer);
    log_writer_close(writer);
    repair_report_init(&world->report);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    repair_report_fini(&world->report);
    entry_list_fini(&world->entries);
    wal_disk_close(&world->disk);
    free(world);
    return 0;
}

static void flip(struct world *world, uint64_t offset)
{
    size_t size;
    uint8_t *bytes = io_mem_copy_file(world->disk.mem, &size, wal_log_path(1));
    bytes[offset] ^= 0x20;
    assert_true(io_mem_damage(world->disk.mem, wal_log_path(1), bytes + offset, 1, offset));
    free(bytes);
}

static void survey(struct world *world, const struct log_survey_options *options)
{
    struct log_survey_options made = *options;
    made.folder = WAL_FOLDER;
    made.listing.number = 1;
    made.listing.first_record = 10;
    assert_int_equal(log_survey(world->disk.io, &world->survey, &world->entries, &world->report, &made).code, KVS_OK);
}

static const struct repair_finding *only_finding(const struct world *world)
{
    assert_int_equal(world->report.finding_count, 1);
    assert_string_equal(world->report.findings[0].file, "000001.log");
    return &world->report.findings[0];
}

/* A sound log would be reported as damaged. */
static void repair_log_survey_of_a_sound_log_finds_everything(void **state)
{
    struct world *world = *state;
    survey(world, &(struct log_survey_options){.durable = 15});
    assert_int_equal(world->survey.records, RECORDS);
    assert_int_equal(world->survey.entries, RECORDS);
    assert_int_equal(world->survey.largest_record, 15);
    assert_int_equal(world->survey.largest_sequence, 45);
    assert_int_equal(world->survey.largest_watermark, 14);
    assert_int_equal(world->report.finding_count, 0);
}

/* What follows a damaged record would be given up with it. */
static void repair_log_survey_goes_on_after_a_damaged_record(void **state)
{
    struct world *world = *state;
    flip(world, world->offsets[2] + LOG_RECORD_HEADER_BYTES + 1);
    survey(world, &(struct log_survey_options){.durable = 15});
    const struct repair_finding *finding = only_finding(world);
    assert_int_equal(world->survey.records, RECORDS - 1);
    assert_true(finding->is_lost);
    assert_int_equal(finding->offset, world->offsets[2]);
    assert_int_equal(finding->end, world->offsets[3]);
    assert_int_equal(finding->first_record, 12);
    assert_int_equal(finding->last_record, 12);
    assert_int_equal(finding->first_sequence, 34);
    assert_int_equal(finding->last_sequence, 38);
}

/* A loss would be reported of what segments have. */
static void repair_log_survey_of_flushed_records_loses_nothing(void **state)
{
    struct world *world = *state;
    flip(world, world->offsets[2] + 9);
    survey(world, &(struct log_survey_options){.durable = 15, .flushed_sequence = 39});
    assert_false(only_finding(world)->is_lost);
    assert_int_equal(world->survey.entries, 2);
}

/* With its header gone, a log would be gone: one intact record tells its id. */
static void repair_log_survey_without_a_header_reads_all_records(void **state)
{
    struct world *world = *state;
    for (uint64_t offset = 32; offset < 40; offset++)
        flip(world, offset);
    survey(world, &(struct log_survey_options){.durable = 15});
    assert_int_equal(world->survey.records, RECORDS);
    assert_false(only_finding(world)->is_lost);
}

/* Header and first record gone: everything is lost, and that is said. */
static void repair_log_survey_without_any_id_loses_all(void **state)
{
    struct world *world = *state;
    flip(world, 33);
    flip(world, LOG_HEADER_BYTES + 20);
    survey(world, &(struct log_survey_options){.next_first = 16});
    const struct repair_finding *finding = only_finding(world);
    assert_int_equal(world->survey.records, 0);
    assert_true(finding->is_lost);
    assert_int_equal(finding->first_record, 10);
    assert_int_equal(finding->last_record, 15);
}

/* A torn tail is no loss, but it is told; a durable record in its place is one. */
static void repair_log_survey_tells_a_torn_tail_from_a_lost_one(void **state)
{
    struct world *world = *state;
    flip(world, world->offsets[RECORDS - 1] + LOG_RECORD_HEADER_BYTES);
    survey(world, &(struct log_survey_options){.durable = 14});
    assert_false(only_finding(world)->is_lost);
    repair_report_cut(&world->report, 0);
    survey(world, &(struct log_survey_options){.durable = 15});
    assert_true(only_finding(world)->is_lost);
    assert_int_equal(only_finding(world)->first_record, 15);
}

/* A file that lost its end would be taken for one that has all. */
static void repair_log_survey_of_a_truncated_log_tells_that_more_may_be_lost(void **state)
{
    struct world *world = *state;
    assert_true(io_mem_resize(world->disk.mem, wal_log_path(1), world->offsets[3]));
    survey(world, &(struct log_survey_options){.durable = 0});
    const struct repair_finding *finding = only_finding(world);
    assert_int_equal(world->survey.records, 3);
    assert_true(finding->is_lost);
    assert_int_equal(finding->first_record, 13);
    assert_int_equal(finding->last_record, 0);
}

/* Beyond a listed end there is nothing. */
static void repair_log_survey_stops_at_a_listed_end(void **state)
{
    struct world *world = *state;
    struct log_survey_options options = {
        .listing = {.has_end = true, .end_bytes = world->offsets[4], .last_record = 13}};
    flip(world, world->offsets[4] + 3);
    survey(world, &options);
    assert_int_equal(world->survey.records, 4);
    assert_int_equal(world->report.finding_count, 0);
}

static void repair_log_survey_of_a_missing_log_is_a_finding(void **state)
{
    struct world *world = *state;
    assert_int_equal(io_unlink(world->disk.io, wal_log_path(1)).code, KVS_OK);
    survey(world, &(struct log_survey_options){.durable = 15});
    assert_true(only_finding(world)->is_lost);
    assert_string_equal(only_finding(world)->what, "the file is missing");
}

/* A disk that fails for a moment would be taken for a damaged log. */
static void repair_log_survey_read_error_is_an_error(void **state)
{
    struct world *world = *state;
    struct log_survey_options options = {.folder = WAL_FOLDER, .listing = {.number = 1, .first_record = 10}};
    io_fault_fail(world->disk.fault, IO_CALL_READ, 2, 5, false);
    assert_int_equal(log_survey(world->disk.io, &world->survey, &world->entries, &world->report, &options).code,
                     KVS_IO);
    io_fault_clear(world->disk.fault);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(repair_log_survey_of_a_sound_log_finds_everything),
        TEST(repair_log_survey_goes_on_after_a_damaged_record),
        TEST(repair_log_survey_of_flushed_records_loses_nothing),
        TEST(repair_log_survey_without_a_header_reads_all_records),
        TEST(repair_log_survey_without_any_id_loses_all),
        TEST(repair_log_survey_tells_a_torn_tail_from_a_lost_one),
        TEST(repair_log_survey_of_a_truncated_log_tells_that_more_may_be_lost),
        TEST(repair_log_survey_stops_at_a_listed_end),
        TEST(repair_log_survey_of_a_missing_log_is_a_finding),
        TEST(repair_log_survey_read_error_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
