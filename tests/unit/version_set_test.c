/* version_set_test.c -- the version set: when files go, what opening finds, crashes and failures around installs. */

#include "version_support.h"

#include "fault_allocator.h"

static struct kvs_status try_install_segment(struct world *world, uint64_t *number, const char *keys)
{
    struct version_edit edit;
    version_edit_init(&edit);
    struct kvs_status status = world_add(world, &edit, 0, 0, keys);
    uint64_t added = status_is_ok(status) ? edit.manifest.added[0].meta.number : 0;
    if (status_is_ok(status))
        status = version_set_install(world->set, &edit, NULL, NULL);
    if (!status_is_ok(status) && status.code != KVS_POISONED)
        version_edit_discard(&edit);
    version_edit_fini(&edit);
    if (status_is_ok(status) && number != NULL)
        *number = added;
    return status;
}

static uint64_t install_segment(struct world *world, const char *keys)
{
    uint64_t number = 0;
    assert_ok(try_install_segment(world, &number, keys));
    return number;
}

/* Drop a run of one segment, whose id is the segment's number. */
static struct kvs_status remove_segment(struct world *world, uint64_t number)
{
    struct version_edit edit;
    version_edit_init(&edit);
    struct kvs_status status = manifest_edit_remove_segment(&edit.manifest, 0, number, number);
    if (status_is_ok(status))
        status = version_set_install(world->set, &edit, NULL, NULL);
    version_edit_fini(&edit);
    return status;
}

static struct kvs_status install_empty(struct world *world)
{
    struct version_edit edit;
    version_edit_init(&edit);
    struct kvs_status status = version_set_install(world->set, &edit, NULL, NULL);
    version_edit_fini(&edit);
    return status;
}

static void reopen(struct world *world, struct version_recovery *recovery)
{
    struct io_mem *mem = world_unmount(world);
    world_mount(world, mem);
    assert_ok(world_open(world, recovery));
}

static void touch(struct world *world, const char *path)
{
    io_file_close(open_file(io_mem_as_io(world->mem), path, IO_OPEN_CREATE));
}

/* ---- Life of a file ---- */

/* A file that a reader uses stays, and goes when nobody does. */
static void version_set_dropped_segment_is_deleted_after_its_last_reader(void **state)
{
    (void)state;
    struct world world;
    world_create(&world);
    uint64_t number = install_segment(&world, "a b");
    struct version *reader = version_set_current(world.set);
    assert_ok(remove_segment(&world, number));
    assert_ok(install_empty(&world));
    assert_int_equal(version_set_obsolete_count(world.set), 0);
    assert_ok(version_set_delete_obsolete(world.set));
    assert_true(world_has(&world, FILE_SEGMENT, number));
    version_unref(reader);
    assert_int_equal(version_set_obsolete_count(world.set), 1);
    assert_ok(version_set_delete_obsolete(world.set));
    assert_false(world_has(&world, FILE_SEGMENT, number));
    assert_int_equal(version_set_obsolete_count(world.set), 0);
    world_free(&world);
}

/* The record that drops a file might later look like a torn tail if it were the last: then the file must still be there. So a record follows first. */
static void version_set_delete_appends_a_record_behind_the_drop(void **state)
{
    (void)state;
    struct world world;
    struct version_recovery recovery;
    world_create(&world);
    uint64_t number = install_segment(&world, "a b");
    assert_ok(remove_segment(&world, number));
    uint64_t syncs = io_fault_count(world.fault, IO_CALL_SYNC);
    io_fault_fail(world.fault, IO_CALL_UNLINK, 1, EIO, false);
    assert_ok(version_set_delete_obsolete(world.set));
    assert_int_equal(io_fault_count(world.fault, IO_CALL_SYNC), syncs + 1);
    assert_true(world_has(&world, FILE_SEGMENT, number)); /* the unlink failed: it is tried again */
    assert_int_equal(world.lines, 1);
    assert_ok(version_set_delete_obsolete(world.set));
    assert_int_equal(io_fault_count(world.fault, IO_CALL_SYNC), syncs + 1);
    assert_false(world_has(&world, FILE_SEGMENT, number));
    reopen(&world, &recovery);
    assert_int_equal(recovery.records, 4);
    world_free(&world);
}

