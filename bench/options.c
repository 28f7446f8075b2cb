#include "bench/options.h"
#include "bench/metric.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "kvstore_bench " KVSTORE_VERSION;

enum {
    KEY_NUM = 'n',
    KEY_ENGINES = 'e',
    KEY_WORKLOADS = 'w',
    KEY_DIR = 'd',
    KEY_THREADS = 't',
    KEY_ROUNDS = 'r',
    KEY_MEMORY = 'm',
    KEY_QUICK = 'q',
    KEY_VALUE_BYTES = 256,
    KEY_KEY_BYTES,
    KEY_SYNC_MODE,
    KEY_SYNC_NUM,
    KEY_COMPRESSION,
    KEY_SEED,
    KEY_LIMIT,
    KEY_JSON,
    KEY_MARKDOWN,
    KEY_LIST,
};

static const uint64_t MEMORY_BYTES_MIN = UINT64_C(4) << 20;

static const struct argp_option flags[] = {
    {"num", KEY_NUM, "N", 0, "Records (2000000)", 1},
    {"value-bytes", KEY_VALUE_BYTES, "N", 0, "Size of a value (100)", 1},
    {"key-bytes", KEY_KEY_BYTES, "N", 0, "Size of a key (16)", 1},
    {"seed", KEY_SEED, "N", 0, "Seed of values and orders (1)", 1},
    {"engines", KEY_ENGINES, "A,B", 0, "Engines (all in this build; --list shows them)", 2},
    {"workloads", KEY_WORKLOADS, "A,B", 0, "Workloads (all; --list shows them)", 2},
    {"rounds", KEY_ROUNDS, "N", 0, "Rounds; medians over them are reported (3)", 2},
    {"quick", KEY_QUICK, NULL, 0, "Under a minute: 50000 records, 200 synced writes; options that follow change it", 2},
    {"threads", KEY_THREADS, "N", 0, "Threads of every workload but the fillsyncs (1)", 3},
    {"memory", KEY_MEMORY, "SIZE", 0, "Memory of each engine, with K, M or G (512M)", 3},
    {"compression", KEY_COMPRESSION, "on|none", 0, "on: zstd, or what the engine has (on)", 3},
    {"sync-mode", KEY_SYNC_MODE, "os|always", 0, "os: only the fillsyncs sync each write; always: all do (os)", 3},
    {"sync-num", KEY_SYNC_NUM, "N", 0, "Writes of each thread of a fillsync (2000)", 3},
    {"dir", KEY_DIR, "DIR", 0, "Where the databases are put, in a folder of their own (TMPDIR or /var/tmp)", 4},
    {"json", KEY_JSON, "FILE", 0, "Write every run and every median as JSON lines", 4},
    {"markdown", KEY_MARKDOWN, "FILE", 0, "Write the report as Markdown", 4},
    {"limit", KEY_LIMIT, "SECONDS", 0, "Kill a run that takes longer (1800)", 4},
    {"list", KEY_LIST, NULL, 0, "List engines, workloads and metrics", 5},
    {0},
};

static uint64_t parse_number(struct argp_state *state, const char *what, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || number < min || number > max)
        argp_error(state, "%s is a number from %llu to %llu, not '%s'", what, (unsigned long long)min,
                   (unsigned long long)max, text);
    return number;
}

static uint64_t parse_size(struct argp_state *state, const char *what, const char *text)
{
    static const char suffixes[] = "KMG";
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    const char *suffix = *end == '\0' ? NULL : strchr(suffixes, *end);
    unsigned shift = suffix == NULL ? 0 : 10 * (unsigned)(suffix - suffixes + 1);
    if (errno != 0 || end == text || *text == '-' || (*end != '\0' && (suffix == NULL || end[1] != '\0')) ||
        number > UINT64_MAX >> shift)
        argp_error(state, "%s is a size such as 512M, not '%s'", what, text);
    return (uint64_t)number << shift;
}

/* Whether name is one of the words of a list with commas. */
static bool list_has(const char *list, const char *name)
{
    size_t name_bytes = strlen(name);
    for (const char *word = list; *word != '\0';) {
        size_t bytes = strcspn(word, ",");
        if (bytes == name_bytes && memcmp(word, name, bytes) == 0)
            return true;
        word += bytes + (word[bytes] == ',');
    }
    return false;
}

static void select_engines(struct options *options, struct argp_state *state, const char *list)
{
    for (const char *word = list; list != NULL && *word != '\0';) {
        size_t bytes = strcspn(word, ",");
        if (engine_find(slice_of(word, bytes)) == NULL)
            argp_error(state, "no engine '%.*s' in this build (--list shows them)", (int)bytes, word);
        word += bytes + (word[bytes] == ',');
    }
    options->engine_count = 0;
    for (size_t i = 0; i < engine_count && options->engine_count < OPTIONS_ENGINES_MAX; i++) {
        if (list == NULL || list_has(list, engines[i]->name))
            options->engines[options->engine_count++] = engines[i];
    }
    if (options->engine_count == 0)
        argp_error(state, "no engine to run");
}

static void select_workloads(struct options *options, struct argp_state *state, const char *list)
{
    for (const char *word = list; list != NULL && *word != '\0';) {
        size_t bytes = strcspn(word, ",");
        if (workload_find(slice_of(word, bytes)) == NULL)
            argp_error(state, "no workload '%.*s' (--list shows them)", (int)bytes, word);
        word += bytes + (word[bytes] == ',');
    }
    options->workload_count = 0;
    for (size_t i = 0; i < workload_count && options->workload_count < OPTIONS_WORKLOADS_MAX; i++) {
        if (list == NULL || list_has(list, workloads[i].name))
            options->workloads[options->workload_count++] = &workloads[i];
    }
    if (options->workload_count == 0)
        argp_error(state, "no workload to run");
}

