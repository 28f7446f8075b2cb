/* wal_writer_test.c -- writing one log, and keeping a copy of a torn tail. */

#include "wal_support.h"

#include "base/hash.h"
#include "format/batch.h"
#include "format/log_header.h"
#include "io/io_thread.h"
#include "io/io_trace.h"
#include "wal/log_set_aside.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const struct log_listing first_log[] = {{.number = 1, .first_record = 1}};

static int set_up(void **state)
{
    struct wal_disk *disk = calloc(1, sizeof *disk);
    wal_disk_open(disk, 1);
    *state = disk;
    return 0;
}

static int tear_down(void **state)
{
    wal_disk_close(*state);
    free(*state);
    return 0;
}

static struct log_writer_options sample_options(void)
{
    return (struct log_writer_options){
        .number = 1, .uuid = wal_uuid, .capacity_bytes = 8192, .piece_bytes = 4096, .buffer_bytes = 1024};
}

/* A log whose header or preallocation is not durable when it is listed would be refused after a power cut. */
static void wal_writer_create_preallocates_writes_and_syncs_in_this_order(void **state)
{
    struct wal_disk *disk = *state;
    struct io_trace *trace = io_trace_new(disk->io, 4096);
    struct log_writer *writer = NULL;
    struct log_writer_options options = sample_options();
    assert_int_equal(log_writer_create(&writer, io_trace_as_io(trace), WAL_FOLDER, &options).code, KVS_OK);
    assert_string_equal(io_trace_text(trace), "open 000001.log create\n"
                                              "preallocate 000001.log 0+4096\n"
                                              "write 000001.log 0+80\n"
                                              "sync 000001.log SYNC-1\n");
    assert_int_equal(log_writer_number(writer), 1);
    assert_int_equal(log_writer_allocated_bytes(writer), 4096);
    log_writer_close(writer);
    io_trace_free(trace);
}

/* A full disk at rotation leaves no half-made file that a later open would trip over. */
static void wal_writer_failed_create_leaves_nothing_behind(void **state)
{
    struct wal_disk *disk = *state;
    static const enum io_call calls[] = {IO_CALL_RANDOM, IO_CALL_OPEN, IO_CALL_PREALLOCATE, IO_CALL_WRITE,
                                         IO_CALL_SYNC};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct log_writer *writer = NULL;
        struct log_writer_options options = sample_options();
        bool exists = true;
        io_fault_fail(disk->fault, calls[i], 1, ENOSPC, false);
        struct kvs_status status = log_writer_create(&writer, disk->io, WAL_FOLDER, &options);
        io_fault_clear(disk->fault);
        assert_int_equal(status.code, KVS_NO_SPACE);
        assert_string_not_equal(status_text(status), "NO_SPACE");
        assert_null(writer);
        assert_int_equal(io_mem_open_count(disk->mem), 0);
        assert_int_equal(io_exists(disk->io, &exists, wal_log_path(1)).code, KVS_OK);
        assert_false(exists);
    }
}

/* A file that is there is never written over. */
static void wal_writer_create_of_an_existing_name_is_an_error(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = NULL;
    struct log_writer_options options = sample_options();
    bool exists = false;
    log_writer_close(wal_log_new(disk, 1, 1));
    struct kvs_status status = log_writer_create(&writer, disk->io, WAL_FOLDER, &options);
    assert_int_equal(status.code, KVS_IO);
    assert_int_equal(status.sys_errno, EEXIST);
    assert_int_equal(io_exists(disk->io, &exists, wal_log_path(1)).code, KVS_OK);
    assert_true(exists);
}

