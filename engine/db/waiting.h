/* waiting.h -- a database that was opened while the disk was full.
 *
 * Role      Opening needs room for what recovery writes: torn tails set aside, a new manifest, a new log. Where there is none, what was read is served and writes get
 *           NO_SPACE. A thread tries the rest of the recovery again until there is room; then the pipeline and its workers start, and writes go on.
 *
 *                                       NO_SPACE                         room
 *              recovery_run -------------------------> WAITING -------------------------> open for writing
 *                                                         |  a step failed that cannot be repeated
 *                                                         +-------------------------------------------> stays: reads only, until it is reopened
 *
 * Crash     What is shown as durable was made so where it stands (version_set_prove, log_write_again). While it waits nothing has changed but, at most, copies in lost/ and
 *           a new manifest of the same state: the next open recovers to the same.
 * Close     Makes nothing durable that was not, and says NO_SPACE where something was not: in modes interval and os what the last process left unproven.
 * Threads   One of its own. is_on may be read anywhere; shortage belongs to the commit lock.
 * Failure   The last one is what writers are told: as NO_SPACE while there will be another try, as POISONED when there is none.
 */
#ifndef KVS_DB_WAITING_H
#define KVS_DB_WAITING_H

#include "base/status.h"
#include "io/io_thread.h"

#include <stdatomic.h>

struct kvs_db;
struct recovery;

/* is_on     writes are refused; cleared with release when all that they need is there
 * recovery  what is left to do; NULL: the database was opened with room */
struct waiting {
    _Atomic bool is_on;
    struct recovery *recovery;
    struct io_thread thread;
    struct io_condition wake;
    bool is_started, stopping;
    struct kept_status shortage;
};

void waiting_init(struct kvs_db *db);
void waiting_fini(struct kvs_db *db);

/* There is no room for the rest of a recovery, which is taken over. */
void waiting_note(struct kvs_db *db, struct recovery *recovery, struct kvs_status status);

/* Start to look for room. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status waiting_start(struct kvs_db *db);

/* Stop that; afterwards it is certain whether the pipeline has started. */
void waiting_stop(struct kvs_db *db);

/* Why writes are refused; OK: they are not. */
KVS_MUST_USE struct kvs_status waiting_shortage(struct kvs_db *db);

static inline bool waiting_is_on(const struct waiting *waiting)
{
    return atomic_load_explicit(&waiting->is_on, memory_order_acquire);
}

#endif
