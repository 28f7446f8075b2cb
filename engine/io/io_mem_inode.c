#include "io/io_mem_internal.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct mem_inode *mem_inode_new(struct io_mem *mem, bool is_directory)
{
    struct mem_inode *inode = calloc(1, sizeof *inode);
    if (inode == NULL)
        return NULL;
    inode->mem = mem;
    inode->refs = 1;
    inode->is_directory = is_directory;
    inode->changes_end = &inode->changes;
    inode->name_changes_end = &inode->name_changes;
    inode->next = mem->inodes;
    inode->previous_next = &mem->inodes;
    if (mem->inodes != NULL)
        mem->inodes->previous_next = &inode->next;
    mem->inodes = inode;
    return inode;
}

struct mem_inode *mem_inode_ref(struct mem_inode *inode)
{
    inode->refs++;
    return inode;
}

static void name_change_free(struct mem_name_change *change)
{
    if (change->inode != NULL)
        mem_inode_unref(change->inode);
    free(change);
}

void mem_inode_forget_names(struct mem_inode *inode)
{
    for (struct mem_name_change *change = inode->name_changes, *next; change != NULL; change = next) {
        next = change->next;
        name_change_free(change);
    }
    inode->name_changes = NULL;
    inode->name_changes_end = &inode->name_changes;
    mem_names_fini(&inode->live_names, true);
    mem_names_fini(&inode->durable_names, false);
}

static void inode_free(struct mem_inode *inode)
{
    *inode->previous_next = inode->next;
    if (inode->next != NULL)
        inode->next->previous_next = inode->previous_next;
    for (struct mem_change *change = inode->changes, *next; change != NULL; change = next) {
        next = change->next;
        free(change);
    }
    mem_bytes_fini(&inode->live);
    mem_bytes_fini(&inode->durable);
    mem_inode_forget_names(inode);
    free(inode);
}

void mem_inode_unref(struct mem_inode *inode)
{
    KVS_ASSERT(inode->refs > 0);
    if (--inode->refs == 0)
        inode_free(inode);
}

struct mem_inode *mem_inode_use(struct mem_inode *inode)
{
    inode->in_use++;
    return mem_inode_ref(inode);
}

void mem_inode_unuse(struct mem_inode *inode)
{
    KVS_ASSERT(inode->in_use > 0);
    if (--inode->in_use == 0) {
        inode->mem->charged_pages -= inode->charged;
        inode->charged = 0;
    }
    mem_inode_unref(inode);
}

static uint64_t free_pages(const struct io_mem *mem)
{
    return mem->charged_pages < mem->capacity_pages ? mem->capacity_pages - mem->charged_pages : 0;
}

int mem_charge(struct mem_inode *inode, uint64_t size)
{
    uint64_t pages = (size + MEM_PAGE_BYTES - 1) / MEM_PAGE_BYTES;
    if (pages > inode->charged && pages - inode->charged > free_pages(inode->mem))
        return ENOSPC;
    inode->mem->charged_pages += pages - inode->charged;
    inode->charged = pages;
    return 0;
}

uint64_t mem_size_limit(const struct mem_inode *inode)
{
    uint64_t pages = inode->charged + free_pages(inode->mem);
    return pages < MEM_FILE_MAX_BYTES / MEM_PAGE_BYTES ? pages * MEM_PAGE_BYTES : MEM_FILE_MAX_BYTES;
}

struct mem_change *mem_change_new(enum mem_change_kind kind, size_t data_size)
{
    struct mem_change *change = malloc(sizeof *change + data_size);
    if (change != NULL)
        *change = (struct mem_change){.kind = kind};
    return change;
}

void mem_change_begin(struct mem_inode *inode, struct mem_change *change)
{
    change->began = ++inode->mem->tick;
    *inode->changes_end = change;
    inode->changes_end = &change->next;
}

void mem_change_finish(struct mem_inode *inode, struct mem_change *change)
{
    change->ended = ++inode->mem->tick;
}

int mem_change_apply(const struct mem_change *change, struct mem_bytes *bytes)
{
    bool done = false;
    switch (change->kind) {
    case MEM_WRITE:
        done = mem_bytes_write(bytes, change->data, (size_t)change->size, change->offset);
        break;
    case MEM_TRUNCATE:
        done = mem_bytes_resize(bytes, change->size);
        break;
    case MEM_EXTEND:
        done = mem_bytes_extend(bytes, change->size);
        break;
    }
    return done ? 0 : ENOMEM;
}

