/* merge_visible_test.c -- what a reader at a horizon sees, against a plain computation over an array. */

#include "merge_support.h"

#include "merge/visible_iterator.h"

enum { ENTRIES = 120 };

/* entries  sorted; shown: indexes of the entries that are visible, in order */
struct fixture {
    struct model_entry entries[ENTRIES];
    size_t shown[ENTRIES];
    size_t shown_count;
    uint64_t horizon;
    char lower[MODEL_KEY_BYTES];
    char upper[MODEL_KEY_BYTES];
    struct visible_iterator *iterator;
    struct array_iterator *array;
};

static struct kvs_slice user_of(const struct model_entry *entry)
{
    return slice_of(entry->key, entry->key_size);
}

static bool in_bounds(const struct fixture *fixture, struct kvs_slice user)
{
    struct kvs_slice lower = slice_of_text(fixture->lower), upper = slice_of_text(fixture->upper);
    return slice_compare(user, lower) >= 0 && (upper.size == 0 || slice_compare(user, upper) < 0);
}

static void compute_shown(struct fixture *fixture)
{
    const struct model_entry *settled = NULL;
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct model_entry *entry = &fixture->entries[i];
        bool is_settled = settled != NULL && slice_equal(user_of(settled), user_of(entry));
        if (is_settled || key_sequence(entry->trailer) > fixture->horizon)
            continue;
        settled = entry;
        if (key_kind(entry->trailer) == KEY_PUT && in_bounds(fixture, user_of(entry)))
            fixture->shown[fixture->shown_count++] = i;
    }
}

static void random_bound(char bound[MODEL_KEY_BYTES], uint64_t *seed)
{
    struct model_entry entry;
    bound[0] = '\0';
    if (random_below(seed, 2) == 0)
        return;
    model_random_key(&entry, seed, 40);
    memcpy(bound, entry.key, entry.key_size);
    bound[entry.key_size] = '\0';
}

static void set_up(struct fixture *fixture, uint64_t *seed, unsigned key_count, unsigned tombstones)
{
    *fixture = (struct fixture){.horizon = random_below(seed, ENTRIES + 10)};
    model_random_entries(fixture->entries, ENTRIES, seed, 1, key_count, tombstones);
    qsort(fixture->entries, ENTRIES, sizeof fixture->entries[0], model_compare);
    random_bound(fixture->lower, seed);
    random_bound(fixture->upper, seed);
    if (fixture->upper[0] != '\0' && strcmp(fixture->lower, fixture->upper) > 0)
        fixture->lower[0] = '\0';
    compute_shown(fixture);
    struct iterator *inner = array_iterator_new(fixture->entries, ENTRIES);
    fixture->array = (struct array_iterator *)inner;
    assert_ok(visible_iterator_new(&fixture->iterator, inner, fixture->horizon, slice_of_text(fixture->lower),
                                   slice_of_text(fixture->upper)));
}

static void check_stands_at(const struct fixture *fixture, size_t at)
{
    const struct visible_entry *entry = visible_iterator_entry(fixture->iterator);
    assert_int_equal(entry->valid, at < fixture->shown_count);
    if (!entry->valid)
        return;
    const struct model_entry *expected = &fixture->entries[fixture->shown[at]];
    assert_true(slice_equal(entry->key, user_of(expected)));
    assert_true(slice_equal(entry->value, slice_of_text(expected->value)));
}

static size_t first_shown_at_or_after(const struct fixture *fixture, struct kvs_slice user)
{
    size_t at = 0;
    while (at < fixture->shown_count && slice_compare(user_of(&fixture->entries[fixture->shown[at]]), user) < 0)
        at++;
    return at;
}

static size_t random_walk_step(struct fixture *fixture, uint64_t *seed, size_t at)
{
    struct model_entry target;
    model_random_key(&target, seed, 45);
    switch (random_below(seed, at < fixture->shown_count ? 12 : 4)) {
    case 0:
        assert_ok(visible_iterator_first(fixture->iterator));
        return 0;
    case 1:
        assert_ok(visible_iterator_last(fixture->iterator));
        return fixture->shown_count - 1;
    case 2:
        assert_ok(visible_iterator_seek(fixture->iterator, user_of(&target)));
        return first_shown_at_or_after(fixture, user_of(&target));
    case 3:
        assert_ok(visible_iterator_seek_before(fixture->iterator, user_of(&target)));
        return first_shown_at_or_after(fixture, user_of(&target)) - 1;
    case 4:
    case 5:
    case 6:
    case 7:
        assert_ok(visible_iterator_next(fixture->iterator));
        return at + 1;
    default:
        assert_ok(visible_iterator_prev(fixture->iterator));
        return at - 1;
    }
}

