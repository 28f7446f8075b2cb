#include "io/io_mem_internal.h"

#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* path is kept for the sentences of errors. */
struct mem_handle {
    struct io_file file;
    struct mem_inode *inode; /* in use */
    bool writable;
    char path[];
};

static struct mem_handle *handle_of(struct io_file *file)
{
    return (struct mem_handle *)file;
}

int mem_find_or_create(struct io_mem *mem, struct mem_inode **inode, bool *created, const char *path)
{
    struct mem_inode *directory;
    char name[MEM_NAME_BYTES];
    int error = mem_find_parent(mem, &directory, name, path);
    if (error != 0)
        return error;
    struct mem_inode *found = mem_names_find(&directory->live_names, name);
    *created = found == NULL;
    if (found != NULL) {
        *inode = found;
        return found->is_directory ? EISDIR : 0;
    }
    struct mem_inode *fresh = mem_inode_new(mem, false);
    if (fresh == NULL)
        return ENOMEM;
    error = mem_directory_add(directory, name, fresh);
    mem_inode_unref(fresh); /* the name has it now, or nobody */
    if (error == 0)
        *inode = fresh;
    return error;
}

/* Cut or extend, at once complete. */
static int resize(struct mem_inode *inode, enum mem_change_kind kind, uint64_t size)
{
    if (size > MEM_FILE_MAX_BYTES)
        return EFBIG;
    struct mem_change *change = mem_change_new(kind, 0);
    if (change == NULL)
        return ENOMEM;
    change->size = size;
    /* Room is taken before growing and given back after shrinking; a hole takes room too. */
    int error = size > inode->live.size ? mem_charge(inode, size) : 0;
    if (error == 0)
        error = mem_change_apply(change, &inode->live);
    if (error != 0) {
        free(change);
        return error;
    }
    mem_change_begin(inode, change);
    mem_change_finish(inode, change);
    return mem_charge(inode, inode->live.size);
}

static int open_inode(struct io_mem *mem, struct mem_inode **inode, const char *path, enum io_open_mode mode)
{
    if (mode == IO_OPEN_READ || mode == IO_OPEN_WRITE) {
        int error = mem_find(mem, inode, path);
        return error == 0 && (*inode)->is_directory ? EISDIR : error;
    }
    bool created;
    int error = mem_find_or_create(mem, inode, &created, path);
    if (error == 0 && !created && mode == IO_OPEN_CREATE)
        return EEXIST;
    if (error == 0 && !created && (*inode)->live.size > 0)
        return resize(*inode, MEM_TRUNCATE, 0);
    return error;
}

struct kvs_status mem_file_open(struct io *io, struct io_file **file, const char *path, enum io_open_mode mode)
{
    struct io_mem *mem = mem_of(io);
    size_t path_bytes = strlen(path) + 1;
    struct mem_handle *handle = malloc(sizeof *handle + path_bytes);
    if (handle == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot open %s: no memory", path);
    handle->file.io = io;
    handle->writable = mode != IO_OPEN_READ;
    memcpy(handle->path, path, path_bytes);
    struct mem_call call;
    int error = mem_call_start(&call, mem, mode == IO_OPEN_CREATE || mode == IO_OPEN_TEMPORARY);
    if (error == 0)
        error = open_inode(mem, &handle->inode, path, mode);
    bool opened = error == 0;
    if (opened) {
        mem_inode_use(handle->inode);
        mem->open_count++;
    }
    error = mem_call_end(&call, error);
    if (error == 0) {
        *file = &handle->file;
        return status_ok();
    }
    if (opened)
        mem_file_close(&handle->file);
    else
        free(handle);
    return STATUS_ERRNO(error, "cannot %s %s%s", mode < IO_OPEN_CREATE ? "open" : "create", path, mem_note(mem));
}

void mem_file_close(struct io_file *file)
{
    struct mem_handle *handle = handle_of(file);
    struct io_mem *mem = mem_of(file->io);
    pthread_mutex_lock(&mem->lock);
    mem_inode_unuse(handle->inode);
    mem->open_count--;
    pthread_mutex_unlock(&mem->lock);
    free(handle);
}

struct kvs_status mem_file_read(struct io_file *file, void *buffer, size_t *read_bytes, size_t size, uint64_t offset)
{
    struct mem_handle *handle = handle_of(file);
    struct io_mem *mem = mem_of(file->io);
    struct mem_call call;
    size_t got = 0;
    int error = mem_call_start(&call, mem, false);
    if (error == 0)
        got = mem_bytes_read(&handle->inode->live, buffer, size, offset);
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot read %zu bytes at offset %" PRIu64 " of %s%s", size, offset, handle->path,
                            mem_note(mem));
    *read_bytes = got;
    return status_ok();
}

/* A write that has begun. fits is what of it there is room for. */
struct mem_write {
    struct mem_change *change;
    size_t fits;
    size_t landed;
};

