/* merge_support.h -- sorted arrays of entries as iterators, and a generator of random entries: what the merge tests share.
 *
 * Role      The model: what an array says is what a merge of its parts must say.
 */
#ifndef KVS_TESTS_MERGE_SUPPORT_H
#define KVS_TESTS_MERGE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/iterator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODEL_KEY_BYTES = 24, MODEL_VALUE_BYTES = 32 };

struct model_entry {
    uint64_t trailer;
    size_t key_size;
    char key[MODEL_KEY_BYTES];
    char value[MODEL_VALUE_BYTES]; /* text */
};

static inline struct key model_key(const struct model_entry *entry)
{
    return key_of(slice_of(entry->key, entry->key_size), entry->trailer);
}

static inline int model_compare(const void *a, const void *b)
{
    return key_compare(model_key(a), model_key(b));
}

static inline void check_ok(struct kvs_status status, const char *file, int line)
{
    if (status_is_ok(status))
        return;
    print_error("%s\n", status_text(status));
    _fail(file, line);
}

#ifndef assert_ok
#define assert_ok(expression) check_ok((expression), __FILE__, __LINE__)
#endif

/* ---- Random numbers ---- */

static inline uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline uint64_t random_below(uint64_t *seed, uint64_t limit)
{
    return random_next(seed) % limit;
}

/* ---- An array as an iterator ---- */

/* Copies each key and value it shows into memory of its own, which the next call destroys, so that a use after the call is seen by
 * AddressSanitizer. fail_at: the call of that number fails; 0: none. */
struct array_iterator {
    struct iterator iterator;
    const struct model_entry *entries;
    size_t count;
    size_t at;
    uint8_t *shown;
    unsigned calls;
    unsigned fail_at;
};

static inline struct kvs_status array_show(struct array_iterator *it, size_t at)
{
    free(it->shown);
    it->shown = NULL;
    it->at = at;
    it->iterator.valid = false;
    if (++it->calls == it->fail_at)
        return STATUS(KVS_IO, "call %u of an array fails", it->calls);
    if (at >= it->count)
        return status_ok();
    const struct model_entry *entry = &it->entries[at];
    size_t value_size = strlen(entry->value);
    it->shown = malloc(entry->key_size + value_size + 1);
    memcpy(it->shown, entry->key, entry->key_size);
    memcpy(it->shown + entry->key_size, entry->value, value_size);
    it->iterator.key = key_of(slice_of(it->shown, entry->key_size), entry->trailer);
    it->iterator.value = slice_of(it->shown + entry->key_size, value_size);
    it->iterator.valid = true;
    return status_ok();
}

static inline size_t array_lower_bound(const struct model_entry *entries, size_t count, struct key target)
{
    size_t at = 0;
    while (at < count && key_compare(model_key(&entries[at]), target) < 0)
        at++;
    return at;
}

static inline struct kvs_status array_first(struct iterator *iterator)
{
    return array_show((struct array_iterator *)iterator, 0);
}

static inline struct kvs_status array_last(struct iterator *iterator)
{
    struct array_iterator *it = (struct array_iterator *)iterator;
    return array_show(it, it->count - 1);
}

static inline struct kvs_status array_seek(struct iterator *iterator, struct key target)
{
    struct array_iterator *it = (struct array_iterator *)iterator;
    return array_show(it, array_lower_bound(it->entries, it->count, target));
}

static inline struct kvs_status array_seek_before(struct iterator *iterator, struct key target)
{
    struct array_iterator *it = (struct array_iterator *)iterator;
    return array_show(it, array_lower_bound(it->entries, it->count, target) - 1);
}

static inline struct kvs_status array_next(struct iterator *iterator)
{
    struct array_iterator *it = (struct array_iterator *)iterator;
    assert_true(it->iterator.valid);
    return array_show(it, it->at + 1);
}

static inline struct kvs_status array_prev(struct iterator *iterator)
{
    struct array_iterator *it = (struct array_iterator *)iterator;
    assert_true(it->iterator.valid);
    return array_show(it, it->at - 1);
}

static inline void array_free(struct iterator *iterator)
{
    free(((struct array_iterator *)iterator)->shown);
    free(iterator);
}

/* An iterator over sorted entries, which are borrowed. */
static inline struct iterator *array_iterator_new(const struct model_entry *entries, size_t count)
{
    static const struct iterator_ops ops = {.first = array_first,
                                            .last = array_last,
                                            .seek = array_seek,
                                            .seek_before = array_seek_before,
                                            .next = array_next,
                                            .prev = array_prev,
                                            .free = array_free};
    struct array_iterator *it = calloc(1, sizeof *it);
    it->iterator.ops = &ops;
    it->entries = entries;
    it->count = count;
    return &it->iterator;
}

/* ---- Random entries ---- */

/* A key of a small set, with shared prefixes of all lengths, among them one longer than a hint. */
static inline void model_random_key(struct model_entry *entry, uint64_t *seed, unsigned key_count)
{
    static const char *const prefixes[] = {"", "k", "key/", "key/with/a/long/"};
    unsigned key = (unsigned)random_below(seed, key_count);
    int size = snprintf(entry->key, sizeof entry->key, "%s%u", prefixes[key % 4], key);
    entry->key_size = (size_t)size;
}

/* Fill an array with count entries of the sequence numbers from first on, unsorted. tombstones: of ten. */
static inline void model_random_entries(struct model_entry *entries, size_t count, uint64_t *seed, uint64_t first,
                                        unsigned key_count, unsigned tombstones)
{
    for (size_t i = 0; i < count; i++) {
        bool is_delete = random_below(seed, 10) < tombstones;
        model_random_key(&entries[i], seed, key_count);
        entries[i].trailer = key_trailer(first + i, is_delete ? KEY_DELETE : KEY_PUT);
        snprintf(entries[i].value, sizeof entries[i].value, "%s", "");
        if (!is_delete)
            snprintf(entries[i].value, sizeof entries[i].value, "value %zu", (size_t)first + i);
    }
}

#endif
