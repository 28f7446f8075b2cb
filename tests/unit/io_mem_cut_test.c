#include "io_test_support.h"

#include "io/io_fiber.h"
#include "io/io_mem.h"
#include "io/io_seed.h"

#include <stdio.h>

enum { SEED_COUNT = 64, SECTOR = 512, PAGE = 4096 };

static int set_up(void **state)
{
    *state = io_mem_new(1, NULL);
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    io_mem_free(*state);
    return 0;
}

static struct io_mem *cut(struct io_mem *mem, uint64_t seed, enum io_mem_keep keep)
{
    struct io_mem *clone = io_mem_clone_after_power_cut(mem, seed, keep);
    assert_non_null(clone);
    return clone;
}

/* Whether the name is there after a power cut. */
static bool survives(struct io_mem *mem, uint64_t seed, enum io_mem_keep keep, const char *path)
{
    struct io_mem *clone = cut(mem, seed, keep);
    bool there = is_there(io_mem_as_io(clone), path);
    io_mem_free(clone);
    return there;
}

static bool survives_with(struct io_mem *mem, uint64_t seed, enum io_mem_keep keep, const char *path, const char *text)
{
    struct io_mem *clone = cut(mem, seed, keep);
    bool same = is_there(io_mem_as_io(clone), path) && holds_text(io_mem_as_io(clone), path, text);
    io_mem_free(clone);
    return same;
}

/* An engine that forgets a sync would pass. */
static void cut_unsynced_write_lost_synced_kept(void **state)
{
    struct io *io = io_mem_as_io(*state);
    create_durable_file(io, "/", "a", "synced");
    struct io_file *file = open_file(io, "a", IO_OPEN_WRITE);
    assert_ok(io_file_write(file, " and not", 8, 6));
    assert_true(holds_text(io, "a", "synced and not"));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "a", "synced"));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_ALL, "a", "synced and not"));
    assert_ok(io_file_sync(file, SYNC_LOG));
    io_file_close(file);
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "a", "synced and not"));
}

/* An engine that syncs a file and not its folder would pass. */
static void cut_unsynced_name_lost_though_bytes_synced(void **state)
{
    struct io *io = io_mem_as_io(*state);
    struct io_file *file = create_file(io, "a", "bytes");
    assert_ok(io_file_sync(file, SYNC_SEGMENT));
    io_file_close(file);
    assert_false(survives(*state, 1, IO_MEM_KEEP_NONE, "a"));
    bool lost = false, kept = false;
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        bool there = survives_with(*state, seed, IO_MEM_KEEP_RANDOM, "a", "bytes");
        kept = kept || there;
        lost = lost || !there;
    }
    assert_true(kept && lost);
}

/* An engine that syncs a folder and not the file would pass. */
static void cut_synced_name_of_unsynced_bytes_is_empty(void **state)
{
    struct io *io = io_mem_as_io(*state);
    io_file_close(create_file(io, "a", "bytes"));
    assert_ok(io_directory_sync(io, "/", SYNC_SEGMENT_DIRECTORY));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "a", ""));
}

/* A replaced CURRENT could be neither the old nor the new one. */
static void cut_unsynced_rename_is_old_or_new(void **state)
{
    struct io *io = io_mem_as_io(*state);
    bool seen_old = false, seen_new = false;
    create_durable_file(io, "/", "CURRENT", "old");
    create_durable_file(io, "/", "CURRENT.tmp", "new");
    assert_ok(io_rename(io, "CURRENT.tmp", "CURRENT"));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "CURRENT", "old"));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "CURRENT.tmp", "new"));
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        bool is_old = survives_with(*state, seed, IO_MEM_KEEP_MIXED, "CURRENT", "old");
        assert_true(is_old || survives_with(*state, seed, IO_MEM_KEEP_MIXED, "CURRENT", "new"));
        assert_int_equal(survives(*state, seed, IO_MEM_KEEP_MIXED, "CURRENT.tmp"), is_old);
        seen_old = seen_old || is_old;
        seen_new = seen_new || !is_old;
    }
    assert_true(seen_old && seen_new);
    assert_ok(io_directory_sync(io, "/", SYNC_CURRENT_DIRECTORY));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "CURRENT", "new"));
    assert_false(survives(*state, 1, IO_MEM_KEEP_NONE, "CURRENT.tmp"));
}

