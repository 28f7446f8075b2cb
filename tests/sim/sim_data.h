/* sim_data.h -- the keys and values of a simulation, as small numbers.
 *
 * Role      The model works on numbers: a key is its rank, a value an id that is given out once. The bytes are made from the seed when they are needed and
 *           read back to numbers, so that every byte that the engine returns is checked without being kept.
 * Threads   One fiber at a time between yields; holds no state that a yield could break.
 */
#ifndef KVS_TESTS_SIM_DATA_H
#define KVS_TESTS_SIM_DATA_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIM_KEYS_MAX = 256, SIM_VALUE_MAX_BYTES = 200000 };

/* Values that are no ids of their own: no value, and the value of no bytes. */
enum { SIM_ABSENT = 0, SIM_EMPTY = 1 };

/* keys        in order, distinct
 * next_value  the next id to give out */
struct sim_data {
    uint64_t seed;
    size_t key_count;
    struct kvs_slice keys[SIM_KEYS_MAX];
    uint32_t next_value;
};

/* Make key_count keys: short and long ones, with shared beginnings and awkward bytes. */
void sim_data_init(struct sim_data *data, uint64_t seed, size_t key_count);
void sim_data_fini(struct sim_data *data);

/* The rank of the first key at or after these bytes. */
size_t sim_data_seek(const struct sim_data *data, struct kvs_slice key);

/* The rank of a key, -1 if there is no such key. */
int sim_data_find(const struct sim_data *data, struct kvs_slice key);

uint32_t sim_data_new_value(struct sim_data *data);

/* The bytes of a value; the caller frees the slice's data, NULL for the empty one. */
struct kvs_slice sim_data_make_value(const struct sim_data *data, uint32_t value);

/* The id that these bytes are the value of; false if they are nobody's. */
bool sim_data_read_value(const struct sim_data *data, uint32_t *value, struct kvs_slice bytes);

#endif