/* Group commit: one write and one sync for all that came together. */
static void wal_writer_records_taken_together_are_one_write(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    uint64_t written = 0, end_bytes, last_record;
    uint64_t writes_before = io_fault_count(disk->fault, IO_CALL_WRITE);
    for (uint64_t record = 1; record <= 3; record++)
        wal_append(writer, record, 0, record);
    assert_true(log_writer_take(writer));
    assert_int_equal(log_writer_write(writer, &written).code, KVS_OK);
    assert_int_equal(log_writer_sync(writer, SYNC_LOG).code, KVS_OK);
    assert_int_equal(written, 3);
    assert_int_equal(io_fault_count(disk->fault, IO_CALL_WRITE) - writes_before, 1);
    log_writer_end(writer, &end_bytes, &last_record);
    assert_int_equal(last_record, 3);
    log_writer_close(writer);
    struct wal_outcome *outcome = wal_replay_expect(disk, first_log, 1, 0, 1, 3);
    assert_int_equal(outcome->ends[0].end_bytes, end_bytes);
    free(outcome);
}

/* With nothing appended a write does nothing, and still says how far the log is written. */
static void wal_writer_write_of_nothing_calls_nothing(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = wal_log_new(disk, 1, 5);
    uint64_t written = 0;
    uint64_t writes_before = io_fault_count(disk->fault, IO_CALL_WRITE);
    assert_false(log_writer_take(writer));
    assert_int_equal(log_writer_write(writer, &written).code, KVS_OK);
    assert_int_equal(written, 4);
    assert_int_equal(io_fault_count(disk->fault, IO_CALL_WRITE), writes_before);
    log_writer_close(writer);
}

/* Writers append while a write is under way; nothing is lost or moved. */
static void wal_writer_appends_beside_a_write_follow_it(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    uint64_t written = 0;
    for (uint64_t record = 1; record <= 40; record += 2) {
        wal_append(writer, record, 0, record);
        log_writer_take(writer);
        wal_append(writer, record + 1, 0, record + 1);
        assert_int_equal(log_writer_write(writer, &written).code, KVS_OK);
        assert_int_equal(written, record);
    }
    wal_write(writer);
    log_writer_close(writer);
    free(wal_replay_expect(disk, first_log, 1, 0, 1, 40));
}

/* Admission waits for the right thing: a rotation, a preallocation, or a write. */
static void wal_writer_room_tells_what_is_missing(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = NULL;
    struct log_writer_options options = sample_options();
    assert_int_equal(log_writer_create(&writer, disk->io, WAL_FOLDER, &options).code, KVS_OK);
    log_writer_begin(writer, 1);
    struct log_room room = log_writer_room(writer);
    assert_int_equal(room.capacity_bytes, LOG_RECORD_MAX_BYTES);
    assert_int_equal(room.piece_bytes, 4096 - LOG_HEADER_BYTES);
    assert_int_equal(room.buffer_bytes, 1024);

    wal_append(writer, 1, 0, 1);
    room = log_writer_room(writer);
    uint64_t used = 1024 - room.buffer_bytes;
    assert_int_equal(room.capacity_bytes, 8192 - LOG_HEADER_BYTES - used);
    assert_int_equal(room.piece_bytes, 4096 - LOG_HEADER_BYTES - used);

    assert_int_equal(log_writer_extend(writer, 0).code, KVS_OK);
    wal_write(writer);
    room = log_writer_room(writer);
    assert_int_equal(room.piece_bytes, 8192 - LOG_HEADER_BYTES - used);
    assert_int_equal(room.buffer_bytes, 1024);
    assert_int_equal(log_writer_extend(writer, 5000).code, KVS_OK);
    assert_int_equal(log_writer_allocated_bytes(writer), 16384);
    log_writer_close(writer);
}

/* A log that will be filled is preallocated before it is used: extending it later would hold up its writes. */
static void wal_writer_create_with_first_bytes_preallocates_them_all(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = NULL;
    struct log_writer_options options = sample_options();
    options.first_bytes = 7000;
    assert_int_equal(log_writer_create(&writer, disk->io, WAL_FOLDER, &options).code, KVS_OK);
    log_writer_begin(writer, 1);
    assert_int_equal(log_writer_allocated_bytes(writer), 7000);
    assert_int_equal(log_writer_room(writer).piece_bytes, 7000 - LOG_HEADER_BYTES);
    assert_int_equal(log_writer_extend(writer, 1).code, KVS_OK);
    assert_int_equal(log_writer_allocated_bytes(writer), 7000 + 4096);
    log_writer_close(writer);
}

