/* stateful_model.h -- what a database must hold: every batch that was handed to it, in order, and the state after each.
 *
 * Role      One writer, so the order of commits is the order of calls. A crash leaves the state after some number of batches; which numbers are allowed is
 *           the target's to say.
 * Threads   One.
 */
#ifndef KVS_FUZZ_STATEFUL_MODEL_H
#define KVS_FUZZ_STATEFUL_MODEL_H

#include "fuzz.h"

enum { MODEL_KEYS = 24, MODEL_BATCHES_MAX = 160, MODEL_KEY_BYTES = 160, MODEL_VALUE_BYTES = 1600 };

/* What a key holds instead of a number of a value: nothing; the empty value, whichever it was; bytes that are no value. */
enum { MODEL_ABSENT = 0, MODEL_EMPTY = UINT16_MAX - 1, MODEL_NO_VALUE = UINT16_MAX };

/* What a key holds: the number of a value. Values are numbered as they are made and told from each other by their bytes: equal numbers are equal bytes and the
 * other way round, or a state that is right would be taken for none. */
struct model {
    uint16_t states[MODEL_BATCHES_MAX + 1][MODEL_KEYS];
    size_t batch_count;
    uint16_t value_count;
};

/* The bytes of a key: short ones, and long ones that differ in their last bytes only. In key order. buffer: MODEL_KEY_BYTES. */
struct kvs_slice model_key(size_t key, uint8_t *buffer);

/* The key of these bytes, or MODEL_KEYS. */
size_t model_find_key(struct kvs_slice bytes);

/* A value that is new, or the empty one. */
uint16_t model_new_value(struct model *model);

/* The bytes of a value. buffer: MODEL_VALUE_BYTES. */
struct kvs_slice model_value(uint16_t value, uint8_t *buffer);

/* The value of these bytes, or MODEL_NO_VALUE. */
uint16_t model_find_value(struct kvs_slice bytes);

/* Begin a batch, as long as there is room: the state after it is that before it. Returns the state, to be changed, or NULL. */
uint16_t *model_begin(struct model *model);

/* The state after all batches. */
static inline const uint16_t *model_now(const struct model *model)
{
    return model->states[model->batch_count];
}

/* The largest number of batches, at least floor, after which the state is this one; SIZE_MAX if there is none. */
size_t model_find_state(const struct model *model, const uint16_t *state, size_t floor);

#endif
