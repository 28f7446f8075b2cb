#include "command/command.h"

#include <ctype.h>
#include <stdio.h>

#define RESP PROTOCOL_OPENS_RESP
#define TEXT PROTOCOL_OPENS_TEXT
#define NOTHING PROTOCOL_OPENS_NOTHING
#define READS COMMAND_READS
#define WRITES (COMMAND_WRITES | COMMAND_BATCHES)
#define FAST COMMAND_FAST
#define HIDDEN COMMAND_HIDDEN

/* In the order of HELP. */
static const struct command COMMANDS[] = {
    {"GET", command_get, 2, READS | FAST, TEXT, 1, 1, 1, "a key", "key", "the value of a key"},
    {"PUT", command_put, 3, WRITES | FAST, TEXT, 1, 1, 1, "a key and a value", "key value", "store a value"},
    {"SET", command_put, -3, WRITES | FAST, RESP, 1, 1, 1, "a key and a value", "key value", "store a value, as PUT"},
    {"DEL", command_del, -2, COMMAND_WRITES, TEXT, 1, -1, 1, "a key or more", "key [key ...]", "remove keys"},
    {"EXISTS", command_exists, -2, READS | FAST, TEXT, 1, -1, 1, "a key or more", "key [key ...]",
     "how many of the keys are there"},
    {"MGET", command_mget, -2, READS | FAST, RESP, 1, -1, 1, "a key or more", "key [key ...]", "the values of keys"},
    {"MSET", command_mset, -3, WRITES, RESP, 1, -1, 2, "keys, each with a value", "key value [key value ...]",
     "store values, all or none"},
    {"RANGE", command_range, -3, READS, TEXT, 0, 0, 0, "a first key and an end", "from to [LIMIT n] [REV]",
     "keys from `from` on, before `to`, with their values; \"\" is an open end"},
    {"COUNT", command_count, 3, READS, TEXT, 0, 0, 0, "a first key and an end", "from to",
     "how many keys there are from `from` on, before `to`"},
    {"DBSIZE", command_dbsize, 1, READS, RESP, 0, 0, 0, "no more words", "", "how many keys the database has"},
    {"SELECT", command_select, 2, FAST, RESP, 0, 0, 0, "a number from 0 to 15", "number", "go to another database"},
    {"PING", command_ping, -1, FAST, NOTHING, 0, 0, 0, "at most a message", "[message]", "PONG, or the message"},
    {"ECHO", command_echo, 2, FAST, RESP, 0, 0, 0, "a message", "message", "the message"},
    {"INFO", command_info, -1, 0, RESP, 0, 0, 0, "sections or nothing", "[section ...]", "what the server does"},
    {"HELP", command_help, -1, FAST, TEXT, 0, 0, 0, "at most a command", "[command]", "this list, or a line of it"},
    {"QUIT", command_quit, -1, FAST, NOTHING, 0, 0, 0, "no more words", "", "close the connection"},
    {"HELLO", command_hello, -1, FAST | HIDDEN, RESP, 0, 0, 0, "2 or 3",
     "[version [AUTH user password] [SETNAME name]]", "choose the version of RESP"},
    {"AUTH", command_auth, -2, FAST | HIDDEN, NOTHING, 0, 0, 0, "a password", "[user] password", "log in"},
    {"CLIENT", command_client, -2, HIDDEN, RESP, 0, 0, 0, "a subcommand", "ID|INFO|GETNAME|SETNAME|SETINFO",
     "about this connection"},
    {"COMMAND", command_command, -1, HIDDEN, RESP, 0, 0, 0, "at most a subcommand",
     "[COUNT|DOCS|INFO|LIST [command ...]]", "about the commands, for programs"},
    {"CONFIG", command_config, -2, HIDDEN, RESP, 0, 0, 0, "a subcommand", "GET pattern [pattern ...]",
     "the settings of the server"},
};

enum { COMMAND_TABLE_SIZE = sizeof COMMANDS / sizeof COMMANDS[0] };

bool command_word_is(struct kvs_slice word, const char *name)
{
    const unsigned char *bytes = word.data;
    for (size_t i = 0; i < word.size; i++)
        if (name[i] == '\0' || toupper(bytes[i]) != name[i])
            return false;
    return name[word.size] == '\0';
}

const struct command *command_find(struct kvs_slice name)
{
    for (size_t i = 0; i < COMMAND_TABLE_SIZE; i++)
        if (command_word_is(name, COMMANDS[i].name))
            return &COMMANDS[i];
    return NULL;
}

const struct command *command_at(size_t index)
{
    return index < COMMAND_TABLE_SIZE ? &COMMANDS[index] : NULL;
}

static bool find_opening(const void *context, enum protocol_opening *opening_out, struct kvs_slice verb)
{
    (void)context;
    const struct command *command = command_find(verb);
    if (command == NULL)
        return false;
    *opening_out = command->opening;
    return true;
}

const struct protocol_commands command_openings = {find_opening, NULL};

enum command_outcome command_refuse(struct session *session, const char *code, const char *text)
{
    if (session->batch != NULL)
        return COMMAND_AFTER_APPLY;
    reply_error(&session->output.writer, code, text);
    return COMMAND_DONE;
}

enum command_outcome command_refuse_count(struct session *session, const struct request *request,
                                          const struct command *command)
{
    char text[160], name[32];
    if (request->is_text) {
        bool too_many = command->arity > 0 && request->count > (size_t)command->arity;
        const char *hint = "";
        if (too_many && command->run == command_put)
            hint = " (quote a value that has spaces)";
        else if (too_many && command->arity > 1)
            hint = " (quote a word that has spaces)";
        snprintf(text, sizeof text, "%s needs %s%s", command->name, command->needs, hint);
    } else {
        size_t i = 0;
        for (; i < sizeof name - 1 && command->name[i] != '\0'; i++)
            name[i] = (char)tolower((unsigned char)command->name[i]);
        name[i] = '\0';
        snprintf(text, sizeof text, "wrong number of arguments for '%s' command", name);
    }
    return command_refuse(session, "ERR", text);
}

static enum reply_encoding encoding_of(const struct session *session, const struct request *request)
{
    return request->is_text ? REPLY_TEXT : session->is_resp3 ? REPLY_RESP3 : REPLY_RESP2;
}

enum command_outcome command_execute(struct session *session, const struct request *request)
{
    const struct command *command = command_find(request_argument(request, 0));
    if (session->batch != NULL && (command == NULL || (command->flags & COMMAND_BATCHES) == 0))
        return COMMAND_AFTER_APPLY;
    reply_writer_set_encoding(&session->output.writer, encoding_of(session, request));
    if (command == NULL) {
        reply_unknown_command(&session->output.writer, request);
        return COMMAND_DONE;
    }
    size_t words = (size_t)(command->arity < 0 ? -command->arity : command->arity);
    if (request->count < words || (command->arity > 0 && request->count > words))
        return command_refuse_count(session, request, command);
    return command->run(session, request);
}
