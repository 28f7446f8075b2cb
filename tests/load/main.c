/* main.c -- kvstore_load: writes many records through many pipelining connections, and reads them back. */
#include "load/run.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOAD_LINE_BYTES = 192 };

struct arguments {
    struct records records;
    struct run_options options;
    uint64_t seconds_limit;
    const char *state;
    unsigned positions;
};

enum {
    OPTION_RECORDS = 256,
    OPTION_CONNECTIONS,
    OPTION_PIPELINE,
    OPTION_KEY,
    OPTION_VALUE,
    OPTION_SEED,
    OPTION_ORDER,
    OPTION_VERIFY,
    OPTION_STATE,
    OPTION_LIMIT
};

static const struct argp_option OPTIONS[] = {
    {"records", OPTION_RECORDS, "N", 0, "Records of the whole load (default 20000000)", 0},
    {"connections", OPTION_CONNECTIONS, "N", 0, "At the same time (default 50)", 0},
    {"pipeline", OPTION_PIPELINE, "N", 0, "Commands in flight on each (default 64)", 0},
    {"key-bytes", OPTION_KEY, "N", 0, "Of each key, at least 12 (default 16)", 0},
    {"value-bytes", OPTION_VALUE, "N", 0, "Of each value (default 100)", 0},
    {"seed", OPTION_SEED, "N", 0, "Of the order and of the values (default 1)", 0},
    {"order", OPTION_ORDER, "random|sequential", 0, "In which records are written (default random)", 0},
    {"verify", OPTION_VERIFY, "N", 0, "Write nothing: read N records and N keys that are absent", 0},
    {"state", OPTION_STATE, "FILE", 0, "What was acknowledged: a load goes on from it and leaves it, --verify reads it",
     0},
    {"seconds-limit", OPTION_LIMIT, "N", 0, "Give up after this time (default 3600)", 0},
    {0},
};

static uint64_t number(const struct argp_state *state, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least || value > most)
        argp_error(state, "'%s' is not a number from %" PRIu64 " to %" PRIu64, text, least, most);
    return value;
}

static error_t parse_position(struct arguments *arguments, const char *text)
{
    if (arguments->positions == 2)
        return ARGP_ERR_UNKNOWN;
    *(arguments->positions++ == 0 ? &arguments->options.host : &arguments->options.port) = text;
    return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_RECORDS:
        arguments->records.count = number(state, text, 1, RECORDS_COUNT_MAX);
        return 0;
    case OPTION_CONNECTIONS:
        arguments->options.connections = number(state, text, 1, 10000);
        return 0;
    case OPTION_PIPELINE:
        arguments->options.pipeline = number(state, text, 1, 100000);
        return 0;
    case OPTION_KEY:
        arguments->records.key_bytes = number(state, text, RECORDS_KEY_BYTES_MIN, 65535);
        return 0;
    case OPTION_VALUE:
        arguments->records.value_bytes = number(state, text, 0, 1 << 20);
        return 0;
    case OPTION_SEED:
        arguments->records.seed = number(state, text, 0, UINT64_MAX);
        return 0;
    case OPTION_ORDER:
        arguments->records.sequential = strcmp(text, "sequential") == 0;
        if (!arguments->records.sequential && strcmp(text, "random") != 0)
            argp_error(state, "the order is random or sequential");
        return 0;
    case OPTION_VERIFY:
        arguments->options.verify = number(state, text, 1, RECORDS_COUNT_MAX);
        return 0;
    case OPTION_STATE:
        arguments->state = text;
        return 0;
    case OPTION_LIMIT:
        arguments->seconds_limit = number(state, text, 1, 1000000);
        return 0;
    case ARGP_KEY_ARG:
        return parse_position(arguments, text);
    case ARGP_KEY_END:
        if (arguments->positions != 2)
            argp_error(state, "a host and a port are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void describe_load(char line[LOAD_LINE_BYTES], const struct records *records)
{
    snprintf(line, LOAD_LINE_BYTES, "load records=%" PRIu64 " key_bytes=%zu value_bytes=%zu seed=%" PRIu64 " order=%s",
             records->count, records->key_bytes, records->value_bytes, records->seed,
             records->sequential ? "sequential" : "random");
}

/* A load begins empty, or where its state says; a verification without a state takes all records as written. */
static bool prepare_backlog(struct backlog *backlog, const struct arguments *arguments, const char *load)
{
    backlog->count = arguments->records.count;
    if (arguments->state != NULL)
        return backlog_restore(backlog, arguments->state, load);
    if (arguments->options.verify != 0)
        backlog->next = backlog->count;
    return true;
}

static const char *outcome_text(enum run_outcome outcome)
{
    switch (outcome) {
    case RUN_DONE:
        return "done";
    case RUN_FAILED:
        return "failed";
    case RUN_WRONG:
        return "wrong reply";
    case RUN_LOST:
        return "connection lost";
    case RUN_TIMED_OUT:
        return "time limit";
    }
    return "";
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = OPTIONS,
        .parser = parse_option,
        .args_doc = "HOST PORT",
        .doc =
            "Write records to a server, each once, and check every reply; or read them back.\v"
            "Exit status: 0 done, 1 failed, 2 a wrong reply, 3 the connection was lost, 4 the time is over, 64 bad usage."};
    struct arguments arguments = {
        .records = {.count = 20000000, .seed = 1, .key_bytes = 16, .value_bytes = 100},
        .options = {.connections = 50, .pipeline = 64},
        .seconds_limit = 3600,
    };
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    arguments.options.limit_ns = arguments.seconds_limit * UINT64_C(1000000000);
    records_init(&arguments.records);

    char load[LOAD_LINE_BYTES];
    describe_load(load, &arguments.records);
    struct backlog backlog = {0};
    if (!prepare_backlog(&backlog, &arguments, load))
        return RUN_FAILED;
    static struct run run;
    run = (struct run){.options = &arguments.options, .records = &arguments.records, .backlog = &backlog};
    enum run_outcome outcome = run_all(&run);
    run_print_summary(&run);
    printf("%s\n", outcome_text(outcome));
    if (arguments.state != NULL && arguments.options.verify == 0 && !backlog_save(&backlog, arguments.state, load))
        outcome = RUN_FAILED;
    run_fini(&run);
    backlog_fini(&backlog);
    return (int)outcome;
}
