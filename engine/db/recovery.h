/* recovery.h -- from what a crash left to a database that serves.
 *
 * Role      Reads the manifest and the logs, refuses what shows that acknowledged data was damaged, and makes everything that it is about to serve
 *           durable before it is served.
 * Format    format/README.md, "Replay rules".
 * Threads   One, before any other sees the database.
 * Failure   A refusal has changed nothing on disk. A crash inside leaves a state that recovers to the same.
 *
 * The order, each step durable before the next:
 *
 *     check all logs                       refuses here, or not at all
 *     copy torn tails to lost/
 *     new manifest, CURRENT                the same state, larger numbers
 *     remove what nothing lists
 *     make the new log, write the unproven records into it, sync it and its name
 *     one edit: the old logs end at the last proven record, the new log begins after it
 */
#ifndef KVS_DB_RECOVERY_H
#define KVS_DB_RECOVERY_H

#include "db/db.h"

/* Fill in the version set, the pipeline and the view of db, whose options, lock, cache and segment context are set. Errors: those of kvs_open. */
KVS_MUST_USE struct kvs_status recovery_run(struct kvs_db *db);

#endif
