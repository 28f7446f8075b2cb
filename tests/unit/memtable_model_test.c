#include "memtable/memtable.h"

#include "memtable_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ENTRIES = 1500, ROUNDS_PER_PATTERN = 2 };

/* What a memtable should hold: its entries in order. Entry number n has sequence number n + 1 and the value n. */
struct model_entry {
    uint8_t bytes[KEYS_MAX_BYTES];
    struct key key;
    uint64_t number;
};

struct model {
    struct model_entry entries[ENTRIES]; /* by number */
    unsigned order[ENTRIES];
    unsigned count;
    uint64_t random;
};

static uint64_t draw(struct model *model, uint64_t below)
{
    model->random = hash_mix(model->random, below);
    return model->random % below;
}

static struct key model_key(const struct model *model, unsigned position)
{
    return model->entries[model->order[position]].key;
}

/* The number of entries before target. */
static unsigned model_rank(const struct model *model, struct key target)
{
    unsigned rank = 0;
    while (rank < model->count && key_compare(model_key(model, rank), target) < 0)
        rank++;
    return rank;
}

static void insert_next(struct model *model, struct memtable *memtable, enum key_pattern pattern)
{
    unsigned number = model->count;
    struct model_entry *entry = &model->entries[number];
    size_t size = keys_make(entry->bytes, pattern, number, ENTRIES);
    entry->key = key_of(slice_of(entry->bytes, size), key_trailer(number + 1, KEY_PUT));
    entry->number = number;
    unsigned rank = model_rank(model, entry->key);
    memmove(&model->order[rank + 1], &model->order[rank], (model->count - rank) * sizeof *model->order);
    model->order[rank] = number;
    model->count++;
    memtable_insert(memtable, entry->key, slice_of(&entry->number, sizeof entry->number));
}

/* A key to look for: one that is there, or one near it, with any sequence number. */
static struct key draw_target(struct model *model, uint8_t *bytes)
{
    struct key key = model_key(model, (unsigned)draw(model, model->count));
    size_t size = key.user.size;
    memcpy(bytes, key.user.data, size);
    switch (draw(model, 5)) {
    case 0:
        size = size == 0 ? 0 : draw(model, size);
        break;
    case 1:
        bytes[size++] = (uint8_t)draw(model, 3);
        break;
    case 2:
        bytes[draw(model, size + 1)] ^= (uint8_t)(1 + draw(model, 255));
        break;
    default:
        break;
    }
    return key_of(slice_of(bytes, size), key_seek_trailer(draw(model, model->count + 2)));
}

static void expect_get(const struct model *model, const struct memtable *memtable, struct key target)
{
    uint64_t trailer;
    struct kvs_slice value;
    unsigned rank = model_rank(model, target);
    bool there = rank < model->count && slice_equal(model_key(model, rank).user, target.user);
    assert_int_equal(memtable_get(memtable, &trailer, &value, target.user, key_sequence(target.trailer)), there);
    if (!there)
        return;
    assert_int_equal(trailer, model_key(model, rank).trailer);
    assert_int_equal(value.size, sizeof(uint64_t));
    assert_memory_equal(value.data, &model->entries[model->order[rank]].number, sizeof(uint64_t));
}

/* The iterator stands at position of the model, or nowhere if that is outside. */
static void expect_at(const struct model *model, const struct iterator *iterator, long position)
{
    assert_int_equal(iterator->valid, position >= 0 && position < (long)model->count);
    if (!iterator->valid)
        return;
    assert_int_equal(key_compare(iterator->key, model_key(model, (unsigned)position)), 0);
    assert_memory_equal(iterator->value.data, &model->entries[model->order[position]].number, sizeof(uint64_t));
}

static void check(struct kvs_status status)
{
    assert_true(status_is_ok(status));
}

static void expect_walk(struct model *model, struct iterator *iterator, struct key target)
{
    long position = (long)model_rank(model, target);
    switch (draw(model, 4)) {
    case 0:
        check(iterator_seek(iterator, target));
        break;
    case 1:
        check(iterator_seek_before(iterator, target)), position--;
        break;
    case 2:
        check(iterator_first(iterator)), position = 0;
        break;
    default:
        check(iterator_last(iterator)), position = (long)model->count - 1;
    }
    expect_at(model, iterator, position);
    for (uint64_t steps = draw(model, 40), back = draw(model, 3); steps > 0 && iterator->valid; steps--) {
        bool backwards = draw(model, 4) < (back == 0 ? 1 : back == 1 ? 3 : 2);
        check(backwards ? iterator_prev(iterator) : iterator_next(iterator));
        position += backwards ? -1 : 1;
        expect_at(model, iterator, position);
    }
}

