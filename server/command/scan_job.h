/* scan_job.h -- a walk over a range of keys, in slices of the pool.
 *
 * Role      RANGE, COUNT and DBSIZE. A slice of a walk takes a bounded number of steps and a bounded number of bytes; between slices the
 *           client's replies are sent, and no slice begins while it has many to read.
 * Threads   As struct job.
 * Failure   A failure before the first byte of the reply is an error reply; one in the middle breaks the session, for nothing that is
 *           sent then could be told from data.
 *
 * RESP says first how many items a reply has. A reply that fits one slice is counted as it is gathered; for a longer one the rest is walked twice,
 * first to count it, both times as of one moment, so that memory stays bounded.
 *
 *     COLLECT --(over: all that fits a slice)--> done
 *        |  \--(text)-----------------------------+
 *        v                                        v
 *     COUNT --(RANGE: over, the size is known)-> STREAM --(over)--> done
 *        \--(COUNT and DBSIZE: over)--> done
 */
#ifndef KVS_COMMAND_SCAN_JOB_H
#define KVS_COMMAND_SCAN_JOB_H

#include "session/session.h"

struct scan_options {
    struct kvs_slice from; /* empty: from the first key of the database on */
    struct kvs_slice to;   /* empty: to its last */
    uint64_t limit;        /* at most so many */
    bool is_reverse;
    bool is_count; /* only how many there are */
};

/* A job for this session's database; options are copied. NULL: no memory. */
struct job *scan_job_new(const struct session *session, const struct scan_options *options);

#endif
