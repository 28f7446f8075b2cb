/* transfer.h -- import and export: all records of a file to the server, or of the server to a file.
 *
 * Role      Import keeps a bounded number of SETs under way; export asks for page after page with RANGE from LIMIT, each from just behind the last key.
 * Threads   One.
 * Failure   A bad line or an error reply is counted, the first is shown with its line number, and the rest goes on. A failed connection or file ends the
 *           run with a sentence.
 */
#ifndef KVS_CLI_TRANSFER_H
#define KVS_CLI_TRANSFER_H

#include "session.h"

/* Return the exit status: EXIT_ERROR if anything went wrong. */
int import_run(struct session *session, const struct transfer_options *options);
int export_run(struct session *session, const struct transfer_options *options);

#endif
