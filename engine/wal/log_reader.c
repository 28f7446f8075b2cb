#include "wal/log_reader.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* READ_BYTES   large enough that the calls do not count, small beside the memory of a database
 * ZEROS_BYTES  of a preallocation are passed over at once */
enum { READ_BYTES = 1024 * 1024, ZEROS_BYTES = 1024 };
_Static_assert(ZEROS_BYTES % LOG_RECORD_ALIGNMENT == 0, "a record may begin after zeros");

struct kvs_status log_reader_init(struct log_reader *reader, struct io_file *file, const char *path, uint64_t file_id,
                                  uint64_t offset, uint64_t limit_bytes)
{
    KVS_ASSERT(offset % LOG_RECORD_ALIGNMENT == 0 && offset <= limit_bytes);
    size_t capacity = limit_bytes - offset < READ_BYTES ? limit_bytes - offset : READ_BYTES;
    uint8_t *window = malloc(capacity > 0 ? capacity : 1);
    if (window == NULL)
        return STATUS(KVS_NO_MEMORY, "%s: no memory to read %zu bytes", path, capacity);
    *reader = (struct log_reader){
        .file = file,
        .path = path,
        .file_id = file_id,
        .offset = offset,
        .record_offset = offset,
        .limit_bytes = limit_bytes,
        .complaint = "",
        .window = window,
        .window_capacity = capacity,
        .window_offset = offset,
    };
    return status_ok();
}

void log_reader_fini(struct log_reader *reader)
{
    free(reader->window);
    reader->window = NULL;
}

static struct kvs_status grow_window(struct log_reader *reader, size_t size)
{
    if (size <= reader->window_capacity)
        return status_ok();
    KVS_ASSERT(size > 0);
    uint8_t *larger = realloc(reader->window, size);
    if (larger == NULL)
        return STATUS(KVS_NO_MEMORY, "%s: no memory to read %zu bytes", reader->path, size);
    reader->window = larger;
    reader->window_capacity = size;
    return status_ok();
}

/* Slide the window so that it begins at offset, and fill it from the file. */
static struct kvs_status move_window(struct log_reader *reader, uint64_t offset)
{
    uint64_t window_end = reader->window_offset + reader->window_bytes;
    size_t kept = 0;
    if (offset >= reader->window_offset && offset < window_end) {
        kept = window_end - offset;
        memmove(reader->window, reader->window + (offset - reader->window_offset), kept);
    }
    reader->window_offset = offset;
    reader->window_bytes = kept;

    size_t wanted = reader->window_capacity - kept;
    if (wanted > reader->limit_bytes - (offset + kept))
        wanted = reader->limit_bytes - (offset + kept);
    size_t read_bytes = 0;
    STATUS_RETURN_IF_ERROR(io_file_read(reader->file, reader->window + kept, &read_bytes, wanted, offset + kept));
    if (read_bytes < wanted)
        return STATUS(
            KVS_IO, "%s: offset %" PRIu64 ": expected %zu bytes, found %zu: the file became shorter while it was read",
            reader->path, offset + kept, wanted, read_bytes);
    reader->window_bytes += read_bytes;
    return status_ok();
}

/* The size bytes at offset, which are within the limit; borrowed until the next call. */
static struct kvs_status view(struct log_reader *reader, const uint8_t **bytes, uint64_t offset, size_t size)
{
    KVS_ASSERT(offset <= reader->limit_bytes && size <= reader->limit_bytes - offset);
    bool inside = offset >= reader->window_offset && offset - reader->window_offset <= reader->window_bytes &&
                  size <= reader->window_bytes - (offset - reader->window_offset);
    if (!inside) {
        STATUS_RETURN_IF_ERROR(grow_window(reader, size));
        STATUS_RETURN_IF_ERROR(move_window(reader, offset));
    }
    *bytes = reader->window + (offset - reader->window_offset);
    return status_ok();
}

static struct kvs_status found_bad(struct log_reader *reader, enum log_read *found, const char *complaint)
{
    reader->complaint = complaint;
    *found = LOG_READ_BAD;
    return status_ok();
}

