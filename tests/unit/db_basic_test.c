#include "db_support.h"

#include <sys/stat.h>
#include <sys/wait.h>

static struct kvs_db *reopen(struct kvs_db *db, const char *path, const struct kvs_options *options)
{
    ok(kvs_close(db));
    ok(kvs_open(&db, path, options));
    return db;
}

/* The first thing anyone does: a stored value comes back, a deleted one does not, also after a restart. */
static void db_put_get_delete_survive_reopen(void **state)
{
    struct kvs_db *db;
    ok(kvs_open(&db, *state, NULL));
    ok(kvs_put(db, text("hello"), text("world"), NULL));
    ok(kvs_put(db, text("gone"), text("x"), NULL));
    ok(kvs_put(db, text("empty"), text(""), NULL));
    ok(kvs_delete(db, text("gone"), NULL));
    ok(kvs_delete(db, text("never there"), NULL));
    for (int round = 0; round < 3; round++) {
        expect_get(db, "hello", "world");
        expect_get(db, "empty", "");
        expect_get(db, "gone", NULL);
        expect_get(db, "never there", NULL);
        db = reopen(db, *state, NULL);
    }
    ok(kvs_close(db));
}

/* What is in segments must read as what is in memory did, through flush, compaction and restart. */
static void db_many_keys_survive_flush_and_compaction(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    char key[32], value[64];
    ok(kvs_open(&db, *state, &options));
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 5000; i++) {
            int n = i * 7919 % 5000;
            snprintf(key, sizeof key, "key%06d", n);
            snprintf(value, sizeof value, "value %d of round %d", n, round);
            if (n % 11 == round)
                ok(kvs_delete(db, text(key), NULL));
            else
                ok(kvs_put(db, text(key), text(value), NULL));
        }
        if (round == 1)
            ok(kvs_flush(db));
        if (round == 2)
            ok(kvs_compact(db));
    }
    for (int pass = 0; pass < 3; pass++) {
        for (int n = 0; n < 5000; n++) {
            snprintf(key, sizeof key, "key%06d", n);
            snprintf(value, sizeof value, "value %d of round %d", n, 3);
            expect_get(db, key, n % 11 == 3 ? NULL : value);
        }
        ok(kvs_verify(db, NULL, NULL));
        if (pass == 0)
            db = reopen(db, *state, &options);
        else if (pass == 1)
            ok(kvs_compact(db));
    }
    struct kvs_stats stats;
    kvs_stats(db, &stats);
    assert_int_equal(stats.segment_tombstones, 0);
    assert_int_equal(stats.segment_entries, 5000 - (5000 - 3 + 10) / 11);
    ok(kvs_close(db));
}

/* A batch is one unit: the later of two changes of one key wins, and the order of others does not matter. */
static void db_batch_later_change_wins(void **state)
{
    struct kvs_db *db;
    struct kvs_batch *batch;
    ok(kvs_open(&db, *state, NULL));
    ok(kvs_batch_new(&batch));
    ok(kvs_batch_put(batch, text("a"), text("1")));
    ok(kvs_batch_put(batch, text("b"), text("1")));
    ok(kvs_batch_delete(batch, text("a")));
    ok(kvs_batch_put(batch, text("b"), text("2")));
    ok(kvs_write(db, batch, &(struct kvs_write_options){.sync = true}));
    expect_get(db, "a", NULL);
    expect_get(db, "b", "2");
    kvs_batch_clear(batch);
    ok(kvs_write(db, batch, NULL));
    kvs_batch_free(batch);
    ok(kvs_close(db));
}

