#include "fault.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_always(const struct fault_bench *bench)
{
    return bench->options.sync_mode == KVS_SYNC_ALWAYS;
}

static void raise_outcome(struct fault_bench *bench, enum fault_outcome outcome)
{
    if (bench->outcome < outcome)
        bench->outcome = outcome;
}

/* Only an injected fault explains a failure, and none is ever explained as damage. Returns whether it is a success. (Sentences are not looked at: they belong to a
 * thread, and the fibers are one.) */
static bool accept(struct fault_bench *bench, const char *what, struct kvs_status status)
{
    fault_note(bench, "%s -> %s%s%s", what, status_code_name(status.code), kvs_ok(status) ? "" : ": ",
               kvs_ok(status) ? "" : kvs_status_text(status));
    if (kvs_ok(status))
        return true;
    if (!fault_has_fired(bench))
        fault_fail(bench, "%s failed without a fault: %s (%s:%u)", what, kvs_status_text(status), status.file,
                   status.line);
    if (status.code == KVS_CORRUPT || status.code == KVS_NOT_FOUND || status.code == KVS_INVALID)
        fault_fail(bench, "%s blames the data or the caller: %s (%s:%u)", what, kvs_status_text(status), status.file,
                   status.line);
    raise_outcome(bench, OUTCOME_FAILED);
    return false;
}

/* ---- Reading ---- */

static void check_value(struct fault_bench *bench, const char *what, unsigned key, bool found, struct kvs_slice bytes)
{
    int value = found ? history_value_number(bytes) : 0;
    if (value < 0)
        fault_fail(bench, "%s: key %u has bytes that were never written", what, key);
    if (!history_may_have(&bench->history, key, (unsigned)value, bench->history.published))
        fault_fail(bench, "%s: key %u is %d, which it is not in the states from %u to %u", what, key, value,
                   bench->history.published, bench->history.count - 1);
}

bool step_gets(struct fault_bench *bench)
{
    bool all = true;
    for (unsigned i = 0; i < HISTORY_KEYS; i++) {
        char key[HISTORY_KEY_BYTES];
        struct kvs_value value = {0};
        bool found = false;
        if (!accept(bench, "get", kvs_get(bench->db, &value, &found, history_key(key, i), NULL))) {
            all = false;
            continue;
        }
        check_value(bench, "get", i, found, value.bytes);
        if (found)
            kvs_value_release(&value);
    }
    return all;
}

bool step_multi_get(struct fault_bench *bench)
{
    char bytes[HISTORY_KEYS][HISTORY_KEY_BYTES];
    struct kvs_slice keys[HISTORY_KEYS];
    struct kvs_value values[HISTORY_KEYS] = {0};
    bool found[HISTORY_KEYS] = {0};
    for (unsigned i = 0; i < HISTORY_KEYS; i++)
        keys[i] = history_key(bytes[i], i);
    if (!accept(bench, "multi-get", kvs_multi_get(bench->db, values, found, keys, HISTORY_KEYS, NULL)))
        return false;
    for (unsigned i = 0; i < HISTORY_KEYS; i++) {
        check_value(bench, "multi-get", i, found[i], values[i].bytes);
        if (found[i])
            kvs_value_release(&values[i]);
    }
    return true;
}

/* What an iterator shows, as a state. Returns false where it failed; its order is checked. */
static bool read_state(struct fault_bench *bench, struct fault_state *state, struct kvs_iterator *iterator,
                       bool backwards)
{
    int last = backwards ? HISTORY_KEYS : -1;
    *state = (struct fault_state){0};
    if (backwards)
        kvs_iterator_last(iterator);
    else
        kvs_iterator_first(iterator);
    while (kvs_iterator_valid(iterator)) {
        int key = history_key_number(kvs_iterator_key(iterator));
        int value = history_value_number(kvs_iterator_value(iterator));
        if (key < 0 || value <= 0 || (backwards ? key >= last : key <= last))
            fault_fail(bench, "scan: key %d with value %d after key %d", key, value, last);
        state->values[key] = (unsigned)value;
        last = key;
        if (backwards)
            kvs_iterator_prev(iterator);
        else
            kvs_iterator_next(iterator);
    }
    return accept(bench, "scan", kvs_iterator_status(iterator));
}

