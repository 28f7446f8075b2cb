#include "memtable/memtable.h"

#include "memtable_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct memtable *make(size_t capacity_bytes)
{
    struct memtable *memtable = NULL;
    assert_true(status_is_ok(memtable_new(&memtable, capacity_bytes, NULL)));
    return memtable;
}

static void put(struct memtable *memtable, struct kvs_slice key, uint64_t sequence, struct kvs_slice value)
{
    assert_true(memtable_room(memtable) >= memtable_cost(key.size, value.size));
    memtable_insert(memtable, key_of(key, key_trailer(sequence, KEY_PUT)), value);
}

static void put_text(struct memtable *memtable, const char *key, uint64_t sequence, const char *value)
{
    put(memtable, slice_of_text(key), sequence, slice_of_text(value));
}

static void expect_text(const struct memtable *memtable, const char *key, uint64_t horizon, uint64_t sequence,
                        const char *text)
{
    uint64_t trailer;
    struct kvs_slice value;
    assert_true(memtable_get(memtable, &trailer, &value, slice_of_text(key), horizon));
    assert_int_equal(key_sequence(trailer), sequence);
    assert_true(slice_equal(value, slice_of_text(text)));
}

static void expect_absent(const struct memtable *memtable, struct kvs_slice key, uint64_t horizon)
{
    uint64_t trailer = 42;
    struct kvs_slice value = {NULL, 43};
    assert_false(memtable_get(memtable, &trailer, &value, key, horizon));
    assert_int_equal(trailer, 42);
    assert_int_equal(value.size, 43);
}

static void check(struct kvs_status status)
{
    assert_true(status_is_ok(status));
}

/* A database without a write would report keys, or crash, if an empty memtable did. */
static void memtable_empty_finds_nothing(void **state)
{
    (void)state;
    struct memtable *memtable = make(4096);
    struct iterator *iterator = NULL;
    expect_absent(memtable, slice_of_text("a"), SEQUENCE_MAX);
    expect_absent(memtable, slice_of(NULL, 0), SEQUENCE_MAX);
    check(memtable_iterator_new(&iterator, memtable));
    check(iterator_first(iterator));
    assert_false(iterator->valid);
    check(iterator_last(iterator));
    assert_false(iterator->valid);
    check(iterator_seek(iterator, key_of(slice_of_text("a"), UINT64_MAX)));
    assert_false(iterator->valid);
    check(iterator_seek_before(iterator, key_of(slice_of_text("a"), 0)));
    assert_false(iterator->valid);
    assert_int_equal(memtable_count(memtable), 0);
    iterator_free(iterator);
    memtable_unref(memtable);
}

/* A snapshot would see a later write, or a read an older value than the newest. */
static void memtable_get_returns_newest_version_at_horizon(void **state)
{
    (void)state;
    struct memtable *memtable = make(1 << 16);
    put_text(memtable, "k", 10, "ten");
    put_text(memtable, "j", 15, "other");
    memtable_insert(memtable, key_of(slice_of_text("k"), key_trailer(20, KEY_DELETE)), slice_of(NULL, 0));
    put_text(memtable, "k", 30, "thirty");

    expect_absent(memtable, slice_of_text("k"), 9);
    expect_text(memtable, "k", 10, 10, "ten");
    expect_text(memtable, "k", 19, 10, "ten");
    expect_text(memtable, "k", 30, 30, "thirty");
    expect_text(memtable, "k", SEQUENCE_MAX, 30, "thirty");
    uint64_t trailer;
    struct kvs_slice value;
    assert_true(memtable_get(memtable, &trailer, &value, slice_of_text("k"), 25));
    assert_int_equal(key_kind(trailer), KEY_DELETE);
    assert_int_equal(value.size, 0);
    assert_int_equal(memtable_count(memtable), 4);
    memtable_unref(memtable);
}