/* A deleted log could not come back, so an engine that deletes too early would pass. */
static void cut_unsynced_unlink_comes_back_with_durable_bytes(void **state)
{
    struct io *io = io_mem_as_io(*state);
    create_durable_file(io, "/", "a", "durable");
    struct io_file *file = open_file(io, "a", IO_OPEN_WRITE);
    assert_ok(io_file_write(file, "changed", 7, 0));
    io_file_close(file);
    assert_ok(io_unlink(io, "a"));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "a", "durable"));
    assert_false(survives(*state, 1, IO_MEM_KEEP_ALL, "a"));
    assert_ok(io_directory_sync(io, "/", SYNC_SEGMENT_DIRECTORY));
    assert_false(survives(*state, 1, IO_MEM_KEEP_NONE, "a"));
}

/* A new folder would be taken for durable because what is in it is. */
static void cut_unsynced_folder_lost_with_its_files(void **state)
{
    struct io *io = io_mem_as_io(*state);
    assert_ok(io_make_directory(io, "db"));
    create_durable_file(io, "db", "db/a", "x");
    assert_false(survives(*state, 1, IO_MEM_KEEP_NONE, "db"));
    assert_ok(io_directory_sync(io, "/", SYNC_DATABASE_DIRECTORY));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "db/a", "x"));
}

/* A file moved to lost/ could be gone if only its old folder is synced. */
static void cut_rename_between_folders_is_durable_by_halves(void **state)
{
    struct io *io = io_mem_as_io(*state);
    assert_ok(io_make_directory(io, "lost"));
    create_durable_file(io, "/", "a", "x");
    assert_ok(io_rename(io, "a", "lost/a"));
    struct io_mem *twin = io_mem_clone_after_kill(*state);
    assert_ok(io_directory_sync(io, "/", SYNC_LOST_DIRECTORY));
    assert_false(survives(*state, 1, IO_MEM_KEEP_NONE, "a"));
    assert_false(survives(*state, 1, IO_MEM_KEEP_NONE, "lost/a"));
    assert_ok(io_directory_sync(io_mem_as_io(twin), "lost", SYNC_LOST_DIRECTORY));
    assert_true(survives_with(twin, 1, IO_MEM_KEEP_NONE, "a", "x"));
    assert_true(survives_with(twin, 1, IO_MEM_KEEP_NONE, "lost/a", "x"));
    io_mem_free(twin);
}

/* A durable, empty file "a" into which count writes of size bytes each ('b', 'c', ...) were made one after the other and not synced. */
static void append_unsynced(struct io *io, int count, size_t size)
{
    uint8_t data[2 * PAGE];
    create_durable_file(io, "/", "a", "");
    struct io_file *file = open_file(io, "a", IO_OPEN_WRITE);
    for (int index = 0; index < count; index++) {
        memset(data, 'b' + index, size);
        assert_ok(io_file_write(file, data, size, (uint64_t)index * size));
    }
    io_file_close(file);
}

/* The byte in the middle of each write after a power cut; 0 where it is lost. Returns the size of the file. */
static size_t look_at_writes(struct io_mem *mem, uint64_t seed, enum io_mem_keep keep, char *found, int count,
                             size_t size)
{
    struct io_mem *clone = cut(mem, seed, keep);
    size_t file_size = 0;
    uint8_t *bytes = io_mem_copy_file(clone, &file_size, "a");
    for (int index = 0; index < count; index++) {
        size_t middle = (size_t)index * size + size / 2;
        found[index] = middle < file_size ? (char)bytes[middle] : 0;
        assert_true(found[index] == 0 || found[index] == 'b' + index);
    }
    free(bytes);
    io_mem_free(clone);
    return file_size;
}

/* A log record could not survive one before it, so replay would never meet a hole. */
static void cut_suffix_keeps_later_write_and_loses_earlier(void **state)
{
    append_unsynced(io_mem_as_io(*state), 4, 100);
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        char found[4];
        assert_int_equal(look_at_writes(*state, seed, IO_MEM_KEEP_SUFFIX, found, 4, 100), 400);
        assert_int_equal(found[0], 0);
        assert_int_equal(found[3], 'e');
        assert_true(found[1] == 0 || found[2] != 0);
    }
}

