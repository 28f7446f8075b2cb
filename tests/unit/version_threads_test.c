/* version_threads_test.c -- readers, installers and the deleter of files side by side; what ThreadSanitizer is to look at. */

#include "version_support.h"

#include "io/io_thread.h"

enum { READERS = 3, INSTALLERS = 2, ROUNDS = 60 };

struct crew {
    struct world world;
    _Atomic unsigned installers_left;
    _Atomic unsigned published;
};

static void note_publish(void *context, struct version *version)
{
    struct crew *crew = context;
    assert_true(version->number > 0);
    atomic_fetch_add(&crew->published, 1);
}

/* Add a segment, then drop it. */
static void install_and_remove(struct crew *crew, unsigned round)
{
    struct version_edit edit;
    char key[16];
    snprintf(key, sizeof key, "k%u", round);
    version_edit_init(&edit);
    assert_ok(world_add(&crew->world, &edit, 0, 0, key));
    uint64_t number = edit.manifest.added[0].meta.number;
    assert_ok(version_set_install(crew->world.set, &edit, note_publish, crew));
    version_edit_fini(&edit);
    assert_ok(manifest_edit_remove_segment(&edit.manifest, 0, number, number));
    assert_ok(version_set_install(crew->world.set, &edit, note_publish, crew));
    version_edit_fini(&edit);
}

static void install_many(void *argument)
{
    struct crew *crew = argument;
    for (unsigned round = 0; round < ROUNDS; round++)
        install_and_remove(crew, round);
    atomic_fetch_sub(&crew->installers_left, 1);
}

/* A segment that is in a version which a reader holds can be read, whatever was installed since. */
static void read_many(void *argument)
{
    static const struct segment_iterator_options options = {.fill_cache = true};
    struct crew *crew = argument;
    while (atomic_load(&crew->installers_left) > 0) {
        struct version *version = version_set_current(crew->world.set);
        for (size_t i = 0; i < version->run_count; i++) {
            struct iterator *iterator;
            assert_ok(version_run_iterator_new(&iterator, version->runs[i], 0, 1, &options));
            assert_ok(iterator_first(iterator));
            assert_true(iterator->valid);
            iterator_free(iterator);
        }
        version_unref(version);
    }
}

static void delete_many(void *argument)
{
    struct crew *crew = argument;
    while (atomic_load(&crew->installers_left) > 0)
        assert_ok(version_set_delete_obsolete(crew->world.set));
}

/* A server installs, reads and deletes at the same time for months: no race, no lost file, none left over. */
static void version_set_used_by_many_threads_ends_empty(void **state)
{
    (void)state;
    struct crew crew = {.installers_left = INSTALLERS};
    struct io_thread threads[READERS + INSTALLERS + 1];
    unsigned count = 0;
    world_create(&crew.world);
    for (unsigned i = 0; i < INSTALLERS; i++)
        assert_ok(io_thread_start(&threads[count++], crew.world.io, "install", install_many, &crew));
    for (unsigned i = 0; i < READERS; i++)
        assert_ok(io_thread_start(&threads[count++], crew.world.io, "read", read_many, &crew));
    assert_ok(io_thread_start(&threads[count++], crew.world.io, "delete", delete_many, &crew));
    while (count > 0)
        io_thread_join(&threads[--count]);
    assert_int_equal(crew.published, 2 * INSTALLERS * ROUNDS);
    assert_version(&crew.world, "");
    assert_ok(version_set_delete_obsolete(crew.world.set));
    assert_int_equal(version_set_obsolete_count(crew.world.set), 0);
    struct version_recovery recovery;
    struct io_mem *mem = world_unmount(&crew.world);
    world_mount(&crew.world, mem);
    assert_ok(world_open(&crew.world, &recovery));
    assert_version(&crew.world, "");
    world_free(&crew.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(version_set_used_by_many_threads_ends_empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
