#include "load/records.h"

#include <string.h>

enum { ROUNDS = 4 };

_Static_assert(RECORDS_COUNT_MAX <= UINT64_C(1000000000000), "a number fits the digits of the shortest key");

/* The finisher of splitmix64. */
uint64_t records_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void records_init(struct records *records)
{
    records->half_bits = 1;
    while ((records->count - 1) >> (2 * records->half_bits) != 0)
        records->half_bits++;
}

static uint64_t permute(const struct records *records, uint64_t x)
{
    unsigned bits = records->half_bits;
    uint64_t mask = (UINT64_C(1) << bits) - 1, left = x >> bits, right = x & mask;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t next = left ^ (records_mix(right ^ records_mix(records->seed * ROUNDS + round)) & mask);
        left = right;
        right = next;
    }
    return left << bits | right;
}

uint64_t records_at(const struct records *records, uint64_t place)
{
    if (records->sequential)
        return place;
    uint64_t record = permute(records, place);
    while (record >= records->count)
        record = permute(records, record);
    return record;
}

void records_key(const struct records *records, char *key, uint64_t record)
{
    memset(key, '0', records->key_bytes);
    for (size_t at = records->key_bytes; record != 0; record /= 10)
        key[--at] = (char)('0' + record % 10);
}

void records_absent_key(const struct records *records, char *key, uint64_t record)
{
    records_key(records, key, record);
    key[records->key_bytes - 1] += 'a' - '0';
}

void records_value(const struct records *records, char *value, uint64_t record)
{
    size_t half = (records->value_bytes + 1) / 2;
    uint64_t state = records_mix(record ^ records_mix(records->seed));
    for (size_t at = 0; at < half; at += sizeof state) {
        state = records_mix(state);
        memcpy(value + at, &state, half - at < sizeof state ? half - at : sizeof state);
    }
    memcpy(value + half, value, records->value_bytes - half);
}