/* A counter written thousands of times would lose versions where they fill whole leaves. */
static void memtable_many_versions_of_one_key_are_all_found(void **state)
{
    (void)state;
    struct memtable *memtable = make(1 << 20);
    char text[16];
    for (unsigned sequence = 1; sequence <= 3000; sequence++) {
        snprintf(text, sizeof text, "%u", sequence);
        put_text(memtable, "counter", 2 * sequence, text);
    }
    for (unsigned sequence = 1; sequence <= 3000; sequence++) {
        snprintf(text, sizeof text, "%u", sequence);
        expect_text(memtable, "counter", 2 * sequence, 2 * sequence, text);
        expect_text(memtable, "counter", 2 * sequence + 1, 2 * sequence, text);
    }
    expect_absent(memtable, slice_of_text("counter"), 1);
    expect_absent(memtable, slice_of_text("counte"), SEQUENCE_MAX);
    expect_absent(memtable, slice_of_text("counters"), SEQUENCE_MAX);
    memtable_unref(memtable);
}

/* Keys that differ only by zero bytes at their ends would be taken for each other, as hints are padded with zeros. */
static void memtable_keys_of_zero_bytes_are_told_apart_by_length(void **state)
{
    (void)state;
    static const uint8_t zeros[64];
    struct memtable *memtable = make(1 << 20);
    for (unsigned i = 0; i <= 40; i++) {
        unsigned size = i * 17 % 41;
        put(memtable, slice_of(size == 0 ? NULL : zeros, size), i + 1, slice_of(&size, sizeof size));
    }
    struct iterator *iterator = NULL;
    check(memtable_iterator_new(&iterator, memtable));
    check(iterator_first(iterator));
    for (unsigned size = 0; size <= 40; size++) {
        uint64_t trailer;
        struct kvs_slice value;
        assert_true(memtable_get(memtable, &trailer, &value, slice_of(zeros, size), SEQUENCE_MAX));
        assert_memory_equal(value.data, &size, sizeof size);
        assert_true(iterator->valid);
        assert_int_equal(iterator->key.user.size, size);
        check(iterator_next(iterator));
    }
    assert_false(iterator->valid);
    expect_absent(memtable, slice_of(zeros, 41), SEQUENCE_MAX);
    iterator_free(iterator);
    memtable_unref(memtable);
}

/* The longest keys would be cut or mixed up: these agree in all but their last bytes. */
static void memtable_longest_keys_and_empty_values_are_kept(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    struct memtable *memtable = make(8 << 20);
    uint8_t *key = malloc(KEY_MAX_BYTES);
    assert_non_null(key);
    memset(key, 'k', KEY_MAX_BYTES);
    for (unsigned i = 0; i < COUNT; i++) {
        key[KEY_MAX_BYTES - 1] = (uint8_t)(i * 7 % COUNT);
        put(memtable, slice_of(key, KEY_MAX_BYTES), i + 1, slice_of(NULL, 0));
    }
    put(memtable, slice_of(key, KEY_MAX_BYTES - 1), COUNT + 1, slice_of_text("shorter"));
    for (unsigned i = 0; i < COUNT; i++) {
        uint64_t trailer;
        struct kvs_slice value;
        key[KEY_MAX_BYTES - 1] = (uint8_t)(i * 7 % COUNT);
        assert_true(memtable_get(memtable, &trailer, &value, slice_of(key, KEY_MAX_BYTES), SEQUENCE_MAX));
        assert_int_equal(key_sequence(trailer), i + 1);
        assert_int_equal(value.size, 0);
    }
    key[KEY_MAX_BYTES - 1] = COUNT;
    expect_absent(memtable, slice_of(key, KEY_MAX_BYTES), SEQUENCE_MAX);
    free(key);
    memtable_unref(memtable);
}

