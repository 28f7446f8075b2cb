/* session.h -- one client: what it has sent, where its commands are, and what it is to be told.
 *
 * Role      The state that commands work on. Knows no socket: bytes are put into `input`, replies taken from `output`.
 * Threads   One at a time: the loop that owns the connection. Only a job's run is elsewhere, and it does not see the session.
 * Failure   What the client does wrong is a reply; what would make replies wrong (no memory) sets `broken`, and the connection is dropped.
 */
#ifndef KVS_SESSION_SESSION_H
#define KVS_SESSION_SESSION_H

#include "session/batch_pool.h"
#include "session/job.h"
#include "session/output.h"
#include "session/shared.h"

#include <sys/queue.h>

enum {
    SESSION_DATABASES = 16,
    SESSION_KEY_BYTES = 65535, /* the longest key of a client */
    SESSION_STORED_KEY_BYTES = SESSION_KEY_BYTES + 1,
    SESSION_NAME_BYTES = 64,
    SESSION_OUTPUT_MARK = 1 << 20 /* with this much unsent, a client's next command waits until it has read */
};

_Static_assert(SESSION_STORED_KEY_BYTES <= KVS_KEY_MAX_BYTES,
               "a client's longest key fits behind the byte of its database");

/* Where the client's commands are.
 *
 *              +-----------------------------+
 *              v                             |
 *     IDLE -> RUNNING -> ADMISSION, PUBLISH, JOB, DRAIN
 *              |   ^           |
 *              |   +-----------+             (JOB -> ADMISSION and JOB -> DRAIN, too: a job that is not over)
 *              v
 *           CLOSING                          (from every state when the client is to go)
 */
enum session_state {
    SESSION_IDLE,      /* all that came is answered; more bytes are awaited */
    SESSION_RUNNING,   /* has something to execute, in the next turn of its loop */
    SESSION_ADMISSION, /* its batch, or its job's, waits for the engine's `ready` */
    SESSION_PUBLISH,   /* its next command waits until its own last write is published */
    SESSION_JOB,       /* its job is with the pool */
    SESSION_DRAIN,     /* the client has to read first */
    SESSION_CLOSING    /* executes nothing more */
};

TAILQ_HEAD(session_queue, session);

/* What a loop lends to its sessions. */
struct session_loop {
    struct shared *shared;
    struct batch_pool batches;
    kvs_ready_function *ready; /* with ready_context: for kvs_apply */
    void *ready_context;
};

struct session {
    struct shared *shared;
    enum session_state state;
    struct request_parser parser;
    struct byte_buffer input;
    struct output output;

    struct request request; /* being executed, or waiting for something; its bytes are at the front of input */
    enum request_result request_result;
    size_t request_offset; /* of its arguments' base in input */
    size_t request_size;
    bool has_request;
    uint64_t requests; /* so many are done with */

    struct session_loop *loop;
    struct kvs_batch *batch; /* writes not applied yet, NULL: none */
    uint64_t batch_replies;  /* commands in it: each is answered OK once it is applied */

    uint64_t waiting_since_ns; /* on the monotonic clock: since when its write is not admitted; 0: it does not wait */
    uint64_t own_sequence;     /* number of its last write, 0 once it is known to be published */
    uint64_t reply_sequence;   /* of the reply being written: the number it tells of, 0: only of published ones */
    struct job *job;
    bool job_is_back; /* run has returned */

    uint64_t id;
    unsigned database;
    bool is_resp3;
    bool is_ended;  /* the client will send no more: closed when all is answered */
    bool is_broken; /* replies are lost: to be dropped */
    size_t name_size;
    char name[SESSION_NAME_BYTES];

    /* The queues of its loop's turn. */
    struct session_queue
        *queue; /* the one of `link`: those to run if RUNNING, those to admit if ADMISSION; else NULL */
    TAILQ_ENTRY(session) link;
    TAILQ_ENTRY(session) gate_link;  /* those with held replies, or PUBLISH */
    TAILQ_ENTRY(session) flush_link; /* those whose socket is to be looked after when the turn is over */
    bool is_gated;
    bool is_to_flush;
    size_t commands_left; /* in this turn */
    size_t bytes_left;
};

/* loop and commands (what decides the protocol) are borrowed. The session must not be moved. */
void session_init(struct session *session, struct session_loop *loop, const struct protocol_commands *commands);

/* Free what it holds. It is in no queue and its job is not with the pool. */
void session_fini(struct session *session);

/* Move to another state; an illegal move is a mistake of ours and aborts. */
void session_move(struct session *session, enum session_state to);

/* The stored form of a client's key: the byte of the database, then the key. stored holds SESSION_STORED_KEY_BYTES; key.size was checked. */
struct kvs_slice session_stored_key(const struct session *session, uint8_t *stored, struct kvs_slice key);

/* The number up to which this client reads beyond what is published: that of its own last write, or 0 if that is published. The reply then
 * tells of it. */
uint64_t session_read_sequence(struct session *session);

/* Apply count batches of sessions of this loop. Outputs and errors as kvs_apply; after BUSY the loop's `ready` comes. */
KVS_MUST_USE struct kvs_status session_loop_apply(struct session_loop *loop, uint64_t *sequence, size_t *applied,
                                                  const struct kvs_batch *const *batches, size_t count);

/* This client's later reads see changes up to sequence, and so does the reply being written. */
void session_advance(struct session *session, uint64_t sequence);

/* The reply being written tells of changes up to sequence. */
void session_tell(struct session *session, uint64_t sequence);

/* A reply is whole: it leaves when what it tells is published. replies: how many were written since the last call. */
void session_seal(struct session *session, uint64_t replies);

/* Answer with a failure of the engine; text is the sentence, NULL: that of this thread's last failure. */
void session_reply_failure(struct session *session, struct kvs_status status, const char *text);

/* Memory of requests and replies, in bytes. */
size_t session_memory(const struct session *session);

#endif
