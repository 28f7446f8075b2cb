/* version_test.c -- versions: applying edits, finding keys, walking runs; and the life of files in a version set. */

#include "version_support.h"

#include "base/rcu.h"

/* Install an edit that adds one segment of keys. */
static void install_segment(struct world *world, unsigned level, uint64_t run, const char *keys)
{
    struct version_edit edit;
    version_edit_init(&edit);
    assert_ok(world_add(world, &edit, level, run, keys));
    assert_ok(version_set_install(world->set, &edit, NULL, NULL));
    version_edit_fini(&edit);
}

/* Two runs in level 0, one of two segments in level 7. */
static void set_up(struct world *world)
{
    world_create(world);
    install_segment(world, 7, 1, "a b c");
    install_segment(world, 7, 1, "m n z");
    install_segment(world, 0, 0, "b x");
    install_segment(world, 0, 0, "c d e");
}

/* ---- Versions ---- */

/* The newest answer must come first: a version lists its runs by age. */
static void version_runs_stand_in_age_order(void **state)
{
    (void)state;
    struct world world;
    set_up(&world);
    assert_version(&world, "0(c-e) 0(b-x) 7(a-c m-z)");
    struct version *version = version_set_current(world.set);
    struct version_level_size size;
    assert_int_equal(version_level_runs(version, 0), 2);
    version_level_size(version, &size, 7);
    assert_int_equal(size.runs, 1);
    assert_int_equal(size.segments, 2);
    assert_int_equal(size.entries, 6);
    assert_true(size.bytes > 0);
    version_unref(version);
    world_free(&world);
}

static void check_lookup(const struct version *version, const char *key, const char *expected)
{
    char found[256] = "";
    size_t at = 0, run = 0;
    struct version_segment *segment;
    rcu_enter();
    while ((segment = version_lookup_next(version, &run, slice_of_text(key))) != NULL) {
        struct kvs_slice smallest = segment->meta.smallest.user;
        at += (size_t)snprintf(found + at, sizeof found - at, "%.*s ", (int)smallest.size, (const char *)smallest.data);
    }
    rcu_leave();
    assert_string_equal(found, expected);
}

/* A key is looked for in each segment whose range holds it, newest first, and in no other. */
static void version_lookup_gives_the_segments_that_may_hold_a_key(void **state)
{
    (void)state;
    struct world world;
    set_up(&world);
    struct version *version = version_set_current(world.set);
    check_lookup(version, "c", "c b a ");
    check_lookup(version, "a", "a ");
    check_lookup(version, "f", "b ");
    check_lookup(version, "x", "b m ");
    check_lookup(version, "z", "m ");
    check_lookup(version, "zz", "");
    check_lookup(version, "A", "");
    check_lookup(version, "bb", "b a ");
    version_unref(version);
    world_free(&world);
}

/* An edit moves, removes and adds in one step; readers of the version before see it unchanged. */
static void version_edit_replaces_in_one_step(void **state)
{
    (void)state;
    struct world world;
    set_up(&world);
    struct version *before = version_set_current(world.set);
    struct version_segment *moved = before->runs[0]->segments[0], *removed = before->runs[1]->segments[0];
    uint64_t removed_number = removed->meta.number;
    struct version_edit edit;
    version_edit_init(&edit);
    assert_ok(manifest_edit_remove_segment(&edit.manifest, 0, before->runs[0]->id, moved->meta.number));
    assert_ok(manifest_edit_remove_segment(&edit.manifest, 0, before->runs[1]->id, removed_number));
    assert_ok(manifest_edit_add_segment(&edit.manifest, 6, 9, &moved->meta));
    assert_ok(world_add(&world, &edit, 6, 9, "p q"));
    assert_ok(version_set_install(world.set, &edit, NULL, NULL));
    version_edit_fini(&edit);
    assert_version(&world, "6(c-e p-q) 7(a-c m-z)");
    check_lookup(before, "c", "c b a ");
    assert_true(world_has(&world, FILE_SEGMENT, removed_number));
    version_unref(before);
    world_free(&world);
}

static void check_refused(struct world *world, struct version_edit *edit, enum kvs_code code, const char *text)
{
    struct version *before = version_set_current(world->set);
    struct kvs_status status = version_set_install(world->set, edit, NULL, NULL);
    assert_int_equal(status.code, code);
    assert_text_has(status, text);
    version_edit_discard(edit);
    struct version *after = version_set_current(world->set);
    assert_ptr_equal(after, before);
    version_unref(after);
    version_unref(before);
}

