/* session.h -- the connection of the command line client, made again when the server went away.
 *
 * Role      A command is never sent twice: the caller may not know whether the first took effect. A connection that is found closed *before* a command
 *           is made again first, in the same database.
 * Threads   One.
 * Failure   status_text has the sentence.
 */
#ifndef KVS_CLI_SESSION_H
#define KVS_CLI_SESSION_H

#include "options.h"
#include "words.h"

#include <kvstore_client.h>

struct session {
    const struct cli_options *options; /* borrowed */
    struct kvc_connection *connection; /* NULL while there is none */
    unsigned database;                 /* what a new connection selects */
};

/* Connect for the first time. On failure the session needs no close. Errors: as kvc_connect. */
KVS_MUST_USE struct kvs_status session_open(struct session *session, const struct cli_options *options);

void session_close(struct session *session);

/* Make sure that there is a connection. is_new_out: whether it had to be made again. Errors: as kvc_connect. */
KVS_MUST_USE struct kvs_status session_restore(struct session *session, bool *is_new_out);

/* Send a command and wait for its reply. reply_out: owned by the caller. Errors: as kvc_command. */
KVS_MUST_USE struct kvs_status session_command(struct session *session, struct kvc_reply **reply_out,
                                               const struct words *words);

/* Take note of a reply: a SELECT that succeeded is repeated on a new connection. */
void session_note(struct session *session, const struct words *words, const struct kvc_reply *reply);

#endif
