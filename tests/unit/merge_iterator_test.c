/* merge_iterator_test.c -- many sorted iterators as one, against a sorted array. */

#include "merge_support.h"

#include "merge/merge_iterator.h"

enum { ENTRIES = 60, CHILDREN_MAX = 7 };

/* A model, and the same entries dealt out to children. */
struct fixture {
    struct model_entry all[ENTRIES];
    struct model_entry parts[CHILDREN_MAX][ENTRIES];
    size_t part_counts[CHILDREN_MAX];
    size_t children;
    struct array_iterator *arrays[CHILDREN_MAX];
    struct iterator *merged;
};

static void deal(struct fixture *fixture, uint64_t *seed, const char *prefix)
{
    *fixture = (struct fixture){.children = 2 + random_below(seed, CHILDREN_MAX - 1)};
    model_random_entries(fixture->all, ENTRIES, seed, 1, 20, 2);
    qsort(fixture->all, ENTRIES, sizeof fixture->all[0], model_compare);
    for (size_t i = 0; i < ENTRIES; i++) {
        size_t part = random_below(seed, fixture->children);
        fixture->parts[part][fixture->part_counts[part]++] = fixture->all[i];
    }
    struct iterator *children[CHILDREN_MAX];
    for (size_t i = 0; i < fixture->children; i++) {
        children[i] = array_iterator_new(fixture->parts[i], fixture->part_counts[i]);
        fixture->arrays[i] = (struct array_iterator *)children[i];
    }
    assert_ok(merge_iterator_new(&fixture->merged, children, fixture->children, slice_of_text(prefix)));
}

/* The merge stands where the model does; at counts from 0, SIZE_MAX and ENTRIES being off either end. */
static void check_stands_at(const struct fixture *fixture, size_t at)
{
    assert_int_equal(fixture->merged->valid, at < ENTRIES);
    if (at >= ENTRIES)
        return;
    const struct model_entry *entry = &fixture->all[at];
    assert_int_equal(key_compare(fixture->merged->key, model_key(entry)), 0);
    assert_true(slice_equal(fixture->merged->value, slice_of_text(entry->value)));
}

static size_t random_walk_step(struct fixture *fixture, uint64_t *seed, size_t at)
{
    struct model_entry target;
    model_random_key(&target, seed, 22);
    target.trailer = random_below(seed, 2) == 0 ? UINT64_MAX : key_trailer(random_below(seed, ENTRIES + 2), KEY_PUT);
    size_t bound = array_lower_bound(fixture->all, ENTRIES, model_key(&target));
    switch (random_below(seed, at < ENTRIES ? 12 : 4)) {
    case 0:
        assert_ok(iterator_first(fixture->merged));
        return 0;
    case 1:
        assert_ok(iterator_last(fixture->merged));
        return ENTRIES - 1;
    case 2:
        assert_ok(iterator_seek(fixture->merged, model_key(&target)));
        return bound;
    case 3:
        assert_ok(iterator_seek_before(fixture->merged, model_key(&target)));
        return bound - 1;
    case 4:
    case 5:
    case 6:
    case 7:
        assert_ok(iterator_next(fixture->merged));
        return at + 1;
    default:
        assert_ok(iterator_prev(fixture->merged));
        return at - 1;
    }
}

/* A scan that turns round, or seeks, must not skip or repeat an entry. */
static void merge_random_walk_agrees_with_a_sorted_array(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"", "k", "key/", "key/with/a/long/", "zebra"};
    uint64_t seed = 88172645463325252;
    for (int round = 0; round < 300; round++) {
        struct fixture fixture;
        deal(&fixture, &seed, prefixes[round % 5]);
        size_t at = SIZE_MAX;
        for (int step = 0; step < 200; step++) {
            at = random_walk_step(&fixture, &seed, at);
            check_stands_at(&fixture, at);
        }
        iterator_free(fixture.merged);
    }
}

/* A read error of one run must not pass for the end of the data. */
static void merge_child_fails_error_is_returned_and_seek_recovers(void **state)
{
    (void)state;
    uint64_t seed = 7;
    unsigned failed = 0;
    for (int round = 0; round < 200; round++) {
        struct fixture fixture;
        deal(&fixture, &seed, "");
        fixture.arrays[random_below(&seed, fixture.children)]->fail_at = 1 + (unsigned)random_below(&seed, 12);
        struct kvs_status status = iterator_first(fixture.merged);
        size_t seen = 0;
        for (; status_is_ok(status) && fixture.merged->valid; seen++)
            status = iterator_next(fixture.merged);
        if (status_is_ok(status)) {
            assert_int_equal(seen, ENTRIES);
        } else {
            failed++;
            assert_int_equal(status.code, KVS_IO);
            assert_false(fixture.merged->valid);
            assert_ok(iterator_first(fixture.merged));
            check_stands_at(&fixture, 0);
        }
        iterator_free(fixture.merged);
    }
    assert_true(failed > 50);
}

/* An empty database can be scanned. */
static void merge_without_children_is_never_valid(void **state)
{
    (void)state;
    struct iterator *merged;
    assert_ok(merge_iterator_new(&merged, NULL, 0, slice_of(NULL, 0)));
    assert_ok(iterator_first(merged));
    assert_false(merged->valid);
    assert_ok(iterator_last(merged));
    assert_false(merged->valid);
    assert_ok(iterator_seek(merged, key_of(slice_of_text("a"), 0)));
    assert_false(merged->valid);
    iterator_free(merged);
}

/* One source pays nothing for merging. */
static void merge_of_one_child_is_that_child(void **state)
{
    (void)state;
    struct iterator *merged, *child = array_iterator_new(NULL, 0);
    assert_ok(merge_iterator_new(&merged, &child, 1, slice_of(NULL, 0)));
    assert_ptr_equal(merged, child);
    iterator_free(merged);
}

/* Of the same entry in two sources (a log replayed over a segment) the scan shows each once going forward, and loses none. */
static void merge_same_key_twice_shows_the_first_child_first(void **state)
{
    (void)state;
    struct model_entry a[] = {{key_trailer(2, KEY_PUT), 1, "a", "first"}, {key_trailer(1, KEY_PUT), 1, "b", "b"}};
    struct model_entry b[] = {{key_trailer(2, KEY_PUT), 1, "a", "second"}};
    struct iterator *merged, *children[] = {array_iterator_new(a, 2), array_iterator_new(b, 1)};
    static const char *const expected[] = {"first", "second", "b"};
    assert_ok(merge_iterator_new(&merged, children, 2, slice_of(NULL, 0)));
    assert_ok(iterator_first(merged));
    for (size_t i = 0; i < 3; i++) {
        assert_true(slice_equal(merged->value, slice_of_text(expected[i])));
        assert_ok(iterator_next(merged));
    }
    assert_false(merged->valid);
    iterator_free(merged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_random_walk_agrees_with_a_sorted_array),
        cmocka_unit_test(merge_child_fails_error_is_returned_and_seek_recovers),
        cmocka_unit_test(merge_without_children_is_never_valid),
        cmocka_unit_test(merge_of_one_child_is_that_child),
        cmocka_unit_test(merge_same_key_twice_shows_the_first_child_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
