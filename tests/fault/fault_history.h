/* fault_history.h -- what a database may hold: the states that one writer has led it through.
 *
 * Role      Each change that was applied makes a state. Which of them a reader may see, or a reopened database may be in, is a range: from the last that was acknowledged
 *           (published for readers and kills, durable for power cuts) to the last that was applied. In between lies what has an unknown outcome.
 */
#ifndef KVS_TESTS_FAULT_FAULT_HISTORY_H
#define KVS_TESTS_FAULT_FAULT_HISTORY_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTORY_KEYS = 16, HISTORY_STATES = 512, HISTORY_KEY_BYTES = 16, HISTORY_VALUE_BYTES = 512 };

/* The number of each key's value; 0: absent. */
struct fault_state {
    unsigned values[HISTORY_KEYS];
};

/* states[count - 1] is the newest; states[published] must be seen, states[durable] must survive a power cut.
 *
 * is_unknown  a write was answered UNKNOWN: no later one may be acknowledged before the database is reopened */
struct fault_history {
    struct fault_state states[HISTORY_STATES];
    unsigned count, published, durable;
    bool is_unknown;
};

void history_init(struct fault_history *history);

static inline const struct fault_state *history_newest(const struct fault_history *history)
{
    return &history->states[history->count - 1];
}

/* Another state was applied. */
void history_apply(struct fault_history *history, const struct fault_state *state);

/* Everything applied is acknowledged. */
void history_publish(struct fault_history *history, bool durable);

/* The database is in this state: what was applied after it is gone for good. */
void history_adopt(struct fault_history *history, unsigned index, bool durable);

/* Look for a state from index first on; -1 where there is none. */
int history_find(const struct fault_history *history, const struct fault_state *state, unsigned first);

/* Whether some state from index first on has this value for the key. */
bool history_may_have(const struct fault_history *history, unsigned key, unsigned value, unsigned first);

/* The bytes of a key and of a value, into the caller's buffer. */
struct kvs_slice history_key(char buffer[HISTORY_KEY_BYTES], unsigned key);
struct kvs_slice history_value(char buffer[HISTORY_VALUE_BYTES], unsigned value);

/* The numbers of bytes read; -1 for bytes that were never written. */
int history_key_number(struct kvs_slice key);
int history_value_number(struct kvs_slice value);

#endif
