#include "tool.h"

#include "format/batch.h"
#include "format/log_header.h"
#include "io/io_posix.h"
#include "version/manifest.h"
#include "wal/log_reader.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Log ---- */

static struct kvs_status dump_batch(const struct log_record *record, struct kvs_slice payload, uint64_t offset)
{
    struct batch_cursor cursor;
    struct batch_entry entry;
    printf("record %" PRIu64 " at %" PRIu64 ": %" PRIu32 " changes, %" PRIu32 " bytes, watermark %" PRIu64 "\n",
           record->number, offset, record->count, record->payload_bytes, record->watermark);
    batch_cursor_init(&cursor, payload, record->count, record->first_sequence);
    while (batch_cursor_next(&cursor, &entry))
        print_entry(entry.sequence, entry.kind_byte, entry.key, entry.value);
    return batch_cursor_status(&cursor);
}

/* Records to the end, and beyond a bad place to wherever a header verifies again. */
static struct kvs_status dump_records(struct log_reader *reader)
{
    for (;;) {
        enum log_read found;
        struct log_record record;
        struct kvs_slice payload;
        STATUS_RETURN_IF_ERROR(log_reader_next(reader, &found, &record, &payload));
        if (found == LOG_READ_RECORD) {
            STATUS_RETURN_IF_ERROR(dump_batch(&record, payload, reader->record_offset));
            continue;
        }
        if (found == LOG_READ_END)
            return status_ok();
        uint64_t bad = reader->offset, offset = bad, zeros;
        bool is_header;
        STATUS_RETURN_IF_ERROR(log_reader_find_zeros(reader, &zeros, bad));
        if (zeros == bad) {
            printf("end at %" PRIu64 ": zeros up to %" PRIu64 "\n", bad, reader->limit_bytes);
            return status_ok();
        }
        printf("no record at %" PRIu64 ": %s\n", bad, reader->complaint);
        offset += LOG_RECORD_ALIGNMENT;
        STATUS_RETURN_IF_ERROR(log_reader_search(reader, &is_header, &record, &offset));
        if (!is_header)
            return status_ok();
        reader->offset = offset;
    }
}

struct kvs_status dump_log(struct io *io, const char *folder, uint64_t number)
{
    char path[IO_PATH_BYTES];
    uint8_t bytes[LOG_HEADER_BYTES];
    struct io_file *file = NULL;
    struct log_reader reader;
    struct log_header header;
    uint64_t size = 0;
    size_t read_bytes = 0;
    bool is_reading = false;
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_LOG, number));
    STATUS_RETURN_IF_ERROR(io_file_open(io, &file, path, IO_OPEN_READ));
    struct kvs_status status = io_file_size(file, &size);
    if (status_is_ok(status))
        status = io_file_read(file, bytes, &read_bytes, sizeof bytes, 0);
    if (status_is_ok(status))
        status = log_header_decode(&header, bytes, read_bytes, path);
    if (status_is_ok(status)) {
        printf("log %" PRIu64 ", file id %016" PRIx64 ", %" PRIu64 " bytes, %" PRIu64 " preallocated at first\n",
               number, header.identity.file_id, size, header.preallocated_bytes);
        status = log_reader_init(&reader, file, path, header.identity.file_id, LOG_HEADER_BYTES, size);
        is_reading = true;
    }
    if (status_is_ok(status))
        status = dump_records(&reader);
    if (is_reading)
        log_reader_fini(&reader);
    io_file_close(file);
    return status;
}

/* ---- Manifest ---- */

static void print_numbers(const struct manifest_numbers *numbers)
{
    printf("  next file %" PRIu64 ", published %" PRIu64 ", durable record %" PRIu64 ", last sequence %" PRIu64 "\n",
           numbers->next_file_number, numbers->published_sequence, numbers->durable_record, numbers->last_sequence);
}

