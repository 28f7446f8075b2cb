/* sim_oracle.h -- what the simulation knows of the writes that were asked for, and what of them must be there.
 *
 * Role      A write is an intent until the tap sees its record in a log: then it has its sequence number and its place in the model. The order is the engine's own, the
 *           contents are ours: a record that is nobody's intent, or a second time, is a failure.
 *           Two floors say what must survive: a kill, and a power cut.
 * Threads   One fiber at a time; nothing here yields.
 */
#ifndef KVS_TESTS_SIM_SIM_ORACLE_H
#define KVS_TESTS_SIM_SIM_ORACLE_H

#include "sim_model.h"

#include "kvstore.h"

struct sim;

/* A batch on its way.
 *
 * first, last  its sequence numbers once it was seen in a log, 0 before
 * is_held      its writer still looks at it
 * is_applied   the engine said that it was applied */
struct intent {
    struct intent *next;
    size_t count;
    uint64_t hash;
    uint64_t first, last;
    uint64_t begun_ns;
    bool is_held, is_applied;
};

/* A read above the published number, to be judged when all that it may have seen is known. */
struct observation {
    uint32_t key;
    uint32_t value;
    uint64_t from, to;
};

/* next_first  the sequence number that the next new batch must have
 * given_out   the largest that a log's header showed before the open; awaits_room: that was without room, and no new batch was seen since
 * kill_floor, power_floor   everything up to here must survive
 * check_interval  the last crash was a power cut in mode interval: what it may take back is bounded by crash_ns and interval_ns
 * may_be_late     syncs were failing or slow, or the disk is full, so that only the bound for writers holds
 * room_ns         the disk was full before that: as late was the sync of what is older */
struct oracle {
    struct model model;
    struct intent *intents;
    uint64_t next_first, given_out;
    bool awaits_room;
    uint64_t kill_floor, power_floor;
    bool check_interval, may_be_late;
    uint64_t crash_ns, interval_ns, room_ns, acknowledged;
    struct observation *observations;
    size_t observation_count, observation_capacity;
};

void oracle_init(struct oracle *oracle, size_t key_count);
void oracle_fini(struct oracle *oracle);

/* The database was just opened: new batches get numbers above all that were given out. One that was opened without room passes over those that were cut
 * only when it has some, and shows it by what is published. */
void oracle_open(struct sim *sim, uint64_t given_out, bool awaits_room);

/* Published is what the engine shows now. */
void oracle_note_published(struct sim *sim, uint64_t published);

/* Whether an intent with these changes is on its way already, so that a second one could not be told from it. */
bool oracle_is_pending(const struct oracle *oracle, const struct model_change *changes, size_t count);

/* Note that a batch is about to be given to the engine; to be refused or released by the caller. */
struct intent *oracle_intend(struct sim *sim, const struct model_change *changes, size_t count);

/* The engine has refused the batch: nothing of it may ever be seen. The intent is gone. */
void oracle_refuse(struct sim *sim, struct intent *intent);

/* The engine has answered otherwise: the intent stays until its record was seen or the generation ends, but is no longer the caller's. is_applied: it
 * was applied for certain, so that a clean close brings it to a log. */
void oracle_release(struct intent *intent, bool is_applied);

/* Whether something was applied and not seen. */
bool oracle_awaits(const struct oracle *oracle);

/* The engine says that everything up to sequence is acknowledged: published, and on stable storage if is_durable. */
void oracle_acknowledge(struct sim *sim, uint64_t sequence, bool is_durable);

/* A batch was seen on its way to a log. */
void oracle_see(struct sim *sim, uint64_t first, const struct model_change *changes, size_t count);

/* A read that saw one moment between the sequence numbers from and to. keys: ranks. Fails unless there is such a moment. */
void oracle_judge(struct sim *sim, const char *who, const uint32_t *keys, const uint32_t *values, size_t count,
                  uint64_t from, uint64_t to);

/* A read of one key that may have seen what no log has yet: judged now or later. */
void oracle_judge_later(struct sim *sim, const struct observation *observation);

/* The generation is over: forget what was never seen. */
void oracle_end_generation(struct sim *sim);

/* After a power cut in mode interval: whether what is lost after the first kept batches is no more than the mode allows. */
void oracle_check_interval_loss(struct sim *sim, size_t kept);

#endif
