#include "io/io_mem_internal.h"

#include "base/assert.h"

#include <errno.h>
#include <string.h>

enum { SECTOR_BYTES = 512, SECOND_MS = 1000 };

/* A clone being made.
 *
 * killed     the page cache is kept: everything live is cloned as live, what is pending stays pending
 * chosen     where not NULL, its bits decide in turn what a coin would
 * last_tick  IO_MEM_KEEP_PREFIX: changes up to here were under way in order, the one of this tick in part */
struct cut {
    struct io_mem *from;
    struct io_mem *to;
    struct io_seed seed;
    enum io_mem_keep keep;
    bool killed;
    struct io_mem_choice *chosen;
    uint64_t last_tick;
};

static const char *const keep_names[IO_MEM_KEEP_COUNT] = {
    [IO_MEM_KEEP_NONE] = "none",     [IO_MEM_KEEP_ALL] = "all",       [IO_MEM_KEEP_PREFIX] = "prefix",
    [IO_MEM_KEEP_SUFFIX] = "suffix", [IO_MEM_KEEP_RANDOM] = "random", [IO_MEM_KEEP_SECTORS] = "sectors",
    [IO_MEM_KEEP_PAGES] = "pages",   [IO_MEM_KEEP_ZEROS] = "zeros",   [IO_MEM_KEEP_GARBAGE] = "garbage",
    [IO_MEM_KEEP_MIXED] = "mixed",
};

const char *io_mem_keep_name(enum io_mem_keep keep)
{
    KVS_ASSERT((unsigned)keep < IO_MEM_KEEP_COUNT);
    return keep_names[keep];
}

static bool coin(struct cut *cut)
{
    struct io_mem_choice *chosen = cut->chosen;
    if (chosen != NULL && chosen->used < 64)
        return (chosen->bits >> chosen->used++ & 1) != 0;
    return io_seed_below(&cut->seed, 2) == 0;
}

/* The bytes of a write that a disk writes or does not write as one: from at up to the end of its unit (a power of two) or of the write. */
static size_t unit_rest(const struct mem_change *change, uint64_t at, size_t unit)
{
    uint64_t end = change->offset + change->size, unit_end = (at / unit + 1) * unit;
    return (size_t)((unit_end < end ? unit_end : end) - at);
}

static int write_part(const struct mem_change *change, struct mem_bytes *bytes, uint64_t at, size_t size)
{
    return mem_bytes_write(bytes, change->data + (at - change->offset), size, at) ? 0 : ENOMEM;
}

/* Some of the units of a write. */
static int keep_units(struct cut *cut, const struct mem_change *change, struct mem_bytes *bytes, size_t unit)
{
    uint64_t end = change->offset + change->size;
    int error = 0;
    for (uint64_t at = change->offset; error == 0 && at < end;) {
        size_t size = unit_rest(change, at, unit);
        if (coin(cut))
            error = write_part(change, bytes, at, size);
        at += size;
    }
    return error;
}

/* A write up to the end of one of its sectors, chosen by the seed; or nothing of it. */
static int keep_front(struct cut *cut, const struct mem_change *change, struct mem_bytes *bytes)
{
    uint64_t at = change->offset + io_seed_below(&cut->seed, change->size + 1);
    uint64_t boundary = at == change->offset + change->size ? at : at / SECTOR_BYTES * SECTOR_BYTES;
    if (boundary <= change->offset)
        return 0;
    return write_part(change, bytes, change->offset, (size_t)(boundary - change->offset));
}

/* A write with nonsense in one of its sectors. Bytes beside the write, durable perhaps, are not harmed: a sector is written whole. */
static int keep_with_garbage(struct cut *cut, const struct mem_change *change, struct mem_bytes *bytes)
{
    int error = mem_change_apply(change, bytes);
    if (error != 0)
        return error;
    uint64_t at = change->offset + io_seed_below(&cut->seed, change->size);
    at = at / SECTOR_BYTES * SECTOR_BYTES > change->offset ? at / SECTOR_BYTES * SECTOR_BYTES : change->offset;
    uint8_t garbage[SECTOR_BYTES];
    for (size_t index = 0; index < sizeof garbage; index += sizeof(uint64_t)) {
        uint64_t word = io_seed_next(&cut->seed);
        memcpy(garbage + index, &word, sizeof word);
    }
    return mem_bytes_write(bytes, garbage, unit_rest(change, at, SECTOR_BYTES), at) ? 0 : ENOMEM;
}