/* A disk that keeps order would be simulated with holes. */
static void cut_prefix_keeps_order(void **state)
{
    bool seen[5] = {false};
    append_unsynced(io_mem_as_io(*state), 4, 2 * SECTOR);
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        char found[4];
        int kept = 0;
        size_t size = look_at_writes(*state, seed, IO_MEM_KEEP_PREFIX, found, 4, 2 * SECTOR);
        while (kept < 4 && found[kept] != 0)
            kept++;
        for (int index = kept; index < 4; index++)
            assert_int_equal(found[index], 0);
        assert_int_equal(size % SECTOR, 0);
        seen[kept] = true;
    }
    for (int kept = 0; kept <= 4; kept++)
        assert_true(seen[kept]);
}

/* Each combination of surviving writes must be possible. */
static void cut_random_keeps_each_write_by_itself(void **state)
{
    bool seen[8] = {false};
    append_unsynced(io_mem_as_io(*state), 3, 100);
    for (uint64_t seed = 0; seed < 4 * SEED_COUNT; seed++) {
        char found[3];
        look_at_writes(*state, seed, IO_MEM_KEEP_RANDOM, found, 3, 100);
        seen[(found[0] != 0) + 2 * (found[1] != 0) + 4 * (found[2] != 0)] = true;
    }
    for (int combination = 0; combination < 8; combination++)
        assert_true(seen[combination]);
}

/* Whether units of a two-page overwrite of 'o' by 'n' are whole, and both kinds were seen in one file. */
static bool tears_by_unit(struct io_mem *mem, enum io_mem_keep keep, size_t unit)
{
    bool torn = false;
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        struct io_mem *clone = cut(mem, seed, keep);
        size_t size = 0, fresh = 0;
        uint8_t *bytes = io_mem_copy_file(clone, &size, "a");
        assert_int_equal(size, 2 * PAGE);
        for (size_t at = 0; at < size; at++) {
            assert_int_equal(bytes[at], bytes[at / unit * unit]);
            fresh += bytes[at] == 'n';
        }
        torn = torn || (fresh > 0 && fresh < size);
        free(bytes);
        io_mem_free(clone);
    }
    return torn;
}

/* A block half old and half new would never be met. */
static void cut_torn_write_by_sector_and_by_page(void **state)
{
    char data[2 * PAGE + 1] = {0};
    memset(data, 'o', 2 * PAGE);
    create_durable_file(io_mem_as_io(*state), "/", "a", data);
    struct io_file *file = open_file(io_mem_as_io(*state), "a", IO_OPEN_WRITE);
    memset(data, 'n', 2 * PAGE);
    assert_ok(io_file_write(file, data, 2 * PAGE, 0));
    io_file_close(file);
    assert_true(tears_by_unit(*state, IO_MEM_KEEP_SECTORS, SECTOR));
    assert_true(tears_by_unit(*state, IO_MEM_KEEP_PAGES, PAGE));
}

/* A file whose size survived and whose bytes did not would never be met. */
static void cut_zeros_keep_size_and_lose_bytes(void **state)
{
    bool seen_zeros = false, seen_bytes = false;
    append_unsynced(io_mem_as_io(*state), 1, 1000);
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        char found[1];
        assert_int_equal(look_at_writes(*state, seed, IO_MEM_KEEP_ZEROS, found, 1, 1000), 1000);
        seen_zeros = seen_zeros || found[0] == 0;
        seen_bytes = seen_bytes || found[0] == 'b';
    }
    assert_true(seen_zeros && seen_bytes);
}