/* However the last record is damaged afterwards, the state before it is whole: nothing it lists has been deleted. */
static void version_set_damaged_last_record_never_loses_a_listed_file(void **state)
{
    (void)state;
    struct world world;
    struct version_recovery recovery;
    world_create(&world);
    uint64_t number = install_segment(&world, "a b");
    assert_ok(remove_segment(&world, number));
    assert_ok(version_set_delete_obsolete(world.set));
    assert_false(world_has(&world, FILE_SEGMENT, number));
    struct io_mem *mem = world_unmount(&world);
    size_t size;
    uint8_t *bytes = io_mem_copy_file(mem, &size, "db/MANIFEST-000001");
    size_t end = size;
    while (bytes[end - 1] == 0)
        end--;
    bytes[end - 1] ^= 1; /* in the last record's payload: its next file number */
    assert_true(io_mem_damage(mem, "db/MANIFEST-000001", &bytes[end - 1], 1, end - 1));
    free(bytes);
    world_mount(&world, mem);
    assert_ok(world_open(&world, &recovery));
    assert_true(recovery.cut_bytes > 0);
    assert_version(&world, "");
    world_free(&world);
}

/* Logs go as segments do. */
static void version_set_dropped_log_is_deleted_after_a_later_record(void **state)
{
    (void)state;
    struct world world;
    struct version_edit edit;
    struct manifest_log *logs;
    size_t count;
    world_create(&world);
    touch(&world, "db/000050.log");
    version_edit_init(&edit);
    assert_ok(manifest_edit_add_log(&edit.manifest, 50, 1));
    assert_ok(manifest_edit_add_log(&edit.manifest, 51, 9));
    assert_ok(manifest_edit_end_log(&edit.manifest, 50, 4096, 8));
    assert_ok(version_set_install(world.set, &edit, NULL, NULL));
    version_edit_fini(&edit);
    assert_ok(version_set_logs(world.set, &logs, &count));
    assert_int_equal(count, 2);
    assert_true(logs[0].is_ended && logs[0].number == 50 && logs[0].size_bytes == 4096 && logs[0].last_record == 8);
    assert_true(!logs[1].is_ended && logs[1].number == 51 && logs[1].first_record == 9);
    free(logs);
    version_edit_init(&edit);
    assert_ok(manifest_edit_drop_log(&edit.manifest, 50));
    assert_ok(version_set_install(world.set, &edit, NULL, NULL));
    version_edit_fini(&edit);
    assert_true(world_has(&world, FILE_LOG, 50));
    assert_ok(version_set_delete_obsolete(world.set));
    assert_false(world_has(&world, FILE_LOG, 50));
    assert_ok(version_set_logs(world.set, &logs, &count));
    assert_int_equal(count, 1);
    free(logs);
    world_free(&world);
}

/* ---- Opening ---- */

/* A file that only looks like ours must not make numbers start again at 0, or end the process. */
static void version_set_number_without_a_next_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"18446744073709551615.log", "18446744073709551614.seg",
                                        "lost/MANIFEST-18446744073709551615"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct world world;
        struct version_recovery recovery;
        struct io_file *file;
        char path[64];
        world_create(&world);
        struct io_mem *mem = world_unmount(&world);
        struct io *io = io_mem_as_io(mem);
        assert_ok(io_make_directory(io, FOLDER "/lost"));
        snprintf(path, sizeof path, FOLDER "/%s", names[i]);
        assert_ok(io_file_open(io, &file, path, IO_OPEN_CREATE));
        io_file_close(file);
        world_mount(&world, mem);
        assert_int_equal(world_open(&world, &recovery).code, KVS_UNSUPPORTED);
        version_set_close(world.set);
        world.set = NULL;
        assert_ok(io_unlink(io, path));
        assert_ok(world_open(&world, &recovery));
        world_free(&world);
    }
}

