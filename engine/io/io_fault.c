#include "io/io_fault.h"

#include "base/assert.h"
#include "io/io_mem.h"
#include "io/io_thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* seen  calls that matched so far */
struct fault_rule {
    struct io_fault_rule rule;
    char name_part[IO_FAULT_NAME_BYTES];
    uint64_t seen;
};

struct io_fault {
    struct io io;
    struct io *inner;
    pthread_mutex_t lock;
    struct fault_rule rules[IO_FAULT_RULE_LIMIT];
    size_t rule_count;
    uint64_t counts[IO_CALL_COUNT];
    uint64_t fired_count;
};

struct fault_file {
    struct io_file file;
    struct io_file *inner;
    char path[];
};

struct fault_lock {
    struct io_lock lock;
    struct io_lock *inner;
};

static struct io_fault *fault_of(struct io *io)
{
    return (struct io_fault *)io;
}

static struct fault_file *file_of(struct io_file *file)
{
    return (struct fault_file *)file;
}

static bool rule_matches(const struct fault_rule *rule, enum io_call call, const char *path, enum io_sync_tag tag)
{
    return rule->rule.call == call && (rule->rule.tag == 0 || rule->rule.tag == tag) &&
           (rule->name_part[0] == '\0' || strstr(path, rule->name_part) != NULL);
}

/* Count a call and find the rule that picks it; a call that no rule picks passes as after a delay of nothing. */
static struct io_fault_rule judge(struct io_fault *fault, enum io_call call, const char *path, enum io_sync_tag tag)
{
    struct io_fault_rule verdict = {.action = IO_FAULT_DELAY};
    bool picked = false;
    pthread_mutex_lock(&fault->lock);
    fault->counts[call]++;
    for (size_t index = 0; index < fault->rule_count; index++) {
        struct fault_rule *rule = &fault->rules[index];
        if (!rule_matches(rule, call, path, tag))
            continue;
        rule->seen++;
        bool due = rule->seen == rule->rule.nth || (rule->rule.for_good && rule->seen > rule->rule.nth);
        if (due && !picked) {
            picked = true;
            verdict = rule->rule;
        }
    }
    fault->fired_count += picked;
    pthread_mutex_unlock(&fault->lock);
    return verdict;
}

static void wait_out(struct io_fault *fault, uint64_t delay_ns)
{
    if (delay_ns > 0)
        io_sleep_until(&fault->io, io_monotonic_ns(&fault->io) + delay_ns);
}

/* Whether the call is to be passed on; if not, *status is what it returns. */
static bool passes(struct io_fault *fault, struct kvs_status *status, enum io_call call, const char *path,
                   enum io_sync_tag tag)
{
    struct io_fault_rule verdict = judge(fault, call, path, tag);
    *status = status_ok();
    if (verdict.action == IO_FAULT_DROP)
        return false;
    if (verdict.action == IO_FAULT_DELAY) {
        wait_out(fault, verdict.delay_ns);
        return true;
    }
    *status = STATUS_ERRNO(verdict.sys_errno, "cannot %s %s (injected)", io_call_name(call), path);
    return false;
}

