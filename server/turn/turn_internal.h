/* turn_internal.h -- what the files of this room share. */
#ifndef KVS_TURN_TURN_INTERNAL_H
#define KVS_TURN_TURN_INTERNAL_H

#include "turn/turn.h"

/* Move a session that is in no queue to RUNNING, and among those to run. */
void turn_resume(struct turn *turn, struct session *session);

void turn_enqueue(struct session_queue *queue, struct session *session);
void turn_dequeue(struct session *session);

/* apply.c: hand the batches of the writers to the engine; answer those that were applied. */
void turn_apply(struct turn *turn);

/* apply.c: the engine admits writes again: those that wait try again, in order. */
void turn_admit(struct turn *turn);

/* apply.c: the engine's callback; context is the turn. */
void turn_on_ready(void *context);

/* The engine admits no write of this session now: it waits for `ready`, in no other queue. And: the write for which it waited, if any, is applied or refused for good. */
void turn_await_ready(struct turn *turn, struct session *session);
void turn_end_wait(struct session *session);

/* publish.c: note what the session's held replies, or its wait, need published. */
void turn_gate(struct turn *turn, struct session *session);

/* publish.c: let go of what was published, or fail what never will be. */
void turn_release(struct turn *turn);

/* publish.c: ask once for all that is wanted. */
void turn_request(struct turn *turn);

#endif