/* Everything that was installed is found again: segments, logs, numbers, owner; and file numbers go on. */
static void version_set_reopened_finds_what_was_installed(void **state)
{
    (void)state;
    struct world world;
    struct version_recovery recovery;
    struct version_edit edit;
    world_create(&world);
    install_segment(&world, "a b");
    install_segment(&world, "c d");
    version_edit_init(&edit);
    assert_ok(manifest_edit_add_log(&edit.manifest, 77, 5));
    edit.manifest.numbers.last_sequence = 500;
    edit.manifest.numbers.durable_record = 20;
    assert_ok(version_set_install(world.set, &edit, NULL, NULL));
    version_edit_fini(&edit);
    uint64_t next = version_set_new_number(world.set);
    reopen(&world, &recovery);
    assert_version(&world, "0(c-d) 0(a-b)");
    assert_string_equal(version_set_owner(world.set), "test");
    assert_int_equal(recovery.numbers.last_sequence, 500);
    assert_int_equal(recovery.numbers.durable_record, 20);
    assert_int_equal(version_set_numbers(world.set).last_sequence, 500);
    assert_true(version_set_new_number(world.set) > next);
    reopen(&world, &recovery); /* the whole manifest that the last opening wrote */
    assert_int_equal(recovery.records, 1);
    assert_version(&world, "0(c-d) 0(a-b)");
    assert_int_equal(recovery.numbers.last_sequence, 500);
    assert_false(world_has(&world, FILE_MANIFEST, 1));
    world_free(&world);
}

/* What a crash left behind is removed; what is listed, or not ours, is not. Numbers of what was there are not used again. */
static void version_set_sweep_removes_what_nothing_lists(void **state)
{
    (void)state;
    struct world world;
    struct version_recovery recovery;
    world_create(&world);
    uint64_t number = install_segment(&world, "a b");
    touch(&world, "db/000900.seg");
    touch(&world, "db/000901.log");
    touch(&world, "db/MANIFEST-000902");
    touch(&world, "db/CURRENT.tmp");
    touch(&world, "db/notes.txt");
    touch(&world, "db/LOCK");
    assert_ok(io_make_directory(io_mem_as_io(world.mem), "db/lost"));
    touch(&world, "db/lost/000903.seg");
    reopen(&world, &recovery);
    assert_false(world_has(&world, FILE_SEGMENT, 900));
    assert_false(world_has(&world, FILE_LOG, 901));
    assert_false(world_has(&world, FILE_MANIFEST, 902));
    assert_false(world_has(&world, FILE_CURRENT_TEMPORARY, 0));
    assert_true(world_has(&world, FILE_SEGMENT, number));
    assert_true(world_has(&world, FILE_LOCK, 0));
    assert_true(is_there(io_mem_as_io(world.mem), "db/notes.txt"));
    assert_true(is_there(io_mem_as_io(world.mem), "db/lost/000903.seg"));
    assert_true(version_set_new_number(world.set) > 903);
    world_free(&world);
}

/* Tear the last record off the first manifest. */
static void tear_manifest(struct io_mem *mem)
{
    size_t size;
    uint8_t *bytes = io_mem_copy_file(mem, &size, "db/MANIFEST-000001");
    while (bytes[size - 1] == 0)
        size--;
    free(bytes);
    assert_true(io_mem_damage(mem, "db/MANIFEST-000001", "", 1, size - 1));
}

/* If the manifest lost its end, what it does not list may be data: it is set aside. */
static void version_set_sweep_after_a_cut_sets_files_aside(void **state)
{
    (void)state;
    struct world world;
    struct version_recovery recovery;
    world_create(&world);
    install_segment(&world, "a b");
    uint64_t number = install_segment(&world, "c d");
    struct io_mem *mem = world_unmount(&world);
    tear_manifest(mem);
    world_mount(&world, mem);
    assert_ok(world_open(&world, &recovery));
    assert_true(recovery.cut_bytes > 0);
    assert_version(&world, "0(a-b)");
    assert_false(world_has(&world, FILE_SEGMENT, number));
    char path[IO_PATH_BYTES];
    assert_ok(file_name_path(path, "db/lost", FILE_SEGMENT, number));
    assert_true(is_there(io_mem_as_io(world.mem), path));
    assert_true(is_there(io_mem_as_io(world.mem), "db/lost/MANIFEST-000001"));
    assert_true(version_set_new_number(world.set) > number);
    assert_int_equal(world.lines, 2);
    world_free(&world);
}

