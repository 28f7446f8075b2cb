/* job.h -- work of one command that may block, done on the pool.
 *
 * Role      A command that cannot answer at once leaves a job in its session. run may read the disk and touches nothing but the job and the
 *           database; finish writes the reply. A job owns copies of all it needs: the request may be gone before it runs.
 * Threads   run: one pool thread at a time. finish and free: the loop of the session, never beside run.
 * Failure   run notes a failure in the job; finish turns it into a reply.
 */
#ifndef KVS_SESSION_JOB_H
#define KVS_SESSION_JOB_H

#include <kvstore.h>

struct session;
struct shared;

/* What becomes of a job whose finish was called. */
enum job_next {
    JOB_DONE,        /* the reply is written */
    JOB_AGAIN,       /* run it again; as soon as the client has taken most of what was written for it */
    JOB_AFTER_READY, /* the engine admits no write now: call finish again after `ready` */
};

enum { JOB_ERROR_BYTES = 512 };

struct job {
    void (*run)(struct job *job, const struct shared *shared);
    enum job_next (*finish)(struct job *job, struct session *session);
    void (*free)(struct job *job);
    struct kvs_status status;
    char error[JOB_ERROR_BYTES]; /* the sentence of status, which is kept by thread */
};

/* Note a failure of run, with its sentence. */
void job_fail(struct job *job, struct kvs_status status);

#endif
