#include "io/io_posix_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0700, LOCK_MODE = 0600 };

struct posix_lock_handle {
    struct io_lock lock;
    int descriptor;
};

struct kvs_status posix_rename(struct io *io, const char *from, const char *to)
{
    (void)io;
    if (rename(from, to) != 0)
        return STATUS_ERRNO(errno, "cannot rename %s to %s", from, to);
    return status_ok();
}

struct kvs_status posix_unlink(struct io *io, const char *path)
{
    (void)io;
    if (unlink(path) != 0)
        return STATUS_ERRNO(errno, "cannot unlink %s", path);
    return status_ok();
}

struct kvs_status posix_link(struct io *io, const char *from, const char *to)
{
    (void)io;
    if (link(from, to) != 0)
        return STATUS_ERRNO(errno, "cannot link %s to %s", from, to);
    return status_ok();
}

struct kvs_status posix_make_directory(struct io *io, const char *path)
{
    (void)io;
    if (mkdir(path, DIRECTORY_MODE) != 0)
        return STATUS_ERRNO(errno, "cannot make folder %s", path);
    return status_ok();
}

struct kvs_status posix_remove_directory(struct io *io, const char *path)
{
    (void)io;
    if (rmdir(path) != 0)
        return STATUS_ERRNO(errno, "cannot remove folder %s", path);
    return status_ok();
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

struct kvs_status posix_list(struct io *io, const char *path, io_list_visit *visit, void *context)
{
    (void)io;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return STATUS_ERRNO(errno, "cannot list folder %s", path);
    struct kvs_status status = status_ok();
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (entry == NULL && errno != 0)
            status = STATUS_ERRNO(errno, "cannot list folder %s", path);
        if (entry == NULL)
            break;
        if (!is_dots(entry->d_name) && !visit(context, entry->d_name))
            break;
    }
    closedir(directory);
    return status;
}

struct kvs_status posix_directory_sync(struct io *io, const char *path, enum io_sync_tag tag)
{
    (void)io;
    int descriptor = posix_open_descriptor(path, O_RDONLY | O_DIRECTORY, 0);
    if (descriptor < 0)
        return STATUS_ERRNO(errno, "cannot open folder %s for a sync (SYNC-%d)", path, (int)tag);
    int result;
    do
        result = fsync(descriptor);
    while (result != 0 && errno == EINTR);
    int error = errno;
    close(descriptor);
    if (result != 0)
        return STATUS_ERRNO(error, "cannot sync folder %s (SYNC-%d)", path, (int)tag);
    return status_ok();
}

struct kvs_status posix_exists(struct io *io, bool *exists, const char *path)
{
    (void)io;
    struct stat about;
    bool found = lstat(path, &about) == 0;
    if (!found && errno != ENOENT && errno != ENOTDIR)
        return STATUS_ERRNO(errno, "cannot tell whether %s exists", path);
    *exists = found;
    return status_ok();
}

static struct kvs_status lock_descriptor(int descriptor, const char *path, bool shared)
{
    struct flock range = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_OFD_SETLK, &range) == 0)
        return status_ok();
    if (errno == EAGAIN || errno == EACCES)
        return STATUS(KVS_LOCKED, "%s is locked: another process or handle has it open", path);
    return STATUS_ERRNO(errno, "cannot lock %s", path);
}

struct kvs_status posix_lock(struct io *io, struct io_lock **lock, const char *path, bool shared)
{
    struct posix_lock_handle *handle = malloc(sizeof *handle);
    if (handle == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot lock %s: no memory", path);
    handle->lock.io = io;
    /* A shared lock needs no right to write, so that a folder that may only be read can be inspected. */
    handle->descriptor = posix_open_descriptor(path, (shared ? O_RDONLY : O_RDWR) | O_CREAT, LOCK_MODE);
    if (handle->descriptor < 0) {
        struct kvs_status status = STATUS_ERRNO(errno, "cannot open lock file %s", path);
        free(handle);
        return status;
    }
    struct kvs_status status = lock_descriptor(handle->descriptor, path, shared);
    if (!status_is_ok(status)) {
        close(handle->descriptor);
        free(handle);
        return status;
    }
    *lock = &handle->lock;
    return status_ok();
}

void posix_unlock(struct io_lock *lock)
{
    struct posix_lock_handle *handle = (struct posix_lock_handle *)lock;
    /* Closing is not enough where a forked child still has the descriptor. */
    struct flock range = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    fcntl(handle->descriptor, F_OFD_SETLK, &range);
    close(handle->descriptor);
    free(handle);
}

struct kvs_status posix_free_space(struct io *io, uint64_t *free_bytes, const char *path)
{
    (void)io;
    struct statvfs about;
    int result;
    do
        result = statvfs(path, &about);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return STATUS_ERRNO(errno, "cannot tell the free space at %s", path);
    *free_bytes = (uint64_t)about.f_bavail * about.f_frsize;
    return status_ok();
}
