#include "io_test_support.h"

#include "io/io_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The linker sends the room's calls here (--wrap), so that a test can have them interrupted, cut short or refused. */
ssize_t __real_pread(int descriptor, void *buffer, size_t size, off_t offset);
ssize_t __real_pwrite(int descriptor, const void *data, size_t size, off_t offset);
int __real_fdatasync(int descriptor);
int __real_fallocate(int descriptor, int mode, off_t offset, off_t size);
ssize_t __wrap_pread(int descriptor, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pwrite(int descriptor, const void *data, size_t size, off_t offset);
int __wrap_fdatasync(int descriptor);
int __wrap_fallocate(int descriptor, int mode, off_t offset, off_t size);

/* limit_bytes is all that a call moves (0: no limit); every other call is interrupted; the others meet error, if not 0 */
static struct {
    size_t limit_bytes;
    bool interrupts;
    int error;
    bool no_fallocate;
    unsigned calls;
} trouble;

/* Whether a call fails, with errno set. */
static bool meets_trouble(void)
{
    errno = trouble.interrupts && trouble.calls++ % 2 == 0 ? EINTR : trouble.error;
    return errno != 0;
}

static size_t limited(size_t size)
{
    return trouble.limit_bytes != 0 && size > trouble.limit_bytes ? trouble.limit_bytes : size;
}

ssize_t __wrap_pread(int descriptor, void *buffer, size_t size, off_t offset)
{
    return meets_trouble() ? -1 : __real_pread(descriptor, buffer, limited(size), offset);
}

ssize_t __wrap_pwrite(int descriptor, const void *data, size_t size, off_t offset)
{
    return meets_trouble() ? -1 : __real_pwrite(descriptor, data, limited(size), offset);
}

int __wrap_fdatasync(int descriptor)
{
    return meets_trouble() ? -1 : __real_fdatasync(descriptor);
}

int __wrap_fallocate(int descriptor, int mode, off_t offset, off_t size)
{
    if (trouble.no_fallocate) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return meets_trouble() ? -1 : __real_fallocate(descriptor, mode, offset, size);
}

/* Each test works in a folder of its own. */
struct folder {
    char path[64];
    char name[128];
};

static int set_up(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    snprintf(folder->path, sizeof folder->path, "/tmp/kvs-io-test-XXXXXX");
    if (mkdtemp(folder->path) == NULL)
        return -1;
    *state = folder;
    return 0;
}

static bool unlink_name(void *context, const char *name)
{
    struct folder *folder = context;
    snprintf(folder->name, sizeof folder->name, "%s/%s", folder->path, name);
    if (unlink(folder->name) != 0)
        rmdir(folder->name);
    return true;
}

static int tear_down(void **state)
{
    struct folder *folder = *state;
    memset(&trouble, 0, sizeof trouble);
    bool gone = io_list(io_posix(), folder->path, unlink_name, folder).code == KVS_OK && rmdir(folder->path) == 0;
    free(folder);
    return gone ? 0 : -1;
}

/* The path of a name in the folder, valid until the next call. */
static const char *in(struct folder *folder, const char *name)
{
    snprintf(folder->name, sizeof folder->name, "%s/%s", folder->path, name);
    return folder->name;
}

static unsigned mode_of(const char *path)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return about.st_mode & 0777;
}

/* Bytes would come back changed, or a file's end be taken for an error. */
static void posix_file_write_then_read_same_bytes(void **state)
{
    struct folder *folder = *state;
    char buffer[16] = {0};
    size_t got = 0;
    uint64_t size = 0;
    struct io_file *file = create_file(io_posix(), in(folder, "a"), "0123456789");
    assert_ok(io_file_write(file, "xy", 2, 4));
    assert_ok(io_file_read(file, buffer, &got, sizeof buffer, 2));
    assert_int_equal(got, 8);
    assert_memory_equal(buffer, "23xy6789", 8);
    assert_ok(io_file_read(file, buffer, &got, sizeof buffer, 10));
    assert_int_equal(got, 0);
    assert_ok(io_file_sync(file, SYNC_LOG));
    assert_ok(io_file_truncate(file, 3));
    assert_ok(io_file_size(file, &size));
    assert_int_equal(size, 3);
    io_file_close(file);
    assert_true(holds_text(io_posix(), in(folder, "a"), "012"));
}

