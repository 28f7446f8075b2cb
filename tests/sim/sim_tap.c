#include "sim_tap.h"

#include "base/assert.h"
#include "format/batch.h"
#include "format/file_name.h"
#include "format/log_header.h"
#include "format/log_record.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_ID_OFFSET = 32, CHANGES_MAX = 4096 };

struct sim_tap {
    struct io io;
    struct io *inner;
    struct sim *sim;
    struct model_change changes[CHANGES_MAX];
};

/* file_id  of a log, from its header */
struct tap_file {
    struct io_file file;
    struct io_file *inner;
    bool is_log;
    bool is_old; /* it was there: a recovery without room writes its records again, in place */
    uint64_t file_id;
};

struct tap_lock {
    struct io_lock lock;
    struct io_lock *inner;
};

static struct sim_tap *tap_of(struct io *io)
{
    return (struct sim_tap *)io;
}

static struct tap_file *file_of(struct io_file *file)
{
    return (struct tap_file *)file;
}

/* ---- Reading along ---- */

static void read_change(struct sim *sim, struct model_change *change, const struct batch_entry *entry)
{
    int key = sim_data_find(&sim->data, entry->key);
    uint32_t value = SIM_ABSENT;
    if (key < 0)
        sim_fail(sim, "a log holds a key of %zu bytes that nobody wrote", entry->key.size);
    if (entry->kind_byte == KEY_PUT && !sim_data_read_value(&sim->data, &value, entry->value))
        sim_fail(sim, "a log holds a value of %zu bytes for key %d that nobody wrote", entry->value.size, key);
    *change = (struct model_change){(uint32_t)key, value};
}

static void read_record(struct sim_tap *tap, const struct log_record *record, const uint8_t *payload)
{
    struct batch_cursor cursor;
    struct batch_entry entry;
    size_t count = 0;
    if (record->kind != LOG_BATCH || record->count > CHANGES_MAX || !log_record_payload_verifies(record, payload))
        sim_fail(tap->sim, "record %llu is not a sound batch", (unsigned long long)record->number);
    batch_cursor_init(&cursor, slice_of(payload, record->payload_bytes), record->count, record->first_sequence);
    while (batch_cursor_next(&cursor, &entry))
        read_change(tap->sim, &tap->changes[count++], &entry);
    oracle_see(tap->sim, record->first_sequence, tap->changes, count);
}

/* A write to a log: its header, or whole records. */
static void read_log(struct sim_tap *tap, struct tap_file *file, const uint8_t *bytes, size_t size, uint64_t offset)
{
    if (offset == 0) {
        KVS_ASSERT(size >= LOG_HEADER_BYTES);
        memcpy(&file->file_id, bytes + FILE_ID_OFFSET, sizeof file->file_id);
        return;
    }
    for (size_t at = 0; at < size;) {
        struct log_record record;
        if (size - at < LOG_RECORD_HEADER_BYTES ||
            !log_record_decode(&record, bytes + at, file->file_id, offset + at) ||
            log_record_bytes(record.payload_bytes) > size - at)
            sim_fail(tap->sim, "a write of %zu bytes to a log holds no record at byte %zu", size, at);
        read_record(tap, &record, bytes + at + LOG_RECORD_HEADER_BYTES);
        at += log_record_bytes(record.payload_bytes);
    }
}

/* ---- Passing on ---- */

static bool is_log_path(const char *path)
{
    uint64_t number;
    const char *slash = strrchr(path, '/');
    return file_name_parse(&number, slash == NULL ? path : slash + 1) == FILE_LOG;
}

static struct kvs_status tap_file_open(struct io *io, struct io_file **file, const char *path, enum io_open_mode mode)
{
    struct tap_file *opened = calloc(1, sizeof *opened);
    KVS_ASSERT(opened != NULL);
    opened->file.io = io;
    opened->is_log = is_log_path(path);
    opened->is_old = mode == IO_OPEN_WRITE;
    struct kvs_status status = io_file_open(tap_of(io)->inner, &opened->inner, path, mode);
    if (status_is_ok(status))
        *file = &opened->file;
    else
        free(opened);
    return status;
}

static void tap_file_close(struct io_file *file)
{
    io_file_close(file_of(file)->inner);
    free(file);
}

/* The power was on when this succeeded. */
static struct kvs_status note_change(struct sim_tap *tap, struct kvs_status status)
{
    if (status_is_ok(status))
        tap->sim->changed_ns = sim_now_ns(tap->sim);
    return status;
}

/* A log of an earlier process is never changed: what is written holds what was read. */
static void check_same(struct sim_tap *tap, struct tap_file *file, const void *data, size_t size, uint64_t offset)
{
    size_t read_bytes = 0;
    uint8_t *held = malloc(size);
    KVS_ASSERT(held != NULL);
    struct kvs_status status = io_file_read(file->inner, held, &read_bytes, size, offset);
    if (status_is_ok(status) && (read_bytes != size || memcmp(held, data, size) != 0))
        sim_fail(tap->sim, "%zu bytes at offset %llu of an old log are changed", size, (unsigned long long)offset);
    free(held);
}