/* A full disk is met before a write is admitted; the log goes on when there is room again. */
static void wal_writer_extend_on_a_full_disk_leaves_the_log_usable(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    io_fault_fail(disk->fault, IO_CALL_PREALLOCATE, 1, ENOSPC, false);
    assert_int_equal(log_writer_extend(writer, 1).code, KVS_NO_SPACE);
    assert_int_equal(log_writer_status(writer).code, KVS_OK);
    assert_int_equal(log_writer_allocated_bytes(writer), WAL_PIECE_BYTES);
    assert_int_equal(log_writer_extend(writer, 1).code, KVS_OK);
    wal_append(writer, 1, 0, 1);
    wal_sync(writer);
    log_writer_close(writer);
    free(wal_replay_expect(disk, first_log, 1, 0, 1, 1));
}

/* A write that meets a full disk is made again, the same bytes in the same place; nothing is lost and nothing needs a reopen. */
static void wal_writer_write_on_a_full_disk_is_repeated_in_place(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    struct io_fault_rule rule = {
        .call = IO_CALL_WRITE, .nth = 1, .action = IO_FAULT_SHORT, .sys_errno = ENOSPC, .landed_bytes = 100};
    uint64_t written = 99;
    wal_append(writer, 1, 0, 1);
    wal_append(writer, 2, 0, 2);
    io_fault_add(disk->fault, &rule);
    assert_true(log_writer_take(writer));
    assert_int_equal(log_writer_write(writer, &written).code, KVS_NO_SPACE);
    assert_int_equal(written, 99);
    struct kvs_status status = log_writer_status(writer);
    assert_int_equal(status.code, KVS_NO_SPACE);
    assert_non_null(strstr(status_text(status), "000001.log"));

    /* What was admitted before is still appended, and stays behind what is to be repeated. */
    wal_append(writer, 3, 0, 3);
    assert_true(log_writer_take(writer));
    assert_int_equal(log_writer_write(writer, &written).code, KVS_OK);
    assert_int_equal(written, 2);
    assert_int_equal(log_writer_status(writer).code, KVS_OK);
    wal_sync(writer);
    log_writer_close(writer);
    free(wal_replay_expect(disk, first_log, 1, 0, 1, 3));
}

static void expect_poisoned(struct log_writer *writer, const char *first_sentence)
{
    uint64_t written = 99;
    struct kvs_status statuses[] = {log_writer_status(writer), log_writer_write(writer, &written),
                                    log_writer_extend(writer, 1), log_writer_sync(writer, SYNC_LOG)};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(statuses[i].code, KVS_POISONED);
    assert_non_null(strstr(status_text(statuses[3]), first_sentence));
    assert_int_equal(written, 99);
}

/* After a failed sync the pages may be gone: a second sync that succeeds would be a lie. */
static void wal_writer_failed_sync_poisons_for_good(void **state)
{
    struct wal_disk *disk = *state;
    static const int errors[] = {EIO, ENOSPC};
    for (uint64_t i = 0; i < 2; i++) {
        struct log_writer *writer = wal_log_new(disk, 1 + i, 1);
        char first[STATUS_TEXT_BYTES];
        wal_append(writer, 1, 0, 1);
        wal_write(writer);
        io_fault_fail(disk->fault, IO_CALL_SYNC, 1, errors[i], false);
        struct kvs_status status = log_writer_sync(writer, SYNC_LOG);
        assert_int_equal(status.code, errors[i] == EIO ? KVS_IO : KVS_NO_SPACE);
        status_save_text(status, first);
        uint64_t syncs = io_fault_count(disk->fault, IO_CALL_SYNC);
        expect_poisoned(writer, first);
        assert_int_equal(io_fault_count(disk->fault, IO_CALL_SYNC), syncs);
        log_writer_close(writer);
    }
}

static void wal_writer_failed_write_poisons_for_good(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    char first[STATUS_TEXT_BYTES];
    uint64_t written = 99;
    wal_append(writer, 1, 0, 1);
    log_writer_take(writer);
    io_fault_fail(disk->fault, IO_CALL_WRITE, 1, EIO, false);
    struct kvs_status status = log_writer_write(writer, &written);
    assert_int_equal(status.code, KVS_IO);
    status_save_text(status, first);
    wal_append(writer, 2, 0, 2);
    expect_poisoned(writer, first);
    log_writer_close(writer);
}

