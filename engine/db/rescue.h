/* rescue.h -- what is published goes to a segment when the log has failed.
 *
 * Role      After a failed write or sync of the log, what it holds is unknown: pages that readers have seen may be gone from the disk although the page cache
 *           shows them. Memory still has them, so one run of level 0 is made of every published entry, and installed if the manifest still works. What was
 *           not published keeps its unknown outcome: it is not in the run, and the logs stay listed for the next open to decide.
 * Crash     Before the edit is synced: an unlisted segment, which the next open removes; after it: entries up to the run's last number are taken from the run, and
 *           replay passes over them in the logs, of which the manifest says only how far they are durable.
 * Threads   The flush thread, once the pipeline is poisoned: nothing is applied any more. A close waits for it.
 * Failure   Nothing has changed; it may be tried again.
 */
#ifndef KVS_DB_RESCUE_H
#define KVS_DB_RESCUE_H

#include "db/db.h"

/* Make and install the run; the view of readers stays as it is. OK too where nothing is to be saved, or the manifest is poisoned as well.
 *
 * saved  out: the last sequence number that is in segments now; 0: nothing was done
 *
 * Errors: NO_SPACE, NO_MEMORY, IO, POISONED (the manifest failed at this). */
KVS_MUST_USE struct kvs_status rescue_run(struct kvs_db *db, uint64_t *saved);

#endif
