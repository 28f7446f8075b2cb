#include "io/io_mem_internal.h"

#include "base/assert.h"
#include "io/io_fiber.h"
#include "io/io_posix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where the wall clock of a new disk stands. */
static const uint64_t wall_epoch_ms = UINT64_C(1700000000000);

enum { NS_PER_MS = 1000000 };

struct io_mem *mem_of(struct io *io)
{
    return (struct io_mem *)io;
}

static void run_others(struct io_mem *mem)
{
    if (mem->io.scheduler != NULL)
        io_scheduler_yield(mem->io.scheduler);
}

/* Whether this is where the power goes; if so it is gone. */
static bool crash_is_due(struct mem_call *call, enum io_mem_moment moment)
{
    struct io_mem *mem = call->mem;
    if (call->number != 0 && call->number == mem->crash_number && moment == mem->crash_moment)
        atomic_store_explicit(&mem->crashed, true, memory_order_relaxed);
    return atomic_load_explicit(&mem->crashed, memory_order_relaxed);
}

int mem_call_begin(struct mem_call *call, struct io_mem *mem, bool changes)
{
    run_others(mem);
    pthread_mutex_lock(&mem->lock);
    *call = (struct mem_call){.mem = mem, .number = 0};
    if (atomic_load_explicit(&mem->crashed, memory_order_relaxed))
        return EIO;
    if (changes)
        call->number = ++mem->call_count;
    return crash_is_due(call, IO_MEM_BEFORE) ? EIO : 0;
}

int mem_call_step(struct mem_call *call)
{
    struct io_mem *mem = call->mem;
    if (crash_is_due(call, IO_MEM_HALFWAY))
        return EIO;
    pthread_mutex_unlock(&mem->lock);
    run_others(mem);
    pthread_mutex_lock(&mem->lock);
    return atomic_load_explicit(&mem->crashed, memory_order_relaxed) ? EIO : 0;
}

int mem_call_start(struct mem_call *call, struct io_mem *mem, bool changes)
{
    int error = mem_call_begin(call, mem, changes);
    return error != 0 ? error : mem_call_step(call);
}

int mem_call_end(struct mem_call *call, int error)
{
    struct io_mem *mem = call->mem;
    if (crash_is_due(call, IO_MEM_AFTER) && error == 0)
        error = EIO;
    pthread_mutex_unlock(&mem->lock);
    run_others(mem);
    return error;
}

const char *mem_note(struct io_mem *mem)
{
    return io_mem_has_crashed(mem) ? " (simulated power cut)" : "";
}

static struct kvs_status free_space_of(struct io *io, uint64_t *free_bytes, const char *path)
{
    struct io_mem *mem = mem_of(io);
    struct mem_call call;
    struct mem_inode *inode;
    uint64_t pages = 0;
    int error = mem_call_start(&call, mem, false);
    if (error == 0)
        error = mem_find(mem, &inode, path);
    if (error == 0 && mem->charged_pages < mem->capacity_pages)
        pages = mem->capacity_pages - mem->charged_pages;
    error = mem_call_end(&call, error);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot tell the free space at %s%s", path, mem_note(mem));
    *free_bytes = pages * MEM_PAGE_BYTES;
    return status_ok();
}

static struct kvs_status seeded_random(struct io *io, void *out, size_t size)
{
    struct io_mem *mem = mem_of(io);
    uint8_t *at = out;
    pthread_mutex_lock(&mem->lock);
    while (size > 0) {
        uint64_t word = io_seed_next(&mem->seed);
        size_t chunk = size < sizeof word ? size : sizeof word;
        memcpy(at, &word, chunk);
        at += chunk;
        size -= chunk;
    }
    pthread_mutex_unlock(&mem->lock);
    return status_ok();
}

static uint64_t monotonic_ns_of(struct io *io)
{
    return io->scheduler != NULL ? io_scheduler_now_ns(io->scheduler) : io_monotonic_ns(io_posix());
}

static uint64_t wall_ms_of(struct io *io)
{
    struct io_mem *mem = mem_of(io);
    return mem->wall_start_ms + (monotonic_ns_of(io) - mem->monotonic_start_ns) / NS_PER_MS;
}