/* Whether an earlier change, lost by a failed sync, can no longer be what the disk has once a later one is durable. */
static bool overrides(const struct mem_change *later, const struct mem_change *earlier)
{
    uint64_t end = earlier->offset + earlier->size;
    if (earlier->kind == MEM_TRUNCATE)
        return true;
    if (earlier->kind == MEM_EXTEND)
        return later->kind == MEM_TRUNCATE;
    if (later->kind == MEM_TRUNCATE)
        return end > later->size;
    return later->kind == MEM_WRITE && earlier->offset < later->offset + later->size && later->offset < end;
}

/* Take the lost changes before *at that the change there overrides off the list. Returns where that change is listed now. */
static struct mem_change **drop_overridden(struct mem_inode *inode, struct mem_change **at)
{
    struct mem_change **earlier = &inode->changes, *change = *at;
    while (*earlier != change) {
        struct mem_change *candidate = *earlier;
        if (candidate->lost && overrides(change, candidate)) {
            *earlier = candidate->next;
            free(candidate);
        } else {
            earlier = &candidate->next;
        }
    }
    return earlier;
}

int mem_changes_settle(struct mem_inode *inode, uint64_t tick)
{
    struct mem_change **at = &inode->changes;
    int error = 0;
    while (error == 0 && *at != NULL) {
        struct mem_change *change = *at;
        if (change->lost || change->ended == 0 || change->ended > tick) {
            at = &change->next;
            continue;
        }
        error = mem_change_apply(change, &inode->durable);
        if (error == 0) {
            at = drop_overridden(inode, at);
            *at = change->next;
            free(change);
        }
    }
    while (*at != NULL)
        at = &(*at)->next;
    inode->changes_end = at;
    return error;
}

int mem_name_changes_settle(struct mem_inode *directory, uint64_t tick)
{
    /* Ticks ascend, so what is covered is a front of the list. */
    int error = 0;
    while (error == 0 && directory->name_changes != NULL && directory->name_changes->tick <= tick) {
        struct mem_name_change *change = directory->name_changes;
        error = mem_name_change_apply(change, &directory->durable_names);
        if (error == 0) {
            directory->name_changes = change->next;
            name_change_free(change);
        }
    }
    if (directory->name_changes == NULL)
        directory->name_changes_end = &directory->name_changes;
    return error;
}

static struct mem_name *find_name(const struct mem_names *names, const char *name)
{
    for (size_t index = 0; index < names->count; index++) {
        if (strcmp(names->items[index].name, name) == 0)
            return &names->items[index];
    }
    return NULL;
}

struct mem_inode *mem_names_find(const struct mem_names *names, const char *name)
{
    struct mem_name *found = find_name(names, name);
    return found == NULL ? NULL : found->inode;
}

static void release(struct mem_inode *inode, bool live)
{
    if (live)
        mem_inode_unuse(inode);
    else
        mem_inode_unref(inode);
}

static bool reserve_name(struct mem_names *names)
{
    if (names->count < names->capacity)
        return true;
    size_t capacity = names->capacity == 0 ? 8 : names->capacity * 2;
    struct mem_name *items = realloc(names->items, capacity * sizeof *items);
    if (items == NULL)
        return false;
    names->items = items;
    names->capacity = capacity;
    return true;
}

int mem_names_set(struct mem_names *names, const char *name, struct mem_inode *inode, bool live)
{
    struct mem_name *entry = find_name(names, name);
    if (entry == NULL) {
        char *copy = strdup(name);
        if (copy == NULL || !reserve_name(names)) {
            free(copy);
            return ENOMEM;
        }
        entry = &names->items[names->count++];
        *entry = (struct mem_name){.name = copy, .inode = NULL};
    }
    struct mem_inode *replaced = entry->inode;
    entry->inode = live ? mem_inode_use(inode) : mem_inode_ref(inode);
    if (replaced != NULL)
        release(replaced, live);
    return 0;
}

void mem_names_remove(struct mem_names *names, const char *name, bool live)
{
    struct mem_name *entry = find_name(names, name);
    if (entry == NULL)
        return;
    struct mem_name removed = *entry;
    *entry = names->items[--names->count];
    free(removed.name);
    release(removed.inode, live);
}

void mem_names_fini(struct mem_names *names, bool live)
{
    for (size_t index = 0; index < names->count; index++) {
        free(names->items[index].name);
        release(names->items[index].inode, live);
    }
    free(names->items);
    *names = (struct mem_names){0};
}

int mem_name_change_apply(const struct mem_name_change *change, struct mem_names *names)
{
    int error = 0;
    if (change->kind == MEM_NAME_ADD)
        error = mem_names_set(names, change->name, change->inode, false);
    else if (change->kind == MEM_NAME_RENAME)
        error = mem_names_set(names, change->renamed, change->inode, false);
    if (error == 0 && change->kind != MEM_NAME_ADD)
        mem_names_remove(names, change->name, false);
    return error;
}