static struct kvs_status fault_file_open(struct io *io, struct io_file **file, const char *path, enum io_open_mode mode)
{
    struct io_fault *fault = fault_of(io);
    struct kvs_status status;
    if (!passes(fault, &status, IO_CALL_OPEN, path, 0))
        return status;
    size_t path_bytes = strlen(path) + 1;
    struct fault_file *opened = malloc(sizeof *opened + path_bytes);
    if (opened == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot open %s: no memory", path);
    opened->file.io = io;
    memcpy(opened->path, path, path_bytes);
    status = io_file_open(fault->inner, &opened->inner, path, mode);
    if (!status_is_ok(status)) {
        free(opened);
        return status;
    }
    *file = &opened->file;
    return status;
}

static void fault_file_close(struct io_file *file)
{
    struct io_fault *fault = fault_of(file->io);
    struct fault_file *self = file_of(file);
    (void)judge(fault, IO_CALL_CLOSE, self->path, 0);
    io_file_close(self->inner);
    free(self);
}

static struct kvs_status fault_file_read(struct io_file *file, void *buffer, size_t *read_bytes, size_t size,
                                         uint64_t offset)
{
    struct kvs_status status;
    if (!passes(fault_of(file->io), &status, IO_CALL_READ, file_of(file)->path, 0))
        return status;
    return io_file_read(file_of(file)->inner, buffer, read_bytes, size, offset);
}

static struct kvs_status fault_file_write(struct io_file *file, const void *data, size_t size, uint64_t offset)
{
    struct fault_file *self = file_of(file);
    struct io_fault_rule verdict = judge(fault_of(file->io), IO_CALL_WRITE, self->path, 0);
    if (verdict.action == IO_FAULT_DROP)
        return status_ok();
    if (verdict.action == IO_FAULT_DELAY) {
        wait_out(fault_of(file->io), verdict.delay_ns);
        return io_file_write(self->inner, data, size, offset);
    }
    size_t landed = 0;
    if (verdict.action == IO_FAULT_SHORT) {
        landed = verdict.landed_bytes < size ? verdict.landed_bytes : size;
        STATUS_RETURN_IF_ERROR(io_file_write(self->inner, data, landed, offset));
    }
    return STATUS_ERRNO(verdict.sys_errno, "cannot write %zu bytes at offset %llu of %s (injected, %zu written)", size,
                        (unsigned long long)offset, self->path, landed);
}

static struct kvs_status fault_file_sync(struct io_file *file, enum io_sync_tag tag)
{
    struct fault_file *self = file_of(file);
    struct kvs_status status;
    if (passes(fault_of(file->io), &status, IO_CALL_SYNC, self->path, tag))
        return io_file_sync(self->inner, tag);
    if (!status_is_ok(status) && io_mem_is(self->inner->io))
        io_mem_lose_unsynced(self->inner);
    return status;
}

static struct kvs_status fault_file_preallocate(struct io_file *file, uint64_t offset, uint64_t size)
{
    struct kvs_status status;
    if (!passes(fault_of(file->io), &status, IO_CALL_PREALLOCATE, file_of(file)->path, 0))
        return status;
    return io_file_preallocate(file_of(file)->inner, offset, size);
}

static void fault_file_start_writeback(struct io_file *file, uint64_t offset, uint64_t size)
{
    io_file_start_writeback(file_of(file)->inner, offset, size);
}

static struct kvs_status fault_file_truncate(struct io_file *file, uint64_t size)
{
    struct kvs_status status;
    if (!passes(fault_of(file->io), &status, IO_CALL_TRUNCATE, file_of(file)->path, 0))
        return status;
    return io_file_truncate(file_of(file)->inner, size);
}

static struct kvs_status fault_file_size(struct io_file *file, uint64_t *size)
{
    struct kvs_status status;
    if (!passes(fault_of(file->io), &status, IO_CALL_SIZE, file_of(file)->path, 0))
        return status;
    return io_file_size(file_of(file)->inner, size);
}

static struct kvs_status fault_rename(struct io *io, const char *from, const char *to)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_RENAME, from, 0))
        return status;
    return io_rename(fault_of(io)->inner, from, to);
}

static struct kvs_status fault_unlink(struct io *io, const char *path)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_UNLINK, path, 0))
        return status;
    return io_unlink(fault_of(io)->inner, path);
}

static struct kvs_status fault_link(struct io *io, const char *from, const char *to)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_LINK, from, 0))
        return status;
    return io_link(fault_of(io)->inner, from, to);
}

static struct kvs_status fault_make_directory(struct io *io, const char *path)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_MAKE_DIRECTORY, path, 0))
        return status;
    return io_make_directory(fault_of(io)->inner, path);
}

static struct kvs_status fault_remove_directory(struct io *io, const char *path)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_REMOVE_DIRECTORY, path, 0))
        return status;
    return io_remove_directory(fault_of(io)->inner, path);
}

static struct kvs_status fault_list(struct io *io, const char *path, io_list_visit *visit, void *context)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_LIST, path, 0))
        return status;
    return io_list(fault_of(io)->inner, path, visit, context);
}

static struct kvs_status fault_directory_sync(struct io *io, const char *path, enum io_sync_tag tag)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_DIRECTORY_SYNC, path, tag))
        return status;
    return io_directory_sync(fault_of(io)->inner, path, tag);
}

static struct kvs_status fault_exists(struct io *io, bool *exists, const char *path)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_EXISTS, path, 0))
        return status;
    return io_exists(fault_of(io)->inner, exists, path);
}

static struct kvs_status fault_lock_take(struct io *io, struct io_lock **lock, const char *path, bool shared)
{
    struct io_fault *fault = fault_of(io);
    struct kvs_status status;
    if (!passes(fault, &status, IO_CALL_LOCK, path, 0))
        return status;
    struct fault_lock *taken = malloc(sizeof *taken);
    if (taken == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot lock %s: no memory", path);
    taken->lock.io = io;
    status = io_lock(fault->inner, &taken->inner, path, shared);
    if (!status_is_ok(status)) {
        free(taken);
        return status;
    }
    *lock = &taken->lock;
    return status;
}

static void fault_unlock(struct io_lock *lock)
{
    struct fault_lock *self = (struct fault_lock *)lock;
    (void)judge(fault_of(lock->io), IO_CALL_UNLOCK, "", 0);
    io_unlock(self->inner);
    free(self);
}

static struct kvs_status fault_free_space(struct io *io, uint64_t *free_bytes, const char *path)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_FREE_SPACE, path, 0))
        return status;
    return io_free_space(fault_of(io)->inner, free_bytes, path);
}

