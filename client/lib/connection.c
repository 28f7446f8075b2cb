#include "client/reply_tree.h"
#include "client/socket.h"

#include "base/status.h"
#include "protocol/byte_buffer.h"
#include "protocol/number.h"
#include "protocol/reply_reader.h"

#include <kvstore_client.h>

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 64 * 1024,   /* asked for in one receive */
    BUFFER_KEPT_BYTES = 1 << 20, /* an empty buffer that grew beyond this is freed */
    TEXT_ARGUMENTS_MAX = 64,     /* of kvc_command_text */
    HEADER_MAX_BYTES = 1 + NUMBER_MAX_BYTES + 2
};

struct kvc_connection {
    int fd;
    uint32_t timeout_ms;
    bool is_broken;
    size_t pending; /* commands appended whose replies were not returned */
    struct byte_buffer out;
    struct byte_buffer in;
    struct reply_reader reader;
};

const char *kvc_version(void)
{
    return KVSTORE_VERSION;
}

const char *kvc_status_text(struct kvs_status status)
{
    return status_text(status);
}

/* ---- Life ---- */

struct kvs_status kvc_connect(struct kvc_connection **connection_out, const char *host, uint16_t port,
                              uint32_t timeout_ms)
{
    struct kvc_connection *connection = malloc(sizeof *connection);
    if (connection == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a connection");
    *connection = (struct kvc_connection){.fd = -1, .timeout_ms = timeout_ms};
    struct kvs_status status = socket_connect(&connection->fd, host, port, timeout_ms);
    if (!status_is_ok(status)) {
        free(connection);
        return status;
    }
    struct reply_reader_limits limits;
    reply_reader_limits_default(&limits);
    reply_reader_init(&connection->reader, &limits);
    *connection_out = connection;
    return status_ok();
}

void kvc_close(struct kvc_connection *connection)
{
    if (connection == NULL)
        return;
    close(connection->fd);
    reply_reader_fini(&connection->reader);
    byte_buffer_fini(&connection->in);
    byte_buffer_fini(&connection->out);
    free(connection);
}

void kvc_set_timeout(struct kvc_connection *connection, uint32_t timeout_ms)
{
    connection->timeout_ms = timeout_ms;
}

bool kvc_is_alive(struct kvc_connection *connection)
{
    return !connection->is_broken && socket_is_alive(connection->fd);
}

/* What was under way cannot be finished: no reply could be told from another any more. */
static struct kvs_status break_connection(struct kvc_connection *connection, struct kvs_status status)
{
    connection->is_broken = true;
    return status;
}

static struct kvs_status check_usable(const struct kvc_connection *connection)
{
    if (connection->is_broken)
        return STATUS(KVS_IO, "the connection is broken by an earlier failure");
    return status_ok();
}

/* ---- Sending ---- */

static void put_header(struct byte_buffer *out, char marker, size_t number)
{
    size_t space;
    uint8_t *start = byte_buffer_space(out, &space), *at = start;
    *at++ = (uint8_t)marker;
    at += number_format((char *)at, (int64_t)number);
    *at++ = '\r';
    *at++ = '\n';
    byte_buffer_commit(out, (size_t)(at - start));
}

/* Room was reserved for all of it. */
static void put_bytes(struct byte_buffer *out, const void *data, size_t size)
{
    size_t space;
    if (size > 0)
        memcpy(byte_buffer_space(out, &space), data, size);
    byte_buffer_commit(out, size);
}

struct kvs_status kvc_append(struct kvc_connection *connection, const struct kvs_slice *arguments, size_t count)
{
    STATUS_RETURN_IF_ERROR(check_usable(connection));
    if (count == 0)
        return STATUS(KVS_INVALID, "a command has at least its name");
    size_t bytes = HEADER_MAX_BYTES;
    for (size_t i = 0; i < count; i++)
        bytes += HEADER_MAX_BYTES + arguments[i].size + 2;
    if (!byte_buffer_reserve(&connection->out, bytes))
        return STATUS(KVS_NO_MEMORY, "no memory for a command of %zu bytes", bytes);
    put_header(&connection->out, '*', count);
    for (size_t i = 0; i < count; i++) {
        put_header(&connection->out, '$', arguments[i].size);
        put_bytes(&connection->out, arguments[i].data, arguments[i].size);
        put_bytes(&connection->out, "\r\n", 2);
    }
    connection->pending++;
    return status_ok();
}

size_t kvc_queued_bytes(const struct kvc_connection *connection)
{
    return byte_buffer_size(&connection->out);
}

static struct kvs_status send_some(struct kvc_connection *connection)
{
    size_t sent;
    STATUS_RETURN_IF_ERROR(
        socket_send(&sent, connection->fd, byte_buffer_data(&connection->out), byte_buffer_size(&connection->out)));
    byte_buffer_consume(&connection->out, sent);
    return status_ok();
}

static struct kvs_status receive_some(struct kvc_connection *connection)
{
    if (!byte_buffer_reserve(&connection->in, RECEIVE_BYTES))
        return STATUS(KVS_NO_MEMORY, "no memory for a reply of %zu bytes", byte_buffer_size(&connection->in));
    size_t space, received;
    uint8_t *at = byte_buffer_space(&connection->in, &space);
    STATUS_RETURN_IF_ERROR(socket_receive(&received, connection->fd, at, space));
    byte_buffer_commit(&connection->in, received);
    return status_ok();
}

/* Wait for the socket and do what it is ready for. */
static struct kvs_status make_progress(struct kvc_connection *connection, short events)
{
    short ready;
    STATUS_RETURN_IF_ERROR(socket_wait(&ready, connection->fd, events, connection->timeout_ms));
    if ((ready & POLLIN) != 0)
        STATUS_RETURN_IF_ERROR(receive_some(connection));
    if ((ready & POLLOUT) != 0)
        STATUS_RETURN_IF_ERROR(send_some(connection));
    return status_ok();
}

struct kvs_status kvc_flush(struct kvc_connection *connection)
{
    STATUS_RETURN_IF_ERROR(check_usable(connection));
    if (byte_buffer_size(&connection->out) == 0)
        return status_ok();
    struct kvs_status status = send_some(connection);
    while (status_is_ok(status) && byte_buffer_size(&connection->out) > 0)
        status = make_progress(connection, POLLIN | POLLOUT);
    if (!status_is_ok(status))
        return break_connection(connection, status);
    byte_buffer_trim(&connection->out, BUFFER_KEPT_BYTES);
    return status_ok();
}

/* ---- Receiving ---- */

size_t kvc_pending(const struct kvc_connection *connection)
{
    return connection->pending;
}

/* A reply out of what has been received; complete_out: whether there was one. */
static struct kvs_status take_reply(struct kvc_connection *connection, bool *complete_out, struct kvc_reply **reply_out)
{
    struct byte_buffer *in = &connection->in;
    size_t consumed;
    STATUS_RETURN_IF_ERROR(
        reply_reader_next(&connection->reader, complete_out, &consumed, byte_buffer_data(in), byte_buffer_size(in)));
    if (!*complete_out)
        return status_ok();
    STATUS_RETURN_IF_ERROR(reply_tree_build(reply_out, &connection->reader, byte_buffer_data(in)));
    byte_buffer_consume(in, consumed);
    byte_buffer_trim(in, BUFFER_KEPT_BYTES);
    return status_ok();
}

/* Receive until a reply is whole. */
static struct kvs_status wait_for_reply(struct kvc_connection *connection, struct kvc_reply **reply_out)
{
    bool complete = false;
    STATUS_RETURN_IF_ERROR(take_reply(connection, &complete, reply_out));
    while (!complete) {
        STATUS_RETURN_IF_ERROR(make_progress(connection, POLLIN));
        STATUS_RETURN_IF_ERROR(take_reply(connection, &complete, reply_out));
    }
    return status_ok();
}

struct kvs_status kvc_next_reply(struct kvc_connection *connection, struct kvc_reply **reply_out)
{
    STATUS_RETURN_IF_ERROR(check_usable(connection));
    if (connection->pending == 0)
        return STATUS(KVS_INVALID, "no command is pending");
    struct kvc_reply *reply = NULL;
    struct kvs_status sent = kvc_flush(connection);
    /* A server that hangs up on what we send has said why before, if it could. */
    struct kvs_status status = wait_for_reply(connection, &reply);
    if (!status_is_ok(status))
        return break_connection(connection, status_is_ok(sent) ? status : sent);
    if (reply->type != KVC_PUSH)
        connection->pending--;
    *reply_out = reply;
    return status_ok();
}

/* ---- One command ---- */

struct kvs_status kvc_command(struct kvc_connection *connection, struct kvc_reply **reply_out,
                              const struct kvs_slice *arguments, size_t count)
{
    STATUS_RETURN_IF_ERROR(check_usable(connection));
    if (connection->pending > 0)
        return STATUS(KVS_INVALID, "%zu replies of a pipeline are unread", connection->pending);
    STATUS_RETURN_IF_ERROR(kvc_append(connection, arguments, count));
    struct kvc_reply *reply = NULL;
    do {
        kvc_reply_free(reply);
        reply = NULL;
        STATUS_RETURN_IF_ERROR(kvc_next_reply(connection, &reply));
    } while (reply->type == KVC_PUSH);
    *reply_out = reply;
    return status_ok();
}

struct kvs_status kvc_command_text(struct kvc_connection *connection, struct kvc_reply **reply_out, const char *name,
                                   ...)
{
    struct kvs_slice arguments[TEXT_ARGUMENTS_MAX];
    size_t count = 0;
    va_list list;
    va_start(list, name);
    for (const char *argument = name; argument != NULL && count <= TEXT_ARGUMENTS_MAX;
         argument = va_arg(list, const char *)) {
        if (count < TEXT_ARGUMENTS_MAX)
            arguments[count] = slice_of_text(argument);
        count++;
    }
    va_end(list);
    if (count > TEXT_ARGUMENTS_MAX)
        return STATUS(KVS_INVALID, "more than %d arguments", TEXT_ARGUMENTS_MAX);
    return kvc_command(connection, reply_out, arguments, count);
}
