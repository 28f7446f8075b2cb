#include "io/io_mem_internal.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct mem_lock_handle {
    struct io_lock lock;
    struct mem_inode *inode; /* in use */
    bool shared;
};

/* A name in a folder, both borrowed; inode is NULL where the name is free. */
struct mem_place {
    struct mem_inode *directory;
    struct mem_inode *inode;
    char name[MEM_NAME_BYTES];
};

static int find_place(struct io_mem *mem, struct mem_place *place, const char *path)
{
    int error = mem_find_parent(mem, &place->directory, place->name, path);
    if (error == 0)
        place->inode = mem_names_find(&place->directory->live_names, place->name);
    return error;
}

static int find_two_places(struct io_mem *mem, struct mem_place *from, struct mem_place *to, const char *from_path,
                           const char *to_path)
{
    int error = find_place(mem, from, from_path);
    if (error == 0)
        error = find_place(mem, to, to_path);
    return error == 0 && from->inode == NULL ? ENOENT : error;
}

/* Whether what is at to may be replaced by what is at from. */
static int check_replacement(const struct mem_place *from, const struct mem_place *to)
{
    if (to->inode == NULL)
        return 0;
    if (to->inode->is_directory != from->inode->is_directory)
        return to->inode->is_directory ? EISDIR : ENOTDIR;
    return to->inode->live_names.count > 0 ? ENOTEMPTY : 0;
}

