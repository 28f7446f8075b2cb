#include "manifest_plain.h"

#include "base/assert.h"

static size_t find_segment(const struct manifest_plain *plain, uint64_t number)
{
    size_t at = 0;
    while (at < plain->segment_count && plain->segments[at].number != number)
        at++;
    return at;
}

static size_t find_log(const struct manifest_plain *plain, uint64_t number)
{
    size_t at = 0;
    while (at < plain->log_count && plain->logs[at].number != number)
        at++;
    return at;
}

static bool apply_segments(struct manifest_plain *plain, const struct manifest_edit *edit)
{
    for (size_t i = 0; i < edit->removed_count; i++) {
        size_t at = find_segment(plain, edit->removed[i].number);
        if (at == plain->segment_count || plain->segments[at].level != edit->removed[i].level ||
            plain->segments[at].run != edit->removed[i].run)
            return false;
        plain->segments[at] = plain->segments[--plain->segment_count];
    }
    for (size_t i = 0; i < edit->added_count; i++) {
        const struct manifest_added *added = &edit->added[i];
        if (find_segment(plain, added->meta.number) != plain->segment_count)
            return false;
        KVS_ASSERT(plain->segment_count < PLAIN_SEGMENTS_MAX);
        plain->segments[plain->segment_count++] =
            (struct manifest_removed){.level = added->level, .run = added->run, .number = added->meta.number};
    }
    return true;
}

static bool apply_logs(struct manifest_plain *plain, const struct manifest_edit *edit)
{
    for (size_t i = 0; i < edit->logs_added_count; i++) {
        if (find_log(plain, edit->logs_added[i].number) != plain->log_count)
            return false;
        KVS_ASSERT(plain->log_count < PLAIN_LOGS_MAX);
        plain->logs[plain->log_count++] = edit->logs_added[i];
    }
    for (size_t i = 0; i < edit->logs_ended_count; i++) {
        const struct manifest_log *end = &edit->logs_ended[i];
        size_t at = find_log(plain, end->number);
        if (at == plain->log_count || plain->logs[at].is_ended || end->last_record + 1 < plain->logs[at].first_record)
            return false;
        plain->logs[at].is_ended = true;
        plain->logs[at].size_bytes = end->size_bytes;
        plain->logs[at].last_record = end->last_record;
    }
    for (size_t i = 0; i < edit->logs_dropped_count; i++) {
        size_t at = find_log(plain, edit->logs_dropped[i]);
        if (at == plain->log_count)
            return false;
        plain->logs[at] = plain->logs[--plain->log_count];
    }
    return true;
}

bool manifest_plain_apply(struct manifest_plain *plain, const struct manifest_edit *edit)
{
    if (edit->has_owner == plain->has_owner)
        return false;
    plain->has_owner = true;
    manifest_numbers_raise(&plain->numbers, &edit->numbers);
    return apply_segments(plain, edit) && apply_logs(plain, edit);
}

static bool is_same_log(const struct manifest_log *a, const struct manifest_log *b)
{
    return a->number == b->number && a->first_record == b->first_record && a->is_ended == b->is_ended &&
           (!a->is_ended || (a->size_bytes == b->size_bytes && a->last_record == b->last_record));
}

void manifest_plain_expect(const struct manifest_plain *plain, const struct manifest_state *state)
{
    size_t live = 0;
    for (size_t i = 0; i < state->slot_count; i++) {
        const struct manifest_added *added = &state->slots[i].added;
        if (!state->slots[i].is_live)
            continue;
        size_t at = find_segment(plain, added->meta.number);
        KVS_ASSERT(at < plain->segment_count && plain->segments[at].level == added->level &&
                   plain->segments[at].run == added->run);
        live++;
    }
    KVS_ASSERT(live == plain->segment_count && live == state->live_count);
    KVS_ASSERT(state->logs.count == plain->log_count);
    for (size_t i = 0; i < plain->log_count; i++) {
        KVS_ASSERT(i == 0 || state->logs.logs[i - 1].number < state->logs.logs[i].number);
        size_t at = find_log(plain, state->logs.logs[i].number);
        KVS_ASSERT(at < plain->log_count && is_same_log(&plain->logs[at], &state->logs.logs[i]));
    }
    KVS_ASSERT(memcmp(&plain->numbers, &state->numbers, sizeof plain->numbers) == 0);
}
