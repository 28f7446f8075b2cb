/* client.c -- commands about the connection itself: SELECT, PING, ECHO, QUIT, HELLO, AUTH, CLIENT. */
#include "command/command.h"
#include "protocol/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Client libraries ask which Redis they speak to, and use what that one has. */
#define REDIS_NAME "redis"
#define REDIS_VERSION "7.4.0"

static enum command_outcome reply_ok(struct session *session)
{
    reply_status(&session->output.writer, "OK");
    return COMMAND_DONE;
}

enum command_outcome command_select(struct session *session, const struct request *request)
{
    int64_t database;
    if (!number_parse(&database, request_argument(request, 1)))
        return command_refuse(session, "ERR", "value is not an integer or out of range");
    if (database < 0 || database >= SESSION_DATABASES)
        return command_refuse(session, "ERR", "DB index is out of range");
    session->database = (unsigned)database;
    return reply_ok(session);
}

enum command_outcome command_ping(struct session *session, const struct request *request)
{
    if (request->count > 2)
        return command_refuse_count(session, request, command_find(request_argument(request, 0)));
    if (request->count == 2)
        reply_value(&session->output.writer, request_argument(request, 1));
    else
        reply_status(&session->output.writer, "PONG");
    return COMMAND_DONE;
}

enum command_outcome command_echo(struct session *session, const struct request *request)
{
    reply_value(&session->output.writer, request_argument(request, 1));
    return COMMAND_DONE;
}

enum command_outcome command_quit(struct session *session, const struct request *request)
{
    if (!request->is_text)
        reply_status(&session->output.writer, "OK");
    return COMMAND_CLOSE;
}

/* A name without blanks and control characters, as Redis has them. */
static bool is_name(struct kvs_slice name)
{
    const unsigned char *bytes = name.data;
    for (size_t i = 0; i < name.size; i++)
        if (bytes[i] < '!' || bytes[i] > '~')
            return false;
    return true;
}

static const char *set_name(struct session *session, struct kvs_slice name)
{
    if (!is_name(name))
        return "Client names cannot contain spaces, newlines or special characters.";
    if (name.size > sizeof session->name)
        return "Client names cannot be longer than 64 bytes.";
    if (name.size != 0)
        memcpy(session->name, name.data, name.size);
    session->name_size = name.size;
    return NULL;
}

/* There is one user, default, who needs no password. */
static bool is_default_user(struct kvs_slice user)
{
    return slice_equal(user, slice_of_text("default"));
}

static void reply_hello(struct session *session)
{
    struct reply_writer *writer = &session->output.writer;
    reply_map(writer, 7);
    reply_value_text(writer, "server");
    reply_value_text(writer, REDIS_NAME);
    reply_value_text(writer, "version");
    reply_value_text(writer, REDIS_VERSION);
    reply_value_text(writer, "proto");
    reply_integer(writer, session->is_resp3 ? 3 : 2);
    reply_value_text(writer, "id");
    reply_integer(writer, (int64_t)session->id);
    reply_value_text(writer, "mode");
    reply_value_text(writer, "standalone");
    reply_value_text(writer, "role");
    reply_value_text(writer, "master");
    reply_value_text(writer, "modules");
    reply_array(writer, 0);
}

enum command_outcome command_hello(struct session *session, const struct request *request)
{
    int64_t version = session->is_resp3 ? 3 : 2;
    struct kvs_slice name = {NULL, 0};
    bool has_name = false;
    if (request->count > 1) {
        if (!number_parse(&version, request_argument(request, 1)))
            return command_refuse(session, "ERR", "Protocol version is not an integer or out of range");
        if (version != 2 && version != 3)
            return command_refuse(session, "NOPROTO", "unsupported protocol version");
    }
    for (size_t i = 2; i < request->count;) {
        struct kvs_slice word = request_argument(request, i);
        size_t rest = request->count - 1 - i;
        if (command_word_is(word, "AUTH") && rest >= 2) {
            if (!is_default_user(request_argument(request, i + 1)))
                return command_refuse(session, "WRONGPASS", "invalid username-password pair or user is disabled.");
            i += 3;
        } else if (command_word_is(word, "SETNAME") && rest >= 1) {
            name = request_argument(request, i + 1);
            has_name = true;
            i += 2;
        } else {
            char text[128];
            snprintf(text, sizeof text, "Syntax error in HELLO option '%.*s'", (int)(word.size < 64 ? word.size : 64),
                     (const char *)word.data);
            return command_refuse(session, "ERR", text);
        }
    }
    const char *problem = has_name ? set_name(session, name) : NULL;
    if (problem != NULL)
        return command_refuse(session, "ERR", problem);
    session->is_resp3 = version == 3;
    if (!request->is_text)
        reply_writer_set_encoding(&session->output.writer, session->is_resp3 ? REPLY_RESP3 : REPLY_RESP2);
    reply_hello(session);
    return COMMAND_DONE;
}

enum command_outcome command_auth(struct session *session, const struct request *request)
{
    if (request->count > 3)
        return command_refuse(session, "ERR", "syntax error");
    if (request->count == 2)
        return command_refuse(session, "ERR",
                              "AUTH <password> called without any password configured for the default user. Are you "
                              "sure your configuration is correct?");
    if (!is_default_user(request_argument(request, 1)))
        return command_refuse(session, "WRONGPASS", "invalid username-password pair or user is disabled.");
    return reply_ok(session);
}

static enum command_outcome client_info(struct session *session)
{
    char text[256];
    int size = snprintf(text, sizeof text, "id=%" PRIu64 " name=%.*s db=%u resp=%d qbuf=%zu omem=%zu\n", session->id,
                        (int)session->name_size, session->name, session->database, session->is_resp3 ? 3 : 2,
                        byte_buffer_size(&session->input), output_size(&session->output));
    reply_document(&session->output.writer, slice_of(text, (size_t)size));
    return COMMAND_DONE;
}

static enum command_outcome client_set_name(struct session *session, const struct request *request)
{
    const char *problem = set_name(session, request_argument(request, 2));
    return problem != NULL ? command_refuse(session, "ERR", problem) : reply_ok(session);
}

enum command_outcome command_client(struct session *session, const struct request *request)
{
    struct kvs_slice word = request_argument(request, 1);
    struct reply_writer *writer = &session->output.writer;
    if (command_word_is(word, "ID") && request->count == 2) {
        reply_integer(writer, (int64_t)session->id);
        return COMMAND_DONE;
    }
    if (command_word_is(word, "GETNAME") && request->count == 2) {
        if (session->name_size != 0)
            reply_value(writer, slice_of(session->name, session->name_size));
        else
            reply_nil(writer);
        return COMMAND_DONE;
    }
    if (command_word_is(word, "INFO") && request->count == 2)
        return client_info(session);
    if (command_word_is(word, "SETNAME") && request->count == 3)
        return client_set_name(session, request);
    if (command_word_is(word, "SETINFO") && request->count == 4)
        return reply_ok(session);
    reply_error_format(writer, "ERR", "unknown subcommand or wrong number of arguments for '%.*s'. Try HELP CLIENT.",
                       (int)(word.size < 64 ? word.size : 64), (const char *)word.data);
    return COMMAND_DONE;
}
