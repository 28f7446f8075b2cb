/* io_mem_internal.h -- the inside of the simulated disk, shared by the files io_mem*.c and nobody else.
 *
 * Role      io_mem.c            life, the steps of a call, clocks, the table of calls
 *           io_mem_inode.c      inodes, names, unsynced changes, space
 *           io_mem_file.c       calls on an open file
 *           io_mem_path.c       calls on names, locks
 *           io_mem_cut.c        what a power cut or a kill leaves
 *           io_mem_inspect.c    looking at a disk and damaging it, for tests
 * Threads   Everything here is under mem->lock, which no step holds while others run, except where said otherwise.
 * Failure   Functions return 0 or an errno; the call that fails makes the sentence.
 */
#ifndef KVS_IO_IO_MEM_INTERNAL_H
#define KVS_IO_IO_MEM_INTERNAL_H

#include "io/io_mem.h"
#include "io/io_mem_bytes.h"
#include "io/io_seed.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MEM_NAME_BYTES = 256 };

enum mem_change_kind { MEM_WRITE, MEM_TRUNCATE, MEM_EXTEND };

/* One change of a file's bytes that is not durable.
 *
 * began  the disk's tick when it began; changes of one file are listed in this order
 * ended  the tick when it was complete, 0 while it is under way
 * lost   a failed sync has dropped it: no later one makes it durable
 * size   MEM_WRITE: bytes in data, at offset; the others: the size that the file is cut or extended to
 * landed MEM_WRITE under way: how many bytes of it reads see */
struct mem_change {
    struct mem_change *next;
    enum mem_change_kind kind;
    bool lost;
    uint64_t began;
    uint64_t ended;
    uint64_t offset;
    uint64_t size;
    uint64_t landed;
    uint8_t data[];
};

enum mem_name_change_kind { MEM_NAME_ADD, MEM_NAME_REMOVE, MEM_NAME_RENAME };

/* One change of a folder's names that is not durable; complete when it is listed.
 *
 * inode    what is added or renamed, referenced; NULL for a removal
 * renamed  MEM_NAME_RENAME: the new name, which may replace another; points into name */
struct mem_name_change {
    struct mem_name_change *next;
    enum mem_name_change_kind kind;
    uint64_t tick;
    struct mem_inode *inode;
    char *renamed;
    char name[];
};

/* A name and what it stands for, referenced. */
struct mem_name {
    char *name;
    struct mem_inode *inode;
};

struct mem_names {
    struct mem_name *items;
    size_t count;
    size_t capacity;
};

/* A file or a folder.
 *
 * refs     names, live and durable, unsynced changes of names, and handles
 * in_use   live names and handles: as long as there is one, the file takes room on the disk
 * charged  the pages that it takes */
struct mem_inode {
    struct io_mem *mem;
    struct mem_inode *next;
    struct mem_inode **previous_next;
    size_t refs;
    size_t in_use;
    uint64_t charged;
    bool is_directory;

    struct mem_bytes live; /* what reads see */
    struct mem_bytes durable;
    struct mem_change *changes;
    struct mem_change **changes_end;

    struct mem_names live_names;
    struct mem_names durable_names;
    struct mem_name_change *name_changes;
    struct mem_name_change **name_changes_end;

    bool locked;
    unsigned shared_locks;

    struct mem_inode *clone; /* while a clone is made: its counterpart, if made already */
};

struct io_mem {
    struct io io;
    pthread_mutex_t lock;
    struct io_seed seed;
    struct mem_inode *root;
    struct mem_inode *inodes; /* all of them */
    uint64_t tick;            /* goes on with each change, begun or ended */
    uint64_t capacity_pages;
    uint64_t charged_pages;
    unsigned open_count;
    uint64_t wall_start_ms;
    uint64_t monotonic_start_ns;

    uint64_t call_count;
    uint64_t crash_number; /* 0: no plan */
    enum io_mem_moment crash_moment;
    _Atomic bool crashed; /* written under the lock; read without it for sentences only: relaxed */
};

/* io_mem.c */

/* One call under way. */
struct mem_call {
    struct io_mem *mem;
    uint64_t number; /* 0 for calls that are not counted */
};

struct io_mem *mem_of(struct io *io);

/* Begin a call; locks the disk, on failure too. changes: whether it counts. Errors: EIO after a power cut. */
KVS_MUST_USE int mem_call_begin(struct mem_call *call, struct io_mem *mem, bool changes);

/* Let others run between begun and done; error 0 before this step. Errors: EIO where the power was cut meanwhile. */
KVS_MUST_USE int mem_call_step(struct mem_call *call);

/* Both, for calls that do all their work in the second step. */
KVS_MUST_USE int mem_call_start(struct mem_call *call, struct io_mem *mem, bool changes);

/* Unlock, let others run; returns error, or EIO where the power is cut at the end of this call. */
KVS_MUST_USE int mem_call_end(struct mem_call *call, int error);

/* What sentences of errors end with: names the power cut if there was one. Needs no lock. */
const char *mem_note(struct io_mem *mem);

/* io_mem_inode.c */

/* A new inode with one reference; NULL where there is no memory. */
struct mem_inode *mem_inode_new(struct io_mem *mem, bool is_directory);
struct mem_inode *mem_inode_ref(struct mem_inode *inode);
void mem_inode_unref(struct mem_inode *inode);

