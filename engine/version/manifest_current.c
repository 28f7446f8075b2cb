#include "version/manifest_current.h"

#include "base/coding.h"
#include "format/checksum.h"

#include <inttypes.h>

enum {
    AT_MANIFEST_ID = FILE_HEADER_BYTES,
    AT_LAST_RECORD = FILE_HEADER_BYTES + 8,
    AT_CHECKSUM = FILE_HEADER_BYTES + 16,
};

_Static_assert(AT_CHECKSUM + sizeof(uint64_t) == CURRENT_BYTES, "the checksum ends CURRENT");

/* ---- Bytes ---- */

void manifest_current_encode(uint8_t out[CURRENT_BYTES], const struct manifest_current *current, uint64_t file_id)
{
    struct file_header header = {.type = FILE_CURRENT, .file_id = file_id, .number = current->number};
    memcpy(header.uuid, current->uuid, FILE_UUID_BYTES);
    file_header_encode(out, &header);
    coding_put_u64(out + AT_MANIFEST_ID, current->file_id);
    coding_put_u64(out + AT_LAST_RECORD, current->last_record);
    coding_put_u64(out + AT_CHECKSUM,
                   checksum_of(out + FILE_HEADER_BYTES, AT_CHECKSUM - FILE_HEADER_BYTES, file_id, FILE_HEADER_BYTES));
}

struct kvs_status manifest_current_decode(struct manifest_current *current, const void *bytes, size_t size,
                                          const char *path)
{
    const uint8_t *at = bytes;
    struct file_header header;
    STATUS_RETURN_IF_ERROR(file_header_decode(&header, bytes, size, FILE_CURRENT, path));
    if (size != CURRENT_BYTES)
        return STATUS(KVS_CORRUPT, "%s: offset %d: expected a file of %d bytes, found %s", path, FILE_HEADER_BYTES,
                      CURRENT_BYTES, size < CURRENT_BYTES ? "fewer" : "more");
    uint64_t checksum =
        checksum_of(at + FILE_HEADER_BYTES, AT_CHECKSUM - FILE_HEADER_BYTES, header.file_id, FILE_HEADER_BYTES);
    if (coding_get_u64(at + AT_CHECKSUM) != checksum)
        return STATUS(KVS_CORRUPT, "%s: offset %d: checksum: expected 0x%016" PRIx64 ", found 0x%016" PRIx64, path,
                      AT_CHECKSUM, checksum, coding_get_u64(at + AT_CHECKSUM));
    struct manifest_current decoded = {
        .number = header.number,
        .file_id = coding_get_u64(at + AT_MANIFEST_ID),
        .last_record = coding_get_u64(at + AT_LAST_RECORD),
    };
    memcpy(decoded.uuid, header.uuid, FILE_UUID_BYTES);
    *current = decoded;
    return status_ok();
}

/* ---- A folder without CURRENT ---- */

/* listed  numbers of the manifests found, as many as fit: a creation leaves one for each time it was cut short */
struct remains {
    uint64_t manifests[16];
    size_t manifest_count;
    size_t data_files;
};

static bool note_remains(void *context, const char *name)
{
    struct remains *remains = context;
    uint64_t number = 0;
    switch (file_name_parse(&number, name)) {
    case FILE_LOG:
    case FILE_SEGMENT:
        remains->data_files++;
        break;
    case FILE_MANIFEST:
        if (remains->manifest_count < sizeof remains->manifests / sizeof *remains->manifests)
            remains->manifests[remains->manifest_count] = number;
        remains->manifest_count++;
        break;
    default:
        break;
    }
    return true;
}

static struct kvs_status refuse_remains(const char *folder, const char *found)
{
    return STATUS(
        KVS_CORRUPT,
        "%s: CURRENT is missing, but there is %s: a database was here. It is not opened, and no new one is made in its "
        "place. Bring CURRENT back from a copy, or move these files away",
        folder, found);
}

static struct kvs_status note_listed(void *context, const struct manifest_edit *edit, const char *path, uint64_t offset)
{
    bool *lists = context;
    (void)path;
    (void)offset;
    *lists |= edit->added_count > 0 || edit->logs_added_count > 0;
    return status_ok();
}

/* Whether a manifest that nothing names lists any file. One that was not written whole does not. */
static struct kvs_status manifest_lists_files(struct io *io, bool *lists, const char *folder, uint64_t number)
{
    struct file_header header;
    struct io_file *file = NULL;
    struct manifest_replay_result result;
    char path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_MANIFEST, number));
    struct kvs_status status = manifest_file_open(io, &file, &header, path);
    io_file_close(file);
    if (status.code == KVS_CORRUPT)
        return status_ok();
    STATUS_RETURN_IF_ERROR(status);
    struct manifest_current current = {.number = number, .file_id = header.file_id};
    memcpy(current.uuid, header.uuid, FILE_UUID_BYTES);
    return manifest_replay(io, &result, folder, &current, note_listed, lists);
}

/* No CURRENT: that is no database yet, unless something is there that a first creation does not leave. */
static struct kvs_status check_remains(struct io *io, const char *folder)
{
    struct remains remains = {.manifest_count = 0};
    bool lists = false;
    struct kvs_status status = io_list(io, folder, note_remains, &remains);
    if (status.code == KVS_NOT_FOUND)
        return status_ok();
    STATUS_RETURN_IF_ERROR(status);
    if (remains.data_files > 0)
        return refuse_remains(folder, "a log or a segment");
    if (remains.manifest_count > sizeof remains.manifests / sizeof *remains.manifests)
        return refuse_remains(folder, "more than one creation can leave");
    for (size_t i = 0; i < remains.manifest_count; i++)
        STATUS_RETURN_IF_ERROR(manifest_lists_files(io, &lists, folder, remains.manifests[i]));
    return lists ? refuse_remains(folder, "a manifest that lists files") : status_ok();
}

/* ---- Reading ---- */

struct kvs_status manifest_current_read(struct io *io, struct manifest_current *current, bool *found,
                                        const char *folder)
{
    struct io_file *file = NULL;
    uint8_t bytes[CURRENT_BYTES + 1];
    size_t size = 0;
    char path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_CURRENT, 0));
    struct kvs_status status = io_file_open(io, &file, path, IO_OPEN_READ);
    if (status.code == KVS_NOT_FOUND) {
        STATUS_RETURN_IF_ERROR(check_remains(io, folder));
        *found = false;
        return status_ok();
    }
    STATUS_RETURN_IF_ERROR(status);
    status = io_file_read(file, bytes, &size, sizeof bytes, 0);
    io_file_close(file);
    STATUS_RETURN_IF_ERROR(status);
    STATUS_RETURN_IF_ERROR(manifest_current_decode(current, bytes, size, path));
    *found = true;
    return status_ok();
}