/* A crash once the manifest is written anew must not lose the knowledge that the old one was torn, and with it the files that it may have listed. */
static void version_set_crash_at_any_call_after_a_cut_keeps_files(void **state)
{
    (void)state;
    struct world world;
    struct version_recovery recovery;
    char path[IO_PATH_BYTES], aside[IO_PATH_BYTES];
    world_create(&world);
    uint64_t number = install_segment(&world, "a b");
    assert_ok(file_name_path(path, "db", FILE_SEGMENT, number));
    assert_ok(file_name_path(aside, "db/lost", FILE_SEGMENT, number));
    struct io_mem *torn = world_unmount(&world);
    tear_manifest(torn);
    bool has_crashed = true;
    for (uint64_t call = 1; has_crashed; call++) {
        struct io_mem *mem = io_mem_clone_after_kill(torn);
        io_mem_crash_at(mem, io_mem_call_count(mem) + call, IO_MEM_AFTER);
        world_mount(&world, mem);
        struct kvs_status status = world_open(&world, &recovery);
        has_crashed = io_mem_has_crashed(mem);
        assert_true(has_crashed || status_is_ok(status));
        mem = world_unmount(&world);
        for (int keep = IO_MEM_KEEP_NONE; keep <= IO_MEM_KEEP_ALL; keep++) {
            world_mount(&world, io_mem_clone_after_power_cut(mem, call, (enum io_mem_keep)keep));
            assert_ok(world_open(&world, &recovery));
            assert_true(is_there(io_mem_as_io(world.mem), path) || is_there(io_mem_as_io(world.mem), aside));
            world_free(&world);
        }
        io_mem_free(mem);
    }
    io_mem_free(torn);
}

/* A listed file that is gone is a refusal that names it, and changes nothing. */
static void version_set_listed_segment_missing_is_refused(void **state)
{
    (void)state;
    struct world world;
    struct version_recovery recovery;
    world_create(&world);
    uint64_t number = install_segment(&world, "a b");
    struct io_mem *mem = world_unmount(&world);
    char path[IO_PATH_BYTES], expected[64];
    assert_ok(file_name_path(path, FOLDER, FILE_SEGMENT, number));
    assert_ok(io_unlink(io_mem_as_io(mem), path));
    uint64_t calls = io_mem_call_count(mem);
    world_mount(&world, mem);
    struct kvs_status status = world_open(&world, &recovery);
    assert_int_equal(status.code, KVS_CORRUPT);
    snprintf(expected, sizeof expected, "%06lu.seg: expected the segment", (unsigned long)number);
    assert_text_has(status, expected);
    assert_int_equal(io_mem_call_count(mem), calls);
    world_free(&world);
}

/* A folder without a database says so. */
static void version_set_recover_of_an_empty_folder_is_not_found(void **state)
{
    (void)state;
    struct world world;
    struct version_recovery recovery;
    bool found = true;
    world_mount(&world, world_new_disk(3));
    assert_ok(version_set_find(&found, world.io, FOLDER));
    assert_false(found);
    struct kvs_status status = world_open(&world, &recovery);
    assert_int_equal(status.code, KVS_NOT_FOUND);
    world_free(&world);
}

/* ---- The manifest written anew ---- */

/* A database that runs for years does not read years of edits when it opens. */
static void version_set_grown_manifest_is_written_anew(void **state)
{
    (void)state;
    struct world world;
    struct version_recovery recovery;
    world_mount(&world, world_new_disk(1));
    struct version_set_options options = world_options(&world);
    options.manifest_bytes = 2000;
    assert_ok(version_set_create(&world.set, &options, "test"));
    uint64_t number = install_segment(&world, "a b");
    uint64_t dropped = install_segment(&world, "c d");
    assert_ok(remove_segment(&world, dropped));
    for (int i = 0; i < 200; i++)
        assert_ok(install_empty(&world));
    assert_ok(version_set_delete_obsolete(world.set));
    assert_false(world_has(&world, FILE_MANIFEST, 1));
    assert_false(world_has(&world, FILE_SEGMENT, dropped));
    assert_true(world_has(&world, FILE_SEGMENT, number));
    reopen(&world, &recovery);
    assert_true(recovery.records < 60);
    assert_version(&world, "0(a-b)");
    world_free(&world);
}

/* ---- Failures ---- */

/* The publish hook sees the new version, and only when it is durable. */
struct hook {
    struct world *world;
    uint64_t calls;
    uint64_t syncs;
};

static void note_publish(void *context, struct version *version)
{
    struct hook *hook = context;
    hook->calls++;
    hook->syncs = io_fault_count(hook->world->fault, IO_CALL_SYNC);
    assert_int_equal(version->run_count, 1);
}

