/* The caretaker: flushes, compactions, verifications, idle times, and a disk that fills up and is emptied again. */

#include "sim.h"
#include "sim_shrink.h"

#include <string.h>

/* How long a disk is full at most. */
#define FULL_NS UINT64_C(600000000)
#define FULL_TIGHT_NS UINT64_C(3000000000)

/* After room has come back, writes may be refused for so long at most: until it is noticed and, where syncs are slow, until what had no room is done. */
#define FULL_GRACE_NS UINT64_C(1000000000)
#define FULL_SLOW_GRACE_NS UINT64_C(15000000000)

static void note(struct sim_user *user, const char *what, uint64_t begun_ns, struct kvs_status status)
{
    sim_note(user->sim, "%s %s -> %s", user->name, what, status_code_name(status.code));
    (void)sim_accept(user->sim, user->name, what, begun_ns, status);
}

static void flush(struct sim_user *user)
{
    struct sim *sim = user->sim;
    uint64_t sequence = kvs_applied_sequence(sim->db), begun_ns = sim_now_ns(sim);
    struct kvs_status status = kvs_flush(sim->db);
    note(user, "flush", begun_ns, status);
    if (kvs_ok(status))
        oracle_acknowledge(sim, sequence, true);
}

static void compact(struct sim_user *user)
{
    struct sim *sim = user->sim;
    uint64_t sequence = kvs_applied_sequence(sim->db), begun_ns = sim_now_ns(sim);
    struct kvs_status status = kvs_compact(sim->db);
    note(user, "compact", begun_ns, status);
    if (kvs_ok(status))
        oracle_acknowledge(sim, sequence, true);
}

/* What the engine says is durable must survive a power cut. */
static void look_at_stats(struct sim_user *user)
{
    struct sim *sim = user->sim;
    struct kvs_stats stats;
    char text[4096];
    kvs_stats(sim->db, &stats);
    if (stats.durable_sequence < sim->oracle.next_first)
        oracle_acknowledge(
            sim, stats.durable_sequence < stats.published_sequence ? stats.durable_sequence : stats.published_sequence,
            true);
    note(user, "property", sim_now_ns(sim), kvs_property(sim->db, text, sizeof text, "levels"));
}

static void open_twice(struct sim_user *user)
{
    struct sim *sim = user->sim;
    struct kvs_db *second;
    uint64_t begun_ns = sim_now_ns(sim);
    struct kvs_status status = db_open(&second, sim->io, SIM_FOLDER, &sim->options);
    if (kvs_ok(status))
        sim_fail(sim, "%s: the database could be opened twice", user->name);
    if (status.code != KVS_LOCKED)
        (void)sim_accept(sim, user->name, "second open", begun_ns, status);
}

/* Leave room for a few pages, for a while. */
static void fill_disk(struct sim_user *user)
{
    struct sim *sim = user->sim;
    uint64_t rest_bytes = sim_below(&user->random, 24) * 4096;
    sim_fill_disk(sim, rest_bytes);
    sim_note(sim, "%s disk full, but for %llu bytes", user->name, (unsigned long long)rest_bytes);
    sim_sleep(sim, sim_below(&user->random, sim->is_tight ? FULL_TIGHT_NS : FULL_NS));
    if (sim_has_crashed(sim))
        return;
    sim_empty_disk(sim);
    sim_note(sim, "%s disk has room", user->name);
    sim_sleep(sim, sim->trouble == TROUBLE_SLOW ? FULL_SLOW_GRACE_NS : FULL_GRACE_NS);
    sim->full = false;
    sim->room_ns = sim_now_ns(sim);
}

static void take_care(struct sim_user *user)
{
    struct sim *sim = user->sim;
    switch (sim_below(&user->random, 24)) {
    case 0 ... 4:
        flush(user);
        break;
    case 5:
    case 6:
        compact(user);
        break;
    case 7:
        note(user, "verify", sim_now_ns(sim), kvs_verify(sim->db, NULL, NULL));
        break;
    case 8:
        open_twice(user);
        break;
    case 9:
        fill_disk(user);
        break;
    case 10 ... 12:
        look_at_stats(user);
        break;
    case 13:
        sim_sleep(sim, sim_below(&user->random, 3000000000));
        break;
    default:
        if (sim->is_tight && sim_one_in(&user->random, 2))
            fill_disk(user);
        else
            sim_sleep(sim, sim_below(&user->random, 1000000));
        break;
    }
}

void sim_caretaker_body(void *argument)
{
    struct sim_user *user = argument;
    struct sim *sim = user->sim;
    for (uint64_t operation = 0; sim->writers_left != 0 && !sim_has_crashed(sim); operation++) {
        if (sim_shrink_skips(user, operation)) {
            sim_sleep(sim, SKIPPED_NS);
            continue;
        }
        user->random = io_seed_of(hash_mix(user->seed, operation));
        take_care(user);
    }
}
