#include "db_support.h"

/* Keys k0000, k0002, ... below limit, over several runs and memtables, with deleted odd ones between. */
static struct kvs_db *open_filled(const char *path, int limit)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    char key[16], value[32];
    ok(kvs_open(&db, path, &options));
    for (int pass = 0; pass < 3; pass++) {
        for (int i = 0; i < limit; i++) {
            snprintf(key, sizeof key, "k%04d", i);
            snprintf(value, sizeof value, "%d.%d", i, pass);
            if (i % 2 == 1 && pass == 1)
                ok(kvs_delete(db, text(key), NULL));
            else if (i % 2 == 0 || pass == 0)
                ok(kvs_put(db, text(key), text(value), NULL));
        }
        if (pass == 0)
            ok(kvs_flush(db));
    }
    return db;
}

static void expect_key(const struct kvs_iterator *iterator, int number)
{
    char key[16];
    ok(kvs_iterator_status(iterator));
    if (number < 0) {
        assert_false(kvs_iterator_valid(iterator));
        return;
    }
    snprintf(key, sizeof key, "k%04d", number);
    assert_true(kvs_iterator_valid(iterator));
    struct kvs_slice found = kvs_iterator_key(iterator);
    if (found.size != strlen(key) || memcmp(found.data, key, found.size) != 0)
        fail_msg("stands on %.*s, expected %s", (int)found.size, (const char *)found.data, key);
    snprintf(key, sizeof key, "%d.2", number);
    assert_memory_equal(kvs_iterator_value(iterator).data, key, strlen(key));
}

/* A scan shows live keys once each, in order, both ways. */
static void db_scan_forward_and_backward_agree(void **state)
{
    struct kvs_db *db = open_filled(*state, 2000);
    struct kvs_iterator *iterator;
    ok(kvs_iterator_new(&iterator, db, NULL));
    assert_false(kvs_iterator_valid(iterator));
    kvs_iterator_first(iterator);
    for (int i = 0; i < 2000; i += 2) {
        expect_key(iterator, i);
        kvs_iterator_next(iterator);
    }
    expect_key(iterator, -1);
    kvs_iterator_last(iterator);
    for (int i = 1998; i >= 0; i -= 2) {
        expect_key(iterator, i);
        kvs_iterator_prev(iterator);
    }
    expect_key(iterator, -1);
    kvs_iterator_free(iterator);
    ok(kvs_close(db));
}

/* Seeks land where they say, also on deleted keys, and direction may change anywhere. */
static void db_scan_seek_and_turn(void **state)
{
    struct kvs_db *db = open_filled(*state, 500);
    struct kvs_iterator *iterator;
    ok(kvs_iterator_new(&iterator, db, NULL));
    kvs_iterator_seek(iterator, text("k0101"));
    expect_key(iterator, 102);
    kvs_iterator_prev(iterator);
    expect_key(iterator, 100);
    kvs_iterator_next(iterator);
    expect_key(iterator, 102);
    kvs_iterator_seek_before(iterator, text("k0101"));
    expect_key(iterator, 100);
    kvs_iterator_seek_before(iterator, text("k0100"));
    expect_key(iterator, 98);
    kvs_iterator_seek(iterator, text("k0498"));
    expect_key(iterator, 498);
    kvs_iterator_seek(iterator, text("l"));
    expect_key(iterator, -1);
    kvs_iterator_seek_before(iterator, text("k0000"));
    expect_key(iterator, -1);
    kvs_iterator_seek_before(iterator, text("zzz"));
    expect_key(iterator, 498);
    kvs_iterator_free(iterator);
    ok(kvs_close(db));
}

/* Bounds and prefix hold for every way of moving. */
static void db_scan_bounds_and_prefix_hold(void **state)
{
    struct kvs_db *db = open_filled(*state, 500);
    struct kvs_iterator *iterator;
    struct kvs_iterator_options options = {.lower = text("k0101"), .upper = text("k0110")};
    ok(kvs_iterator_new(&iterator, db, &options));
    kvs_iterator_first(iterator);
    expect_key(iterator, 102);
    kvs_iterator_last(iterator);
    expect_key(iterator, 108);
    kvs_iterator_next(iterator);
    expect_key(iterator, -1);
    kvs_iterator_seek(iterator, text("k0000"));
    expect_key(iterator, 102);
    kvs_iterator_prev(iterator);
    expect_key(iterator, -1);
    kvs_iterator_seek_before(iterator, text("k0400"));
    expect_key(iterator, 108);
    kvs_iterator_free(iterator);

    options = (struct kvs_iterator_options){.prefix = text("k012")};
    ok(kvs_iterator_new(&iterator, db, &options));
    kvs_iterator_first(iterator);
    expect_key(iterator, 120);
    kvs_iterator_last(iterator);
    expect_key(iterator, 128);
    kvs_iterator_free(iterator);

    options = (struct kvs_iterator_options){.prefix = text("k012"), .lower = text("k0123"), .upper = text("k0126")};
    ok(kvs_iterator_new(&iterator, db, &options));
    kvs_iterator_first(iterator);
    expect_key(iterator, 124);
    kvs_iterator_next(iterator);
    expect_key(iterator, -1);
    kvs_iterator_free(iterator);

    options = (struct kvs_iterator_options){.lower = text("k02"), .upper = text("k01")};
    ok(kvs_iterator_new(&iterator, db, &options));
    kvs_iterator_first(iterator);
    expect_key(iterator, -1);
    kvs_iterator_last(iterator);
    expect_key(iterator, -1);
    kvs_iterator_free(iterator);

    ok(kvs_put(db, (struct kvs_slice){"\xff\xff", 2}, text("last"), NULL));
    options = (struct kvs_iterator_options){.prefix = {"\xff", 1}};
    ok(kvs_iterator_new(&iterator, db, &options));
    kvs_iterator_first(iterator);
    assert_true(kvs_iterator_valid(iterator));
    assert_memory_equal(kvs_iterator_value(iterator).data, "last", 4);
    kvs_iterator_free(iterator);
    ok(kvs_close(db));
}

/* A scan shows one moment, whatever is written, flushed and compacted meanwhile. */
static void db_scan_shows_one_moment(void **state)
{
    struct kvs_db *db = open_filled(*state, 1000);
    struct kvs_iterator *iterator;
    char key[16];
    ok(kvs_iterator_new(&iterator, db, NULL));
    kvs_iterator_first(iterator);
    for (int i = 0; i < 1000; i += 2) {
        expect_key(iterator, i);
        snprintf(key, sizeof key, "k%04d", 999 - i);
        ok(kvs_put(db, text(key), text("new"), NULL));
        snprintf(key, sizeof key, "k%04d", 998 - i);
        ok(kvs_delete(db, text(key), NULL));
        if (i == 300)
            ok(kvs_flush(db));
        if (i == 600)
            ok(kvs_compact(db));
        kvs_iterator_next(iterator);
    }
    expect_key(iterator, -1);
    fails(KVS_BUSY, kvs_close(db));
    kvs_iterator_free(iterator);
    ok(kvs_close(db));
}

#define on_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_folder(db_scan_forward_and_backward_agree),
        on_folder(db_scan_seek_and_turn),
        on_folder(db_scan_bounds_and_prefix_hold),
        on_folder(db_scan_shows_one_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
