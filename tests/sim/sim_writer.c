/* A writer: puts, deletes and batches, blocking and not, with and without syncs. */

#include "sim.h"
#include "sim_shrink.h"

#include "base/assert.h"

#include <stdlib.h>

enum { CHANGES_MAX = 400, BATCHES_MAX = 20 };

/* One batch in the engine's form and in ours. */
struct work {
    struct model_change changes[CHANGES_MAX];
    size_t count;
    struct kvs_batch *batch;
    struct intent *intent;
    uint64_t begun_ns;
};

/* Waiting for a callback. waiter: a fiber waits and frees it; else the callback does. */
struct wait {
    struct sim *sim;
    struct io_mutex mutex;
    struct io_condition condition;
    bool is_done, has_waiter;
    uint64_t sequence, begun_ns;
    enum kvs_level level;
};

static struct wait *wait_new(struct sim *sim, bool has_waiter)
{
    struct wait *wait = calloc(1, sizeof *wait);
    KVS_ASSERT(wait != NULL);
    wait->sim = sim;
    wait->has_waiter = has_waiter;
    wait->begun_ns = sim_now_ns(sim);
    io_mutex_init(&wait->mutex, sim->io);
    io_condition_init(&wait->condition, sim->io);
    sim->pending_callbacks++;
    return wait;
}

static void wait_free(struct wait *wait)
{
    io_condition_fini(&wait->condition);
    io_mutex_fini(&wait->mutex);
    free(wait);
}

static void wait_end(struct wait *wait)
{
    if (wait->is_done)
        sim_fail(wait->sim, "a callback came twice");
    wait->is_done = true;
    wait->sim->pending_callbacks--;
    if (wait->has_waiter)
        io_condition_broadcast(&wait->condition);
    else
        wait_free(wait);
}

static void wait_for(struct wait *wait)
{
    io_mutex_lock(&wait->mutex);
    while (!wait->is_done)
        io_condition_wait(&wait->condition, &wait->mutex);
    io_mutex_unlock(&wait->mutex);
    wait_free(wait);
}

/* ---- What to write ---- */

static uint32_t draw_key(struct sim_user *user)
{
    uint64_t count = user->sim->data.key_count;
    return sim_one_in(&user->random, 3) ? sim_hot_key(&user->random, count) : (uint32_t)sim_below(&user->random, count);
}

static size_t draw_count(struct sim_user *user)
{
    switch (sim_below(&user->random, 16)) {
    case 0:
        return sim_one_in(&user->random, 8) ? 50 + sim_below(&user->random, CHANGES_MAX - 50) : 20;
    case 1:
    case 2:
    case 3:
    case 4:
        return 1 + sim_below(&user->random, 8);
    default:
        return 1;
    }
}

static void draw_work(struct sim_user *user, struct work *work)
{
    struct sim *sim = user->sim;
    *work = (struct work){.count = draw_count(user), .begun_ns = sim_now_ns(sim)};
    for (size_t i = 0; i < work->count; i++) {
        uint32_t value = SIM_ABSENT;
        if (!sim_one_in(&user->random, 4))
            value = sim_one_in(&user->random, 24) ? SIM_EMPTY : sim_data_new_value(&sim->data);
        work->changes[i] = (struct model_change){draw_key(user), value};
    }
    /* Two batches that are the same could not be told apart in the log. */
    if (oracle_is_pending(&sim->oracle, work->changes, work->count))
        work->changes[work->count - 1].value = sim_data_new_value(&sim->data);
    work->intent = oracle_intend(sim, work->changes, work->count);
}

static struct kvs_status fill_batch(const struct sim_data *data, struct work *work)
{
    struct kvs_status status = kvs_batch_new(&work->batch);
    for (size_t i = 0; kvs_ok(status) && i < work->count; i++) {
        const struct model_change *change = &work->changes[i];
        struct kvs_slice value = sim_data_make_value(data, change->value);
        status = change->value == SIM_ABSENT ? kvs_batch_delete(work->batch, data->keys[change->key])
                                             : kvs_batch_put(work->batch, data->keys[change->key], value);
        free((void *)(uintptr_t)value.data);
    }
    return status;
}

/* ---- Blocking writes ---- */

static struct kvs_status write_single(struct sim *sim, const struct model_change *change,
                                      const struct kvs_write_options *options)
{
    struct kvs_slice key = sim->data.keys[change->key];
    if (change->value == SIM_ABSENT)
        return kvs_delete(sim->db, key, options);
    struct kvs_slice value = sim_data_make_value(&sim->data, change->value);
    struct kvs_status status = kvs_put(sim->db, key, value, options);
    free((void *)(uintptr_t)value.data);
    return status;
}