/* A search for a key outside the prefix that all keys share would come out at the wrong end. */
static void memtable_iterator_outside_shared_prefix_stops_at_the_ends(void **state)
{
    (void)state;
    static const char *below[] = {"", "user", "user9", "aaaa", "user.1"}, *above[] = {"user;", "v", "zzz"};
    struct memtable *memtable = make(1 << 20);
    struct iterator *iterator = NULL;
    char text[32];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "user:%04u", i * 7 % 1000);
        put_text(memtable, text, i + 1, "v");
    }
    check(memtable_iterator_new(&iterator, memtable));
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        expect_absent(memtable, slice_of_text(below[i]), SEQUENCE_MAX);
        check(iterator_seek(iterator, key_of(slice_of_text(below[i]), UINT64_MAX)));
        assert_true(iterator->valid && slice_equal(iterator->key.user, slice_of_text("user:0000")));
        check(iterator_seek_before(iterator, key_of(slice_of_text(below[i]), UINT64_MAX)));
        assert_false(iterator->valid);
    }
    for (size_t i = 0; i < sizeof above / sizeof *above; i++) {
        expect_absent(memtable, slice_of_text(above[i]), SEQUENCE_MAX);
        check(iterator_seek(iterator, key_of(slice_of_text(above[i]), UINT64_MAX)));
        assert_false(iterator->valid);
        check(iterator_seek_before(iterator, key_of(slice_of_text(above[i]), UINT64_MAX)));
        assert_true(iterator->valid && slice_equal(iterator->key.user, slice_of_text("user:0999")));
    }
    iterator_free(iterator);
    memtable_unref(memtable);
}

/* Insert keys of a pattern until the room is used up, holding memtable_cost to its word; returns their number. */
static uint64_t fill(struct memtable *memtable, enum key_pattern pattern, size_t value_bytes)
{
    static const uint8_t bytes[512];
    uint8_t key[KEYS_MAX_BYTES];
    uint64_t count = 0;
    for (;; count++) {
        size_t size = keys_make(key, pattern, count, 20000);
        size_t cost = memtable_cost(size, value_bytes), room = memtable_room(memtable);
        if (room < cost)
            return count;
        put(memtable, slice_of(key, size), count + 1, slice_of(bytes, value_bytes));
        assert_true(room - memtable_room(memtable) <= cost || memtable_room(memtable) > room);
    }
}

static void expect_all(const struct memtable *memtable, enum key_pattern pattern, uint64_t count)
{
    uint8_t key[KEYS_MAX_BYTES];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t trailer;
        struct kvs_slice value;
        size_t size = keys_make(key, pattern, i, 20000);
        assert_true(memtable_get(memtable, &trailer, &value, slice_of(key, size), i + 1));
        assert_int_equal(key_sequence(trailer), i + 1);
    }
}

/* A batch that was admitted would abort the process half applied if an insertion could cost more than memtable_cost
 * says. */
static void memtable_filled_to_the_brim_never_runs_out(void **state)
{
    (void)state;
    static const size_t capacities[] = {0, 600, 5000, 100000, 1500000}, values[] = {0, 1, 100};
    for (int pattern = 0; pattern < KEYS_PATTERN_COUNT; pattern++) {
        for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
            struct memtable *memtable = make(capacities[i]);
            assert_int_equal(memtable_room(memtable), capacities[i]);
            uint64_t count = fill(memtable, pattern, values[i % 3]);
            assert_int_equal(memtable_count(memtable), count);
            expect_all(memtable, pattern, count);
            memtable_unref(memtable);
        }
    }
}

/* The engine would think a batch fits a new memtable that was made for it, and find that it does not. */
static void memtable_holds_a_batch_of_the_cost_it_was_made_for(void **state)
{
    (void)state;
    for (int pattern = 0; pattern < KEYS_PATTERN_COUNT; pattern++) {
        uint8_t key[KEYS_MAX_BYTES];
        size_t cost = 0;
        for (uint64_t i = 0; i < 2000; i++)
            cost += memtable_cost(keys_make(key, pattern, i, 2000), 10);
        struct memtable *memtable = make(cost);
        for (uint64_t i = 0; i < 2000; i++) {
            size_t size = keys_make(key, pattern, i, 2000);
            put(memtable, slice_of(key, size), i + 1, slice_of(key, 10));
        }
        memtable_unref(memtable);
    }
}

