/* interactive.h -- the prompt: line editing, history, completion, help.
 *
 * Role      Lines go to the server and replies come back as text. History is kept in ~/.kvstore_history (mode 0600), without AUTH lines; Ctrl-R searches
 *           it; Tab completes command names.
 * Threads   One.
 * Failure   A lost connection is said, and the next line makes a new one.
 */
#ifndef KVS_CLI_INTERACTIVE_H
#define KVS_CLI_INTERACTIVE_H

#include "session.h"

/* Run until QUIT, EXIT or the end of the input. Returns the exit status. */
int interactive_run(struct session *session);

#endif
