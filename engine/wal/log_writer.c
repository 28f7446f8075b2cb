#include "wal/log_writer.h"

#include "base/assert.h"
#include "format/log_header.h"
#include "io/io_thread.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*            write: NO_SPACE
 *        OPEN ----------------> FULL
 *         |  <----------------   |
 *         |      write: OK       |
 *         +------> POISONED <----+
 *          write or sync failed      (no way out: the file is read again only after a reopen)
 */
enum writer_state { WRITER_OPEN, WRITER_FULL, WRITER_POISONED };

/* Records with adjacent places in the file, the first at offset. */
struct record_buffer {
    uint8_t *bytes;
    size_t capacity;
    size_t used;
    uint64_t offset;
    uint64_t last_record;
};

struct log_writer {
    struct io_file *file;
    uint64_t number;
    uint64_t file_id;
    uint64_t capacity_bytes;
    uint64_t piece_bytes;
    size_t buffer_bytes;

    /* Written by the log thread with release, after the space is there; read by appenders with acquire. */
    _Atomic uint64_t preallocated_bytes;

    /* Commit lock. */
    struct record_buffer fill;
    uint64_t next_record; /* 0 before log_writer_begin */

    /* Write role; swapped with fill under the commit lock. */
    struct record_buffer drain;

    /* state_lock, a leaf: a write and a sync may fail at the same time, and the first is kept. */
    struct io_mutex state_lock;
    enum writer_state state;
    struct kvs_status failure;
    char failure_text[STATUS_TEXT_BYTES];
};

/* The one place where the state changes. The sentence of failure is kept for those who ask later. */
static void move_state_locked(struct log_writer *writer, enum writer_state to, struct kvs_status failure)
{
    switch (writer->state) {
    case WRITER_OPEN:
    case WRITER_FULL:
        writer->state = to;
        if (to != WRITER_OPEN) {
            writer->failure = failure;
            status_save_text(failure, writer->failure_text);
        }
        return;
    case WRITER_POISONED:
        return; /* the first failure is the one to tell */
    }
    KVS_ASSERT(!"a writer is open, full or poisoned");
}

static void move_state(struct log_writer *writer, enum writer_state to, struct kvs_status failure)
{
    io_mutex_lock(&writer->state_lock);
    move_state_locked(writer, to, failure);
    io_mutex_unlock(&writer->state_lock);
}

static struct kvs_status check_poison_locked(struct log_writer *writer)
{
    if (writer->state != WRITER_POISONED)
        return status_ok();
    return STATUS(KVS_POISONED,
                  "the log takes no more writes until the database is reopened, because an earlier one failed: %s",
                  writer->failure_text);
}

static struct kvs_status check_poison(struct log_writer *writer)
{
    io_mutex_lock(&writer->state_lock);
    struct kvs_status status = check_poison_locked(writer);
    io_mutex_unlock(&writer->state_lock);
    return status;
}

struct kvs_status log_writer_status(struct log_writer *writer)
{
    io_mutex_lock(&writer->state_lock);
    struct kvs_status status = check_poison_locked(writer);
    if (writer->state == WRITER_FULL)
        status = status_restore_text(writer->failure, writer->failure_text);
    io_mutex_unlock(&writer->state_lock);
    return status;
}

