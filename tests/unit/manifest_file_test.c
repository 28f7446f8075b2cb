/* manifest_file_test.c -- the manifest and CURRENT: order of writes, replay, damage, crashes. */

#include "format_golden.h"
#include "io_test_support.h"

#include "io/io_fault.h"
#include "io/io_mem.h"
#include "version/manifest.h"

#include <errno.h>
#include <stdio.h>

static const uint8_t uuid[FILE_UUID_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

#define FOLDER "db"
#define MANIFEST_PATH "db/MANIFEST-000001"

static struct io_mem *new_disk(void)
{
    struct io_mem *mem = io_mem_new(1, NULL);
    struct io *io = io_mem_as_io(mem);
    assert_ok(io_make_directory(io, FOLDER));
    assert_ok(io_directory_sync(io, "/", SYNC_DATABASE_DIRECTORY));
    return mem;
}

static struct manifest_edit owner_edit(void)
{
    struct manifest_edit edit;
    manifest_edit_init(&edit);
    manifest_edit_set_owner(&edit, "test");
    edit.numbers.next_file_number = 2;
    return edit;
}

static struct manifest *create(struct io *io, uint64_t number, uint64_t first_record)
{
    struct manifest *manifest = NULL;
    struct manifest_edit edit = owner_edit();
    assert_ok(manifest_create(io, &manifest, FOLDER, uuid, number, first_record, &edit, 1));
    manifest_edit_fini(&edit);
    return manifest;
}

/* An edit that is recognised by the sequence it publishes. */
static struct kvs_status append(struct manifest *manifest, uint64_t published)
{
    struct manifest_edit edit;
    manifest_edit_init(&edit);
    edit.numbers.published_sequence = published;
    return manifest_append(manifest, &edit);
}

/* The published sequences of a replay: 0 for the first edit, then 1, 2... are expected. */
static struct kvs_status count_visit(void *context, const struct manifest_edit *edit, const char *path, uint64_t offset)
{
    uint64_t *count = context;
    (void)path;
    (void)offset;
    assert_int_equal(edit->numbers.published_sequence, *count);
    (*count)++;
    return status_ok();
}

static struct kvs_status replay(struct io *io, struct manifest_replay_result *result, uint64_t *count)
{
    struct manifest_current current;
    bool found = false;
    *count = 0;
    STATUS_RETURN_IF_ERROR(manifest_current_read(io, &current, &found, FOLDER));
    assert_true(found);
    return manifest_replay(io, result, FOLDER, &current, count_visit, count);
}

/* A disk with a manifest of the whole state and edits 1 .. edits; ends: where the first record of the whole state and each edit end. */
static struct io_mem *written_disk(uint64_t edits, uint64_t *ends)
{
    struct io_mem *mem = new_disk();
    struct manifest *manifest = create(io_mem_as_io(mem), 1, 1);
    ends[0] = manifest_size(manifest);
    for (uint64_t i = 1; i <= edits; i++) {
        assert_ok(append(manifest, i));
        ends[i] = manifest_size(manifest);
    }
    manifest_close(manifest);
    return mem;
}

/* Databases on disk must stay readable: CURRENT and the start of a manifest, whose random ids are the simulated disk's. */
static void manifest_files_golden(void **state)
{
    (void)state;
    uint64_t ends[3];
    size_t size;
    struct io_mem *mem = written_disk(2, ends);
    uint8_t *bytes = io_mem_copy_file(mem, &size, "db/CURRENT");
    golden_check("manifest_current", bytes, size);
    free(bytes);
    bytes = io_mem_copy_file(mem, &size, MANIFEST_PATH);
    assert_true(size >= ends[2]);
    golden_check("manifest_file", bytes, ends[2]);
    free(bytes);
    io_mem_free(mem);
}

/* What was installed is found again, in order. */
static void manifest_appended_edits_are_replayed(void **state)
{
    (void)state;
    uint64_t ends[6], count;
    struct manifest_replay_result result;
    struct io_mem *mem = written_disk(5, ends);
    assert_ok(replay(io_mem_as_io(mem), &result, &count));
    assert_int_equal(count, 6);
    assert_int_equal(result.last_record, 6);
    assert_int_equal(result.end, ends[5]);
    assert_int_equal(result.cut_bytes, 0);
    assert_int_equal(io_mem_open_count(mem), 0);
    io_mem_free(mem);
}

/* Each flipped bit, anywhere: refused, unless it is in the last record (a torn tail) or in nothing (zeros behind it). Never a wrong answer. */
static void manifest_any_flipped_bit_is_damage_or_a_torn_tail(void **state)
{
    (void)state;
    uint64_t ends[4], count;
    struct io_mem *mem = written_disk(3, ends);
    struct io *io = io_mem_as_io(mem);
    size_t size;
    uint8_t *bytes = io_mem_copy_file(mem, &size, MANIFEST_PATH);
    for (uint64_t bit = 0; bit < (ends[3] + 64) * 8; bit++) {
        uint64_t at = bit / 8;
        uint8_t flipped = bytes[at] ^ (uint8_t)(1 << bit % 8);
        struct manifest_replay_result result;
        assert_true(io_mem_damage(mem, MANIFEST_PATH, &flipped, 1, at));
        struct kvs_status status = replay(io, &result, &count);
        if (at < ends[2]) {
            assert_true(status.code == KVS_CORRUPT || (at < FILE_HEADER_BYTES && status.code == KVS_UNSUPPORTED));
        } else if (at < ends[3]) {
            assert_ok(status);
            assert_int_equal(count, 3);
            assert_true(result.cut_bytes > 0);
        } else {
            assert_ok(status);
            assert_int_equal(count, 4);
            assert_int_equal(result.cut_bytes, at + 1 - ends[3]);
        }
        assert_true(io_mem_damage(mem, MANIFEST_PATH, &bytes[at], 1, at));
    }
    free(bytes);
    io_mem_free(mem);
}

/* A file that lost its end had it when CURRENT was made to name it: its size was synced before. */
static void manifest_cut_at_each_byte_is_damage(void **state)
{
    (void)state;
    uint64_t ends[4], count;
    struct io_mem *mem = written_disk(3, ends);
    for (uint64_t size = MANIFEST_PIECE_BYTES; size-- > 0; size -= size > ends[3] + 1024 ? 1023 : 0) {
        struct manifest_replay_result result;
        assert_true(io_mem_resize(mem, MANIFEST_PATH, size));
        struct kvs_status status = replay(io_mem_as_io(mem), &result, &count);
        assert_int_equal(status.code, KVS_CORRUPT);
    }
    io_mem_free(mem);
}

/* Never written from each byte on: within the whole state, which CURRENT proves, it is damage; behind it a torn tail. */
static void manifest_zeros_from_each_byte_on_are_damage_or_a_torn_tail(void **state)
{
    (void)state;
    uint64_t ends[4], count;
    struct io_mem *mem = written_disk(3, ends);
    for (uint64_t size = ends[3]; size-- > 0;) {
        struct manifest_replay_result result;
        assert_true(io_mem_damage(mem, MANIFEST_PATH, "", 1, size));
        struct kvs_status status = replay(io_mem_as_io(mem), &result, &count);
        if (size + 8 < ends[0])
            assert_int_equal(status.code, KVS_CORRUPT);
        if (size < ends[0])
            continue;
        assert_ok(status);
        /* A record that ends with padding is whole without it. */
        uint64_t whole = 0;
        while (whole < 3 && ends[whole + 1] <= result.end)
            whole++;
        assert_true(ends[whole] <= size + 8);
        assert_int_equal(count, whole + 1);
        assert_true(result.cut_bytes == 0 || result.cut_bytes <= size - ends[whole]);
    }
    io_mem_free(mem);
}

/* A flipped or cut CURRENT is refused by name: a guess could open an old state. */
static void manifest_current_damaged_is_refused(void **state)
{
    (void)state;
    uint64_t ends[1];
    size_t size;
    struct manifest_current current;
    bool found;
    struct io_mem *mem = written_disk(0, ends);
    struct io *io = io_mem_as_io(mem);
    uint8_t *bytes = io_mem_copy_file(mem, &size, "db/CURRENT");
    for (size_t bit = 0; bit < size * 8; bit++) {
        uint8_t flipped = bytes[bit / 8] ^ (uint8_t)(1 << bit % 8);
        assert_true(io_mem_damage(mem, "db/CURRENT", &flipped, 1, bit / 8));
        assert_int_equal(manifest_current_read(io, &current, &found, FOLDER).code, KVS_CORRUPT);
        assert_true(io_mem_damage(mem, "db/CURRENT", &bytes[bit / 8], 1, bit / 8));
    }
    assert_true(io_mem_resize(mem, "db/CURRENT", size + 1));
    assert_int_equal(manifest_current_read(io, &current, &found, FOLDER).code, KVS_CORRUPT);
    while (size-- > 0) {
        assert_true(io_mem_resize(mem, "db/CURRENT", size));
        assert_int_equal(manifest_current_read(io, &current, &found, FOLDER).code, KVS_CORRUPT);
    }
    free(bytes);
    io_mem_free(mem);
}

/* A manifest of another database, or a copy of an older one, under the right name is not taken. */
static void manifest_foreign_file_is_refused(void **state)
{
    (void)state;
    uint64_t ends[1], count;
    struct manifest_replay_result result;
    size_t size;
    struct io_mem *mem = written_disk(0, ends), *other = io_mem_new(2, NULL);
    assert_ok(io_make_directory(io_mem_as_io(other), FOLDER));
    manifest_close(create(io_mem_as_io(other), 1, 1));
    uint8_t *bytes = io_mem_copy_file(other, &size, MANIFEST_PATH);
    assert_true(io_mem_damage(mem, MANIFEST_PATH, bytes, size, 0));
    struct kvs_status status = replay(io_mem_as_io(mem), &result, &count);
    assert_int_equal(status.code, KVS_CORRUPT);
    assert_text_has(status, "the file that CURRENT names");
    free(bytes);
    io_mem_free(other);
    assert_ok(io_unlink(io_mem_as_io(mem), MANIFEST_PATH));
    status = replay(io_mem_as_io(mem), &result, &count);
    assert_int_equal(status.code, KVS_CORRUPT);
    assert_text_has(status, "no such file");
    io_mem_free(mem);
}

/* ---- Is there a database? ---- */

static struct kvs_status look(struct io *io, bool *found)
{
    struct manifest_current current;
    return manifest_current_read(io, &current, found, FOLDER);
}

static void touch(struct io *io, const char *path)
{
    io_file_close(open_file(io, path, IO_OPEN_CREATE));
}

/* A folder without data of ours may be made a database. */
static void manifest_folder_without_data_holds_no_database(void **state)
{
    (void)state;
    bool found = true;
    struct io_mem *mem = io_mem_new(1, NULL);
    struct io *io = io_mem_as_io(mem);
    assert_ok(look(io, &found)); /* no folder */
    assert_false(found);
    assert_ok(io_make_directory(io, FOLDER));
    assert_ok(look(io, &found));
    assert_false(found);
    touch(io, "db/LOCK");
    touch(io, "db/CURRENT.tmp");
    touch(io, "db/MANIFEST-000001");
    touch(io, "db/notes.txt");
    assert_ok(look(io, &found));
    assert_false(found);
    io_mem_free(mem);
}

/* A database that lost its CURRENT is not built over. */
static void manifest_missing_current_beside_data_is_refused(void **state)
{
    (void)state;
    bool found;
    static const char *const data[] = {"db/000002.log", "db/000003.seg"};
    for (int i = 0; i < 2; i++) {
        struct io_mem *mem = new_disk();
        touch(io_mem_as_io(mem), data[i]);
        struct kvs_status status = look(io_mem_as_io(mem), &found);
        assert_int_equal(status.code, KVS_CORRUPT);
        assert_text_has(status, "CURRENT is missing");
        io_mem_free(mem);
    }
    struct io_mem *mem = new_disk();
    struct io *io = io_mem_as_io(mem);
    struct manifest *manifest = create(io, 1, 1);
    struct manifest_edit edit;
    manifest_edit_init(&edit);
    assert_ok(manifest_edit_add_log(&edit, 2, 1));
    assert_ok(manifest_append(manifest, &edit));
    manifest_edit_fini(&edit);
    manifest_close(manifest);
    assert_ok(io_unlink(io, "db/CURRENT"));
    struct kvs_status status = look(io, &found);
    assert_int_equal(status.code, KVS_CORRUPT);
    assert_text_has(status, "a manifest that lists files");
    io_mem_free(mem);
}

/* ---- Failures ---- */

/* After a failed write or sync nobody knows what is on disk: nothing more may be appended, or deleted on the strength of it. */
static void manifest_failed_append_poisons_for_ever(void **state)
{
    (void)state;
    static const enum io_call calls[] = {IO_CALL_WRITE, IO_CALL_SYNC};
    for (int i = 0; i < 2; i++) {
        struct io_mem *mem = new_disk();
        struct io_fault *fault = io_fault_new(io_mem_as_io(mem));
        struct manifest *manifest = create(io_fault_as_io(fault), 1, 1);
        assert_ok(append(manifest, 1));
        io_fault_fail(fault, calls[i], 1, EIO, false);
        struct kvs_status status = append(manifest, 2);
        assert_int_equal(status.code, KVS_POISONED);
        assert_text_has(status, "database poisoned");
        assert_true(manifest_is_poisoned(manifest));
        status = append(manifest, 3);
        assert_int_equal(status.code, KVS_POISONED);
        assert_int_equal(manifest_last_record(manifest), 2);
        manifest_close(manifest);
        io_fault_free(fault);
        io_mem_free(mem);
    }
}

/* A full disk is met before anything is written, and the same edit goes through when there is room. */
static void manifest_full_disk_is_no_poison(void **state)
{
    (void)state;
    uint64_t count;
    struct manifest_replay_result result;
    struct io_mem *mem = new_disk();
    struct io_fault *fault = io_fault_new(io_mem_as_io(mem));
    struct manifest *manifest = create(io_fault_as_io(fault), 1, 1);
    uint64_t published = 0;
    io_fault_fail(fault, IO_CALL_PREALLOCATE, 1, ENOSPC, true);
    struct kvs_status status = status_ok();
    while (status_is_ok(status))
        status = append(manifest, ++published);
    assert_int_equal(status.code, KVS_NO_SPACE);
    assert_true(published > 100);
    assert_false(manifest_is_poisoned(manifest));
    io_fault_clear(fault);
    assert_ok(append(manifest, published));
    manifest_close(manifest);
    assert_ok(replay(io_mem_as_io(mem), &result, &count));
    assert_int_equal(count, published + 1);
    io_fault_free(fault);
    io_mem_free(mem);
}

/* Some file systems fail writes of preallocated room: an edit that did not fit must be neither there later nor in the way of the next, even where nearly all of it was
 * written, and writing goes on as soon as there is room. */
static void manifest_full_disk_at_a_write_takes_the_edit_back(void **state)
{
    (void)state;
    for (size_t landed_bytes = 0; landed_bytes < 64; landed_bytes++) {
        struct io_mem *mem = new_disk();
        struct io_fault *fault = io_fault_new(io_mem_as_io(mem));
        struct manifest *manifest = create(io_fault_as_io(fault), 1, 1);
        struct manifest_replay_result result;
        uint64_t count;
        assert_ok(append(manifest, 1));
        io_fault_add(fault, &(struct io_fault_rule){.call = IO_CALL_WRITE,
                                                    .nth = 1,
                                                    .action = IO_FAULT_SHORT,
                                                    .sys_errno = ENOSPC,
                                                    .landed_bytes = landed_bytes});
        struct kvs_status status = append(manifest, UINT64_MAX / 2);
        assert_int_equal(status.code, KVS_NO_SPACE);
        assert_text_has(status, "injected");
        assert_false(manifest_is_poisoned(manifest));
        assert_ok(replay(io_mem_as_io(mem), &result, &count));
        assert_int_equal(count, 2);
        assert_ok(append(manifest, 2));
        assert_ok(append(manifest, 3));
        assert_ok(replay(io_mem_as_io(mem), &result, &count));
        assert_int_equal(count, 4);
        manifest_close(manifest);
        io_fault_free(fault);
        io_mem_free(mem);
    }
}

/* Where not even the taking back can be written, nobody knows what is there. */
static void manifest_full_disk_for_good_poisons(void **state)
{
    (void)state;
    struct io_mem *mem = new_disk();
    struct io_fault *fault = io_fault_new(io_mem_as_io(mem));
    struct manifest *manifest = create(io_fault_as_io(fault), 1, 1);
    io_fault_fail(fault, IO_CALL_WRITE, 1, ENOSPC, true);
    assert_int_equal(append(manifest, 1).code, KVS_POISONED);
    assert_true(manifest_is_poisoned(manifest));
    manifest_close(manifest);
    io_fault_free(fault);
    io_mem_free(mem);
}

/* A recovery on a full disk ends with an edit behind the whole state that it wrote: without room for that it could be neither finished nor repeated. */
static void manifest_whole_state_leaves_room_for_an_edit(void **state)
{
    (void)state;
    enum { EMPTY_BYTES = 128, STEP_BYTES = 8, SIZES = 40 };
    static uint8_t key[MANIFEST_PIECE_BYTES];
    for (size_t i = 0; i < SIZES; i++) {
        struct io_mem *mem = new_disk();
        struct io *io = io_mem_as_io(mem);
        struct manifest *manifest;
        struct manifest_edit edit = owner_edit();
        size_t key_bytes = (MANIFEST_PIECE_BYTES - EMPTY_BYTES - i * STEP_BYTES) / 2;
        struct segment_meta meta = {.number = 1,
                                    .size_bytes = 1,
                                    .min_sequence = 1,
                                    .max_sequence = 1,
                                    .entry_count = 1,
                                    .smallest = key_of(slice_of(key, key_bytes), key_trailer(1, KEY_PUT)),
                                    .largest = key_of(slice_of(key, key_bytes), key_trailer(1, KEY_PUT))};
        assert_ok(manifest_edit_add_segment(&edit, 0, 1, &meta));
        assert_ok(manifest_create(io, &manifest, FOLDER, uuid, 1, 1, &edit, 1));
        manifest_edit_fini(&edit);
        io_mem_set_capacity(mem, 1); /* it is full */
        assert_ok(append(manifest, 1));
        manifest_close(manifest);
        io_mem_free(mem);
    }
}

/* A new manifest that cannot be made: the old one stays current and whole, or the outcome is said to be unknown; then one of the two is current. */
static void manifest_create_with_each_call_failing_leaves_one_current(void **state)
{
    (void)state;
    static const enum io_call calls[] = {IO_CALL_OPEN,   IO_CALL_WRITE,          IO_CALL_SYNC,  IO_CALL_PREALLOCATE,
                                         IO_CALL_RENAME, IO_CALL_DIRECTORY_SYNC, IO_CALL_RANDOM};
    for (size_t kind = 0; kind < sizeof calls / sizeof *calls; kind++) {
        for (uint64_t nth = 1; nth <= 4; nth++) {
            struct io_mem *mem = new_disk();
            struct io_fault *fault = io_fault_new(io_mem_as_io(mem));
            struct manifest *manifest = create(io_fault_as_io(fault), 1, 1), *next = NULL;
            assert_ok(append(manifest, 1));
            struct manifest_edit edit = owner_edit();
            io_fault_fail(fault, calls[kind], nth, EIO, false);
            struct kvs_status status = manifest_create(io_fault_as_io(fault), &next, FOLDER, uuid, 2, 3, &edit, 1);
            bool fired = io_fault_fired_count(fault) > 0;
            assert_int_equal(status_is_ok(status), !fired);
            bool is_sync =
                calls[kind] == IO_CALL_SYNC || calls[kind] == IO_CALL_RENAME || calls[kind] == IO_CALL_DIRECTORY_SYNC;
            if (fired)
                assert_int_equal(status.code, is_sync ? KVS_POISONED : KVS_IO);
            struct manifest_current current;
            bool found;
            assert_ok(manifest_current_read(io_mem_as_io(mem), &current, &found, FOLDER));
            assert_true(found && (current.number == 1 || (current.number == 2 && (!fired || is_sync))));
            if (fired && !is_sync)
                assert_false(is_there(io_mem_as_io(mem), "db/MANIFEST-000002"));
            manifest_edit_fini(&edit);
            manifest_close(next);
            manifest_close(manifest);
            assert_int_equal(io_mem_open_count(mem), 0);
            io_fault_free(fault);
            io_mem_free(mem);
        }
    }
}

/* ---- Crashes ---- */

/* Create, append, make a new manifest, append. acknowledged: out, how many edits were (as the second manifest begins anew: counted over both);
 * created: out, whether the database was. */
static void write_history(struct io *io, uint64_t *acknowledged, bool *created, uint64_t *switched_at)
{
    struct manifest_edit edit = owner_edit();
    struct manifest *manifest = NULL, *next = NULL;
    *acknowledged = 0;
    *switched_at = 0;
    *created = status_is_ok(manifest_create(io, &manifest, FOLDER, uuid, 1, 1, &edit, 1));
    for (uint64_t i = 1; *created && i <= 3 && status_is_ok(append(manifest, i)); i++)
        *acknowledged = i;
    if (*acknowledged == 3 &&
        status_is_ok(manifest_create(io, &next, FOLDER, uuid, 2, manifest_last_record(manifest) + 1, &edit, 1))) {
        *switched_at = 3;
        for (uint64_t i = 1; i <= 3 && status_is_ok(append(next, i)); i++)
            *acknowledged = 3 + i;
    }
    manifest_edit_fini(&edit);
    manifest_close(manifest);
    manifest_close(next);
}

/* After a power cut at any call, with any fate of what was not durable: what was acknowledged is there, the manifest is one of the two, and
 * opening never refuses. */
static void check_clone(struct io_mem *clone, uint64_t acknowledged, bool created, uint64_t switched_at)
{
    struct io *io = io_mem_as_io(clone);
    struct manifest_current current;
    struct manifest_replay_result result;
    bool found;
    uint64_t count = 0;
    assert_ok(manifest_current_read(io, &current, &found, FOLDER));
    assert_true(found || !created);
    if (!found)
        return;
    assert_ok(manifest_replay(io, &result, FOLDER, &current, count_visit, &count));
    uint64_t edits = count - 1 + (current.number == 2 ? 3 : 0);
    assert_true(current.number == 2 || switched_at == 0);
    assert_true(edits >= acknowledged);
    assert_true(edits <= acknowledged + 1);
}

static void manifest_power_cut_at_each_call_loses_nothing_acknowledged(void **state)
{
    (void)state;
    bool created;
    uint64_t acknowledged, switched_at, crashes = 0;
    struct io_mem *whole = new_disk();
    uint64_t before = io_mem_call_count(whole);
    write_history(io_mem_as_io(whole), &acknowledged, &created, &switched_at);
    assert_int_equal(acknowledged, 6);
    uint64_t calls = io_mem_call_count(whole) - before;
    io_mem_free(whole);
    for (uint64_t call = 1; call <= calls; call++) {
        for (enum io_mem_moment moment = IO_MEM_BEFORE; moment <= IO_MEM_AFTER; moment++) {
            struct io_mem *mem = new_disk();
            io_mem_crash_at(mem, before + call, moment);
            write_history(io_mem_as_io(mem), &acknowledged, &created, &switched_at);
            assert_true(io_mem_has_crashed(mem));
            for (uint64_t seed = 0; seed < 3 * IO_MEM_KEEP_COUNT; seed++) {
                struct io_mem *clone =
                    io_mem_clone_after_power_cut(mem, seed, (enum io_mem_keep)(seed % IO_MEM_KEEP_COUNT));
                check_clone(clone, acknowledged, created, switched_at);
                io_mem_free(clone);
                crashes++;
            }
            io_mem_free(mem);
        }
    }
    assert_true(crashes > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_files_golden),
        cmocka_unit_test(manifest_appended_edits_are_replayed),
        cmocka_unit_test(manifest_any_flipped_bit_is_damage_or_a_torn_tail),
        cmocka_unit_test(manifest_cut_at_each_byte_is_damage),
        cmocka_unit_test(manifest_zeros_from_each_byte_on_are_damage_or_a_torn_tail),
        cmocka_unit_test(manifest_current_damaged_is_refused),
        cmocka_unit_test(manifest_foreign_file_is_refused),
        cmocka_unit_test(manifest_folder_without_data_holds_no_database),
        cmocka_unit_test(manifest_missing_current_beside_data_is_refused),
        cmocka_unit_test(manifest_failed_append_poisons_for_ever),
        cmocka_unit_test(manifest_full_disk_is_no_poison),
        cmocka_unit_test(manifest_full_disk_at_a_write_takes_the_edit_back),
        cmocka_unit_test(manifest_full_disk_for_good_poisons),
        cmocka_unit_test(manifest_whole_state_leaves_room_for_an_edit),
        cmocka_unit_test(manifest_create_with_each_call_failing_leaves_one_current),
        cmocka_unit_test(manifest_power_cut_at_each_call_loses_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
