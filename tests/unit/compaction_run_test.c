/* compaction_run_test.c -- flushes and compactions with real segments on a simulated disk, against a model that remembers everything. */

#include "version_support.h"

#include "merge_support.h"
#include "fault_allocator.h"

#include "compaction/compaction.h"
#include "merge/merge_iterator.h"
#include "merge/visible_iterator.h"

enum { ENTRIES_MAX = 4000, SNAPSHOTS_MAX = 4 };

/* ---- The history ---- */

/* entries    everything ever written, sorted; entry_count of them; the last sequence number given is entry_count
 * snapshots  live ones; 0: free */
struct history {
    struct world world;
    struct model_entry entries[ENTRIES_MAX];
    size_t entry_count;
    uint64_t snapshots[SNAPSHOTS_MAX];
    uint64_t seed;
    unsigned key_count;
    unsigned tombstones;
    uint64_t level_base_bytes;
    _Atomic bool stop;
};

static struct compaction_environment environment_of(struct history *history)
{
    return (struct compaction_environment){
        .io = history->world.io,
        .folder = FOLDER,
        .set = history->world.set,
        .segment_bytes = 600,
        .writer = {.codec = SEGMENT_CODEC_ZSTD, .level = 1, .block_bytes = 256, .filter_bits_per_key = 10},
        .stop = &history->stop,
    };
}

static uint64_t horizon_of(const struct history *history)
{
    uint64_t horizon = history->entry_count;
    for (int i = 0; i < SNAPSHOTS_MAX; i++) {
        if (history->snapshots[i] != 0 && history->snapshots[i] < horizon)
            horizon = history->snapshots[i];
    }
    return horizon;
}

static struct history *history_new(uint64_t seed, unsigned key_count, unsigned tombstones)
{
    struct history *history = calloc(1, sizeof *history);
    history->seed = seed;
    history->key_count = key_count;
    history->tombstones = tombstones;
    history->level_base_bytes = 2000;
    world_create(&history->world);
    return history;
}

static void history_free(struct history *history)
{
    world_free(&history->world);
    free(history);
}

/* Install a result; gives it up in any case. */
static struct kvs_status install(struct history *history, struct compaction_result *result)
{
    struct kvs_status status = version_set_install(history->world.set, &result->edit, NULL, NULL);
    if (!status_is_ok(status) && status.code != KVS_POISONED)
        version_edit_discard(&result->edit);
    version_edit_fini(&result->edit);
    return status;
}

/* Make count new entries, and flush them as one run. */
static struct kvs_status flush(struct history *history, size_t count)
{
    struct model_entry *batch = calloc(count, sizeof *batch);
    struct compaction_environment environment = environment_of(history);
    struct compaction_result result;
    model_random_entries(batch, count, &history->seed, history->entry_count + 1, history->key_count,
                         history->tombstones);
    qsort(batch, count, sizeof *batch, model_compare);
    assert_true(history->entry_count + count <= ENTRIES_MAX);
    memcpy(&history->entries[history->entry_count], batch, count * sizeof *batch);
    history->entry_count += count;
    qsort(history->entries, history->entry_count, sizeof *batch, model_compare);

    struct iterator *memory = array_iterator_new(batch, count);
    struct version *version = version_set_current(history->world.set);
    struct kvs_status status = flush_run(&result, &environment, memory, version,
                                         version_set_new_number(history->world.set), horizon_of(history));
    version_unref(version);
    iterator_free(memory);
    free(batch);
    if (status_is_ok(status))
        status = install(history, &result);
    return status;
}

/* Pick a job and carry it out; did: out, whether there was one. */
static struct kvs_status compact_once(struct history *history, bool *did, bool all, struct compaction_result *counts)
{
    struct compaction_options options = {.level_base_bytes = history->level_base_bytes, .segment_bytes = 600};
    struct compaction_environment environment = environment_of(history);
    struct version *version = version_set_current(history->world.set);
    struct compaction_shape shape;
    struct compaction_job job = {.kind = COMPACTION_NONE};
    struct compaction_result result;
    *did = false;
    struct kvs_status status = compaction_shape_init(&shape, version, NULL, 0);
    if (status_is_ok(status)) {
        status = all ? compaction_pick_all(&job, &shape) : compaction_pick(&job, &shape, &options);
        compaction_shape_fini(&shape);
        *did = status_is_ok(status) && job.kind != COMPACTION_NONE;
    }
    if (*did)
        status = compaction_run(&result, &environment, version, &job, horizon_of(history));
    version_unref(version);
    compaction_job_fini(&job);
    if (*did && status_is_ok(status)) {
        if (counts != NULL)
            *counts = result;
        status = install(history, &result);
    }
    return status;
}

