/* show.h -- replies as a person or a script sees them.
 *
 * Format    The text of protocol/README.md; show_raw gives a single value as it is, for pipes.
 * Threads   One.
 * Failure   Exhausted memory ends the program.
 */
#ifndef KVS_CLI_SHOW_H
#define KVS_CLI_SHOW_H

#include "words.h"

#include <kvstore_client.h>

#include <stdio.h>

enum { EXIT_FOUND = 0, EXIT_NOT_FOUND = 1, EXIT_ERROR = 2 };

/* Print the reply to a command in text. words: the command, which says how an integer or an array is meant (DEL, RANGE). */
void show_reply(FILE *file, const struct words *words, const struct kvc_reply *reply);

/* Print a value as its bytes and a line feed, anything else as show_reply. */
void show_raw(FILE *file, const struct words *words, const struct kvc_reply *reply);

/* What the program ends with after this reply. */
int show_exit_status(const struct words *words, const struct kvc_reply *reply);

#endif
