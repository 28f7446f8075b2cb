/* merge_retention_test.c -- what a flush or compaction may drop. */

#include "merge_support.h"

#include "merge/retention.h"

enum { ENTRIES = 200 };

/* Some keys have something older below. */
static bool every_other_key_is_older(void *context, struct kvs_slice user_key)
{
    (void)context;
    const char *text = user_key.data;
    return text[user_key.size - 1] % 2 == 0;
}

static bool nothing_is_older(void *context, struct kvs_slice user_key)
{
    (void)context;
    (void)user_key;
    return false;
}

/* What a reader at sequence finds for the user key of one entry: the index of a put, or -1. */
static int found_by(const struct model_entry *entries, const bool *kept, const struct model_entry *key,
                    uint64_t sequence)
{
    for (int i = 0; i < ENTRIES; i++) {
        bool is_version = (kept == NULL || kept[i]) && key_sequence(entries[i].trailer) <= sequence &&
                          slice_equal(slice_of(entries[i].key, entries[i].key_size), slice_of(key->key, key->key_size));
        if (is_version)
            return key_kind(entries[i].trailer) == KEY_PUT ? i : -1;
    }
    return -1;
}

static bool is_dropped_delete_needed(const struct model_entry *entries, const bool *kept, int at)
{
    struct kvs_slice user = slice_of(entries[at].key, entries[at].key_size);
    return !kept[at] && key_kind(entries[at].trailer) == KEY_DELETE && every_other_key_is_older(NULL, user);
}

/* Every snapshot at or above the horizon reads the same as before; and a delete that hides something older stays. */
static void retention_random_entries_reads_at_or_above_the_horizon_are_unchanged(void **state)
{
    (void)state;
    uint64_t seed = 99;
    for (int round = 0; round < 60; round++) {
        struct model_entry entries[ENTRIES];
        bool kept[ENTRIES], is_new;
        struct retention retention;
        uint64_t horizon = random_below(&seed, ENTRIES + 2);
        model_random_entries(entries, ENTRIES, &seed, 1, 15, 3);
        qsort(entries, ENTRIES, sizeof entries[0], model_compare);
        retention_init(&retention, horizon, every_other_key_is_older, NULL);
        size_t kept_count = 0;
        for (int i = 0; i < ENTRIES; i++) {
            assert_ok(retention_keep(&retention, &kept[i], &is_new, model_key(&entries[i])));
            kept_count += kept[i];
            bool differs = i == 0 || !slice_equal(slice_of(entries[i].key, entries[i].key_size),
                                                  slice_of(entries[i - 1].key, entries[i - 1].key_size));
            assert_int_equal(is_new, differs);
        }
        for (int i = 0; i < ENTRIES; i++) {
            for (uint64_t sequence = horizon; sequence <= ENTRIES; sequence += 7)
                assert_int_equal(found_by(entries, NULL, &entries[i], sequence),
                                 found_by(entries, kept, &entries[i], sequence));
        }
        assert_int_equal(kept_count + retention.dropped_versions + retention.dropped_tombstones, ENTRIES);
        retention_fini(&retention);
    }
}

/* A deleted key must not come back because the delete was dropped above its older value. */
static void retention_delete_above_an_older_run_is_kept(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct model_entry entries[ENTRIES];
    bool kept[ENTRIES];
    struct retention retention;
    model_random_entries(entries, ENTRIES, &seed, 1, 60, 5);
    qsort(entries, ENTRIES, sizeof entries[0], model_compare);
    retention_init(&retention, ENTRIES, every_other_key_is_older, NULL);
    struct kvs_slice before = slice_of(NULL, 0);
    for (int i = 0; i < ENTRIES; i++) {
        struct kvs_slice user = slice_of(entries[i].key, entries[i].key_size);
        assert_ok(retention_keep(&retention, &kept[i], NULL, model_key(&entries[i])));
        if (!slice_equal(user, before))
            assert_false(is_dropped_delete_needed(entries, kept, i));
        before = user;
    }
    assert_true(retention.dropped_tombstones > 0);
    retention_fini(&retention);
}

/* With nothing older and nobody looking back, one version of each live key is left. */
static void retention_at_the_bottom_leaves_one_version_of_each_live_key(void **state)
{
    (void)state;
    static const struct model_entry entries[] = {
        {0, 1, "a", ""}, /* 9, delete */
        {0, 1, "a", "x"}, {0, 1, "b", "new"}, {0, 1, "b", "old"}, {0, 1, "c", "only"},
    };
    static const uint64_t trailers[] = {9 << 8 | KEY_DELETE, 3 << 8 | KEY_PUT, 8 << 8 | KEY_PUT, 2 << 8 | KEY_PUT,
                                        1 << 8 | KEY_PUT};
    static const bool expected[] = {false, false, true, false, true};
    struct retention retention;
    retention_init(&retention, 9, nothing_is_older, NULL);
    for (size_t i = 0; i < 5; i++) {
        bool keep;
        struct key key = key_of(slice_of(entries[i].key, 1), trailers[i]);
        assert_ok(retention_keep(&retention, &keep, NULL, key));
        assert_int_equal(keep, expected[i]);
    }
    assert_int_equal(retention.dropped_tombstones, 1);
    assert_int_equal(retention.dropped_versions, 2);
    retention_fini(&retention);
}

/* A segment with entries out of order is damage: writing on would make more of it. */
static void retention_entry_out_of_order_is_refused(void **state)
{
    (void)state;
    struct retention retention;
    bool keep;
    retention_init(&retention, 100, nothing_is_older, NULL);
    assert_ok(retention_keep(&retention, &keep, NULL, key_of(slice_of_text("b"), key_trailer(5, KEY_PUT))));
    struct kvs_status status =
        retention_keep(&retention, &keep, NULL, key_of(slice_of_text("b"), key_trailer(6, KEY_PUT)));
    assert_int_equal(status.code, KVS_CORRUPT);
    status = retention_keep(&retention, &keep, NULL, key_of(slice_of_text("a"), key_trailer(1, KEY_PUT)));
    assert_int_equal(status.code, KVS_CORRUPT);
    retention_fini(&retention);
}

/* The same entry from two sources is written once. */
static void retention_doubled_entry_is_dropped(void **state)
{
    (void)state;
    struct retention retention;
    bool keep;
    struct key key = key_of(slice_of_text("b"), key_trailer(5, KEY_PUT));
    retention_init(&retention, 0, nothing_is_older, NULL);
    assert_ok(retention_keep(&retention, &keep, NULL, key));
    assert_true(keep);
    assert_ok(retention_keep(&retention, &keep, NULL, key));
    assert_false(keep);
    retention_fini(&retention);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retention_random_entries_reads_at_or_above_the_horizon_are_unchanged),
        cmocka_unit_test(retention_delete_above_an_older_run_is_kept),
        cmocka_unit_test(retention_at_the_bottom_leaves_one_version_of_each_live_key),
        cmocka_unit_test(retention_entry_out_of_order_is_refused),
        cmocka_unit_test(retention_doubled_entry_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