/* Nonsense in a sector would never be met, or would harm bytes that were acknowledged. */
static void cut_garbage_harms_unsynced_bytes_only(void **state)
{
    char expected[2000];
    bool seen_garbage = false;
    memset(expected, 'd', 700);
    memset(expected + 700, 'u', 1300);
    expected[700] = '\0';
    create_durable_file(io_mem_as_io(*state), "/", "a", expected);
    expected[700] = 'u';
    struct io_file *file = open_file(io_mem_as_io(*state), "a", IO_OPEN_WRITE);
    assert_ok(io_file_write(file, expected + 700, 1300, 700));
    io_file_close(file);
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        struct io_mem *clone = cut(*state, seed, IO_MEM_KEEP_GARBAGE);
        size_t size = 0, wrong_sectors = 0;
        uint8_t *bytes = io_mem_copy_file(clone, &size, "a");
        assert_true(size == 700 || size == 2000);
        assert_memory_equal(bytes, expected, 700);
        for (size_t at = SECTOR; at < size; at += SECTOR)
            wrong_sectors += memcmp(bytes + at, expected + at, size - at < SECTOR ? size - at : SECTOR) != 0;
        assert_in_range(wrong_sectors, 0, 1);
        seen_garbage = seen_garbage || wrong_sectors == 1;
        free(bytes);
        io_mem_free(clone);
    }
    assert_true(seen_garbage);
}

/* A preallocated or truncated log would have a size that no sync gave it. */
static void cut_unsynced_sizes_lost(void **state)
{
    struct io *io = io_mem_as_io(*state);
    create_durable_file(io, "/", "a", "0123456789");
    create_durable_file(io, "/", "b", "0123456789");
    struct io_file *grown = open_file(io, "a", IO_OPEN_WRITE), *cut_short = open_file(io, "b", IO_OPEN_WRITE);
    assert_ok(io_file_preallocate(grown, 0, 12));
    assert_ok(io_file_truncate(cut_short, 4));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "a", "0123456789"));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "b", "0123456789"));
    assert_ok(io_file_sync(grown, SYNC_LOG_HEADER));
    assert_ok(io_file_sync(cut_short, SYNC_LOG));
    io_file_close(grown);
    io_file_close(cut_short);
    struct io_mem *clone = cut(*state, 1, IO_MEM_KEEP_NONE);
    assert_true(holds(io_mem_as_io(clone), "a", "0123456789\0\0", 12));
    assert_true(holds_text(io_mem_as_io(clone), "b", "0123"));
    io_mem_free(clone);
}

/* An engine that retries a failed sync, and then acknowledges, would pass. */
static void cut_after_failed_sync_loses_bytes_that_a_retry_covered(void **state)
{
    struct io *io = io_mem_as_io(*state);
    create_durable_file(io, "/", "a", "");
    struct io_file *file = open_file(io, "a", IO_OPEN_WRITE);
    assert_ok(io_file_write(file, "lost", 4, 0));
    io_mem_lose_unsynced(file);
    assert_ok(io_file_write(file, "kept", 4, 4));
    assert_ok(io_file_sync(file, SYNC_LOG));
    io_file_close(file);
    assert_true(holds_text(io, "a", "lostkept"));
    struct io_mem *clone = cut(*state, 1, IO_MEM_KEEP_ALL);
    assert_true(holds(io_mem_as_io(clone), "a", "\0\0\0\0kept", 8));
    io_mem_free(clone);
    bool kept_anyway = false;
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++)
        kept_anyway = kept_anyway || survives_with(*state, seed, IO_MEM_KEEP_RANDOM, "a", "lostkept");
    assert_true(kept_anyway);
}

/* A killed process would lose what the kernel has, or a power cut after it would not. */
static void cut_kill_keeps_page_cache_still_unsynced(void **state)
{
    struct io *io = io_mem_as_io(*state);
    char difference[128];
    create_durable_file(io, "/", "a", "durable");
    struct io_file *file = open_file(io, "a", IO_OPEN_WRITE);
    assert_ok(io_file_write(file, "pending", 7, 0));
    io_file_close(file);
    io_file_close(create_file(io, "b", "new"));
    assert_ok(io_rename(io, "b", "c"));
    struct io_mem *killed = io_mem_clone_after_kill(*state);
    assert_true(io_mem_is_equal(*state, killed, difference, sizeof difference));
    assert_true(survives_with(killed, 1, IO_MEM_KEEP_NONE, "a", "durable"));
    assert_false(survives(killed, 1, IO_MEM_KEEP_NONE, "c"));
    assert_true(survives_with(killed, 1, IO_MEM_KEEP_ALL, "c", "new"));
    assert_false(survives(killed, 1, IO_MEM_KEEP_ALL, "b"));
    file = open_file(io_mem_as_io(killed), "a", IO_OPEN_WRITE);
    assert_ok(io_file_sync(file, SYNC_LOG));
    io_file_close(file);
    assert_true(survives_with(killed, 1, IO_MEM_KEEP_NONE, "a", "pending"));
    assert_true(survives_with(*state, 1, IO_MEM_KEEP_NONE, "a", "durable"));
    io_mem_free(killed);
}

