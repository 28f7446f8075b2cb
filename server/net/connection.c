#include "net/connection.h"

#include "base/assert.h"
#include "command/command.h"
#include "log/log.h"
#include "net/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_BYTES = 16 * 1024,  /* room for one read, at least */
    READ_AHEAD = 64 * 1024,  /* unexecuted input beyond which a busy client is not read */
    READ_BURST = 256 * 1024, /* input beyond which the turn runs first */
    KEEPALIVE_S = 300,
    LINGER_MS = 2000
};

/* ---- Closing ---- */

/* Frees the connection once neither libuv nor the pool has it. */
static void free_if_over(struct connection *connection)
{
    if (!connection->is_closed || connection->is_working)
        return;
    struct loop *loop = connection->loop;
    atomic_fetch_sub_explicit(&loop->shared->buffer_bytes, connection->charged_bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&loop->shared->clients, 1, memory_order_relaxed);
    TAILQ_REMOVE(&loop->connections, connection, link);
    session_fini(&connection->session);
    byte_buffer_fini(&connection->sending);
    free(connection);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    connection->is_closed = true;
    free_if_over(connection);
}

static void close_socket(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSING)
        return;
    connection->state = CONNECTION_CLOSING;
    turn_remove(&connection->loop->turn, &connection->session);
    uv_close((uv_handle_t *)&connection->socket, on_closed);
}

void connection_drop(struct connection *connection, const char *reason)
{
    if (connection->state == CONNECTION_CLOSING)
        return;
    if (reason != NULL) {
        log_line(KVS_LOG_WARNING, "client %" PRIu64 " dropped: %s", connection->session.id, reason);
        shared_count(&connection->loop->shared->dropped, 1);
    }
    close_socket(connection);
}

/* ---- Reading ---- */

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct connection *connection = handle->data;
    struct byte_buffer *input = &connection->session.input;
    if (connection->state == CONNECTION_LINGERING) {
        *buffer = uv_buf_init((char *)connection->loop->discard, LOOP_DISCARD_BYTES);
        return;
    }
    size_t space = 0;
    uint8_t *at = NULL;
    if (byte_buffer_reserve(input, READ_BYTES))
        at = byte_buffer_space(input, &space);
    *buffer = uv_buf_init((char *)at, (unsigned)space);
}

static void stop_reading(struct connection *connection)
{
    if (connection->is_reading)
        uv_read_stop((uv_stream_t *)&connection->socket);
    connection->is_reading = false;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    (void)buffer;
    struct connection *connection = stream->data;
    struct session *session = &connection->session;
    if (size == 0 || connection->state == CONNECTION_CLOSING)
        return;
    if (connection->state == CONNECTION_LINGERING) {
        if (size < 0)
            close_socket(connection);
        return;
    }
    if (size < 0) {
        stop_reading(connection);
        if (size != UV_EOF) {
            connection_drop(connection, size == UV_ENOBUFS ? "no memory for its request" : NULL);
            return;
        }
        session->is_ended = connection->is_deserted = true;
    } else {
        byte_buffer_commit(&session->input, (size_t)size);
        connection->input_ms = uv_now(stream->loop);
        shared_count(&connection->loop->shared->input_bytes, (uint64_t)size);
        if (byte_buffer_size(&session->input) >= READ_BURST)
            stop_reading(connection);
    }
    turn_input(&connection->loop->turn, session);
}

static void update_reading(struct connection *connection)
{
    const struct session *session = &connection->session;
    bool wants = session->state != SESSION_CLOSING && !session->is_ended &&
                 (session->state == SESSION_IDLE || byte_buffer_size(&session->input) < READ_AHEAD);
    if (connection->state == CONNECTION_LINGERING)
        wants = true;
    if (!wants) {
        stop_reading(connection);
    } else if (!connection->is_reading) {
        if (uv_read_start((uv_stream_t *)&connection->socket, allocate, on_read) == 0)
            connection->is_reading = true;
        else
            connection_drop(connection, NULL);
    }
}

/* ---- Writing ---- */

static size_t unsent(const struct connection *connection)
{
    return output_size(&connection->session.output) + byte_buffer_size(&connection->sending);
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    connection->is_writing = false;
    byte_buffer_fini(&connection->sending);
    if (connection->state == CONNECTION_CLOSING)
        return;
    if (status < 0)
        connection_drop(connection, NULL);
    else
        turn_touch(&connection->loop->turn, &connection->session);
}

