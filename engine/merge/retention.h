/* retention.h -- which entries a flush or compaction keeps.
 *
 * Role      DESIGN "What may be dropped": of each user key every version above the horizon H and the newest at or below it; and that one not
 *           either if it is a delete and nothing older than the inputs can hold the key. H = min(published, oldest snapshot).
 * Threads   One at a time.
 * Failure   An entry out of order is CORRUPT: it came from a file. retention_keep allocates for keys longer than any before.
 */
#ifndef KVS_MERGE_RETENTION_H
#define KVS_MERGE_RETENTION_H

#include "base/buffer.h"
#include "base/key.h"

/* Whether a run that is older than the inputs, and not among them, may hold user_key. Asked for ascending keys. */
typedef bool retention_may_be_older(void *context, struct kvs_slice user_key);

/* dropped_versions    entries hidden from every reader by a newer one
 * dropped_tombstones  deletes with nothing below them */
struct retention {
    uint64_t horizon;
    retention_may_be_older *may_be_older;
    void *context;
    uint64_t dropped_versions;
    uint64_t dropped_tombstones;
    struct buffer user_key; /* of the entry before, as trailer */
    uint64_t trailer;
    bool has_key;
    bool is_settled; /* the newest version at or below the horizon has come by */
};

void retention_init(struct retention *retention, uint64_t horizon, retention_may_be_older *may_be_older, void *context);

void retention_fini(struct retention *retention);

/* Decide on the next entry; entries come in internal order, all versions of a key in one pass. is_new_user_key may be NULL: out, whether the
 * entry is the first of its user key. An entry equal to the one before is dropped. Errors: CORRUPT, NO_MEMORY. */
KVS_MUST_USE struct kvs_status retention_keep(struct retention *retention, bool *keep, bool *is_new_user_key,
                                              struct key key);

#endif
