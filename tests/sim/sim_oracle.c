#include "sim_oracle.h"

#include "base/assert.h"
#include "sim.h"

#include <stdlib.h>

/* How late a sync of mode interval may be when the threads that do it are starved by the scheduler. */
#define LATE_NS UINT64_C(100000000)

typedef unsigned long long number;

void oracle_init(struct oracle *oracle, size_t key_count)
{
    *oracle = (struct oracle){.next_first = 1};
    model_init(&oracle->model, key_count);
}

void oracle_fini(struct oracle *oracle)
{
    KVS_ASSERT(oracle->intents == NULL);
    model_fini(&oracle->model);
    free(oracle->observations);
}

/* ---- Intents ---- */

static struct intent *find_intent(const struct oracle *oracle, uint64_t hash, size_t count)
{
    struct intent *intent = oracle->intents, *oldest = NULL;
    for (; intent != NULL; intent = intent->next) {
        if (intent->hash == hash && intent->count == count)
            oldest = intent;
    }
    return oldest;
}

bool oracle_is_pending(const struct oracle *oracle, const struct model_change *changes, size_t count)
{
    return find_intent(oracle, model_hash(changes, count), count) != NULL;
}

struct intent *oracle_intend(struct sim *sim, const struct model_change *changes, size_t count)
{
    struct oracle *oracle = &sim->oracle;
    struct intent *intent = malloc(sizeof *intent);
    KVS_ASSERT(intent != NULL);
    *intent = (struct intent){.next = oracle->intents,
                              .count = count,
                              .hash = model_hash(changes, count),
                              .begun_ns = sim_now_ns(sim),
                              .is_held = true};
    oracle->intents = intent;
    return intent;
}

static void unlist(struct oracle *oracle, struct intent *intent)
{
    struct intent **at = &oracle->intents;
    while (*at != intent)
        at = &(*at)->next;
    *at = intent->next;
}

void oracle_refuse(struct sim *sim, struct intent *intent)
{
    if (intent->first != 0)
        sim_fail(sim, "a batch that was refused was written to a log as %llu to %llu", (number)intent->first,
                 (number)intent->last);
    unlist(&sim->oracle, intent);
    free(intent);
}

void oracle_release(struct intent *intent, bool is_applied)
{
    intent->is_held = false;
    intent->is_applied = is_applied;
    if (intent->first != 0)
        free(intent);
}

bool oracle_awaits(const struct oracle *oracle)
{
    for (const struct intent *intent = oracle->intents; intent != NULL; intent = intent->next) {
        if (intent->is_applied)
            return true;
    }
    return false;
}

void oracle_end_generation(struct sim *sim)
{
    struct oracle *oracle = &sim->oracle;
    while (oracle->intents != NULL) {
        struct intent *next = oracle->intents->next;
        KVS_ASSERT(!oracle->intents->is_held);
        free(oracle->intents);
        oracle->intents = next;
    }
    oracle->observation_count = 0;
    oracle->awaits_room = false;
}

/* ---- Order ---- */

static void check_given_out(struct sim *sim)
{
    const struct oracle *oracle = &sim->oracle;
    if (oracle->next_first <= oracle->given_out)
        sim_fail(sim, "the next batch gets %llu, and a log has given out up to %llu", (number)oracle->next_first,
                 (number)oracle->given_out);
}

void oracle_open(struct sim *sim, uint64_t given_out, bool awaits_room)
{
    struct oracle *oracle = &sim->oracle;
    oracle->next_first = kvs_applied_sequence(sim->db) + 1;
    oracle->given_out = given_out;
    oracle->awaits_room = awaits_room;
    if (!awaits_room)
        check_given_out(sim);
}

void oracle_note_published(struct sim *sim, uint64_t published)
{
    struct oracle *oracle = &sim->oracle;
    if (oracle->awaits_room && oracle->next_first <= published)
        oracle->next_first = published + 1;
}

/* Nothing of it is published yet: that still ends where recovery did. */
static void begin_to_write(struct sim *sim)
{
    oracle_note_published(sim, kvs_published_sequence(sim->db));
    sim->oracle.awaits_room = false;
    check_given_out(sim);
}

static void judge_observations(struct sim *sim)
{
    struct oracle *oracle = &sim->oracle;
    size_t kept = 0;
    for (size_t i = 0; i < oracle->observation_count; i++) {
        struct observation *observation = &oracle->observations[i];
        if (observation->to < oracle->next_first)
            oracle_judge(sim, "a read of applied writes", &observation->key, &observation->value, 1, observation->from,
                         observation->to);
        else
            oracle->observations[kept++] = *observation;
    }
    oracle->observation_count = kept;
}

/* A record that was written before: again after a full disk, or by recovery. */
static void see_again(struct sim *sim, const struct model_batch *batch, uint64_t hash, size_t count)
{
    if (batch->hash != hash || batch->last != batch->first + count - 1)
        sim_fail(sim, "sequence number %llu is that of two different batches", (number)batch->first);
}

