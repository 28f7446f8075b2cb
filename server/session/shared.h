/* shared.h -- what all connections of the server share.
 *
 * Role      The database, the settings, and the counters behind INFO. Made by main, borrowed by everyone.
 * Threads   db and settings never change; the counters are relaxed atomics: each is exact, together they are not one moment.
 */
#ifndef KVS_SESSION_SHARED_H
#define KVS_SESSION_SHARED_H

#include "protocol/request.h"
#include "session/delete_gate.h"
#include "settings/settings.h"

#include <kvstore.h>

/* X(field, name in INFO) */
#define SHARED_COUNTERS(X)                       \
    X(connections, "total_connections_received") \
    X(commands, "total_commands_processed")      \
    X(input_bytes, "total_net_input_bytes")      \
    X(output_bytes, "total_net_output_bytes")    \
    X(rejected, "rejected_connections")          \
    X(dropped, "dropped_connections")            \
    X(jobs, "total_pool_jobs")                   \
    X(waits, "total_admission_waits")            \
    X(wait_us_max,                               \
      "admission_wait_us_max") /* the longest that a write waited, from its first refusal to its application */

struct shared {
    struct kvs_db *db;
    const struct settings *settings;
    struct request_limits request_limits;
    struct delete_gate deletes;
    uint64_t start_s; /* wall clock */
    unsigned port;    /* the one that is listened on */

    _Atomic uint64_t next_client_id;
    _Atomic uint64_t clients;      /* connected now */
    _Atomic uint64_t buffer_bytes; /* held by all connections for requests and replies */
#define SHARED_COUNTER(field, name) _Atomic uint64_t field;
    SHARED_COUNTERS(SHARED_COUNTER)
#undef SHARED_COUNTER
};

static inline void shared_count(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static inline void shared_raise(_Atomic uint64_t *counter, uint64_t value)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    while (before < value &&
           !atomic_compare_exchange_weak_explicit(counter, &before, value, memory_order_relaxed, memory_order_relaxed))
        continue;
}

static inline uint64_t shared_value(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
