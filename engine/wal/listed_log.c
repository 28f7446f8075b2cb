#include "wal/listed_log.h"

#include "format/log_header.h"

#include <inttypes.h>

static struct kvs_status read_header(struct listed_log *log, struct log_header *header, const uint8_t *uuid,
                                     uint64_t number)
{
    uint8_t bytes[LOG_HEADER_BYTES];
    size_t read_bytes = 0;
    STATUS_RETURN_IF_ERROR(io_file_read(log->file, bytes, &read_bytes, sizeof bytes, 0));
    STATUS_RETURN_IF_ERROR(log_header_decode(header, bytes, read_bytes, log->path));
    return file_header_expect(&header->identity, uuid, number, log->path);
}

/* The file as it was when its header was synced, and up to its listed end, is all there. */
static struct kvs_status check_size(const struct log_listing *listing, const struct log_header *header, uint64_t size,
                                    const char *path)
{
    uint64_t least = header->preallocated_bytes;
    if (listing->has_end && listing->end_bytes > least)
        least = listing->end_bytes;
    if (size < least)
        return STATUS(KVS_CORRUPT,
                      "%s: offset %" PRIu64 ": expected a file of at least %" PRIu64 " bytes, found its end", path,
                      size, least);
    return status_ok();
}

struct kvs_status listed_log_open(struct io *io, struct listed_log *log, const char *folder, const uint8_t *uuid,
                                  const struct log_listing *listing)
{
    struct log_header header;
    uint64_t size = 0;
    STATUS_RETURN_IF_ERROR(file_name_path(log->path, folder, FILE_LOG, listing->number));
    STATUS_RETURN_IF_ERROR(io_file_open(io, &log->file, log->path, IO_OPEN_READ));
    STATUS_RETURN_IF_ERROR(io_file_size(log->file, &size));
    STATUS_RETURN_IF_ERROR(read_header(log, &header, uuid, listing->number));
    STATUS_RETURN_IF_ERROR(check_size(listing, &header, size, log->path));
    return log_reader_init(&log->reader, log->file, log->path, header.identity.file_id, LOG_HEADER_BYTES,
                           listing->has_end ? listing->end_bytes : size);
}

void listed_log_close(struct listed_log *log)
{
    log_reader_fini(&log->reader);
    io_file_close(log->file);
}
