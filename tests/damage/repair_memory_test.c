/* repair_memory_test.c -- repairs and salvages that run out of memory: the Nth allocation fails, for every N, once and for good. */
#include "damage.h"

#include "fault_allocator.h"
#include "repair/repair.h"

#define NEW_FOLDER "/new"

/* KVS_REPAIR_EVERY  of the allocations one in so many fails */
#ifndef KVS_REPAIR_EVERY
#define KVS_REPAIR_EVERY 1
#endif

enum { CONTENTS_BYTES = 1 << 14 };

static void must(struct kvs_status status, const char *what)
{
    if (!status_is_ok(status))
        fail_msg("%s: %s", what, status_text(status));
}

static void append(char *text, struct kvs_slice slice)
{
    size_t at = strlen(text);
    assert_true(at + slice.size + 2 < CONTENTS_BYTES);
    memcpy(text + at, slice.data, slice.size);
    memcpy(text + at + slice.size, "\n", 2);
}

/* All keys and values of a database, whose every checksum verifies. */
static void read_contents(char *text, struct io_mem *mem, const char *folder, const char *what)
{
    struct kvs_db *db;
    struct kvs_iterator *iterator;
    struct kvs_options options;
    kvs_options_default(&options);
    options.create_if_missing = false;
    must(db_open(&db, io_mem_as_io(mem), folder, &options), what);
    must(kvs_verify(db, NULL, NULL), what);
    must(kvs_iterator_new(&iterator, db, NULL), what);
    *text = '\0';
    for (kvs_iterator_first(iterator); kvs_iterator_valid(iterator); kvs_iterator_next(iterator)) {
        append(text, kvs_iterator_key(iterator));
        append(text, kvs_iterator_value(iterator));
    }
    must(kvs_iterator_status(iterator), what);
    kvs_iterator_free(iterator);
    must(kvs_close(db), what);
}

/* A survey and what follows from it. Returns the first failure. */
static struct kvs_status mend(struct io_mem *mem, bool in_new_folder)
{
    struct repair *repair;
    struct kvs_status status = repair_survey(&repair, io_mem_as_io(mem), DAMAGE_FOLDER, in_new_folder);
    if (!status_is_ok(status))
        return status;
    status = in_new_folder ? repair_salvage(repair, NEW_FOLDER) : repair_apply(repair);
    repair_free(repair);
    return status;
}

/* Each file of a damaged folder still has its bytes, under its name or in lost/, whatever is there beside it. */
static void check_originals(const struct damage_files *files, struct io_mem *mem, const char *what)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct damage_file *file = &files->files[i];
        bool is_kept = false;
        for (int in_lost = 0; in_lost < 2; in_lost++) {
            char path[128];
            size_t size = 0;
            snprintf(path, sizeof path, DAMAGE_FOLDER "/%s%s", in_lost ? "lost/" : "", file->name);
            uint8_t *bytes = io_mem_copy_file(mem, &size, path);
            is_kept |= bytes != NULL && size == file->size && memcmp(bytes, file->bytes, size) == 0;
            free(bytes);
        }
        if (!is_kept)
            fail_msg("%s: %s is gone", what, file->name);
    }
}

/* A repair or salvage of a copy of base's disk whose Nth allocation fails, and a second one with memory enough. Returns whether there were so many. */
static bool fail_one(const struct damage_base *base, const struct damage_files *files, const char *contents,
                     bool in_new_folder, uint64_t nth, bool for_good)
{
    static char found[CONTENTS_BYTES];
    char what[100];
    uint64_t blocks = allocator_live_count();
    struct io_mem *mem = io_mem_clone_after_kill(base->mem);
    snprintf(what, sizeof what, "a %s whose allocation %d fails%s", in_new_folder ? "salvage" : "repair", (int)nth,
             for_good ? " for good" : "");
    allocator_fail(nth, for_good);
    struct kvs_status status = mend(mem, in_new_folder);
    bool has_failed = allocator_has_failed();
    allocator_clear();
    if (!has_failed)
        must(status, what);
    /* The simulated disk allocates, too: a sync of it may fail. */
    if (!status_is_ok(status) && status.code != KVS_NO_MEMORY && status.code != KVS_POISONED)
        fail_msg("%s: %s", what, status_text(status));
    check_originals(files, mem, what);
    if (!status_is_ok(status) && in_new_folder) { /* the new folder is no database: a new disk stands for its removal */
        io_mem_free(mem);
        mem = io_mem_clone_after_kill(base->mem);
    }
    if (!status_is_ok(status))
        must(mend(mem, in_new_folder), what);
    read_contents(found, mem, in_new_folder ? NEW_FOLDER : DAMAGE_FOLDER, what);
    if (strcmp(found, contents) != 0)
        fail_msg("%s: the contents are not what they are with memory enough", what);
    assert_int_equal(io_mem_open_count(mem), 0);
    io_mem_free(mem);
    assert_int_equal(allocator_live_count(), blocks);
    return has_failed;
}

/* Flip a bit of each segment and of a record in the first log, so that all kinds of rebuilding are done. */
static struct damage_base *damaged_base(void)
{
    struct damage_base *base = damage_base_new(&damage_shapes[5]);
    struct damage_files *files = damage_files_new(base->mem);
    for (size_t i = 0; i < files->count; i++) {
        const struct damage_file *file = &files->files[i];
        bool is_log = strstr(file->name, ".log") != NULL;
        size_t at = is_log ? 150 : 70;
        if ((!is_log && strstr(file->name, ".seg") == NULL) || file->data_bytes <= at)
            continue;
        uint8_t flipped = file->bytes[at] ^ 0x10;
        assert_true(io_mem_damage(base->mem, file->path, &flipped, 1, at));
    }
    damage_files_free(files);
    return base;
}

static void fail_each(bool in_new_folder)
{
    static char contents[CONTENTS_BYTES];
    struct damage_base *base = damaged_base();
    struct damage_files *files = damage_files_new(base->mem);
    struct io_mem *mem = io_mem_clone_after_kill(base->mem);
    must(mend(mem, in_new_folder), "without a failure");
    read_contents(contents, mem, in_new_folder ? NEW_FOLDER : DAMAGE_FOLDER, "without a failure");
    io_mem_free(mem);
    assert_true(strlen(contents) > 100);
    uint64_t cases = 0;
    for (int for_good = 0; for_good < 2; for_good++) {
        for (uint64_t nth = 1; fail_one(base, files, contents, in_new_folder, nth, for_good); nth += KVS_REPAIR_EVERY)
            cases++;
    }
    print_message("%d failing allocations\n", (int)cases);
    assert_true(cases > 20);
    damage_files_free(files);
    damage_base_free(base);
}

/* Who repairs a large database on a small machine must not lose by it what the damage had left. */
static void repair_without_memory_leaves_what_a_second_repair_finishes(void **state)
{
    (void)state;
    fail_each(false);
}

/* The damaged database is all that is left: a salvage must not touch it, and must say that it was not finished. */
static void salvage_without_memory_says_so_and_can_be_done_again(void **state)
{
    (void)state;
    fail_each(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repair_without_memory_leaves_what_a_second_repair_finishes),
        cmocka_unit_test(salvage_without_memory_says_so_and_can_be_done_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
