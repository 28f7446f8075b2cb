/* io_posix_calls.h -- the system calls behind the posix table, private to the room.
 *
 * Role      io_posix.c puts these into one struct io_ops; each does what its namesake in io.h promises.
 */
#ifndef KVS_IO_IO_POSIX_CALLS_H
#define KVS_IO_IO_POSIX_CALLS_H

#include "io/io.h"

/* io_posix_file.c: one open file. */
struct kvs_status posix_file_open(struct io *io, struct io_file **file, const char *path, enum io_open_mode mode);
struct kvs_status posix_file_read(struct io_file *file, void *buffer, size_t *read_bytes, size_t size, uint64_t offset);
struct kvs_status posix_file_write(struct io_file *file, const void *data, size_t size, uint64_t offset);
struct kvs_status posix_file_sync(struct io_file *file, enum io_sync_tag tag);
struct kvs_status posix_file_preallocate(struct io_file *file, uint64_t offset, uint64_t size);
struct kvs_status posix_file_truncate(struct io_file *file, uint64_t size);
void posix_file_start_writeback(struct io_file *file, uint64_t offset, uint64_t size);
struct kvs_status posix_file_size(struct io_file *file, uint64_t *size);
void posix_file_close(struct io_file *file);

/* io_posix_path.c: names, folders and locks. */
struct kvs_status posix_rename(struct io *io, const char *from, const char *to);
struct kvs_status posix_unlink(struct io *io, const char *path);
struct kvs_status posix_link(struct io *io, const char *from, const char *to);
struct kvs_status posix_make_directory(struct io *io, const char *path);
struct kvs_status posix_remove_directory(struct io *io, const char *path);
struct kvs_status posix_list(struct io *io, const char *path, io_list_visit *visit, void *context);
struct kvs_status posix_directory_sync(struct io *io, const char *path, enum io_sync_tag tag);
struct kvs_status posix_exists(struct io *io, bool *exists, const char *path);
struct kvs_status posix_lock(struct io *io, struct io_lock **lock, const char *path, bool shared);
void posix_unlock(struct io_lock *lock);
struct kvs_status posix_free_space(struct io *io, uint64_t *free_bytes, const char *path);

/* open(2) with O_CLOEXEC, retried when a signal interrupts it; -1 and errno on failure. mode counts with O_CREAT only. */
int posix_open_descriptor(const char *path, int flags, unsigned mode);

#endif
