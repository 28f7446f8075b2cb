#include "version/manifest_state.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- Logs ---- */

void manifest_logs_fini(struct manifest_logs *logs)
{
    free(logs->logs);
    *logs = (struct manifest_logs){.logs = NULL};
}

static struct manifest_log *find_log(const struct manifest_logs *logs, uint64_t number)
{
    for (size_t i = 0; i < logs->count; i++) {
        if (logs->logs[i].number == number)
            return &logs->logs[i];
    }
    return NULL;
}

static struct kvs_status bad_log(const char *path, uint64_t offset, uint64_t number, const char *expected,
                                 const char *found)
{
    return STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": version edit: log %" PRIu64 ": expected %s, found %s", path,
                  offset, number, expected, found);
}

/* logs has room. */
static struct kvs_status list_log(struct manifest_logs *logs, const struct manifest_log *log, const char *path,
                                  uint64_t offset)
{
    if (find_log(logs, log->number) != NULL)
        return bad_log(path, offset, log->number, "a new log", "one that is listed");
    size_t at = logs->count++;
    for (; at > 0 && logs->logs[at - 1].number > log->number; at--)
        logs->logs[at] = logs->logs[at - 1];
    logs->logs[at] = (struct manifest_log){.number = log->number, .first_record = log->first_record};
    return status_ok();
}

static struct kvs_status end_log(struct manifest_logs *logs, const struct manifest_log *end, const char *path,
                                 uint64_t offset)
{
    struct manifest_log *log = find_log(logs, end->number);
    if (log == NULL || log->is_ended)
        return bad_log(path, offset, end->number, "a listed log that goes on",
                       log == NULL ? "one that is not listed" : "one that has ended");
    if (end->last_record + 1 < log->first_record)
        return bad_log(path, offset, end->number, "an end at or behind its start", "one before it");
    log->is_ended = true;
    log->size_bytes = end->size_bytes;
    log->last_record = end->last_record;
    return status_ok();
}

static struct kvs_status drop_log(struct manifest_logs *logs, uint64_t number, const char *path, uint64_t offset)
{
    struct manifest_log *log = find_log(logs, number);
    if (log == NULL)
        return bad_log(path, offset, number, "a listed log, to drop it", "one that is not listed");
    logs->count--;
    for (size_t at = (size_t)(log - logs->logs); at < logs->count; at++)
        logs->logs[at] = logs->logs[at + 1];
    return status_ok();
}

static struct kvs_status apply_logs(struct manifest_logs *logs, const struct manifest_edit *edit, const char *path,
                                    uint64_t offset)
{
    for (size_t i = 0; i < edit->logs_added_count; i++)
        STATUS_RETURN_IF_ERROR(list_log(logs, &edit->logs_added[i], path, offset));
    for (size_t i = 0; i < edit->logs_ended_count; i++)
        STATUS_RETURN_IF_ERROR(end_log(logs, &edit->logs_ended[i], path, offset));
    for (size_t i = 0; i < edit->logs_dropped_count; i++)
        STATUS_RETURN_IF_ERROR(drop_log(logs, edit->logs_dropped[i], path, offset));
    return status_ok();
}

