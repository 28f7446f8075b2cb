/* What is checked of a database after it was opened. */

#include "sim.h"
#include "sim_scan.h"

#include "base/assert.h"
#include "format/file_name.h"

#include <stdlib.h>

/* ---- The state ---- */

/* All keys, forward and backward in one iterator. */
static bool read_all(struct sim *sim, uint32_t *state)
{
    static const struct kvs_iterator_options everything;
    struct sim_scan scan;
    if (!sim_scan_open(&scan, sim, "check", &everything))
        return false;
    bool is_valid = sim_scan_first(&scan);
    while (is_valid)
        is_valid = sim_scan_next(&scan);
    is_valid = sim_scan_last(&scan);
    while (is_valid)
        is_valid = sim_scan_prev(&scan);
    for (size_t key = 0; key < sim->data.key_count; key++)
        state[key] = scan.values[key];
    sim_scan_close(&scan);
    return !sim_has_crashed(sim);
}

static void expect_value(struct sim *sim, size_t key, uint32_t expected, bool found, const struct kvs_value *value)
{
    uint32_t id = SIM_ABSENT;
    if (found && !sim_data_read_value(&sim->data, &id, value->bytes))
        sim_fail(sim, "check: key %zu has bytes that nobody wrote", key);
    if (id != expected)
        sim_fail(sim, "check: a get of key %zu gives %u, a scan %u", key, id, expected);
}

/* Point reads say what the scan said. */
static bool get_all(struct sim *sim, const uint32_t *state)
{
    for (size_t key = 0; key < sim->data.key_count; key++) {
        struct kvs_value value;
        bool found;
        if (!sim_accept_read(sim, "check", "get", kvs_get(sim->db, &value, &found, sim->data.keys[key], NULL)))
            return false;
        expect_value(sim, key, state[key], found, &value);
        if (found)
            kvs_value_release(&value);
    }
    return true;
}

static bool multi_get_all(struct sim *sim, const uint32_t *state)
{
    struct kvs_value values[SIM_KEYS_MAX];
    bool found[SIM_KEYS_MAX];
    size_t count = sim->data.key_count;
    struct kvs_status status = kvs_multi_get(sim->db, values, found, sim->data.keys, count, NULL);
    if (!sim_accept_read(sim, "check", "multi_get", status))
        return false;
    for (size_t key = 0; key < count; key++) {
        expect_value(sim, key, state[key], found[key], &values[key]);
        if (found[key])
            kvs_value_release(&values[key]);
    }
    return true;
}

/* The state is none of history's. */
__attribute__((noreturn)) static void fail_state(struct sim *sim, const uint32_t *state, size_t nearest)
{
    const struct model *model = &sim->oracle.model;
    uint64_t at = nearest == 0 ? 0 : model->batches[nearest - 1].last;
    char text[512];
    int used = 0;
    for (size_t key = 0; key < model->key_count && used < 400; key++) {
        uint32_t expected = model_lookup(model, key, at);
        if (state[key] != expected)
            used += snprintf(text + used, sizeof text - (size_t)used, " key %zu is %u, expected %u;", key, state[key],
                             expected);
    }
    sim_fail(sim, "check: this is no state of history (%llu published); nearest is that of %llu:%s",
             (unsigned long long)sim_published(sim), (unsigned long long)at, text);
}

static void check_place(struct sim *sim, size_t kept, uint64_t required)
{
    const struct model *model = &sim->oracle.model;
    uint64_t last = kept == 0 ? 0 : model->batches[kept - 1].last;
    sim_note(sim, "check: state of %llu; %llu required, %llu published, %zu batches cut", (unsigned long long)last,
             (unsigned long long)required, (unsigned long long)sim_published(sim), model->batch_count - kept);
    if (kept < model->batch_count && model->batches[kept].last <= required)
        sim_fail(sim, "check: batch %llu to %llu is lost, and everything up to %llu had to be there",
                 (unsigned long long)model->batches[kept].first, (unsigned long long)model->batches[kept].last,
                 (unsigned long long)required);
    if (sim_published(sim) < required)
        sim_fail(sim, "check: %llu is published, and %llu had been, for good: numbers would be given out again",
                 (unsigned long long)sim_published(sim), (unsigned long long)required);
    oracle_check_interval_loss(sim, kept);
}

/* What recovery has made durable: all of it in mode always; else what the engine says, and the rest soon, as if it had been written now. */
static uint64_t adopted_as_durable(struct sim *sim, uint64_t last)
{
    struct kvs_stats stats;
    uint64_t floor = sim->oracle.power_floor < last ? sim->oracle.power_floor : last;
    kvs_stats(sim->db, &stats);
    if (sim->options.sync_mode == KVS_SYNC_ALWAYS || stats.durable_sequence >= last)
        return last;
    return stats.durable_sequence > floor ? stats.durable_sequence : floor;
}

