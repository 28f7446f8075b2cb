/* manifest_edit.h -- one atomic change of what a database consists of.
 *
 * Role      What a manifest record holds: segments and logs that come and go, and numbers that only grow. A manifest that is written
 *           whole is the same thing: edits that add everything to nothing.
 * Format    format/README.md, "Manifest".
 * Threads   Plain values; one owner at a time.
 * Failure   Decoding checks sizes, counts and ranges of each field before it allocates; it does not know the other edits, so whether a
 *           removed segment was ever there is checked by version/manifest_state.h.
 */
#ifndef KVS_FORMAT_MANIFEST_EDIT_H
#define KVS_FORMAT_MANIFEST_EDIT_H

#include "format/segment_meta.h"

/* MANIFEST_LEVELS       levels are 0 .. MANIFEST_LEVELS - 1
 * MANIFEST_OWNER_BYTES  the longest owner, without a terminator
 * MANIFEST_EDIT_BYTES   the largest encoded edit; what is larger is split (only whole manifests can be) or refused */
enum { MANIFEST_LEVELS = 8, MANIFEST_OWNER_BYTES = 31, MANIFEST_EDIT_BYTES = BATCH_MAX_BYTES };

/* A segment that belongs to a run of a level from now on. Runs of a level are ordered by run, the larger the newer. */
struct manifest_added {
    unsigned level;
    uint64_t run;
    struct segment_meta meta; /* owned by the edit */
};

struct manifest_removed {
    unsigned level;
    uint64_t run;
    uint64_t number;
};

/* A live log. size_bytes and last_record are known, and synced, once is_ended. last_record is first_record - 1 for a log that ended
 * without a record. */
struct manifest_log {
    uint64_t number;
    uint64_t first_record;
    bool is_ended;
    uint64_t size_bytes;
    uint64_t last_record;
};

/* Numbers that only grow: 0 says nothing, and a reader of many edits takes the largest of each.
 *
 * next_file_number    all files up to here, exclusively, may have existed
 * published_sequence  was published when the edit was written
 * durable_record      the last log record known to be on stable storage
 * last_sequence       the last sequence number given out (also to entries that were cut)
 * largest_now_ms      the latest "now" that an expiry was judged by */
struct manifest_numbers {
    uint64_t next_file_number;
    uint64_t published_sequence;
    uint64_t durable_record;
    uint64_t last_sequence;
    uint64_t largest_now_ms;
};

/* An edit applies as: segments removed, then added (a segment in both moves); logs added, then ended, then dropped.
 *
 * has_owner, owner  who made the database; in the first record of every manifest, and only there */
struct manifest_edit {
    bool has_owner;
    char owner[MANIFEST_OWNER_BYTES + 1];
    struct manifest_numbers numbers;
    struct manifest_removed *removed;
    struct manifest_added *added;
    struct manifest_log *logs_added; /* only number and first_record count */
    struct manifest_log *logs_ended; /* first_record does not count */
    uint64_t *logs_dropped;
    size_t removed_count, added_count, logs_added_count, logs_ended_count, logs_dropped_count;
};

/* Nothing. Allocates nothing. */
void manifest_edit_init(struct manifest_edit *edit);

/* Free what the edit owns; it is then empty. */
void manifest_edit_fini(struct manifest_edit *edit);

/* Whether applying the edit changes nothing but numbers. */
bool manifest_edit_is_empty(const struct manifest_edit *edit);

/* Record the owner: at most MANIFEST_OWNER_BYTES bytes before its terminator (the caller has checked). */
void manifest_edit_set_owner(struct manifest_edit *edit, const char *owner);

/* Append one change. meta is copied. Errors: NO_MEMORY; the edit is then as before. */
KVS_MUST_USE struct kvs_status manifest_edit_add_segment(struct manifest_edit *edit, unsigned level, uint64_t run,
                                                         const struct segment_meta *meta);
KVS_MUST_USE struct kvs_status manifest_edit_remove_segment(struct manifest_edit *edit, unsigned level, uint64_t run,
                                                            uint64_t number);
KVS_MUST_USE struct kvs_status manifest_edit_add_log(struct manifest_edit *edit, uint64_t number,
                                                     uint64_t first_record);
KVS_MUST_USE struct kvs_status manifest_edit_end_log(struct manifest_edit *edit, uint64_t number, uint64_t size_bytes,
                                                     uint64_t last_record);
KVS_MUST_USE struct kvs_status manifest_edit_drop_log(struct manifest_edit *edit, uint64_t number);

/* Raise each number to at least that of other. */
void manifest_numbers_raise(struct manifest_numbers *numbers, const struct manifest_numbers *other);

/* The bytes that manifest_edit_encode writes. */
size_t manifest_edit_size(const struct manifest_edit *edit);

/* Write the edit at at, which has room for manifest_edit_size bytes. Returns the address after it. */
uint8_t *manifest_edit_encode(uint8_t *at, const struct manifest_edit *edit);

/* Read an edit from the size bytes of a record's payload. edit: out, the caller's to fini; untouched on failure.
 * path, offset: where the payload stands, for messages.
 *
 * Errors: CORRUPT (a field that does not parse or is out of range), UNSUPPORTED (a field that has to be understood and is not),
 * NO_MEMORY. */
KVS_MUST_USE struct kvs_status manifest_edit_decode(struct manifest_edit *edit, const void *data, size_t size,
                                                    const char *path, uint64_t offset);

#endif
