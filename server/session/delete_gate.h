/* delete_gate.h -- lets of two clients that delete one key at the same time only one be told that it did.
 *
 * Role      A DEL reads whether its keys are there and then applies the removal of those that are. In between, only another DEL can make a key
 *           disappear (every other write leaves its key present), so it is enough that DELs notice each other: each group of keys has a
 *           count of the removals applied, taken before the read and compared, under the gate's lock, before the removal is applied.
 * Threads   Any. The lock is held for one kvs_apply, which waits for nothing.
 */
#ifndef KVS_SESSION_DELETE_GATE_H
#define KVS_SESSION_DELETE_GATE_H

#include "base/slice.h"

#include <pthread.h>
#include <stdatomic.h>

enum { DELETE_GATE_GROUPS = 1024 };

struct delete_gate {
    pthread_mutex_t lock;
    _Atomic uint64_t removals[DELETE_GATE_GROUPS]; /* grow under the lock, are read without it */
};

void delete_gate_init(struct delete_gate *gate);
void delete_gate_fini(struct delete_gate *gate);

/* The sum of the counts of the keys' groups: unchanged if and only if each is. Before the keys are read. */
uint64_t delete_gate_ticket(const struct delete_gate *gate, const struct kvs_slice *keys, size_t count);

/* Enter with the ticket of the same keys. False: a removal came in between; the gate is not entered, read again. */
KVS_MUST_USE bool delete_gate_enter(struct delete_gate *gate, uint64_t ticket, const struct kvs_slice *keys,
                                    size_t count);

/* Leave. removed: whether the removal of the keys was applied. */
void delete_gate_leave(struct delete_gate *gate, bool removed, const struct kvs_slice *keys, size_t count);

#endif
