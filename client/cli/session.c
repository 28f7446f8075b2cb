#include "session.h"

#include "base/status.h"
#include "protocol/number.h"

#include <stdio.h>

enum { CONNECT_TIMEOUT_MS = 5000 };

static struct kvs_status select_database(struct kvc_connection *connection, unsigned database)
{
    char number[16];
    struct kvc_reply *reply;
    snprintf(number, sizeof number, "%u", database);
    STATUS_RETURN_IF_ERROR(kvc_command_text(connection, &reply, "SELECT", number, NULL));
    struct kvs_status status = status_ok();
    if (reply->type == KVC_ERROR)
        status = STATUS(KVS_INVALID, "cannot select database %u: %s", database, reply->text);
    kvc_reply_free(reply);
    return status;
}

static struct kvs_status open_connection(struct session *session)
{
    const struct cli_options *options = session->options;
    struct kvc_connection *connection;
    uint32_t connect_ms = options->timeout_ms != 0 ? options->timeout_ms : CONNECT_TIMEOUT_MS;
    STATUS_RETURN_IF_ERROR(kvc_connect(&connection, options->host, options->port, connect_ms));
    kvc_set_timeout(connection, options->timeout_ms);
    struct kvs_status status = session->database != 0 ? select_database(connection, session->database) : status_ok();
    if (!status_is_ok(status)) {
        kvc_close(connection);
        return status;
    }
    session->connection = connection;
    return status_ok();
}

struct kvs_status session_open(struct session *session, const struct cli_options *options)
{
    *session = (struct session){.options = options, .database = options->database};
    return open_connection(session);
}

void session_close(struct session *session)
{
    kvc_close(session->connection);
    session->connection = NULL;
}

struct kvs_status session_restore(struct session *session, bool *is_new_out)
{
    *is_new_out = false;
    if (session->connection != NULL && kvc_is_alive(session->connection))
        return status_ok();
    session_close(session);
    STATUS_RETURN_IF_ERROR(open_connection(session));
    *is_new_out = true;
    return status_ok();
}

struct kvs_status session_command(struct session *session, struct kvc_reply **reply_out, const struct words *words)
{
    struct kvc_reply *reply;
    STATUS_RETURN_IF_ERROR(kvc_command(session->connection, &reply, words->items, words->count));
    session_note(session, words, reply);
    *reply_out = reply;
    return status_ok();
}

void session_note(struct session *session, const struct words *words, const struct kvc_reply *reply)
{
    int64_t database;
    if (reply->type == KVC_STATUS && words->count == 2 && words_is(words, 0, "SELECT") &&
        number_parse(&database, words->items[1]) && database >= 0)
        session->database = (unsigned)database;
}
