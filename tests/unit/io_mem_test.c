#include "io_test_support.h"

#include "io/io_fiber.h"
#include "io/io_mem.h"

#include <errno.h>
#include <stdio.h>

static int set_up(void **state)
{
    *state = io_mem_new(1, NULL);
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    bool all_closed = io_mem_open_count(*state) == 0;
    if (all_closed)
        io_mem_free(*state);
    return all_closed ? 0 : -1;
}

/* A simulation would test the engine against files that no system has. */
static void mem_file_reads_what_was_written(void **state)
{
    struct io *io = io_mem_as_io(*state);
    uint8_t *big = malloc(20000), *back = malloc(30000);
    size_t got = 0;
    uint64_t size = 0;
    for (size_t index = 0; index < 20000; index++)
        big[index] = (uint8_t)(index * 7 + index / 256);
    struct io_file *file = open_file(io, "a", IO_OPEN_CREATE);
    assert_ok(io_file_write(file, big, 20000, 5000));
    assert_ok(io_file_size(file, &size));
    assert_int_equal(size, 25000);
    memset(back, 1, 30000);
    assert_ok(io_file_read(file, back, &got, 30000, 0));
    assert_int_equal(got, 25000);
    for (size_t index = 0; index < 5000; index++)
        assert_int_equal(back[index], 0);
    assert_memory_equal(back + 5000, big, 20000);
    assert_ok(io_file_truncate(file, 6000));
    assert_ok(io_file_preallocate(file, 0, 7000));
    assert_ok(io_file_read(file, back, &got, 30000, 5999));
    assert_int_equal(got, 1001);
    assert_int_equal(back[0], big[999]);
    assert_int_equal(back[1], 0);
    io_file_close(file);
    free(big);
    free(back);
}

/* A missing file would not be told from a broken one. */
static void mem_open_modes_say_what_is_wrong(void **state)
{
    struct io *io = io_mem_as_io(*state);
    struct io_file *file = NULL;
    assert_status(io_file_open(io, &file, "a", IO_OPEN_READ), KVS_NOT_FOUND);
    assert_status(io_file_open(io, &file, "d/a", IO_OPEN_CREATE), KVS_NOT_FOUND);
    io_file_close(create_file(io, "a", "old"));
    struct kvs_status status = io_file_open(io, &file, "/./a", IO_OPEN_CREATE);
    assert_status(status, KVS_IO);
    assert_int_equal(status.sys_errno, EEXIST);
    assert_status(io_file_open(io, &file, "a/b", IO_OPEN_READ), KVS_IO);
    assert_status(io_file_open(io, &file, "d/../a", IO_OPEN_READ), KVS_IO);
    file = open_file(io, "/a", IO_OPEN_READ);
    assert_status(io_file_write(file, "x", 1, 0), KVS_IO);
    assert_status(io_file_truncate(file, 0), KVS_IO);
    io_file_close(file);
    io_file_close(open_file(io, "a", IO_OPEN_TEMPORARY));
    assert_true(holds_text(io, "a", ""));
}

static bool count_name(void *context, const char *name)
{
    *(int *)context += strlen(name) == 1 ? 1 : 100;
    return true;
}

