/* piped.h -- commands from standard input, one per line, where nobody watches.
 *
 * Role      The lines that have arrived are sent together and their replies printed in text, in order, before more is waited for: fast for a file, and a
 *           program that writes a line and waits for its reply gets it.
 * Threads   One.
 * Failure   A failed connection ends the run.
 */
#ifndef KVS_CLI_PIPED_H
#define KVS_CLI_PIPED_H

#include "session.h"

/* Run until QUIT, EXIT or the end of the input. Returns the exit status: EXIT_ERROR if any reply was an error. */
int piped_run(struct session *session);

#endif
