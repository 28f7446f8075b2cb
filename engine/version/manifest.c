#include "version/manifest.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "version/manifest_current.h"

#include <inttypes.h>

/* end          where the next record goes; preallocated_bytes, the file's size, is never less
 * whole_bytes  what the whole state took
 * is_poisoned  by a failed write or sync, told by poison_text */
struct manifest {
    struct io *io;
    struct io_file *file;
    uint64_t number;
    uint64_t file_id;
    uint64_t last_record;
    uint64_t end;
    uint64_t preallocated_bytes;
    uint64_t whole_bytes;
    struct buffer record;
    bool is_poisoned;
    char path[IO_PATH_BYTES];
    char poison_text[STATUS_TEXT_BYTES];
};

/* ---- Poison ---- */

static struct kvs_status poisoned(const struct manifest *manifest)
{
    return STATUS(KVS_POISONED, "database poisoned: %s", manifest->poison_text);
}

void manifest_poison(struct manifest *manifest, struct kvs_status status)
{
    if (manifest->is_poisoned)
        return;
    status_save_text(status, manifest->poison_text);
    manifest->is_poisoned = true;
}

/* A failure whose effect on disk is unknown, of what was not a manifest yet. */
static struct kvs_status unknown_outcome(struct kvs_status status)
{
    char text[STATUS_TEXT_BYTES];
    status_save_text(status, text);
    return STATUS(KVS_POISONED, "database poisoned: %s", text);
}

bool manifest_is_poisoned(const struct manifest *manifest)
{
    return manifest->is_poisoned;
}

/* ---- Writing ---- */

/* Extend the file so that size bytes more fit behind its end: a full disk is met before anything is written. Errors: NO_SPACE, IO. */
static struct kvs_status make_room(struct manifest *manifest, uint64_t size)
{
    uint64_t needed = manifest->end + size;
    if (needed <= manifest->preallocated_bytes)
        return status_ok();
    uint64_t target = (needed + MANIFEST_PIECE_BYTES - 1) / MANIFEST_PIECE_BYTES * MANIFEST_PIECE_BYTES;
    STATUS_RETURN_IF_ERROR(
        io_file_preallocate(manifest->file, manifest->preallocated_bytes, target - manifest->preallocated_bytes));
    manifest->preallocated_bytes = target;
    return status_ok();
}

/* Frame the edit in manifest->record. watermark: the last record known to be durable. Errors: TOO_LARGE, NO_MEMORY. */
static struct kvs_status frame(struct manifest *manifest, const struct manifest_edit *edit, uint64_t watermark)
{
    size_t payload_bytes = manifest_edit_size(edit);
    if (payload_bytes > MANIFEST_EDIT_BYTES)
        return STATUS(KVS_TOO_LARGE, "%s: a version edit of %zu bytes is over the limit of %d", manifest->path,
                      payload_bytes, MANIFEST_EDIT_BYTES);
    size_t size = log_record_bytes(payload_bytes);
    buffer_clear(&manifest->record);
    STATUS_RETURN_IF_ERROR(buffer_reserve(&manifest->record, size));
    uint8_t *at = manifest->record.data;
    memset(at + size - LOG_RECORD_ALIGNMENT, 0, LOG_RECORD_ALIGNMENT);
    manifest_edit_encode(at + LOG_RECORD_HEADER_BYTES, edit);
    struct log_record record = {
        .number = manifest->last_record + 1,
        .watermark = watermark,
        .payload_hash = hash_bytes(at + LOG_RECORD_HEADER_BYTES, payload_bytes),
        .payload_bytes = (uint32_t)payload_bytes,
        .kind = LOG_MANIFEST_EDIT,
    };
    log_record_encode(at, &record, manifest->file_id, manifest->end);
    manifest->record.size = size;
    return status_ok();
}

static struct kvs_status write_framed(struct manifest *manifest)
{
    return io_file_write(manifest->file, manifest->record.data, manifest->record.size, manifest->end);
}

/* The disk was too full for a write of preallocated room, as some file systems' are, and a part of the record may be there. Without its header it is none: the edit is not
 * on disk, and the next one is written in its place. Synced, since what was refused may be zeros, as that room is: a kernel that had written the rest back would have
 * left a whole record. Returns whether that worked. */
