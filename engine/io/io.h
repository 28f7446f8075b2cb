/* io.h -- the seam between the engine and the operating system: files, clocks, randomness, threads and waits.
 *
 * Role      All that the engine asks of the system goes through struct io, so that a simulated disk, a failing one or a recording one is
 *           just another implementation: posix (io_posix.h), mem (io_mem.h), fault (io_fault.h), trace (io_trace.h).
 *           Short reads and writes, EINTR and O_CLOEXEC are handled below this line, once.
 * Threads   Every call may be made from any thread. Calls on one file may run side by side (positioned reads and writes); closing one that is in
 *           use is the caller's mistake.
 * Failure   Every error names the path and, for reads and writes, offset and size. A file whose sync failed is never synced again by the engine.
 */
#ifndef KVS_IO_IO_H
#define KVS_IO_IO_H

#include "base/status.h"

enum { IO_PATH_BYTES = 4096 };

/* How a file is opened. New files get mode 0600, folders 0700. */
enum io_open_mode {
    IO_OPEN_READ,   /* existing, read only */
    IO_OPEN_WRITE,  /* existing, read and write */
    IO_OPEN_CREATE, /* must not exist: created, read and write (O_EXCL) */
    IO_OPEN_TEMPORARY /* created, or truncated to empty, read and write: for names whose content never matters before a rename */
};

/* Rows of the durability ledger (format/README.md): every sync names the row that it serves. */
enum io_sync_tag {
    SYNC_LOG_HEADER = 1,          /* a new log's header and preallocation */
    SYNC_LOG_DIRECTORY = 2,       /* the name of a new log */
    SYNC_LOG = 3,                 /* records of a log: group commit */
    SYNC_LOG_RECOVERY = 4,        /* unproven records written again into the new log */
    SYNC_SEGMENT = 5,             /* a finished segment */
    SYNC_SEGMENT_DIRECTORY = 6,   /* the names of finished segments */
    SYNC_MANIFEST_NEW = 7,        /* a manifest written whole at open */
    SYNC_MANIFEST_DIRECTORY = 8,  /* the name of a new manifest */
    SYNC_MANIFEST_EDIT = 9,       /* one version edit */
    SYNC_CURRENT = 10,            /* the temporary CURRENT before its rename */
    SYNC_CURRENT_DIRECTORY = 11,  /* the rename of CURRENT */
    SYNC_LOST = 12,               /* a set-aside tail in lost/ */
    SYNC_LOST_DIRECTORY = 13,     /* its name, and lost/ itself */
    SYNC_DATABASE_DIRECTORY = 14, /* the database folder's own name in its parent */
    SYNC_TAG_COUNT
};

struct io;
struct io_file;
struct io_lock;
struct io_scheduler;

/* Called for each name in a folder ("." and ".." left out); return false to stop. */
typedef bool io_list_visit(void *context, const char *name);

/* An implementation. Embedded as its first member by what extends it. */
struct io_ops {
    struct kvs_status (*file_open)(struct io *io, struct io_file **file, const char *path, enum io_open_mode mode);
    struct kvs_status (*file_read)(struct io_file *file, void *buffer, size_t *read_bytes, size_t size,
                                   uint64_t offset);
    struct kvs_status (*file_write)(struct io_file *file, const void *data, size_t size, uint64_t offset);
    struct kvs_status (*file_sync)(struct io_file *file, enum io_sync_tag tag);
    struct kvs_status (*file_preallocate)(struct io_file *file, uint64_t offset, uint64_t size);
    struct kvs_status (*file_truncate)(struct io_file *file, uint64_t size);
    void (*file_start_writeback)(struct io_file *file, uint64_t offset, uint64_t size); /* NULL: nothing to start */
    struct kvs_status (*file_size)(struct io_file *file, uint64_t *size);
    void (*file_close)(struct io_file *file);
    struct kvs_status (*rename)(struct io *io, const char *from, const char *to);
    struct kvs_status (*unlink)(struct io *io, const char *path);
    struct kvs_status (*link)(struct io *io, const char *from, const char *to);
    struct kvs_status (*make_directory)(struct io *io, const char *path);
    struct kvs_status (*remove_directory)(struct io *io, const char *path);
    struct kvs_status (*list)(struct io *io, const char *path, io_list_visit *visit, void *context);
    struct kvs_status (*directory_sync)(struct io *io, const char *path, enum io_sync_tag tag);
    struct kvs_status (*exists)(struct io *io, bool *exists, const char *path);
    struct kvs_status (*lock)(struct io *io, struct io_lock **lock, const char *path, bool shared);
    void (*unlock)(struct io_lock *lock);
    struct kvs_status (*free_space)(struct io *io, uint64_t *free_bytes, const char *path);
    struct kvs_status (*random)(struct io *io, void *out, size_t size);
    uint64_t (*wall_ms)(struct io *io);
    uint64_t (*monotonic_ns)(struct io *io);
};