struct kvs_status manifest_logs_apply(struct manifest_logs *logs, const struct manifest_logs *base,
                                      const struct manifest_edit *edit, const char *path, uint64_t offset)
{
    size_t capacity = base->count + edit->logs_added_count;
    struct manifest_logs made = {.logs = malloc((capacity + 1) * sizeof *made.logs), .count = base->count};
    if (made.logs == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a list of %zu logs", capacity);
    if (base->count > 0)
        memcpy(made.logs, base->logs, base->count * sizeof *made.logs);
    struct kvs_status status = apply_logs(&made, edit, path, offset);
    if (status_is_ok(status))
        *logs = made;
    else
        manifest_logs_fini(&made);
    return status;
}

struct kvs_status manifest_logs_to_edit(const struct manifest_logs *logs, struct manifest_edit *edit)
{
    for (size_t i = 0; i < logs->count; i++) {
        const struct manifest_log *log = &logs->logs[i];
        STATUS_RETURN_IF_ERROR(manifest_edit_add_log(edit, log->number, log->first_record));
        if (log->is_ended)
            STATUS_RETURN_IF_ERROR(manifest_edit_end_log(edit, log->number, log->size_bytes, log->last_record));
    }
    return status_ok();
}

/* ---- Segments ---- */

/* The index of the slot with this number, or of the first one after it. */
static size_t find_slot(const struct manifest_state *state, uint64_t number)
{
    size_t low = 0, high = state->slot_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (state->slots[middle].added.meta.number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool slot_is(const struct manifest_state *state, size_t at, uint64_t number)
{
    return at < state->slot_count && state->slots[at].added.meta.number == number;
}

static struct kvs_status remove_segment(struct manifest_state *state, const struct manifest_removed *removed,
                                        const char *path, uint64_t offset)
{
    size_t at = find_slot(state, removed->number);
    struct manifest_slot *slot = slot_is(state, at, removed->number) ? &state->slots[at] : NULL;
    if (slot == NULL || !slot->is_live || slot->added.level != removed->level || slot->added.run != removed->run)
        return STATUS(KVS_CORRUPT,
                      "%s: offset %" PRIu64 ": version edit: expected segment %" PRIu64 " in run %" PRIu64
                      " of level %u, to remove it; it is not there",
                      path, offset, removed->number, removed->run, removed->level);
    slot->is_live = false;
    state->live_count--;
    return status_ok();
}

static struct kvs_status open_slot(struct manifest_state *state, size_t at)
{
    if (state->slot_count == state->slot_capacity) {
        size_t capacity = state->slot_capacity == 0 ? 64 : state->slot_capacity * 2;
        struct manifest_slot *grown = realloc(state->slots, capacity * sizeof *grown);
        if (grown == NULL)
            return STATUS(KVS_NO_MEMORY, "cannot allocate a list of %zu segments", capacity);
        state->slots = grown;
        state->slot_capacity = capacity;
    }
    memmove(&state->slots[at + 1], &state->slots[at], (state->slot_count - at) * sizeof *state->slots);
    state->slot_count++;
    return status_ok();
}

static struct kvs_status add_segment(struct manifest_state *state, const struct manifest_added *added, const char *path,
                                     uint64_t offset)
{
    size_t at = find_slot(state, added->meta.number);
    bool is_known = slot_is(state, at, added->meta.number);
    struct manifest_added copy = *added;
    if (is_known && state->slots[at].is_live)
        return STATUS(KVS_CORRUPT,
                      "%s: offset %" PRIu64 ": version edit: expected a new segment, found %" PRIu64
                      ", which is listed already",
                      path, offset, added->meta.number);
    STATUS_RETURN_IF_ERROR(segment_meta_copy(&copy.meta, &added->meta));
    if (is_known) {
        segment_meta_fini(&state->slots[at].added.meta);
    } else {
        struct kvs_status status = open_slot(state, at);
        if (!status_is_ok(status)) {
            segment_meta_fini(&copy.meta);
            return status;
        }
    }
    state->slots[at] = (struct manifest_slot){copy, true};
    state->live_count++;
    return status_ok();
}

/* Segments that were removed have no use but to come back in the same edit. */
static void forget_dead_slots(struct manifest_state *state)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->slot_count; i++) {
        if (state->slots[i].is_live)
            state->slots[kept++] = state->slots[i];
        else
            segment_meta_fini(&state->slots[i].added.meta);
    }
    state->slot_count = kept;
}

/* ---- State ---- */

void manifest_state_init(struct manifest_state *state)
{
    *state = (struct manifest_state){.has_owner = false};
}

void manifest_state_fini(struct manifest_state *state)
{
    for (size_t i = 0; i < state->slot_count; i++)
        segment_meta_fini(&state->slots[i].added.meta);
    free(state->slots);
    manifest_logs_fini(&state->logs);
    manifest_state_init(state);
}

struct kvs_status manifest_state_apply(struct manifest_state *state, const struct manifest_edit *edit, const char *path,
                                       uint64_t offset)
{
    if (edit->has_owner == state->has_owner)
        return STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": version edit: expected %s, found %s", path, offset,
                      state->has_owner ? "one owner" : "an owner first", state->has_owner ? "a second" : "none");
    if (edit->has_owner) {
        memcpy(state->owner, edit->owner, sizeof state->owner);
        state->has_owner = true;
    }
    manifest_numbers_raise(&state->numbers, &edit->numbers);
    for (size_t i = 0; i < edit->removed_count; i++)
        STATUS_RETURN_IF_ERROR(remove_segment(state, &edit->removed[i], path, offset));
    for (size_t i = 0; i < edit->added_count; i++)
        STATUS_RETURN_IF_ERROR(add_segment(state, &edit->added[i], path, offset));
    if (state->slot_count > 2 * state->live_count + 64)
        forget_dead_slots(state);

    struct manifest_logs logs;
    STATUS_RETURN_IF_ERROR(manifest_logs_apply(&logs, &state->logs, edit, path, offset));
    manifest_logs_fini(&state->logs);
    state->logs = logs;
    return status_ok();
}