/* One step of a random history on files "0" to "5" in the folder "d". */
static void random_step(struct io *io, struct io_seed *seed)
{
    char path[8], other[8];
    uint8_t data[3000];
    struct io_file *file;
    uint64_t choice = io_seed_below(seed, 10);
    snprintf(path, sizeof path, "d/%d", (int)io_seed_below(seed, 6));
    snprintf(other, sizeof other, "d/%d", (int)io_seed_below(seed, 6));
    memset(data, (int)io_seed_below(seed, 256), sizeof data);
    if (!is_there(io, path)) {
        io_file_close(create_file(io, path, "fresh"));
    } else if (choice == 0) {
        assert_ok(io_unlink(io, path));
    } else if (choice == 1) {
        assert_ok(io_rename(io, path, other));
    } else if (choice == 2 && !is_there(io, other)) {
        assert_ok(io_link(io, path, other));
    } else if (choice == 3) {
        assert_ok(io_directory_sync(io, "d", SYNC_SEGMENT_DIRECTORY));
    } else {
        file = open_file(io, path, IO_OPEN_WRITE);
        if (choice == 4)
            assert_ok(io_file_truncate(file, io_seed_below(seed, 9000)));
        else if (choice == 5)
            assert_ok(io_file_preallocate(file, 0, io_seed_below(seed, 9000)));
        else if (choice == 6)
            assert_ok(io_file_sync(file, SYNC_SEGMENT));
        else
            assert_ok(io_file_write(file, data, io_seed_below(seed, sizeof data), io_seed_below(seed, 9000)));
        io_file_close(file);
    }
}

static bool sync_path(void *context, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "d/%s", name);
    struct io_file *file = open_file(context, path, IO_OPEN_WRITE);
    assert_ok(io_file_sync(file, SYNC_SEGMENT));
    io_file_close(file);
    return true;
}

/* Something synced would be lost, a policy would not replay, or keeping all would not be what reads saw. */
static void cut_random_histories_keep_what_is_synced(void **state)
{
    (void)state;
    char difference[128];
    for (uint64_t run = 0; run < 60; run++) {
        struct io_mem *mem = io_mem_new(run, NULL);
        struct io *io = io_mem_as_io(mem);
        struct io_seed seed = io_seed_of(run);
        assert_ok(io_make_directory(io, "d"));
        assert_ok(io_directory_sync(io, "/", SYNC_DATABASE_DIRECTORY));
        for (int step = 0; step < 150; step++)
            random_step(io, &seed);
        struct io_mem *all = cut(mem, run, IO_MEM_KEEP_ALL);
        assert_true(io_mem_is_equal(mem, all, difference, sizeof difference));
        io_mem_free(all);
        for (int keep = 0; keep < IO_MEM_KEEP_COUNT; keep++) {
            struct io_mem *first = cut(mem, run, (enum io_mem_keep)keep),
                          *second = cut(mem, run, (enum io_mem_keep)keep);
            assert_true(io_mem_is_equal(first, second, difference, sizeof difference));
            io_mem_free(first);
            io_mem_free(second);
        }
        assert_ok(io_list(io, "d", sync_path, io));
        assert_ok(io_directory_sync(io, "d", SYNC_SEGMENT_DIRECTORY));
        for (int keep = 0; keep < IO_MEM_KEEP_COUNT; keep++) {
            struct io_mem *clone = cut(mem, run, (enum io_mem_keep)keep);
            assert_true(io_mem_is_equal(mem, clone, difference, sizeof difference));
            io_mem_free(clone);
        }
        io_mem_free(mem);
    }
}

