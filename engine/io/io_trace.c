#include "io/io_trace.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 1024 };

struct io_trace {
    struct io io;
    struct io *inner;
    pthread_mutex_t lock;
    uint32_t calls;
    uint64_t lost_count;
    size_t capacity;
    size_t used;
    char text[];
};

struct trace_file {
    struct io_file file;
    struct io_file *inner;
    char name[];
};

struct trace_lock {
    struct io_lock lock;
    struct io_lock *inner;
    char name[];
};

static struct io_trace *trace_of(struct io *io)
{
    return (struct io_trace *)io;
}

static struct trace_file *file_of(struct io_file *file)
{
    return (struct trace_file *)file;
}

/* The part of a path after its last slash. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

static void append(struct io_trace *trace, const char *line, size_t length)
{
    if (length >= trace->capacity - trace->used) {
        trace->lost_count++;
        return;
    }
    memcpy(trace->text + trace->used, line, length);
    trace->used += length;
    trace->text[trace->used] = '\0';
}

/* Add the line of a call that has returned status, which is handed through. */
__attribute__((format(printf, 4, 5))) static struct kvs_status record(struct io *io, enum io_call call,
                                                                      struct kvs_status status, const char *format, ...)
{
    struct io_trace *trace = trace_of(io);
    char line[LINE_BYTES];
    size_t room = sizeof line - 32; /* for the code and the end of the line */
    int length = snprintf(line, room, "%s ", io_call_name(call));
    va_list arguments;
    va_start(arguments, format);
    int detail = vsnprintf(line + length, room - (size_t)length, format, arguments);
    va_end(arguments);
    size_t end = (size_t)length + (detail < 0 ? 0 : (size_t)detail);
    if (end >= room)
        end = room - 1;
    const char *arrow = status_is_ok(status) ? "" : " -> ";
    const char *code = status_is_ok(status) ? "" : status_code_name((enum kvs_code)status.code);
    end += (size_t)snprintf(line + end, sizeof line - end, "%s%s\n", arrow, code);
    pthread_mutex_lock(&trace->lock);
    if ((trace->calls & IO_CALL_BIT(call)) != 0)
        append(trace, line, end);
    pthread_mutex_unlock(&trace->lock);
    return status;
}

static const char *mode_name(enum io_open_mode mode)
{
    static const char *const names[] = {"read", "write", "create", "temporary"};
    return names[mode];
}