static void expect_scans(const struct model *model, struct iterator *iterator)
{
    check(iterator_first(iterator));
    for (long position = 0; position <= (long)model->count; position++) {
        expect_at(model, iterator, position);
        if (iterator->valid)
            check(iterator_next(iterator));
    }
    check(iterator_last(iterator));
    for (long position = (long)model->count - 1; position >= -1; position--) {
        expect_at(model, iterator, position);
        if (iterator->valid)
            check(iterator_prev(iterator));
    }
}

static void run_pattern(struct model *model, enum key_pattern pattern)
{
    struct memtable *memtable = NULL;
    struct iterator *iterator = NULL;
    uint8_t bytes[KEYS_MAX_BYTES + 1];
    check(memtable_new(&memtable, 2 << 20, NULL));
    check(memtable_iterator_new(&iterator, memtable));
    while (model->count < ENTRIES) {
        insert_next(model, memtable, pattern);
        for (uint64_t i = draw(model, 3); i > 0; i--) {
            expect_get(model, memtable, draw_target(model, bytes));
            expect_walk(model, iterator, draw_target(model, bytes));
        }
    }
    expect_scans(model, iterator);
    iterator_free(iterator);
    memtable_unref(memtable);
}

/* Any read would return something else than what was written: every operation against a sorted array, after every
 * insertion. */
static void memtable_random_operations_agree_with_sorted_array(void **state)
{
    (void)state;
    struct model *model = malloc(sizeof *model);
    assert_non_null(model);
    for (int pattern = 0; pattern < KEYS_PATTERN_COUNT; pattern++) {
        for (uint64_t round = 0; round < ROUNDS_PER_PATTERN; round++) {
            model->count = 0;
            model->random = 1000 * (uint64_t)pattern + round;
            run_pattern(model, pattern);
        }
    }
    free(model);
}

/* Walk over what the first half of a pattern left while the rest is inserted: all of that must be shown, in order. */
static void run_live(struct model *model, enum key_pattern pattern, bool backwards)
{
    struct memtable *memtable = NULL;
    struct iterator *iterator = NULL;
    struct model *before = malloc(sizeof *before);
    check(memtable_new(&memtable, 2 << 20, NULL));
    check(memtable_iterator_new(&iterator, memtable));
    while (model->count < ENTRIES / 2)
        insert_next(model, memtable, pattern);
    memcpy(before, model, sizeof *before);

    check(backwards ? iterator_last(iterator) : iterator_first(iterator));
    unsigned seen = 0;
    while (iterator->valid) {
        if (key_sequence(iterator->key.trailer) <= before->count) {
            unsigned position = backwards ? before->count - 1 - seen : seen;
            assert_int_equal(key_compare(iterator->key, model_key(model, 0)) >= 0, 1);
            assert_int_equal(iterator->key.trailer, model_key(before, position).trailer);
            seen++;
        }
        for (uint64_t i = draw(model, 3); i > 0 && model->count < ENTRIES; i--)
            insert_next(model, memtable, pattern);
        check(backwards ? iterator_prev(iterator) : iterator_next(iterator));
    }
    assert_int_equal(seen, before->count);
    free(before);
    iterator_free(iterator);
    memtable_unref(memtable);
}

/* A scan beside a writer would skip or repeat keys where a leaf under it is split. */
static void memtable_iterator_beside_insertions_shows_all_older_entries(void **state)
{
    (void)state;
    struct model *model = malloc(sizeof *model);
    assert_non_null(model);
    for (int pattern = 0; pattern < KEYS_PATTERN_COUNT; pattern++) {
        for (int backwards = 0; backwards < 2; backwards++) {
            model->count = 0;
            model->random = 77;
            run_live(model, pattern, backwards == 1);
        }
    }
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memtable_random_operations_agree_with_sorted_array),
        cmocka_unit_test(memtable_iterator_beside_insertions_shows_all_older_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