void oracle_see(struct sim *sim, uint64_t first, const struct model_change *changes, size_t count)
{
    struct oracle *oracle = &sim->oracle;
    uint64_t hash = model_hash(changes, count);
    const struct model_batch *known = model_find(&oracle->model, first);
    if (known != NULL) {
        see_again(sim, known, hash, count);
        return;
    }
    if (oracle->awaits_room)
        begin_to_write(sim);
    struct intent *intent = find_intent(oracle, hash, count);
    if (intent == NULL)
        sim_fail(sim, "a log holds a batch of %zu changes at %llu that nobody is writing", count, (number)first);
    if (first != oracle->next_first)
        sim_fail(sim, "a new batch has sequence number %llu, expected %llu", (number)first, (number)oracle->next_first);
    oracle->next_first = first + count;
    unlist(oracle, intent);
    intent->first = first;
    intent->last = first + count - 1;
    struct model_batch batch = {.first = first, .hash = hash, .begun_ns = intent->begun_ns, .seen_ns = sim_now_ns(sim)};
    model_append(&oracle->model, &batch, changes, count);
    if (!intent->is_held)
        free(intent);
    judge_observations(sim);
}

/* ---- Promises ---- */

void oracle_acknowledge(struct sim *sim, uint64_t sequence, bool is_durable)
{
    struct oracle *oracle = &sim->oracle;
    if (sim->db != NULL) /* else it was closed just now */
        oracle_note_published(sim, kvs_published_sequence(sim->db));
    if (sequence >= oracle->next_first)
        sim_fail(sim, "%llu is acknowledged, but no log holds more than %llu", (number)sequence,
                 (number)oracle->next_first - 1);
    if (oracle->kill_floor < sequence)
        oracle->kill_floor = sequence;
    if ((is_durable || sim->options.sync_mode == KVS_SYNC_ALWAYS) && oracle->power_floor < sequence)
        oracle->power_floor = sequence;
}

void oracle_check_interval_loss(struct sim *sim, size_t kept)
{
    const struct oracle *oracle = &sim->oracle;
    const struct model *model = &oracle->model;
    if (!oracle->check_interval || kept == model->batch_count || model->batches[kept].last > oracle->acknowledged)
        return;
    const struct model_batch *oldest = &model->batches[kept], *newest = oldest;
    for (size_t i = kept; i < model->batch_count && model->batches[i].last <= oracle->acknowledged; i++)
        newest = &model->batches[i];
    if (newest->begun_ns > oldest->seen_ns + 2 * oracle->interval_ns)
        sim_fail(sim,
                 "a power cut lost %llu, written %llu ns before the acknowledged %llu began; the interval is %llu ns",
                 (number)oldest->first, (number)(newest->begun_ns - oldest->seen_ns), (number)newest->first,
                 (number)oracle->interval_ns);
    if (!oracle->may_be_late && oldest->seen_ns >= oracle->room_ns &&
        oracle->crash_ns > oldest->seen_ns + 2 * oracle->interval_ns + LATE_NS)
        sim_fail(sim, "a power cut lost %llu, which had been written %llu ns before; the interval is %llu ns",
                 (number)oldest->first, (number)(oracle->crash_ns - oldest->seen_ns), (number)oracle->interval_ns);
}

/* ---- Reads ---- */

static bool matches(const struct model *model, const uint32_t *keys, const uint32_t *values, size_t count,
                    uint64_t horizon, size_t *wrong)
{
    for (size_t i = 0; i < count; i++) {
        if (model_lookup(model, keys[i], horizon) != values[i]) {
            *wrong = i;
            return false;
        }
    }
    return true;
}

void oracle_judge(struct sim *sim, const char *who, const uint32_t *keys, const uint32_t *values, size_t count,
                  uint64_t from, uint64_t to)
{
    const struct model *model = &sim->oracle.model;
    size_t wrong = 0;
    for (uint64_t horizon = from;; horizon = model_next_point(model, horizon)) {
        if (horizon > to && horizon != from)
            break;
        if (matches(model, keys, values, count, horizon, &wrong))
            return;
    }
    sim_fail(sim, "%s: of %zu keys key %u has value %u, expected %u (as of %llu; up to %llu nothing else fits either)",
             who, count, keys[wrong], values[wrong], model_lookup(model, keys[wrong], from), (number)from, (number)to);
}

void oracle_judge_later(struct sim *sim, const struct observation *observation)
{
    struct oracle *oracle = &sim->oracle;
    if (oracle->observation_count == oracle->observation_capacity) {
        oracle->observation_capacity = oracle->observation_capacity * 2 + 16;
        oracle->observations =
            realloc(oracle->observations, oracle->observation_capacity * sizeof *oracle->observations);
        KVS_ASSERT(oracle->observations != NULL);
    }
    oracle->observations[oracle->observation_count++] = *observation;
    judge_observations(sim);
}