static struct kvs_status buffer_init(struct record_buffer *buffer, size_t capacity)
{
    *buffer = (struct record_buffer){.bytes = malloc(capacity), .capacity = capacity, .offset = LOG_HEADER_BYTES};
    if (buffer->bytes == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a log buffer of %zu bytes", capacity);
    return status_ok();
}

/* Everything that needs no file. The writer is zeroed; log_writer_close frees what was made. */
static struct kvs_status init_memory(struct log_writer *writer, struct io *io, const struct log_writer_options *options)
{
    writer->number = options->number;
    writer->capacity_bytes = options->capacity_bytes;
    writer->piece_bytes = options->piece_bytes;
    writer->buffer_bytes = options->buffer_bytes;
    io_mutex_init(&writer->state_lock, io);
    atomic_init(&writer->preallocated_bytes, 0);
    STATUS_RETURN_IF_ERROR(buffer_init(&writer->fill, options->buffer_bytes));
    return buffer_init(&writer->drain, options->buffer_bytes);
}

/* Preallocate before writing, so that a full disk is met here. */
static struct kvs_status init_file(struct log_writer *writer, const uint8_t *uuid, uint64_t first_bytes)
{
    uint8_t bytes[LOG_HEADER_BYTES];
    struct log_header header = {
        .identity = {.type = FILE_LOG, .file_id = writer->file_id, .number = writer->number},
        .preallocated_bytes = first_bytes,
    };
    memcpy(header.identity.uuid, uuid, FILE_UUID_BYTES);
    log_header_encode(bytes, &header);
    STATUS_RETURN_IF_ERROR(io_file_preallocate(writer->file, 0, first_bytes));
    STATUS_RETURN_IF_ERROR(io_file_write(writer->file, bytes, sizeof bytes, 0));
    STATUS_RETURN_IF_ERROR(io_file_sync(writer->file, SYNC_LOG_HEADER));
    atomic_store_explicit(&writer->preallocated_bytes, first_bytes, memory_order_release);
    return status_ok();
}

/* Remove a file of a failed create; what the caller needs to know is the first failure. */
static struct kvs_status remove_keeping_failure(struct io *io, const char *path, struct kvs_status failure)
{
    char text[STATUS_TEXT_BYTES];
    status_save_text(failure, text);
    struct kvs_status ignored = io_unlink(io, path);
    (void)ignored;
    return status_restore_text(failure, text);
}

struct kvs_status log_writer_create(struct log_writer **writer_out, struct io *io, const char *folder,
                                    const struct log_writer_options *options)
{
    uint64_t first_bytes = options->first_bytes != 0 ? options->first_bytes : options->piece_bytes;
    KVS_ASSERT(first_bytes >= LOG_HEADER_BYTES && options->buffer_bytes >= LOG_RECORD_HEADER_BYTES);
    char path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_LOG, options->number));
    struct log_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return STATUS(KVS_NO_MEMORY, "%s: no memory for its writer", path);

    struct kvs_status status = init_memory(writer, io, options);
    if (!status_is_ok(status))
        goto out;
    status = io_random(io, &writer->file_id, sizeof writer->file_id);
    if (!status_is_ok(status))
        goto out;
    status = io_file_open(io, &writer->file, path, IO_OPEN_CREATE);
    if (!status_is_ok(status))
        goto out;
    status = init_file(writer, options->uuid, first_bytes);
    if (!status_is_ok(status)) {
        status = remove_keeping_failure(io, path, status);
        goto out;
    }
    *writer_out = writer;
    writer = NULL;
out:
    log_writer_close(writer);
    return status;
}

void log_writer_close(struct log_writer *writer)
{
    if (writer == NULL)
        return;
    io_file_close(writer->file);
    io_mutex_fini(&writer->state_lock);
    free(writer->fill.bytes);
    free(writer->drain.bytes);
    free(writer);
}

static uint64_t append_offset(const struct log_writer *writer)
{
    return writer->fill.offset + writer->fill.used;
}

void log_writer_begin(struct log_writer *writer, uint64_t first_record)
{
    KVS_ASSERT(first_record > 0 && writer->next_record == 0);
    writer->next_record = first_record;
    writer->fill.last_record = first_record - 1;
    writer->drain.last_record = first_record - 1;
}

struct log_room log_writer_room(const struct log_writer *writer)
{
    uint64_t at = append_offset(writer);
    uint64_t allocated = log_writer_allocated_bytes(writer);
    struct log_room room = {
        .capacity_bytes = writer->capacity_bytes > at ? writer->capacity_bytes - at : 0,
        .piece_bytes = allocated > at ? allocated - at : 0,
        .buffer_bytes = writer->fill.capacity - writer->fill.used,
    };
    if (at == LOG_HEADER_BYTES && room.capacity_bytes < LOG_RECORD_MAX_BYTES)
        room.capacity_bytes = LOG_RECORD_MAX_BYTES;
    return room;
}