/* Splits that waste the arena would make flushes small and many: beside 16 bytes of header, an entry may take 56 for
 * nodes. */
static void memtable_nodes_take_few_bytes_per_entry(void **state)
{
    (void)state;
    static const enum key_pattern patterns[] = {KEYS_RANDOM, KEYS_ASCENDING, KEYS_DESCENDING, KEYS_STREAMS,
                                                KEYS_VERSIONS};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct memtable *memtable = make(4 << 20);
        uint8_t key[KEYS_MAX_BYTES];
        size_t entries_bytes = 0;
        for (uint64_t index = 0; index < 10000; index++) {
            size_t size = keys_make(key, patterns[i], index, 10000);
            put(memtable, slice_of(key, size), index + 1, slice_of(key, 8));
            entries_bytes += (16 + size + 8 + 7) / 8 * 8;
        }
        assert_true(memtable_used(memtable) - entries_bytes < UINT64_C(10000) * 56);
        memtable_unref(memtable);
    }
}

/* The budget would drift with every flush, or memory be freed under an iterator. */
static void memtable_references_hold_memory_and_charge(void **state)
{
    (void)state;
    struct memory_budget budget;
    struct memtable *memtable = NULL;
    struct iterator *iterator = NULL;
    memory_budget_init(&budget, 1 << 30);
    check(memtable_new(&memtable, 1 << 16, &budget));
    assert_int_equal(memory_budget_used(&budget, MEMORY_MEMTABLE), 1 << 16);
    put_text(memtable, "key", 1, "value");
    check(memtable_iterator_new(&iterator, memtable));
    assert_ptr_equal(memtable_ref(memtable), memtable);
    memtable_unref(memtable);
    memtable_unref(memtable);
    check(iterator_first(iterator));
    assert_true(iterator->valid && slice_equal(iterator->value, slice_of_text("value")));
    assert_int_equal(memory_budget_used(&budget, MEMORY_MEMTABLE), 1 << 16);
    iterator_free(iterator);
    assert_int_equal(memory_budget_total(&budget), 0);
    memtable_unref(NULL);
}

/* A size that cannot be had would crash, or leave a charge behind. */
static void memtable_new_too_large_is_no_memory(void **state)
{
    (void)state;
    struct memory_budget budget;
    struct memtable *memtable = NULL;
    memory_budget_init(&budget, 1 << 30);
    assert_int_equal(memtable_new(&memtable, (size_t)1 << 40, &budget).code, KVS_NO_MEMORY);
    assert_int_equal(memtable_new(&memtable, SIZE_MAX, &budget).code, KVS_NO_MEMORY);
    assert_null(memtable);
    assert_int_equal(memory_budget_total(&budget), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memtable_empty_finds_nothing),
        cmocka_unit_test(memtable_get_returns_newest_version_at_horizon),
        cmocka_unit_test(memtable_many_versions_of_one_key_are_all_found),
        cmocka_unit_test(memtable_keys_of_zero_bytes_are_told_apart_by_length),
        cmocka_unit_test(memtable_longest_keys_and_empty_values_are_kept),
        cmocka_unit_test(memtable_iterator_outside_shared_prefix_stops_at_the_ends),
        cmocka_unit_test(memtable_filled_to_the_brim_never_runs_out),
        cmocka_unit_test(memtable_holds_a_batch_of_the_cost_it_was_made_for),
        cmocka_unit_test(memtable_nodes_take_few_bytes_per_entry),
        cmocka_unit_test(memtable_references_hold_memory_and_charge),
        cmocka_unit_test(memtable_new_too_large_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
