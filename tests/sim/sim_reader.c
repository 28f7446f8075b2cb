/* A reader: point reads, many at once, scans, snapshots and values held for a while. */

#include "sim.h"
#include "sim_shrink.h"
#include "sim_scan.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = 3, MULTI_MAX = 12, MOVES_MAX = 60 };

/* A value that is kept while others write, flush and compact. */
struct held_value {
    struct kvs_value value;
    uint32_t id;
};

struct reader {
    struct sim_user *user;
    struct sim *sim;
    struct kvs_snapshot *snapshots[HELD_MAX];
    struct held_value values[HELD_MAX];
};

/* ---- Which moment ---- */

static const struct kvs_snapshot *draw_snapshot(struct reader *reader)
{
    if (sim_one_in(&reader->user->random, 2))
        return NULL;
    return reader->snapshots[sim_below(&reader->user->random, HELD_MAX)];
}

static void judge(struct reader *reader, const struct kvs_snapshot *snapshot, const uint32_t *keys,
                  const uint32_t *values, size_t count, uint64_t from)
{
    uint64_t to = sim_published(reader->sim);
    if (snapshot != NULL)
        from = to = kvs_snapshot_sequence(snapshot);
    oracle_judge(reader->sim, reader->user->name, keys, values, count, from, to);
}

static uint32_t id_of(struct reader *reader, struct kvs_slice bytes, uint32_t key)
{
    uint32_t id;
    if (!sim_data_read_value(&reader->sim->data, &id, bytes))
        sim_fail(reader->sim, "%s: key %u has %zu bytes that nobody wrote", reader->user->name, key, bytes.size);
    return id;
}

/* Half of the time one of the few that writers like, too. */
static uint32_t draw_key(struct reader *reader)
{
    uint64_t count = reader->sim->data.key_count;
    return sim_one_in(&reader->user->random, 2) ? sim_hot_key(&reader->user->random, count)
                                                : (uint32_t)sim_below(&reader->user->random, count);
}

/* ---- Reads ---- */

static void get(struct reader *reader)
{
    struct sim *sim = reader->sim;
    struct kvs_read_options options = {.snapshot = draw_snapshot(reader),
                                       .resident_only = sim_one_in(&reader->user->random, 8)};
    uint32_t key = draw_key(reader), id = SIM_ABSENT;
    struct kvs_value value = {0};
    bool found = false;
    uint64_t from = sim_published(sim);
    struct kvs_status status = kvs_get(sim->db, &value, &found, sim->data.keys[key], &options);
    if (options.resident_only && status.code == KVS_BUSY)
        return;
    if (!sim_accept_read(sim, reader->user->name, "get", status))
        return;
    if (found)
        id = id_of(reader, value.bytes, key);
    judge(reader, options.snapshot, &key, &id, 1, from);
    struct held_value *held = &reader->values[sim_below(&reader->user->random, HELD_MAX)];
    if (found && held->value.pin == NULL && sim_one_in(&reader->user->random, 3))
        *held = (struct held_value){value, id};
    else if (found)
        kvs_value_release(&value);
}

static void get_into(struct reader *reader)
{
    struct sim *sim = reader->sim;
    struct kvs_read_options options = {.snapshot = draw_snapshot(reader)};
    uint32_t key = draw_key(reader), id = SIM_ABSENT;
    size_t size = 0;
    bool found = false;
    uint8_t *buffer = malloc(SIM_VALUE_MAX_BYTES);
    KVS_ASSERT(buffer != NULL);
    uint64_t from = sim_published(sim);
    struct kvs_status status =
        kvs_get_into(sim->db, buffer, &size, &found, sim->data.keys[key], SIM_VALUE_MAX_BYTES, &options);
    if (sim_accept_read(sim, reader->user->name, "get_into", status)) {
        if (found)
            id = id_of(reader, slice_of(buffer, size), key);
        judge(reader, options.snapshot, &key, &id, 1, from);
    }
    free(buffer);
}

static void multi_get(struct reader *reader)
{
    struct sim *sim = reader->sim;
    struct kvs_read_options options = {.snapshot = draw_snapshot(reader)};
    size_t count = 1 + sim_below(&reader->user->random, MULTI_MAX);
    uint32_t keys[MULTI_MAX], ids[MULTI_MAX];
    struct kvs_slice slices[MULTI_MAX];
    struct kvs_value values[MULTI_MAX];
    bool found[MULTI_MAX];
    for (size_t i = 0; i < count; i++) {
        keys[i] = draw_key(reader);
        slices[i] = sim->data.keys[keys[i]];
    }
    uint64_t from = sim_published(sim);
    struct kvs_status status = kvs_multi_get(sim->db, values, found, slices, count, &options);
    if (!sim_accept_read(sim, reader->user->name, "multi_get", status))
        return;
    for (size_t i = 0; i < count; i++) {
        ids[i] = found[i] ? id_of(reader, values[i].bytes, keys[i]) : SIM_ABSENT;
        if (found[i])
            kvs_value_release(&values[i]);
    }
    judge(reader, options.snapshot, keys, ids, count, from);
}

/* A key that nobody writes. */
static void get_absent(struct reader *reader)
{
    struct sim *sim = reader->sim;
    char key[32];
    int size = snprintf(key, sizeof key, "user/%06u!", (unsigned)sim_below(&reader->user->random, 1000));
    struct kvs_value value;
    bool found;
    struct kvs_status status = kvs_get(sim->db, &value, &found, slice_of(key, (size_t)size), NULL);
    if (sim_accept_read(sim, reader->user->name, "get of an absent key", status) && found)
        sim_fail(sim, "%s: %s is there, and nobody wrote it", reader->user->name, key);
}