/* scheduler  NULL for real threads; a simulation's fibers otherwise (io_thread.h) */
struct io {
    const struct io_ops *ops;
    struct io_scheduler *scheduler;
};

/* Every implementation's open file and lock begin with these. */
struct io_file {
    struct io *io;
};

struct io_lock {
    struct io *io;
};

/* Open path. file: out, the caller closes it; untouched on failure.
 *
 * Errors: NOT_FOUND, IO (EEXIST for IO_OPEN_CREATE on an existing name, EMFILE, EACCES...), NO_SPACE, NO_MEMORY. */
KVS_MUST_USE static inline struct kvs_status io_file_open(struct io *io, struct io_file **file, const char *path,
                                                          enum io_open_mode mode)
{
    return io->ops->file_open(io, file, path, mode);
}

/* Read up to size bytes at offset; *read_bytes is less than size only at the end of the file. Errors: IO. */
KVS_MUST_USE static inline struct kvs_status io_file_read(struct io_file *file, void *buffer, size_t *read_bytes,
                                                          size_t size, uint64_t offset)
{
    return file->io->ops->file_read(file, buffer, read_bytes, size, offset);
}

/* Write all size bytes at offset, extending the file as needed; not durable before a sync. After an error any part of the range may have been
 * written. Errors: NO_SPACE, IO. */
KVS_MUST_USE static inline struct kvs_status io_file_write(struct io_file *file, const void *data, size_t size,
                                                           uint64_t offset)
{
    return file->io->ops->file_write(file, data, size, offset);
}

/* fdatasync: everything written before the call began is on stable storage when it returns. Covers the file's size, never its name.
 * Errors: IO, NO_SPACE; the written pages may then be gone, and the file must not be synced again. */
KVS_MUST_USE static inline struct kvs_status io_file_sync(struct io_file *file, enum io_sync_tag tag)
{
    return file->io->ops->file_sync(file, tag);
}

/* Allocate [offset, offset + size), zero-filled where it was not written, and extend the file over it, so that later writes there do not
 * meet a full disk. File systems without fallocate get zeros written past the file's end, so there must be no writes past the end beside it. After an
 * error the file may have grown. Errors: NO_SPACE, IO. */
KVS_MUST_USE static inline struct kvs_status io_file_preallocate(struct io_file *file, uint64_t offset, uint64_t size)
{
    return file->io->ops->file_preallocate(file, offset, size);
}

/* Ask the system to begin writing [offset, offset + size) to the device; waits while too much that was asked for before is on its way. Says nothing about
 * durability: it only keeps a later sync of a large file, and every other file's sync beside it, short. A failure is told by that sync. (Idea:
 * strict_bytes_per_sync of RocksDB.) */
static inline void io_file_start_writeback(struct io_file *file, uint64_t offset, uint64_t size)
{
    if (file->io->ops->file_start_writeback != NULL)
        file->io->ops->file_start_writeback(file, offset, size);
}