void log_writer_append(struct log_writer *writer, const struct log_record *record, const void *payload)
{
    uint64_t bytes = log_record_bytes(record->payload_bytes);
    struct log_room room = log_writer_room(writer);
    KVS_ASSERT(writer->next_record != 0 && record->number == writer->next_record);
    KVS_ASSERT(bytes <= room.capacity_bytes && bytes <= room.piece_bytes && bytes <= room.buffer_bytes);
    struct record_buffer *fill = &writer->fill;
    log_record_write(fill->bytes + fill->used, record, payload, writer->file_id, append_offset(writer));
    fill->used += bytes;
    fill->last_record = record->number;
    writer->next_record++;
}

bool log_writer_take(struct log_writer *writer)
{
    if (writer->drain.used > 0)
        return true;
    struct record_buffer taken = writer->fill;
    writer->fill = writer->drain;
    writer->fill.offset = taken.offset + taken.used;
    writer->fill.last_record = taken.last_record;
    writer->drain = taken;
    return taken.used > 0;
}

/* After a record over the normal size. The memory is given back if it can be; nothing depends on it. */
static void shrink_buffer(struct record_buffer *buffer, size_t normal_bytes)
{
    if (buffer->capacity <= normal_bytes)
        return;
    uint8_t *smaller = malloc(normal_bytes);
    if (smaller == NULL)
        return;
    free(buffer->bytes);
    buffer->bytes = smaller;
    buffer->capacity = normal_bytes;
}

struct kvs_status log_writer_write(struct log_writer *writer, uint64_t *written_record)
{
    struct record_buffer *drain = &writer->drain;
    STATUS_RETURN_IF_ERROR(check_poison(writer));
    if (drain->used > 0) {
        struct kvs_status status = io_file_write(writer->file, drain->bytes, drain->used, drain->offset);
        if (!status_is_ok(status)) {
            move_state(writer, status.code == KVS_NO_SPACE ? WRITER_FULL : WRITER_POISONED, status);
            return status;
        }
        move_state(writer, WRITER_OPEN, status);
        bool was_large = drain->used > writer->buffer_bytes;
        drain->used = 0;
        if (was_large)
            shrink_buffer(drain, writer->buffer_bytes);
    }
    *written_record = drain->last_record;
    return status_ok();
}

struct kvs_status log_writer_sync(struct log_writer *writer, enum io_sync_tag tag)
{
    KVS_ASSERT(tag == SYNC_LOG || tag == SYNC_LOG_RECOVERY);
    STATUS_RETURN_IF_ERROR(check_poison(writer));
    struct kvs_status status = io_file_sync(writer->file, tag);
    if (!status_is_ok(status))
        move_state(writer, WRITER_POISONED, status);
    return status;
}

struct kvs_status log_writer_extend(struct log_writer *writer, uint64_t more_bytes)
{
    STATUS_RETURN_IF_ERROR(check_poison(writer));
    uint64_t pieces = more_bytes / writer->piece_bytes + (more_bytes % writer->piece_bytes != 0);
    uint64_t size = (pieces > 0 ? pieces : 1) * writer->piece_bytes;
    uint64_t end = log_writer_allocated_bytes(writer);
    STATUS_RETURN_IF_ERROR(io_file_preallocate(writer->file, end, size));
    atomic_store_explicit(&writer->preallocated_bytes, end + size, memory_order_release);
    return status_ok();
}

struct kvs_status log_writer_grow_buffer(struct log_writer *writer, uint64_t record_bytes)
{
    struct record_buffer *drain = &writer->drain;
    KVS_ASSERT(drain->used == 0 && record_bytes <= LOG_RECORD_MAX_BYTES);
    if (record_bytes <= drain->capacity)
        return status_ok();
    uint8_t *larger = malloc(record_bytes);
    if (larger == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a log buffer of %zu bytes", (size_t)record_bytes);
    free(drain->bytes);
    drain->bytes = larger;
    drain->capacity = record_bytes;
    return status_ok();
}

void log_writer_end(const struct log_writer *writer, uint64_t *end_bytes, uint64_t *last_record)
{
    KVS_ASSERT(writer->next_record != 0);
    *end_bytes = append_offset(writer);
    *last_record = writer->next_record - 1;
}

uint64_t log_writer_number(const struct log_writer *writer)
{
    return writer->number;
}

uint64_t log_writer_allocated_bytes(const struct log_writer *writer)
{
    return atomic_load_explicit(&writer->preallocated_bytes, memory_order_acquire);
}