/* Gives libuv all that may leave, to be sent when the socket takes it. False: the connection was dropped. */
static bool write_later(struct connection *connection)
{
    if (!output_take(&connection->session.output, &connection->sending)) {
        connection_drop(connection, "no memory for its replies");
        return false;
    }
    uv_buf_t buffer =
        uv_buf_init((char *)byte_buffer_data(&connection->sending), (unsigned)byte_buffer_size(&connection->sending));
    connection->write.data = connection;
    if (uv_write(&connection->write, (uv_stream_t *)&connection->socket, &buffer, 1, on_written) != 0) {
        connection_drop(connection, NULL);
        return false;
    }
    connection->is_writing = true;
    return true;
}

/* Sends what may leave: at once, or when the socket takes it. False: the connection was dropped. */
static bool send_replies(struct connection *connection)
{
    struct output *output = &connection->session.output;
    while (!connection->is_writing) {
        struct kvs_slice bytes = output_sendable(output);
        if (bytes.size == 0)
            return true;
        uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.size);
        int sent = uv_try_write((uv_stream_t *)&connection->socket, &buffer, 1);
        if (sent < 0 && sent != UV_EAGAIN) {
            connection_drop(connection, NULL);
            return false;
        }
        if (sent > 0) {
            output_consume(output, (size_t)sent);
            connection->output_ms = 0;
            shared_count(&connection->loop->shared->output_bytes, (uint64_t)sent);
        }
        if ((size_t)(sent > 0 ? sent : 0) < bytes.size) {
            shared_count(&connection->loop->shared->output_bytes, output_sendable(output).size);
            return write_later(connection);
        }
    }
    return true;
}

static void on_shut_down(uv_shutdown_t *shutdown, int status)
{
    struct connection *connection = shutdown->data;
    if (connection->state != CONNECTION_CLOSING && status < 0)
        close_socket(connection);
}

/* All is sent: says so to the peer, and waits for it to go. */
static void linger(struct connection *connection)
{
    connection->state = CONNECTION_LINGERING;
    connection->linger_ms = uv_now(&connection->loop->uv);
    connection->shutdown.data = connection;
    if (connection->is_deserted ||
        uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->socket, on_shut_down) != 0)
        close_socket(connection);
    else
        update_reading(connection);
}

/* ---- Limits ---- */

/* Counts its buffers with those of all. False: the connection was dropped. */
static bool charge(struct connection *connection)
{
    struct shared *shared = connection->loop->shared;
    size_t bytes = session_memory(&connection->session) + connection->sending.capacity;
    if (bytes == connection->charged_bytes)
        return true;
    uint64_t difference = (uint64_t)bytes - connection->charged_bytes; /* wraps where it shrank, and so does the sum */
    uint64_t total = difference + atomic_fetch_add_explicit(&shared->buffer_bytes, difference, memory_order_relaxed);
    bool has_grown = bytes > connection->charged_bytes;
    connection->charged_bytes = bytes;
    if (!has_grown || bytes <= READ_AHEAD || total <= shared->settings->max_buffers)
        return true;
    connection_drop(connection, "the buffers of all clients would pass max-buffers");
    return false;
}

/* Notes since when the client owes the rest of a request, or has not read. */
static void watch(struct connection *connection)
{
    const struct session *session = &connection->session;
    uint64_t now_ms = uv_now(&connection->loop->uv);
    if (session->state != SESSION_IDLE || byte_buffer_size(&session->input) == 0) {
        connection->request_ms = 0;
    } else if (connection->request_ms == 0 || connection->requests != session->requests) {
        connection->request_ms = now_ms;
        connection->requests = session->requests;
    }
    if (!connection->is_writing) {
        connection->output_ms = 0;
    } else if (connection->output_ms == 0) {
        connection->output_ms = now_ms;
        connection->unsent_bytes = uv_stream_get_write_queue_size((uv_stream_t *)&connection->socket);
    }
}

static bool has_passed(uint64_t since_ms, uint64_t now_ms, uint64_t seconds)
{
    return since_ms != 0 && seconds != 0 && now_ms - since_ms >= seconds * 1000;
}

/* A client that owes the rest of its request is told so; it closes as after any error. */
static void give_up_request(struct connection *connection)
{
    struct session *session = &connection->session;
    reply_error(&session->output.writer, "ERR", "the request was not completed in time");
    session_seal(session, 1);
    byte_buffer_consume(&session->input, byte_buffer_size(&session->input));
    session_move(session, SESSION_CLOSING);
    log_line(KVS_LOG_WARNING, "client %" PRIu64 " dropped: its request was not completed in time", session->id);
    shared_count(&connection->loop->shared->dropped, 1);
    connection_flush(connection);
}

