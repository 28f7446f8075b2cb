#include "wal/log_set_aside.h"

#include "format/file_name.h"

#include <inttypes.h>
#include <stdlib.h>

enum { COPY_BYTES = 1024 * 1024 };

static struct kvs_status copy_range(struct io_file *to, struct io_file *from, const char *path, uint64_t offset,
                                    uint64_t size, uint8_t *buffer)
{
    for (uint64_t done = 0; done < size;) {
        size_t piece = size - done < COPY_BYTES ? size - done : COPY_BYTES;
        size_t read_bytes = 0;
        STATUS_RETURN_IF_ERROR(io_file_read(from, buffer, &read_bytes, piece, offset + done));
        if (read_bytes < piece)
            return STATUS(KVS_IO, "%s: offset %" PRIu64 ": expected %zu bytes, found %zu", path, offset + done, piece,
                          read_bytes);
        STATUS_RETURN_IF_ERROR(io_file_write(to, buffer, piece, done));
        done += piece;
    }
    return status_ok();
}

/* A copy that an earlier try left unfinished is written over. */
static struct kvs_status copy_synced(struct io *io, const char *tail_path, const char *log_path, uint64_t offset,
                                     uint64_t size)
{
    struct io_file *from = NULL;
    struct io_file *to = NULL;
    uint8_t *buffer = malloc(COPY_BYTES);
    struct kvs_status status;
    if (buffer == NULL) {
        status = STATUS(KVS_NO_MEMORY, "%s: no memory to copy its tail", log_path);
        goto out;
    }
    status = io_file_open(io, &from, log_path, IO_OPEN_READ);
    if (!status_is_ok(status))
        goto out;
    status = io_file_open(io, &to, tail_path, IO_OPEN_TEMPORARY);
    if (!status_is_ok(status))
        goto out;
    status = copy_range(to, from, log_path, offset, size, buffer);
    if (!status_is_ok(status))
        goto out;
    status = io_file_sync(to, SYNC_LOST);
out:
    io_file_close(to);
    io_file_close(from);
    free(buffer);
    return status;
}

static struct kvs_status make_lost(struct io *io, const char *lost_path)
{
    bool exists = false;
    STATUS_RETURN_IF_ERROR(io_exists(io, &exists, lost_path));
    return exists ? status_ok() : io_make_directory(io, lost_path);
}

struct kvs_status log_set_aside(struct io *io, const char *folder, uint64_t number, uint64_t tail_offset,
                                uint64_t tail_bytes)
{
    char log_path[IO_PATH_BYTES];
    char lost_path[IO_PATH_BYTES];
    char tail_path[IO_PATH_BYTES];
    if (tail_bytes == 0)
        return status_ok();
    STATUS_RETURN_IF_ERROR(file_name_path(log_path, folder, FILE_LOG, number));
    STATUS_RETURN_IF_ERROR(file_name_path(lost_path, folder, FILE_LOST, 0));
    STATUS_RETURN_IF_ERROR(file_name_tail_path(tail_path, folder, number, tail_offset));
    STATUS_RETURN_IF_ERROR(make_lost(io, lost_path));
    STATUS_RETURN_IF_ERROR(copy_synced(io, tail_path, log_path, tail_offset, tail_bytes));
    STATUS_RETURN_IF_ERROR(io_directory_sync(io, lost_path, SYNC_LOST_DIRECTORY));
    /* Also where the folder was there: who made it may have crashed before its name was synced. */
    return io_directory_sync(io, folder, SYNC_LOST_DIRECTORY);
}