static bool is_inside(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

static int rename_locked(struct io_mem *mem, const char *from_path, const char *to_path)
{
    struct mem_place from, to;
    int error = find_two_places(mem, &from, &to, from_path, to_path);
    if (error != 0)
        return error;
    if (from.inode == to.inode)
        return 0;
    if (is_inside(to_path, from_path))
        return EINVAL;
    error = check_replacement(&from, &to);
    if (error != 0)
        return error;
    if (from.directory == to.directory)
        return mem_directory_rename(from.directory, from.name, to.name);
    error = mem_directory_add(to.directory, to.name, from.inode);
    return error != 0 ? error : mem_directory_remove(from.directory, from.name);
}

struct kvs_status mem_rename(struct io *io, const char *from, const char *to)
{
    struct io_mem *mem = mem_of(io);
    struct mem_call call;
    int error = mem_call_start(&call, mem, true);
    if (error == 0)
        error = rename_locked(mem, from, to);
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot rename %s to %s%s", from, to, mem_note(mem));
    return status_ok();
}

/* Take away a name; is_directory: of an empty folder, else of a file. */
static int remove_locked(struct io_mem *mem, const char *path, bool is_directory)
{
    struct mem_place place;
    int error = find_place(mem, &place, path);
    if (error != 0)
        return error;
    if (place.inode == NULL)
        return ENOENT;
    if (place.inode->is_directory != is_directory)
        return is_directory ? ENOTDIR : EISDIR;
    if (place.inode->live_names.count > 0)
        return ENOTEMPTY;
    return mem_directory_remove(place.directory, place.name);
}

struct kvs_status mem_unlink(struct io *io, const char *path)
{
    struct io_mem *mem = mem_of(io);
    struct mem_call call;
    int error = mem_call_start(&call, mem, true);
    if (error == 0)
        error = remove_locked(mem, path, false);
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot unlink %s%s", path, mem_note(mem));
    return status_ok();
}

struct kvs_status mem_remove_directory(struct io *io, const char *path)
{
    struct io_mem *mem = mem_of(io);
    struct mem_call call;
    int error = mem_call_start(&call, mem, true);
    if (error == 0)
        error = remove_locked(mem, path, true);
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot remove folder %s%s", path, mem_note(mem));
    return status_ok();
}

static int link_locked(struct io_mem *mem, const char *from_path, const char *to_path)
{
    struct mem_place from, to;
    int error = find_two_places(mem, &from, &to, from_path, to_path);
    if (error != 0)
        return error;
    if (to.inode != NULL)
        return EEXIST;
    if (from.inode->is_directory)
        return EPERM;
    return mem_directory_add(to.directory, to.name, from.inode);
}

struct kvs_status mem_link(struct io *io, const char *from, const char *to)
{
    struct io_mem *mem = mem_of(io);
    struct mem_call call;
    int error = mem_call_start(&call, mem, true);
    if (error == 0)
        error = link_locked(mem, from, to);
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot link %s to %s%s", from, to, mem_note(mem));
    return status_ok();
}

static int make_directory_locked(struct io_mem *mem, const char *path)
{
    struct mem_place place;
    int error = find_place(mem, &place, path);
    if (error != 0)
        return error;
    if (place.inode != NULL)
        return EEXIST;
    struct mem_inode *directory = mem_inode_new(mem, true);
    if (directory == NULL)
        return ENOMEM;
    error = mem_directory_add(place.directory, place.name, directory);
    mem_inode_unref(directory);
    return error;
}

struct kvs_status mem_make_directory(struct io *io, const char *path)
{
    struct io_mem *mem = mem_of(io);
    struct mem_call call;
    int error = mem_call_start(&call, mem, true);
    if (error == 0)
        error = make_directory_locked(mem, path);
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot make folder %s%s", path, mem_note(mem));
    return status_ok();
}

/* The names of a folder as they are now, one after the other, each ended by a zero byte and the last by an empty one; NULL where there is no memory. */
static char *copy_names(const struct mem_names *names)
{
    size_t size = 1;
    for (size_t index = 0; index < names->count; index++)
        size += strlen(names->items[index].name) + 1;
    char *copy = malloc(size), *at = copy;
    if (copy == NULL)
        return NULL;
    for (size_t index = 0; index < names->count; index++)
        at = stpcpy(at, names->items[index].name) + 1;
    *at = '\0';
    return copy;
}

static int find_directory(struct io_mem *mem, struct mem_inode **directory, const char *path)
{
    int error = mem_find(mem, directory, path);
    return error == 0 && !(*directory)->is_directory ? ENOTDIR : error;
}

struct kvs_status mem_list(struct io *io, const char *path, io_list_visit *visit, void *context)
{
    struct io_mem *mem = mem_of(io);
    struct mem_call call;
    struct mem_inode *directory;
    char *names = NULL;
    int error = mem_call_start(&call, mem, false);
    if (error == 0)
        error = find_directory(mem, &directory, path);
    if (error == 0 && (names = copy_names(&directory->live_names)) == NULL)
        error = ENOMEM;
    error = mem_call_end(&call, error);
    if (error != 0) {
        free(names);
        return STATUS_ERRNO(error, "cannot list folder %s%s", path, mem_note(mem));
    }
    KVS_ASSERT(names != NULL);
    /* A visitor may call the disk. */
    for (const char *name = names; *name != '\0' && visit(context, name);)
        name += strlen(name) + 1;
    free(names);
    return status_ok();
}

struct kvs_status mem_directory_sync(struct io *io, const char *path, enum io_sync_tag tag)
{
    struct io_mem *mem = mem_of(io);
    struct mem_call call;
    struct mem_inode *directory = NULL;
    int error = mem_call_begin(&call, mem, true);
    uint64_t tick = mem->tick;
    if (error == 0)
        error = find_directory(mem, &directory, path);
    if (error == 0) {
        mem_inode_use(directory);
        error = mem_call_step(&call);
        if (error == 0)
            error = mem_name_changes_settle(directory, tick);
        mem_inode_unuse(directory);
    }
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot sync folder %s (SYNC-%d)%s", path, (int)tag, mem_note(mem));
    return status_ok();
}

struct kvs_status mem_exists(struct io *io, bool *exists, const char *path)
{
    struct io_mem *mem = mem_of(io);
    struct mem_call call;
    struct mem_inode *inode;
    int error = mem_call_start(&call, mem, false);
    if (error == 0)
        error = mem_find(mem, &inode, path);
    error = mem_call_end(&call, error);
    if (error != 0 && error != ENOENT && error != ENOTDIR)
        return STATUS_ERRNO(error, "cannot tell whether %s exists%s", path, mem_note(mem));
    *exists = error == 0;
    return status_ok();
}

/* An open-file-description lock: of the handle, not of the process. */
static int take_lock(struct mem_lock_handle *handle)
{
    struct mem_inode *inode = handle->inode;
    if (inode->locked || (!handle->shared && inode->shared_locks > 0))
        return EAGAIN;
    inode->locked = !handle->shared;
    inode->shared_locks += handle->shared;
    mem_inode_use(inode);
    inode->mem->open_count++;
    return 0;
}

struct kvs_status mem_lock(struct io *io, struct io_lock **lock, const char *path, bool shared)
{
    struct io_mem *mem = mem_of(io);
    struct mem_lock_handle *handle = malloc(sizeof *handle);
    if (handle == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot lock %s: no memory", path);
    *handle = (struct mem_lock_handle){.lock.io = io, .shared = shared};
    struct mem_call call;
    bool created;
    int error = mem_call_start(&call, mem, true);
    if (error == 0)
        error = mem_find_or_create(mem, &handle->inode, &created, path);
    if (error == 0)
        error = take_lock(handle);
    bool locked = error == 0;
    error = mem_call_end(&call, error);
    if (error == 0) {
        *lock = &handle->lock;
        return status_ok();
    }
    if (locked)
        mem_unlock(&handle->lock);
    else
        free(handle);
    if (error == EAGAIN)
        return STATUS(KVS_LOCKED, "%s is locked: another process or handle has it open", path);
    return STATUS_ERRNO(error, "cannot lock %s%s", path, mem_note(mem));
}

void mem_unlock(struct io_lock *lock)
{
    struct mem_lock_handle *handle = (struct mem_lock_handle *)lock;
    struct mem_inode *inode = handle->inode;
    struct io_mem *mem = inode->mem;
    pthread_mutex_lock(&mem->lock);
    if (handle->shared)
        inode->shared_locks--;
    else
        inode->locked = false;
    mem_inode_unuse(inode);
    mem->open_count--;
    pthread_mutex_unlock(&mem->lock);
    free(handle);
}
