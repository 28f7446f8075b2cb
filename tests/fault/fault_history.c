#include "fault_history.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void history_init(struct fault_history *history)
{
    *history = (struct fault_history){.count = 1};
}

void history_apply(struct fault_history *history, const struct fault_state *state)
{
    KVS_ASSERT(history->count < HISTORY_STATES);
    history->states[history->count++] = *state;
}

void history_publish(struct fault_history *history, bool durable)
{
    history->published = history->count - 1;
    if (durable)
        history->durable = history->published;
}

void history_adopt(struct fault_history *history, unsigned index, bool durable)
{
    KVS_ASSERT(index < history->count);
    history->count = index + 1;
    history->published = index;
    if (durable || history->durable > index)
        history->durable = index;
    history->is_unknown = false;
}

int history_find(const struct fault_history *history, const struct fault_state *state, unsigned first)
{
    for (unsigned i = first; i < history->count; i++) {
        if (memcmp(&history->states[i], state, sizeof *state) == 0)
            return (int)i;
    }
    return -1;
}

bool history_may_have(const struct fault_history *history, unsigned key, unsigned value, unsigned first)
{
    for (unsigned i = first; i < history->count; i++) {
        if (history->states[i].values[key] == value)
            return true;
    }
    return false;
}

struct kvs_slice history_key(char buffer[HISTORY_KEY_BYTES], unsigned key)
{
    return slice_of(buffer, (size_t)snprintf(buffer, HISTORY_KEY_BYTES, "key/%02u", key));
}

/* Every byte of a value follows from its number, and so does its size. */
struct kvs_slice history_value(char buffer[HISTORY_VALUE_BYTES], unsigned value)
{
    size_t size = 60 + value * 37 % 300;
    int head = snprintf(buffer, HISTORY_VALUE_BYTES, "%u:", value);
    for (size_t i = (size_t)head; i < size; i++)
        buffer[i] = (char)(((value * 2654435761u) >> (i % 4 * 8)) ^ (i * 40503u >> 3));
    return slice_of(buffer, size);
}

int history_key_number(struct kvs_slice key)
{
    char buffer[HISTORY_KEY_BYTES];
    for (unsigned i = 0; i < HISTORY_KEYS; i++) {
        struct kvs_slice each = history_key(buffer, i);
        if (each.size == key.size && memcmp(each.data, key.data, key.size) == 0)
            return (int)i;
    }
    return -1;
}

int history_value_number(struct kvs_slice value)
{
    char head[16] = {0}, buffer[HISTORY_VALUE_BYTES];
    memcpy(head, value.data, value.size < sizeof head - 1 ? value.size : sizeof head - 1);
    unsigned number = (unsigned)strtoul(head, NULL, 10);
    struct kvs_slice expected = history_value(buffer, number);
    bool is_same = expected.size == value.size && memcmp(expected.data, value.data, value.size) == 0;
    return is_same ? (int)number : -1;
}
