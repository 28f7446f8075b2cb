/* manifest_fuzz.c -- arbitrary bytes as CURRENT and as a manifest: replayed, summed up, and written anew.
 *
 * Role      Replay changes nothing, refuses or delivers as many edits as it reports, and never takes the loss of a record for a torn tail that CURRENT or any
 *           later header proves to have been durable. An edit survives encoding and decoding; the sum of the edits, and which of them do not fit, are
 *           what a plain list says. The sum, written as a new manifest and appended to, is replayed as the same.
 * Format    A byte of flags, the last record that CURRENT promises, with FLAG_CURRENT the 88 bytes of CURRENT, then the manifest, with FLAG_WHOLE
 *           followed by zeros up to a whole piece: without it is fast, and refused where CURRENT vouches for a record that is there. With FLAG_FIELDS
 *           it is the fields of all edits instead, TAG_CUT between the edits, and the target frames them.
 * Failure   Aborts.
 */

#include "fuzz.h"

#include "edit_check.h"
#include "manifest_plain.h"
#include "mend.h"

#include "base/buffer.h"
#include "format/checksum.h"
#include "io/io_mem.h"
#include "version/manifest.h"
#include "version/manifest_current.h"

enum { FLAG_CURRENT = 1, FLAG_WHOLE = 2, FLAG_FIELDS = 4 };

enum { HEADER_BYTES = 2, INPUT_MAX_BYTES = 16384, MANIFEST_NUMBER = 3, AGAIN_NUMBER = 9, FIELDS_FILE_ID = 33 };

#define MANIFEST_PATH "/MANIFEST-000003"

/* In a record's payload size: mending leaves this record as it is. */
#define RECORD_LEFT_BAD (UINT32_C(1) << 31)

/* Of fields whose bodies begin with numbers of files; format/README.md has them all. */
enum {
    TAG_SEGMENT_REMOVED = 14,
    TAG_SEGMENT_ADDED = 16,
    TAG_LOG_ADDED = 18,
    TAG_LOG_DROPPED = 22,
    TAG_CUT = 127, /* one that may be ignored */
    NUMBERS = 3,   /* from 1 */
};

static const uint8_t uuid[FILE_UUID_BYTES] = "fuzz a manifest";

/* ---- Mending ---- */

static void mend_identity(uint8_t *bytes, enum file_type type)
{
    struct file_header header = {.type = type, .file_id = coding_get_u64(bytes + 32), .number = MANIFEST_NUMBER};
    memcpy(header.uuid, uuid, sizeof uuid);
    file_header_encode(bytes, &header);
}

/* Few numbers are in use, so that edits meet: at is that of a log or a segment, if it is one byte long. */
static void mend_number(struct kvs_slice body, size_t at)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)body.data;
    if (at < body.size && bytes[at] < 0x80)
        bytes[at] = 1 + (uint8_t)(bytes[at] - 1) % NUMBERS;
}

/* Fields end inside the payload, and name what others name. */
static void mend_edit(uint8_t *payload, size_t size)
{
    struct cursor fields = cursor_of(payload, size);
    while (cursor_rest(&fields) >= 2) {
        uint64_t tag = cursor_varint(&fields);
        size_t rest = cursor_rest(&fields);
        uint8_t *size_at = payload + (fields.at - payload);
        if (rest > 0 && *size_at < 0x80 && *size_at >= rest)
            *size_at = (uint8_t)(rest - 1);
        struct kvs_slice body = cursor_sized_bytes(&fields, rest);
        if (tag == TAG_SEGMENT_REMOVED || tag == TAG_SEGMENT_ADDED)
            mend_number(body, 2);
        if (tag >= TAG_LOG_ADDED && tag <= TAG_LOG_DROPPED)
            mend_number(body, 0);
    }
}

static void mend_record(uint8_t *at, size_t payload_bytes, uint64_t file_id, uint64_t offset, uint64_t number)
{
    uint8_t *payload = at + LOG_RECORD_HEADER_BYTES;
    mend_edit(payload, payload_bytes);
    struct log_record record = {
        .number = number,
        .watermark = coding_get_u64(at + 32) % number,
        .payload_hash = hash_bytes(payload, payload_bytes),
        .payload_bytes = (uint32_t)payload_bytes,
        .kind = LOG_MANIFEST_EDIT,
    };
    log_record_encode(at, &record, file_id, offset);
    memset(payload + payload_bytes, 0, log_record_bytes(payload_bytes) - LOG_RECORD_HEADER_BYTES - payload_bytes);
}

