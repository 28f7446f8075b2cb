/* command.h -- the commands: one table, one way to execute.
 *
 * Role      The table says for each command its name, how many words it takes, which protocol it opens a connection with, where its keys are,
 *           what it does in a sentence, and the function that does it. Everything else that knows commands reads this table.
 * Threads   The table is constant. Commands run on the loop of their session.
 * Failure   A command that fails answers with an error; it never returns a status.
 */
#ifndef KVS_COMMAND_COMMAND_H
#define KVS_COMMAND_COMMAND_H

#include "session/session.h"

/* What the caller does next. After AFTER_APPLY and AFTER_PUBLISH the request is executed again; else it is done with. */
enum command_outcome {
    COMMAND_DONE,        /* the reply is written, not sealed */
    COMMAND_BATCHED,     /* put into the session's batch; answered when that is applied */
    COMMAND_JOB,         /* session->job answers; it is to be run on the pool */
    COMMAND_AFTER_READY, /* session->job answers; the engine admits no write now: it is to be finished after `ready` */
    COMMAND_AFTER_APPLY, /* again, once the session's batch is applied */
    COMMAND_AFTER_PUBLISH, /* again, once the session's own last write is published */
    COMMAND_CLOSE          /* as DONE; then the client is to go. There may be no reply */
};

enum command_flags {
    COMMAND_WRITES = 1,
    COMMAND_READS = 2,
    COMMAND_FAST = 4,    /* its time does not grow with the data */
    COMMAND_BATCHES = 8, /* may run while writes of its session are not applied yet */
    COMMAND_HIDDEN = 16  /* for client libraries: not shown by HELP */
};

struct command {
    const char *name; /* in capitals */
    enum command_outcome (*run)(struct session *session, const struct request *request);
    int arity; /* words, the name included; -n: n or more */
    unsigned flags;
    enum protocol_opening opening;
    int first_key, last_key,
        key_step;       /* as Redis' COMMAND has them: places of the keys among the words; last_key -1: the last word */
    const char *needs;  /* for people: "PUT needs <this>" */
    const char *syntax; /* arguments, as HELP shows them */
    const char *summary;
};

/* The command of this name in any case, NULL if there is none. */
const struct command *command_find(struct kvs_slice name);

/* Command number index in the order of HELP, NULL past the last. */
const struct command *command_at(size_t index);

/* What the protocol asks about verbs; constant. */
extern const struct protocol_commands command_openings;

/* Execute a request of this session, or answer that it is none. */
enum command_outcome command_execute(struct session *session, const struct request *request);

/* Whether the request, the next one of this session, was taken into session->job, a read that has not begun. It is then done with. */
bool command_join(struct session *session, const struct request *request);

/* For commands: the error, written only when nothing that precedes it is unanswered: returns COMMAND_DONE or COMMAND_AFTER_APPLY. */
enum command_outcome command_refuse(struct session *session, const char *code, const char *text);

/* For commands: the error of a wrong number of words. */
enum command_outcome command_refuse_count(struct session *session, const struct request *request,
                                          const struct command *command);

/* For commands: whether a word is `name`, which is in capitals, in any case. */
bool command_word_is(struct kvs_slice word, const char *name);

/* The commands; each file has a kind. */
enum command_outcome command_get(struct session *session, const struct request *request);
enum command_outcome command_mget(struct session *session, const struct request *request);
enum command_outcome command_exists(struct session *session, const struct request *request);
enum command_outcome command_put(struct session *session, const struct request *request);
enum command_outcome command_mset(struct session *session, const struct request *request);
enum command_outcome command_del(struct session *session, const struct request *request);
enum command_outcome command_range(struct session *session, const struct request *request);
enum command_outcome command_count(struct session *session, const struct request *request);
enum command_outcome command_dbsize(struct session *session, const struct request *request);
enum command_outcome command_select(struct session *session, const struct request *request);
enum command_outcome command_ping(struct session *session, const struct request *request);
enum command_outcome command_echo(struct session *session, const struct request *request);
enum command_outcome command_quit(struct session *session, const struct request *request);
enum command_outcome command_hello(struct session *session, const struct request *request);
enum command_outcome command_auth(struct session *session, const struct request *request);
enum command_outcome command_client(struct session *session, const struct request *request);
enum command_outcome command_help(struct session *session, const struct request *request);
enum command_outcome command_command(struct session *session, const struct request *request);
enum command_outcome command_info(struct session *session, const struct request *request);
enum command_outcome command_config(struct session *session, const struct request *request);

#endif
