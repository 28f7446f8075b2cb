#include "settings/settings.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum kind { TEXT, NUMBER, SIZE, SYNC, PACKING };

struct option_row {
    const char *name;
    const char *argument;
    enum kind kind;
    size_t offset; /* of its field in struct settings */
    const char *value;
    uint64_t least, most;
    const char *help;
};

static const struct option_row ROWS[] = {
#define ROW(field, name, argument, kind, value, least, most, help) \
    {name, argument, kind, offsetof(struct settings, field), value, least, most, help " (default " value ")"},
    SETTINGS_TABLE(ROW)
#undef ROW
};

enum {
    ROW_COUNT = sizeof ROWS / sizeof ROWS[0],
    KEY_FIRST = 256,
    KEY_VERSION = 'V',
    KEY_HELP = '?',
    OTHER_OPTIONS = 2,
    PROBLEM_BYTES = 256
};

static uint64_t *number_field(struct settings *settings, const struct option_row *row)
{
    return (uint64_t *)((char *)settings + row->offset);
}

static const char **text_field(struct settings *settings, const struct option_row *row)
{
    return (const char **)((char *)settings + row->offset);
}

/* Digits, then at most one character of suffixes; its place gives the power of 1024. */
static bool parse_number(uint64_t *value, const char *text, const char *suffixes)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    unsigned shift = 0;
    if (*end != '\0') {
        char upper = *end >= 'a' && *end <= 'z' ? (char)(*end - 'a' + 'A') : *end;
        const char *place = strchr(suffixes, upper);
        if (place == NULL || end[1] != '\0')
            return false;
        shift = 10 * (unsigned)(place - suffixes + 1);
    }
    if (shift != 0 && number > (UINT64_MAX >> shift))
        return false;
    *value = (uint64_t)number << shift;
    return true;
}

/* The number behind "word:", within the row's range. */
static bool parse_detail(uint64_t *value, const struct option_row *row, const char *text, const char *word)
{
    size_t length = strlen(word);
    uint64_t number;
    if (strncmp(text, word, length) != 0 || text[length] != ':' || !parse_number(&number, text + length + 1, ""))
        return false;
    if (number < row->least || number > row->most)
        return false;
    *value = number;
    return true;
}

static bool set_sync(struct settings *settings, const struct option_row *row, const char *text)
{
    settings->sync = text;
    if (strcmp(text, "always") == 0)
        settings->sync_mode = KVS_SYNC_ALWAYS;
    else if (strcmp(text, "os") == 0)
        settings->sync_mode = KVS_SYNC_OS;
    else if (parse_detail(&settings->sync_interval_ms, row, text, "interval"))
        settings->sync_mode = KVS_SYNC_INTERVAL;
    else
        return false;
    return true;
}

static bool set_packing(struct settings *settings, const struct option_row *row, const char *text)
{
    settings->compression = text;
    settings->compression_codec = strcmp(text, "none") == 0 ? KVS_COMPRESSION_NONE : KVS_COMPRESSION_ZSTD;
    return settings->compression_codec == KVS_COMPRESSION_NONE || strcmp(text, "zstd") == 0 ||
           parse_detail(&settings->compression_level, row, text, "zstd");
}

static uint64_t automatic_value(const struct option_row *row)
{
    if (row->kind == NUMBER) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        return cores < 1 ? 1 : (uint64_t)cores > row->most ? row->most : (uint64_t)cores;
    }
    struct kvs_options options;
    kvs_options_default(&options);
    return options.memory_bytes;
}

static bool set_number(struct settings *settings, const struct option_row *row, const char *text)
{
    uint64_t *field = number_field(settings, row);
    if (strcmp(text, "auto") == 0 && strcmp(row->value, "auto") == 0) {
        *field = automatic_value(row);
        return true;
    }
    uint64_t number;
    if (!parse_number(&number, text, row->kind == SIZE ? "KMGT" : ""))
        return false;
    if (number < row->least || number > row->most)
        return false;
    *field = number;
    return true;
}

static bool set_row(struct settings *settings, const struct option_row *row, const char *text)
{
    switch (row->kind) {
    case TEXT:
        *text_field(settings, row) = text;
        return *text != '\0';
    case NUMBER:
    case SIZE:
        return set_number(settings, row, text);
    case SYNC:
        return set_sync(settings, row, text);
    case PACKING:
        return set_packing(settings, row, text);
    }
    return false;
}

static void size_text(char *text, size_t capacity, uint64_t bytes)
{
    static const char *const SUFFIXES[] = {"", "K", "M", "G", "T"};
    size_t power = 0;
    while (bytes != 0 && bytes % 1024 == 0 && power < sizeof SUFFIXES / sizeof SUFFIXES[0] - 1) {
        bytes /= 1024;
        power++;
    }
    snprintf(text, capacity, "%" PRIu64 "%s", bytes, SUFFIXES[power]);
}