/* A full disk and then a failed sync: the worse of the two is told. */
static void wal_writer_full_and_then_poisoned_stays_poisoned(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    uint64_t written;
    wal_append(writer, 1, 0, 1);
    log_writer_take(writer);
    io_fault_fail(disk->fault, IO_CALL_WRITE, 1, ENOSPC, false);
    io_fault_fail(disk->fault, IO_CALL_SYNC, 1, EIO, false);
    assert_int_equal(log_writer_write(writer, &written).code, KVS_NO_SPACE);
    assert_int_equal(log_writer_sync(writer, SYNC_LOG).code, KVS_IO);
    expect_poisoned(writer, "000001.log");
    log_writer_close(writer);
}

/* A batch over the buffer's size gets a larger one, made outside the commit lock, and the memory is given back after. */
static void wal_writer_large_record_grows_the_buffer_for_once(void **state)
{
    struct wal_disk *disk = *state;
    struct log_writer *writer = wal_log_new(disk, 1, 1);
    size_t value_size = VALUE_MAX_BYTES;
    size_t size = batch_entry_bytes(KEY_PUT, 1, value_size);
    uint8_t *value = calloc(1, value_size), *payload = malloc(size);
    batch_put_entry(payload, KEY_PUT, slice_of("k", 1), slice_of(value, value_size));
    struct log_record record = {.number = 1,
                                .first_sequence = 1,
                                .payload_hash = hash_bytes(payload, size),
                                .payload_bytes = (uint32_t)size,
                                .count = 1,
                                .kind = LOG_BATCH};
    assert_true(log_writer_room(writer).buffer_bytes < log_record_bytes(size));
    assert_int_equal(log_writer_grow_buffer(writer, log_record_bytes(size)).code, KVS_OK);
    assert_false(log_writer_take(writer));
    assert_int_equal(log_writer_room(writer).buffer_bytes, log_record_bytes(size));
    assert_int_equal(log_writer_extend(writer, log_record_bytes(size)).code, KVS_OK);
    log_writer_append(writer, &record, payload);
    wal_sync(writer);
    log_writer_take(writer);
    assert_int_equal(log_writer_room(writer).buffer_bytes, WAL_BUFFER_BYTES);
    log_writer_take(writer);
    assert_int_equal(log_writer_room(writer).buffer_bytes, WAL_BUFFER_BYTES);
    log_writer_close(writer);
    free(payload);
    free(value);

    struct log_replay_report report;
    struct log_replay_end end;
    struct log_replay_options options = {.folder = WAL_FOLDER, .uuid = wal_uuid, .logs = first_log, .count = 1};
    assert_int_equal(log_replay(disk->io, &report, &end, &options).code, KVS_OK);
    assert_int_equal(report.records, 1);
}

/* ---- Threads: the roles of log_writer.h, all at work ---- */

enum { THREAD_RECORDS = 3000 };

struct roles {
    struct io *io;
    struct log_writer *writer;
    struct io_mutex commit;
    atomic_bool appended_all;
    _Atomic uint64_t synced;
    uint64_t appended;
};

static void write_and_sync(void *argument)
{
    struct roles *roles = argument;
    for (bool last = false; !last;) {
        uint64_t written = 0;
        last = atomic_load(&roles->appended_all);
        io_mutex_lock(&roles->commit);
        log_writer_take(roles->writer);
        io_mutex_unlock(&roles->commit);
        assert_int_equal(log_writer_write(roles->writer, &written).code, KVS_OK);
        assert_int_equal(log_writer_sync(roles->writer, SYNC_LOG).code, KVS_OK);
        atomic_store(&roles->synced, written);
    }
}

