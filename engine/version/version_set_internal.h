/* version_set_internal.h -- inside the room: what a version_set is made of. */
#ifndef KVS_VERSION_VERSION_SET_INTERNAL_H
#define KVS_VERSION_VERSION_SET_INTERNAL_H

#include "version/manifest_state.h"
#include "version/version_set.h"

struct version_set {
    struct io *io;
    char *folder;
    const struct segment_context *segments;
    version_log_function *log;
    void *log_context;
    uint64_t manifest_bytes;
    uint8_t uuid[FILE_UUID_BYTES];
    char owner[MANIFEST_OWNER_BYTES + 1];

    /* Only grows; relaxed, as an edit reads it under edit_mutex and numbers taken beside it are covered by the next open's search. */
    _Atomic uint64_t next_number;

    /* Under edit_mutex.
     * manifest        NULL while the set is for reading
     * recovered_number  of the manifest that was replayed, and what that found
     * renew_bytes     a manifest of this size is written anew */
    struct io_mutex edit_mutex;
    struct manifest *manifest;
    uint64_t recovered_number;
    struct manifest_replay_result recovered;
    uint64_t renew_bytes;

    /* Under mutex.
     * unused    segments without references, still open
     * obsolete  closed files */
    struct io_mutex mutex;
    struct version *current;
    struct manifest_logs logs;
    struct manifest_numbers numbers;
    struct version_file *unused;
    struct version_file *obsolete;
    uint64_t waiting_count;
    bool is_poisoned;
};

/* Tell the log of the set. */
__attribute__((format(printf, 3, 4))) void version_set_tell(const struct version_set *set, struct kvs_status status,
                                                            const char *format, ...);

/* Hand over a segment whose last reference is gone. */
void version_set_take_unused(struct version_set *set, struct version_segment *segment);

/* Put a file among the obsolete ones; owned by the set from now on. */
void version_set_take_obsolete(struct version_set *set, struct version_file *file);

/* Raise next_number past every number in the folder and in lost/. Errors: IO, UNSUPPORTED (a number too large to go on from). */
KVS_MUST_USE struct kvs_status version_set_scan_numbers(struct version_set *set);

/* After a manifest that has lost its end: give every file that it does not list a second name in lost/, durable on return. Errors: IO, NO_SPACE,
 * NO_MEMORY; nothing has lost its name then. */
KVS_MUST_USE struct kvs_status version_set_set_aside(struct version_set *set);

/* Append an edit without changes, so that everything before it is covered by a later record; edit_mutex held. */
KVS_MUST_USE struct kvs_status version_set_append_empty_locked(struct version_set *set);

/* Close all unused segments and forget all obsolete files; nothing is deleted. */
void version_set_forget_files(struct version_set *set);

#endif
