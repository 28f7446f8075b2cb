/* options.h -- the command lines of kvstore_client, of its import and of its export.
 *
 * Failure   A wrong command line prints one line to stderr and ends the program with status 2; --help, --usage and --version print and end it with 0.
 */
#ifndef KVS_CLI_OPTIONS_H
#define KVS_CLI_OPTIONS_H

#include "base/kvstore_types.h"

struct cli_options {
    const char *host;
    uint16_t port;
    uint32_t
        timeout_ms; /* of a connection attempt and of a reply; 0 is the default: 5 s for the former, no limit for the latter */
    unsigned database;
    char **command; /* borrowed from argv; its words are not looked at as options */
    size_t command_count;
};

enum record_format { RECORD_TSV, RECORD_JSONL };

struct transfer_options {
    enum record_format format;
    const char *prefix; /* export: only keys that begin with it; "" for all */
    const char *file;   /* NULL for stdin or stdout */
};

void options_parse(struct cli_options *options_out, int argc, char **argv);

/* argv[0] is "import" or "export". */
void options_parse_transfer(struct transfer_options *options_out, size_t argc, char **argv);

#endif