static struct kvs_status tap_file_write(struct io_file *file, const void *data, size_t size, uint64_t offset)
{
    if (file_of(file)->is_log && file_of(file)->is_old)
        check_same(tap_of(file->io), file_of(file), data, size, offset);
    else if (file_of(file)->is_log)
        read_log(tap_of(file->io), file_of(file), data, size, offset);
    return note_change(tap_of(file->io), io_file_write(file_of(file)->inner, data, size, offset));
}

static struct kvs_status tap_lock_take(struct io *io, struct io_lock **lock, const char *path, bool shared)
{
    struct tap_lock *taken = malloc(sizeof *taken);
    KVS_ASSERT(taken != NULL);
    taken->lock.io = io;
    struct kvs_status status = io_lock(tap_of(io)->inner, &taken->inner, path, shared);
    if (status_is_ok(status))
        *lock = &taken->lock;
    else
        free(taken);
    return status;
}

static void tap_unlock(struct io_lock *lock)
{
    io_unlock(((struct tap_lock *)lock)->inner);
    free(lock);
}

static struct kvs_status tap_file_read(struct io_file *file, void *buffer, size_t *read_bytes, size_t size,
                                       uint64_t offset)
{
    return io_file_read(file_of(file)->inner, buffer, read_bytes, size, offset);
}

static struct kvs_status tap_file_sync(struct io_file *file, enum io_sync_tag tag)
{
    return note_change(tap_of(file->io), io_file_sync(file_of(file)->inner, tag));
}

static struct kvs_status tap_file_preallocate(struct io_file *file, uint64_t offset, uint64_t size)
{
    return io_file_preallocate(file_of(file)->inner, offset, size);
}

static struct kvs_status tap_file_truncate(struct io_file *file, uint64_t size)
{
    return io_file_truncate(file_of(file)->inner, size);
}

static struct kvs_status tap_file_size(struct io_file *file, uint64_t *size)
{
    return io_file_size(file_of(file)->inner, size);
}

static struct kvs_status tap_rename(struct io *io, const char *from, const char *to)
{
    return io_rename(tap_of(io)->inner, from, to);
}

static struct kvs_status tap_unlink(struct io *io, const char *path)
{
    return io_unlink(tap_of(io)->inner, path);
}

static struct kvs_status tap_link(struct io *io, const char *from, const char *to)
{
    return io_link(tap_of(io)->inner, from, to);
}

static struct kvs_status tap_make_directory(struct io *io, const char *path)
{
    return io_make_directory(tap_of(io)->inner, path);
}

static struct kvs_status tap_remove_directory(struct io *io, const char *path)
{
    return io_remove_directory(tap_of(io)->inner, path);
}

static struct kvs_status tap_list(struct io *io, const char *path, io_list_visit *visit, void *context)
{
    return io_list(tap_of(io)->inner, path, visit, context);
}

static struct kvs_status tap_directory_sync(struct io *io, const char *path, enum io_sync_tag tag)
{
    return io_directory_sync(tap_of(io)->inner, path, tag);
}

static struct kvs_status tap_exists(struct io *io, bool *exists, const char *path)
{
    return io_exists(tap_of(io)->inner, exists, path);
}

static struct kvs_status tap_free_space(struct io *io, uint64_t *free_bytes, const char *path)
{
    return io_free_space(tap_of(io)->inner, free_bytes, path);
}

static struct kvs_status tap_random(struct io *io, void *out, size_t size)
{
    return io_random(tap_of(io)->inner, out, size);
}

static uint64_t tap_wall_ms(struct io *io)
{
    return io_wall_ms(tap_of(io)->inner);
}

static uint64_t tap_monotonic_ns(struct io *io)
{
    return io_monotonic_ns(tap_of(io)->inner);
}

static const struct io_ops tap_ops = {
    .file_open = tap_file_open,
    .file_read = tap_file_read,
    .file_write = tap_file_write,
    .file_sync = tap_file_sync,
    .file_preallocate = tap_file_preallocate,
    .file_truncate = tap_file_truncate,
    .file_size = tap_file_size,
    .file_close = tap_file_close,
    .rename = tap_rename,
    .unlink = tap_unlink,
    .link = tap_link,
    .make_directory = tap_make_directory,
    .remove_directory = tap_remove_directory,
    .list = tap_list,
    .directory_sync = tap_directory_sync,
    .exists = tap_exists,
    .lock = tap_lock_take,
    .unlock = tap_unlock,
    .free_space = tap_free_space,
    .random = tap_random,
    .wall_ms = tap_wall_ms,
    .monotonic_ns = tap_monotonic_ns,
};

struct sim_tap *sim_tap_new(struct sim *sim, struct io *inner)
{
    struct sim_tap *tap = malloc(sizeof *tap);
    KVS_ASSERT(tap != NULL);
    tap->io = (struct io){.ops = &tap_ops, .scheduler = inner->scheduler};
    tap->inner = inner;
    tap->sim = sim;
    return tap;
}

void sim_tap_free(struct sim_tap *tap)
{
    free(tap);
}

struct io *sim_tap_as_io(struct sim_tap *tap)
{
    return &tap->io;
}
