/* sim_model.h -- what a database must hold: a list of batches in commit order, and what it adds up to at each of its points.
 *
 * Role      The order is that of the sequence numbers in the log. A state is asked for as of a sequence number; only ends of batches are states that
 *           anyone may see.
 * Threads   One fiber at a time; nothing here yields.
 */
#ifndef KVS_TESTS_SIM_MODEL_H
#define KVS_TESTS_SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Key (rank) becomes value (id, SIM_ABSENT: deleted). */
struct model_change {
    uint32_t key;
    uint32_t value;
};

/* first, last   its sequence numbers
 * hash          model_hash of its changes
 * begun_ns      when its call began; seen_ns: when it was seen in a write to a log */
struct model_batch {
    uint64_t first, last;
    uint64_t hash;
    uint64_t begun_ns, seen_ns;
    size_t change;
};

struct model_version {
    uint64_t sequence;
    uint32_t value;
};

struct model_history {
    struct model_version *versions; /* ascending */
    size_t count, capacity;
};

struct model {
    size_t key_count;
    struct model_history *keys;
    struct model_batch *batches;
    size_t batch_count, batch_capacity;
    struct model_change *changes;
    size_t change_count, change_capacity;
};

void model_init(struct model *model, size_t key_count);
void model_fini(struct model *model);

uint64_t model_hash(const struct model_change *changes, size_t count);

/* Add a batch behind all others. batch->change and batch->last are filled in here. */
void model_append(struct model *model, const struct model_batch *batch, const struct model_change *changes,
                  size_t count);

/* The batch that begins with this number, NULL if there is none. */
const struct model_batch *model_find(const struct model *model, uint64_t first);

/* The last sequence number, 0 for an empty model. */
uint64_t model_last(const struct model *model);

/* The value of a key as of a sequence number. */
uint32_t model_lookup(const struct model *model, size_t key, uint64_t horizon);

/* The next point after horizon at which another state begins: the end of a batch; UINT64_MAX: none. */
uint64_t model_next_point(const struct model *model, uint64_t horizon);

/* Forget the batches after the first count. */
void model_truncate(struct model *model, size_t count);

/* Which points of history have this state, a value for each key: the longest one that ends at or below ceiling.
 *
 * count     out: its batches, if there is such a point
 * nearest   out: if there is none, the batches of the point that differs in the fewest keys */
bool model_find_state(const struct model *model, size_t *count, size_t *nearest, const uint32_t *state,
                      uint64_t ceiling);

#endif