_Noreturn static void list_all(void)
{
    printf("Engines:\n");
    for (size_t i = 0; i < engine_count; i++)
        printf("  %-12s %s\n", engines[i]->name, engines[i]->settings);
    printf("\nWorkloads, in the order in which they run:\n");
    for (size_t i = 0; i < workload_count; i++)
        printf("  %-12s %s\n", workloads[i].name, workloads[i].meaning);
    printf("\nMetrics, by their names in JSON:\n");
    for (int i = 0; i < METRIC_COUNT; i++)
        printf("  %-28s %s\n", metric_texts[i].key, metric_texts[i].meaning);
    exit(0);
}

/* A key holds the index of any record in decimal. */
static void check(const struct options *options, struct argp_state *state)
{
    uint64_t highest = options->records;
    uint64_t synced = options->size.sync_operations * WORKLOAD_SYNC_THREADS_MAX;
    uint64_t limit = 1;
    highest = synced > highest ? synced : highest;
    for (size_t digits = 0; digits < options->key_bytes && limit <= highest; digits++)
        limit *= 10;
    if (limit <= highest)
        argp_error(state, "keys of %zu bytes do not number %llu records", options->key_bytes,
                   (unsigned long long)highest);
}

static bool parse_choice(struct argp_state *state, const char *what, const char *text, const char *yes, const char *no)
{
    if (strcmp(text, yes) != 0 && strcmp(text, no) != 0)
        argp_error(state, "%s is %s or %s, not '%s'", what, yes, no, text);
    return strcmp(text, yes) == 0;
}

/* The flags that are plain numbers. Returns false for any other. */
static bool parse_number_flag(struct options *options, struct argp_state *state, int key, const char *value)
{
    switch (key) {
    case KEY_NUM:
        options->records = parse_number(state, "--num", value, 1, UINT32_MAX);
        return true;
    case KEY_VALUE_BYTES:
        options->value_bytes = parse_number(state, "--value-bytes", value, 0, DATASET_VALUE_BYTES_MAX);
        return true;
    case KEY_KEY_BYTES:
        options->key_bytes = parse_number(state, "--key-bytes", value, DATASET_KEY_BYTES_MIN, DATASET_KEY_BYTES_MAX);
        return true;
    case KEY_SEED:
        options->seed = parse_number(state, "--seed", value, 0, UINT64_MAX);
        return true;
    case KEY_ROUNDS:
        options->rounds = (unsigned)parse_number(state, "--rounds", value, 1, 1000);
        return true;
    case KEY_THREADS:
        options->size.threads = (unsigned)parse_number(state, "--threads", value, 1, WORKLOAD_THREADS_MAX);
        return true;
    case KEY_SYNC_NUM:
        options->size.sync_operations = parse_number(state, "--sync-num", value, 1, 10000000);
        return true;
    case KEY_LIMIT:
        options->limit_s = (unsigned)parse_number(state, "--limit", value, 1, 1000000);
        return true;
    default:
        return false;
    }
}

static void parse_memory(struct options *options, struct argp_state *state, const char *value)
{
    options->memory_bytes = parse_size(state, "--memory", value);
    if (options->memory_bytes < MEMORY_BYTES_MIN)
        argp_error(state, "--memory is at least 4M");
}

static error_t parse_flag(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;
    if (parse_number_flag(options, state, key, value))
        return 0;
    switch (key) {
    case KEY_ENGINES:
        select_engines(options, state, value);
        break;
    case KEY_WORKLOADS:
        select_workloads(options, state, value);
        break;
    case KEY_QUICK:
        options->records = 50000;
        options->size.sync_operations = 200;
        break;
    case KEY_MEMORY:
        parse_memory(options, state, value);
        break;
    case KEY_COMPRESSION:
        options->compress = parse_choice(state, "--compression", value, "on", "none");
        break;
    case KEY_SYNC_MODE:
        options->sync = parse_choice(state, "--sync-mode", value, "always", "os");
        break;
    case KEY_DIR:
        options->parent = value;
        break;
    case KEY_JSON:
        options->json = value;
        break;
    case KEY_MARKDOWN:
        options->markdown = value;
        break;
    case KEY_LIST:
        list_all();
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", value);
        break;
    case ARGP_KEY_INIT:
        select_engines(options, state, NULL);
        select_workloads(options, state, NULL);
        break;
    case ARGP_KEY_END:
        check(options, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void options_parse(struct options *options, int argc, char **argv)
{
    static const struct argp parser = {
        .options = flags,
        .parser = parse_flag,
        .doc = "Runs the same workloads on kvstore and its peers, interleaved, and compares them.",
    };
    const char *parent = getenv("TMPDIR");
    *options = (struct options){
        .records = 2000000,
        .key_bytes = 16,
        .value_bytes = 100,
        .memory_bytes = UINT64_C(512) << 20,
        .seed = 1,
        .size = {.sync_operations = 2000, .threads = 1},
        .rounds = 3,
        .limit_s = 1800,
        .compress = true,
        .parent = parent != NULL ? parent : "/var/tmp",
    };
    argp_parse(&parser, argc, argv, 0, NULL, options);
}
