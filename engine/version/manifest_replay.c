#include "version/manifest_current.h"

#include "wal/log_reader.h"
#include "wal/log_write_again.h"

#include <inttypes.h>

/* A replay under way. file and reader are closed by its owner. whole_end: of the records that CURRENT vouches for. */
struct replay {
    struct io *io;
    const struct manifest_current *current;
    const char *path;
    struct io_file *file;
    uint64_t file_bytes;
    uint64_t whole_end;
    struct log_reader reader;
    struct manifest_replay_result result;
    manifest_replay_visit *visit;
    void *context;
};

struct kvs_status manifest_file_open(struct io *io, struct io_file **file, struct file_header *header, const char *path)
{
    uint8_t bytes[FILE_HEADER_BYTES];
    size_t size = 0;
    struct io_file *opened = NULL;
    STATUS_RETURN_IF_ERROR(io_file_open(io, &opened, path, IO_OPEN_READ));
    struct kvs_status status = io_file_read(opened, bytes, &size, sizeof bytes, 0);
    if (status_is_ok(status))
        status = file_header_decode(header, bytes, size, FILE_MANIFEST, path);
    if (status_is_ok(status))
        *file = opened;
    else
        io_file_close(opened);
    return status;
}

static struct kvs_status open_manifest(struct replay *replay)
{
    struct file_header header;
    struct kvs_status status = manifest_file_open(replay->io, &replay->file, &header, replay->path);
    if (status.code == KVS_NOT_FOUND)
        return STATUS(KVS_CORRUPT, "%s: expected the manifest that CURRENT names, found no such file", replay->path);
    STATUS_RETURN_IF_ERROR(status);
    STATUS_RETURN_IF_ERROR(file_header_expect(&header, replay->current->uuid, replay->current->number, replay->path));
    if (header.file_id != replay->current->file_id)
        return STATUS(KVS_CORRUPT,
                      "%s: offset 32: expected the file that CURRENT names (id 0x%016" PRIx64
                      "), found id 0x%016" PRIx64,
                      replay->path, replay->current->file_id, header.file_id);
    STATUS_RETURN_IF_ERROR(io_file_size(replay->file, &replay->file_bytes));
    return log_reader_init(&replay->reader, replay->file, replay->path, header.file_id, FILE_HEADER_BYTES,
                           replay->file_bytes);
}

/* The number that the next record must have; the first one of a file may have any. */
static bool number_fits(const struct replay *replay, uint64_t number)
{
    return replay->result.records == 0 || number == replay->result.last_record + 1;
}

static struct kvs_status take_record(struct replay *replay, const struct log_record *record, struct kvs_slice payload)
{
    uint64_t offset = replay->reader.record_offset;
    struct manifest_edit edit;
    if (!number_fits(replay, record->number))
        return STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": expected record %" PRIu64 ", found record %" PRIu64,
                      replay->path, offset, replay->result.last_record + 1, record->number);
    if (record->kind != LOG_MANIFEST_EDIT)
        return STATUS(KVS_UNSUPPORTED,
                      "%s: offset %" PRIu64 ": a record of kind %u, which this version of kvstore does not know",
                      replay->path, offset, record->kind);
    uint64_t payload_offset = offset + LOG_RECORD_HEADER_BYTES;
    STATUS_RETURN_IF_ERROR(manifest_edit_decode(&edit, payload.data, payload.size, replay->path, payload_offset));
    struct kvs_status status = replay->visit(replay->context, &edit, replay->path, payload_offset);
    manifest_edit_fini(&edit);
    STATUS_RETURN_IF_ERROR(status);
    replay->result.records++;
    replay->result.last_record = record->number;
    replay->result.end = replay->reader.offset;
    /* An edit is written when the one before it is synced. */
    replay->result.proven_end = record->number > replay->current->last_record ? offset : replay->result.end;
    if (record->number == replay->current->last_record)
        replay->whole_end = replay->result.end;
    return status_ok();
}