/* ---- Scans ---- */

/* Some bytes near a key: the key itself, its beginning, or the key and more. */
static struct kvs_slice draw_bound(struct reader *reader, char *buffer, size_t capacity)
{
    struct kvs_slice key = reader->sim->data.keys[draw_key(reader)];
    size_t size = key.size < capacity - 1 ? key.size : capacity - 1;
    memcpy(buffer, key.data, size);
    if (sim_one_in(&reader->user->random, 3))
        size = 1 + sim_below(&reader->user->random, size);
    else if (sim_one_in(&reader->user->random, 4))
        buffer[size++] = (char)sim_below(&reader->user->random, 3);
    return slice_of(buffer, size);
}

static bool move(struct reader *reader, struct sim_scan *scan, bool is_valid)
{
    struct io_seed *random = &reader->user->random;
    char bytes[256];
    if (is_valid && !sim_one_in(random, 6))
        return sim_one_in(random, 3) ? sim_scan_prev(scan) : sim_scan_next(scan);
    switch (sim_below(random, 4)) {
    case 0:
        return sim_scan_first(scan);
    case 1:
        return sim_scan_last(scan);
    case 2:
        return sim_scan_seek(scan, draw_bound(reader, bytes, sizeof bytes));
    default:
        return sim_scan_seek_before(scan, draw_bound(reader, bytes, sizeof bytes));
    }
}

static void scan(struct reader *reader)
{
    struct io_seed *random = &reader->user->random;
    char lower[256], upper[256], prefix[256];
    struct kvs_iterator_options options = {.read.snapshot = draw_snapshot(reader)};
    if (sim_one_in(random, 2))
        options.lower = draw_bound(reader, lower, sizeof lower);
    if (sim_one_in(random, 2))
        options.upper = draw_bound(reader, upper, sizeof upper);
    if (sim_one_in(random, 4))
        options.prefix = draw_bound(reader, prefix, sizeof prefix);
    struct sim_scan walk;
    if (!sim_scan_open(&walk, reader->sim, reader->user->name, &options))
        return;
    size_t moves = 1 + sim_below(random, MOVES_MAX);
    bool is_valid = false;
    for (size_t i = 0; i < moves && !sim_has_crashed(reader->sim); i++) {
        is_valid = move(reader, &walk, is_valid);
        if (sim_one_in(random, 20))
            sim_sleep(reader->sim, sim_below(random, 1000000));
    }
    sim_scan_judge_and_close(&walk);
}

static void scan_all(struct reader *reader)
{
    struct kvs_iterator_options options = {.read.snapshot = draw_snapshot(reader)};
    struct sim_scan walk;
    if (!sim_scan_open(&walk, reader->sim, reader->user->name, &options))
        return;
    bool is_valid = sim_scan_first(&walk);
    while (is_valid)
        is_valid = sim_scan_next(&walk);
    sim_scan_judge_and_close(&walk);
}

/* ---- Holding ---- */

static void check_held(struct reader *reader, struct held_value *held)
{
    uint32_t id;
    if (held->value.pin == NULL)
        return;
    if (!sim_data_read_value(&reader->sim->data, &id, held->value.bytes) || id != held->id)
        sim_fail(reader->sim, "%s: a pinned value, %u, has changed", reader->user->name, held->id);
    kvs_value_release(&held->value);
}

static void turn_over_snapshot(struct reader *reader)
{
    struct sim *sim = reader->sim;
    struct kvs_snapshot **slot = &reader->snapshots[sim_below(&reader->user->random, HELD_MAX)];
    kvs_snapshot_free(*slot);
    *slot = NULL;
    uint64_t from = sim_published(sim);
    if (!sim_accept(sim, reader->user->name, "snapshot", sim_now_ns(sim), kvs_snapshot_new(slot, sim->db)))
        return;
    uint64_t at = kvs_snapshot_sequence(*slot);
    if (at < from || at > sim_published(sim))
        sim_fail(sim, "%s: a snapshot is of %llu, and %llu to %llu were published", reader->user->name,
                 (unsigned long long)at, (unsigned long long)from, (unsigned long long)sim_published(sim));
    sim_note(sim, "%s snapshot at %llu", reader->user->name, (unsigned long long)at);
}

static void read_something(struct reader *reader)
{
    switch (sim_below(&reader->user->random, 24)) {
    case 0 ... 7:
        get(reader);
        break;
    case 8:
        get_into(reader);
        break;
    case 9:
        get_absent(reader);
        break;
    case 10 ... 12:
        multi_get(reader);
        break;
    case 13 ... 15:
        scan(reader);
        break;
    case 16:
        scan_all(reader);
        break;
    case 17:
    case 18:
        turn_over_snapshot(reader);
        break;
    case 19:
        check_held(reader, &reader->values[sim_below(&reader->user->random, HELD_MAX)]);
        break;
    default:
        sim_sleep(reader->sim, sim_below(&reader->user->random, 100000));
        break;
    }
}

void sim_reader_body(void *argument)
{
    struct sim_user *user = argument;
    struct reader reader = {.user = user, .sim = user->sim};
    struct sim *sim = user->sim;
    for (uint64_t operation = 0; operation < 2 * sim->operations && sim->writers_left != 0 && !sim_has_crashed(sim);
         operation++) {
        if (sim_shrink_skips(user, operation)) {
            sim_sleep(sim, SKIPPED_NS);
            continue;
        }
        user->random = io_seed_of(hash_mix(user->seed, operation));
        read_something(&reader);
    }
    for (int i = 0; i < HELD_MAX; i++) {
        check_held(&reader, &reader.values[i]);
        kvs_snapshot_free(reader.snapshots[i]);
    }
}