/* An edit that does not fit is refused before it is written: written, it would make the database unreadable. */
static void version_edit_that_does_not_fit_is_refused_unwritten(void **state)
{
    (void)state;
    struct world world;
    struct version_edit edit;
    set_up(&world);
    version_edit_init(&edit);
    assert_ok(manifest_edit_remove_segment(&edit.manifest, 7, 1, 999));
    check_refused(&world, &edit, KVS_CORRUPT, "expected to remove 1 segments");
    assert_ok(manifest_edit_remove_segment(&edit.manifest, 3, 1, 999));
    check_refused(&world, &edit, KVS_CORRUPT, "not there");
    assert_ok(world_add(&world, &edit, 7, 1, "b bb"));
    check_refused(&world, &edit, KVS_CORRUPT, "overlap");
    assert_ok(manifest_edit_drop_log(&edit.manifest, 77));
    check_refused(&world, &edit, KVS_CORRUPT, "not listed");
    assert_version(&world, "0(c-e) 0(b-x) 7(a-c m-z)");
    struct io_mem *mem = world_unmount(&world);
    struct version_recovery recovery;
    world_mount(&world, mem);
    assert_ok(world_open(&world, &recovery));
    assert_version(&world, "0(c-e) 0(b-x) 7(a-c m-z)");
    world_free(&world);
}

/* ---- Searching a run ---- */

/* Runs of many segments with keys of all kinds of common prefixes: a search that is off by one loses a key. */
static void version_run_search_agrees_with_a_walk(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"", "a", "user:0000000", "user:0000000000000000"};
    for (size_t p = 0; p < 4; p++) {
        struct version_segment segments[40], *pointers[40];
        char smallest[40][32], largest[40][32];
        struct version_run *run;
        memset(segments, 0, sizeof segments);
        for (int i = 0; i < 40; i++) {
            snprintf(smallest[i], sizeof smallest[i], "%s%03d", prefixes[p], i * 10 + 2);
            snprintf(largest[i], sizeof largest[i], "%s%03d", prefixes[p], i * 10 + 6);
            segments[i].meta.number = (uint64_t)i + 1;
            segments[i].meta.smallest = key_of(slice_of_text(smallest[i]), key_trailer(1, KEY_PUT));
            segments[i].meta.largest = key_of(slice_of_text(largest[i]), key_trailer(1, KEY_PUT));
            atomic_init(&segments[i].references, 1);
            pointers[(i * 7) % 40] = &segments[i];
        }
        assert_ok(version_run_new(&run, 1, pointers, 40));
        for (int key = 0; key < 420; key++) {
            char text[40];
            snprintf(text, sizeof text, "%s%03d%s", prefixes[p], key, key % 3 == 0 ? "x" : "");
            size_t expected = 0;
            while (expected < 40 && slice_compare(slice_of_text(largest[expected]), slice_of_text(text)) < 0)
                expected++;
            assert_int_equal(version_run_search(run, slice_of_text(text)), expected);
            bool holds_key =
                expected < 40 && slice_compare(slice_of_text(smallest[expected]), slice_of_text(text)) <= 0;
            assert_ptr_equal(version_run_find(run, slice_of_text(text)), holds_key ? &segments[expected] : NULL);
            size_t first, count;
            version_run_range(run, &first, &count, slice_of_text(text), slice_of_text(text));
            assert_int_equal(count, holds_key ? 1 : 0);
        }
        assert_int_equal(version_run_search(run, slice_of(NULL, 0)), 0);
        assert_int_equal(version_run_search(run, slice_of_text("\xff")), 40);
        assert_true(version_run_overlaps(run, slice_of(NULL, 0), slice_of(NULL, 0)));
        assert_false(version_run_overlaps(run, slice_of(NULL, 0), slice_of_text(smallest[0])));
        assert_false(version_run_overlaps(run, slice_of_text("\xff"), slice_of(NULL, 0)));
        version_run_unref(run);
    }
}

/* ---- Iterators ---- */

