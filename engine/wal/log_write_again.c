#include "wal/log_write_again.h"

enum { COPY_BYTES = 64 * 1024 };

static struct kvs_status write_range(struct io_file *file, const char *path, uint64_t begin, uint64_t end)
{
    uint8_t buffer[COPY_BYTES];
    while (begin < end) {
        size_t size = end - begin < sizeof buffer ? (size_t)(end - begin) : sizeof buffer, read_bytes;
        STATUS_RETURN_IF_ERROR(io_file_read(file, buffer, &read_bytes, size, begin));
        if (read_bytes < size)
            return STATUS(KVS_IO, "%s: offset %llu: expected %zu bytes, found %zu", path, (unsigned long long)begin,
                          size, read_bytes);
        STATUS_RETURN_IF_ERROR(io_file_write(file, buffer, size, begin));
        begin += size;
    }
    return status_ok();
}

struct kvs_status log_write_again(struct io *io, const char *path, uint64_t begin, uint64_t end, enum io_sync_tag tag)
{
    struct io_file *file;
    STATUS_RETURN_IF_ERROR(io_file_open(io, &file, path, IO_OPEN_WRITE));
    struct kvs_status status = write_range(file, path, begin, end);
    if (status_is_ok(status))
        status = io_file_sync(file, tag);
    io_file_close(file);
    return status;
}
