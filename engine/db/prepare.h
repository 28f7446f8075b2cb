/* prepare.h -- the memtable and the log that a rotation finds ready.
 *
 * Role      Admission rotates to a prepared pair at once. Making its log takes two syncs, and upkeep has other syncs to do meanwhile, so that a spare log is kept
 *           where there were rotations: the next pair then takes memory only. A spare one is given up where room is short.
 * Threads   Upkeep; open and close have the database to themselves.
 * Crash     Logs that the manifest does not list, with a header and zeros: the next open removes them.
 */
#ifndef KVS_DB_PREPARE_H
#define KVS_DB_PREPARE_H

#include "db/db.h"

/* What the next memtable and log are made for.
 *
 * table_bytes  what the memtable must hold at least
 * log_bytes    what the log must hold beyond what fills the memtable
 * first_bytes  what is to be preallocated at once, if there is room and the log may grow as large; 0: one piece */
struct prepare_sizes {
    uint64_t table_bytes;
    uint64_t log_bytes;
    uint64_t first_bytes;
};

/* What the next log is likely to need, for first_bytes; 0: no log before it says so. */
uint64_t prepare_likely_bytes(const struct commit *commit);

/* Make the next pair, of the spare log if that will do, durable in name. Errors: NO_SPACE, NO_MEMORY, IO; nothing is left behind but, at most, a file that
 * the next open removes. */
KVS_MUST_USE struct kvs_status prepare_next(struct kvs_db *db, struct prepared_log *prepared,
                                            const struct prepare_sizes *sizes);

/* Free a pair that is not used, with its file. */
void prepare_discard(struct kvs_db *db, struct prepared_log *prepared);

/* Make the spare log, if there is none. Nobody waits for it: a failure leaves none. first_bytes: as above. */
void prepare_spare(struct kvs_db *db, uint64_t first_bytes);

/* Remove the spare log, if there is one. */
void prepare_discard_spare(struct kvs_db *db);

#endif
