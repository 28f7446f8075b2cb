/* commands.h -- what the client itself knows of the server's commands: names for completion, one line each for help.
 *
 * Role      A convenience only: any other word is sent to the server just the same.
 * Threads   Constant data.
 */
#ifndef KVS_CLI_COMMANDS_H
#define KVS_CLI_COMMANDS_H

#include "base/slice.h"

#include <stdio.h>

struct command_help {
    const char *name;
    const char *arguments; /* "key value" */
    const char *summary;
};

/* The commands in alphabetical order. count_out: how many. */
const struct command_help *commands_list(size_t *count_out);

/* Whether word is the name of one, in any case. */
bool commands_known(struct kvs_slice word);

/* Print the line of one command, or of all where name is empty. Returns false where there is no such command. */
bool commands_print_help(FILE *file, struct kvs_slice name);

#endif
