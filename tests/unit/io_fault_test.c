#include "io_test_support.h"

#include "io/io_fault.h"
#include "io/io_mem.h"

#include <errno.h>

/* A fault over a simulated disk. */
struct bench {
    struct io_mem *mem;
    struct io_fault *fault;
    struct io *io;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->mem = io_mem_new(1, NULL);
    bench->fault = io_fault_new(io_mem_as_io(bench->mem));
    bench->io = io_fault_as_io(bench->fault);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    bool all_closed = io_mem_open_count(bench->mem) == 0;
    io_fault_free(bench->fault);
    if (all_closed)
        io_mem_free(bench->mem);
    free(bench);
    return all_closed ? 0 : -1;
}

static bool ignore_name(void *context, const char *name)
{
    (void)context;
    return name[0] != '\0';
}

/* One call of a kind on the file "a", in the folder "/". */
static struct kvs_status make_call(struct io *io, struct io_file *file, enum io_call call)
{
    char byte;
    bool exists;
    size_t got;
    uint64_t number;
    struct io_file *opened = NULL;
    struct io_lock *lock = NULL;
    struct kvs_status status = status_ok();
    switch (call) {
    case IO_CALL_OPEN:
        status = io_file_open(io, &opened, "a", IO_OPEN_READ);
        io_file_close(opened);
        return status;
    case IO_CALL_READ:
        return io_file_read(file, &byte, &got, 1, 0);
    case IO_CALL_WRITE:
        return io_file_write(file, "x", 1, 0);
    case IO_CALL_SYNC:
        return io_file_sync(file, SYNC_LOG);
    case IO_CALL_PREALLOCATE:
        return io_file_preallocate(file, 0, 10);
    case IO_CALL_TRUNCATE:
        return io_file_truncate(file, 1);
    case IO_CALL_SIZE:
        return io_file_size(file, &number);
    case IO_CALL_RENAME:
        return io_rename(io, "a", "a");
    case IO_CALL_UNLINK:
        io_file_close(open_file(io, "u", IO_OPEN_TEMPORARY));
        return io_unlink(io, "u");
    case IO_CALL_LINK:
        status = io_link(io, "a", "l");
        if (status_is_ok(status))
            assert_ok(io_unlink(io, "l"));
        return status;
    case IO_CALL_MAKE_DIRECTORY:
        status = io_make_directory(io, "d");
        if (status_is_ok(status))
            assert_ok(io_remove_directory(io, "d"));
        return status;
    case IO_CALL_REMOVE_DIRECTORY:
        status = io_make_directory(io, "r");
        return status.code == KVS_OK || status.sys_errno == EEXIST ? io_remove_directory(io, "r") : status;
    case IO_CALL_LIST:
        return io_list(io, "/", ignore_name, NULL);
    case IO_CALL_DIRECTORY_SYNC:
        return io_directory_sync(io, "/", SYNC_LOG_DIRECTORY);
    case IO_CALL_EXISTS:
        return io_exists(io, &exists, "a");
    case IO_CALL_LOCK:
        status = io_lock(io, &lock, "LOCK", false);
        io_unlock(lock);
        return status;
    case IO_CALL_FREE_SPACE:
        return io_free_space(io, &number, "/");
    case IO_CALL_RANDOM:
        return io_random(io, &number, sizeof number);
    case IO_CALL_CLOSE:
    case IO_CALL_UNLOCK:
    case IO_CALL_COUNT:
        break;
    }
    return status;
}

static bool can_fail(enum io_call call)
{
    return call != IO_CALL_CLOSE && call != IO_CALL_UNLOCK;
}

/* A test that fails the Nth call would fail another, or none. */
static void fault_each_kind_fails_nth_once(void **state)
{
    struct bench *bench = *state;
    struct io_file *file = create_file(bench->io, "a", "data");
    for (enum io_call call = 0; call < IO_CALL_COUNT; call++) {
        if (!can_fail(call))
            continue;
        uint64_t before = io_fault_count(bench->fault, call), fired = io_fault_fired_count(bench->fault);
        io_fault_fail(bench->fault, call, 2, EIO, false);
        assert_ok(make_call(bench->io, file, call));
        struct kvs_status status = make_call(bench->io, file, call);
        assert_status(status, KVS_IO);
        assert_int_equal(status.sys_errno, EIO);
        assert_text_has(status, "(injected");
        assert_ok(make_call(bench->io, file, call));
        assert_int_equal(io_fault_count(bench->fault, call), before + 3);
        assert_int_equal(io_fault_fired_count(bench->fault), fired + 1);
        io_fault_clear(bench->fault);
    }
    io_file_close(file);
    assert_int_equal(io_fault_count(bench->fault, IO_CALL_CLOSE), io_fault_count(bench->fault, IO_CALL_OPEN) - 1);
}

