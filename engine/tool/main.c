#include "tool.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

const char *argp_program_version = "kvstore_tool " KVSTORE_VERSION;

/* What the command line asks for. */
struct request {
    const char *words[3];
    unsigned count;
};

static const char documentation[] = "Look at a database without changing it. No server may have it open.\v"
                                    "Commands:\n"
                                    "  verify DIR        read everything and check every checksum and invariant\n"
                                    "  stats DIR         levels, counters and options\n"
                                    "  dump DIR          the edits of the current manifest, as text\n"
                                    "  dump DIR FILE     a log or segment of DIR as text: 000012.log, 000012.seg\n"
                                    "\n"
                                    "Exit status: 0 fine, 1 damage or another failure, 2 bad usage.";

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (request->count == sizeof request->words / sizeof *request->words)
            argp_error(state, "too many arguments: %s", argument);
        request->words[request->count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (request->count < 2)
            argp_error(state, "a command and a folder are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static struct kvs_status run(const struct request *request, bool *is_known)
{
    const char *command = request->words[0], *folder = request->words[1], *file = request->words[2];
    *is_known = true;
    if (strcmp(command, "verify") == 0 && file == NULL)
        return tool_verify(folder, isatty(STDERR_FILENO) == 1);
    if (strcmp(command, "stats") == 0 && file == NULL)
        return tool_stats(folder);
    if (strcmp(command, "dump") == 0)
        return tool_dump(folder, file);
    *is_known = false;
    return status_ok();
}

int main(int argc, char **argv)
{
    static const struct argp argp = {.parser = parse_option, .args_doc = "COMMAND DIR [FILE]", .doc = documentation};
    struct request request = {0};
    bool is_known;
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &request);
    struct kvs_status status = run(&request, &is_known);
    if (!is_known) {
        fprintf(stderr, "kvstore_tool: unknown command \"%s\" (see --help)\n", request.words[0]);
        return EXIT_USAGE;
    }
    if (!status_is_ok(status)) {
        fflush(stdout);
        fprintf(stderr, "kvstore_tool: %s\n", status_text(status));
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