static void check_walk(struct iterator *iterator, const char *forward)
{
    char found[256] = "", backward[256] = "";
    size_t at = 0;
    for (assert_ok(iterator_first(iterator)); iterator->valid; assert_ok(iterator_next(iterator)))
        at += (size_t)snprintf(found + at, sizeof found - at, "%.*s", (int)iterator->key.user.size,
                               (const char *)iterator->key.user.data);
    assert_string_equal(found, forward);
    at = 0;
    for (assert_ok(iterator_last(iterator)); iterator->valid; assert_ok(iterator_prev(iterator)))
        at += (size_t)snprintf(backward + at, sizeof backward - at, "%.*s", (int)iterator->key.user.size,
                               (const char *)iterator->key.user.data);
    for (size_t i = 0; i < strlen(forward); i++)
        assert_int_equal(backward[i], forward[strlen(forward) - 1 - i]);
}

static char key_after_seek(struct iterator *iterator, const char *user, bool before)
{
    struct key target = key_of(slice_of_text(user), UINT64_MAX);
    assert_ok(before ? iterator_seek_before(iterator, target) : iterator_seek(iterator, target));
    return iterator->valid ? *(const char *)iterator->key.user.data : '-';
}

/* A scan over a run passes from segment to segment without losing an entry at the seam. */
static void version_run_iterator_crosses_segments_both_ways(void **state)
{
    (void)state;
    static const struct segment_iterator_options options = {.fill_cache = true};
    struct world world;
    struct iterator *iterator;
    set_up(&world);
    install_segment(&world, 7, 1, "d e");
    struct version *version = version_set_current(world.set);
    struct version_run *run = version->runs[2];
    assert_ok(version_run_iterator_new(&iterator, run, 0, 3, &options));
    version_unref(version); /* the iterator holds the run */
    check_walk(iterator, "abcdemnz");
    assert_int_equal(key_after_seek(iterator, "c", false), 'c');
    assert_int_equal(key_after_seek(iterator, "cc", false), 'd');
    assert_int_equal(key_after_seek(iterator, "f", false), 'm');
    assert_int_equal(key_after_seek(iterator, "zz", false), '-');
    assert_int_equal(key_after_seek(iterator, "m", true), 'e');
    assert_int_equal(key_after_seek(iterator, "d", true), 'c');
    assert_int_equal(key_after_seek(iterator, "zz", true), 'z');
    assert_int_equal(key_after_seek(iterator, "a", true), '-');
    iterator_free(iterator);
    version = version_set_current(world.set);
    assert_ok(version_run_iterator_new(&iterator, version->runs[2], 1, 1, &options));
    version_unref(version);
    check_walk(iterator, "de");
    assert_int_equal(key_after_seek(iterator, "a", false), 'd');
    assert_int_equal(key_after_seek(iterator, "z", false), '-');
    assert_int_equal(key_after_seek(iterator, "z", true), 'e');
    iterator_free(iterator);
    world_free(&world);
}

/* A bounded scan opens only the runs that it can meet. */
static void version_iterators_cover_the_runs_in_bounds(void **state)
{
    (void)state;
    static const struct segment_iterator_options options = {.fill_cache = true};
    static const struct {
        const char *lower, *upper;
        size_t count;
    } cases[] = {{"", "", 3}, {"f", "", 2}, {"", "b", 1}, {"f", "g", 1}, {"zz", "", 0}, {"d", "f", 2}};
    struct world world;
    set_up(&world);
    struct version *version = version_set_current(world.set);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct iterator *iterators[4];
        size_t count = 1; /* one is there already */
        assert_ok(version_iterators_new(version, iterators, &count, slice_of_text(cases[i].lower),
                                        slice_of_text(cases[i].upper), &options));
        assert_int_equal(count - 1, cases[i].count);
        while (count > 1)
            iterator_free(iterators[--count]);
    }
    version_unref(version);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_runs_stand_in_age_order),
        cmocka_unit_test(version_lookup_gives_the_segments_that_may_hold_a_key),
        cmocka_unit_test(version_edit_replaces_in_one_step),
        cmocka_unit_test(version_edit_that_does_not_fit_is_refused_unwritten),
        cmocka_unit_test(version_run_search_agrees_with_a_walk),
        cmocka_unit_test(version_run_iterator_crosses_segments_both_ways),
        cmocka_unit_test(version_iterators_cover_the_runs_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
