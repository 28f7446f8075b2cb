#include "io/io_posix.h"

#include "base/assert.h"
#include "io/io_posix_calls.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static struct kvs_status posix_random(struct io *io, void *out, size_t size)
{
    (void)io;
    uint8_t *at = out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return STATUS_ERRNO(errno, "cannot get %zu random bytes", size);
        at += got;
        size -= (size_t)got;
    }
    return status_ok();
}

static struct timespec clock_read(clockid_t clock)
{
    struct timespec now;
    int result = clock_gettime(clock, &now);
    KVS_ASSERT(result == 0);
    return now;
}

static uint64_t posix_wall_ms(struct io *io)
{
    (void)io;
    struct timespec now = clock_read(CLOCK_REALTIME);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t posix_monotonic_ns(struct io *io)
{
    (void)io;
    struct timespec now = clock_read(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static const struct io_ops posix_ops = {
    .file_open = posix_file_open,
    .file_read = posix_file_read,
    .file_write = posix_file_write,
    .file_sync = posix_file_sync,
    .file_preallocate = posix_file_preallocate,
    .file_truncate = posix_file_truncate,
    .file_start_writeback = posix_file_start_writeback,
    .file_size = posix_file_size,
    .file_close = posix_file_close,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .link = posix_link,
    .make_directory = posix_make_directory,
    .remove_directory = posix_remove_directory,
    .list = posix_list,
    .directory_sync = posix_directory_sync,
    .exists = posix_exists,
    .lock = posix_lock,
    .unlock = posix_unlock,
    .free_space = posix_free_space,
    .random = posix_random,
    .wall_ms = posix_wall_ms,
    .monotonic_ns = posix_monotonic_ns,
};

/* Never written, so that threads share it freely. */
static struct io posix_io = {.ops = &posix_ops, .scheduler = NULL};

struct io *io_posix(void)
{
    return &posix_io;
}
