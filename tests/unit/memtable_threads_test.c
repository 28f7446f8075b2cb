#include "memtable/memtable.h"

#include "memtable_keys.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ENTRIES = 20000, READERS = 3 };

/* Entry number n has sequence number n; published is the last whose insertion is over. wrong counts what readers did
 * not find as it should be. */
struct shared {
    struct memtable *memtable;
    enum key_pattern pattern;
    _Atomic uint64_t published;
    _Atomic uint64_t wrong;
};

struct reader {
    struct shared *shared;
    uint64_t random;
    pthread_t thread;
};

static uint64_t draw(struct reader *reader, uint64_t below)
{
    reader->random = hash_mix(reader->random, below);
    return reader->random % below;
}

static void expect(struct shared *shared, bool right)
{
    if (!right)
        atomic_fetch_add_explicit(&shared->wrong, 1, memory_order_relaxed);
}

static void *write_all(void *argument)
{
    struct shared *shared = argument;
    uint8_t bytes[KEYS_MAX_BYTES];
    for (uint64_t number = 1; number <= ENTRIES; number++) {
        struct kvs_slice user = slice_of(bytes, keys_make(bytes, shared->pattern, number, ENTRIES));
        memtable_insert(shared->memtable, key_of(user, key_trailer(number, KEY_PUT)), slice_of(&number, sizeof number));
        atomic_store_explicit(&shared->published, number, memory_order_release);
    }
    return NULL;
}

static void read_one(struct reader *reader, struct iterator *iterator, uint64_t horizon)
{
    struct shared *shared = reader->shared;
    uint8_t bytes[KEYS_MAX_BYTES];
    uint64_t number = 1 + draw(reader, horizon), trailer = 0;
    struct kvs_slice user = slice_of(bytes, keys_make(bytes, shared->pattern, number, ENTRIES)), value = {NULL, 0};
    expect(shared, memtable_get(shared->memtable, &trailer, &value, user, number) && key_sequence(trailer) == number &&
                       memcmp(value.data, &number, sizeof number) == 0);
    struct key key = key_of(user, key_trailer(number, KEY_PUT));
    expect(shared,
           status_is_ok(iterator_seek(iterator, key)) && iterator->valid && key_compare(iterator->key, key) == 0);
    expect(shared, status_is_ok(iterator_seek_before(iterator, key)));
    expect(shared, !iterator->valid || key_compare(iterator->key, key) < 0);
}

/* Walk over everything: all entries up to the horizon are met once, in order. */
static void scan(struct shared *shared, struct iterator *iterator, uint64_t horizon, bool backwards)
{
    uint64_t met = 0;
    struct key last = {{NULL, 0}, 0};
    expect(shared, status_is_ok(backwards ? iterator_last(iterator) : iterator_first(iterator)));
    for (bool begun = false; iterator->valid; begun = true) {
        int order = begun ? key_compare(iterator->key, last) : 0;
        expect(shared, !begun || (backwards ? order < 0 : order > 0));
        met += key_sequence(iterator->key.trailer) <= horizon;
        last = iterator->key;
        expect(shared, status_is_ok(backwards ? iterator_prev(iterator) : iterator_next(iterator)));
    }
    expect(shared, met == horizon);
}

static void *read_beside(void *argument)
{
    struct reader *reader = argument;
    struct shared *shared = reader->shared;
    struct iterator *iterator = NULL;
    if (!status_is_ok(memtable_iterator_new(&iterator, shared->memtable)))
        return NULL;
    uint64_t horizon = 0;
    while (horizon < ENTRIES) {
        horizon = atomic_load_explicit(&shared->published, memory_order_acquire);
        for (int i = 0; i < 200 && horizon > 0; i++) {
            horizon = atomic_load_explicit(&shared->published, memory_order_acquire);
            read_one(reader, iterator, horizon);
        }
        scan(shared, iterator, horizon, draw(reader, 2) == 0);
    }
    iterator_free(iterator);
    return NULL;
}

/* A reader would miss a write that was acknowledged before it asked, or read half an entry. */
static void memtable_readers_beside_a_writer_find_all_published(void **state)
{
    (void)state;
    for (int pattern = 0; pattern < KEYS_PATTERN_COUNT; pattern++) {
        struct shared shared = {.pattern = pattern};
        struct reader readers[READERS];
        pthread_t writer;
        assert_true(status_is_ok(memtable_new(&shared.memtable, 16 << 20, NULL)));
        for (uint64_t i = 0; i < READERS; i++) {
            readers[i] = (struct reader){.shared = &shared, .random = i};
            assert_int_equal(pthread_create(&readers[i].thread, NULL, read_beside, &readers[i]), 0);
        }
        assert_int_equal(pthread_create(&writer, NULL, write_all, &shared), 0);
        assert_int_equal(pthread_join(writer, NULL), 0);
        for (int i = 0; i < READERS; i++)
            assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_int_equal(shared.wrong, 0);
        assert_int_equal(memtable_count(shared.memtable), ENTRIES);
        memtable_unref(shared.memtable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memtable_readers_beside_a_writer_find_all_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