static void mend_manifest(uint8_t *bytes, size_t size)
{
    if (size < FILE_HEADER_BYTES)
        return;
    mend_identity(bytes, FILE_MANIFEST);
    uint64_t file_id = coding_get_u64(bytes + 32), number = 1;
    for (size_t at = FILE_HEADER_BYTES; size - at >= LOG_RECORD_HEADER_BYTES; number++) {
        uint32_t asked = coding_get_u32(bytes + at + 40);
        size_t rest = ((size - at) & ~(size_t)7) - LOG_RECORD_HEADER_BYTES;
        if (at == FILE_HEADER_BYTES)
            number = coding_get_u64(bytes + at + 16) % 1024 + 1;
        size_t payload_bytes = asked % (uint32_t)(rest + 1);
        if ((asked & RECORD_LEFT_BAD) == 0)
            mend_record(bytes + at, payload_bytes, file_id, at, number);
        at += log_record_bytes(payload_bytes);
    }
}

static void mend_current(uint8_t *bytes, const uint8_t *manifest)
{
    mend_identity(bytes, FILE_CURRENT);
    memcpy(bytes + FILE_HEADER_BYTES, manifest + 32, sizeof(uint64_t));
    coding_put_u64(bytes + 72, coding_get_u64(bytes + 72) % 1024);
    coding_put_u64(bytes + 80,
                   checksum_of(bytes + FILE_HEADER_BYTES, 16, coding_get_u64(bytes + 32), FILE_HEADER_BYTES));
}

void fuzz_mend(uint8_t *data, size_t size)
{
    if (size > HEADER_BYTES && (data[0] & FLAG_FIELDS)) {
        mend_edit(data + HEADER_BYTES, size - HEADER_BYTES);
        return;
    }
    size_t at = HEADER_BYTES + (size > 0 && (data[0] & FLAG_CURRENT) ? CURRENT_BYTES : 0);
    if (size < at + FILE_HEADER_BYTES)
        return;
    mend_manifest(data + at, size - at);
    if (data[0] & FLAG_CURRENT)
        mend_current(data + HEADER_BYTES, data + at);
}

/* ---- Edits ---- */

/* What a replay adds up to, in the engine's way and in a plain one. */
struct sum {
    struct manifest_state state;
    struct manifest_plain plain;
    uint64_t edits;
};

static struct kvs_status add_edit(void *context, const struct manifest_edit *edit, const char *path, uint64_t offset)
{
    struct sum *sum = context;
    edit_check_again(edit);
    bool fits = manifest_plain_apply(&sum->plain, edit);
    struct kvs_status status = manifest_state_apply(&sum->state, edit, path, offset);
    KVS_ASSERT(status_is_ok(status) == fits);
    if (fits)
        manifest_plain_expect(&sum->plain, &sum->state);
    sum->edits++;
    return status;
}

static void sum_init(struct sum *sum)
{
    *sum = (struct sum){.edits = 0};
    manifest_state_init(&sum->state);
}

static void sum_fini(struct sum *sum)
{
    manifest_state_fini(&sum->state);
}

/* ---- Written anew ---- */

static void make_whole(struct manifest_edit *edit, const struct manifest_state *state)
{
    manifest_edit_init(edit);
    manifest_edit_set_owner(edit, state->owner);
    edit->numbers = state->numbers;
    for (size_t i = 0; i < state->slot_count; i++) {
        const struct manifest_added *added = &state->slots[i].added;
        if (state->slots[i].is_live)
            fuzz_ok(manifest_edit_add_segment(edit, added->level, added->run, &added->meta));
    }
    for (size_t i = 0; i < state->logs.count; i++) {
        const struct manifest_log *log = &state->logs.logs[i];
        fuzz_ok(manifest_edit_add_log(edit, log->number, log->first_record));
        if (log->is_ended)
            fuzz_ok(manifest_edit_end_log(edit, log->number, log->size_bytes, log->last_record));
    }
}