/* Bad input gets a clear error and changes nothing. */
static void db_limits_are_errors(void **state)
{
    struct kvs_db *db, *second;
    struct kvs_options options;
    ok(kvs_open(&db, *state, NULL));
    char *large = calloc(1, KVS_VALUE_MAX_BYTES + 1);
    fails(KVS_INVALID, kvs_put(db, text(""), text("x"), NULL));
    fails(KVS_TOO_LARGE, kvs_put(db, (struct kvs_slice){large, KVS_KEY_MAX_BYTES + 1}, text("x"), NULL));
    fails(KVS_TOO_LARGE, kvs_put(db, text("k"), (struct kvs_slice){large, KVS_VALUE_MAX_BYTES + 1}, NULL));
    ok(kvs_put(db, (struct kvs_slice){large, KVS_KEY_MAX_BYTES}, (struct kvs_slice){large, KVS_VALUE_MAX_BYTES}, NULL));
    fails(KVS_LOCKED, kvs_open(&second, *state, NULL));
    assert_non_null(strstr(kvs_status_text(kvs_open(&second, *state, NULL)), (char *)*state));
    kvs_options_default(&options);
    options.block_bytes = 1;
    fails(KVS_INVALID, kvs_open(&second, "/tmp", &options));
    fails(KVS_UNSUPPORTED, kvs_open(&second, "/etc", NULL));
    kvs_options_default(&options);
    options.create_if_missing = false;
    fails(KVS_NOT_FOUND, kvs_open(&second, "/tmp/kvstore-no-such-folder", &options));
    ok(kvs_close(db));
    kvs_options_default(&options);
    options.fail_if_exists = true;
    fails(KVS_INVALID, kvs_open(&db, *state, &options));
    kvs_options_default(&options);
    options.owner = "somebody else";
    fails(KVS_UNSUPPORTED, kvs_open(&db, *state, &options));
    free(large);
}

/* A handle that is still held keeps the database open, whole and usable. */
static void db_close_with_pinned_value_is_busy(void **state)
{
    struct kvs_db *db;
    struct kvs_value value;
    bool found;
    ok(kvs_open(&db, *state, NULL));
    ok(kvs_put(db, text("k"), text("pinned"), NULL));
    ok(kvs_get(db, &value, &found, text("k"), NULL));
    fails(KVS_BUSY, kvs_close(db));
    ok(kvs_put(db, text("k"), text("newer"), NULL));
    ok(kvs_compact(db));
    assert_memory_equal(value.bytes.data, "pinned", 6);
    kvs_value_release(&value);
    kvs_value_release(&value);
    ok(kvs_close(db));
}

/* kvs_get_into and kvs_multi_get answer as kvs_get does. */
static void db_get_variants_agree(void **state)
{
    struct kvs_db *db;
    ok(kvs_open(&db, *state, NULL));
    ok(kvs_put(db, text("a"), text("one"), NULL));
    ok(kvs_flush(db));
    ok(kvs_put(db, text("b"), text("two"), NULL));
    char buffer[2];
    size_t size;
    bool found;
    ok(kvs_get_into(db, buffer, &size, &found, text("a"), sizeof buffer, NULL));
    assert_true(found);
    assert_int_equal(size, 3);
    assert_memory_equal(buffer, "on", 2);
    ok(kvs_get_into(db, buffer, &size, &found, text("c"), sizeof buffer, NULL));
    assert_false(found);
    struct kvs_slice keys[] = {text("b"), text("c"), text("a")};
    struct kvs_value values[3];
    bool founds[3];
    ok(kvs_multi_get(db, values, founds, keys, 3, NULL));
    assert_true(founds[0] && !founds[1] && founds[2]);
    assert_memory_equal(values[0].bytes.data, "two", 3);
    assert_memory_equal(values[2].bytes.data, "one", 3);
    kvs_value_release(&values[0]);
    kvs_value_release(&values[2]);
    ok(kvs_close(db));
}