static const struct io_ops mem_ops = {
    .file_open = mem_file_open,
    .file_read = mem_file_read,
    .file_write = mem_file_write,
    .file_sync = mem_file_sync,
    .file_preallocate = mem_file_preallocate,
    .file_truncate = mem_file_truncate,
    .file_size = mem_file_size,
    .file_close = mem_file_close,
    .rename = mem_rename,
    .unlink = mem_unlink,
    .link = mem_link,
    .make_directory = mem_make_directory,
    .remove_directory = mem_remove_directory,
    .list = mem_list,
    .directory_sync = mem_directory_sync,
    .exists = mem_exists,
    .lock = mem_lock,
    .unlock = mem_unlock,
    .free_space = free_space_of,
    .random = seeded_random,
    .wall_ms = wall_ms_of,
    .monotonic_ns = monotonic_ns_of,
};

struct io_mem *io_mem_new(uint64_t seed, struct io_scheduler *scheduler)
{
    struct io_mem *mem = calloc(1, sizeof *mem);
    if (mem == NULL)
        return NULL;
    mem->io = (struct io){.ops = &mem_ops, .scheduler = scheduler};
    mem->root = mem_inode_new(mem, true);
    if (mem->root == NULL) {
        free(mem);
        return NULL;
    }
    pthread_mutex_init(&mem->lock, NULL);
    mem->seed = io_seed_of(seed);
    mem->capacity_pages = UINT64_C(1) << 32;
    mem->wall_start_ms = wall_epoch_ms;
    mem->monotonic_start_ns = monotonic_ns_of(&mem->io);
    return mem;
}

/* Folders that were moved into each other can hold each other through durable names, so references alone would not free them. */
static void free_inodes(struct io_mem *mem)
{
    for (struct mem_inode *inode = mem->inodes; inode != NULL; inode = inode->next)
        mem_inode_ref(inode);
    for (struct mem_inode *inode = mem->inodes; inode != NULL; inode = inode->next)
        mem_inode_forget_names(inode);
    mem_inode_unref(mem->root);
    while (mem->inodes != NULL)
        mem_inode_unref(mem->inodes);
}

void io_mem_free(struct io_mem *mem)
{
    if (mem == NULL)
        return;
    KVS_ASSERT(mem->open_count == 0);
    free_inodes(mem);
    pthread_mutex_destroy(&mem->lock);
    free(mem);
}

struct io *io_mem_as_io(struct io_mem *mem)
{
    return &mem->io;
}

bool io_mem_is(const struct io *io)
{
    return io->ops == &mem_ops;
}

void io_mem_set_scheduler(struct io_mem *mem, struct io_scheduler *scheduler)
{
    uint64_t wall_ms = wall_ms_of(&mem->io);
    mem->io.scheduler = scheduler;
    mem->wall_start_ms = wall_ms;
    mem->monotonic_start_ns = monotonic_ns_of(&mem->io);
}

void io_mem_set_capacity(struct io_mem *mem, uint64_t capacity_bytes)
{
    pthread_mutex_lock(&mem->lock);
    mem->capacity_pages = capacity_bytes / MEM_PAGE_BYTES;
    pthread_mutex_unlock(&mem->lock);
}

uint64_t io_mem_call_count(struct io_mem *mem)
{
    pthread_mutex_lock(&mem->lock);
    uint64_t count = mem->call_count;
    pthread_mutex_unlock(&mem->lock);
    return count;
}

void io_mem_crash_at(struct io_mem *mem, uint64_t number, enum io_mem_moment moment)
{
    pthread_mutex_lock(&mem->lock);
    mem->crash_number = number;
    mem->crash_moment = moment;
    pthread_mutex_unlock(&mem->lock);
}

void io_mem_crash_now(struct io_mem *mem)
{
    pthread_mutex_lock(&mem->lock);
    atomic_store_explicit(&mem->crashed, true, memory_order_relaxed);
    pthread_mutex_unlock(&mem->lock);
}

bool io_mem_has_crashed(struct io_mem *mem)
{
    return atomic_load_explicit(&mem->crashed, memory_order_relaxed);
}