/* Let go of everything that a folder names, as when it is freed. */
void mem_inode_forget_names(struct mem_inode *inode);

/* A live name or a handle: a reference that keeps its room on the disk. */
struct mem_inode *mem_inode_use(struct mem_inode *inode);
void mem_inode_unuse(struct mem_inode *inode);

/* Charge the disk for a file of size bytes. Errors: ENOSPC; nothing is charged then. */
KVS_MUST_USE int mem_charge(struct mem_inode *inode, uint64_t size);

/* The size up to which the file could grow now. */
uint64_t mem_size_limit(const struct mem_inode *inode);

/* A change with room for data_size bytes, not listed; freed with free(). NULL where there is no memory. */
struct mem_change *mem_change_new(enum mem_change_kind kind, size_t data_size);

/* List a change as begun. The inode owns it from here on. */
void mem_change_begin(struct mem_inode *inode, struct mem_change *change);
void mem_change_finish(struct mem_inode *inode, struct mem_change *change);

/* Do to bytes what the change says. Errors: ENOMEM. */
KVS_MUST_USE int mem_change_apply(const struct mem_change *change, struct mem_bytes *bytes);

/* Make durable what ended at or before tick. Errors: ENOMEM; some may then be durable. */
KVS_MUST_USE int mem_changes_settle(struct mem_inode *inode, uint64_t tick);
KVS_MUST_USE int mem_name_changes_settle(struct mem_inode *directory, uint64_t tick);

/* NULL where there is none. */
struct mem_inode *mem_names_find(const struct mem_names *names, const char *name);

/* Add, or replace. The list takes a reference, and a use if live. Errors: ENOMEM. */
KVS_MUST_USE int mem_names_set(struct mem_names *names, const char *name, struct mem_inode *inode, bool live);
void mem_names_remove(struct mem_names *names, const char *name, bool live);
void mem_names_fini(struct mem_names *names, bool live);

/* Do to names what the change says; they are not live ones. Errors: ENOMEM. */
KVS_MUST_USE int mem_name_change_apply(const struct mem_name_change *change, struct mem_names *names);

/* List a copy of another disk's change, of inode, which may be NULL for a removal. Errors: ENOMEM. */
KVS_MUST_USE int mem_name_change_copy(struct mem_inode *directory, const struct mem_name_change *change,
                                      struct mem_inode *inode);

/* Change a folder's live names and list the change. to is NULL but for a rename. Errors: ENOMEM; nothing has changed then. */
KVS_MUST_USE int mem_directory_add(struct mem_inode *directory, const char *name, struct mem_inode *inode);
KVS_MUST_USE int mem_directory_remove(struct mem_inode *directory, const char *name);
KVS_MUST_USE int mem_directory_rename(struct mem_inode *directory, const char *name, const char *to);

/* What a path stands for, borrowed. Errors: ENOENT, ENOTDIR, EINVAL (".."), ENAMETOOLONG. */
KVS_MUST_USE int mem_find(struct io_mem *mem, struct mem_inode **inode, const char *path);

/* The folder that a path's last component is in, borrowed, and that component. Errors: as mem_find, EINVAL where there is none. */
KVS_MUST_USE int mem_find_parent(struct io_mem *mem, struct mem_inode **directory, char name[MEM_NAME_BYTES],
                                 const char *path);

/* io_mem_file.c */
struct kvs_status mem_file_open(struct io *io, struct io_file **file, const char *path, enum io_open_mode mode);
struct kvs_status mem_file_read(struct io_file *file, void *buffer, size_t *read_bytes, size_t size, uint64_t offset);
struct kvs_status mem_file_write(struct io_file *file, const void *data, size_t size, uint64_t offset);
struct kvs_status mem_file_sync(struct io_file *file, enum io_sync_tag tag);
struct kvs_status mem_file_preallocate(struct io_file *file, uint64_t offset, uint64_t size);
struct kvs_status mem_file_truncate(struct io_file *file, uint64_t size);
struct kvs_status mem_file_size(struct io_file *file, uint64_t *size);
void mem_file_close(struct io_file *file);

/* io_mem_path.c */
struct kvs_status mem_rename(struct io *io, const char *from, const char *to);
struct kvs_status mem_unlink(struct io *io, const char *path);
struct kvs_status mem_link(struct io *io, const char *from, const char *to);
struct kvs_status mem_make_directory(struct io *io, const char *path);
struct kvs_status mem_remove_directory(struct io *io, const char *path);
struct kvs_status mem_list(struct io *io, const char *path, io_list_visit *visit, void *context);
struct kvs_status mem_directory_sync(struct io *io, const char *path, enum io_sync_tag tag);
struct kvs_status mem_exists(struct io *io, bool *exists, const char *path);
struct kvs_status mem_lock(struct io *io, struct io_lock **lock, const char *path, bool shared);
void mem_unlock(struct io_lock *lock);

/* Find a file, or make it with a name that is not durable; borrowed. Errors: as mem_find, EISDIR, ENOMEM. */
KVS_MUST_USE int mem_find_or_create(struct io_mem *mem, struct mem_inode **inode, bool *created, const char *path);

#endif
