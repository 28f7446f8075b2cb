/* writes.c -- PUT, SET, MSET: writes that depend on nothing, gathered in the session's batch. */
#include "command/command.h"
#include "command/key_list.h"

/* Appends a change to the session's batch, which exists. */
static struct kvs_status append(struct session *session, struct kvs_slice key, struct kvs_slice value)
{
    uint8_t stored[SESSION_STORED_KEY_BYTES];
    return kvs_batch_put(session->batch, session_stored_key(session, stored, key), value);
}

/* Takes back a batch to which the first change could not be added. */
static enum command_outcome give_up(struct session *session, struct kvs_status status)
{
    batch_pool_put(&session->loop->batches, session->batch);
    session->batch = NULL;
    if (status.code == KVS_TOO_LARGE)
        return command_refuse(session, "ERR", "the changes of one command take more than 64 MiB");
    session_reply_failure(session, status, NULL);
    return COMMAND_DONE;
}

static enum command_outcome refuse_value(struct session *session)
{
    return command_refuse(session, "ERR", "value is longer than 1048576 bytes");
}

enum command_outcome command_put(struct session *session, const struct request *request)
{
    if (request->count != 3) {
        const struct command *command = command_find(request_argument(request, 0));
        if (!request->is_text && command->arity < 0)
            return command_refuse(session, "ERR", "syntax error"); /* SET's options */
        return command_refuse_count(session, request, command);
    }
    enum command_outcome outcome;
    if (request->spans[2].size > KVS_VALUE_MAX_BYTES)
        return refuse_value(session);
    if (!key_list_check_words(&outcome, session, request, 1, 2))
        return outcome;
    bool is_first = session->batch == NULL;
    struct kvs_status status = {.code = KVS_OK};
    if (is_first)
        status = batch_pool_get(&session->loop->batches, &session->batch);
    if (kvs_ok(status))
        status = append(session, request_argument(request, 1), request_argument(request, 2));
    if (!kvs_ok(status))
        return is_first ? give_up(session, status) : COMMAND_AFTER_APPLY;
    session->batch_replies++;
    return COMMAND_BATCHED;
}

enum command_outcome command_mset(struct session *session, const struct request *request)
{
    if (request->count % 2 == 0)
        return command_refuse_count(session, request, command_find(request_argument(request, 0)));
    for (size_t i = 2; i < request->count; i += 2)
        if (request->spans[i].size > KVS_VALUE_MAX_BYTES)
            return refuse_value(session);
    enum command_outcome outcome;
    if (!key_list_check_words(&outcome, session, request, 1, 2))
        return outcome;
    if (session->batch != NULL) /* a batch of its own, to be dropped whole if a change does not fit */
        return COMMAND_AFTER_APPLY;
    struct kvs_status status = batch_pool_get(&session->loop->batches, &session->batch);
    for (size_t i = 1; kvs_ok(status) && i < request->count; i += 2)
        status = append(session, request_argument(request, i), request_argument(request, i + 1));
    if (!kvs_ok(status))
        return give_up(session, status);
    session->batch_replies++;
    return COMMAND_BATCHED;
}