static struct kvs_status trace_file_open(struct io *io, struct io_file **file, const char *path, enum io_open_mode mode)
{
    const char *name = name_of(path);
    size_t name_bytes = strlen(name) + 1;
    struct trace_file *opened = malloc(sizeof *opened + name_bytes);
    if (opened == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot open %s: no memory", path);
    opened->file.io = io;
    memcpy(opened->name, name, name_bytes);
    struct kvs_status status = io_file_open(trace_of(io)->inner, &opened->inner, path, mode);
    status = record(io, IO_CALL_OPEN, status, "%s %s", name, mode_name(mode));
    if (status_is_ok(status))
        *file = &opened->file;
    else
        free(opened);
    return status;
}

static void trace_file_close(struct io_file *file)
{
    struct trace_file *self = file_of(file);
    io_file_close(self->inner);
    (void)record(file->io, IO_CALL_CLOSE, status_ok(), "%s", self->name);
    free(self);
}

static struct kvs_status trace_file_read(struct io_file *file, void *buffer, size_t *read_bytes, size_t size,
                                         uint64_t offset)
{
    struct kvs_status status = io_file_read(file_of(file)->inner, buffer, read_bytes, size, offset);
    return record(file->io, IO_CALL_READ, status, "%s %" PRIu64 "+%zu", file_of(file)->name, offset, size);
}

static struct kvs_status trace_file_write(struct io_file *file, const void *data, size_t size, uint64_t offset)
{
    struct kvs_status status = io_file_write(file_of(file)->inner, data, size, offset);
    return record(file->io, IO_CALL_WRITE, status, "%s %" PRIu64 "+%zu", file_of(file)->name, offset, size);
}

static struct kvs_status trace_file_sync(struct io_file *file, enum io_sync_tag tag)
{
    struct kvs_status status = io_file_sync(file_of(file)->inner, tag);
    return record(file->io, IO_CALL_SYNC, status, "%s SYNC-%d", file_of(file)->name, (int)tag);
}

static struct kvs_status trace_file_preallocate(struct io_file *file, uint64_t offset, uint64_t size)
{
    struct kvs_status status = io_file_preallocate(file_of(file)->inner, offset, size);
    return record(file->io, IO_CALL_PREALLOCATE, status, "%s %" PRIu64 "+%" PRIu64, file_of(file)->name, offset, size);
}

/* A hint changes nothing, so it is not recorded. */
static void trace_file_start_writeback(struct io_file *file, uint64_t offset, uint64_t size)
{
    io_file_start_writeback(file_of(file)->inner, offset, size);
}

static struct kvs_status trace_file_truncate(struct io_file *file, uint64_t size)
{
    struct kvs_status status = io_file_truncate(file_of(file)->inner, size);
    return record(file->io, IO_CALL_TRUNCATE, status, "%s %" PRIu64, file_of(file)->name, size);
}

static struct kvs_status trace_file_size(struct io_file *file, uint64_t *size)
{
    struct kvs_status status = io_file_size(file_of(file)->inner, size);
    return record(file->io, IO_CALL_SIZE, status, "%s", file_of(file)->name);
}

static struct kvs_status trace_rename(struct io *io, const char *from, const char *to)
{
    struct kvs_status status = io_rename(trace_of(io)->inner, from, to);
    return record(io, IO_CALL_RENAME, status, "%s %s", name_of(from), name_of(to));
}

static struct kvs_status trace_unlink(struct io *io, const char *path)
{
    return record(io, IO_CALL_UNLINK, io_unlink(trace_of(io)->inner, path), "%s", name_of(path));
}

static struct kvs_status trace_link(struct io *io, const char *from, const char *to)
{
    struct kvs_status status = io_link(trace_of(io)->inner, from, to);
    return record(io, IO_CALL_LINK, status, "%s %s", name_of(from), name_of(to));
}

static struct kvs_status trace_make_directory(struct io *io, const char *path)
{
    struct kvs_status status = io_make_directory(trace_of(io)->inner, path);
    return record(io, IO_CALL_MAKE_DIRECTORY, status, "%s", name_of(path));
}

static struct kvs_status trace_remove_directory(struct io *io, const char *path)
{
    struct kvs_status status = io_remove_directory(trace_of(io)->inner, path);
    return record(io, IO_CALL_REMOVE_DIRECTORY, status, "%s", name_of(path));
}

static struct kvs_status trace_list(struct io *io, const char *path, io_list_visit *visit, void *context)
{
    struct kvs_status status = io_list(trace_of(io)->inner, path, visit, context);
    return record(io, IO_CALL_LIST, status, "%s", name_of(path));
}

static struct kvs_status trace_directory_sync(struct io *io, const char *path, enum io_sync_tag tag)
{
    struct kvs_status status = io_directory_sync(trace_of(io)->inner, path, tag);
    return record(io, IO_CALL_DIRECTORY_SYNC, status, "%s SYNC-%d", name_of(path), (int)tag);
}

static struct kvs_status trace_exists(struct io *io, bool *exists, const char *path)
{
    return record(io, IO_CALL_EXISTS, io_exists(trace_of(io)->inner, exists, path), "%s", name_of(path));
}

static struct kvs_status trace_lock_take(struct io *io, struct io_lock **lock, const char *path, bool shared)
{
    const char *name = name_of(path);
    size_t name_bytes = strlen(name) + 1;
    struct trace_lock *taken = malloc(sizeof *taken + name_bytes);
    if (taken == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot lock %s: no memory", path);
    taken->lock.io = io;
    memcpy(taken->name, name, name_bytes);
    struct kvs_status status = io_lock(trace_of(io)->inner, &taken->inner, path, shared);
    status = record(io, IO_CALL_LOCK, status, "%s %s", name, shared ? "shared" : "exclusive");
    if (status_is_ok(status))
        *lock = &taken->lock;
    else
        free(taken);
    return status;
}

static void trace_unlock(struct io_lock *lock)
{
    struct trace_lock *self = (struct trace_lock *)lock;
    io_unlock(self->inner);
    (void)record(lock->io, IO_CALL_UNLOCK, status_ok(), "%s", self->name);
    free(self);
}

static struct kvs_status trace_free_space(struct io *io, uint64_t *free_bytes, const char *path)
{
    struct kvs_status status = io_free_space(trace_of(io)->inner, free_bytes, path);
    return record(io, IO_CALL_FREE_SPACE, status, "%s", name_of(path));
}

static struct kvs_status trace_random(struct io *io, void *out, size_t size)
{
    return record(io, IO_CALL_RANDOM, io_random(trace_of(io)->inner, out, size), "%zu", size);
}

static uint64_t trace_wall_ms(struct io *io)
{
    return io_wall_ms(trace_of(io)->inner);
}

static uint64_t trace_monotonic_ns(struct io *io)
{
    return io_monotonic_ns(trace_of(io)->inner);
}

static const struct io_ops trace_ops = {
    .file_open = trace_file_open,
    .file_read = trace_file_read,
    .file_write = trace_file_write,
    .file_sync = trace_file_sync,
    .file_preallocate = trace_file_preallocate,
    .file_truncate = trace_file_truncate,
    .file_start_writeback = trace_file_start_writeback,
    .file_size = trace_file_size,
    .file_close = trace_file_close,
    .rename = trace_rename,
    .unlink = trace_unlink,
    .link = trace_link,
    .make_directory = trace_make_directory,
    .remove_directory = trace_remove_directory,
    .list = trace_list,
    .directory_sync = trace_directory_sync,
    .exists = trace_exists,
    .lock = trace_lock_take,
    .unlock = trace_unlock,
    .free_space = trace_free_space,
    .random = trace_random,
    .wall_ms = trace_wall_ms,
    .monotonic_ns = trace_monotonic_ns,
};

struct io_trace *io_trace_new(struct io *inner, size_t capacity_bytes)
{
    size_t capacity = capacity_bytes + 1;
    struct io_trace *trace = calloc(1, sizeof *trace + capacity);
    if (trace == NULL)
        return NULL;
    trace->io = (struct io){.ops = &trace_ops, .scheduler = inner->scheduler};
    trace->inner = inner;
    trace->capacity = capacity;
    trace->calls = IO_CALLS_THAT_CHANGE;
    pthread_mutex_init(&trace->lock, NULL);
    return trace;
}

void io_trace_free(struct io_trace *trace)
{
    if (trace == NULL)
        return;
    pthread_mutex_destroy(&trace->lock);
    free(trace);
}

struct io *io_trace_as_io(struct io_trace *trace)
{
    return &trace->io;
}

void io_trace_set_calls(struct io_trace *trace, uint32_t calls)
{
    pthread_mutex_lock(&trace->lock);
    trace->calls = calls;
    pthread_mutex_unlock(&trace->lock);
}

const char *io_trace_text(const struct io_trace *trace)
{
    return trace->text;
}

uint64_t io_trace_lost_count(const struct io_trace *trace)
{
    return trace->lost_count;
}

void io_trace_clear(struct io_trace *trace)
{
    pthread_mutex_lock(&trace->lock);
    trace->used = 0;
    trace->text[0] = '\0';
    trace->lost_count = 0;
    pthread_mutex_unlock(&trace->lock);
}