/* A snapshot shows its moment through overwrites, deletes, flush and compaction. */
static void db_snapshot_shows_its_moment(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    struct kvs_snapshot *snapshot;
    struct kvs_value value;
    bool found;
    ok(kvs_open(&db, *state, &options));
    ok(kvs_put(db, text("a"), text("old"), NULL));
    ok(kvs_put(db, text("b"), text("old"), NULL));
    ok(kvs_snapshot_new(&snapshot, db));
    ok(kvs_put(db, text("a"), text("new"), NULL));
    ok(kvs_delete(db, text("b"), NULL));
    ok(kvs_put(db, text("c"), text("new"), NULL));
    struct kvs_read_options past = {.snapshot = snapshot};
    for (int round = 0; round < 3; round++) {
        expect_get(db, "a", "new");
        expect_get(db, "b", NULL);
        ok(kvs_get(db, &value, &found, text("a"), &past));
        assert_true(found);
        assert_memory_equal(value.bytes.data, "old", 3);
        kvs_value_release(&value);
        ok(kvs_get(db, &value, &found, text("b"), &past));
        assert_true(found);
        kvs_value_release(&value);
        ok(kvs_get(db, &value, &found, text("c"), &past));
        assert_false(found);
        if (round == 0)
            ok(kvs_flush(db));
        else
            ok(kvs_compact(db));
    }
    fails(KVS_BUSY, kvs_close(db));
    kvs_snapshot_free(snapshot);
    ok(kvs_compact(db));
    expect_get(db, "b", NULL);
    ok(kvs_close(db));
}

/* Batches far above the memtable's and the log buffer's size go through whole. */
static void db_large_batch_passes(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    struct kvs_batch *batch;
    char key[32], value[1000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    ok(kvs_open(&db, *state, &options));
    ok(kvs_batch_new(&batch));
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "key%06d", i);
        ok(kvs_batch_put(batch, text(key), text(value)));
    }
    ok(kvs_write(db, batch, NULL));
    ok(kvs_write(db, batch, NULL));
    kvs_batch_free(batch);
    db = reopen(db, *state, &options);
    expect_get(db, "key000000", value);
    expect_get(db, "key002999", value);
    ok(kvs_close(db));
}

/* A reader of a database opened read-only sees everything and changes nothing, beside other readers. */
static void db_read_only_sees_all_and_refuses_writes(void **state)
{
    struct kvs_options options;
    struct kvs_db *db, *other;
    ok(kvs_open(&db, *state, NULL));
    ok(kvs_put(db, text("flushed"), text("1"), NULL));
    ok(kvs_flush(db));
    ok(kvs_put(db, text("logged"), text("2"), NULL));
    ok(kvs_close(db));
    kvs_options_default(&options);
    options.read_only = true;
    ok(kvs_open(&db, *state, &options));
    ok(kvs_open(&other, *state, &options));
    expect_get(db, "flushed", "1");
    expect_get(other, "logged", "2");
    fails(KVS_INVALID, kvs_put(db, text("x"), text("y"), NULL));
    fails(KVS_INVALID, kvs_flush(db));
    ok(kvs_verify(db, NULL, NULL));
    ok(kvs_close(other));
    ok(kvs_close(db));
}

/* kvs_destroy removes a database and nothing else. */
static void db_destroy_removes_only_a_database(void **state)
{
    char path[PATH_BYTES + 16], file[PATH_BYTES + 32];
    struct kvs_db *db;
    snprintf(path, sizeof path, "%s/db", (char *)*state);
    ok(kvs_open(&db, path, NULL));
    ok(kvs_put(db, text("k"), text("v"), NULL));
    fails(KVS_LOCKED, kvs_destroy(path));
    ok(kvs_close(db));
    snprintf(file, sizeof file, "%s/notes.txt", path);
    fclose(fopen(file, "w"));
    ok(kvs_destroy(path));
    struct stat info;
    assert_int_equal(stat(file, &info), 0);
    fails(KVS_NOT_FOUND, kvs_destroy(path));
    snprintf(file, sizeof file, "%s/CURRENT", path);
    FILE *foreign = fopen(file, "w");
    fputs("MANIFEST-000002\n", foreign);
    fclose(foreign);
    snprintf(file, sizeof file, "%s/000003.log", path);
    fclose(fopen(file, "w"));
    assert_false(kvs_ok(kvs_destroy(path)));
    assert_int_equal(stat(file, &info), 0);
    fails(KVS_NOT_FOUND, kvs_destroy("/tmp/kvstore-no-such-folder"));
}