/* The engine's handling of folders would be tested against different rules. */
static void mem_names_follow_posix(void **state)
{
    struct io *io = io_mem_as_io(*state);
    int count = 0;
    assert_ok(io_make_directory(io, "/d"));
    assert_status(io_make_directory(io, "d"), KVS_IO);
    assert_status(io_make_directory(io, "x/d"), KVS_NOT_FOUND);
    io_file_close(create_file(io, "d/a", "one"));
    io_file_close(create_file(io, "d/b", "two"));
    assert_status(io_remove_directory(io, "d"), KVS_IO);
    assert_status(io_unlink(io, "d"), KVS_IO);
    assert_status(io_remove_directory(io, "d/a"), KVS_IO);
    assert_ok(io_link(io, "d/a", "d/c"));
    assert_status(io_link(io, "d/a", "d/b"), KVS_IO);
    assert_ok(io_rename(io, "d/b", "d/a"));
    assert_true(holds_text(io, "d/a", "two"));
    assert_true(holds_text(io, "d/c", "one"));
    assert_ok(io_rename(io, "d/a", "d/a"));
    assert_status(io_rename(io, "d/b", "d/a"), KVS_NOT_FOUND);
    assert_status(io_rename(io, "d/a", "d"), KVS_IO);
    assert_ok(io_list(io, "d", count_name, &count));
    assert_int_equal(count, 2);
    assert_status(io_list(io, "d/a", count_name, &count), KVS_IO);
    assert_ok(io_unlink(io, "d/a"));
    assert_ok(io_unlink(io, "d/c"));
    assert_status(io_unlink(io, "d/c"), KVS_NOT_FOUND);
    assert_ok(io_remove_directory(io, "d"));
    assert_false(is_there(io, "d"));
    assert_true(is_there(io, "/"));
}

/* A reader of a file that was just deleted would see it change or fail. */
static void mem_unlinked_file_readable_while_open(void **state)
{
    struct io *io = io_mem_as_io(*state);
    struct io_file *file = create_file(io, "a", "still here");
    char buffer[16];
    size_t got = 0;
    assert_ok(io_unlink(io, "a"));
    io_file_close(create_file(io, "a", "new"));
    assert_ok(io_file_read(file, buffer, &got, sizeof buffer, 0));
    assert_int_equal(got, 10);
    assert_memory_equal(buffer, "still here", 10);
    assert_int_equal(io_mem_open_count(*state), 1);
    io_file_close(file);
}

/* A full disk would not be met where a real one is, or room not come back. */
static void mem_capacity_write_lands_in_part(void **state)
{
    struct io *io = io_mem_as_io(*state);
    uint64_t free_bytes = 0, size = 0;
    char data[12288] = {0};
    memset(data, 'x', sizeof data);
    io_mem_set_capacity(*state, 4 * 4096);
    struct io_file *reserved = open_file(io, "reserved", IO_OPEN_CREATE);
    assert_ok(io_file_preallocate(reserved, 0, 8192));
    struct io_file *file = open_file(io, "a", IO_OPEN_CREATE);
    struct kvs_status status = io_file_write(file, data, sizeof data, 0);
    assert_status(status, KVS_NO_SPACE);
    assert_int_equal(status.sys_errno, ENOSPC);
    assert_ok(io_file_size(file, &size));
    assert_int_equal(size, 8192);
    assert_ok(io_free_space(io, &free_bytes, "/"));
    assert_int_equal(free_bytes, 0);
    assert_status(io_file_preallocate(reserved, 0, 8193), KVS_NO_SPACE);
    assert_ok(io_file_write(reserved, data, 8192, 0));
    assert_ok(io_unlink(io, "a"));
    assert_ok(io_free_space(io, &free_bytes, "/"));
    assert_int_equal(free_bytes, 0);
    io_file_close(file);
    assert_ok(io_free_space(io, &free_bytes, "/"));
    assert_int_equal(free_bytes, 8192);
    assert_ok(io_file_truncate(reserved, 1));
    assert_ok(io_free_space(io, &free_bytes, "/"));
    assert_int_equal(free_bytes, 3 * 4096);
    io_file_close(reserved);
}

