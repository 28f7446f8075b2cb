#include "session/delete_gate.h"

#include "base/hash.h"

void delete_gate_init(struct delete_gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    for (size_t i = 0; i < DELETE_GATE_GROUPS; i++)
        atomic_init(&gate->removals[i], 0);
}

void delete_gate_fini(struct delete_gate *gate)
{
    pthread_mutex_destroy(&gate->lock);
}

static size_t group_of(struct kvs_slice key)
{
    return hash_bytes(key.data, key.size) % DELETE_GATE_GROUPS;
}

uint64_t delete_gate_ticket(const struct delete_gate *gate, const struct kvs_slice *keys, size_t count)
{
    uint64_t sum = 0;
    /* Acquire: what a counted removal did is seen by the read that follows. */
    for (size_t i = 0; i < count; i++)
        sum += atomic_load_explicit(&gate->removals[group_of(keys[i])], memory_order_acquire);
    return sum;
}

bool delete_gate_enter(struct delete_gate *gate, uint64_t ticket, const struct kvs_slice *keys, size_t count)
{
    pthread_mutex_lock(&gate->lock);
    if (delete_gate_ticket(gate, keys, count) == ticket)
        return true;
    pthread_mutex_unlock(&gate->lock);
    return false;
}

void delete_gate_leave(struct delete_gate *gate, bool removed, const struct kvs_slice *keys, size_t count)
{
    for (size_t i = 0; removed && i < count; i++)
        atomic_fetch_add_explicit(&gate->removals[group_of(keys[i])], 1, memory_order_release);
    pthread_mutex_unlock(&gate->lock);
}
