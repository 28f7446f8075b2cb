#include "io/io_mem_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned io_mem_open_count(struct io_mem *mem)
{
    pthread_mutex_lock(&mem->lock);
    unsigned count = mem->open_count;
    pthread_mutex_unlock(&mem->lock);
    return count;
}

static bool visit_below(const struct mem_inode *directory, char path[IO_PATH_BYTES], size_t length,
                        io_list_visit *visit, void *context)
{
    for (size_t index = 0; index < directory->live_names.count; index++) {
        const struct mem_name *name = &directory->live_names.items[index];
        int added = snprintf(path + length, IO_PATH_BYTES - length, "/%s", name->name);
        KVS_ASSERT(added > 0 && (size_t)added < IO_PATH_BYTES - length);
        if (!visit(context, path) || !visit_below(name->inode, path, length + (size_t)added, visit, context))
            return false;
    }
    return true;
}

void io_mem_visit(struct io_mem *mem, io_list_visit *visit, void *context)
{
    char path[IO_PATH_BYTES];
    pthread_mutex_lock(&mem->lock);
    visit_below(mem->root, path, 0, visit, context);
    pthread_mutex_unlock(&mem->lock);
}

/* NULL where there is no such file. */
static struct mem_inode *find_file(struct io_mem *mem, const char *path)
{
    struct mem_inode *inode;
    return mem_find(mem, &inode, path) == 0 && !inode->is_directory ? inode : NULL;
}

uint8_t *io_mem_copy_file(struct io_mem *mem, size_t *size, const char *path)
{
    uint8_t *copy = NULL;
    pthread_mutex_lock(&mem->lock);
    struct mem_inode *inode = find_file(mem, path);
    if (inode != NULL)
        copy = malloc((size_t)inode->live.size + 1);
    if (copy != NULL)
        *size = mem_bytes_read(&inode->live, copy, (size_t)inode->live.size, 0);
    pthread_mutex_unlock(&mem->lock);
    return copy;
}

bool io_mem_damage(struct io_mem *mem, const char *path, const void *data, size_t size, uint64_t offset)
{
    bool done = false;
    pthread_mutex_lock(&mem->lock);
    struct mem_inode *inode = find_file(mem, path);
    if (inode != NULL && offset <= inode->live.size && size <= inode->live.size - offset)
        done =
            mem_bytes_write(&inode->live, data, size, offset) && mem_bytes_write(&inode->durable, data, size, offset);
    pthread_mutex_unlock(&mem->lock);
    return done;
}

bool io_mem_resize(struct io_mem *mem, const char *path, uint64_t size)
{
    bool done = false;
    pthread_mutex_lock(&mem->lock);
    struct mem_inode *inode = find_file(mem, path);
    if (inode != NULL && size <= MEM_FILE_MAX_BYTES && mem_charge(inode, size) == 0)
        done = mem_bytes_resize(&inode->live, size) && mem_bytes_resize(&inode->durable, size);
    pthread_mutex_unlock(&mem->lock);
    return done;
}

/* A comparison of two disks, both locked. */
struct comparison {
    struct io_mem *other;
    struct io_mem *self;
    char *difference;
    size_t difference_size;
    bool equal;
};

/* The first offset at which two files of one size differ, or the size. */
static uint64_t first_difference(const struct mem_bytes *a, const struct mem_bytes *b)
{
    uint8_t x[MEM_PAGE_BYTES], y[MEM_PAGE_BYTES];
    for (uint64_t offset = 0; offset < a->size; offset += MEM_PAGE_BYTES) {
        size_t size = mem_bytes_read(a, x, sizeof x, offset);
        mem_bytes_read(b, y, sizeof y, offset);
        for (size_t index = 0; index < size; index++) {
            if (x[index] != y[index])
                return offset + index;
        }
    }
    return a->size;
}

static bool compare_path(void *context, const char *path)
{
    struct comparison *comparison = context;
    struct mem_inode *a = NULL, *b = NULL;
    comparison->equal = false;
    if (mem_find(comparison->self, &a, path) != 0 || mem_find(comparison->other, &b, path) != 0)
        snprintf(comparison->difference, comparison->difference_size, "%s is on one disk only", path);
    else if (a->is_directory != b->is_directory)
        snprintf(comparison->difference, comparison->difference_size, "%s is a folder on one disk only", path);
    else if (a->live.size != b->live.size)
        snprintf(comparison->difference, comparison->difference_size, "%s has %llu and %llu bytes", path,
                 (unsigned long long)a->live.size, (unsigned long long)b->live.size);
    else if (first_difference(&a->live, &b->live) < a->live.size)
        snprintf(comparison->difference, comparison->difference_size, "%s differs at offset %llu", path,
                 (unsigned long long)first_difference(&a->live, &b->live));
    else
        comparison->equal = true;
    return comparison->equal;
}

bool io_mem_is_equal(struct io_mem *a, struct io_mem *b, char *difference, size_t difference_size)
{
    KVS_ASSERT(a != b);
    char path[IO_PATH_BYTES];
    struct comparison forth = {b, a, difference, difference_size, true};
    struct comparison back = {a, b, difference, difference_size, true};
    struct io_mem *first = a < b ? a : b, *second = a < b ? b : a;
    pthread_mutex_lock(&first->lock);
    pthread_mutex_lock(&second->lock);
    bool equal =
        visit_below(a->root, path, 0, compare_path, &forth) && visit_below(b->root, path, 0, compare_path, &back);
    pthread_mutex_unlock(&second->lock);
    pthread_mutex_unlock(&first->lock);
    return equal;
}