/* A disk that stays broken would heal. */
static void fault_for_good_fails_until_cleared(void **state)
{
    struct bench *bench = *state;
    struct io_file *file = create_file(bench->io, "a", "data");
    io_fault_fail(bench->fault, IO_CALL_PREALLOCATE, 1, ENOSPC, true);
    for (int round = 0; round < 3; round++)
        assert_status(io_file_preallocate(file, 0, 100), KVS_NO_SPACE);
    io_fault_clear(bench->fault);
    assert_ok(io_file_preallocate(file, 0, 100));
    io_file_close(file);
}

/* A fault meant for segments would hit the log. */
static void fault_rule_for_name_leaves_others_alone(void **state)
{
    struct bench *bench = *state;
    struct io_file *log = create_file(bench->io, "1.log", "x"), *segment = create_file(bench->io, "2.seg", "x");
    io_fault_add(bench->fault,
                 &(struct io_fault_rule){
                     .call = IO_CALL_WRITE, .nth = 1, .for_good = true, .sys_errno = EIO, .name_part = ".seg"});
    assert_ok(io_file_write(log, "y", 1, 0));
    assert_status(io_file_write(segment, "y", 1, 0), KVS_IO);
    assert_true(holds_text(bench->io, "2.seg", "x"));
    io_file_close(log);
    io_file_close(segment);
}

/* A write that lands in part would be all or nothing. */
static void fault_short_write_lands_prefix(void **state)
{
    struct bench *bench = *state;
    struct io_file *file = create_file(bench->io, "a", "");
    io_fault_add(
        bench->fault,
        &(struct io_fault_rule){
            .call = IO_CALL_WRITE, .nth = 1, .action = IO_FAULT_SHORT, .sys_errno = ENOSPC, .landed_bytes = 4});
    assert_status(io_file_write(file, "0123456789", 10, 0), KVS_NO_SPACE);
    assert_true(holds_text(bench->io, "a", "0123"));
    assert_ok(io_file_write(file, "0123456789", 10, 0));
    assert_true(holds_text(bench->io, "a", "0123456789"));
    io_file_close(file);
}

/* A failed sync would leave what a retry can still make durable. */
static void fault_failed_sync_loses_pages(void **state)
{
    struct bench *bench = *state;
    create_durable_file(bench->io, "/", "a", "old");
    struct io_file *file = open_file(bench->io, "a", IO_OPEN_WRITE);
    assert_ok(io_file_write(file, "new", 3, 0));
    io_fault_fail(bench->fault, IO_CALL_SYNC, 1, EIO, false);
    assert_status(io_file_sync(file, SYNC_LOG), KVS_IO);
    assert_ok(io_file_sync(file, SYNC_LOG));
    assert_true(holds_text(bench->io, "a", "new"));
    struct io_mem *cut = io_mem_clone_after_power_cut(bench->mem, 1, IO_MEM_KEEP_ALL);
    assert_true(holds_text(io_mem_as_io(cut), "a", "old"));
    io_mem_free(cut);
    io_file_close(file);
}

/* The test that each sync of the ledger is needed would drop others too. */
static void fault_dropped_syncs_by_tag_do_nothing(void **state)
{
    struct bench *bench = *state;
    io_fault_drop_syncs(bench->fault, SYNC_SEGMENT_DIRECTORY);
    io_fault_drop_syncs(bench->fault, SYNC_LOG);
    create_durable_file(bench->io, "/", "a", "x");
    struct io_mem *cut = io_mem_clone_after_power_cut(bench->mem, 1, IO_MEM_KEEP_NONE);
    assert_false(is_there(io_mem_as_io(cut), "a"));
    io_mem_free(cut);
    assert_ok(io_directory_sync(bench->io, "/", SYNC_LOG_DIRECTORY));
    struct io_file *file = open_file(bench->io, "a", IO_OPEN_WRITE);
    assert_ok(io_file_write(file, "y", 1, 0));
    assert_ok(io_file_sync(file, SYNC_LOG));
    cut = io_mem_clone_after_power_cut(bench->mem, 1, IO_MEM_KEEP_NONE);
    assert_true(holds_text(io_mem_as_io(cut), "a", "x"));
    io_mem_free(cut);
    io_file_close(file);
}

/* A slow disk would not be slow. */
static void fault_delay_waits_on_clock(void **state)
{
    struct bench *bench = *state;
    struct io_file *file = create_file(bench->io, "a", "x");
    io_fault_add(bench->fault, &(struct io_fault_rule){
                                   .call = IO_CALL_SYNC, .nth = 1, .action = IO_FAULT_DELAY, .delay_ns = 30000000});
    uint64_t before = io_monotonic_ns(bench->io);
    assert_ok(io_file_sync(file, SYNC_LOG));
    assert_true(io_monotonic_ns(bench->io) - before >= 30000000);
    assert_true(io_wall_ms(bench->io) >= UINT64_C(1700000000000));
    io_file_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fault_each_kind_fails_nth_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fault_for_good_fails_until_cleared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fault_rule_for_name_leaves_others_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fault_short_write_lands_prefix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fault_failed_sync_loses_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fault_dropped_syncs_by_tag_do_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fault_delay_waits_on_clock, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