/* One moment of the database. Returns false where it could not be read. */
static bool scan(struct fault_bench *bench, struct fault_state *state, const struct kvs_snapshot *snapshot,
                 bool backwards)
{
    struct kvs_iterator_options options = {.read = {.snapshot = snapshot}};
    struct kvs_iterator *iterator;
    if (!accept(bench, "iterator", kvs_iterator_new(&iterator, bench->db, &options)))
        return false;
    bool is_read = read_state(bench, state, iterator, backwards);
    kvs_iterator_free(iterator);
    return is_read;
}

static int find_state(const struct fault_bench *bench, const struct fault_state *state, const char *what,
                      unsigned first)
{
    int index = history_find(&bench->history, state, first);
    if (index < 0)
        fault_fail(bench, "%s: what is there is none of the states from %u to %u (it is state %d)", what, first,
                   bench->history.count - 1, history_find(&bench->history, state, 0));
    return index;
}

bool step_scan(struct fault_bench *bench, bool backwards)
{
    struct fault_state state;
    if (!scan(bench, &state, NULL, backwards))
        return false;
    (void)find_state(bench, &state, "scan", bench->history.published);
    return true;
}

bool step_snapshot(struct fault_bench *bench)
{
    struct kvs_snapshot *snapshot;
    struct fault_state before, after;
    if (!scan(bench, &before, NULL, false) || !accept(bench, "snapshot", kvs_snapshot_new(&snapshot, bench->db)))
        return false;
    bool all = step_put(bench, 3, false);
    all &= step_flush(bench);
    bool is_read = scan(bench, &after, snapshot, false);
    kvs_snapshot_free(snapshot);
    if (is_read && memcmp(&before, &after, sizeof after) != 0)
        fault_fail(bench, "a snapshot does not show what was there when it was taken");
    return all && is_read;
}

bool step_verify(struct fault_bench *bench)
{
    return accept(bench, "verify", kvs_verify(bench->db, NULL, NULL));
}

/* ---- Life ---- */

/* No file whose sync failed is synced again: the trace has a line for each sync. */
void fault_check_syncs(struct fault_bench *bench)
{
    const char *text = io_trace_text(bench->trace);
    if (bench->is_verbose)
        fputs(text, stdout);
    for (const char *line = text; *line != '\0';) {
        const char *end = strchr(line, '\n');
        char name[256], again[300];
        bool is_failed = memchr(line, '>', (size_t)(end - line)) != NULL;
        if (is_failed && sscanf(line, "sync %255s", name) == 1) {
            snprintf(again, sizeof again, "\nsync %s ", name);
            /* CURRENT.tmp and what is set aside are written anew, from their first byte. */
            if (strstr(end, again) != NULL && strstr(name, ".tmp") == NULL && strstr(name, ".tail") == NULL)
                fault_fail(bench, "%s was synced again after a sync of it had failed:\n%s", name, text);
        }
        line = end + 1;
    }
    io_trace_clear(bench->trace);
}

/* Find out which state a reopened database is in. Where that cannot be read and is not certain, the scenario goes no further. */
static bool adopt(struct fault_bench *bench)
{
    struct fault_history *history = &bench->history;
    struct fault_state state;
    if (!scan(bench, &state, NULL, false)) {
        if (history->published + 1 == history->count)
            return true;
        (void)accept(bench, "close", kvs_close(bench->db));
        bench->db = NULL;
        return false;
    }
    history_adopt(history, (unsigned)find_state(bench, &state, "open", history->published),
                  is_always(bench) && !bench->options.read_only);
    return true;
}

/* Opened without room: what is proven can be read and nothing can be written, until there is room. */
static void await_room(struct fault_bench *bench)
{
    struct fault_state state;
    struct kvs_write_options sync = {.sync = true};
    while (waiting_is_on(&bench->db->waiting)) {
        if (scan(bench, &state, NULL, false))
            (void)find_state(bench, &state, "open without room", 0);
        struct kvs_status status = kvs_put(bench->db, slice_of("none", 4), slice_of("", 0), &sync);
        if (status.code != KVS_NO_SPACE && waiting_is_on(&bench->db->waiting))
            fault_fail(bench, "a write without room: %s", status_code_name(status.code));
        raise_outcome(bench, OUTCOME_FAILED);
        step_wait(bench, 100);
    }
}