/* A sync and a write that race on one file. */
struct race {
    struct io_mem *mem;
    struct io_file *file;
    struct io_thread writer;
    bool written;
    bool written_before_sync;
    bool written_during_sync;
};

static void write_late(void *argument)
{
    struct race *race = argument;
    assert_ok(io_file_write(race->file, "late", 4, 5));
    race->written = true;
}

static void sync_while_writing(void *argument)
{
    struct race *race = argument;
    struct io *io = io_mem_as_io(race->mem);
    create_durable_file(io, "/", "a", "");
    race->file = open_file(io, "a", IO_OPEN_WRITE);
    assert_ok(io_file_write(race->file, "early", 5, 0));
    assert_ok(io_thread_start(&race->writer, io, "writer", write_late, race));
    race->written_before_sync = race->written;
    assert_ok(io_file_sync(race->file, SYNC_LOG));
    race->written_during_sync = race->written && !race->written_before_sync;
    io_thread_join(&race->writer);
    io_file_close(race->file);
}

/* A write that returned while a sync was running would be taken for durable, so a wrong group commit would pass. */
static void cut_sync_covers_only_writes_that_ended_before_it_began(void **state)
{
    (void)state;
    bool seen_uncovered = false, seen_covered = false;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct io_scheduler *scheduler = io_scheduler_new(seed);
        struct race race = {.mem = io_mem_new(seed, scheduler)};
        io_scheduler_run(scheduler, sync_while_writing, &race);
        bool covered = survives_with(race.mem, seed, IO_MEM_KEEP_NONE, "a", "earlylate");
        assert_true(covered || survives_with(race.mem, seed, IO_MEM_KEEP_NONE, "a", "early"));
        assert_true(covered || !race.written_before_sync);
        seen_covered = seen_covered || race.written_before_sync;
        seen_uncovered = seen_uncovered || (race.written_during_sync && !covered);
        io_mem_free(race.mem);
        io_scheduler_free(scheduler);
    }
    assert_true(seen_covered && seen_uncovered);
}
/* A write that a kill has cut short would come back whole with a power cut, although nobody has the rest of it: a disk stranger than any. */
static void cut_write_cut_short_by_a_kill_never_grows(void **state)
{
    static const char text[] = "as much of this as was seen";
    struct io *io = io_mem_as_io(*state);
    create_durable_file(io, "/", "a", "");
    struct io_file *file = open_file(io, "a", IO_OPEN_WRITE);
    io_mem_crash_at(*state, io_mem_call_count(*state) + 1, IO_MEM_HALFWAY);
    assert_status(io_file_write(file, text, strlen(text), 0), KVS_IO);
    io_file_close(file);
    struct io_mem *killed = io_mem_clone_after_kill(*state);
    size_t seen_bytes, size;
    free(io_mem_copy_file(killed, &seen_bytes, "a"));
    assert_true(seen_bytes < strlen(text));
    for (int keep = 0; keep < IO_MEM_KEEP_COUNT; keep++) {
        struct io_mem *clone = cut(killed, 1, (enum io_mem_keep)keep);
        free(io_mem_copy_file(clone, &size, "a"));
        assert_true(size <= seen_bytes);
        io_mem_free(clone);
    }
    io_mem_free(killed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cut_unsynced_write_lost_synced_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_unsynced_name_lost_though_bytes_synced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_synced_name_of_unsynced_bytes_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_unsynced_rename_is_old_or_new, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_unsynced_unlink_comes_back_with_durable_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_unsynced_folder_lost_with_its_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_rename_between_folders_is_durable_by_halves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_suffix_keeps_later_write_and_loses_earlier, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_prefix_keeps_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_random_keeps_each_write_by_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_torn_write_by_sector_and_by_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_zeros_keep_size_and_lose_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_garbage_harms_unsynced_bytes_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_unsynced_sizes_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_after_failed_sync_loses_bytes_that_a_retry_covered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_kill_keeps_page_cache_still_unsynced, set_up, tear_down),
        cmocka_unit_test(cut_random_histories_keep_what_is_synced),
        cmocka_unit_test(cut_sync_covers_only_writes_that_ended_before_it_began),
        cmocka_unit_test_setup_teardown(cut_write_cut_short_by_a_kill_never_grows, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
