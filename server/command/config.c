/* config.c -- CONFIG GET: the settings, and what redis-benchmark wants to know of a Redis. */
#include "command/command.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum { PATTERN_BYTES = 128, VALUE_BYTES = 4096 };

/* Redis' own parameters that programs ask for: nothing is saved by snapshots, every write is appended to a log. */
static const char *const REDIS_PARAMETERS[][2] = {{"save", ""}, {"appendonly", "yes"}, {"databases", "16"}};

enum { REDIS_PARAMETER_COUNT = sizeof REDIS_PARAMETERS / sizeof REDIS_PARAMETERS[0] };

/* Whether a word of the request, from the third on, is a pattern for this name. */
static bool is_asked(const struct request *request, const char *name)
{
    for (size_t i = 2; i < request->count; i++) {
        struct kvs_slice word = request_argument(request, i);
        char pattern[PATTERN_BYTES];
        if (word.size >= sizeof pattern)
            continue;
        memcpy(pattern, word.data, word.size);
        pattern[word.size] = '\0';
        if (fnmatch(pattern, name, FNM_CASEFOLD) == 0)
            return true;
    }
    return false;
}

static void reply_parameter(struct reply_writer *writer, const char *name, const char *value)
{
    reply_value_text(writer, name);
    reply_value_text(writer, value);
}

static enum command_outcome config_get(struct session *session, const struct request *request)
{
    struct reply_writer *writer = &session->output.writer;
    const char *name;
    uint64_t count = 0;
    for (size_t i = 0; i < REDIS_PARAMETER_COUNT; i++)
        count += is_asked(request, REDIS_PARAMETERS[i][0]);
    for (size_t i = 0; (name = settings_name(i)) != NULL; i++)
        count += is_asked(request, name);
    reply_map(writer, count);
    for (size_t i = 0; i < REDIS_PARAMETER_COUNT; i++)
        if (is_asked(request, REDIS_PARAMETERS[i][0]))
            reply_parameter(writer, REDIS_PARAMETERS[i][0], REDIS_PARAMETERS[i][1]);
    for (size_t i = 0; (name = settings_name(i)) != NULL; i++) {
        char value[VALUE_BYTES];
        if (is_asked(request, name) && settings_value_text(session->shared->settings, value, sizeof value, name))
            reply_parameter(writer, name, value);
    }
    return COMMAND_DONE;
}

enum command_outcome command_config(struct session *session, const struct request *request)
{
    struct kvs_slice word = request_argument(request, 1);
    if (command_word_is(word, "GET") && request->count >= 3)
        return config_get(session, request);
    reply_error_format(&session->output.writer, "ERR",
                       "unknown subcommand or wrong number of arguments for '%.*s'. Try HELP CONFIG.",
                       (int)(word.size < 64 ? word.size : 64), (const char *)word.data);
    return COMMAND_DONE;
}