/* An edit that takes away the first log and the first segment that there are. */
static void make_removal(struct manifest_edit *edit, const struct manifest_state *state)
{
    manifest_edit_init(edit);
    for (size_t i = 0; i < state->slot_count && edit->removed_count == 0; i++) {
        const struct manifest_added *added = &state->slots[i].added;
        if (state->slots[i].is_live)
            fuzz_ok(manifest_edit_remove_segment(edit, added->level, added->run, added->meta.number));
    }
    if (state->logs.count > 0)
        fuzz_ok(manifest_edit_drop_log(edit, state->logs.logs[0].number));
}

static void check_written(struct io *io, struct sum *sum)
{
    struct manifest *manifest;
    struct manifest_current current;
    struct manifest_replay_result result;
    struct manifest_edit whole, removal;
    struct sum again;
    bool found;
    make_whole(&whole, &sum->state);
    make_removal(&removal, &sum->state);
    fuzz_ok(manifest_create(io, &manifest, "/", uuid, AGAIN_NUMBER, 5, &whole, 1));
    fuzz_ok(manifest_append(manifest, &removal));
    KVS_ASSERT(manifest_plain_apply(&sum->plain, &removal));
    fuzz_ok(manifest_current_read(io, &current, &found, "/"));
    KVS_ASSERT(found && current.number == AGAIN_NUMBER && current.last_record == 5);
    sum_init(&again);
    fuzz_ok(manifest_replay(io, &result, "/", &current, add_edit, &again));
    KVS_ASSERT(result.records == 2 && result.last_record == 6 && result.cut_bytes == 0);
    KVS_ASSERT(result.end == manifest_size(manifest));
    manifest_plain_expect(&sum->plain, &again.state);
    sum_fini(&again);
    manifest_close(manifest);
    manifest_edit_fini(&whole);
    manifest_edit_fini(&removal);
}

/* ---- Replay ---- */

/* What replay says of the end, against the bytes behind it. content_bytes: of the file, what follows is zeros. */
static void check_end(const struct manifest_replay_result *result, const struct manifest_current *current,
                      struct kvs_slice file, size_t content_bytes)
{
    const uint8_t *bytes = file.data;
    struct log_record record;
    uint64_t missing = result->last_record + 1, last_byte = result->end;
    KVS_ASSERT(result->end >= FILE_HEADER_BYTES && result->end <= file.size);
    KVS_ASSERT(result->records == 0 || current->last_record <= result->last_record);
    KVS_ASSERT(result->records > 0 || current->last_record == 0);
    KVS_ASSERT(file.size >= MANIFEST_PIECE_BYTES || result->records == 0 || current->last_record == 0 ||
               current->last_record < result->last_record + 1 - result->records);
    for (uint64_t at = result->end + 8; at < content_bytes && at + LOG_RECORD_HEADER_BYTES <= file.size; at += 8)
        KVS_ASSERT(!log_record_decode(&record, bytes + at, current->file_id, at) ||
                   record.watermark < (result->records == 0 ? 1 : missing));
    for (uint64_t at = result->end; at < content_bytes; at++)
        last_byte = bytes[at] != 0 ? at + 1 : last_byte;
    KVS_ASSERT(result->end + result->cut_bytes >= last_byte && (result->cut_bytes == 0 || last_byte > result->end));
}

static void replay(struct io_mem *mem, struct kvs_slice file, size_t content_bytes)
{
    struct io *io = io_mem_as_io(mem);
    struct manifest_current current;
    struct manifest_replay_result result;
    struct sum sum;
    bool found = false;
    uint64_t calls = io_mem_call_count(mem);
    struct kvs_status status = manifest_current_read(io, &current, &found, "/");
    KVS_ASSERT(!status_is_ok(status) || found);
    sum_init(&sum);
    if (status_is_ok(status))
        status = manifest_replay(io, &result, "/", &current, add_edit, &sum);
    KVS_ASSERT(io_mem_call_count(mem) == calls && io_mem_open_count(mem) == 0);
    KVS_ASSERT(status_is_ok(status) || status.code == KVS_CORRUPT || status.code == KVS_UNSUPPORTED);
    if (status_is_ok(status)) {
        KVS_ASSERT(result.records == sum.edits);
        check_end(&result, &current, file, content_bytes);
        if (sum.edits > 0)
            check_written(io, &sum);
    }
    sum_fini(&sum);
}