static bool withdraw_framed(struct manifest *manifest)
{
    static const uint8_t zeros[LOG_RECORD_HEADER_BYTES];
    return status_is_ok(io_file_write(manifest->file, zeros, sizeof zeros, manifest->end)) &&
           status_is_ok(io_file_sync(manifest->file, SYNC_MANIFEST_EDIT));
}

static void count_framed(struct manifest *manifest)
{
    manifest->end += manifest->record.size;
    manifest->last_record++;
}

struct kvs_status manifest_write(struct manifest *manifest, const struct manifest_edit *edit)
{
    if (manifest->is_poisoned)
        return poisoned(manifest);
    STATUS_RETURN_IF_ERROR(frame(manifest, edit, manifest->last_record));
    STATUS_RETURN_IF_ERROR(make_room(manifest, manifest->record.size));
    struct kvs_status status = write_framed(manifest);
    if (status_is_ok(status))
        return status_ok();
    struct kept_status kept = {0};
    status_keep(&kept, status);
    if (status.code == KVS_NO_SPACE && withdraw_framed(manifest))
        return status_kept(&kept);
    manifest_poison(manifest, status_kept(&kept));
    return poisoned(manifest);
}

struct kvs_status manifest_sync(struct manifest *manifest)
{
    if (manifest->is_poisoned)
        return poisoned(manifest);
    struct kvs_status status = io_file_sync(manifest->file, SYNC_MANIFEST_EDIT);
    if (!status_is_ok(status)) {
        manifest_poison(manifest, status);
        return poisoned(manifest);
    }
    count_framed(manifest);
    return status_ok();
}

struct kvs_status manifest_append(struct manifest *manifest, const struct manifest_edit *edit)
{
    STATUS_RETURN_IF_ERROR(manifest_write(manifest, edit));
    return manifest_sync(manifest);
}

/* ---- A new manifest ---- */

static struct kvs_status write_header(struct manifest *manifest, const uint8_t uuid[FILE_UUID_BYTES])
{
    uint8_t bytes[FILE_HEADER_BYTES];
    struct file_header header = {.type = FILE_MANIFEST, .file_id = manifest->file_id, .number = manifest->number};
    memcpy(header.uuid, uuid, FILE_UUID_BYTES);
    file_header_encode(bytes, &header);
    manifest->end = FILE_HEADER_BYTES;
    return io_file_write(manifest->file, bytes, sizeof bytes, 0);
}

/* Header and whole state, not synced. */
static struct kvs_status write_whole(struct manifest *manifest, const uint8_t uuid[FILE_UUID_BYTES],
                                     const struct manifest_edit *edits, size_t count)
{
    uint64_t watermark = manifest->last_record;
    STATUS_RETURN_IF_ERROR(make_room(manifest, FILE_HEADER_BYTES));
    STATUS_RETURN_IF_ERROR(write_header(manifest, uuid));
    for (size_t i = 0; i < count; i++) {
        STATUS_RETURN_IF_ERROR(frame(manifest, &edits[i], watermark));
        STATUS_RETURN_IF_ERROR(make_room(manifest, manifest->record.size));
        STATUS_RETURN_IF_ERROR(write_framed(manifest));
        count_framed(manifest);
    }
    manifest->whole_bytes = manifest->end;
    return make_room(manifest, MANIFEST_NEXT_BYTES);
}

/* Write the temporary CURRENT and sync it. is_unknown: out, set if it was the sync that failed. */
static struct kvs_status write_current(struct manifest *manifest, bool *is_unknown, const char *path,
                                       const uint8_t uuid[FILE_UUID_BYTES])
{
    uint8_t bytes[CURRENT_BYTES];
    uint64_t file_id;
    struct io_file *file = NULL;
    struct manifest_current current = {
        .number = manifest->number, .file_id = manifest->file_id, .last_record = manifest->last_record};
    memcpy(current.uuid, uuid, FILE_UUID_BYTES);
    STATUS_RETURN_IF_ERROR(io_random(manifest->io, &file_id, sizeof file_id));
    manifest_current_encode(bytes, &current, file_id);
    STATUS_RETURN_IF_ERROR(io_file_open(manifest->io, &file, path, IO_OPEN_TEMPORARY));
    struct kvs_status status = io_file_write(file, bytes, sizeof bytes, 0);
    if (status_is_ok(status)) {
        status = io_file_sync(file, SYNC_CURRENT);
        *is_unknown = !status_is_ok(status);
    }
    io_file_close(file);
    return status;
}