/* ---- Checking ---- */

/* The next entry of the model that a reader at sequence sees, from *at on; SIZE_MAX at the end. */
static size_t next_visible(const struct history *history, size_t *at, uint64_t sequence)
{
    const struct model_entry *entries = history->entries;
    while (*at < history->entry_count) {
        struct kvs_slice user = model_key(&entries[*at]).user;
        size_t newest = SIZE_MAX;
        for (; *at < history->entry_count && slice_equal(model_key(&entries[*at]).user, user); (*at)++) {
            if (newest == SIZE_MAX && key_sequence(entries[*at].trailer) <= sequence)
                newest = *at;
        }
        if (newest != SIZE_MAX && key_kind(entries[newest].trailer) == KEY_PUT)
            return newest;
    }
    return SIZE_MAX;
}

static void check_at(struct history *history, uint64_t sequence)
{
    static const struct segment_iterator_options options = {.fill_cache = true};
    struct iterator *children[64], *merged;
    struct visible_iterator *visible;
    struct version *version = version_set_current(history->world.set);
    size_t count = 0, at = 0, expected;
    assert_true(version->run_count < 64);
    assert_ok(version_iterators_new(version, children, &count, slice_of(NULL, 0), slice_of(NULL, 0), &options));
    assert_ok(merge_iterator_new(&merged, children, count, slice_of(NULL, 0)));
    assert_ok(visible_iterator_new(&visible, merged, sequence, slice_of(NULL, 0), slice_of(NULL, 0)));
    version_unref(version);
    assert_ok(visible_iterator_first(visible));
    const struct visible_entry *entry = visible_iterator_entry(visible);
    while ((expected = next_visible(history, &at, sequence)) != SIZE_MAX) {
        assert_true(entry->valid);
        assert_true(slice_equal(entry->key, model_key(&history->entries[expected]).user));
        assert_true(slice_equal(entry->value, slice_of_text(history->entries[expected].value)));
        assert_ok(visible_iterator_next(visible));
    }
    assert_false(entry->valid);
    visible_iterator_free(visible);
}

static void check_all(struct history *history)
{
    check_at(history, history->entry_count);
    for (int i = 0; i < SNAPSHOTS_MAX; i++) {
        if (history->snapshots[i] != 0)
            check_at(history, history->snapshots[i]);
    }
}

static uint64_t count_entries(struct history *history)
{
    struct version *version = version_set_current(history->world.set);
    uint64_t count = 0;
    for (size_t i = 0; i < version->run_count; i++)
        count += version->runs[i]->entry_count;
    version_unref(version);
    return count;
}

static size_t count_live(struct history *history)
{
    size_t at = 0, count = 0;
    while (next_visible(history, &at, history->entry_count) != SIZE_MAX)
        count++;
    return count;
}

static bool count_segment_file(void *context, const char *name)
{
    size_t *count = context;
    uint64_t number;
    *count += file_name_parse(&number, name) == FILE_SEGMENT;
    return true;
}

static size_t count_segment_files(struct history *history)
{
    size_t count = 0;
    assert_ok(io_list(io_mem_as_io(history->world.mem), FOLDER, count_segment_file, &count));
    return count;
}

/* ---- Tests ---- */

static void toggle_snapshot(struct history *history)
{
    uint64_t *snapshot = &history->snapshots[random_below(&history->seed, SNAPSHOTS_MAX)];
    *snapshot = *snapshot == 0 ? history->entry_count : 0;
}

/* Under random writes, deletes, snapshots, flushes and compactions every snapshot reads as on its first day, and the newest state is right; also after
 * a reopening. */