/* No room is an answer to who asks for more than the mode gives: what was applied is published all the same, and is durable when a later sync says so. */
static void settle_unsynced(struct sim *sim, const char *who, uint64_t sequence, bool asked)
{
    if (!asked || sim->options.sync_mode == KVS_SYNC_ALWAYS)
        sim_fail(sim, "%s: %llu was applied, and the answer is that there is no room, though no sync was asked for",
                 who, (unsigned long long)sequence);
    if (sim_published(sim) < sequence)
        sim_fail(sim, "%s: a sync up to %llu was given up for want of room before that was published", who,
                 (unsigned long long)sequence);
    oracle_acknowledge(sim, sequence, false);
}

/* What a write that has come back says. */
static void settle_write(struct sim_user *user, struct work *work, struct kvs_status status, bool sync,
                         bool was_poisoned)
{
    struct sim *sim = user->sim;
    sim_note(sim, "%s write of %zu, first key %u = %u%s -> %s, %llu to %llu", user->name, work->count,
             work->changes[0].key, work->changes[0].value, sync ? ", sync" : "", status_code_name(status.code),
             (unsigned long long)work->intent->first, (unsigned long long)work->intent->last);
    if (sim_accept(sim, user->name, "write", work->begun_ns, status)) {
        if (was_poisoned)
            sim_fail(sim, "%s: a write was acknowledged after an earlier one had been refused for good", user->name);
        if (work->intent->first == 0)
            sim_fail(sim, "%s: a write was acknowledged and is in no log", user->name);
        if (sim_published(sim) < work->intent->last)
            sim_fail(sim, "%s: write %llu was acknowledged and is not published", user->name,
                     (unsigned long long)work->intent->last);
        oracle_acknowledge(sim, work->intent->last, sync);
    }
    bool is_unsynced = status.code == KVS_NO_SPACE && work->intent->first != 0;
    if (is_unsynced)
        settle_unsynced(sim, user->name, work->intent->last, sync);
    if (kvs_ok(status) || status.code == KVS_UNKNOWN || is_unsynced)
        oracle_release(work->intent, kvs_ok(status));
    else
        oracle_refuse(sim, work->intent);
}

static void write_and_wait(struct sim_user *user)
{
    struct sim *sim = user->sim;
    struct work *work = malloc(sizeof *work);
    KVS_ASSERT(work != NULL);
    struct kvs_write_options options = {.sync = sim_one_in(&user->random, 6)};
    bool single = sim_one_in(&user->random, 2), was_poisoned = sim->poisoned;
    draw_work(user, work);
    struct kvs_status status = status_ok();
    if (work->count == 1 && single) {
        status = write_single(sim, &work->changes[0], &options);
    } else {
        status = fill_batch(&sim->data, work);
        if (kvs_ok(status))
            status = kvs_write(sim->db, work->batch, &options);
    }
    settle_write(user, work, status, options.sync, was_poisoned);
    kvs_batch_free(work->batch);
    free(work);
}

/* ---- Writes that do not wait ---- */

static void note_ready(void *context)
{
    wait_end(context);
}

static void note_synced(void *context, struct kvs_status status)
{
    struct wait *wait = context;
    struct sim *sim = wait->sim;
    if (sim_accept(sim, "callback", "sync", wait->begun_ns, status)) {
        if (sim_published(sim) < wait->sequence)
            sim_fail(sim, "a callback says that %llu is published, which it is not",
                     (unsigned long long)wait->sequence);
        oracle_acknowledge(sim, wait->sequence, wait->level == KVS_DURABLE);
    } else if (status.code == KVS_NO_SPACE) {
        settle_unsynced(sim, "callback", wait->sequence, wait->level == KVS_DURABLE);
    }
    wait_end(wait);
}

/* See a key as of a write of our own that need not be published. */
static void read_own(struct sim_user *user, const struct model_change *change, uint64_t sequence)
{
    struct sim *sim = user->sim;
    struct kvs_read_options options = {.at_least = sequence};
    struct kvs_value value;
    bool found;
    struct observation seen = {.key = change->key, .value = SIM_ABSENT};
    seen.from = sim_published(sim) > sequence ? sim_published(sim) : sequence;
    struct kvs_status status = kvs_get(sim->db, &value, &found, sim->data.keys[change->key], &options);
    if (!sim_accept_read(sim, user->name, "get of an own write", status))
        return;
    if (found && !sim_data_read_value(&sim->data, &seen.value, value.bytes))
        sim_fail(sim, "%s: key %u has bytes that nobody wrote", user->name, change->key);
    if (found)
        kvs_value_release(&value);
    seen.to = sim_published(sim) > sequence ? sim_published(sim) : sequence;
    oracle_judge_later(sim, &seen);
}

static void ask_for_sync(struct sim_user *user, uint64_t sequence)
{
    struct sim *sim = user->sim;
    bool wait_here = sim_one_in(&user->random, 2);
    struct wait *wait = wait_new(sim, wait_here);
    wait->sequence = sequence;
    wait->level = sim_one_in(&user->random, 4) ? KVS_DURABLE : KVS_PUBLISHED;
    struct kvs_status status = kvs_sync_async(sim->db, sequence, wait->level, note_synced, wait);
    if (!kvs_ok(status))
        sim_fail(sim, "%s: kvs_sync_async: %s", user->name, kvs_status_text(status));
    if (wait_here)
        wait_for(wait);
}

