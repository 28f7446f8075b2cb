/* install.h -- putting the result of a flush or compaction in the place of what it was made from.
 *
 * Role      Makes the edit durable through the version_set and publishes a view with the new version, in one step for readers.
 * Threads   One of flush and compaction each; the version_set puts them in order.
 * Failure   NO_SPACE, NO_MEMORY and IO leave everything as it was and the new files are deleted. Anything else has poisoned the manifest, and with it the pipeline.
 */
#ifndef KVS_DB_INSTALL_H
#define KVS_DB_INSTALL_H

#include "compaction/compaction.h"
#include "db/db.h"

/* Install edit; flushed_count of the oldest sealed memtables, which end at flushed, leave the view in the same step (0 for a compaction). The edit's
 * contents are consumed whatever comes.
 *
 * Errors: NO_SPACE, NO_MEMORY, IO, POISONED. */
KVS_MUST_USE struct kvs_status install_result(struct kvs_db *db, struct version_edit *edit, uint32_t flushed_count,
                                              struct position flushed);

/* How segments of this database are written. */
struct compaction_environment install_environment(struct kvs_db *db);

#endif
