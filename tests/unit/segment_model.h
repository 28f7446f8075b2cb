/* segment_model.h -- random sorted entries, and what any iterator over them must show. Shared by the tests of blocks and segments.
 *
 * Failure   Fails the running cmocka test. */
#ifndef KVS_TESTS_SEGMENT_MODEL_H
#define KVS_TESTS_SEGMENT_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/iterator.h"

struct model_entry {
    struct key key;
    struct kvs_slice value;
};

/* entries   in order; their bytes lie in memory */
struct model {
    struct model_entry *entries;
    size_t count;
    uint8_t *memory;
};

/* seed              everything follows from it
 * count             of entries
 * key_bytes_max     user keys have 1 to so many bytes
 * alphabet          their bytes are below this: few make long shared prefixes
 * versions_max      entries of one user key, at most
 * value_bytes_max   values have 0 to so many bytes */
struct model_shape {
    uint64_t seed;
    size_t count;
    size_t key_bytes_max;
    unsigned alphabet;
    unsigned versions_max;
    size_t value_bytes_max;
};

static inline uint64_t model_random(uint64_t *state)
{
    *state += 1;
    return hash_mix(0, *state);
}

static int model_compare(const void *a, const void *b)
{
    return key_compare(((const struct model_entry *)a)->key, ((const struct model_entry *)b)->key);
}

static inline uint8_t *model_fill(uint8_t *at, size_t size, unsigned alphabet, uint64_t *state)
{
    for (size_t i = 0; i < size; i++)
        *at++ = (uint8_t)(model_random(state) % alphabet);
    return at;
}

static inline void model_init(struct model *model, struct model_shape shape)
{
    uint64_t state = shape.seed;
    model->entries = calloc(shape.count, sizeof model->entries[0]);
    model->memory = malloc(shape.count * (shape.key_bytes_max + shape.value_bytes_max) + 1);
    assert_non_null(model->entries);
    assert_non_null(model->memory);
    uint8_t *at = model->memory;
    uint64_t sequence = 1 + model_random(&state) % 1000;
    for (size_t made = 0; made < shape.count;) {
        struct kvs_slice user = {at, 1 + model_random(&state) % shape.key_bytes_max};
        at = model_fill(at, user.size, shape.alphabet, &state);
        for (unsigned versions = 1 + (unsigned)(model_random(&state) % shape.versions_max);
             versions > 0 && made < shape.count; versions--) {
            struct model_entry *entry = &model->entries[made++];
            bool is_delete = model_random(&state) % 8 == 0;
            entry->key = key_of(user, key_trailer(sequence, is_delete ? KEY_DELETE : KEY_PUT));
            entry->value = slice_of(at, is_delete ? 0 : model_random(&state) % (shape.value_bytes_max + 1));
            at = model_fill(at, entry->value.size, 4, &state);
            sequence += 1 + model_random(&state) % 3;
        }
    }
    model->count = shape.count;
    qsort(model->entries, model->count, sizeof model->entries[0], model_compare);
}

static inline void model_fini(struct model *model)
{
    free(model->entries);
    free(model->memory);
}

/* The index of the first entry at or after target. */
static inline size_t model_find(const struct model *model, struct key target)
{
    size_t low = 0, high = model->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key_compare(model->entries[middle].key, target) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A key that is in the model, just beside one, or anything. */
static inline struct key model_target(const struct model *model, uint8_t *buffer, uint64_t *state)
{
    const struct model_entry *entry = &model->entries[model_random(state) % model->count];
    struct kvs_slice user = entry->key.user;
    uint64_t trailer = entry->key.trailer;
    memcpy(buffer, user.data, user.size);
    switch (model_random(state) % 8) {
    case 0:
        user.size--;
        break;
    case 1:
        buffer[user.size++] = 0;
        break;
    case 2:
        buffer[user.size++] = 0xFF;
        break;
    case 3:
        buffer[model_random(state) % user.size] = (uint8_t)model_random(state);
        break;
    case 4:
        trailer = key_seek_trailer(SEQUENCE_MAX);
        break;
    case 5:
        trailer += model_random(state) % 1024;
        break;
    case 6:
        trailer -= model_random(state) % 200;
        break;
    default:
        break;
    }
    return key_of(slice_of(buffer, user.size), trailer);
}

/* The iterator stands on the entry with this index; past either end for index >= count. */
static inline void model_check_at(const struct model *model, const struct iterator *iterator, size_t index)
{
    assert_int_equal(iterator->valid, index < model->count);
    if (!iterator->valid)
        return;
    assert_true(key_compare(iterator->key, model->entries[index].key) == 0);
    assert_true(slice_equal(iterator->value, model->entries[index].value));
}

static inline void model_check_ok(struct kvs_status status)
{
    if (!status_is_ok(status))
        fail_msg("%s", status_text(status));
}

/* Walk from end to end, both ways. */
static inline void model_check_walks(const struct model *model, struct iterator *iterator)
{
    model_check_ok(iterator_first(iterator));
    for (size_t i = 0; i < model->count; i++) {
        model_check_at(model, iterator, i);
        model_check_ok(iterator_next(iterator));
    }
    assert_false(iterator->valid);
    model_check_ok(iterator_last(iterator));
    for (size_t i = model->count; i-- > 0;) {
        model_check_at(model, iterator, i);
        model_check_ok(iterator_prev(iterator));
    }
    assert_false(iterator->valid);
}

/* Seek about, with steps from where that leads. buffer has room for the longest key and one byte. */
static inline void model_check_seeks(const struct model *model, struct iterator *iterator, uint8_t *buffer,
                                     size_t tries, uint64_t seed)
{
    uint64_t state = seed;
    for (size_t i = 0; i < tries; i++) {
        struct key target = model_target(model, buffer, &state);
        size_t at = model_find(model, target);
        if (model_random(&state) % 2 == 0) {
            model_check_ok(iterator_seek(iterator, target));
        } else {
            model_check_ok(iterator_seek_before(iterator, target));
            at = at == 0 ? model->count : at - 1;
        }
        model_check_at(model, iterator, at);
        for (unsigned steps = (unsigned)(model_random(&state) % 4); steps > 0 && iterator->valid; steps--) {
            bool is_forward = model_random(&state) % 2 == 0;
            model_check_ok(is_forward ? iterator_next(iterator) : iterator_prev(iterator));
            at = is_forward ? at + 1 : at == 0 ? model->count : at - 1;
            model_check_at(model, iterator, at);
        }
    }
}

#endif
