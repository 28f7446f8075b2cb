/* wal_unproven_test.c -- what recovery writes again: the records beyond D, wherever D lies. */

#include "wal_support.h"

#include "base/hash.h"
#include "format/batch.h"
#include "format/log_header.h"

#include <string.h>

enum { LOG_RECORDS = 6, ALL_RECORDS = 2 * LOG_RECORDS, VALUE_BYTES = 400 * 1000, LOG_BYTES = 4 << 20 };

static const struct log_listing logs[] = {{.number = 1, .first_record = 1},
                                          {.number = 2, .first_record = LOG_RECORDS + 1}};

static uint64_t sequence_of(uint64_t record)
{
    return record * 10;
}

static void append_large(struct log_writer *writer, uint64_t number)
{
    char *value = malloc(VALUE_BYTES);
    uint8_t *payload = malloc(VALUE_BYTES + 100);
    assert_true(value != NULL && payload != NULL);
    memset(value, 'a' + (int)number, VALUE_BYTES);
    uint8_t *end = batch_put_entry(payload, KEY_PUT, slice_of_text("key"), slice_of(value, VALUE_BYTES));
    struct log_record record = {
        .number = number,
        .first_sequence = sequence_of(number),
        .payload_hash = hash_bytes(payload, (size_t)(end - payload)),
        .payload_bytes = (uint32_t)(end - payload),
        .count = 1,
        .kind = LOG_BATCH,
    };
    log_writer_append(writer, &record, payload);
    free(payload);
    free(value);
}

/* No watermark says that anything is durable: D is what the manifest has. Each log is larger than the distance of the marks by which D is found again. */
static int set_up(void **state)
{
    struct wal_disk *disk = calloc(1, sizeof *disk);
    wal_disk_open(disk, 1);
    for (size_t i = 0; i < 2; i++) {
        struct log_writer *writer = NULL;
        struct log_writer_options options = {.number = logs[i].number,
                                             .uuid = wal_uuid,
                                             .capacity_bytes = LOG_BYTES,
                                             .piece_bytes = LOG_BYTES,
                                             .buffer_bytes = LOG_BYTES};
        assert_int_equal(log_writer_create(&writer, disk->io, WAL_FOLDER, &options).code, KVS_OK);
        log_writer_begin(writer, logs[i].first_record);
        for (uint64_t record = 0; record < LOG_RECORDS; record++)
            append_large(writer, logs[i].first_record + record);
        wal_write(writer);
        log_writer_close(writer);
    }
    *state = disk;
    return 0;
}

static int tear_down(void **state)
{
    wal_disk_close(*state);
    free(*state);
    return 0;
}

/* records    delivered, in order
 * offsets    of each record, by number */
struct delivery {
    uint64_t records;
    uint64_t first, last;
    uint64_t offsets[ALL_RECORDS + 1];
};

static struct kvs_status take_record(void *context, const struct log_replay_record *record)
{
    struct delivery *delivery = context;
    uint64_t number = record->header.number;
    assert_true(number >= 1 && number <= ALL_RECORDS);
    assert_int_equal(record->log, number > LOG_RECORDS);
    assert_int_equal(record->header.first_sequence, sequence_of(number));
    const char *bytes = record->payload.data;
    assert_int_equal(bytes[record->payload.size - 1], 'a' + (int)number);
    if (delivery->records++ == 0)
        delivery->first = number;
    else
        assert_int_equal(number, delivery->last + 1);
    delivery->last = number;
    delivery->offsets[number] = record->offset;
    return status_ok();
}

/* A recovery that leaves one out loses it; one that takes one too many gives it two numbers. */
static void wal_replay_unproven_gives_exactly_the_records_beyond_d(void **state)
{
    struct wal_disk *disk = *state;
    for (uint64_t durable = 0; durable <= ALL_RECORDS; durable++) {
        struct delivery all = {0}, unproven = {0};
        struct log_replay_report report;
        struct log_replay_end ends[2];
        struct log_replay_options options = {.folder = WAL_FOLDER,
                                             .uuid = wal_uuid,
                                             .logs = logs,
                                             .count = 2,
                                             .durable_record = durable,
                                             .visit = take_record,
                                             .context = &all};
        assert_int_equal(log_replay(disk->io, &report, ends, &options).code, KVS_OK);
        assert_int_equal(all.records, ALL_RECORDS);
        assert_int_equal(report.unproven, ALL_RECORDS - durable);
        assert_int_equal(report.proven_sequence, sequence_of(durable));
        for (size_t i = 0; i < 2; i++) {
            bool has_unproven = ends[i].proven_record < ends[i].last_record;
            assert_int_equal(ends[i].proven_bytes,
                             has_unproven ? all.offsets[ends[i].proven_record + 1] : ends[i].end_bytes);
        }
        options.context = &unproven;
        assert_int_equal(log_replay_unproven(disk->io, &options, ends).code, KVS_OK);
        assert_int_equal(unproven.records, ALL_RECORDS - durable);
        if (durable < ALL_RECORDS)
            assert_int_equal(unproven.first, durable + 1);
        assert_int_equal(io_mem_open_count(disk->mem), 0);
    }
}

/* A file that changed between the two readings is noticed, not served. */
static void wal_replay_unproven_of_a_file_that_changed_is_refused(void **state)
{
    struct wal_disk *disk = *state;
    struct delivery delivery = {0};
    struct log_replay_report report;
    struct log_replay_end ends[2];
    struct log_replay_options options = {.folder = WAL_FOLDER,
                                         .uuid = wal_uuid,
                                         .logs = logs,
                                         .count = 2,
                                         .durable_record = 2,
                                         .visit = take_record,
                                         .context = &delivery};
    assert_int_equal(log_replay(disk->io, &report, ends, &options).code, KVS_OK);
    uint8_t byte = 0;
    assert_true(io_mem_damage(disk->mem, wal_log_path(2), &byte, 1, delivery.offsets[LOG_RECORDS + 3] + 1000));
    delivery = (struct delivery){0};
    struct kvs_status status = log_replay_unproven(disk->io, &options, ends);
    assert_int_equal(status.code, KVS_CORRUPT);
    assert_non_null(strstr(status_text(status), "expected record 9"));
    assert_int_equal(delivery.last, LOG_RECORDS + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wal_replay_unproven_gives_exactly_the_records_beyond_d),
        TEST(wal_replay_unproven_of_a_file_that_changed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