static void print_added(const struct manifest_added *added)
{
    const struct segment_meta *meta = &added->meta;
    printf("  add segment %" PRIu64 " to level %u, run %" PRIu64 ": %" PRIu64 " entries (%" PRIu64 " deletes), %" PRIu64
           " bytes, sequence %" PRIu64 "-%" PRIu64 ", ",
           meta->number, added->level, added->run, meta->entry_count, meta->tombstone_count, meta->size_bytes,
           meta->min_sequence, meta->max_sequence);
    print_bytes(meta->smallest.user, 64);
    printf(" to ");
    print_bytes(meta->largest.user, 64);
    putchar('\n');
}

static struct kvs_status print_edit(void *context, const struct manifest_edit *edit, const char *path, uint64_t offset)
{
    (void)context;
    printf("edit at %" PRIu64 " of %s\n", offset, path);
    if (edit->has_owner)
        printf("  owner \"%s\"\n", edit->owner);
    print_numbers(&edit->numbers);
    for (size_t i = 0; i < edit->removed_count; i++)
        printf("  remove segment %" PRIu64 " from level %u, run %" PRIu64 "\n", edit->removed[i].number,
               edit->removed[i].level, edit->removed[i].run);
    for (size_t i = 0; i < edit->added_count; i++)
        print_added(&edit->added[i]);
    for (size_t i = 0; i < edit->logs_added_count; i++)
        printf("  add log %" PRIu64 " from record %" PRIu64 "\n", edit->logs_added[i].number,
               edit->logs_added[i].first_record);
    for (size_t i = 0; i < edit->logs_ended_count; i++)
        printf("  end log %" PRIu64 " at %" PRIu64 " bytes, record %" PRIu64 "\n", edit->logs_ended[i].number,
               edit->logs_ended[i].size_bytes, edit->logs_ended[i].last_record);
    for (size_t i = 0; i < edit->logs_dropped_count; i++)
        printf("  drop log %" PRIu64 "\n", edit->logs_dropped[i]);
    return status_ok();
}

struct kvs_status dump_manifest(struct io *io, const char *folder)
{
    struct manifest_current current;
    struct manifest_replay_result result;
    bool found;
    STATUS_RETURN_IF_ERROR(manifest_current_read(io, &current, &found, folder));
    if (!found)
        return STATUS(KVS_NOT_FOUND, "there is no database in %s", folder);
    printf("manifest %" PRIu64 ", whole up to record %" PRIu64 "\n", current.number, current.last_record);
    STATUS_RETURN_IF_ERROR(manifest_replay(io, &result, folder, &current, print_edit, NULL));
    printf("%" PRIu64 " edits, last record %" PRIu64 ", end at %" PRIu64 "\n", result.records, result.last_record,
           result.end);
    return status_ok();
}

/* ---- By name ---- */

static struct kvs_status dump_named(struct io *io, const char *folder, const char *name)
{
    uint64_t number = 0;
    switch (name == NULL ? FILE_MANIFEST : file_name_parse(&number, name)) {
    case FILE_LOG:
        return dump_log(io, folder, number);
    case FILE_SEGMENT:
        return dump_segment(io, folder, number);
    case FILE_MANIFEST:
    case FILE_CURRENT:
        return dump_manifest(io, folder);
    default:
        return STATUS(KVS_INVALID, "\"%s\" is not the name of a log, segment or manifest", name);
    }
}

struct kvs_status tool_dump(const char *folder, const char *name)
{
    struct io *io = io_posix();
    struct io_lock *lock;
    char path[IO_PATH_BYTES];
    bool exists;
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_LOCK, 0));
    STATUS_RETURN_IF_ERROR(io_exists(io, &exists, path));
    if (!exists)
        return STATUS(KVS_NOT_FOUND, "there is no database in %s", folder);
    STATUS_RETURN_IF_ERROR(io_lock(io, &lock, path, true));
    struct kvs_status status = dump_named(io, folder, name);
    io_unlock(lock);
    return status;
}
