/* reserve.h -- room on the disk that is kept for when it is full.
 *
 * Role      What a flush takes it gives back, and more, by dropping a log; but it takes first. On a full disk that is what the reserve is for: one flush of one
 *           memtable, the log that a rotation needs before it, and the edits of the manifest around it; or one compaction that is as small.
 * Format    A preallocated file, RESERVE, whose bytes nobody reads. Whoever meets a full disk unlinks it, so that any state of it is right: absent, short, or come
 *           back after a power cut. It is never synced. An open for writing and a close remove it: one that a killed process has left is room for the open.
 * Threads   Upkeep makes it, behind all that is urgent; any thread may lend it. The state is under commit.lock, the calls on the disk are not.
 * Failure   None: a reserve that cannot be made is not there.
 *
 * Files that iterators hold are not unlinked: a compaction whose inputs they are gives nothing back before they are freed. A file system that compresses zeros, or
 * has no fallocate, may have less in it than its size says.
 *
 * It is made once a memtable has been filled, or where segments take as much, so that a small database has none; and only where there is as much room again beyond
 * it. It is tried once after each rotation, so that a disk at its edge sees no dance of making and giving up.
 */
#ifndef KVS_DB_RESERVE_H
#define KVS_DB_RESERVE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct kvs_db;

/*      NONE ---- made by upkeep ----> HELD ---- a full disk ----> LENT
 *       ^                              |                           |
 *       +---------- close -------------+                           |
 *       +---------- that flush is over, or none is to come --------+
 *
 * While it is lent upkeep allocates nothing but the log that the flush needs: else the next log would take the room first. */
enum reserve_state { RESERVE_NONE, RESERVE_HELD, RESERVE_LENT };

/* What it takes on the disk. */
uint64_t reserve_bytes(const struct kvs_db *db);

/* Make it, if the disk has the room. Upkeep, with none held. */
void reserve_make(struct kvs_db *db);

/* Give it up, for a call that failed with NO_SPACE; false: there was none, and the call would fail again; failure, if it is one, then still has its sentence. No
 * lock held. */
bool reserve_lend(struct kvs_db *db, struct kvs_status failure);

/* What it was lent for is over. Commit lock. */
void reserve_settle_locked(struct kvs_db *db);

/* Remove what another process has left, or this one holds at its close. The database to oneself. */
void reserve_remove(struct kvs_db *db);

#endif