/* One unsynced change, of which the policy may keep a part. */
static int keep_change(struct cut *cut, enum io_mem_keep keep, const struct mem_change *change, struct mem_bytes *bytes)
{
    bool is_write = change->kind == MEM_WRITE;
    if (change->lost && (keep != IO_MEM_KEEP_RANDOM || coin(cut)))
        return 0;
    switch (keep) {
    case IO_MEM_KEEP_ALL:
        return mem_change_apply(change, bytes);
    case IO_MEM_KEEP_PREFIX:
        if (is_write && change->began == cut->last_tick)
            return keep_front(cut, change, bytes);
        return change->began <= cut->last_tick ? mem_change_apply(change, bytes) : 0;
    case IO_MEM_KEEP_SECTORS:
    case IO_MEM_KEEP_PAGES:
        if (is_write)
            return keep_units(cut, change, bytes, keep == IO_MEM_KEEP_PAGES ? MEM_PAGE_BYTES : SECTOR_BYTES);
        break;
    case IO_MEM_KEEP_ZEROS:
        if (is_write && coin(cut))
            return mem_bytes_extend(bytes, change->offset + change->size) ? 0 : ENOMEM;
        return mem_change_apply(change, bytes);
    case IO_MEM_KEEP_GARBAGE:
        if (is_write && io_seed_below(&cut->seed, 3) == 0)
            return keep_with_garbage(cut, change, bytes);
        break;
    case IO_MEM_KEEP_RANDOM:
        break;
    case IO_MEM_KEEP_NONE:
    case IO_MEM_KEEP_SUFFIX:
    case IO_MEM_KEEP_MIXED:
    case IO_MEM_KEEP_COUNT:
        return 0;
    }
    return coin(cut) ? mem_change_apply(change, bytes) : 0;
}

/* Lose at least the first of several, keep at least the last. */
static int keep_suffix(struct cut *cut, const struct mem_inode *inode, struct mem_bytes *bytes)
{
    uint64_t count = 0;
    for (const struct mem_change *change = inode->changes; change != NULL; change = change->next)
        count++;
    if (count == 0)
        return 0;
    uint64_t skip = count == 1 ? io_seed_below(&cut->seed, 2) : 1 + io_seed_below(&cut->seed, count - 1);
    int error = 0;
    for (const struct mem_change *change = inode->changes; error == 0 && change != NULL; change = change->next) {
        if (skip > 0)
            skip--;
        else if (!change->lost)
            error = mem_change_apply(change, bytes);
    }
    return error;
}

static int cut_file(struct cut *cut, const struct mem_inode *from, struct mem_inode *to)
{
    enum io_mem_keep keep = cut->keep;
    if (keep == IO_MEM_KEEP_MIXED)
        keep = (enum io_mem_keep)io_seed_below(&cut->seed, IO_MEM_KEEP_MIXED);
    if (!mem_bytes_share(&to->durable, &from->durable))
        return ENOMEM;
    int error = 0;
    if (keep == IO_MEM_KEEP_SUFFIX)
        error = keep_suffix(cut, from, &to->durable);
    else
        for (const struct mem_change *change = from->changes; error == 0 && change != NULL; change = change->next)
            error = keep_change(cut, keep, change, &to->durable);
    if (error == 0 && !mem_bytes_share(&to->live, &to->durable))
        error = ENOMEM;
    return error;
}