/* Errors: IO. */
KVS_MUST_USE static inline struct kvs_status io_file_truncate(struct io_file *file, uint64_t size)
{
    return file->io->ops->file_truncate(file, size);
}

/* Errors: IO. */
KVS_MUST_USE static inline struct kvs_status io_file_size(struct io_file *file, uint64_t *size)
{
    return file->io->ops->file_size(file, size);
}

/* Close without syncing; NULL is allowed. A failing close says nothing that a sync has not said, so it is not reported. */
static inline void io_file_close(struct io_file *file)
{
    if (file != NULL)
        file->io->ops->file_close(file);
}

/* Replace to by from, atomically; durable after io_directory_sync of the folder. Errors: NOT_FOUND, IO, NO_SPACE. */
KVS_MUST_USE static inline struct kvs_status io_rename(struct io *io, const char *from, const char *to)
{
    return io->ops->rename(io, from, to);
}

/* Errors: NOT_FOUND, IO. */
KVS_MUST_USE static inline struct kvs_status io_unlink(struct io *io, const char *path)
{
    return io->ops->unlink(io, path);
}

/* Errors: NOT_FOUND, IO (EEXIST, EXDEV...). */
KVS_MUST_USE static inline struct kvs_status io_link(struct io *io, const char *from, const char *to)
{
    return io->ops->link(io, from, to);
}

/* Errors: IO (EEXIST too), NO_SPACE, NOT_FOUND (the parent). */
KVS_MUST_USE static inline struct kvs_status io_make_directory(struct io *io, const char *path)
{
    return io->ops->make_directory(io, path);
}

/* Errors: NOT_FOUND, IO (ENOTEMPTY...). */
KVS_MUST_USE static inline struct kvs_status io_remove_directory(struct io *io, const char *path)
{
    return io->ops->remove_directory(io, path);
}

/* Visit each name in a folder, in no order. Errors: NOT_FOUND, IO. */
KVS_MUST_USE static inline struct kvs_status io_list(struct io *io, const char *path, io_list_visit *visit,
                                                     void *context)
{
    return io->ops->list(io, path, visit, context);
}

/* Make the names in a folder durable. Explicit, never a side effect of another call. Errors: IO. */
KVS_MUST_USE static inline struct kvs_status io_directory_sync(struct io *io, const char *path, enum io_sync_tag tag)
{
    return io->ops->directory_sync(io, path, tag);
}

/* Errors: IO. */
KVS_MUST_USE static inline struct kvs_status io_exists(struct io *io, bool *exists, const char *path)
{
    return io->ops->exists(io, exists, path);
}

/* Lock a file (created if absent) for this handle, exclusively or shared: an open-file-description lock, so that a second open in the same process is refused
 * too, and a kill releases it. Does not wait. Errors: LOCKED, IO, NO_SPACE. */
KVS_MUST_USE static inline struct kvs_status io_lock(struct io *io, struct io_lock **lock, const char *path,
                                                     bool shared)
{
    return io->ops->lock(io, lock, path, shared);
}

static inline void io_unlock(struct io_lock *lock)
{
    if (lock != NULL)
        lock->io->ops->unlock(lock);
}

/* Bytes that an unprivileged writer can still allocate on the file system of path. Errors: IO, NOT_FOUND. */
KVS_MUST_USE static inline struct kvs_status io_free_space(struct io *io, uint64_t *free_bytes, const char *path)
{
    return io->ops->free_space(io, free_bytes, path);
}

/* Random bytes for identities (uuid, file ids); seeded in a simulation. Errors: IO. */
KVS_MUST_USE static inline struct kvs_status io_random(struct io *io, void *out, size_t size)
{
    return io->ops->random(io, out, size);
}

/* Milliseconds since 1970; may step back. */
static inline uint64_t io_wall_ms(struct io *io)
{
    return io->ops->wall_ms(io);
}

/* Nanoseconds since an arbitrary point; never steps back. */
static inline uint64_t io_monotonic_ns(struct io *io)
{
    return io->ops->monotonic_ns(io);
}

#endif
