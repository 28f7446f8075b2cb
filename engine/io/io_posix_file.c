#include "io/io_posix_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MODE = 0600,
    ZERO_CHUNK_BYTES = 64 * 1024,
    IN_FLIGHT_BYTES =
        4 * 1024 *
        1024, /* of one file; more does not make a device faster, and a sync of another file waits behind all of it */
};

/* writeback_errno  of writeback that was started early; 0: none has failed
 * path             for the sentences of errors */
struct posix_file {
    struct io_file file;
    int descriptor;
    int writeback_errno;
    char path[];
};

static struct posix_file *posix_of(struct io_file *file)
{
    return (struct posix_file *)file;
}

int posix_open_descriptor(const char *path, int flags, unsigned mode)
{
    int descriptor;
    do
        descriptor = open(path, flags | O_CLOEXEC, (mode_t)mode);
    while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

static int flags_of_mode(enum io_open_mode mode)
{
    switch (mode) {
    case IO_OPEN_READ:
        return O_RDONLY;
    case IO_OPEN_WRITE:
        return O_RDWR;
    case IO_OPEN_CREATE:
        return O_RDWR | O_CREAT | O_EXCL;
    case IO_OPEN_TEMPORARY:
        return O_RDWR | O_CREAT | O_TRUNC;
    }
    return O_RDONLY;
}

struct kvs_status posix_file_open(struct io *io, struct io_file **file, const char *path, enum io_open_mode mode)
{
    size_t path_bytes = strlen(path) + 1;
    struct posix_file *opened = malloc(sizeof *opened + path_bytes);
    if (opened == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot open %s: no memory", path);
    opened->file.io = io;
    opened->writeback_errno = 0;
    memcpy(opened->path, path, path_bytes);
    opened->descriptor = posix_open_descriptor(path, flags_of_mode(mode), FILE_MODE);
    if (opened->descriptor < 0) {
        struct kvs_status status = STATUS_ERRNO(errno, "cannot %s %s", mode < IO_OPEN_CREATE ? "open" : "create", path);
        free(opened);
        return status;
    }
    *file = &opened->file;
    return status_ok();
}

/* Offsets are signed in the kernel. Callers read them from files, so they are checked rather than asserted. */
static bool range_fits(uint64_t offset, uint64_t size)
{
    return offset <= INT64_MAX && size <= INT64_MAX - offset;
}

struct kvs_status posix_file_read(struct io_file *file, void *buffer, size_t *read_bytes, size_t size, uint64_t offset)
{
    struct posix_file *self = posix_of(file);
    if (!range_fits(offset, size))
        return STATUS_ERRNO(EOVERFLOW, "cannot read %zu bytes at offset %" PRIu64 " of %s", size, offset, self->path);
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(self->descriptor, (uint8_t *)buffer + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return STATUS_ERRNO(errno, "cannot read %zu bytes at offset %" PRIu64 " of %s", size, offset, self->path);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *read_bytes = done;
    return status_ok();
}

struct kvs_status posix_file_write(struct io_file *file, const void *data, size_t size, uint64_t offset)
{
    struct posix_file *self = posix_of(file);
    if (!range_fits(offset, size))
        return STATUS_ERRNO(EFBIG, "cannot write %zu bytes at offset %" PRIu64 " of %s", size, offset, self->path);
    size_t done = 0;
    while (done < size) {
        ssize_t put = pwrite(self->descriptor, (const uint8_t *)data + done, size - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        /* A device that takes nothing and says nothing would be retried for ever. */
        int error = put < 0 ? errno : EIO;
        if (put <= 0)
            return STATUS_ERRNO(error, "cannot write %zu bytes at offset %" PRIu64 " of %s (%zu written)", size, offset,
                                self->path, done);
        done += (size_t)put;
    }
    return status_ok();
}

struct kvs_status posix_file_sync(struct io_file *file, enum io_sync_tag tag)
{
    struct posix_file *self = posix_of(file);
    int result;
    if (self->writeback_errno != 0)
        return STATUS_ERRNO(self->writeback_errno, "cannot sync %s (SYNC-%d): its writeback has failed", self->path,
                            (int)tag);
    do
        result = fdatasync(self->descriptor);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return STATUS_ERRNO(errno, "cannot sync %s (SYNC-%d)", self->path, (int)tag);
    return status_ok();
}

/* Where there is no fallocate: write zeros from the file's end on. What lies below the end is left alone, so that nothing written is
 * harmed. */
static struct kvs_status extend_with_zeros(struct io_file *file, uint64_t end)
{
    static const uint8_t zeros[ZERO_CHUNK_BYTES];
    uint64_t at;
    STATUS_RETURN_IF_ERROR(posix_file_size(file, &at));
    while (at < end) {
        size_t chunk = end - at < sizeof zeros ? (size_t)(end - at) : sizeof zeros;
        STATUS_RETURN_IF_ERROR(posix_file_write(file, zeros, chunk, at));
        at += chunk;
    }
    return status_ok();
}

struct kvs_status posix_file_preallocate(struct io_file *file, uint64_t offset, uint64_t size)
{
    struct posix_file *self = posix_of(file);
    if (size == 0)
        return status_ok();
    if (!range_fits(offset, size))
        return STATUS_ERRNO(EFBIG, "cannot allocate %" PRIu64 " bytes at offset %" PRIu64 " of %s", size, offset,
                            self->path);
    int result;
    do
        result = fallocate(self->descriptor, 0, (off_t)offset, (off_t)size);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return status_ok();
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return extend_with_zeros(file, offset + size);
    return STATUS_ERRNO(errno, "cannot allocate %" PRIu64 " bytes at offset %" PRIu64 " of %s", size, offset,
                        self->path);
}

/* The kernel tells a failure of the device once, to whoever asks first: it is kept for the sync. */
static void write_back(struct posix_file *self, uint64_t offset, uint64_t size, unsigned flags)
{
    bool has_failed = sync_file_range(self->descriptor, (off64_t)offset, (off64_t)size, flags) != 0;
    if (has_failed && errno != ENOSYS && errno != EINVAL && errno != ESPIPE && self->writeback_errno == 0)
        self->writeback_errno = errno;
}

void posix_file_start_writeback(struct io_file *file, uint64_t offset, uint64_t size)
{
    struct posix_file *self = posix_of(file);
    if (!range_fits(offset, size))
        return;
    write_back(self, offset, size, SYNC_FILE_RANGE_WRITE);
    if (offset >= IN_FLIGHT_BYTES)
        write_back(self, offset - IN_FLIGHT_BYTES, size, SYNC_FILE_RANGE_WAIT_BEFORE);
}

struct kvs_status posix_file_truncate(struct io_file *file, uint64_t size)
{
    struct posix_file *self = posix_of(file);
    if (size > INT64_MAX)
        return STATUS_ERRNO(EFBIG, "cannot truncate %s to %" PRIu64 " bytes", self->path, size);
    int result;
    do
        result = ftruncate(self->descriptor, (off_t)size);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return STATUS_ERRNO(errno, "cannot truncate %s to %" PRIu64 " bytes", self->path, size);
    return status_ok();
}

struct kvs_status posix_file_size(struct io_file *file, uint64_t *size)
{
    struct posix_file *self = posix_of(file);
    struct stat about;
    if (fstat(self->descriptor, &about) != 0)
        return STATUS_ERRNO(errno, "cannot tell the size of %s", self->path);
    *size = (uint64_t)about.st_size;
    return status_ok();
}

void posix_file_close(struct io_file *file)
{
    struct posix_file *self = posix_of(file);
    close(self->descriptor);
    free(self);
}