/* Of a write under way, no more than reads have seen can ever reach the disk: the process that had the rest is gone. */
static int copy_change(struct mem_inode *to, const struct mem_change *change)
{
    uint64_t size = change->kind == MEM_WRITE && change->ended == 0 ? change->landed : change->size;
    size_t data_size = change->kind == MEM_WRITE ? (size_t)size : 0;
    if (change->kind == MEM_WRITE && size == 0)
        return 0;
    struct mem_change *copy = mem_change_new(change->kind, data_size);
    if (copy == NULL)
        return ENOMEM;
    memcpy(copy, change, sizeof *copy + data_size);
    copy->next = NULL;
    copy->size = size;
    /* A write under way has ended, in whatever state it was, with the process that made it. */
    if (copy->ended == 0)
        copy->ended = to->mem->tick;
    *to->changes_end = copy;
    to->changes_end = &copy->next;
    return 0;
}

static int copy_file(const struct mem_inode *from, struct mem_inode *to)
{
    if (!mem_bytes_share(&to->live, &from->live) || !mem_bytes_share(&to->durable, &from->durable))
        return ENOMEM;
    int error = 0;
    for (const struct mem_change *change = from->changes; error == 0 && change != NULL; change = change->next)
        error = copy_change(to, change);
    return error;
}

static int clone_inode(struct cut *cut, struct mem_inode **clone, struct mem_inode *from);

static bool keeps_name_change(struct cut *cut, const struct mem_name_change *change)
{
    switch (cut->keep) {
    case IO_MEM_KEEP_NONE:
        return false;
    case IO_MEM_KEEP_ALL:
        return true;
    case IO_MEM_KEEP_PREFIX:
        return change->tick <= cut->last_tick;
    default:
        return coin(cut);
    }
}

/* Clone what names of the original stand for, and name it so in the clone. */
static int clone_names(struct cut *cut, const struct mem_names *from, struct mem_names *to, bool live)
{
    int error = 0;
    for (size_t index = 0; error == 0 && index < from->count; index++) {
        struct mem_inode *clone;
        error = clone_inode(cut, &clone, from->items[index].inode);
        if (error == 0)
            error = mem_names_set(to, from->items[index].name, clone, live);
    }
    return error;
}

/* The names that are left are those durable, changed by what is kept of the unsynced changes. */
static int cut_directory(struct cut *cut, const struct mem_inode *from, struct mem_inode *to)
{
    struct mem_names left = {0};
    int error = 0;
    for (size_t index = 0; error == 0 && index < from->durable_names.count; index++) {
        const struct mem_name *name = &from->durable_names.items[index];
        error = mem_names_set(&left, name->name, name->inode, false);
    }
    for (const struct mem_name_change *change = from->name_changes; error == 0 && change != NULL;
         change = change->next) {
        if (keeps_name_change(cut, change))
            error = mem_name_change_apply(change, &left);
    }
    if (error == 0)
        error = clone_names(cut, &left, &to->durable_names, false);
    if (error == 0)
        error = clone_names(cut, &left, &to->live_names, true);
    mem_names_fini(&left, false);
    return error;
}

/* A name change with the clone of its inode, which a later change may have taken out of every list of names. */
static int copy_name_change(struct cut *cut, struct mem_inode *to, const struct mem_name_change *change)
{
    struct mem_inode *clone = NULL;
    if (change->inode != NULL) {
        int error = clone_inode(cut, &clone, change->inode);
        if (error != 0)
            return error;
    }
    return mem_name_change_copy(to, change, clone);
}

static int copy_directory(struct cut *cut, const struct mem_inode *from, struct mem_inode *to)
{
    int error = clone_names(cut, &from->durable_names, &to->durable_names, false);
    if (error == 0)
        error = clone_names(cut, &from->live_names, &to->live_names, true);
    for (const struct mem_name_change *change = from->name_changes; error == 0 && change != NULL; change = change->next)
        error = copy_name_change(cut, to, change);
    return error;
}