/* kvs_compact rewrites everything once, not once per thread, and is done when it returns. */
static void db_compact_runs_once_and_alone(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    struct kvs_stats before, after;
    char key[32];
    ok(kvs_open(&db, *state, &options));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 2000; i++) {
            snprintf(key, sizeof key, "key%d-%06d", i % 3, i * 7919 % 2000);
            ok(kvs_put(db, text(key), text("some value that takes a little room"), NULL));
        }
        ok(kvs_compact(db));
        kvs_stats(db, &before);
        usleep(30000);
        kvs_stats(db, &after);
        assert_int_equal(before.compactions, after.compactions);
        assert_int_equal(after.level_runs[0], 0);
        assert_int_equal(after.segment_entries, 2000);
    }
    ok(kvs_close(db));
}

/* A forked child has none of the engine's threads: it is told so instead of hanging, and the parent goes on. */
static void db_forked_child_is_refused(void **state)
{
    struct kvs_db *db;
    int status;
    ok(kvs_open(&db, *state, NULL));
    ok(kvs_put(db, text("k"), text("v"), NULL));
    pid_t child = fork();
    if (child == 0) {
        struct kvs_value value;
        bool found;
        bool is_refused = kvs_get(db, &value, &found, text("k"), NULL).code == KVS_INVALID &&
                          kvs_put(db, text("k"), text("w"), NULL).code == KVS_INVALID &&
                          kvs_close(db).code == KVS_INVALID;
        _exit(is_refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    expect_get(db, "k", "v");
    ok(kvs_close(db));
}

#define on_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

/* Allocated on the disk for the log that was made last, bytes. */
static uint64_t newest_log_bytes(const char *path)
{
    char name[PATH_BYTES + 32];
    struct stat about;
    uint64_t bytes = 0;
    for (unsigned number = 1; number < 100; number++) {
        snprintf(name, sizeof name, "%s/%06u.log", path, number);
        if (stat(name, &about) == 0)
            bytes = (uint64_t)about.st_blocks * 512;
    }
    return bytes;
}

/* After a restart writers must not wait for the log to be made larger, piece by piece, while the device is busy. */
static void db_reopen_first_log_is_as_large_as_the_last(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    char key[32];
    static char value[10000];
    options.memory_bytes = 64 << 20;
    options.memtable_bytes = 4 << 20;
    memset(value, 'v', sizeof value - 1);
    ok(kvs_open(&db, *state, &options));
    uint64_t piece = newest_log_bytes(*state);
    assert_true(piece < 1 << 20);
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "key%d", i);
        ok(kvs_put(db, text(key), text(value), NULL));
    }
    ok(kvs_sync(db));
    db = reopen(db, *state, &options);
    assert_true(newest_log_bytes(*state) >= 300 * sizeof value);
    ok(kvs_close(db));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_folder(db_put_get_delete_survive_reopen),
        on_folder(db_reopen_first_log_is_as_large_as_the_last),
        on_folder(db_many_keys_survive_flush_and_compaction),
        on_folder(db_batch_later_change_wins),
        on_folder(db_limits_are_errors),
        on_folder(db_close_with_pinned_value_is_busy),
        on_folder(db_get_variants_agree),
        on_folder(db_snapshot_shows_its_moment),
        on_folder(db_large_batch_passes),
        on_folder(db_read_only_sees_all_and_refuses_writes),
        on_folder(db_destroy_removes_only_a_database),
        on_folder(db_compact_runs_once_and_alone),
        on_folder(db_forked_child_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