static void put_file(struct io *io, enum file_type type, struct kvs_slice bytes)
{
    char path[IO_PATH_BYTES];
    struct io_file *file;
    fuzz_ok(file_name_path(path, "/", type, MANIFEST_NUMBER));
    fuzz_ok(io_file_open(io, &file, path, IO_OPEN_CREATE));
    fuzz_ok(io_file_write(file, bytes.data, bytes.size, 0));
    io_file_close(file);
}

static void append_record(struct buffer *file, struct kvs_slice payload, uint64_t number)
{
    struct log_record record = {
        .number = number,
        .watermark = number - 1,
        .payload_hash = hash_bytes(payload.data, payload.size),
        .payload_bytes = (uint32_t)payload.size,
        .kind = LOG_MANIFEST_EDIT,
    };
    size_t size = log_record_bytes(payload.size);
    fuzz_ok(buffer_reserve(file, size));
    log_record_write(buffer_end(file), &record, payload.data, FIELDS_FILE_ID, file->size);
    file->size += size;
}

/* The manifest of an input that is fields. */
static void frame_fields(struct buffer *file, struct kvs_slice input)
{
    struct file_header header = {.type = FILE_MANIFEST, .file_id = FIELDS_FILE_ID, .number = MANIFEST_NUMBER};
    struct cursor fields = cursor_of(input.data, input.size);
    const uint8_t *first = fields.at;
    uint64_t number = 1;
    memcpy(header.uuid, uuid, sizeof uuid);
    fuzz_ok(buffer_reserve(file, FILE_HEADER_BYTES));
    file_header_encode(file->data, &header);
    file->size = FILE_HEADER_BYTES;
    while (cursor_rest(&fields) > 0) {
        uint64_t tag = cursor_varint(&fields);
        cursor_sized_bytes(&fields, input.size);
        if (tag == TAG_CUT || cursor_rest(&fields) == 0) {
            append_record(file, slice_of(first, (size_t)(fields.at - first)), number++);
            first = fields.at;
        }
    }
}

static void put_current(struct io *io, uint64_t file_id, uint64_t last_record)
{
    uint8_t bytes[CURRENT_BYTES];
    struct manifest_current current = {.number = MANIFEST_NUMBER, .file_id = file_id, .last_record = last_record};
    memcpy(current.uuid, uuid, sizeof uuid);
    manifest_current_encode(bytes, &current, 1);
    put_file(io, FILE_CURRENT, slice_of(bytes, sizeof bytes));
}

/* Make the manifest of the input, and put CURRENT on the disk, the input's own or one that fits. */
static void take_input(struct io *io, struct buffer *file, const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data + HEADER_BYTES, size - HEADER_BYTES);
    bool has_current = (data[0] & (FLAG_CURRENT | FLAG_FIELDS)) == FLAG_CURRENT;
    if (has_current)
        put_file(io, FILE_CURRENT, fuzz_bytes(&input, CURRENT_BYTES));
    struct kvs_slice rest = fuzz_bytes(&input, INPUT_MAX_BYTES);
    if (data[0] & FLAG_FIELDS)
        frame_fields(file, rest);
    else
        fuzz_ok(buffer_append(file, rest.data, rest.size));
    if (!has_current)
        put_current(io, file->size >= FILE_HEADER_BYTES ? coding_get_u64(file->data + 32) : 0, data[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER_BYTES || size > INPUT_MAX_BYTES)
        return 0;
    struct io_mem *mem = io_mem_new(1, NULL);
    struct buffer file = {0};
    size_t file_size;
    if (mem == NULL)
        abort();
    take_input(io_mem_as_io(mem), &file, data, size);
    put_file(io_mem_as_io(mem), FILE_MANIFEST, buffer_slice(&file));
    if ((data[0] & FLAG_WHOLE) && file.size < MANIFEST_PIECE_BYTES)
        KVS_ASSERT(io_mem_resize(mem, MANIFEST_PATH, MANIFEST_PIECE_BYTES));
    uint8_t *bytes = io_mem_copy_file(mem, &file_size, MANIFEST_PATH);
    if (bytes == NULL)
        abort();
    replay(mem, slice_of(bytes, file_size), file.size);
    free(bytes);
    buffer_fini(&file);
    io_mem_free(mem);
    return 0;
}