static bool open_as(struct fault_bench *bench, bool read_only)
{
    bench->options.read_only = read_only;
    fault_check_syncs(bench);
    struct kvs_status status = db_open(&bench->db, bench->io, FAULT_FOLDER, &bench->options);
    if (!accept(bench, "open", status)) {
        if (io_mem_open_count(bench->mem) != 0)
            fault_fail(bench, "an open that failed left %u files and locks open", io_mem_open_count(bench->mem));
        raise_outcome(bench, OUTCOME_REFUSED);
        bench->db = NULL;
        return false;
    }
    await_room(bench);
    return adopt(bench);
}

bool step_open(struct fault_bench *bench)
{
    return open_as(bench, false);
}

bool step_open_read_only(struct fault_bench *bench)
{
    return open_as(bench, true);
}

bool step_close(struct fault_bench *bench)
{
    struct kvs_status status = kvs_close(bench->db);
    bench->db = NULL;
    if (io_mem_open_count(bench->mem) != 0)
        fault_fail(bench, "a close left %u files and locks open", io_mem_open_count(bench->mem));
    bool is_clean = accept(bench, "close", status);
    if (is_clean && !bench->options.read_only) {
        if (bench->history.is_unknown)
            fault_fail(bench, "a close succeeds after a write with an unknown outcome");
        history_publish(&bench->history, true);
    }
    return is_clean;
}

void step_wait(struct fault_bench *bench, uint64_t ms)
{
    io_sleep_until(bench->io, io_monotonic_ns(bench->io) + ms * 1000000);
}

/* ---- Writing ---- */

static unsigned change(struct fault_bench *bench, struct fault_state *state, unsigned key)
{
    state->values[key] = ++bench->next_value;
    return state->values[key];
}

/* Whether a sync of log records has failed: the trace has a line for it. */
static bool log_sync_has_failed(const struct fault_bench *bench)
{
    return strstr(io_trace_text(bench->trace), " SYNC-3 -> ") != NULL;
}

/* Writing has ended until the database is reopened: only a fault that leaves something in doubt may do that. */
static void note_poison(struct fault_bench *bench, struct kvs_status status)
{
    if (status.code != KVS_POISONED && status.code != KVS_UNKNOWN)
        return;
    if (!bench->injector->may_poison(bench))
        fault_fail(bench, "a fault that leaves nothing in doubt has ended writing: %s (%s:%u)", kvs_status_text(status),
                   status.file, status.line);
    bench->is_poisoned = true;
}

/* What a write was answered with: it holds, or has no effect, or its outcome is unknown. */
static bool note_write(struct fault_bench *bench, const char *what, struct kvs_status status, bool sync)
{
    bool durable = sync || is_always(bench);
    if (accept(bench, what, status)) {
        if (bench->history.is_unknown)
            fault_fail(bench, "%s is acknowledged after a write whose outcome is unknown", what);
        if (durable && log_sync_has_failed(bench))
            fault_fail(bench, "%s is acknowledged as durable after a failed sync of the log", what);
        history_publish(&bench->history, durable);
        return true;
    }
    note_poison(bench, status);
    if (status.code == KVS_UNKNOWN) {
        bench->history.is_unknown = true;
        raise_outcome(bench, OUTCOME_UNKNOWN);
    } else if (status.code != KVS_NO_SPACE && status.code != KVS_NO_MEMORY && status.code != KVS_POISONED &&
               status.code != KVS_IO) {
        fault_fail(bench, "%s failed with %s", what, status_code_name(status.code));
    }
    return false;
}

static bool note_change(struct fault_bench *bench, const char *what, struct kvs_status status,
                        const struct fault_state *next, bool sync)
{
    if (kvs_ok(status) || status.code == KVS_UNKNOWN)
        history_apply(&bench->history, next);
    return note_write(bench, what, status, sync);
}

bool step_put(struct fault_bench *bench, unsigned key, bool sync)
{
    char key_bytes[HISTORY_KEY_BYTES], value_bytes[HISTORY_VALUE_BYTES];
    struct fault_state next = *history_newest(&bench->history);
    struct kvs_slice value = history_value(value_bytes, change(bench, &next, key));
    struct kvs_write_options options = {.sync = sync};
    return note_change(bench, sync ? "put and sync" : "put",
                       kvs_put(bench->db, history_key(key_bytes, key), value, &options), &next, sync);
}

bool step_delete(struct fault_bench *bench, unsigned key)
{
    char key_bytes[HISTORY_KEY_BYTES];
    struct fault_state next = *history_newest(&bench->history);
    next.values[key] = 0;
    return note_change(bench, "delete", kvs_delete(bench->db, history_key(key_bytes, key), NULL), &next, false);
}