/* The steps from a written manifest to a current one. is_unknown: out, set if what failed leaves unknown what is on disk. */
static struct kvs_status make_current(struct manifest *manifest, bool *is_unknown, const char *folder,
                                      const uint8_t uuid[FILE_UUID_BYTES])
{
    char temporary[IO_PATH_BYTES], path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(temporary, folder, FILE_CURRENT_TEMPORARY, 0));
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_CURRENT, 0));
    *is_unknown = true;
    STATUS_RETURN_IF_ERROR(io_file_sync(manifest->file, SYNC_MANIFEST_NEW));
    STATUS_RETURN_IF_ERROR(io_directory_sync(manifest->io, folder, SYNC_MANIFEST_DIRECTORY));
    *is_unknown = false;
    STATUS_RETURN_IF_ERROR(write_current(manifest, is_unknown, temporary, uuid));
    *is_unknown = true;
    STATUS_RETURN_IF_ERROR(io_rename(manifest->io, temporary, path));
    return io_directory_sync(manifest->io, folder, SYNC_CURRENT_DIRECTORY);
}

static struct kvs_status manifest_new(struct io *io, struct manifest **manifest, const char *folder, uint64_t number,
                                      uint64_t first_record)
{
    struct manifest *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a manifest");
    made->io = io;
    made->number = number;
    made->last_record = first_record - 1;
    struct kvs_status status = file_name_path(made->path, folder, FILE_MANIFEST, number);
    if (status_is_ok(status))
        status = io_random(io, &made->file_id, sizeof made->file_id);
    if (status_is_ok(status))
        status = io_file_open(io, &made->file, made->path, IO_OPEN_CREATE);
    if (status_is_ok(status))
        *manifest = made;
    else
        manifest_close(made);
    return status;
}

/* Nothing names the file, so it may go; if it does not, the next open finds an unknown file. Returns status with its sentence. */
static struct kvs_status unlink_unnamed(const struct manifest *manifest, struct kvs_status status)
{
    char text[STATUS_TEXT_BYTES];
    status_save_text(status, text);
    struct kvs_status unlinked = io_unlink(manifest->io, manifest->path);
    (void)unlinked;
    return status_restore_text(status, text);
}

struct kvs_status manifest_create(struct io *io, struct manifest **manifest, const char *folder,
                                  const uint8_t uuid[FILE_UUID_BYTES], uint64_t number, uint64_t first_record,
                                  const struct manifest_edit *edits, size_t count)
{
    KVS_ASSERT(count > 0 && first_record > 0 && number > 0);
    struct manifest *made = NULL;
    bool is_unknown = false;
    STATUS_RETURN_IF_ERROR(manifest_new(io, &made, folder, number, first_record));
    struct kvs_status status = write_whole(made, uuid, edits, count);
    if (status_is_ok(status))
        status = make_current(made, &is_unknown, folder, uuid);
    if (status_is_ok(status)) {
        *manifest = made;
        return status;
    }
    status = is_unknown ? unknown_outcome(status) : unlink_unnamed(made, status);
    manifest_close(made);
    return status;
}

/* ---- Looking ---- */

uint64_t manifest_last_record(const struct manifest *manifest)
{
    return manifest->last_record;
}

uint64_t manifest_number(const struct manifest *manifest)
{
    return manifest->number;
}

uint64_t manifest_size(const struct manifest *manifest)
{
    return manifest->end;
}

uint64_t manifest_whole_size(const struct manifest *manifest)
{
    return manifest->whole_bytes;
}

void manifest_close(struct manifest *manifest)
{
    if (manifest == NULL)
        return;
    io_file_close(manifest->file);
    buffer_fini(&manifest->record);
    free(manifest);
}