static void extend(void *argument)
{
    struct roles *roles = argument;
    while (!atomic_load(&roles->appended_all)) {
        io_mutex_lock(&roles->commit);
        bool is_low = log_writer_room(roles->writer).piece_bytes < 4 * WAL_PIECE_BYTES;
        io_mutex_unlock(&roles->commit);
        if (is_low)
            assert_int_equal(log_writer_extend(roles->writer, WAL_PIECE_BYTES).code, KVS_OK);
        assert_int_equal(log_writer_status(roles->writer).code, KVS_OK);
    }
}

static bool try_append(struct roles *roles)
{
    struct log_room room = log_writer_room(roles->writer);
    if (room.piece_bytes < 256 || room.buffer_bytes < 256 || room.capacity_bytes < 256)
        return false;
    roles->appended++;
    wal_append(roles->writer, roles->appended, atomic_load(&roles->synced), roles->appended);
    return true;
}

/* Under load from many threads no record is lost, torn or out of order. */
static void wal_writer_roles_on_threads_keep_every_record(void **state)
{
    struct wal_disk *disk = *state;
    struct roles roles = {.io = disk->io, .writer = wal_log_new(disk, 1, 1)};
    struct io_thread write_thread, extend_thread;
    io_mutex_init(&roles.commit, disk->io);
    assert_int_equal(io_thread_start(&write_thread, disk->io, "write", write_and_sync, &roles).code, KVS_OK);
    assert_int_equal(io_thread_start(&extend_thread, disk->io, "extend", extend, &roles).code, KVS_OK);
    while (roles.appended < THREAD_RECORDS) {
        io_mutex_lock(&roles.commit);
        try_append(&roles);
        io_mutex_unlock(&roles.commit);
    }
    atomic_store(&roles.appended_all, true);
    io_thread_join(&write_thread);
    io_thread_join(&extend_thread);
    assert_int_equal(atomic_load(&roles.synced), THREAD_RECORDS);
    io_mutex_fini(&roles.commit);
    log_writer_close(roles.writer);
    free(wal_replay_expect(disk, first_log, 1, THREAD_RECORDS, 1, THREAD_RECORDS));
}

/* ---- Setting aside ---- */

static struct kvs_status set_aside(struct io *io, uint64_t offset, uint64_t bytes)
{
    return log_set_aside(io, WAL_FOLDER, 1, offset, bytes);
}

/* What was cut can still be looked at after the next power cut. */
static void wal_set_aside_tail_is_copied_durably(void **state)
{
    struct wal_disk *disk = *state;
    log_writer_close(wal_log_new(disk, 1, 1));
    assert_int_equal(set_aside(disk->io, 64, 16).code, KVS_OK);
    struct io_mem *after = io_mem_clone_after_power_cut(disk->mem, 1, IO_MEM_KEEP_NONE);
    size_t log_size, tail_size;
    uint8_t *log = io_mem_copy_file(after, &log_size, wal_log_path(1));
    uint8_t *tail = io_mem_copy_file(after, &tail_size, "/db/lost/000001.log.64.tail");
    assert_non_null(tail);
    assert_int_equal(tail_size, 16);
    assert_memory_equal(tail, log + 64, 16);
    free(tail);
    free(log);
    io_mem_free(after);
}

static void wal_set_aside_of_nothing_makes_nothing(void **state)
{
    struct wal_disk *disk = *state;
    bool exists = true;
    uint64_t calls = io_mem_call_count(disk->mem);
    assert_int_equal(set_aside(disk->io, 64, 0).code, KVS_OK);
    assert_int_equal(io_mem_call_count(disk->mem), calls);
    assert_int_equal(io_exists(disk->io, &exists, "/db/lost").code, KVS_OK);
    assert_false(exists);
}

/* Each sync has its row in the ledger; a second copy, after a crash between, makes the folder's name durable all the same. */
static void wal_set_aside_syncs_copy_name_and_folder(void **state)
{
    struct wal_disk *disk = *state;
    struct io_trace *trace = io_trace_new(disk->io, 4096);
    log_writer_close(wal_log_new(disk, 1, 1));
    assert_int_equal(set_aside(io_trace_as_io(trace), 64, 16).code, KVS_OK);
    assert_string_equal(io_trace_text(trace), "make_directory lost\n"
                                              "open 000001.log read\n"
                                              "open 000001.log.64.tail temporary\n"
                                              "write 000001.log.64.tail 0+16\n"
                                              "sync 000001.log.64.tail SYNC-12\n"
                                              "directory_sync lost SYNC-13\n"
                                              "directory_sync db SYNC-13\n");
    io_trace_clear(trace);
    assert_int_equal(set_aside(io_trace_as_io(trace), 64, 16).code, KVS_OK);
    assert_null(strstr(io_trace_text(trace), "make_directory"));
    assert_non_null(strstr(io_trace_text(trace), "directory_sync db SYNC-13\n"));
    io_trace_free(trace);
}

