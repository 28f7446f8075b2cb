#include "options.h"

#include "commands.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* argp looks for this name, so it must be visible to libc. */
KVS_API const char *argp_program_version = "kvstore_client " KVSTORE_VERSION;

enum { EXIT_USAGE = 2, DATABASES = 16 };

/* A whole decimal number from 0 to limit; anything else ends the program. */
static unsigned long parse_number(struct argp_state *state, const char *text, unsigned long limit, const char *what)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > limit)
        argp_error(state, "%s must be a number from 0 to %lu, not '%s'", what, limit, text);
    return value;
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* ---- kvstore_client [HOST [PORT]] [COMMAND ...] ---- */

static const struct argp_option options[] = {
    {"database", 'n', "N", 0, "Use database N, 0 to 15 (default 0)", 0},
    {"timeout", 't', "MS", 0,
     "Give up on connecting, or on a reply, after MS milliseconds (default: connecting 5000, replies never)", 0},
    {0},
};

static const char doc[] =
    "Talk to a kvstore server (default 127.0.0.1 12345).\n\n"
    "Without COMMAND: on a terminal a prompt, with history and completion; otherwise commands are read from standard input, one per line. "
    "With COMMAND: send it, print the reply, and exit with 0, with 1 if there is no such key, with 2 on an error. "
    "HOST may be left out where COMMAND is one that `help` lists."
    "\vCommands of the client itself:\n"
    "  import [--format tsv|jsonl] [FILE]               load records\n"
    "  export [--format tsv|jsonl] [--prefix P] [FILE]  write all records\n"
    "Their own options: import --help, export --help.";

/* The command begins here: its words are no options, whatever they look like. */
static void take_command(struct cli_options *out, struct argp_state *state)
{
    out->command = state->argv + state->next - 1;
    out->command_count = (size_t)(state->argc - state->next) + 1;
    state->next = state->argc;
}

static void parse_word(struct cli_options *out, struct argp_state *state, const char *word)
{
    if (state->arg_num == 0 && commands_known((struct kvs_slice){word, strlen(word)})) {
        take_command(out, state);
    } else if (state->arg_num == 0) {
        out->host = word;
    } else if (state->arg_num == 1 && is_number(word)) {
        out->port = (uint16_t)parse_number(state, word, UINT16_MAX, "PORT");
        if (out->port == 0)
            argp_error(state, "PORT must be a number from 1 to 65535, not '%s'", word);
    } else {
        take_command(out, state);
    }
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct cli_options *out = state->input;
    switch (key) {
    case 'n':
        out->database = (unsigned)parse_number(state, argument, DATABASES - 1, "--database");
        return 0;
    case 't':
        out->timeout_ms = (uint32_t)parse_number(state, argument, UINT32_MAX, "--timeout");
        return 0;
    case ARGP_KEY_ARG:
        parse_word(out, state, argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void options_parse(struct cli_options *options_out, int argc, char **argv)
{
    const struct argp argp = {
        .options = options, .parser = parse_option, .args_doc = "[HOST [PORT]] [COMMAND...]", .doc = doc};
    argp_err_exit_status = EXIT_USAGE;
    *options_out = (struct cli_options){.host = "127.0.0.1", .port = 12345};
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, options_out);
}

/* ---- import and export ---- */

static const struct argp_option import_options[] = {
    {"format", 'f', "FORMAT", 0, "tsv or jsonl (default: jsonl where FILE ends in .jsonl, .ndjson or .json, else tsv)",
     0},
    {0},
};

static const struct argp_option export_options[] = {
    {"format", 'f', "FORMAT", 0, "tsv or jsonl (default: jsonl where FILE ends in .jsonl, .ndjson or .json, else tsv)",
     0},
    {"prefix", 'p', "P", 0, "Only keys that begin with P", 0},
    {0},
};

static const char import_doc[] =
    "Store the records of FILE (default, or -: standard input), one per line."
    "\vTSV: key, tab, value, with \\t \\n \\r \\\\ and \\xHH for other bytes.\n"
    "JSON lines: {\"key\": ..., \"value\": ...}, or key_b64, value_b64 (base64) where the bytes are not UTF-8.\n"
    "A line that cannot be read or stored is counted, the first is shown, and the exit status is 2; the others are stored.";

static const char export_doc[] =
    "Write all records to FILE (default, or -: standard output), one per line, in the order of the keys."
    "\vTSV: key, tab, value, with \\t \\n \\r \\\\ and \\xHH for other bytes.\n"
    "JSON lines: {\"key\": ..., \"value\": ...}, or key_b64, value_b64 (base64) where the bytes are not UTF-8.\n"
    "Records that are written meanwhile may be in it or not.";

struct transfer_parse {
    struct transfer_options *out;
    const char *format;
};

static error_t parse_transfer_option(int key, char *argument, struct argp_state *state)
{
    struct transfer_parse *parse = state->input;
    switch (key) {
    case 'f':
        if (strcmp(argument, "tsv") != 0 && strcmp(argument, "jsonl") != 0)
            argp_error(state, "--format must be tsv or jsonl, not '%s'", argument);
        parse->format = argument;
        return 0;
    case 'p':
        parse->out->prefix = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one FILE only, not also '%s'", argument);
        parse->out->file = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static enum record_format choose_format(const char *format, const char *file)
{
    if (format != NULL)
        return strcmp(format, "jsonl") == 0 ? RECORD_JSONL : RECORD_TSV;
    bool is_json =
        file != NULL && (ends_with(file, ".jsonl") || ends_with(file, ".ndjson") || ends_with(file, ".json"));
    return is_json ? RECORD_JSONL : RECORD_TSV;
}

void options_parse_transfer(struct transfer_options *options_out, size_t argc, char **argv)
{
    bool is_import = strcasecmp(argv[0], "import") == 0;
    const struct argp argp = {
        .options = is_import ? import_options : export_options,
        .parser = parse_transfer_option,
        .args_doc = "[FILE]",
        .doc = is_import ? import_doc : export_doc,
    };
    struct transfer_parse parse = {.out = options_out};
    *options_out = (struct transfer_options){.prefix = ""};
    argp_parse(&argp, (int)argc, argv, 0, NULL, &parse);
    if (options_out->file != NULL && strcmp(options_out->file, "-") == 0)
        options_out->file = NULL;
    options_out->format = choose_format(parse.format, options_out->file);
}
