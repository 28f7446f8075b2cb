/* recovery.h -- from what a crash left to a database that serves.
 *
 * Role      Reads the manifest and the logs, refuses what shows that acknowledged data was damaged, and makes everything that it is about to serve
 *           durable before it is served.
 * Format    format/README.md, "Replay rules".
 * Threads   One, before any other sees the database.
 * Failure   A refusal has changed nothing on disk. A crash inside leaves a state that recovers to the same. Where there is no room for the steps that write, the
 *           database is served as it was read (waiting.h), and they are tried again later.
 *
 * The order, each step durable before the next:
 *
 *     read all logs into memtables         refuses here, or not at all
 *     copy torn tails to lost/
 *     new manifest, CURRENT                the same state, larger numbers
 *     remove what nothing lists
 *     make the new log
 *     mode always: write the unproven records into it, sync it and its name
 *     one edit: the old logs end at the last proven record, the new log begins after it
 *
 * In the other modes a kill is all that unproven records have to survive before they are flushed: they stay where they are, in logs without a listed end, the
 * new log goes on with the next number, and their memtables are flushed at once. Until that flush is durable nothing later is, either: a sync waits for it, so no
 * watermark passes a record that a power cut could still take back. Where something was cut, numbers are missing, which only a listed end explains: then they are
 * written again in every mode.
 */
#ifndef KVS_DB_RECOVERY_H
#define KVS_DB_RECOVERY_H

#include "db/db.h"

struct recovery;

/* Fill in the version set, the pipeline and the view of db, whose options, lock, cache and segment context are set. Where there is no room, db->waiting has been told
 * when it returns OK. Errors: those of kvs_open. */
KVS_MUST_USE struct kvs_status recovery_run(struct kvs_db *db);

/* What a recovery without room has left to do. Readers may be at work; nobody else is. Errors: those of kvs_open; see recovery_may_repeat. */
KVS_MUST_USE struct kvs_status recovery_try_again(struct recovery *recovery);

/* Whether a try that failed may be made again. */
bool recovery_may_repeat(const struct recovery *recovery);

/* Free it; NULL is allowed. */
void recovery_abandon(struct recovery *recovery);

#endif