static struct mem_name_change *name_change_new(enum mem_name_change_kind kind, const char *name, const char *to)
{
    size_t name_bytes = strlen(name) + 1, to_bytes = to == NULL ? 0 : strlen(to) + 1;
    struct mem_name_change *change = malloc(sizeof *change + name_bytes + to_bytes);
    if (change == NULL)
        return NULL;
    *change = (struct mem_name_change){.kind = kind};
    memcpy(change->name, name, name_bytes);
    if (to != NULL) {
        change->renamed = change->name + name_bytes;
        memcpy(change->renamed, to, to_bytes);
    }
    return change;
}

/* List a change; it takes a reference on inode, unless that is NULL. */
static void list_name_change(struct mem_inode *directory, struct mem_name_change *change, struct mem_inode *inode)
{
    change->inode = inode == NULL ? NULL : mem_inode_ref(inode);
    change->tick = ++directory->mem->tick;
    *directory->name_changes_end = change;
    directory->name_changes_end = &change->next;
}

int mem_name_change_copy(struct mem_inode *directory, const struct mem_name_change *change, struct mem_inode *inode)
{
    struct mem_name_change *copy = name_change_new(change->kind, change->name, change->renamed);
    if (copy == NULL)
        return ENOMEM;
    list_name_change(directory, copy, inode);
    return 0;
}

int mem_directory_add(struct mem_inode *directory, const char *name, struct mem_inode *inode)
{
    struct mem_name_change *change = name_change_new(MEM_NAME_ADD, name, NULL);
    if (change == NULL)
        return ENOMEM;
    int error = mem_names_set(&directory->live_names, name, inode, true);
    if (error != 0) {
        free(change);
        return error;
    }
    list_name_change(directory, change, inode);
    return 0;
}

int mem_directory_remove(struct mem_inode *directory, const char *name)
{
    struct mem_name_change *change = name_change_new(MEM_NAME_REMOVE, name, NULL);
    if (change == NULL)
        return ENOMEM;
    list_name_change(directory, change, NULL);
    mem_names_remove(&directory->live_names, name, true);
    return 0;
}

int mem_directory_rename(struct mem_inode *directory, const char *name, const char *to)
{
    struct mem_inode *inode = mem_names_find(&directory->live_names, name);
    struct mem_name_change *change = name_change_new(MEM_NAME_RENAME, name, to);
    if (change == NULL)
        return ENOMEM;
    int error = mem_names_set(&directory->live_names, to, inode, true);
    if (error != 0) {
        free(change);
        return error;
    }
    list_name_change(directory, change, inode);
    mem_names_remove(&directory->live_names, name, true);
    return 0;
}

/* Take the next component off *path into name; an empty name is the end. */
static int next_component(const char **path, char name[MEM_NAME_BYTES])
{
    size_t length;
    const char *at = *path;
    do {
        at += strspn(at, "/");
        length = strcspn(at, "/");
        *path = at + length;
        if (length >= MEM_NAME_BYTES)
            return ENAMETOOLONG;
        memcpy(name, at, length);
        name[length] = '\0';
        at += length;
    } while (strcmp(name, ".") == 0);
    return strcmp(name, "..") == 0 ? EINVAL : 0;
}

int mem_find_parent(struct io_mem *mem, struct mem_inode **directory, char name[MEM_NAME_BYTES], const char *path)
{
    struct mem_inode *at = mem->root;
    char next[MEM_NAME_BYTES];
    int error = next_component(&path, name);
    if (error == 0 && name[0] == '\0')
        error = EINVAL;
    while (error == 0 && (error = next_component(&path, next)) == 0 && next[0] != '\0') {
        at = mem_names_find(&at->live_names, name);
        if (at == NULL)
            return ENOENT;
        if (!at->is_directory)
            return ENOTDIR;
        memcpy(name, next, MEM_NAME_BYTES);
    }
    if (error == 0)
        *directory = at;
    return error;
}

int mem_find(struct io_mem *mem, struct mem_inode **inode, const char *path)
{
    if (path[0] != '\0' && strspn(path, "/.") == strlen(path) && strstr(path, "..") == NULL) {
        *inode = mem->root;
        return 0;
    }
    struct mem_inode *directory;
    char name[MEM_NAME_BYTES];
    int error = mem_find_parent(mem, &directory, name, path);
    if (error != 0)
        return error;
    struct mem_inode *found = mem_names_find(&directory->live_names, name);
    if (found == NULL)
        return ENOENT;
    *inode = found;
    return 0;
}