static void version_set_publish_follows_the_sync(void **state)
{
    (void)state;
    struct world world;
    struct version_edit edit;
    world_create(&world);
    struct hook hook = {.world = &world};
    version_edit_init(&edit);
    assert_ok(world_add(&world, &edit, 0, 0, "a"));
    uint64_t syncs = io_fault_count(world.fault, IO_CALL_SYNC);
    assert_ok(version_set_install(world.set, &edit, note_publish, &hook));
    version_edit_fini(&edit);
    assert_int_equal(hook.calls, 1);
    assert_int_equal(hook.syncs, syncs + 1);
    version_edit_init(&edit);
    io_fault_fail(world.fault, IO_CALL_SYNC, 1, EIO, false);
    struct kvs_status status = version_set_install(world.set, &edit, note_publish, &hook);
    assert_int_equal(status.code, KVS_POISONED);
    version_edit_fini(&edit);
    assert_int_equal(hook.calls, 1);
    world_free(&world);
}

/* After a failed sync of the manifest nothing more is deleted: the edit that dropped a file may not be on disk. */
static void version_set_poisoned_deletes_nothing(void **state)
{
    (void)state;
    struct world world;
    world_create(&world);
    uint64_t number = install_segment(&world, "a b");
    assert_ok(remove_segment(&world, number));
    io_fault_fail(world.fault, IO_CALL_SYNC, 1, EIO, false);
    struct kvs_status status = version_set_delete_obsolete(world.set);
    assert_int_equal(status.code, KVS_POISONED);
    assert_true(version_set_is_poisoned(world.set));
    status = version_set_delete_obsolete(world.set);
    assert_int_equal(status.code, KVS_POISONED);
    assert_true(world_has(&world, FILE_SEGMENT, number));
    status = try_install_segment(&world, NULL, "x");
    assert_int_equal(status.code, KVS_POISONED);
    status = version_set_sweep(world.set);
    assert_int_equal(status.code, KVS_POISONED);
    world_free(&world);
}

/* ---- Crashes ---- */

/* What a history had acknowledged when the power went. segments: how many of its installs; removed: of its removals. */
struct progress {
    bool created;
    int installed;
    int removed;
};

/* Install four segments, remove the first two, delete what is obsolete now and then, write the manifest anew on the way. */
static void live_a_little(struct world *world, struct progress *progress)
{
    static const char *const keys[] = {"a b", "c d", "e f", "g h"};
    struct version_set_options options = world_options(world);
    uint64_t numbers[4];
    *progress = (struct progress){.created = false};
    options.manifest_bytes = 300;
    progress->created = status_is_ok(version_set_create(&world->set, &options, "test"));
    if (!progress->created)
        return;
    for (int i = 0; i < 4; i++) {
        if (!status_is_ok(try_install_segment(world, &numbers[i], keys[i])))
            return;
        progress->installed = i + 1;
        if (i >= 2) {
            if (!status_is_ok(remove_segment(world, numbers[i - 2])))
                return;
            progress->removed = i - 1;
            if (!status_is_ok(version_set_delete_obsolete(world->set)))
                return;
        }
    }
}

/* The disk opens, holds what was acknowledged and at most one edit more, and can be written to; twice, as the sweep may not have been durable. */
static void check_clone(struct io_mem *clone, const struct progress *progress)
{
    static const char *const states[] = {"",
                                         "0(a-b)",
                                         "0(c-d) 0(a-b)",
                                         "0(e-f) 0(c-d) 0(a-b)",
                                         "0(e-f) 0(c-d)",
                                         "0(g-h) 0(e-f) 0(c-d)",
                                         "0(g-h) 0(e-f)"};
    struct world world;
    struct version_recovery recovery;
    char found[256];
    bool exists = false;
    world_mount(&world, clone);
    assert_ok(version_set_find(&exists, world.io, FOLDER));
    assert_true(exists || !progress->created);
    if (exists) {
        assert_ok(world_open(&world, &recovery));
        struct version *version = version_set_current(world.set);
        version_print(found, sizeof found, version);
        version_unref(version);
        int edits = progress->installed + progress->removed;
        if (strcmp(found, states[edits]) != 0 && (edits == 6 || strcmp(found, states[edits + 1]) != 0))
            fail_msg("after %d edits found %s", edits, found);
        install_segment(&world, "y z");
        reopen(&world, &recovery);
    }
    world_free(&world);
}