static struct kvs_status fault_random(struct io *io, void *out, size_t size)
{
    struct kvs_status status;
    if (!passes(fault_of(io), &status, IO_CALL_RANDOM, "random bytes", 0))
        return status;
    return io_random(fault_of(io)->inner, out, size);
}

static uint64_t fault_wall_ms(struct io *io)
{
    return io_wall_ms(fault_of(io)->inner);
}

static uint64_t fault_monotonic_ns(struct io *io)
{
    return io_monotonic_ns(fault_of(io)->inner);
}

static const struct io_ops fault_ops = {
    .file_open = fault_file_open,
    .file_read = fault_file_read,
    .file_write = fault_file_write,
    .file_sync = fault_file_sync,
    .file_preallocate = fault_file_preallocate,
    .file_truncate = fault_file_truncate,
    .file_start_writeback = fault_file_start_writeback,
    .file_size = fault_file_size,
    .file_close = fault_file_close,
    .rename = fault_rename,
    .unlink = fault_unlink,
    .link = fault_link,
    .make_directory = fault_make_directory,
    .remove_directory = fault_remove_directory,
    .list = fault_list,
    .directory_sync = fault_directory_sync,
    .exists = fault_exists,
    .lock = fault_lock_take,
    .unlock = fault_unlock,
    .free_space = fault_free_space,
    .random = fault_random,
    .wall_ms = fault_wall_ms,
    .monotonic_ns = fault_monotonic_ns,
};

struct io_fault *io_fault_new(struct io *inner)
{
    struct io_fault *fault = calloc(1, sizeof *fault);
    if (fault == NULL)
        return NULL;
    fault->io = (struct io){.ops = &fault_ops, .scheduler = inner->scheduler};
    fault->inner = inner;
    pthread_mutex_init(&fault->lock, NULL);
    return fault;
}

void io_fault_free(struct io_fault *fault)
{
    if (fault == NULL)
        return;
    pthread_mutex_destroy(&fault->lock);
    free(fault);
}

struct io *io_fault_as_io(struct io_fault *fault)
{
    return &fault->io;
}

void io_fault_add(struct io_fault *fault, const struct io_fault_rule *rule)
{
    KVS_ASSERT(rule->nth >= 1 && (unsigned)rule->call < IO_CALL_COUNT);
    KVS_ASSERT(rule->action != IO_FAULT_SHORT || rule->call == IO_CALL_WRITE);
    KVS_ASSERT(rule->action == IO_FAULT_DROP || rule->action == IO_FAULT_DELAY || rule->sys_errno > 0);
    pthread_mutex_lock(&fault->lock);
    KVS_ASSERT(fault->rule_count < IO_FAULT_RULE_LIMIT);
    struct fault_rule *added = &fault->rules[fault->rule_count++];
    *added = (struct fault_rule){.rule = *rule};
    if (rule->name_part != NULL)
        snprintf(added->name_part, sizeof added->name_part, "%s", rule->name_part);
    added->rule.name_part = NULL;
    pthread_mutex_unlock(&fault->lock);
}

void io_fault_fail(struct io_fault *fault, enum io_call call, uint64_t nth, int sys_errno, bool for_good)
{
    io_fault_add(fault,
                 &(struct io_fault_rule){.call = call, .nth = nth, .for_good = for_good, .sys_errno = sys_errno});
}

void io_fault_drop_syncs(struct io_fault *fault, enum io_sync_tag tag)
{
    struct io_fault_rule rule = {.call = IO_CALL_SYNC, .nth = 1, .for_good = true, .action = IO_FAULT_DROP, .tag = tag};
    io_fault_add(fault, &rule);
    rule.call = IO_CALL_DIRECTORY_SYNC;
    io_fault_add(fault, &rule);
}

void io_fault_clear(struct io_fault *fault)
{
    pthread_mutex_lock(&fault->lock);
    fault->rule_count = 0;
    pthread_mutex_unlock(&fault->lock);
}

uint64_t io_fault_count(struct io_fault *fault, enum io_call call)
{
    pthread_mutex_lock(&fault->lock);
    uint64_t count = fault->counts[call];
    pthread_mutex_unlock(&fault->lock);
    return count;
}

uint64_t io_fault_fired_count(struct io_fault *fault)
{
    pthread_mutex_lock(&fault->lock);
    uint64_t count = fault->fired_count;
    pthread_mutex_unlock(&fault->lock);
    return count;
}