static void compaction_random_history_reads_like_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct history *history = history_new(seed * 7919, seed % 2 == 0 ? 60 : 400, (unsigned)seed % 5 * 2);
        history->level_base_bytes = seed < 4 ? 200 : 2000; /* many levels, or few */
        for (int round = 0; round < 40; round++) {
            bool did = true;
            assert_ok(flush(history, 10 + random_below(&history->seed, 80)));
            if (random_below(&history->seed, 3) == 0)
                toggle_snapshot(history);
            for (uint64_t jobs = random_below(&history->seed, 6); jobs > 0 && did; jobs--)
                assert_ok(compact_once(history, &did, false, NULL));
            if (random_below(&history->seed, 15) == 0)
                assert_ok(compact_once(history, &did, true, NULL));
            check_all(history);
            assert_ok(version_set_delete_obsolete(history->world.set));
        }
        struct version_recovery recovery;
        struct io_mem *mem = world_unmount(&history->world);
        world_mount(&history->world, mem);
        assert_ok(world_open(&history->world, &recovery));
        check_all(history);
        history_free(history);
    }
}

/* A full compaction with nobody looking back leaves exactly the live keys, in one run. */
static void compaction_of_everything_leaves_the_live_keys_in_one_run(void **state)
{
    (void)state;
    struct history *history = history_new(11, 100, 4);
    struct compaction_result counts;
    bool did;
    for (int i = 0; i < 10; i++)
        assert_ok(flush(history, 90));
    uint64_t before = count_entries(history);
    assert_ok(compact_once(history, &did, true, &counts));
    assert_true(did);
    check_all(history);
    size_t live = count_live(history);
    assert_int_equal(count_entries(history), live);
    assert_int_equal(counts.written_entries, live);
    assert_int_equal(counts.written_entries + counts.dropped_versions + counts.dropped_tombstones, before);
    struct version *version = version_set_current(history->world.set);
    assert_int_equal(version->run_count, 1);
    assert_int_equal(version_level_runs(version, VERSION_LEVEL_COUNT - 1), 1);
    assert_true(version->runs[0]->count > 1);
    version_unref(version);
    assert_ok(version_set_delete_obsolete(history->world.set));
    history_free(history);
}

/* Deleting everything gives the space back. */
static void compaction_of_deleted_keys_leaves_nothing(void **state)
{
    (void)state;
    struct history *history = history_new(12, 50, 0);
    bool did;
    assert_ok(flush(history, 200));
    history->tombstones = 10;
    assert_ok(flush(history, 600)); /* every key of fifty, many times */
    assert_int_equal(count_live(history), 0);
    assert_ok(compact_once(history, &did, true, NULL));
    assert_int_equal(count_entries(history), 0);
    assert_ok(version_set_delete_obsolete(history->world.set));
    assert_int_equal(count_segment_files(history), 0);
    history_free(history);
}

/* A flush of keys that were written and deleted within one memtable, with nothing older, writes no file; its edit is installed all the same. */
static void flush_of_deletes_above_nothing_writes_no_segment(void **state)
{
    (void)state;
    struct history *history = history_new(13, 50, 10);
    assert_ok(flush(history, 300));
    assert_int_equal(count_entries(history), 0);
    assert_int_equal(count_segment_files(history), 0);
    history_free(history);
}

/* A key with more versions than fit a segment stays in one segment: a lookup asks one segment per run. */
static void flush_never_splits_a_user_key(void **state)
{
    (void)state;
    struct history *history = history_new(14, 3, 0);
    history->snapshots[0] = 1; /* every version is needed */
    assert_ok(flush(history, 900));
    struct version *version = version_set_current(history->world.set);
    assert_int_equal(version->run_count, 1);
    assert_int_equal(version->runs[0]->entry_count, 900);
    assert_int_equal(version->runs[0]->count, 3); /* a run whose segments share a key would have been refused */
    version_unref(version);
    check_all(history);
    history_free(history);
}

/* A sequential load is moved, not rewritten. */
static void compaction_move_writes_no_segment(void **state)
{
    (void)state;
    struct history *history = history_new(15, 1, 0);
    struct compaction_environment environment = environment_of(history);
    for (int i = 0; i < 4; i++) {
        struct model_entry *entry = &history->entries[history->entry_count++];
        struct compaction_result result;
        entry->key_size = (size_t)snprintf(entry->key, sizeof entry->key, "key%d", i);
        entry->trailer = key_trailer(history->entry_count, KEY_PUT);
        snprintf(entry->value, sizeof entry->value, "value");
        struct iterator *memory = array_iterator_new(entry, 1);
        struct version *version = version_set_current(history->world.set);
        assert_ok(flush_run(&result, &environment, memory, version, version_set_new_number(history->world.set), 100));
        version_unref(version);
        iterator_free(memory);
        assert_ok(install(history, &result));
    }
    struct compaction_result counts;
    bool did;
    size_t files = count_segment_files(history);
    assert_ok(compact_once(history, &did, false, &counts));
    assert_true(did);
    assert_int_equal(counts.written_bytes, 0);
    assert_int_equal(count_segment_files(history), files);
    assert_version(&history->world, "7(key0-key0 key1-key1 key2-key2 key3-key3)");
    check_all(history);
    assert_ok(version_set_delete_obsolete(history->world.set));
    assert_int_equal(count_segment_files(history), files);
    history_free(history);
}