/* Hand over batches until all are applied or refused. Returns how many were applied, and the sequence number of the last. */
static size_t apply_all(struct sim_user *user, uint64_t *sequence, struct work *works, size_t count)
{
    struct sim *sim = user->sim;
    const struct kvs_batch *batches[BATCHES_MAX];
    for (size_t i = 0; i < count; i++)
        batches[i] = works[i].batch;
    for (size_t done = 0;;) {
        bool was_poisoned = sim->poisoned;
        uint64_t begun_ns = sim_now_ns(sim);
        size_t applied = 0;
        struct wait *ready = wait_new(sim, true);
        struct kvs_status status =
            kvs_apply(sim->db, sequence, &applied, batches + done, count - done, note_ready, ready);
        done += applied;
        sim_note(sim, "%s apply of %zu, first key %u = %u -> %s, %zu applied, last %llu", user->name, count,
                 works[0].changes[0].key, works[0].changes[0].value, status_code_name(status.code), done,
                 (unsigned long long)*sequence);
        if (status.code == KVS_BUSY) {
            wait_for(ready);
            continue;
        }
        if (ready->is_done)
            sim_fail(sim, "%s: kvs_apply was not BUSY and called ready", user->name);
        sim->pending_callbacks--;
        wait_free(ready);
        if (sim_accept(sim, user->name, "apply", begun_ns, status) && was_poisoned)
            sim_fail(sim, "%s: a batch was applied after an earlier one had been refused for good", user->name);
        return done;
    }
}

static void apply_and_go_on(struct sim_user *user)
{
    struct sim *sim = user->sim;
    size_t count = sim_one_in(&user->random, 12) ? BATCHES_MAX : 1 + sim_below(&user->random, 3);
    struct work *works = calloc(count, sizeof *works);
    KVS_ASSERT(works != NULL);
    for (size_t i = 0; i < count; i++) {
        draw_work(user, &works[i]);
        struct kvs_status status = fill_batch(&sim->data, &works[i]);
        if (!kvs_ok(status))
            sim_fail(sim, "%s: no batch: %s", user->name, kvs_status_text(status));
    }
    uint64_t sequence = 0;
    size_t applied = apply_all(user, &sequence, works, count);
    /* Which of several were applied before a failure is not said. */
    for (size_t i = 0; i < count; i++) {
        if (i < applied || count > 1)
            oracle_release(works[i].intent, i < applied);
        else
            oracle_refuse(sim, works[i].intent);
        kvs_batch_free(works[i].batch);
    }
    if (applied == count) {
        if (sim_one_in(&user->random, 2))
            read_own(user, &works[count - 1].changes[0], sequence);
        if (!sim_one_in(&user->random, 5))
            ask_for_sync(user, sequence);
    }
    free(works);
}

static void sync_all(struct sim_user *user)
{
    struct sim *sim = user->sim;
    uint64_t sequence = kvs_applied_sequence(sim->db);
    uint64_t begun_ns = sim_now_ns(sim);
    bool was_waiting = waiting_is_on(&sim->db->waiting);
    struct kvs_status status = kvs_sync(sim->db);
    sim_note(sim, "%s sync up to %llu -> %s", user->name, (unsigned long long)sequence, status_code_name(status.code));
    if (sim_accept(sim, user->name, "kvs_sync", begun_ns, status))
        oracle_acknowledge(sim, sequence, true);
    else if (status.code == KVS_NO_SPACE && !was_waiting)
        settle_unsynced(user->sim, user->name, sequence, true);
}

/* ---- The fiber ---- */

static void write_something(struct sim_user *user)
{
    switch (sim_below(&user->random, 20)) {
    case 0:
        sync_all(user);
        break;
    case 1:
        sim_sleep(user->sim, sim_below(&user->random, sim_one_in(&user->random, 3) ? 300000000 : 4000000));
        break;
    case 2 ... 8:
        apply_and_go_on(user);
        break;
    default:
        write_and_wait(user);
        break;
    }
    /* A refused writer comes back later. */
    if (user->sim->full && sim_one_in(&user->random, 2))
        sim_sleep(user->sim, sim_below(&user->random, 50000000));
}

void sim_writer_body(void *argument)
{
    struct sim_user *user = argument;
    struct sim *sim = user->sim;
    for (uint64_t operation = 0; operation < sim->operations && !sim_has_crashed(sim); operation++) {
        if (sim_shrink_skips(user, operation)) {
            sim_sleep(sim, SKIPPED_NS);
            continue;
        }
        user->random = io_seed_of(hash_mix(user->seed, operation));
        write_something(user);
    }
    sim->writers_left--;
}
