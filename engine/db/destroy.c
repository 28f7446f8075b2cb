#include "base/status.h"
#include "format/file_name.h"
#include "io/io_posix.h"
#include "kvstore.h"
#include "version/version_set.h"

#include <stdio.h>

/* Names that are taken from a listing at a time. */
enum { NAMES_MAX = 64 };

/* A folder that is being emptied of what a database is made of. */
struct destroy {
    struct io *io;
    const char *folder;
    char names[NAMES_MAX][FILE_NAME_BYTES];
    size_t count;
    bool has_stranger;
};

static bool collect_own(void *context, const char *name)
{
    struct destroy *destroy = context;
    uint64_t number;
    enum file_type type = file_name_parse(&number, name);
    if (type == FILE_UNKNOWN || type == FILE_LOST)
        destroy->has_stranger = true;
    else if (type != FILE_LOCK)
        snprintf(destroy->names[destroy->count++], FILE_NAME_BYTES, "%s", name);
    return destroy->count < NAMES_MAX;
}

static struct kvs_status unlink_own(struct destroy *destroy)
{
    char path[IO_PATH_BYTES];
    do {
        destroy->count = 0;
        STATUS_RETURN_IF_ERROR(io_list(destroy->io, destroy->folder, collect_own, destroy));
        for (size_t i = 0; i < destroy->count; i++) {
            snprintf(path, sizeof path, "%s/%s", destroy->folder, destroy->names[i]);
            STATUS_RETURN_IF_ERROR(io_unlink(destroy->io, path));
        }
    } while (destroy->count != 0);
    return status_ok();
}

/* CURRENT goes first: what is left without it is no database, wherever this is cut short. */
static struct kvs_status destroy_locked(struct destroy *destroy, const char *current_path, const char *lock_path)
{
    STATUS_RETURN_IF_ERROR(io_unlink(destroy->io, current_path));
    STATUS_RETURN_IF_ERROR(unlink_own(destroy));
    STATUS_RETURN_IF_ERROR(io_unlink(destroy->io, lock_path));
    return destroy->has_stranger ? status_ok() : io_remove_directory(destroy->io, destroy->folder);
}

struct kvs_status kvs_destroy(const char *path)
{
    struct destroy destroy = {.io = io_posix(), .folder = path};
    struct io_lock *lock = NULL;
    char lock_path[IO_PATH_BYTES], current_path[IO_PATH_BYTES];
    bool found;
    /* Other engines have files of the same names: only a CURRENT of ours makes a database of ours. */
    STATUS_RETURN_IF_ERROR(version_set_find(&found, destroy.io, path));
    if (!found)
        return STATUS(KVS_NOT_FOUND, "there is no database in %s", path);
    STATUS_RETURN_IF_ERROR(file_name_path(lock_path, path, FILE_LOCK, 0));
    STATUS_RETURN_IF_ERROR(file_name_path(current_path, path, FILE_CURRENT, 0));
    STATUS_RETURN_IF_ERROR(io_lock(destroy.io, &lock, lock_path, false));
    struct kvs_status status = destroy_locked(&destroy, current_path, lock_path);
    io_unlock(lock);
    return status;
}