/* A batch that changes count keys. NULL where there is no memory for it. */
static struct kvs_batch *make_batch(struct fault_bench *bench, struct fault_state *next, unsigned first, unsigned count)
{
    char key_bytes[HISTORY_KEY_BYTES], value_bytes[HISTORY_VALUE_BYTES];
    struct kvs_batch *batch;
    struct kvs_status status = kvs_batch_new(&batch);
    if (!accept(bench, "new batch", status))
        return NULL;
    for (unsigned i = 0; i < count && kvs_ok(status); i++) {
        unsigned key = (first + i) % HISTORY_KEYS;
        struct kvs_slice value = history_value(value_bytes, change(bench, next, key));
        status = kvs_batch_put(batch, history_key(key_bytes, key), value);
    }
    if (accept(bench, "batch", status))
        return batch;
    kvs_batch_free(batch);
    return NULL;
}

bool step_batch(struct fault_bench *bench, unsigned count, bool sync)
{
    struct fault_state next = *history_newest(&bench->history);
    struct kvs_batch *batch = make_batch(bench, &next, 5, count);
    if (batch == NULL)
        return false;
    struct kvs_write_options options = {.sync = sync};
    struct kvs_status status = kvs_write(bench->db, batch, &options);
    kvs_batch_free(batch);
    return note_change(bench, "write of a batch", status, &next, sync);
}

bool step_sync(struct fault_bench *bench)
{
    return note_write(bench, "sync", kvs_sync(bench->db), true);
}

/* Callbacks of the asynchronous calls; each comes exactly once. */
struct answer {
    const struct fault_bench *bench;
    bool has_come;
    struct kept_status status;
};

static void on_ready(void *context)
{
    struct answer *answer = context;
    if (answer->has_come)
        fault_fail(answer->bench, "a ready callback came twice");
    answer->has_come = true;
}

static void on_sync(void *context, struct kvs_status status)
{
    struct answer *answer = context;
    on_ready(answer);
    status_keep(&answer->status, status);
}

static void await_answer(struct fault_bench *bench, const struct answer *answer)
{
    while (!answer->has_come)
        step_wait(bench, 1);
}

/* Apply one batch, waiting for admission as a server does. */
static bool apply_one(struct fault_bench *bench, uint64_t *sequence, unsigned first)
{
    struct fault_state next = *history_newest(&bench->history);
    struct kvs_batch *batch = make_batch(bench, &next, first, 2);
    if (batch == NULL)
        return false;
    struct kvs_status status;
    size_t applied;
    do {
        struct answer ready = {.bench = bench};
        applied = 0;
        status =
            kvs_apply(bench->db, sequence, &applied, (const struct kvs_batch *const[]){batch}, 1, on_ready, &ready);
        if (status.code == KVS_BUSY)
            await_answer(bench, &ready);
    } while (status.code == KVS_BUSY);
    kvs_batch_free(batch);
    if (applied != 0)
        history_apply(&bench->history, &next);
    return accept(bench, "apply", status);
}

bool step_apply(struct fault_bench *bench)
{
    uint64_t sequence = 0;
    struct answer answer = {.bench = bench};
    if (!apply_one(bench, &sequence, 1) || !apply_one(bench, &sequence, 9))
        return false;
    struct kvs_status status = kvs_sync_async(bench->db, sequence, KVS_PUBLISHED, on_sync, &answer);
    if (!kvs_ok(status))
        return accept(bench, "request", status);
    await_answer(bench, &answer);
    return note_write(bench, "publication", status_kept(&answer.status), false);
}

/* ---- Upkeep ---- */

/* What is in segments is durable in every mode. */
static bool note_flush(struct fault_bench *bench, const char *what, struct kvs_status status)
{
    if (!accept(bench, what, status)) {
        note_poison(bench, status);
        return false;
    }
    if (bench->history.is_unknown)
        fault_fail(bench, "%s succeeds after a write whose outcome is unknown", what);
    history_publish(&bench->history, true);
    return true;
}

bool step_flush(struct fault_bench *bench)
{
    return note_flush(bench, "flush", kvs_flush(bench->db));
}

bool step_compact(struct fault_bench *bench)
{
    return note_flush(bench, "compact", kvs_compact(bench->db));
}
