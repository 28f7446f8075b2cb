/* snapshot.h -- the sequence numbers that must stay readable.
 *
 * Role      A list of live snapshots, and the rule for what flush and compaction may drop: H = min(published, oldest snapshot), read under the same small mutex
 *           under which a snapshot reads the published number and is listed, so that none is made below an H already in use.
 * Threads   Any; its own mutex, innermost of all locks.
 */
#ifndef KVS_DB_SNAPSHOT_H
#define KVS_DB_SNAPSHOT_H

#include "io/io_thread.h"

#include <stdatomic.h>

struct kvs_db;

struct kvs_snapshot {
    struct kvs_db *db;
    struct kvs_snapshot *older, *newer; /* list lock */
    uint64_t sequence;
};

struct snapshots {
    struct io_mutex lock;
    struct kvs_snapshot *oldest, *newest; /* lock */
    uint64_t count;                       /* lock */
};

void snapshots_init(struct snapshots *snapshots, struct io *io);
void snapshots_fini(struct snapshots *snapshots);

/* List a snapshot at the present published number. */
void snapshots_add(struct snapshots *snapshots, struct kvs_snapshot *snapshot, const _Atomic uint64_t *published);
void snapshots_remove(struct snapshots *snapshots, struct kvs_snapshot *snapshot);

/* H: of each key, the newest version at or below it and all above it are kept. */
uint64_t snapshots_horizon(struct snapshots *snapshots, const _Atomic uint64_t *published);

/* How many snapshots live. */
uint64_t snapshots_count(struct snapshots *snapshots);

#endif
