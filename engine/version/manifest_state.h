/* manifest_state.h -- inside the room: what the edits of a manifest add up to, before anything is opened.
 *
 * Role      The sum of a replay. Checks each edit against those before it.
 * Threads   One owner at a time.
 * Failure   An edit that does not fit is CORRUPT, naming file, offset, expected and found.
 */
#ifndef KVS_VERSION_MANIFEST_STATE_H
#define KVS_VERSION_MANIFEST_STATE_H

#include "format/manifest_edit.h"

/* Live logs, by number. */
struct manifest_logs {
    struct manifest_log *logs;
    size_t count;
};

/* The list that an edit makes of base. logs: out, free with manifest_logs_fini. path, offset: of the edit, for messages.
 * Errors: CORRUPT (a log listed twice, or ended or dropped that is not listed), NO_MEMORY. */
KVS_MUST_USE struct kvs_status manifest_logs_apply(struct manifest_logs *logs, const struct manifest_logs *base,
                                                   const struct manifest_edit *edit, const char *path, uint64_t offset);

/* Add all that is listed to an edit that begins a manifest. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status manifest_logs_to_edit(const struct manifest_logs *logs, struct manifest_edit *edit);

void manifest_logs_fini(struct manifest_logs *logs);

/* A segment that some edit added; is_live unless a later one removed it. */
struct manifest_slot {
    struct manifest_added added;
    bool is_live;
};

/* slots  by segment number */
struct manifest_state {
    bool has_owner;
    char owner[MANIFEST_OWNER_BYTES + 1];
    struct manifest_numbers numbers;
    struct manifest_logs logs;
    struct manifest_slot *slots;
    size_t slot_count;
    size_t slot_capacity;
    size_t live_count;
};

void manifest_state_init(struct manifest_state *state);

void manifest_state_fini(struct manifest_state *state);

/* Add an edit to the sum. Errors: CORRUPT, NO_MEMORY; the state is then of no more use. */
KVS_MUST_USE struct kvs_status manifest_state_apply(struct manifest_state *state, const struct manifest_edit *edit,
                                                    const char *path, uint64_t offset);

#endif
