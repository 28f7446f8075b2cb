#include "sim_scan.h"

#include <string.h>

/* The ranks within bounds and prefix. */
static void find_range(struct sim_scan *scan, const struct kvs_iterator_options *options)
{
    const struct sim_data *data = &scan->sim->data;
    scan->begin = sim_data_seek(data, options->lower);
    scan->end = options->upper.size == 0 ? data->key_count : sim_data_seek(data, options->upper);
    for (size_t rank = scan->begin; options->prefix.size != 0 && rank < scan->end; rank++) {
        struct kvs_slice key = data->keys[rank];
        bool fits =
            key.size >= options->prefix.size && memcmp(key.data, options->prefix.data, options->prefix.size) == 0;
        if (!fits && slice_compare(key, options->prefix) < 0)
            scan->begin = rank + 1;
        else if (!fits)
            scan->end = rank;
    }
    if (scan->end < scan->begin)
        scan->end = scan->begin;
}

bool sim_scan_open(struct sim_scan *scan, struct sim *sim, const char *who, const struct kvs_iterator_options *options)
{
    *scan = (struct sim_scan){.sim = sim, .who = who};
    find_range(scan, options);
    scan->from = sim_published(sim);
    if (!sim_accept_read(sim, who, "iterator", kvs_iterator_new(&scan->iterator, sim->db, options)))
        return false;
    scan->to = sim_published(sim);
    if (options->read.snapshot != NULL)
        scan->from = scan->to = kvs_snapshot_sequence(options->read.snapshot);
    return true;
}

static void learn(struct sim_scan *scan, size_t rank, uint32_t value)
{
    if (scan->known[rank] && scan->values[rank] != value)
        sim_fail(scan->sim, "%s: an iterator showed value %u for key %zu, and %u later", scan->who, scan->values[rank],
                 rank, value);
    scan->known[rank] = true;
    scan->values[rank] = value;
}

/* Note where a move has come to; ranks from..to-1 were passed over. Returns whether it is on an entry. */
static bool arrive(struct sim_scan *scan, bool forward, size_t edge)
{
    struct sim *sim = scan->sim;
    bool is_valid = kvs_iterator_valid(scan->iterator);
    struct kvs_status status = kvs_iterator_status(scan->iterator);
    if (!sim_accept_read(sim, scan->who, "step of an iterator", status)) {
        if (is_valid)
            sim_fail(sim, "%s: an iterator failed and is valid", scan->who);
        return false;
    }
    size_t rank = forward ? scan->end : scan->begin;
    uint32_t value = SIM_ABSENT;
    if (is_valid) {
        struct kvs_slice key = kvs_iterator_key(scan->iterator);
        int found = sim_data_find(&sim->data, key);
        if (found < 0 || (size_t)found < scan->begin || (size_t)found >= scan->end)
            sim_fail(sim, "%s: an iterator shows a key of %zu bytes, rank %d, out of its bounds", scan->who, key.size,
                     found);
        rank = (size_t)found;
        if (!sim_data_read_value(&sim->data, &value, kvs_iterator_value(scan->iterator)))
            sim_fail(sim, "%s: an iterator shows bytes that nobody wrote for key %zu", scan->who, rank);
        if (forward ? rank < edge : rank >= edge)
            sim_fail(sim, "%s: an iterator moved to key %zu, on the wrong side of %zu", scan->who, rank, edge);
        learn(scan, rank, value);
        scan->at = rank;
    }
    if (forward)
        for (size_t passed = edge; passed < rank; passed++)
            learn(scan, passed, SIM_ABSENT);
    else
        for (size_t passed = is_valid ? rank + 1 : scan->begin; passed < edge; passed++)
            learn(scan, passed, SIM_ABSENT);
    return is_valid;
}

static size_t clamp(const struct sim_scan *scan, size_t rank)
{
    return rank < scan->begin ? scan->begin : rank > scan->end ? scan->end : rank;
}

bool sim_scan_first(struct sim_scan *scan)
{
    kvs_iterator_first(scan->iterator);
    return arrive(scan, true, scan->begin);
}

bool sim_scan_last(struct sim_scan *scan)
{
    kvs_iterator_last(scan->iterator);
    return arrive(scan, false, scan->end);
}

bool sim_scan_seek(struct sim_scan *scan, struct kvs_slice key)
{
    kvs_iterator_seek(scan->iterator, key);
    return arrive(scan, true, clamp(scan, sim_data_seek(&scan->sim->data, key)));
}

bool sim_scan_seek_before(struct sim_scan *scan, struct kvs_slice key)
{
    kvs_iterator_seek_before(scan->iterator, key);
    return arrive(scan, false, clamp(scan, sim_data_seek(&scan->sim->data, key)));
}

bool sim_scan_next(struct sim_scan *scan)
{
    kvs_iterator_next(scan->iterator);
    return arrive(scan, true, scan->at + 1);
}

bool sim_scan_prev(struct sim_scan *scan)
{
    kvs_iterator_prev(scan->iterator);
    return arrive(scan, false, scan->at);
}

void sim_scan_close(struct sim_scan *scan)
{
    kvs_iterator_free(scan->iterator);
}

void sim_scan_judge_and_close(struct sim_scan *scan)
{
    uint32_t keys[SIM_KEYS_MAX], values[SIM_KEYS_MAX];
    size_t count = 0;
    for (size_t rank = scan->begin; rank < scan->end; rank++) {
        if (!scan->known[rank])
            continue;
        keys[count] = (uint32_t)rank;
        values[count++] = scan->values[rank];
    }
    oracle_judge(scan->sim, scan->who, keys, values, count, scan->from, scan->to);
    sim_scan_close(scan);
}