/* A tail longer than one piece of the copy's memory arrives whole. */
static void wal_set_aside_long_tail_is_copied_whole(void **state)
{
    struct wal_disk *disk = *state;
    size_t size = 3 * 1024 * 1024 + 17;
    uint8_t *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 4096);
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(disk->io, &file, wal_log_path(1), IO_OPEN_CREATE).code, KVS_OK);
    assert_int_equal(io_file_write(file, bytes, size, 0).code, KVS_OK);
    io_file_close(file);
    assert_int_equal(set_aside(disk->io, 0, size).code, KVS_OK);
    size_t tail_size;
    uint8_t *tail = io_mem_copy_file(disk->mem, &tail_size, "/db/lost/000001.log.0.tail");
    assert_int_equal(tail_size, size);
    assert_memory_equal(tail, bytes, size);
    free(tail);
    free(bytes);
}

/* No failure on the way is taken for success, and each can be tried again. */
static void wal_set_aside_every_failing_call_is_reported(void **state)
{
    struct wal_disk *disk = *state;
    static const enum io_call calls[] = {IO_CALL_EXISTS, IO_CALL_MAKE_DIRECTORY, IO_CALL_OPEN,          IO_CALL_READ,
                                         IO_CALL_WRITE,  IO_CALL_SYNC,           IO_CALL_DIRECTORY_SYNC};
    log_writer_close(wal_log_new(disk, 1, 1));
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        uint64_t nth_max = calls[i] == IO_CALL_OPEN || calls[i] == IO_CALL_DIRECTORY_SYNC ? 2 : 1;
        for (uint64_t nth = 1; nth <= nth_max; nth++) {
            io_fault_fail(disk->fault, calls[i], nth, EIO, false);
            assert_int_equal(set_aside(disk->io, 64, 16).code, KVS_IO);
            io_fault_clear(disk->fault);
            assert_int_equal(io_mem_open_count(disk->mem), 0);
        }
    }
    assert_int_equal(set_aside(disk->io, 64, 16).code, KVS_OK);
    assert_int_equal(set_aside(disk->io, 64, 1 << 20).code, KVS_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wal_writer_create_preallocates_writes_and_syncs_in_this_order),
        TEST(wal_writer_failed_create_leaves_nothing_behind),
        TEST(wal_writer_create_of_an_existing_name_is_an_error),
        TEST(wal_writer_records_taken_together_are_one_write),
        TEST(wal_writer_write_of_nothing_calls_nothing),
        TEST(wal_writer_appends_beside_a_write_follow_it),
        TEST(wal_writer_room_tells_what_is_missing),
        TEST(wal_writer_create_with_first_bytes_preallocates_them_all),
        TEST(wal_writer_extend_on_a_full_disk_leaves_the_log_usable),
        TEST(wal_writer_write_on_a_full_disk_is_repeated_in_place),
        TEST(wal_writer_failed_sync_poisons_for_good),
        TEST(wal_writer_failed_write_poisons_for_good),
        TEST(wal_writer_full_and_then_poisoned_stays_poisoned),
        TEST(wal_writer_large_record_grows_the_buffer_for_once),
        TEST(wal_writer_roles_on_threads_keep_every_record),
        TEST(wal_set_aside_tail_is_copied_durably),
        TEST(wal_set_aside_of_nothing_makes_nothing),
        TEST(wal_set_aside_syncs_copy_name_and_folder),
        TEST(wal_set_aside_long_tail_is_copied_whole),
        TEST(wal_set_aside_every_failing_call_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