/* History goes on from the state that recovery has found, and numbers from what it shows as published: they may be those of batches that were cut. */
static void adopt_state(struct sim *sim, size_t kept)
{
    struct oracle *oracle = &sim->oracle;
    struct model *model = &oracle->model;
    model_truncate(model, kept);
    oracle->kill_floor = model_last(model);
    oracle->power_floor = adopted_as_durable(sim, oracle->kill_floor);
    for (size_t i = model->batch_count; i > 0 && model->batches[i - 1].last > oracle->power_floor; i--)
        model->batches[i - 1].seen_ns = sim_now_ns(sim);
    oracle->check_interval = false;
    oracle_acknowledge(sim, sim_published(sim), false);
    sim->is_adopted = true;
}

bool sim_check_state(struct sim *sim, uint64_t required, bool adopt)
{
    uint32_t state[SIM_KEYS_MAX];
    size_t kept, nearest;
    if (!read_all(sim, state))
        return false;
    if (!model_find_state(&sim->oracle.model, &kept, &nearest, state, sim_published(sim)))
        fail_state(sim, state, nearest);
    check_place(sim, kept, required);
    if (adopt)
        adopt_state(sim, kept);
    return get_all(sim, state) && multi_get_all(sim, state);
}

/* ---- The folder ---- */

/* Which numbers may be there; expected counts those that must. */
struct folder_check {
    struct sim *sim;
    struct version *version;
    struct manifest_log *logs;
    size_t log_count;
    uint64_t prepared, spare;
    size_t manifests, found_logs, found_segments, segment_count;
};

static bool is_live_segment(const struct folder_check *check, uint64_t number)
{
    for (size_t i = 0; i < check->version->run_count; i++) {
        const struct version_run *run = check->version->runs[i];
        for (size_t j = 0; j < run->count; j++) {
            if (run->segments[j]->meta.number == number)
                return true;
        }
    }
    return false;
}

static bool is_live_log(const struct folder_check *check, uint64_t number)
{
    for (size_t i = 0; i < check->log_count; i++) {
        if (check->logs[i].number == number)
            return true;
    }
    return false;
}

static bool check_name(void *context, const char *name)
{
    struct folder_check *check = context;
    uint64_t number;
    bool is_expected = false;
    switch (file_name_parse(&number, name)) {
    case FILE_LOG:
        check->found_logs += is_live_log(check, number);
        is_expected = number == check->prepared || number == check->spare || is_live_log(check, number);
        break;
    case FILE_SEGMENT:
        check->found_segments++;
        is_expected = is_live_segment(check, number);
        break;
    case FILE_MANIFEST:
        is_expected = ++check->manifests == 1;
        break;
    case FILE_CURRENT:
    case FILE_LOCK:
    case FILE_RESERVE:
    case FILE_LOST:
        is_expected = true;
        break;
    default:
        break;
    }
    if (!is_expected)
        sim_fail(check->sim, "check: nothing lists the file %s", name);
    return true;
}

/* Until nothing is left to clean up; the time is the engine's to find it. */
static bool wait_until_clean(struct sim *sim)
{
    for (int i = 0; i < 100; i++) {
        sim_sleep(sim, 100000000);
        if (sim_has_crashed(sim))
            return false;
        if (version_set_obsolete_count(sim->db->versions) == 0 && sim->db->commit.sealed_count == 0)
            return true;
    }
    sim_fail(sim, "check: %llu files are still waiting to be unlinked, %u memtables to be flushed",
             (unsigned long long)version_set_obsolete_count(sim->db->versions), sim->db->commit.sealed_count);
}

bool sim_check_folder(struct sim *sim)
{
    struct folder_check check = {.sim = sim};
    if (!wait_until_clean(sim))
        return false;
    check.version = version_set_current(sim->db->versions);
    for (size_t i = 0; i < check.version->run_count; i++)
        check.segment_count += check.version->runs[i]->count;
    if (!kvs_ok(version_set_logs(sim->db->versions, &check.logs, &check.log_count)))
        sim_fail(sim, "check: no list of logs");
    if (sim->db->workers.spare.writer != NULL)
        check.spare = sim->db->workers.spare.number;
    if (sim->db->commit.prepared.log != NULL)
        check.prepared = sim->db->commit.prepared.log->number;
    bool listed = sim_accept_read(sim, "check", "list", io_list(sim->io, SIM_FOLDER, check_name, &check));
    if (listed && (check.found_logs != check.log_count || check.found_segments != check.segment_count))
        sim_fail(sim, "check: %zu of %zu logs and %zu of %zu segments are there", check.found_logs, check.log_count,
                 check.found_segments, check.segment_count);
    version_unref(check.version);
    free(check.logs);
    return listed;
}
