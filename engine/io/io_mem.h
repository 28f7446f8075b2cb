/* io_mem.h -- a disk in memory that forgets, at a power cut, everything that nobody made durable.
 *
 * Role      Tests and simulations run the engine on it, stop it at any call, and open what a real disk might have held. It is as strict as the
 *           weakest file system that keeps its promises:
 *             - reads see the page cache: every write at once;
 *             - a write, truncation or preallocation is durable once a file sync that began after it had returned has returned;
 *             - a name (made, renamed, linked, unlinked, a new folder's too) is durable once a directory sync of its folder that began after it has
 *               returned; syncing a file says nothing of its name, and a name can be durable before the bytes are;
 *             - a rename within a folder is atomic; one between folders is an addition and a removal, each durable with its own folder.
 * Steps     Each call is two steps, begun and done, around which a scheduler, if attached, lets other fibers run. A write may be seen in part between.
 * Crash     At a chosen call the power goes: that call and every later one fail with KVS_IO, so that the engine winds down on its ordinary error paths and
 *           leaks nothing. The disk stays as it was at that moment; clones say what a restarted machine finds.
 * Threads   Any thread; one lock.
 * Failure   No memory is NO_MEMORY (NULL from what makes a disk), as any other error.
 */
#ifndef KVS_IO_IO_MEM_H
#define KVS_IO_IO_MEM_H

#include "io/io.h"

struct io_mem;

/* Where in a call the power goes. */
enum io_mem_moment {
    IO_MEM_BEFORE,  /* nothing of the call has happened */
    IO_MEM_HALFWAY, /* begun: a part of a write is in the page cache; other calls have done nothing yet */
    IO_MEM_AFTER    /* its effect is complete, but the caller is told that it failed */
};

/* What a power cut leaves of the changes that were not durable. Names and bytes are decided independently, except in the first three. */
enum io_mem_keep {
    IO_MEM_KEEP_NONE,    /* only what is durable */
    IO_MEM_KEEP_ALL,     /* everything that was begun */
    IO_MEM_KEEP_PREFIX,  /* the oldest changes, up to some moment, the last one in part: a disk that keeps order */
    IO_MEM_KEEP_SUFFIX,  /* in each file later writes and not earlier ones */
    IO_MEM_KEEP_RANDOM,  /* each change by itself; what a failed sync lost may be there too */
    IO_MEM_KEEP_SECTORS, /* each 512-byte sector of each write by itself */
    IO_MEM_KEEP_PAGES,   /* each 4 KiB page of each write by itself */
    IO_MEM_KEEP_ZEROS,   /* each write, or only the size that it gave the file, zeros where it should be */
    IO_MEM_KEEP_GARBAGE, /* each write, none of it, or with one sector of nonsense */
    IO_MEM_KEEP_MIXED,   /* for each file one of the above */
    IO_MEM_KEEP_COUNT
};

/* An empty disk: one folder, "/". Paths are taken from there, with or without a slash in front; ".." is refused. NULL where there is no memory.
 *
 * seed       of io_random and of how much of a write is seen halfway
 * scheduler  NULL for real threads and the real monotonic clock; borrowed */
struct io_mem *io_mem_new(uint64_t seed, struct io_scheduler *scheduler);

/* Free the disk. Its files and locks must have been closed. NULL is allowed. */
void io_mem_free(struct io_mem *mem);

/* The seam to it, valid as long as the disk. */
struct io *io_mem_as_io(struct io_mem *mem);

/* Use another scheduler, or none; not while a call is under way, and before a fault or trace wraps the disk: they take it over when made. */
void io_mem_set_scheduler(struct io_mem *mem, struct io_scheduler *scheduler);

/* Let the disk hold so many bytes, in pages of 4 KiB; more may be in use already. A write that does not fit lands in part and fails with NO_SPACE; one into
 * preallocated or written room always fits. */
void io_mem_set_capacity(struct io_mem *mem, uint64_t capacity_bytes);

/* How many calls that can change the disk or make a change durable have begun (those of IO_CALLS_THAT_CHANGE, opening only where it creates, and locking). The
 * first has number 1. Reading calls are not counted: a power cut before one leaves what it leaves after the change before it. */
uint64_t io_mem_call_count(struct io_mem *mem);

/* Cut the power at the counted call of that number; 0 takes the plan back. */
void io_mem_crash_at(struct io_mem *mem, uint64_t number, enum io_mem_moment moment);

void io_mem_crash_now(struct io_mem *mem);
bool io_mem_has_crashed(struct io_mem *mem);

/* What the disk holds when the machine comes back: a new disk with nothing pending, no scheduler, no plan to crash, its wall clock a second later. The
 * original is unchanged, so that many ends of one crash can be looked at. The caller frees it; NULL where there is no memory. */
struct io_mem *io_mem_clone_after_power_cut(struct io_mem *mem, uint64_t seed, enum io_mem_keep keep);

/* Which unsynced changes a power cut leaves, each whole or not at all: one bit for each that comes up, set where it stays.
 *
 * used  out: how many came up; a change may bring others up, as a name the bytes of its file */
struct io_mem_choice {
    uint64_t bits;
    unsigned used;
};

/* As io_mem_clone_after_power_cut, with what the choice keeps; for those beyond 64 a coin decides. */
struct io_mem *io_mem_clone_by_choice(struct io_mem *mem, struct io_mem_choice *choice);

/* Go on to the next choice after a clone; from the choice without bits on, each comes once. Returns false after the last. */
bool io_mem_choice_next(struct io_mem_choice *choice);

/* What a new process finds after this one was killed: the page cache, whole, with what is pending still pending. */
struct io_mem *io_mem_clone_after_kill(struct io_mem *mem);

/* Do what a failing fsync does: everything that was written and not yet durable is now clean. Reads still see it, no later sync makes it durable, and a power cut
 * loses it. Used by io_fault.h. */
void io_mem_lose_unsynced(struct io_file *file);

/* Whether io is a disk of this kind. */
bool io_mem_is(const struct io *io);

/* For tests. None of these counts as a call, and they work after a crash. */

/* The number of files and locks that are open. */
unsigned io_mem_open_count(struct io_mem *mem);

/* Visit the path, from "/" on, of every file and folder that is seen now, in no order; return false to stop. visit must not call the disk. */
void io_mem_visit(struct io_mem *mem, io_list_visit *visit, void *context);

/* A copy of what reads of a file see, NULL where there is no such file or no memory. The caller frees it with free(). */
uint8_t *io_mem_copy_file(struct io_mem *mem, size_t *size, const char *path);

/* Overwrite bytes of a file in the page cache and on the platter, within its size. Returns false where there is no such range. */
bool io_mem_damage(struct io_mem *mem, const char *path, const void *data, size_t size, uint64_t offset);

/* Cut or extend a file in the page cache and on the platter. Returns false where there is no such file. */
bool io_mem_resize(struct io_mem *mem, const char *path, uint64_t size);

/* Whether reads see the same names and bytes on both; if not, difference says where. */
bool io_mem_is_equal(struct io_mem *a, struct io_mem *b, char *difference, size_t difference_size);

/* The name of a policy, as in "suffix". */
const char *io_mem_keep_name(enum io_mem_keep keep);

#endif
