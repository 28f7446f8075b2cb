/* repair.h -- bringing back what can be read of a damaged database.
 *
 * Role      A survey says what is damaged, what of it is lost, and what the database becomes; repair makes that so in the folder itself, salvage in a new one.
 *           Run on purpose, never by kvs_open: something acknowledged is given up, and a person decides that.
 * Format    engine/README.md, "Repair".
 * Threads   One; the caller holds the folder's lock.
 * Failure   A survey changes nothing. A repair that is cut short leaves the folder as it was, or repaired, with files beside that the next open or repair removes; every
 *           original has a second name in lost/ before anything refers to its replacement.
 *
 * The order of a repair, each step durable before the next:
 *
 *     give the originals second names in lost/ (SYNC_LOST_DIRECTORY)
 *     write segments of what could be read (SYNC_SEGMENT, SYNC_SEGMENT_DIRECTORY)
 *     write a new manifest, make it current (SYNC_MANIFEST_NEW .. SYNC_CURRENT_DIRECTORY)
 *     remove the originals' first names
 */
#ifndef KVS_REPAIR_REPAIR_H
#define KVS_REPAIR_REPAIR_H

#include "io/io.h"
#include "repair/repair_report.h"

struct repair;

/* Survey a folder. repair: out, free with repair_free. for_salvage: read everything, so that it can be written elsewhere; else only what is damaged.
 *
 * Errors: NOT_FOUND (no database), UNSUPPORTED, IO (a disk that cannot be read is copied first), NO_MEMORY. */
KVS_MUST_USE struct kvs_status repair_survey(struct repair **repair, struct io *io, const char *folder,
                                             bool for_salvage);
void repair_free(struct repair *repair);

/* What was found. Valid as long as the repair. */
const struct repair_report *repair_report_of(const struct repair *repair);

/* The owner that the manifest records; where that is lost, "" or what was given to repair_set_owner. */
const char *repair_owner(const struct repair *repair);
void repair_set_owner(struct repair *repair, const char *owner);

/* Do what the survey's report says, in the folder. Nothing to do: OK. Once.
 *
 * Errors: IO, NO_SPACE, NO_MEMORY, CORRUPT, POISONED (which state is current is unknown: repair again). */
KVS_MUST_USE struct kvs_status repair_apply(struct repair *repair);

/* Write what a survey for_salvage can read into a new database, in a folder that is made by this call. Once. After a failure that folder is no database and may be
 * removed.
 *
 * Errors: those of repair_apply; IO with EEXIST where the folder is there already. */
KVS_MUST_USE struct kvs_status repair_salvage(struct repair *repair, const char *new_folder);

#endif