static struct kvs_status refuse_damage(const struct replay *replay, uint64_t missing, const char *proof)
{
    return STATUS(KVS_CORRUPT,
                  "%s: offset %" PRIu64 ": expected record %" PRIu64
                  ", found %s. It was durable, as %s shows, so this is "
                  "damage and no torn tail; nothing was changed",
                  replay->path, replay->result.end, missing, replay->reader.complaint, proof);
}

/* The bytes at result.end are no record. Decide whether they are the torn tail of an edit that nobody was told of. */
static struct kvs_status judge_tail(struct replay *replay)
{
    uint64_t missing = replay->result.records == 0 ? 1 : replay->result.last_record + 1;
    uint64_t offset = replay->result.end + LOG_RECORD_ALIGNMENT;
    struct log_record record;
    bool found = true;
    if (missing <= replay->current->last_record)
        return refuse_damage(replay, missing, "CURRENT");
    while (found && offset < replay->file_bytes) {
        STATUS_RETURN_IF_ERROR(log_reader_search(&replay->reader, &found, &record, &offset));
        if (found && record.watermark >= missing)
            return refuse_damage(replay, missing, "a later record");
        offset += LOG_RECORD_ALIGNMENT;
    }
    uint64_t zeros;
    STATUS_RETURN_IF_ERROR(log_reader_find_zeros(&replay->reader, &zeros, replay->result.end));
    replay->result.cut_bytes = zeros - replay->result.end;
    if (replay->result.cut_bytes > 0)
        replay->result.proven_end = replay->result.end;
    return status_ok();
}

/* The file had whole pieces, and was synced, before CURRENT was made to name it. */
static struct kvs_status check_size(const struct replay *replay)
{
    uint64_t least = (replay->whole_end + MANIFEST_PIECE_BYTES - 1) / MANIFEST_PIECE_BYTES * MANIFEST_PIECE_BYTES;
    if (replay->file_bytes < least)
        return STATUS(KVS_CORRUPT,
                      "%s: offset %" PRIu64 ": expected a file of at least %" PRIu64
                      " bytes, found its end; nothing was changed",
                      replay->path, replay->file_bytes, least);
    return status_ok();
}

static struct kvs_status replay_records(struct replay *replay)
{
    enum log_read found;
    struct log_record record;
    struct kvs_slice payload;
    for (;;) {
        STATUS_RETURN_IF_ERROR(log_reader_next(&replay->reader, &found, &record, &payload));
        if (found != LOG_READ_RECORD)
            break;
        STATUS_RETURN_IF_ERROR(take_record(replay, &record, payload));
    }
    if (found == LOG_READ_END)
        replay->reader.complaint = "the end of the file";
    STATUS_RETURN_IF_ERROR(judge_tail(replay));
    return check_size(replay);
}

struct kvs_status manifest_replay(struct io *io, struct manifest_replay_result *result, const char *folder,
                                  const struct manifest_current *current, manifest_replay_visit *visit, void *context)
{
    char path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_MANIFEST, current->number));
    struct replay replay = {
        .io = io,
        .current = current,
        .path = path,
        .result = {.proven_end = FILE_HEADER_BYTES, .end = FILE_HEADER_BYTES},
        .visit = visit,
        .context = context,
    };
    struct kvs_status status = open_manifest(&replay);
    if (status_is_ok(status))
        status = replay_records(&replay);
    log_reader_fini(&replay.reader);
    io_file_close(replay.file);
    if (status_is_ok(status))
        *result = replay.result;
    return status;
}

struct kvs_status manifest_prove(struct io *io, const char *folder, uint64_t number,
                                 const struct manifest_replay_result *result)
{
    char path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_MANIFEST, number));
    if (result->proven_end < result->end)
        STATUS_RETURN_IF_ERROR(log_write_again(io, path, result->proven_end, result->end, SYNC_MANIFEST_EDIT));
    return io_directory_sync(io, folder, SYNC_CURRENT_DIRECTORY);
}
