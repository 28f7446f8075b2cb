#include "fault_allocator.h"
#include "io_test_support.h"

#include "io/io_fault.h"
#include "io/io_fiber.h"
#include "io/io_mem.h"
#include "io/io_posix.h"
#include "io/io_trace.h"

/* Whether a call succeeded; the only other outcome allowed is that there was no memory. */
static bool went_well(struct kvs_status status)
{
    assert_true(status.code == KVS_OK || status.code == KVS_NO_MEMORY);
    return status.code == KVS_OK;
}

static bool ignore_name(void *context, const char *name)
{
    (void)context;
    return name[0] != '\0';
}

/* Up to the first failure; leaves nothing open. */
static bool use_disk(struct io *io)
{
    struct io_file *file = NULL;
    struct io_lock *lock = NULL;
    bool well = went_well(io_make_directory(io, "d")) && went_well(io_lock(io, &lock, "d/LOCK", false)) &&
                went_well(io_file_open(io, &file, "d/a", IO_OPEN_CREATE)) &&
                went_well(io_file_preallocate(file, 0, 9000)) && went_well(io_file_write(file, "data", 4, 4094)) &&
                went_well(io_file_sync(file, SYNC_LOG)) && went_well(io_file_write(file, "data", 4, 8190)) &&
                went_well(io_file_truncate(file, 8192)) && went_well(io_link(io, "d/a", "d/b")) &&
                went_well(io_rename(io, "d/b", "d/c")) && went_well(io_directory_sync(io, "d", SYNC_LOG_DIRECTORY)) &&
                went_well(io_unlink(io, "d/a")) && went_well(io_list(io, "d", ignore_name, NULL));
    io_file_close(file);
    io_unlock(lock);
    return well;
}

/* Use a disk and clone it both ways; false where memory ran out. */
static bool use_and_clone(void)
{
    struct io_mem *mem = io_mem_new(1, NULL), *cut = NULL, *killed = NULL;
    struct io_fault *fault = mem == NULL ? NULL : io_fault_new(io_mem_as_io(mem));
    struct io_trace *trace = fault == NULL ? NULL : io_trace_new(io_fault_as_io(fault), 1000);
    bool well = trace != NULL && use_disk(io_trace_as_io(trace)) &&
                (cut = io_mem_clone_after_power_cut(mem, 1, IO_MEM_KEEP_ALL)) != NULL &&
                (killed = io_mem_clone_after_kill(mem)) != NULL;
    if (mem != NULL)
        assert_int_equal(io_mem_open_count(mem), 0);
    io_mem_free(killed);
    io_mem_free(cut);
    io_trace_free(trace);
    io_fault_free(fault);
    io_mem_free(mem);
    return well;
}

/* A simulation that runs out of memory would crash or leak instead of testing the engine's own handling. */
static void memory_each_allocation_of_a_disk_fails_cleanly(void **state)
{
    (void)state;
    uint64_t failing = 0;
    bool well = false;
    while (!well) {
        allocator_fail(++failing, false);
        well = use_and_clone();
        assert_true(well || allocator_has_failed());
    }
    allocator_clear();
    assert_true(failing > 30);
}

/* An open database would be left with a descriptor that nobody closes. */
static void memory_posix_open_and_lock_fail_cleanly(void **state)
{
    (void)state;
    struct io_file *file = NULL;
    struct io_lock *lock = NULL;
    allocator_fail(1, false);
    assert_status(io_file_open(io_posix(), &file, "/dev/null", IO_OPEN_READ), KVS_NO_MEMORY);
    allocator_fail(1, false);
    assert_status(io_lock(io_posix(), &lock, "never-made", false), KVS_NO_MEMORY);
    allocator_clear();
    assert_false(is_there(io_posix(), "never-made"));
}

static void do_nothing(void *argument)
{
    (void)argument;
}

static void start_one(void *argument)
{
    struct io_thread thread;
    allocator_fail(1, false);
    assert_status(io_thread_start(&thread, argument, "x", do_nothing, NULL), KVS_NO_MEMORY);
    allocator_clear();
}

/* Starting the engine without memory would abort. */
static void memory_thread_start_fails_cleanly(void **state)
{
    (void)state;
    start_one(io_posix());
    struct io_scheduler *scheduler = io_scheduler_new(1);
    struct io_mem *mem = io_mem_new(1, scheduler);
    io_scheduler_run(scheduler, start_one, io_mem_as_io(mem));
    io_mem_free(mem);
    io_scheduler_free(scheduler);
    allocator_fail(1, false);
    assert_null(io_scheduler_new(1));
    allocator_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_each_allocation_of_a_disk_fails_cleanly),
        cmocka_unit_test(memory_posix_open_and_lock_fail_cleanly),
        cmocka_unit_test(memory_thread_start_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