/* Says what the option takes, after "invalid value". */
static void describe_range(char *text, size_t capacity, const struct option_row *row)
{
    char least[32], most[32];
    switch (row->kind) {
    case TEXT:
        snprintf(text, capacity, "a text that is not empty");
        break;
    case SYNC:
        snprintf(text, capacity, "always, os or interval:MS with 1 to 60000 ms");
        break;
    case PACKING:
        snprintf(text, capacity, "none, zstd or zstd:LEVEL with a level from 1 to 19");
        break;
    case NUMBER:
        snprintf(text, capacity, "a number from %" PRIu64 " to %" PRIu64, row->least, row->most);
        break;
    case SIZE:
        size_text(least, sizeof least, row->least);
        size_text(most, sizeof most, row->most);
        if (row->most == UINT64_MAX)
            snprintf(text, capacity, "a size from %s on, such as 512M or 4G", least);
        else
            snprintf(text, capacity, "a size from %s to %s, such as 512K or 64M", least, most);
        break;
    }
}

struct parse_state {
    struct settings *settings;
    enum settings_next next;
    char problem[PROBLEM_BYTES]; /* "" until a mistake is found */
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct parse_state *parse = state->input;
    if (key >= KEY_FIRST && key < KEY_FIRST + ROW_COUNT) {
        const struct option_row *row = &ROWS[key - KEY_FIRST];
        if (set_row(parse->settings, row, argument))
            return 0;
        char range[128];
        describe_range(range, sizeof range, row);
        snprintf(parse->problem, sizeof parse->problem, "invalid value '%.64s' for --%s: it takes %s", argument,
                 row->name, range);
        return EINVAL;
    }
    if (key == KEY_VERSION || key == KEY_HELP) {
        parse->next = SETTINGS_EXIT_OK;
        if (key == KEY_HELP)
            argp_help(state->root_argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, state->name);
        else
            printf("kvstore_server %s\n", kvs_version());
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        snprintf(parse->problem, sizeof parse->problem,
                 "unexpected argument '%.64s' (options begin with --; see --help)", argument);
        return EINVAL;
    }
    return ARGP_ERR_UNKNOWN;
}

static void fill_argp_options(struct argp_option *options)
{
    memset(options, 0, (ROW_COUNT + OTHER_OPTIONS + 1) * sizeof *options);
    for (int i = 0; i < ROW_COUNT; i++)
        options[i] = (struct argp_option){ROWS[i].name, KEY_FIRST + i, ROWS[i].argument, 0, ROWS[i].help, 0};
    options[ROW_COUNT] = (struct argp_option){"version", KEY_VERSION, NULL, 0, "Print the version", -1};
    options[ROW_COUNT + 1] = (struct argp_option){"help", KEY_HELP, NULL, 0, "Print this", -1};
}

/* Which of the arguments argp did not like: it does not say. */
static void describe_bad_option(char problem[PROBLEM_BYTES], int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        size_t length = strcspn(argv[i], "="), matches = 0;
        if (strncmp(argv[i], "--", 2) != 0) {
            if (argv[i][0] != '-')
                continue; /* a value */
        } else {
            for (size_t row = 0; row < ROW_COUNT; row++)
                matches += strncmp(ROWS[row].name, argv[i] + 2, length - 2) == 0;
        }
        if (matches == 1)
            continue;
        snprintf(problem, PROBLEM_BYTES, "%s option '%.64s' (see --help)", matches == 0 ? "unknown" : "ambiguous",
                 argv[i]);
        return;
    }
    snprintf(problem, PROBLEM_BYTES, "option '%.64s' needs a value (see --help)", argv[argc - 1]);
}

enum settings_next settings_parse(struct settings *settings, int argc, char **argv)
{
    memset(settings, 0, sizeof *settings);
    for (size_t i = 0; i < ROW_COUNT; i++)
        (void)set_row(settings, &ROWS[i], ROWS[i].value);

    struct argp_option options[ROW_COUNT + OTHER_OPTIONS + 1];
    fill_argp_options(options);
    struct argp argp = {.options = options,
                        .parser = parse_option,
                        .doc = "A durable key-value server: text protocol and RESP (Redis) on one port."};
    struct parse_state parse = {.settings = settings, .next = SETTINGS_RUN};
    if (argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_IN_ORDER, NULL, &parse) != 0) {
        if (parse.problem[0] == '\0')
            describe_bad_option(parse.problem, argc, argv);
        fprintf(stderr, "kvstore_server: %s\n", parse.problem);
        return SETTINGS_EXIT_USAGE;
    }
    return parse.next;
}

void settings_engine_options(const struct settings *settings, struct kvs_options *options)
{
    kvs_options_default(options);
    options->memory_bytes = settings->memory;
    options->sync_mode = settings->sync_mode;
    if (settings->sync_mode == KVS_SYNC_INTERVAL)
        options->sync_interval_ms = (uint32_t)settings->sync_interval_ms;
    options->compression = settings->compression_codec;
    if (settings->compression_level != 0)
        options->compression_level = (int)settings->compression_level;
    options->owner = "kvstore-server";
}

bool settings_value_text(const struct settings *settings, char *text, size_t capacity, const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct option_row *row = &ROWS[i];
        if (strcasecmp(row->name, name) != 0)
            continue;
        if (row->kind == NUMBER || row->kind == SIZE)
            snprintf(text, capacity, "%" PRIu64, *(const uint64_t *)((const char *)settings + row->offset));
        else
            snprintf(text, capacity, "%s", *(const char *const *)((const char *)settings + row->offset));
        return true;
    }
    return false;
}

const char *settings_name(size_t index)
{
    return index < ROW_COUNT ? ROWS[index].name : NULL;
}