struct kvs_status log_reader_next(struct log_reader *reader, enum log_read *found, struct log_record *record,
                                  struct kvs_slice *payload)
{
    uint64_t rest = reader->limit_bytes - reader->offset;
    const uint8_t *bytes;
    struct log_record header;
    if (rest == 0) {
        *found = LOG_READ_END;
        return status_ok();
    }
    if (rest < LOG_RECORD_HEADER_BYTES)
        return found_bad(reader, found, "fewer bytes than a record header has");
    STATUS_RETURN_IF_ERROR(view(reader, &bytes, reader->offset, LOG_RECORD_HEADER_BYTES));
    if (!log_record_decode(&header, bytes, reader->file_id, reader->offset))
        return found_bad(reader, found, "no record header that verifies");
    uint64_t size = log_record_bytes(header.payload_bytes);
    if (size > rest)
        return found_bad(reader, found, "a record that runs past the end");
    STATUS_RETURN_IF_ERROR(view(reader, &bytes, reader->offset, size));
    if (!log_record_payload_verifies(&header, bytes + LOG_RECORD_HEADER_BYTES))
        return found_bad(reader, found, "a payload that does not verify");
    *found = LOG_READ_RECORD;
    *record = header;
    *payload = slice_of(bytes + LOG_RECORD_HEADER_BYTES, header.payload_bytes);
    reader->record_offset = reader->offset;
    reader->offset += size;
    return status_ok();
}

/* What the window holds at offset, at least size bytes (or all up to the limit); read anew only where it holds less. */
static struct kvs_status view_rest(struct log_reader *reader, const uint8_t **bytes, size_t *available, uint64_t offset,
                                   size_t size)
{
    uint64_t rest = reader->limit_bytes - offset;
    STATUS_RETURN_IF_ERROR(view(reader, bytes, offset, size < rest ? size : rest));
    *available = reader->window_bytes - (offset - reader->window_offset);
    return status_ok();
}

static bool are_zeros(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Whether no header begins in the next ZEROS_BYTES, although the last to do so would end after them. */
static bool begins_none(const uint8_t *bytes, size_t size)
{
    enum { REACH_BYTES = ZEROS_BYTES + LOG_RECORD_HEADER_BYTES };
    return size >= REACH_BYTES && are_zeros(bytes, REACH_BYTES);
}

/* Find a header in the window's bytes, of which the first lie at *at of the file. *at: in, out: where it begins, or where to go on. */
static bool search_window(const struct log_reader *reader, struct log_record *record, uint64_t *at,
                          const uint8_t *bytes, size_t size)
{
    size_t i = 0;
    bool found = false;
    while (!found && i + LOG_RECORD_HEADER_BYTES <= size) {
        if (i % ZEROS_BYTES == 0 && begins_none(bytes + i, size - i))
            i += ZEROS_BYTES;
        else if (log_record_may_begin(bytes + i) && log_record_decode(record, bytes + i, reader->file_id, *at + i))
            found = true;
        else
            i += LOG_RECORD_ALIGNMENT;
    }
    *at += i;
    return found;
}

struct kvs_status log_reader_search(struct log_reader *reader, bool *found, struct log_record *record, uint64_t *offset)
{
    uint64_t at = *offset;
    while (at < reader->limit_bytes && reader->limit_bytes - at >= LOG_RECORD_HEADER_BYTES) {
        const uint8_t *bytes;
        size_t size;
        STATUS_RETURN_IF_ERROR(view_rest(reader, &bytes, &size, at, LOG_RECORD_HEADER_BYTES));
        if (search_window(reader, record, &at, bytes, size)) {
            *found = true;
            *offset = at;
            return status_ok();
        }
    }
    *found = false;
    return status_ok();
}

/* The number of bytes up to and with the last one that is not 0. */
static size_t size_without_zeros(const uint8_t *bytes, size_t size)
{
    while (size >= ZEROS_BYTES && are_zeros(bytes + size - ZEROS_BYTES, ZEROS_BYTES))
        size -= ZEROS_BYTES;
    while (size > 0 && bytes[size - 1] == 0)
        size--;
    return size;
}

struct kvs_status log_reader_find_zeros(struct log_reader *reader, uint64_t *end_out, uint64_t offset)
{
    uint64_t end = offset;
    for (uint64_t at = offset; at < reader->limit_bytes;) {
        const uint8_t *bytes;
        size_t size;
        STATUS_RETURN_IF_ERROR(view_rest(reader, &bytes, &size, at, 1));
        size_t used = size_without_zeros(bytes, size);
        if (used > 0)
            end = at + used;
        at += size;
    }
    *end_out = end;
    return status_ok();
}