/* Closing does not wait for a long compaction. */
static void compaction_stop_flag_ends_it_and_leaves_no_file(void **state)
{
    (void)state;
    struct history *history = history_new(16, 200, 1);
    bool did;
    for (int i = 0; i < 4; i++)
        assert_ok(flush(history, 100));
    size_t files = count_segment_files(history);
    history->stop = true;
    struct kvs_status status = compact_once(history, &did, true, NULL);
    assert_int_equal(status.code, KVS_BUSY);
    status = flush(history, 50);
    assert_int_equal(status.code, KVS_BUSY);
    assert_int_equal(count_segment_files(history), files);
    history_free(history);
}

/* Whatever call fails, the version is as it was, nothing is left on disk or in memory, and trying again works. */
static void compaction_each_call_failing_leaves_no_trace(void **state)
{
    (void)state;
    static const enum io_call kinds[] = {IO_CALL_OPEN,           IO_CALL_READ,   IO_CALL_WRITE,
                                         IO_CALL_DIRECTORY_SYNC, IO_CALL_RANDOM, IO_CALL_SIZE};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        for (uint64_t nth = 1;; nth++) {
            struct history *history = history_new(17, 100, 3);
            bool did;
            for (int i = 0; i < 4; i++)
                assert_ok(flush(history, 60));
            size_t files = count_segment_files(history);
            struct version *before = version_set_current(history->world.set);
            io_fault_add(history->world.fault,
                         &(struct io_fault_rule){.call = kinds[kind],
                                                 .nth = nth,
                                                 .sys_errno = EIO,
                                                 .name_part = kinds[kind] == IO_CALL_RANDOM ||
                                                                      kinds[kind] == IO_CALL_DIRECTORY_SYNC
                                                                  ? NULL
                                                                  : ".seg"});
            struct kvs_status status = compact_once(history, &did, true, NULL);
            bool fired = io_fault_fired_count(history->world.fault) > 0;
            io_fault_clear(history->world.fault);
            assert_int_equal(status_is_ok(status), !fired);
            if (fired) {
                struct version *after = version_set_current(history->world.set);
                assert_ptr_equal(after, before);
                version_unref(after);
                assert_int_equal(status.code, KVS_IO);
                assert_int_equal(count_segment_files(history), files);
                assert_ok(compact_once(history, &did, true, NULL));
            }
            check_all(history);
            version_unref(before);
            history_free(history);
            if (!fired)
                break;
        }
    }
}

/* Whichever allocation fails, the version is as it was or the job is done; nothing leaks, and no file stays behind. */
static void compaction_each_allocation_failing_leaves_no_trace(void **state)
{
    (void)state;
    unsigned refused = 0;
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
        struct history *history = history_new(19, 60, 3);
        bool did;
        assert_ok(flush(history, 60));
        assert_ok(flush(history, 60));
        size_t files = count_segment_files(history);
        struct version *before = version_set_current(history->world.set);
        allocator_fail(nth, false);
        struct kvs_status status = compact_once(history, &did, true, NULL);
        fired = allocator_has_failed();
        allocator_clear();
        assert_true(fired || status_is_ok(status));
        if (status.code == KVS_NO_MEMORY) {
            struct version *after = version_set_current(history->world.set);
            assert_ptr_equal(after, before);
            version_unref(after);
            assert_int_equal(count_segment_files(history), files);
            refused++;
        } else if (!status_is_ok(status)) {
            assert_int_equal(status.code, KVS_POISONED); /* the simulated disk ran out of memory in a write */
        }
        check_all(history);
        version_unref(before);
        history_free(history);
    }
    assert_true(refused > 30);
}

