#include "fake_engine.h"

#include "bench/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fake fake;

/* position  of the entry it stands on, as a number that grows with the key */
struct fake_cursor {
    int64_t position;
    char key[DATASET_KEY_BYTES_MAX + 1];
};

static void version(char *text)
{
    snprintf(text, ENGINE_TEXT_BYTES, "0");
}

static bool open_fake(void **db, const struct engine_options *options)
{
    (void)options;
    *db = &fake;
    return true;
}

static void close_fake(void *db)
{
    (void)db;
}

static void maybe_end(void)
{
    if (fake.fault == FAKE_ABORTS)
        abort();
    if (fake.fault == FAKE_HANGS)
        pause();
}

static bool put(void *db, struct kvs_slice key, struct kvs_slice value)
{
    (void)db;
    (void)key;
    (void)value;
    maybe_end();
    if (fake.fault == FAKE_PUT_FAILS)
        failure_set("fake put");
    return fake.fault != FAKE_PUT_FAILS;
}

static bool is_faulty(uint64_t index, enum fake_fault fault)
{
    return fake.fault == fault && index % 100 == 50;
}

static struct kvs_slice value_of(uint64_t index)
{
    if (is_faulty(index, FAKE_WRONG_VALUE))
        return dataset_value(fake.dataset, index + 1, fake.generation);
    return dataset_value(fake.dataset, index, fake.generation - is_faulty(index, FAKE_OLD_VALUE));
}

static enum engine_found get(void *db, struct engine_value *value, struct kvs_slice key)
{
    (void)db;
    maybe_end();
    uint64_t index = strtoull(key.data, NULL, 10);
    bool known = key.size == fake.dataset->key_bytes && !is_faulty(index, FAKE_MISSING);
    if (!known && fake.fault != FAKE_FOUND)
        return ENGINE_ABSENT;
    value->bytes = value_of(index);
    return ENGINE_FOUND;
}

static void value_release(struct engine_value *value)
{
    (void)value;
}

static bool cursor_new(void **cursor, void *db)
{
    (void)db;
    *cursor = calloc(1, sizeof(struct fake_cursor));
    return *cursor != NULL;
}

static bool cursor_free(void *cursor)
{
    free(cursor);
    return true;
}

static bool stand(struct fake_cursor *cursor, struct engine_entry *entry, int64_t step)
{
    int64_t last = (int64_t)fake.records - 1 + (fake.fault == FAKE_ONE_MORE);
    if (cursor->position >= 0 && is_faulty((uint64_t)cursor->position, FAKE_MISSING))
        cursor->position += step;
    if (cursor->position < 0 || cursor->position > last)
        return false;
    uint64_t index = (uint64_t)cursor->position < fake.records ? (uint64_t)cursor->position : fake.records - 1;
    entry->key = dataset_key(fake.dataset, cursor->key, index);
    entry->value = value_of(index);
    return true;
}

static bool cursor_first(void *cursor, struct engine_entry *entry)
{
    ((struct fake_cursor *)cursor)->position = 0;
    return stand(cursor, entry, 1);
}

static bool cursor_last(void *cursor, struct engine_entry *entry)
{
    ((struct fake_cursor *)cursor)->position = (int64_t)fake.records - 1 + (fake.fault == FAKE_ONE_MORE);
    return stand(cursor, entry, -1);
}

static bool cursor_seek(void *cursor, struct engine_entry *entry, struct kvs_slice key)
{
    ((struct fake_cursor *)cursor)->position = strtoll(key.data, NULL, 10);
    return stand(cursor, entry, 1);
}

static bool cursor_next(void *cursor, struct engine_entry *entry)
{
    ((struct fake_cursor *)cursor)->position++;
    return stand(cursor, entry, 1);
}

static bool cursor_prev(void *cursor, struct engine_entry *entry)
{
    ((struct fake_cursor *)cursor)->position--;
    return stand(cursor, entry, -1);
}

static bool flush(void *db)
{
    (void)db;
    return true;
}

static bool is_settled(void *db)
{
    (void)db;
    return fake.fault != FAKE_NEVER_SETTLES;
}

const struct engine fake_engine = {
    .name = "fake",
    .settings = "none",
    .version = version,
    .open = open_fake,
    .close = close_fake,
    .put = put,
    .get = get,
    .value_release = value_release,
    .cursor_new = cursor_new,
    .cursor_free = cursor_free,
    .cursor_first = cursor_first,
    .cursor_last = cursor_last,
    .cursor_seek = cursor_seek,
    .cursor_next = cursor_next,
    .cursor_prev = cursor_prev,
    .flush = flush,
    .is_settled = is_settled,
};
