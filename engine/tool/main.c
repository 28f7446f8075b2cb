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
    bool plan;
    bool is_damaged;
    struct tool_repair_options repair;
};

enum { OPTION_PLAN = 256, OPTION_APPLY, OPTION_JSON, OPTION_OWNER };

static const struct argp_option options[] = {
    {"plan", OPTION_PLAN, NULL, 0, "repair: say what would be done, and change nothing", 0},
    {"apply", OPTION_APPLY, NULL, 0, "repair: do it", 0},
    {"json", OPTION_JSON, NULL, 0, "repair, salvage: the report as JSON", 0},
    {"owner", OPTION_OWNER, "NAME", 0, "repair, salvage: what made the database, if its manifest has lost that", 0},
    {0},
};

static const char documentation[] =
    "Look at a database, or repair it. No server may have it open.\v"
    "Commands:\n"
    "  verify DIR        read everything and check every checksum and invariant\n"
    "  stats DIR         levels, counters and options\n"
    "  dump DIR          the edits of the current manifest, as text\n"
    "  dump DIR FILE     a log or segment of DIR as text: 000012.log, 000012.seg\n"
    "  repair DIR --plan     what is damaged, what of it is lost, and what a repair would do\n"
    "  repair DIR --apply    do that; the originals are kept in DIR/lost\n"
    "  salvage DIR NEW       write what can be read of DIR into a new database\n"
    "\n"
    "Exit status: 0 fine, 1 damage or another failure, 2 bad usage.";

/* What an option is for is what it is given with. */
static void check_options(const struct request *request, struct argp_state *state)
{
    bool repairs = strcmp(request->words[0], "repair") == 0, salvages = strcmp(request->words[0], "salvage") == 0;
    if (repairs && request->plan == request->repair.apply)
        argp_error(state, "repair needs either --plan or --apply");
    if (!repairs && (request->plan || request->repair.apply))
        argp_error(state, "--plan and --apply are options of repair");
    if (!repairs && !salvages && (request->repair.as_json || request->repair.owner != NULL))
        argp_error(state, "--json and --owner are options of repair and salvage");
    if (salvages && request->count != 3)
        argp_error(state, "salvage needs two folders: the damaged one, and the name of a new one");
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case OPTION_PLAN:
        request->plan = true;
        return 0;
    case OPTION_APPLY:
        request->repair.apply = true;
        return 0;
    case OPTION_JSON:
        request->repair.as_json = true;
        return 0;
    case OPTION_OWNER:
        request->repair.owner = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (request->count == sizeof request->words / sizeof *request->words)
            argp_error(state, "too many arguments: %s", argument);
        request->words[request->count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (request->count < 2)
            argp_error(state, "a command and a folder are needed");
        check_options(request, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static struct kvs_status run(struct request *request, bool *is_known)
{
    const char *command = request->words[0], *folder = request->words[1], *file = request->words[2];
    *is_known = true;
    if (strcmp(command, "verify") == 0 && file == NULL)
        return tool_verify(folder, isatty(STDERR_FILENO) == 1);
    if (strcmp(command, "stats") == 0 && file == NULL)
        return tool_stats(folder);
    if (strcmp(command, "dump") == 0)
        return tool_dump(folder, file);
    if (strcmp(command, "repair") == 0 && file == NULL)
        return tool_repair(&request->is_damaged, folder, &request->repair);
    if (strcmp(command, "salvage") == 0)
        return tool_salvage(folder, file, &request->repair);
    *is_known = false;
    return status_ok();
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse_option, .args_doc = "COMMAND DIR [FILE|NEW]", .doc = documentation};
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
    return fflush(stdout) == 0 && !request.is_damaged ? EXIT_SUCCESS : EXIT_FAILURE;
}