/* Four flushes, a compaction, and the deletion of its inputs. Returns the last sequence number whose flush was acknowledged. */
static uint64_t live_a_little(struct history *history)
{
    uint64_t acknowledged = 0;
    bool did;
    struct version_set_options options = world_options(&history->world);
    struct kvs_status status = version_set_create(&history->world.set, &options, "test");
    for (int i = 0; i < 4 && status_is_ok(status); i++) {
        status = flush(history, 40);
        acknowledged = status_is_ok(status) ? history->entry_count : acknowledged;
    }
    if (status_is_ok(status))
        status = compact_once(history, &did, true, NULL);
    if (status_is_ok(status))
        status = version_set_delete_obsolete(history->world.set);
    assert_true(status_is_ok(status) || io_mem_has_crashed(history->world.mem));
    return acknowledged;
}

static struct history *history_on_new_disk(uint64_t *call_count)
{
    struct history *history = calloc(1, sizeof *history);
    history->seed = 20;
    history->key_count = 50;
    history->tombstones = 3;
    history->level_base_bytes = 2000;
    world_mount(&history->world, world_new_disk(1));
    *call_count = io_mem_call_count(history->world.mem);
    return history;
}

static void check_clone(struct history *history, struct io_mem *clone, uint64_t acknowledged)
{
    struct world crashed = history->world;
    struct version_recovery recovery;
    bool found = false;
    world_mount(&history->world, clone);
    assert_ok(version_set_find(&found, history->world.io, FOLDER));
    assert_true(found || acknowledged == 0);
    if (found) {
        assert_ok(world_open(&history->world, &recovery));
        check_at(history, acknowledged);
    }
    world_free(&history->world);
    history->world = crashed;
}

/* A power cut at any moment of a flush, a compaction, or the deletion of its inputs loses nothing that was flushed. */
static void compaction_power_cut_at_each_call_keeps_what_was_flushed(void **state)
{
    (void)state;
    uint64_t before;
    struct history *whole = history_on_new_disk(&before);
    assert_int_equal(live_a_little(whole), 160);
    uint64_t calls = io_mem_call_count(whole->world.mem) - before;
    history_free(whole);
    for (uint64_t call = 1; call <= calls; call++) {
        struct history *history = history_on_new_disk(&before);
        io_mem_crash_at(history->world.mem, before + call, (enum io_mem_moment)(call % 3));
        uint64_t acknowledged = live_a_little(history);
        for (uint64_t keep = 0; keep < IO_MEM_KEEP_COUNT; keep++)
            check_clone(history,
                        io_mem_clone_after_power_cut(history->world.mem, call * 31 + keep, (enum io_mem_keep)keep),
                        acknowledged);
        check_clone(history, io_mem_clone_after_kill(history->world.mem), acknowledged);
        history_free(history);
    }
}

/* A damaged input is reported, not written on. */
static void compaction_of_a_damaged_segment_is_refused(void **state)
{
    (void)state;
    struct history *history = history_new(18, 100, 0);
    struct world *world = &history->world;
    assert_ok(flush(history, 100));
    struct version *version = version_set_current(world->set);
    uint64_t number = version->runs[0]->segments[0]->meta.number;
    version_unref(version);
    struct io_mem *mem = world_unmount(world);
    char path[IO_PATH_BYTES];
    uint8_t garbage[16] = {0xAA};
    assert_ok(file_name_path(path, FOLDER, FILE_SEGMENT, number));
    assert_true(io_mem_damage(mem, path, garbage, sizeof garbage, 100));
    world_mount(world, mem);
    struct version_recovery recovery;
    assert_ok(world_open(world, &recovery));
    bool did;
    struct kvs_status status = compact_once(history, &did, true, NULL);
    assert_int_equal(status.code, KVS_CORRUPT);
    char name[FILE_NAME_BYTES];
    file_name_print(name, FILE_SEGMENT, number);
    assert_text_has(status, name);
    history_free(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compaction_random_history_reads_like_the_model),
        cmocka_unit_test(compaction_of_everything_leaves_the_live_keys_in_one_run),
        cmocka_unit_test(compaction_of_deleted_keys_leaves_nothing),
        cmocka_unit_test(flush_of_deletes_above_nothing_writes_no_segment),
        cmocka_unit_test(flush_never_splits_a_user_key),
        cmocka_unit_test(compaction_move_writes_no_segment),
        cmocka_unit_test(compaction_stop_flag_ends_it_and_leaves_no_file),
        cmocka_unit_test(compaction_each_call_failing_leaves_no_trace),
        cmocka_unit_test(compaction_each_allocation_failing_leaves_no_trace),
        cmocka_unit_test(compaction_power_cut_at_each_call_keeps_what_was_flushed),
        cmocka_unit_test(compaction_of_a_damaged_segment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