/* Two databases on one folder would not be noticed in a simulation. */
static void mem_lock_second_handle_refused(void **state)
{
    struct io *io = io_mem_as_io(*state);
    struct io_lock *first = NULL, *second = NULL, *third = NULL;
    assert_ok(io_lock(io, &first, "LOCK", false));
    struct kvs_status status = io_lock(io, &second, "LOCK", true);
    assert_status(status, KVS_LOCKED);
    assert_text_has(status, "LOCK is locked: another process or handle has it open");
    assert_int_equal(io_mem_open_count(*state), 1);
    io_unlock(first);
    assert_ok(io_lock(io, &first, "LOCK", true));
    assert_ok(io_lock(io, &second, "LOCK", true));
    assert_status(io_lock(io, &third, "LOCK", false), KVS_LOCKED);
    io_unlock(first);
    io_unlock(second);
    assert_ok(io_lock(io, &third, "LOCK", false));
    struct io_mem *killed = io_mem_clone_after_kill(*state);
    assert_ok(io_lock(io_mem_as_io(killed), &first, "LOCK", false));
    io_unlock(first);
    io_mem_free(killed);
    io_unlock(third);
}

/* A simulated crash would leave the engine running, or leaking. */
static void mem_crash_fails_every_later_call(void **state)
{
    struct io *io = io_mem_as_io(*state);
    struct io_file *file = create_file(io, "a", "x"), *other = NULL;
    struct io_lock *lock = NULL, *second = NULL;
    char byte;
    size_t got = 0;
    bool exists;
    uint64_t count = 0, free_bytes;
    assert_ok(io_lock(io, &lock, "LOCK", false));
    assert_int_equal(io_mem_call_count(*state), 3);
    io_mem_crash_at(*state, 5, IO_MEM_BEFORE);
    assert_ok(io_file_write(file, "yz", 2, 0));
    assert_false(io_mem_has_crashed(*state));
    struct kvs_status status = io_file_sync(file, SYNC_LOG);
    assert_status(status, KVS_IO);
    assert_text_has(status, "cannot sync a (SYNC-3) (simulated power cut)");
    assert_true(io_mem_has_crashed(*state));
    assert_status(io_file_read(file, &byte, &got, 1, 0), KVS_IO);
    assert_status(io_file_write(file, "x", 1, 0), KVS_IO);
    assert_status(io_file_size(file, &count), KVS_IO);
    assert_status(io_file_truncate(file, 0), KVS_IO);
    assert_status(io_file_preallocate(file, 0, 9), KVS_IO);
    assert_status(io_file_open(io, &other, "a", IO_OPEN_READ), KVS_IO);
    assert_status(io_rename(io, "a", "b"), KVS_IO);
    assert_status(io_unlink(io, "a"), KVS_IO);
    assert_status(io_link(io, "a", "b"), KVS_IO);
    assert_status(io_make_directory(io, "d"), KVS_IO);
    assert_status(io_remove_directory(io, "d"), KVS_IO);
    assert_status(io_list(io, "/", count_name, &exists), KVS_IO);
    assert_status(io_directory_sync(io, "/", SYNC_LOG_DIRECTORY), KVS_IO);
    assert_status(io_exists(io, &exists, "a"), KVS_IO);
    assert_status(io_lock(io, &second, "L", false), KVS_IO);
    assert_status(io_free_space(io, &free_bytes, "/"), KVS_IO);
    io_unlock(lock);
    io_file_close(file);
    size_t size = 0;
    uint8_t *copy = io_mem_copy_file(*state, &size, "a");
    assert_int_equal(size, 2);
    assert_memory_equal(copy, "yz", 2);
    free(copy);
}

/* One run of a small workload; stops at the first error. */
static void make_two_files(struct io *io)
{
    struct io_file *file = NULL;
    if (status_is_ok(io_file_open(io, &file, "a", IO_OPEN_CREATE)) && status_is_ok(io_file_write(file, "data", 4, 0)) &&
        status_is_ok(io_file_sync(file, SYNC_SEGMENT)) && status_is_ok(io_rename(io, "a", "b")) &&
        status_is_ok(io_directory_sync(io, "/", SYNC_SEGMENT_DIRECTORY)))
        assert_true(holds_text(io, "b", "data"));
    io_file_close(file);
}

