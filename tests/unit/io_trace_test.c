#include "io_test_support.h"

#include "io/io_mem.h"
#include "io/io_trace.h"

static bool ignore_name(void *context, const char *name)
{
    (void)context;
    return name[0] != '\0';
}

static void use_everything(struct io *io)
{
    struct io_file *file = NULL;
    struct io_lock *lock = NULL;
    char bytes[16];
    size_t got;
    bool exists;
    uint64_t number;
    assert_ok(io_make_directory(io, "db"));
    assert_ok(io_lock(io, &lock, "db/LOCK", false));
    file = open_file(io, "db/000003.log", IO_OPEN_CREATE);
    assert_ok(io_file_preallocate(file, 0, 65536));
    assert_ok(io_file_write(file, "0123456789", 10, 0));
    assert_ok(io_file_sync(file, SYNC_LOG));
    assert_ok(io_file_read(file, bytes, &got, sizeof bytes, 4));
    assert_ok(io_file_truncate(file, 100));
    assert_ok(io_file_size(file, &number));
    io_file_close(file);
    assert_status(io_file_open(io, &file, "db/none", IO_OPEN_READ), KVS_NOT_FOUND);
    assert_ok(io_link(io, "db/000003.log", "db/copy"));
    assert_ok(io_rename(io, "db/copy", "db/CURRENT"));
    assert_ok(io_directory_sync(io, "db", SYNC_CURRENT_DIRECTORY));
    assert_ok(io_exists(io, &exists, "db/CURRENT"));
    assert_ok(io_unlink(io, "db/CURRENT"));
    assert_ok(io_list(io, "db", ignore_name, NULL));
    assert_ok(io_free_space(io, &number, "db"));
    assert_ok(io_random(io, &number, sizeof number));
    assert_status(io_remove_directory(io, "db"), KVS_IO);
    io_unlock(lock);
}

/* The test that pins the writes and syncs of an operation would pin something else. */
static void trace_all_calls_have_their_lines(void **state)
{
    (void)state;
    struct io_mem *mem = io_mem_new(1, NULL);
    struct io_trace *trace = io_trace_new(io_mem_as_io(mem), 4096);
    io_trace_set_calls(trace, IO_CALLS_ALL);
    use_everything(io_trace_as_io(trace));
    assert_string_equal(io_trace_text(trace), "make_directory db\n"
                                              "lock LOCK exclusive\n"
                                              "open 000003.log create\n"
                                              "preallocate 000003.log 0+65536\n"
                                              "write 000003.log 0+10\n"
                                              "sync 000003.log SYNC-3\n"
                                              "read 000003.log 4+16\n"
                                              "truncate 000003.log 100\n"
                                              "size 000003.log\n"
                                              "close 000003.log\n"
                                              "open none read -> NOT_FOUND\n"
                                              "link 000003.log copy\n"
                                              "rename copy CURRENT\n"
                                              "directory_sync db SYNC-11\n"
                                              "exists CURRENT\n"
                                              "unlink CURRENT\n"
                                              "list db\n"
                                              "free_space db\n"
                                              "random 8\n"
                                              "remove_directory db -> IO\n"
                                              "unlock LOCK\n");
    assert_int_equal(io_trace_lost_count(trace), 0);
    io_trace_clear(trace);
    assert_string_equal(io_trace_text(trace), "");
    assert_true(io_monotonic_ns(io_trace_as_io(trace)) > 0 && io_wall_ms(io_trace_as_io(trace)) > 0);
    io_trace_free(trace);
    assert_int_equal(io_mem_open_count(mem), 0);
    io_mem_free(mem);
}

/* Reads would drown the writes that a test looks for. */
static void trace_records_only_changing_calls_at_first(void **state)
{
    (void)state;
    struct io_mem *mem = io_mem_new(1, NULL);
    struct io_trace *trace = io_trace_new(io_mem_as_io(mem), 4096);
    use_everything(io_trace_as_io(trace));
    assert_null(strstr(io_trace_text(trace), "read 000003.log 4"));
    assert_null(strstr(io_trace_text(trace), "close"));
    assert_non_null(strstr(io_trace_text(trace), "truncate 000003.log 100\nopen none read -> NOT_FOUND\n"));
    io_trace_free(trace);
    io_mem_free(mem);
}

/* A long run would eat all memory, or a line be cut in two. */
static void trace_keeps_within_its_room(void **state)
{
    (void)state;
    struct io_mem *mem = io_mem_new(1, NULL);
    struct io_trace *trace = io_trace_new(io_mem_as_io(mem), 40);
    struct io_file *file = create_file(io_trace_as_io(trace), "a", "xy");
    assert_ok(io_file_sync(file, SYNC_LOG));
    assert_ok(io_file_sync(file, SYNC_LOG));
    io_file_close(file);
    assert_string_equal(io_trace_text(trace), "open a create\nwrite a 0+2\nsync a SYNC-3\n");
    assert_int_equal(io_trace_lost_count(trace), 1);
    io_trace_free(trace);
    io_mem_free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_all_calls_have_their_lines),
        cmocka_unit_test(trace_records_only_changing_calls_at_first),
        cmocka_unit_test(trace_keeps_within_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
