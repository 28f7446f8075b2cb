/* wal_damage_test.c -- every byte of two small logs damaged, every length, every failing allocation. */

#include "fault_allocator.h"
#include "wal_support.h"

#include "format/log_header.h"

#include <stdio.h>
#include <string.h>

/* ---- The logs ---- */

enum { LAST_RECORD = 9, PROVEN_RECORD = 7 };

static const struct log_listing logs[] = {{.number = 1, .first_record = 1}, {.number = 2, .first_record = 6}};

/* Records 1 to 5 and 6 to 9, the last of them written when 7 was durable; the second log's end passes its first piece. */
static void write_logs(struct wal_disk *disk)
{
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    for (uint64_t record = 1; record <= 5; record++)
        wal_append(writer, record, record / 2, record * 3);
    wal_sync(writer);
    log_writer_close(writer);
    writer = wal_log_new(disk, 2, 6);
    for (uint64_t record = 6; record <= LAST_RECORD; record++)
        wal_append(writer, record, record == LAST_RECORD ? PROVEN_RECORD : 5, record * 3);
    wal_sync(writer);
    log_writer_close(writer);
}

static int set_up(void **state)
{
    struct wal_disk *disk = calloc(1, sizeof *disk);
    wal_disk_open(disk, 1);
    write_logs(disk);
    *state = disk;
    return 0;
}

static int tear_down(void **state)
{
    wal_disk_close(*state);
    free(*state);
    return 0;
}

/* Either refused with nothing delivered, or a run of whole records from the first one that reaches all that was durable. The content of each
 * was compared when it was delivered. Returns whether it was refused. */
static bool check_outcome(const struct wal_outcome *outcome, const char *what, uint64_t log, size_t at)
{
    if (outcome->status.code != KVS_OK) {
        if (outcome->count != 0 || strstr(outcome->text, "replay rule ") == NULL)
            fail_msg("%s log %d at %zu: %zu records and %s", what, (int)log, at, outcome->count, outcome->text);
        return true;
    }
    for (size_t i = 0; i < outcome->count; i++) {
        assert_int_equal(outcome->records[i].record, i + 1);
        assert_int_equal(outcome->records[i].sequence, (i + 1) * 3);
    }
    if (outcome->count < PROVEN_RECORD)
        fail_msg("%s log %d at %zu: durable records lost without a word, %zu left", what, (int)log, at, outcome->count);
    return false;
}

/* Damage is never returned as data and never hides a durable record. */
static void wal_replay_any_flipped_byte_is_refused_or_a_torn_tail(void **state)
{
    struct wal_disk *disk = *state;
    size_t refused = 0, torn = 0, harmless = 0;
    for (uint64_t log = 1; log <= 2; log++) {
        size_t size;
        uint8_t *bytes = io_mem_copy_file(disk->mem, &size, wal_log_path(log));
        for (size_t at = 0; at < size; at++) {
            uint8_t flipped = bytes[at] ^ (uint8_t)(1 << at % 8);
            assert_true(io_mem_damage(disk->mem, wal_log_path(log), &flipped, 1, at));
            struct wal_outcome *outcome = wal_replay(disk, logs, 2, 0);
            if (check_outcome(outcome, "flipped", log, at))
                refused++;
            else if (outcome->count < LAST_RECORD)
                torn++;
            else
                harmless++;
            free(outcome);
            assert_true(io_mem_damage(disk->mem, wal_log_path(log), bytes + at, 1, at));
        }
        free(bytes);
    }
    /* Harmless is only what lies in preallocated space; the last group is what no log can tell from a torn tail. */
    assert_true(refused > 2 * LOG_HEADER_BYTES + 6 * LOG_RECORD_HEADER_BYTES);
    assert_true(torn > 0 && torn < refused);
    assert_true(harmless > 0);
}

/* A file that lost its end at any length is refused or gives a run that reaches all that was durable. */
static void wal_replay_any_truncation_is_refused_or_a_torn_tail(void **state)
{
    struct wal_disk *disk = *state;
    for (uint64_t log = 1; log <= 2; log++) {
        size_t size;
        uint8_t *bytes = io_mem_copy_file(disk->mem, &size, wal_log_path(log));
        for (size_t cut = size; cut-- > 0;) {
            assert_true(io_mem_resize(disk->mem, wal_log_path(log), cut));
            struct wal_outcome *outcome = wal_replay(disk, logs, 2, 0);
            bool refused = check_outcome(outcome, "cut", log, cut);
            assert_true(refused || cut >= WAL_PIECE_BYTES);
            free(outcome);
        }
        assert_true(io_mem_resize(disk->mem, wal_log_path(log), size));
        assert_true(io_mem_damage(disk->mem, wal_log_path(log), bytes, size, 0));
        free(bytes);
    }
}

/* Without memory nothing is delivered in part and nothing leaks; a second try works. */
static void wal_replay_every_failing_allocation_is_reported(void **state)
{
    struct wal_disk *disk = *state;
    struct wal_outcome *outcome;
    struct log_replay_report report;
    struct log_replay_end ends[2];
    struct log_replay_options options = {.folder = WAL_FOLDER, .uuid = wal_uuid, .logs = logs, .count = 2};
    uint64_t nth = 0;
    struct kvs_status status;
    do {
        allocator_fail(++nth, false);
        status = log_replay(disk->io, &report, ends, &options);
        bool failed = allocator_has_failed();
        allocator_clear();
        assert_int_equal(status.code, failed ? KVS_NO_MEMORY : KVS_OK);
        assert_int_equal(io_mem_open_count(disk->mem), 0);
    } while (status.code != KVS_OK);
    assert_true(nth > 4);
    outcome = wal_replay_expect(disk, logs, 2, 0, 1, LAST_RECORD);
    free(outcome);
}

/* A log that could not be made leaves nothing behind, whichever allocation failed. */
static void wal_writer_create_every_failing_allocation_is_reported(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer_options options = {
        .number = 3, .uuid = wal_uuid, .capacity_bytes = 4096, .piece_bytes = 512, .buffer_bytes = 512};
    struct kvs_status status;
    uint64_t nth = 0;
    do {
        struct log_writer *writer = NULL;
        bool exists = false;
        allocator_fail(++nth, false);
        status = log_writer_create(&writer, disk->io, WAL_FOLDER, &options);
        bool failed = allocator_has_failed();
        allocator_clear();
        assert_int_equal(status.code, failed ? KVS_NO_MEMORY : KVS_OK);
        log_writer_close(writer);
        assert_int_equal(io_exists(disk->io, &exists, wal_log_path(3)).code, KVS_OK);
        assert_true(exists == !failed);
        assert_int_equal(io_mem_open_count(disk->mem), 0);
    } while (status.code != KVS_OK);
    assert_true(nth > 3);
}

/* A buffer that cannot grow leaves the log as it was. */
static void wal_writer_grow_buffer_without_memory_changes_nothing(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = wal_log_new(disk, 3, 10);
    allocator_fail(1, false);
    assert_int_equal(log_writer_grow_buffer(writer, 1 << 20).code, KVS_NO_MEMORY);
    wal_append(writer, 10, 0, 30);
    wal_sync(writer);
    assert_int_equal(log_writer_status(writer).code, KVS_OK);
    log_writer_close(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wal_replay_any_flipped_byte_is_refused_or_a_torn_tail),
        TEST(wal_replay_any_truncation_is_refused_or_a_torn_tail),
        TEST(wal_replay_every_failing_allocation_is_reported),
        TEST(wal_writer_create_every_failing_allocation_is_reported),
        TEST(wal_writer_grow_buffer_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