/* A crash point would be skipped, or not be where the test says. */
static void mem_crash_at_each_call_and_moment_leaves_that_state(void **state)
{
    make_two_files(io_mem_as_io(*state));
    uint64_t calls = io_mem_call_count(*state);
    assert_int_equal(calls, 5);
    for (uint64_t number = 1; number <= calls; number++) {
        for (int moment = IO_MEM_BEFORE; moment <= IO_MEM_AFTER; moment++) {
            struct io_mem *mem = io_mem_new(number, NULL);
            io_mem_crash_at(mem, number, (enum io_mem_moment)moment);
            make_two_files(io_mem_as_io(mem));
            assert_true(io_mem_has_crashed(mem));
            assert_int_equal(io_mem_open_count(mem), 0);
            uint64_t done = moment == IO_MEM_AFTER ? number : number - 1;
            struct io_mem *cut = io_mem_clone_after_power_cut(mem, 1, IO_MEM_KEEP_NONE);
            assert_int_equal(is_there(io_mem_as_io(cut), "b"), done == 5);
            io_mem_free(cut);
            cut = io_mem_clone_after_power_cut(mem, 1, IO_MEM_KEEP_ALL);
            assert_int_equal(is_there(io_mem_as_io(cut), "a"), done >= 1 && done < 4);
            assert_int_equal(is_there(io_mem_as_io(cut), "b"), done >= 4);
            io_mem_free(cut);
            io_mem_free(mem);
        }
    }
}

/* kill -9 in the middle of a write could leave only all or nothing of it. */
static void mem_crash_halfway_write_leaves_a_part(void **state)
{
    (void)state;
    bool seen_part = false;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct io_mem *mem = io_mem_new(seed, NULL);
        struct io_file *file = create_file(io_mem_as_io(mem), "a", "");
        io_mem_crash_at(mem, 3, IO_MEM_HALFWAY);
        assert_status(io_file_write(file, "0123456789", 10, 0), KVS_IO);
        io_file_close(file);
        struct io_mem *killed = io_mem_clone_after_kill(mem);
        size_t size = 0;
        uint8_t *copy = io_mem_copy_file(killed, &size, "a");
        assert_memory_equal(copy, "0123456789", size);
        seen_part = seen_part || (size > 0 && size < 10);
        free(copy);
        io_mem_free(killed);
        io_mem_free(mem);
    }
    assert_true(seen_part);
}

/* Damage that a test does would be undone by the page cache or by a power cut. */
static void mem_damage_and_resize_reach_the_platter(void **state)
{
    struct io *io = io_mem_as_io(*state);
    char difference[128];
    create_durable_file(io, "/", "a", "0123456789");
    struct io_mem *before = io_mem_clone_after_power_cut(*state, 1, IO_MEM_KEEP_NONE);
    assert_true(io_mem_is_equal(before, *state, difference, sizeof difference));
    assert_true(io_mem_damage(*state, "a", "xy", 2, 3));
    assert_false(io_mem_damage(*state, "a", "xy", 2, 9));
    assert_false(io_mem_damage(*state, "none", "x", 1, 0));
    assert_false(io_mem_is_equal(before, *state, difference, sizeof difference));
    assert_string_equal(difference, "/a differs at offset 3");
    assert_true(io_mem_resize(*state, "a", 6));
    assert_false(io_mem_is_equal(before, *state, difference, sizeof difference));
    assert_string_equal(difference, "/a has 10 and 6 bytes");
    struct io_mem *after = io_mem_clone_after_power_cut(*state, 1, IO_MEM_KEEP_NONE);
    assert_true(holds_text(io_mem_as_io(after), "a", "012xy5"));
    io_file_close(create_file(io, "b", ""));
    assert_false(io_mem_is_equal(after, *state, difference, sizeof difference));
    assert_string_equal(difference, "/b is on one disk only");
    io_mem_free(before);
    io_mem_free(after);
}