/* Each inode is cloned once, however many names it has; borrowed. */
static int clone_inode(struct cut *cut, struct mem_inode **clone, struct mem_inode *from)
{
    if (from->clone != NULL) {
        *clone = from->clone;
        return 0;
    }
    struct mem_inode *to = mem_inode_new(cut->to, from->is_directory);
    if (to == NULL)
        return ENOMEM;
    from->clone = to;
    int error;
    if (from->is_directory)
        error = cut->killed ? copy_directory(cut, from, to) : cut_directory(cut, from, to);
    else
        error = cut->killed ? copy_file(from, to) : cut_file(cut, from, to);
    *clone = to;
    return error;
}

/* A moment among those at which something pending began. */
static uint64_t choose_last_tick(struct cut *cut)
{
    uint64_t first = cut->from->tick;
    for (const struct mem_inode *inode = cut->from->inodes; inode != NULL; inode = inode->next) {
        if (inode->changes != NULL && inode->changes->began < first)
            first = inode->changes->began;
        if (inode->name_changes != NULL && inode->name_changes->tick < first)
            first = inode->name_changes->tick;
    }
    return first + io_seed_below(&cut->seed, cut->from->tick - first + 1);
}

/* Make the clone of the root the root. Each clone had one reference from its making, so that it lived through the changes of names; from here on names
 * alone keep them. */
static void settle_clones(struct cut *cut)
{
    struct io_mem *from = cut->from, *to = cut->to;
    if (from->root->clone != NULL) {
        mem_inode_unref(to->root);
        to->root = mem_inode_ref(from->root->clone);
    }
    for (struct mem_inode *inode = from->inodes; inode != NULL; inode = inode->next) {
        if (inode->clone != NULL)
            mem_inode_unref(inode->clone);
        inode->clone = NULL;
    }
    for (struct mem_inode *inode = to->inodes; inode != NULL; inode = inode->next) {
        if (inode->in_use > 0)
            inode->charged = (inode->live.size + MEM_PAGE_BYTES - 1) / MEM_PAGE_BYTES;
        to->charged_pages += inode->charged;
    }
}

static struct io_mem *clone_disk(struct io_mem *from, uint64_t seed, enum io_mem_keep keep, bool killed,
                                 struct io_mem_choice *chosen)
{
    pthread_mutex_lock(&from->lock);
    struct cut cut = {.from = from, .seed = io_seed_of(seed), .keep = keep, .killed = killed, .chosen = chosen};
    /* Identities drawn after the restart differ from those drawn before. */
    cut.to = io_mem_new(hash_mix(seed, hash_mix(from->seed.start, from->seed.count)), NULL);
    if (cut.to != NULL) {
        struct mem_inode *root;
        cut.last_tick = choose_last_tick(&cut);
        cut.to->tick = from->tick;
        cut.to->capacity_pages = from->capacity_pages;
        cut.to->wall_start_ms = io_wall_ms(&from->io) + (killed ? 0 : SECOND_MS);
        int error = clone_inode(&cut, &root, from->root);
        settle_clones(&cut);
        if (error != 0) {
            io_mem_free(cut.to);
            cut.to = NULL;
        }
    }
    pthread_mutex_unlock(&from->lock);
    return cut.to;
}

struct io_mem *io_mem_clone_after_power_cut(struct io_mem *mem, uint64_t seed, enum io_mem_keep keep)
{
    KVS_ASSERT((unsigned)keep < IO_MEM_KEEP_COUNT);
    return clone_disk(mem, seed, keep, false, NULL);
}

struct io_mem *io_mem_clone_after_kill(struct io_mem *mem)
{
    return clone_disk(mem, 0, IO_MEM_KEEP_ALL, true, NULL);
}

struct io_mem *io_mem_clone_by_choice(struct io_mem *mem, struct io_mem_choice *choice)
{
    choice->used = 0;
    return clone_disk(mem, 0, IO_MEM_KEEP_RANDOM, false, choice);
}

bool io_mem_choice_next(struct io_mem_choice *choice)
{
    unsigned last = choice->used;
    while (last > 0 && (choice->bits >> (last - 1) & 1) != 0)
        last--;
    if (last == 0)
        return false;
    uint64_t flipped = UINT64_C(1) << (last - 1);
    choice->bits = (choice->bits & (flipped - 1)) | flipped;
    return true;
}