static void version_set_power_cut_at_each_call_opens_with_what_was_acknowledged(void **state)
{
    (void)state;
    struct world world;
    struct progress progress;
    world_mount(&world, world_new_disk(1));
    uint64_t before = io_mem_call_count(world.mem);
    live_a_little(&world, &progress);
    assert_int_equal(progress.removed, 2);
    uint64_t calls = io_mem_call_count(world.mem) - before;
    world_free(&world);
    for (uint64_t call = 1; call <= calls; call++) {
        world_mount(&world, world_new_disk(1));
        io_mem_crash_at(world.mem, before + call, (enum io_mem_moment)(call % 3));
        live_a_little(&world, &progress);
        for (uint64_t seed = 0; seed < 2 * IO_MEM_KEEP_COUNT; seed++)
            check_clone(
                io_mem_clone_after_power_cut(world.mem, seed + call, (enum io_mem_keep)(seed % IO_MEM_KEEP_COUNT)),
                &progress);
        check_clone(io_mem_clone_after_kill(world.mem), &progress);
        world_free(&world);
    }
}

/* With any one call failing, nothing leaks, and the disk afterwards opens with what was acknowledged. */
static void version_set_each_call_failing_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    static const enum io_call kinds[] = {IO_CALL_OPEN,           IO_CALL_READ,   IO_CALL_WRITE,  IO_CALL_SYNC,
                                         IO_CALL_PREALLOCATE,    IO_CALL_RENAME, IO_CALL_UNLINK, IO_CALL_LIST,
                                         IO_CALL_DIRECTORY_SYNC, IO_CALL_SIZE};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        for (uint64_t nth = 1;; nth++) {
            struct world world;
            struct progress progress;
            world_mount(&world, world_new_disk(1));
            io_fault_fail(world.fault, kinds[kind], nth, kinds[kind] == IO_CALL_PREALLOCATE ? ENOSPC : EIO, false);
            live_a_little(&world, &progress);
            bool fired = io_fault_fired_count(world.fault) > 0;
            check_clone(io_mem_clone_after_kill(world.mem), &progress);
            check_clone(io_mem_clone_after_power_cut(world.mem, nth, IO_MEM_KEEP_NONE), &progress);
            world_free(&world);
            if (!fired)
                break;
        }
    }
}

/* Whichever allocation fails while a database is opened, it is refused for want of memory, nothing leaks, and it opens afterwards. */
static void version_set_each_allocation_failing_at_open_is_reported(void **state)
{
    (void)state;
    struct world world;
    unsigned refused = 0;
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
        struct version_recovery recovery;
        world_create(&world);
        install_segment(&world, "a b");
        install_segment(&world, "c d");
        struct io_mem *mem = world_unmount(&world);
        world_mount(&world, mem);
        allocator_fail(nth, false);
        struct kvs_status status = world_open(&world, &recovery);
        fired = allocator_has_failed();
        allocator_clear();
        assert_true(fired || status_is_ok(status));
        /* POISONED: the simulated disk ran out of memory in a sync or rename */
        assert_true(status_is_ok(status) || status.code == KVS_NO_MEMORY || status.code == KVS_POISONED);
        refused += !status_is_ok(status);
        reopen(&world, &recovery);
        assert_version(&world, "0(c-d) 0(a-b)");
        world_free(&world);
    }
    assert_true(refused > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_set_dropped_segment_is_deleted_after_its_last_reader),
        cmocka_unit_test(version_set_delete_appends_a_record_behind_the_drop),
        cmocka_unit_test(version_set_damaged_last_record_never_loses_a_listed_file),
        cmocka_unit_test(version_set_dropped_log_is_deleted_after_a_later_record),
        cmocka_unit_test(version_set_reopened_finds_what_was_installed),
        cmocka_unit_test(version_set_sweep_removes_what_nothing_lists),
        cmocka_unit_test(version_set_sweep_after_a_cut_sets_files_aside),
        cmocka_unit_test(version_set_crash_at_any_call_after_a_cut_keeps_files),
        cmocka_unit_test(version_set_listed_segment_missing_is_refused),
        cmocka_unit_test(version_set_recover_of_an_empty_folder_is_not_found),
        cmocka_unit_test(version_set_grown_manifest_is_written_anew),
        cmocka_unit_test(version_set_publish_follows_the_sync),
        cmocka_unit_test(version_set_number_without_a_next_is_refused),
        cmocka_unit_test(version_set_poisoned_deletes_nothing),
        cmocka_unit_test(version_set_power_cut_at_each_call_opens_with_what_was_acknowledged),
        cmocka_unit_test(version_set_each_call_failing_keeps_what_was_acknowledged),
        cmocka_unit_test(version_set_each_allocation_failing_at_open_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