enum { PATHS_BYTES = 256 };

static bool add_path(void *context, const char *path)
{
    size_t length = strlen(context);
    snprintf((char *)context + length, PATHS_BYTES - length, "%s ", path);
    return true;
}

/* A test could not look at what recovery left behind. */
static void mem_visit_names_all_paths(void **state)
{
    struct io *io = io_mem_as_io(*state);
    char paths[PATHS_BYTES] = "";
    assert_ok(io_make_directory(io, "db"));
    assert_ok(io_make_directory(io, "db/lost"));
    io_file_close(create_file(io, "db/lost/a", ""));
    io_file_close(create_file(io, "db/b", ""));
    io_mem_visit(*state, add_path, paths);
    assert_string_equal(paths, "/db /db/lost /db/lost/a /db/b ");
}

/* Identities would repeat after a restart, or a seed not replay. */
static void mem_random_seeded_and_new_after_restart(void **state)
{
    uint64_t first = 0, same = 0, after = 0;
    struct io_mem *twin = io_mem_new(1, NULL);
    assert_ok(io_random(io_mem_as_io(*state), &first, sizeof first));
    assert_ok(io_random(io_mem_as_io(twin), &same, sizeof same));
    assert_int_equal(first, same);
    struct io_mem *restarted = io_mem_clone_after_power_cut(*state, 1, IO_MEM_KEEP_ALL);
    assert_ok(io_random(io_mem_as_io(restarted), &after, sizeof after));
    assert_int_not_equal(first, after);
    assert_true(io_wall_ms(io_mem_as_io(restarted)) >= io_wall_ms(io_mem_as_io(*state)));
    io_mem_free(restarted);
    io_mem_free(twin);
}

struct own_file {
    struct io *io;
    char path[16];
};

static void write_and_read_own_file(void *argument)
{
    struct own_file *own = argument;
    struct io_file *file = create_file(own->io, own->path, "");
    for (uint64_t round = 0; round < 300; round++) {
        uint64_t back = 0;
        size_t got = 0;
        assert_ok(io_file_write(file, &round, sizeof round, round * sizeof round));
        assert_ok(io_file_sync(file, SYNC_LOG));
        assert_ok(io_file_read(file, &back, &got, sizeof back, round * sizeof round));
        assert_int_equal(back, round);
    }
    io_file_close(file);
    assert_ok(io_directory_sync(own->io, "/", SYNC_LOG_DIRECTORY));
}

/* Tests that run the engine with real threads on the simulated disk would race inside it. */
static void mem_real_threads_do_not_race(void **state)
{
    struct own_file files[3];
    struct io_thread threads[3];
    for (int index = 0; index < 3; index++) {
        files[index].io = io_mem_as_io(*state);
        snprintf(files[index].path, sizeof files[index].path, "%d", index);
        assert_ok(io_thread_start(&threads[index], files[index].io, "writer", write_and_read_own_file, &files[index]));
    }
    for (int clone = 0; clone < 20; clone++)
        io_mem_free(io_mem_clone_after_power_cut(*state, (uint64_t)clone, IO_MEM_KEEP_MIXED));
    for (int index = 0; index < 3; index++)
        io_thread_join(&threads[index]);
    struct io_mem *after = io_mem_clone_after_power_cut(*state, 1, IO_MEM_KEEP_NONE);
    char difference[128];
    assert_true(io_mem_is_equal(*state, after, difference, sizeof difference));
    io_mem_free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mem_file_reads_what_was_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_open_modes_say_what_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_names_follow_posix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_unlinked_file_readable_while_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_capacity_write_lands_in_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_lock_second_handle_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_crash_fails_every_later_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_crash_at_each_call_and_moment_leaves_that_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_crash_halfway_write_leaves_a_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_damage_and_resize_reach_the_platter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_visit_names_all_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_random_seeded_and_new_after_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mem_real_threads_do_not_race, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