/* Another user of the machine could read the data. */
static void posix_create_modes_private(void **state)
{
    struct folder *folder = *state;
    io_file_close(create_file(io_posix(), in(folder, "a"), "x"));
    assert_int_equal(mode_of(in(folder, "a")), 0600);
    assert_ok(io_make_directory(io_posix(), in(folder, "d")));
    assert_int_equal(mode_of(in(folder, "d")), 0700);
    struct io_lock *lock = NULL;
    assert_ok(io_lock(io_posix(), &lock, in(folder, "LOCK"), false));
    assert_int_equal(mode_of(in(folder, "LOCK")), 0600);
    io_unlock(lock);
}

/* A program started by the host would inherit the database's files. */
static void posix_open_descriptors_close_on_exec(void **state)
{
    struct folder *folder = *state;
    int before = open("/dev/null", O_RDONLY);
    close(before);
    struct io_file *file = create_file(io_posix(), in(folder, "a"), "x");
    assert_int_equal(fcntl(before, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    io_file_close(file);
    assert_int_equal(fcntl(before, F_GETFD), -1);
}

/* A missing file would be confused with a failing disk, or an existing one be overwritten. */
static void posix_open_modes_say_what_is_wrong(void **state)
{
    struct folder *folder = *state;
    struct io_file *untouched = (struct io_file *)folder, *file = untouched;
    struct kvs_status status = io_file_open(io_posix(), &file, in(folder, "none"), IO_OPEN_READ);
    assert_status(status, KVS_NOT_FOUND);
    assert_text_has(status, "/none");
    assert_ptr_equal(file, untouched);
    assert_status(io_file_open(io_posix(), &file, in(folder, "none"), IO_OPEN_WRITE), KVS_NOT_FOUND);
    io_file_close(create_file(io_posix(), in(folder, "a"), "old"));
    status = io_file_open(io_posix(), &file, in(folder, "a"), IO_OPEN_CREATE);
    assert_status(status, KVS_IO);
    assert_int_equal(status.sys_errno, EEXIST);
    file = open_file(io_posix(), in(folder, "a"), IO_OPEN_READ);
    status = io_file_write(file, "x", 1, 7);
    assert_status(status, KVS_IO);
    assert_text_has(status, "1 bytes at offset 7");
    io_file_close(file);
    file = open_file(io_posix(), in(folder, "a"), IO_OPEN_TEMPORARY);
    io_file_close(file);
    assert_true(holds_text(io_posix(), in(folder, "a"), ""));
    assert_status(io_file_open(io_posix(), &file, folder->path, IO_OPEN_WRITE), KVS_IO);
}

/* A log would meet a full disk in the middle of a record, or lose what it holds. */
static void posix_preallocate_extends_and_keeps_bytes(void **state)
{
    struct folder *folder = *state;
    struct io_file *file = create_file(io_posix(), in(folder, "a"), "data");
    uint64_t size = 0;
    char byte = 1;
    size_t got = 0;
    assert_ok(io_file_preallocate(file, 0, 200000));
    assert_ok(io_file_size(file, &size));
    assert_int_equal(size, 200000);
    struct stat about;
    assert_int_equal(stat(in(folder, "a"), &about), 0);
    assert_true(about.st_blocks * 512 >= 200000);
    assert_ok(io_file_read(file, &byte, &got, 1, 199999));
    assert_int_equal(byte, 0);
    assert_ok(io_file_preallocate(file, 0, 10));
    assert_ok(io_file_truncate(file, 4));
    io_file_close(file);
    assert_true(holds_text(io_posix(), in(folder, "a"), "data"));
}

/* On a file system without fallocate the log could not be made, or what it holds be overwritten. */
static void posix_preallocate_without_fallocate_writes_zeros(void **state)
{
    struct folder *folder = *state;
    uint64_t size = 0;
    char bytes[8];
    size_t got = 0;
    struct io_file *file = create_file(io_posix(), in(folder, "a"), "data");
    trouble.no_fallocate = true;
    assert_ok(io_file_preallocate(file, 0, 150000));
    assert_ok(io_file_preallocate(file, 0, 100));
    assert_ok(io_file_size(file, &size));
    assert_int_equal(size, 150000);
    assert_ok(io_file_read(file, bytes, &got, sizeof bytes, 0));
    assert_memory_equal(bytes, "data\0\0\0\0", 8);
    struct stat about;
    assert_int_equal(stat(in(folder, "a"), &about), 0);
    assert_true(about.st_blocks * 512 >= 150000);
    trouble.error = ENOSPC;
    assert_status(io_file_preallocate(file, 0, 200000), KVS_NO_SPACE);
    io_file_close(file);
}

/* A full disk would be reported as a broken one, and the writer would not wait for room. */
static void posix_write_beyond_limit_reports_error(void **state)
{
    struct folder *folder = *state;
    struct io_file *file = create_file(io_posix(), in(folder, "a"), "x");
    assert_status(io_file_write(file, "x", 1, UINT64_MAX), KVS_IO);
    assert_status(io_file_preallocate(file, UINT64_MAX, 2), KVS_IO);
    assert_status(io_file_truncate(file, UINT64_MAX), KVS_IO);
    size_t got = 0;
    char byte;
    assert_status(io_file_read(file, &byte, &got, 1, UINT64_MAX), KVS_IO);
    io_file_close(file);
    int full = open("/dev/full", O_WRONLY);
    if (full < 0)
        return;
    close(full);
    file = open_file(io_posix(), "/dev/full", IO_OPEN_WRITE);
    struct kvs_status status = io_file_write(file, "x", 1, 0);
    assert_status(status, KVS_NO_SPACE);
    assert_int_equal(status.sys_errno, ENOSPC);
    io_file_close(file);
}

/* A database folder could not be found, renamed, linked or deleted. */
static void posix_names_made_moved_and_removed(void **state)
{
    struct folder *folder = *state;
    char from[128];
    struct io *io = io_posix();
    io_file_close(create_file(io, in(folder, "a"), "one"));
    snprintf(from, sizeof from, "%s", folder->name);
    assert_ok(io_link(io, from, in(folder, "b")));
    assert_status(io_link(io, from, in(folder, "b")), KVS_IO);
    assert_ok(io_rename(io, from, in(folder, "c")));
    assert_false(is_there(io, from));
    assert_true(holds_text(io, in(folder, "c"), "one"));
    assert_status(io_rename(io, from, in(folder, "c")), KVS_NOT_FOUND);
    assert_ok(io_directory_sync(io, folder->path, SYNC_SEGMENT_DIRECTORY));
    assert_ok(io_unlink(io, in(folder, "b")));
    assert_status(io_unlink(io, in(folder, "b")), KVS_NOT_FOUND);
    assert_ok(io_make_directory(io, in(folder, "d")));
    assert_status(io_make_directory(io, in(folder, "d")), KVS_IO);
    io_file_close(create_file(io, in(folder, "d/x"), ""));
    assert_status(io_remove_directory(io, in(folder, "d")), KVS_IO);
    assert_ok(io_unlink(io, in(folder, "d/x")));
    assert_ok(io_remove_directory(io, in(folder, "d")));
    assert_status(io_directory_sync(io, in(folder, "d"), SYNC_LOG_DIRECTORY), KVS_NOT_FOUND);
    assert_status(io_make_directory(io, in(folder, "none/d")), KVS_NOT_FOUND);
    assert_false(is_there(io, in(folder, "c/below")));
}

static bool count_name(void *context, const char *name)
{
    assert_string_not_equal(name, ".");
    assert_string_not_equal(name, "..");
    return ++*(int *)context < 2;
}

/* Recovery would miss files, or look at the folder itself. */
static void posix_list_visits_names_until_stopped(void **state)
{
    struct folder *folder = *state;
    int count = 0;
    assert_ok(io_list(io_posix(), folder->path, count_name, &count));
    assert_int_equal(count, 0);
    for (const char *const *name = (const char *const[]){"a", "b", "c", NULL}; *name != NULL; name++)
        io_file_close(create_file(io_posix(), in(folder, *name), ""));
    assert_ok(io_list(io_posix(), folder->path, count_name, &count));
    assert_int_equal(count, 2);
    assert_status(io_list(io_posix(), in(folder, "none"), count_name, &count), KVS_NOT_FOUND);
}

/* Two databases would write into one folder, from one process or from two. */
static void posix_lock_second_handle_refused(void **state)
{
    struct folder *folder = *state;
    struct io_lock *first = NULL, *second = NULL, *third = NULL;
    assert_ok(io_lock(io_posix(), &first, in(folder, "LOCK"), false));
    struct kvs_status status = io_lock(io_posix(), &second, folder->name, false);
    assert_status(status, KVS_LOCKED);
    assert_text_has(status, folder->name);
    assert_text_has(status, "another process or handle has it open");
    assert_status(io_lock(io_posix(), &second, folder->name, true), KVS_LOCKED);
    assert_null(second);
    io_unlock(first);
    assert_ok(io_lock(io_posix(), &first, folder->name, true));
    assert_ok(io_lock(io_posix(), &second, folder->name, true));
    assert_status(io_lock(io_posix(), &third, folder->name, false), KVS_LOCKED);
    io_unlock(first);
    io_unlock(second);
    io_unlock(NULL);
}

/* A killed server would leave its folder locked. */
static void posix_lock_released_by_death_of_process(void **state)
{
    struct folder *folder = *state;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    in(folder, "LOCK");
    pid_t child = fork();
    if (child == 0) {
        struct io_lock *lock;
        bool locked = io_lock(io_posix(), &lock, folder->name, false).code == KVS_OK;
        if (write(ready[1], locked ? "y" : "n", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    struct io_lock *lock = NULL;
    assert_status(io_lock(io_posix(), &lock, folder->name, false), KVS_LOCKED);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_ok(io_lock(io_posix(), &lock, folder->name, false));
    io_unlock(lock);
    close(ready[0]);
    close(ready[1]);
}

/* Identities would repeat, time stand still, or a full disk go unseen. */
static void posix_clocks_randomness_and_space_plausible(void **state)
{
    struct folder *folder = *state;
    uint64_t first[4], second[4], free_bytes = 0;
    assert_ok(io_random(io_posix(), first, sizeof first));
    assert_ok(io_random(io_posix(), second, sizeof second));
    assert_memory_not_equal(first, second, sizeof first);
    assert_true(io_wall_ms(io_posix()) > UINT64_C(1700000000000));
    uint64_t before = io_monotonic_ns(io_posix());
    assert_true(io_monotonic_ns(io_posix()) >= before);
    assert_ok(io_free_space(io_posix(), &free_bytes, folder->path));
    assert_true(free_bytes > 0);
    assert_status(io_free_space(io_posix(), &free_bytes, in(folder, "none")), KVS_NOT_FOUND);
}

/* A short write would be taken for a whole one, or a signal for a failed disk. */
static void posix_short_and_interrupted_calls_are_finished(void **state)
{
    struct folder *folder = *state;
    char buffer[32];
    size_t got = 0;
    struct io_file *file = open_file(io_posix(), in(folder, "a"), IO_OPEN_CREATE);
    trouble.limit_bytes = 3;
    trouble.interrupts = true;
    assert_ok(io_file_write(file, "0123456789", 10, 0));
    assert_int_equal(trouble.calls, 8);
    assert_ok(io_file_read(file, buffer, &got, sizeof buffer, 0));
    assert_int_equal(got, 10);
    assert_memory_equal(buffer, "0123456789", 10);
    trouble.calls = 0;
    assert_ok(io_file_sync(file, SYNC_LOG));
    assert_ok(io_file_preallocate(file, 0, 20));
    assert_int_equal(trouble.calls, 4);
    io_file_close(file);
}

/* An error of the disk would be hidden, or come without file and place. */
static void posix_errors_name_file_and_place(void **state)
{
    struct folder *folder = *state;
    char byte;
    size_t got = 77;
    struct io_file *file = create_file(io_posix(), in(folder, "a"), "x");
    trouble.error = EIO;
    struct kvs_status status = io_file_read(file, &byte, &got, 1, 5);
    assert_status(status, KVS_IO);
    assert_text_has(status, "cannot read 1 bytes at offset 5 of /tmp/");
    assert_int_equal(got, 77);
    status = io_file_sync(file, SYNC_MANIFEST_EDIT);
    assert_status(status, KVS_IO);
    assert_text_has(status, "SYNC-9");
    trouble.error = ENOSPC;
    assert_status(io_file_write(file, "y", 1, 0), KVS_NO_SPACE);
    assert_status(io_file_preallocate(file, 0, 10), KVS_NO_SPACE);
    trouble.error = EDQUOT;
    assert_status(io_file_sync(file, SYNC_LOG), KVS_NO_SPACE);
    trouble.error = 0;
    io_file_close(file);
    assert_true(holds_text(io_posix(), in(folder, "a"), "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(posix_file_write_then_read_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_create_modes_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_open_descriptors_close_on_exec, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_open_modes_say_what_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_preallocate_extends_and_keeps_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_preallocate_without_fallocate_writes_zeros, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_short_and_interrupted_calls_are_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_errors_name_file_and_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_write_beyond_limit_reports_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_names_made_moved_and_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_list_visits_names_until_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_lock_second_handle_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_lock_released_by_death_of_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posix_clocks_randomness_and_space_plausible, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