/* Take the room, list the change, and let a part of it be seen. */
static int write_begin(struct mem_handle *handle, struct mem_write *write, const void *data, size_t size,
                       uint64_t offset)
{
    struct mem_inode *inode = handle->inode;
    struct io_mem *mem = inode->mem;
    if (!handle->writable)
        return EBADF;
    if (offset > MEM_FILE_MAX_BYTES || size > MEM_FILE_MAX_BYTES - offset)
        return EFBIG;
    uint64_t limit = mem_size_limit(inode);
    write->fits = offset + size <= limit ? size : offset < limit ? (size_t)(limit - offset) : 0;
    if (write->fits == 0)
        return size == 0 ? 0 : ENOSPC;
    write->change = mem_change_new(MEM_WRITE, write->fits);
    if (write->change == NULL)
        return ENOMEM;
    write->change->offset = offset;
    write->change->size = write->fits;
    memcpy(write->change->data, data, write->fits);
    uint64_t end = offset + write->fits;
    int error = mem_charge(inode, end > inode->live.size ? end : inode->live.size);
    KVS_ASSERT(error == 0);
    mem_change_begin(inode, write->change);
    write->landed =
        mem->io.scheduler == NULL && mem->crash_number == 0 ? 0 : io_seed_below(&mem->seed, write->fits + 1);
    write->change->landed = write->landed;
    return mem_bytes_write(&inode->live, data, write->landed, offset) ? 0 : ENOMEM;
}

static int write_finish(struct mem_handle *handle, const struct mem_write *write, const void *data, size_t size,
                        uint64_t offset)
{
    if (write->change == NULL)
        return 0;
    const uint8_t *rest = (const uint8_t *)data + write->landed;
    if (!mem_bytes_write(&handle->inode->live, rest, write->fits - write->landed, offset + write->landed))
        return ENOMEM;
    mem_change_finish(handle->inode, write->change);
    return write->fits < size ? ENOSPC : 0;
}

struct kvs_status mem_file_write(struct io_file *file, const void *data, size_t size, uint64_t offset)
{
    struct mem_handle *handle = handle_of(file);
    struct io_mem *mem = mem_of(file->io);
    struct mem_call call;
    struct mem_write write = {0};
    int error = mem_call_begin(&call, mem, true);
    if (error == 0)
        error = write_begin(handle, &write, data, size, offset);
    if (error == 0)
        error = mem_call_step(&call);
    if (error == 0)
        error = write_finish(handle, &write, data, size, offset);
    /* One that has no memory is over too: later syncs and truncations must not leave it behind as if it were under way. */
    if (error == ENOMEM && write.change != NULL)
        mem_change_finish(handle->inode, write.change);
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot write %zu bytes at offset %" PRIu64 " of %s%s", size, offset, handle->path,
                            mem_note(mem));
    return status_ok();
}

struct kvs_status mem_file_sync(struct io_file *file, enum io_sync_tag tag)
{
    struct mem_handle *handle = handle_of(file);
    struct io_mem *mem = mem_of(file->io);
    struct mem_call call;
    int error = mem_call_begin(&call, mem, true);
    /* What ends from here on is not covered. */
    uint64_t tick = mem->tick;
    if (error == 0)
        error = mem_call_step(&call);
    if (error == 0)
        error = mem_changes_settle(handle->inode, tick);
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot sync %s (SYNC-%d)%s", handle->path, (int)tag, mem_note(mem));
    return status_ok();
}

void io_mem_lose_unsynced(struct io_file *file)
{
    struct io_mem *mem = mem_of(file->io);
    KVS_ASSERT(io_mem_is(&mem->io));
    pthread_mutex_lock(&mem->lock);
    for (struct mem_change *change = handle_of(file)->inode->changes; change != NULL; change = change->next)
        change->lost = change->lost || change->ended != 0;
    pthread_mutex_unlock(&mem->lock);
}

/* One call that changes the size. */
static int change_size(struct io_file *file, enum mem_change_kind kind, uint64_t size)
{
    struct mem_inode *inode = handle_of(file)->inode;
    struct mem_call call;
    int error = mem_call_start(&call, mem_of(file->io), true);
    if (error == 0 && !handle_of(file)->writable)
        error = EBADF;
    if (error == 0 && (kind == MEM_TRUNCATE || size > inode->live.size))
        error = resize(inode, kind, size);
    return mem_call_end(&call, error);
}

struct kvs_status mem_file_preallocate(struct io_file *file, uint64_t offset, uint64_t size)
{
    struct mem_handle *handle = handle_of(file);
    uint64_t end = size > UINT64_MAX - offset ? UINT64_MAX : offset + size;
    int error = change_size(file, MEM_EXTEND, size == 0 ? 0 : end);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot allocate %" PRIu64 " bytes at offset %" PRIu64 " of %s%s", size, offset,
                            handle->path, mem_note(mem_of(file->io)));
    return status_ok();
}

struct kvs_status mem_file_truncate(struct io_file *file, uint64_t size)
{
    struct mem_handle *handle = handle_of(file);
    int error = change_size(file, MEM_TRUNCATE, size);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot truncate %s to %" PRIu64 " bytes%s", handle->path, size,
                            mem_note(mem_of(file->io)));
    return status_ok();
}

struct kvs_status mem_file_size(struct io_file *file, uint64_t *size)
{
    struct mem_handle *handle = handle_of(file);
    struct mem_call call;
    int error = mem_call_start(&call, mem_of(file->io), false);
    uint64_t found = handle->inode->live.size;
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot tell the size of %s%s", handle->path, mem_note(mem_of(file->io)));
    *size = found;
    return status_ok();
}
