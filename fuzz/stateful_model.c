#include "stateful_model.h"

#include "base/hash.h"

struct kvs_slice model_key(size_t key, uint8_t *buffer)
{
    /* A capital sorts before the k that a longer key has in its place. */
    size_t size = key % 12 < 8 ? 2 : MODEL_KEY_BYTES - MODEL_KEYS + key;
    memset(buffer, 'k', size);
    buffer[0] = (uint8_t)('a' + key / 12);
    buffer[size - 1] = (uint8_t)('A' + key);
    return slice_of(buffer, size);
}

size_t model_find_key(struct kvs_slice bytes)
{
    uint8_t buffer[MODEL_KEY_BYTES];
    size_t key = 0;
    while (key < MODEL_KEYS && !slice_equal(model_key(key, buffer), bytes))
        key++;
    return key;
}

/* The first bytes of a value are its number. */
enum { NUMBER_BYTES = 2 };

static size_t value_size(uint16_t value)
{
    uint64_t hash = hash_mix(value, 1);
    size_t size = value == MODEL_EMPTY ? 0 : value % 5 == 0 ? hash % MODEL_VALUE_BYTES : hash % 40;
    return size > 0 && size < NUMBER_BYTES ? NUMBER_BYTES : size;
}

uint16_t model_new_value(struct model *model)
{
    uint16_t value = ++model->value_count;
    return value_size(value) == 0 ? MODEL_EMPTY : value;
}

struct kvs_slice model_value(uint16_t value, uint8_t *buffer)
{
    uint64_t hash = hash_mix(value, 1);
    size_t size = value_size(value);
    for (size_t i = 0; i < size; i++)
        buffer[i] = (uint8_t)(i < 8 ? hash >> (8 * i) : hash + i / 7);
    if (size > 0)
        coding_put_u16(buffer, value);
    return slice_of(buffer, size);
}

uint16_t model_find_value(struct kvs_slice bytes)
{
    uint8_t buffer[MODEL_VALUE_BYTES];
    uint16_t value = bytes.size < NUMBER_BYTES ? MODEL_EMPTY : coding_get_u16(bytes.data);
    return value != MODEL_ABSENT && slice_equal(model_value(value, buffer), bytes) ? value : MODEL_NO_VALUE;
}

uint16_t *model_begin(struct model *model)
{
    if (model->batch_count == MODEL_BATCHES_MAX)
        return NULL;
    memcpy(model->states[model->batch_count + 1], model_now(model), sizeof model->states[0]);
    return model->states[++model->batch_count];
}

size_t model_find_state(const struct model *model, const uint16_t *state, size_t floor)
{
    for (size_t count = model->batch_count + 1; count-- > floor;)
        if (memcmp(model->states[count], state, sizeof model->states[0]) == 0)
            return count;
    return SIZE_MAX;
}
