#include "sim_data.h"

#include "base/assert.h"
#include "base/coding.h"
#include "base/hash.h"
#include "io/io_seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BUFFER_BYTES = 4096, ID_BYTES = 4 };

/* ---- Keys ---- */

/* Bytes of one candidate. Classes overlap in their beginnings, so that prefix compression, hints and bounds have something to do. */
static size_t draw_key(uint8_t *bytes, struct io_seed *seed)
{
    uint64_t number = io_seed_below(seed, 400);
    switch (io_seed_below(seed, 12)) {
    case 0: /* one byte, zero and 255 among them */
        bytes[0] = (uint8_t)(number % 5 == 0 ? 0 : number % 5 == 1 ? 255 : number);
        return 1;
    case 1: /* runs of the last byte: no successor by increment */
        memset(bytes, 0xFF, 8);
        return 1 + number % 8;
    case 2: /* binary, big-endian */
        for (int i = 0; i < 8; i++)
            bytes[i] = (uint8_t)(number >> (8 * (7 - i)));
        return 8;
    case 3: { /* long, with a long common beginning */
        size_t size = 100 + io_seed_below(seed, 40) * 10;
        memset(bytes, 'L', size);
        return size + (size_t)snprintf((char *)bytes + size, 16, "%03u", (unsigned)number);
    }
    case 4: { /* very long, now and then */
        size_t size = io_seed_below(seed, 4) == 0 ? 3000 : 30;
        memset(bytes, 'V', size);
        bytes[size - 1] = (uint8_t)number;
        return size;
    }
    case 5:
    case 6:
        return (size_t)snprintf((char *)bytes, 64, "a/%u", (unsigned)number);
    default:
        return (size_t)snprintf((char *)bytes, 64, "user/%06u", (unsigned)number);
    }
}

static void insert_key(struct sim_data *data, const uint8_t *bytes, size_t size)
{
    struct kvs_slice key = slice_of(bytes, size);
    if (sim_data_find(data, key) >= 0)
        return;
    size_t at = sim_data_seek(data, key);
    uint8_t *copy = malloc(size);
    KVS_ASSERT(copy != NULL);
    memcpy(copy, bytes, size);
    memmove(&data->keys[at + 1], &data->keys[at], (data->key_count - at) * sizeof *data->keys);
    data->keys[at] = slice_of(copy, size);
    data->key_count++;
}

void sim_data_init(struct sim_data *data, uint64_t seed, size_t key_count)
{
    KVS_ASSERT(key_count > 0 && key_count <= SIM_KEYS_MAX);
    uint8_t bytes[KEY_BUFFER_BYTES];
    struct io_seed random = io_seed_of(seed);
    *data = (struct sim_data){.seed = seed, .next_value = SIM_EMPTY + 1};
    while (data->key_count < key_count) {
        size_t size = draw_key(bytes, &random);
        insert_key(data, bytes, size);
    }
}

void sim_data_fini(struct sim_data *data)
{
    for (size_t i = 0; i < data->key_count; i++)
        free((void *)(uintptr_t)data->keys[i].data);
    data->key_count = 0;
}

size_t sim_data_seek(const struct sim_data *data, struct kvs_slice key)
{
    size_t low = 0, high = data->key_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_compare(data->keys[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int sim_data_find(const struct sim_data *data, struct kvs_slice key)
{
    size_t at = sim_data_seek(data, key);
    if (at == data->key_count || slice_compare(data->keys[at], key) != 0)
        return -1;
    return (int)at;
}

/* ---- Values ---- */

uint32_t sim_data_new_value(struct sim_data *data)
{
    return data->next_value++;
}

static size_t value_bytes(const struct sim_data *data, uint32_t value)
{
    if (value <= SIM_EMPTY)
        return 0;
    uint64_t hash = hash_mix(data->seed, value), more = hash >> 16;
    switch (hash % 64) {
    default:
        return ID_BYTES + more % 40;
    case 40 ... 54:
        return ID_BYTES + more % 260;
    case 55 ... 61:
        return 200 + more % 1200;
    case 62:
        return 1400 + more % 8000;
    case 63: /* over a log buffer, sometimes over a preallocated piece */
        return (more & 7) != 0 ? ID_BYTES : 10000 + (more >> 3) % (SIM_VALUE_MAX_BYTES - 10000);
    }
}

/* Eight bytes of a value's filling; every second value compresses well. */
static uint64_t filling(uint64_t start, uint32_t value, size_t at)
{
    if ((value & 1) == 0)
        return UINT64_C(0x2020202061626364) + value % 7;
    uint64_t word = (start + at) * UINT64_C(0x9E3779B97F4A7C15);
    return word ^ word >> 32;
}

static void make_value(const struct sim_data *data, uint32_t value, uint8_t *bytes, size_t size)
{
    uint64_t start = hash_mix(data->seed, value), word;
    memcpy(bytes, &value, ID_BYTES);
    size_t at = ID_BYTES;
    for (; at + sizeof word <= size; at += sizeof word) {
        word = filling(start, value, at);
        memcpy(bytes + at, &word, sizeof word);
    }
    word = filling(start, value, at);
    memcpy(bytes + at, &word, size - at);
}

static bool is_value(const struct sim_data *data, uint32_t value, const uint8_t *bytes, size_t size)
{
    uint64_t start = hash_mix(data->seed, value), word, wrong = 0;
    size_t at = ID_BYTES;
    for (; at + sizeof word <= size; at += sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        wrong |= word ^ filling(start, value, at);
    }
    word = filling(start, value, at);
    return wrong == 0 && memcmp(&word, bytes + at, size - at) == 0;
}

struct kvs_slice sim_data_make_value(const struct sim_data *data, uint32_t value)
{
    size_t size = value_bytes(data, value);
    if (size == 0)
        return slice_of(NULL, 0);
    uint8_t *bytes = malloc(size);
    KVS_ASSERT(bytes != NULL);
    make_value(data, value, bytes, size);
    return slice_of(bytes, size);
}

bool sim_data_read_value(const struct sim_data *data, uint32_t *value, struct kvs_slice bytes)
{
    uint32_t id = SIM_EMPTY;
    if (bytes.size > 0) {
        if (bytes.size < ID_BYTES)
            return false;
        memcpy(&id, bytes.data, ID_BYTES);
        if (id <= SIM_EMPTY || id >= data->next_value || bytes.size != value_bytes(data, id) ||
            !is_value(data, id, bytes.data, bytes.size))
            return false;
    }
    *value = id;
    return true;
}
