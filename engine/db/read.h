/* read.h -- what point reads and scans share. */
#ifndef KVS_DB_READ_H
#define KVS_DB_READ_H

#include "db/db.h"

/* The sequence number that a read sees up to; after the view was taken. options may be NULL. */
static inline uint64_t read_horizon(struct kvs_db *db, const struct kvs_read_options *options)
{
    if (options != NULL && options->snapshot != NULL)
        return options->snapshot->sequence;
    uint64_t horizon = commit_published(&db->commit);
    if (options == NULL || options->at_least <= horizon)
        return horizon;
    /* Never beyond what is applied: a batch that is being inserted would show half of itself. */
    uint64_t applied = atomic_load_explicit(&db->commit.applied_sequence, memory_order_acquire);
    return options->at_least < applied ? options->at_least : applied;
}

#endif