void connection_tick(struct connection *connection, uint64_t now_ms)
{
    struct session *session = &connection->session;
    const struct settings *settings = session->shared->settings;
    if (connection->state == CONNECTION_LINGERING && now_ms - connection->linger_ms >= LINGER_MS)
        close_socket(connection);
    if (connection->state != CONNECTION_OPEN)
        return;
    size_t queued = uv_stream_get_write_queue_size((uv_stream_t *)&connection->socket);
    if (connection->output_ms != 0 && queued != connection->unsent_bytes) {
        connection->output_ms = now_ms;
        connection->unsent_bytes = queued;
    }
    if (has_passed(connection->output_ms, now_ms, settings->request_timeout)) {
        connection_drop(connection, "it does not read its replies");
    } else if (has_passed(connection->request_ms, now_ms, settings->request_timeout)) {
        give_up_request(connection);
    } else if (session->state == SESSION_IDLE && unsent(connection) == 0 && byte_buffer_size(&session->input) == 0) {
        if (has_passed(connection->input_ms, now_ms, settings->idle_timeout))
            connection_finish(connection);
        byte_buffer_trim(&session->input, 0);
        byte_buffer_trim(&session->output.writer.buffer, 0);
    }
}

/* ---- Life ---- */

void connection_flush(struct connection *connection)
{
    struct session *session = &connection->session;
    if (connection->state != CONNECTION_OPEN)
        return;
    if (session->is_broken || output_failed(&session->output)) {
        connection_drop(connection, "its replies could not be completed");
        return;
    }
    if (!send_replies(connection))
        return;
    if (unsent(connection) > session->shared->settings->max_output) {
        connection_drop(connection, "it has more unread replies than max-output");
        return;
    }
    if (unsent(connection) <= SESSION_OUTPUT_MARK / 2)
        turn_drained(&connection->loop->turn, session);
    watch(connection);
    if (!charge(connection))
        return;
    if (session->state == SESSION_CLOSING && unsent(connection) == 0)
        linger(connection);
    else
        update_reading(connection);
}

static void on_work(uv_work_t *work)
{
    struct connection *connection = work->data;
    connection->session.job->run(connection->session.job, connection->loop->shared);
}

static void on_work_done(uv_work_t *work, int status)
{
    (void)status; /* jobs are not cancelled */
    struct connection *connection = work->data;
    connection->is_working = false;
    if (connection->state == CONNECTION_CLOSING)
        free_if_over(connection);
    else
        turn_job_back(&connection->loop->turn, &connection->session);
}

void connection_submit(struct connection *connection)
{
    connection->work.data = connection;
    int error = uv_queue_work(&connection->loop->uv, &connection->work, on_work, on_work_done);
    KVS_ASSERT(error == 0);
    connection->is_working = true;
}

/* Takes what lies in the socket, as far as a client may run ahead anyway: its loop may not have come to read it yet. */
static void read_arrived(struct connection *connection)
{
    struct byte_buffer *input = &connection->session.input;
    uv_os_fd_t descriptor;
    if (uv_fileno((uv_handle_t *)&connection->socket, &descriptor) != 0)
        return;
    while (byte_buffer_size(input) < READ_BURST && byte_buffer_reserve(input, READ_BYTES)) {
        size_t space;
        uint8_t *at = byte_buffer_space(input, &space);
        ssize_t size = recv(descriptor, at, space, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return;
        byte_buffer_commit(input, (size_t)size);
        shared_count(&connection->loop->shared->input_bytes, (uint64_t)size);
    }
}

void connection_finish(struct connection *connection)
{
    struct session *session = &connection->session;
    if (connection->state != CONNECTION_OPEN)
        return;
    stop_reading(connection);
    if (!session->is_ended)
        read_arrived(connection);
    if (session->state == SESSION_IDLE && byte_buffer_size(&session->input) == 0 && unsent(connection) == 0)
        connection->is_deserted = true;
    session->is_ended = true;
    turn_input(&connection->loop->turn, &connection->session);
}

void connection_open(struct loop *loop, int descriptor)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL || uv_tcp_init(&loop->uv, &connection->socket) != 0) {
        free(connection);
        close(descriptor);
        atomic_fetch_sub_explicit(&loop->shared->clients, 1, memory_order_relaxed);
        return;
    }
    connection->loop = loop;
    connection->socket.data = connection;
    connection->input_ms = uv_now(&loop->uv);
    session_init(&connection->session, &loop->turn.loop, &command_openings);
    TAILQ_INSERT_TAIL(&loop->connections, connection, link);
    if (uv_tcp_open(&connection->socket, descriptor) != 0) {
        close(descriptor);
        close_socket(connection);
        return;
    }
    uv_tcp_nodelay(&connection->socket, 1);
    uv_tcp_keepalive(&connection->socket, 1, KEEPALIVE_S);
    update_reading(connection);
}
