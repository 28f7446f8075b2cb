#include "commands.h"

#include <strings.h>

static const struct command_help list[] = {
    {"COUNT", "from to", "number of keys from `from` to before `to`; \"\" is an open end"},
    {"DEL", "key [key ...]", "delete keys"},
    {"EXISTS", "key [key ...]", "number of the keys that exist"},
    {"EXIT", "", "leave"},
    {"EXPORT", "[--format tsv|jsonl] [--prefix P] [FILE]", "write all records to a file (from the shell only)"},
    {"GET", "key", "the value of a key, or NOT_FOUND"},
    {"HELP", "[command]", "this list, or one line of it"},
    {"IMPORT", "[--format tsv|jsonl] [FILE]", "load records from a file (from the shell only)"},
    {"INFO", "[section]", "what the server has to say about itself"},
    {"PING", "[message]", "PONG, or the message"},
    {"PUT", "key value", "store a value; quote it if it has spaces"},
    {"QUIT", "", "leave"},
    {"RANGE", "from to [LIMIT n] [REV]", "keys and values from `from` to before `to`; \"\" is an open end"},
    {"SELECT", "number", "use another database, 0 to 15"},
    {"SET", "key value", "as PUT"},
};

const struct command_help *commands_list(size_t *count_out)
{
    *count_out = sizeof list / sizeof list[0];
    return list;
}

static const struct command_help *find(struct kvs_slice word)
{
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (word.size == strlen(list[i].name) && strncasecmp(word.data, list[i].name, word.size) == 0)
            return &list[i];
    return NULL;
}

bool commands_known(struct kvs_slice word)
{
    return find(word) != NULL;
}

static void print_line(FILE *file, const struct command_help *command)
{
    char usage[64];
    snprintf(usage, sizeof usage, "%s %s", command->name, command->arguments);
    fprintf(file, "%-32s  %s\n", usage, command->summary);
}

bool commands_print_help(FILE *file, struct kvs_slice name)
{
    const struct command_help *command = find(name);
    if (name.size > 0 && command != NULL)
        print_line(file, command);
    if (name.size > 0)
        return command != NULL;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        print_line(file, &list[i]);
    return true;
}