/* A scan must show each live key once, with the value of its moment, whichever way it goes. */
static void visible_random_walk_agrees_with_the_model(void **state)
{
    (void)state;
    uint64_t seed = 1234567891;
    for (int round = 0; round < 400; round++) {
        struct fixture fixture;
        set_up(&fixture, &seed, round % 2 == 0 ? 40 : 4, (unsigned)(round % 3) * 3);
        size_t at = SIZE_MAX;
        for (int step = 0; step < 100; step++) {
            at = random_walk_step(&fixture, &seed, at);
            check_stands_at(&fixture, at);
        }
        visible_iterator_free(fixture.iterator);
    }
}

/* A read error in the middle of a scan must not look like its end. */
static void visible_inner_fails_error_is_returned(void **state)
{
    (void)state;
    uint64_t seed = 42;
    unsigned failed = 0;
    for (unsigned fail_at = 1; fail_at < 100; fail_at++) {
        struct fixture fixture;
        set_up(&fixture, &seed, 40, 3);
        fixture.array->fail_at = fail_at;
        bool backward = fail_at % 2 == 0;
        struct kvs_status status =
            backward ? visible_iterator_last(fixture.iterator) : visible_iterator_first(fixture.iterator);
        size_t seen = 0;
        for (; status_is_ok(status) && visible_iterator_entry(fixture.iterator)->valid; seen++)
            status = backward ? visible_iterator_prev(fixture.iterator) : visible_iterator_next(fixture.iterator);
        assert_false(visible_iterator_entry(fixture.iterator)->valid);
        if (status_is_ok(status))
            assert_int_equal(seen, fixture.shown_count);
        failed += !status_is_ok(status);
        visible_iterator_free(fixture.iterator);
    }
    assert_true(failed > 20);
}

/* A range that ends before a million tombstones must not walk them: a queue's consumer reads from the front for ever. */
static void visible_tombstones_beyond_the_bound_are_not_walked(void **state)
{
    (void)state;
    enum { TOMBSTONES = 2000 };
    struct model_entry *entries = calloc(TOMBSTONES + 1, sizeof *entries);
    entries[0] = (struct model_entry){key_trailer(1, KEY_PUT), 1, "a", "live"};
    for (size_t i = 1; i <= TOMBSTONES; i++) {
        entries[i].key_size = (size_t)snprintf(entries[i].key, MODEL_KEY_BYTES, "b%06zu", i);
        entries[i].trailer = key_trailer(i + 1, KEY_DELETE);
    }
    struct iterator *inner = array_iterator_new(entries, TOMBSTONES + 1);
    struct visible_iterator *iterator;
    assert_ok(visible_iterator_new(&iterator, inner, SEQUENCE_MAX, slice_of(NULL, 0), slice_of_text("b000001")));
    assert_ok(visible_iterator_first(iterator));
    assert_true(visible_iterator_entry(iterator)->valid);
    assert_ok(visible_iterator_next(iterator));
    assert_false(visible_iterator_entry(iterator)->valid);
    assert_true(((struct array_iterator *)inner)->calls < 5);
    visible_iterator_free(iterator);
    free(entries);
}

/* A key that was overwritten a thousand times costs a scan a seek, not a thousand steps. */
static void visible_many_versions_of_a_key_are_skipped_by_a_seek(void **state)
{
    (void)state;
    enum { VERSIONS = 1000 };
    struct model_entry *entries = calloc(VERSIONS + 1, sizeof *entries);
    for (size_t i = 0; i < VERSIONS; i++)
        entries[i] = (struct model_entry){key_trailer(VERSIONS - i, KEY_PUT), 1, "a", "old"};
    strcpy(entries[VERSIONS - 500].value, "seen"); /* sequence 500 */
    entries[VERSIONS] = (struct model_entry){key_trailer(1, KEY_PUT), 1, "b", "b"};
    for (int backward = 0; backward < 2; backward++) {
        struct iterator *inner = array_iterator_new(entries, VERSIONS + 1);
        struct visible_iterator *iterator;
        assert_ok(visible_iterator_new(&iterator, inner, 500, slice_of(NULL, 0), slice_of(NULL, 0)));
        assert_ok(backward ? visible_iterator_last(iterator) : visible_iterator_first(iterator));
        const struct visible_entry *entry = visible_iterator_entry(iterator);
        if (backward) {
            assert_true(slice_equal(entry->value, slice_of_text("b")));
            assert_ok(visible_iterator_prev(iterator));
        }
        assert_true(slice_equal(entry->value, slice_of_text("seen")));
        if (!backward) {
            assert_ok(visible_iterator_next(iterator));
            assert_true(slice_equal(entry->value, slice_of_text("b")));
        }
        assert_true(((struct array_iterator *)inner)->calls < 40);
        visible_iterator_free(iterator);
    }
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visible_random_walk_agrees_with_the_model),
        cmocka_unit_test(visible_inner_fails_error_is_returned),
        cmocka_unit_test(visible_tombstones_beyond_the_bound_are_not_walked),
        cmocka_unit_test(visible_many_versions_of_a_key_are_skipped_by_a_seek),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
