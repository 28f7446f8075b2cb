/* describe.c -- HELP for people, COMMAND for programs: both read from the table. */
#include "command/command.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 256, NAME_BYTES = 32 };

static bool append_help_line(struct byte_buffer *text, const struct command *command)
{
    char line[LINE_BYTES], usage[LINE_BYTES / 2];
    snprintf(usage, sizeof usage, "%s%s%s", command->name, *command->syntax == '\0' ? "" : " ", command->syntax);
    int size = snprintf(line, sizeof line, "%-32s %s\n", usage, command->summary);
    return byte_buffer_append(text, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
}

enum command_outcome command_help(struct session *session, const struct request *request)
{
    const struct command *one = NULL;
    if (request->count > 1) {
        one = command_find(request_argument(request, 1));
        if (one == NULL)
            return command_refuse(session, "ERR", "there is no such command; HELP lists all");
    }
    struct byte_buffer text;
    byte_buffer_init(&text);
    bool has_memory = true;
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)) != NULL; i++)
        if (one == NULL ? (command->flags & COMMAND_HIDDEN) == 0 : command == one)
            has_memory = append_help_line(&text, command) && has_memory;
    if (has_memory)
        reply_document(&session->output.writer, slice_of(byte_buffer_data(&text), byte_buffer_size(&text)));
    else
        reply_error(&session->output.writer, "OOM", "no memory for this command");
    byte_buffer_fini(&text);
    return COMMAND_DONE;
}

static void lower_name(char *lower, const struct command *command)
{
    size_t i = 0;
    for (; i < NAME_BYTES - 1 && command->name[i] != '\0'; i++)
        lower[i] = (char)tolower((unsigned char)command->name[i]);
    lower[i] = '\0';
}

static void reply_flags(struct reply_writer *writer, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *name;
    } FLAGS[] = {{COMMAND_WRITES, "write"}, {COMMAND_READS, "readonly"}, {COMMAND_FAST, "fast"}};
    uint64_t count = 0;
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++)
        count += (flags & FLAGS[i].flag) != 0;
    reply_set(writer, count);
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++)
        if ((flags & FLAGS[i].flag) != 0)
            reply_status(writer, FLAGS[i].name);
}

/* The ten fields of Redis 7; the last four are empty. */
static void reply_command(struct reply_writer *writer, const struct command *command)
{
    char name[NAME_BYTES];
    lower_name(name, command);
    reply_array(writer, 10);
    reply_value_text(writer, name);
    reply_integer(writer, command->arity);
    reply_flags(writer, command->flags);
    reply_integer(writer, command->first_key);
    reply_integer(writer, command->last_key);
    reply_integer(writer, command->key_step);
    reply_set(writer, 0);
    for (int i = 0; i < 3; i++)
        reply_array(writer, 0);
}

static void reply_docs(struct reply_writer *writer, const struct command *command)
{
    char name[NAME_BYTES];
    lower_name(name, command);
    reply_value_text(writer, name);
    reply_map(writer, 3);
    reply_value_text(writer, "summary");
    reply_value_text(writer, command->summary);
    reply_value_text(writer, "since");
    reply_value_text(writer, "0.1.0");
    reply_value_text(writer, "group");
    reply_value_text(writer,
                     command->first_key != 0 || (command->flags & COMMAND_READS) != 0 ? "string" : "connection");
}

static uint64_t table_size(void)
{
    uint64_t count = 0;
    while (command_at(count) != NULL)
        count++;
    return count;
}

static void reply_list(struct reply_writer *writer)
{
    reply_array(writer, table_size());
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        char name[NAME_BYTES];
        lower_name(name, command);
        reply_value_text(writer, name);
    }
}

/* COMMAND DOCS and COMMAND INFO: of the commands named, or of all. */
static void reply_descriptions(struct reply_writer *writer, const struct request *request, bool docs)
{
    bool all = request->count <= 2;
    uint64_t count = all ? table_size() : 0;
    for (size_t i = 2; i < request->count; i++)
        count += !docs || command_find(request_argument(request, i)) != NULL;
    if (docs)
        reply_map(writer, count);
    else
        reply_array(writer, count);
    for (size_t i = all ? 0 : 2; i < (all ? count : request->count); i++) {
        const struct command *command = all ? command_at(i) : command_find(request_argument(request, i));
        if (docs && command != NULL)
            reply_docs(writer, command);
        else if (!docs && command != NULL)
            reply_command(writer, command);
        else if (!docs)
            reply_nil_array(writer);
    }
}

enum command_outcome command_command(struct session *session, const struct request *request)
{
    struct reply_writer *writer = &session->output.writer;
    struct kvs_slice word = request->count > 1 ? request_argument(request, 1) : slice_of_text("INFO");
    if (command_word_is(word, "COUNT"))
        reply_integer(writer, (int64_t)table_size());
    else if (command_word_is(word, "LIST"))
        reply_list(writer);
    else if (command_word_is(word, "DOCS"))
        reply_descriptions(writer, request, true);
    else if (command_word_is(word, "INFO"))
        reply_descriptions(writer, request, false);
    else
        reply_error_format(writer, "ERR", "unknown subcommand '%.*s'. Try HELP COMMAND.",
                           (int)(word.size < 64 ? word.size : 64), (const char *)word.data);
    return COMMAND_DONE;
}
