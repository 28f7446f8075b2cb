/* client_peer.h -- servers for the client's tests: one that follows a test's script, one that keeps records in memory.
 *
 * Role      A listening socket on a free port and one thread that serves connections, one after the other.
 * Threads   The serve function runs on the peer's thread; a test shares data with it before peer_start and after peer_stop, or under a mutex.
 * Failure   Aborts: there is no test without its peer.
 */
#ifndef KVS_TESTS_CLIENT_PEER_H
#define KVS_TESTS_CLIENT_PEER_H

#include "protocol/reply.h"
#include "protocol/request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int listener;
    uint16_t port;
    pthread_t thread;
    void (*serve)(int fd, void *context);
    void *context;
};

static inline void peer_check(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        abort();
    }
}

static inline void *peer_main(void *argument)
{
    struct peer *peer = argument;
    int fd;
    while ((fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        peer->serve(fd, peer->context);
        close(fd);
    }
    return NULL;
}

/* Serve connections to 127.0.0.1 with `serve`, which gets the connected socket and need not close it. */
static inline void peer_start(struct peer *peer, void (*serve)(int fd, void *context), void *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *peer =
        (struct peer){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .serve = serve, .context = context};
    peer_check(peer->listener >= 0, "socket");
    peer_check(bind(peer->listener, (struct sockaddr *)&address, size) == 0, "bind");
    peer_check(listen(peer->listener, 16) == 0, "listen");
    peer_check(getsockname(peer->listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    peer->port = ntohs(address.sin_port);
    peer_check(pthread_create(&peer->thread, NULL, peer_main, peer) == 0, "pthread_create");
}

/* Stop listening and wait until the connection that is served has ended. */
static inline void peer_stop(struct peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

/* Send all of it, in pieces of `piece` bytes. */
static inline void peer_send(int fd, const void *data, size_t size, size_t piece)
{
    const uint8_t *bytes = data;
    for (size_t at = 0; at < size;) {
        size_t step = piece < size - at ? piece : size - at;
        ssize_t sent = send(fd, bytes + at, step, MSG_NOSIGNAL);
        if (sent < 0)
            return;
        at += (size_t)sent;
    }
}

/* Receive exactly size bytes. Returns false where the stream ends before. */
static inline bool peer_receive(int fd, void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t received = recv(fd, (uint8_t *)data + at, size - at, 0);
        if (received <= 0)
            return false;
        at += (size_t)received;
    }
    return true;
}

/* Receive until the stream ends. */
static inline void peer_drain(int fd)
{
    char bytes[4096];
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
}

/* ---- A server of records ---- */

enum { STORE_RECORDS = 20000 };

struct store_record {
    struct kvs_slice key; /* both own their memory */
    struct kvs_slice value;
};

/* Records in the order of their keys. All under mutex while a peer serves them; the functions below want it held, except store_serve. */
struct store {
    pthread_mutex_t mutex;
    struct store_record records[STORE_RECORDS];
    size_t count;
    size_t commands;      /* executed so far */
    size_t hang_up_after; /* commands, then the connection closes without a reply; 0: never */
};

#define STORE_EMPTY                        \
    {                                      \
        .mutex = PTHREAD_MUTEX_INITIALIZER \
    }

static inline struct kvs_slice store_copy(struct kvs_slice slice)
{
    void *copy = malloc(slice.size + 1);
    peer_check(copy != NULL, "malloc");
    if (slice.size > 0)
        memcpy(copy, slice.data, slice.size);
    return slice_of(copy, slice.size);
}

/* The first record at or behind key. */
static inline size_t store_seek(const struct store *store, struct kvs_slice key)
{
    size_t low = 0, high = store->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_compare(store->records[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline bool store_has(const struct store *store, size_t at, struct kvs_slice key)
{
    return at < store->count && slice_equal(store->records[at].key, key);
}

static inline void store_remove(struct store *store, size_t at)
{
    free((void *)store->records[at].key.data);
    free((void *)store->records[at].value.data);
    store->count--;
    memmove(&store->records[at], &store->records[at + 1], (store->count - at) * sizeof store->records[0]);
}

static inline void store_put(struct store *store, struct kvs_slice key, struct kvs_slice value)
{
    size_t at = store_seek(store, key);
    if (store_has(store, at, key))
        store_remove(store, at);
    peer_check(store->count < STORE_RECORDS, "store is full");
    memmove(&store->records[at + 1], &store->records[at], (store->count - at) * sizeof store->records[0]);
    store->records[at] = (struct store_record){store_copy(key), store_copy(value)};
    store->count++;
}

static inline void store_clear(struct store *store)
{
    while (store->count > 0)
        store_remove(store, store->count - 1);
}

static inline bool store_verb_is(const struct request *request, const char *name, size_t count)
{
    struct kvs_slice verb = request_argument(request, 0);
    return request->count >= count && verb.size == strlen(name) && strncasecmp(verb.data, name, verb.size) == 0;
}

static inline void store_range(struct store *store, struct reply_writer *writer, const struct request *request)
{
    struct kvs_slice to = request_argument(request, 2);
    size_t limit = STORE_RECORDS;
    if (request->count == 5)
        limit = strtoul(request_argument(request, 4).data, NULL, 10);
    size_t mark = reply_pairs_begin(writer);
    for (size_t at = store_seek(store, request_argument(request, 1)); at < store->count && limit > 0; at++, limit--) {
        if (to.size > 0 && slice_compare(store->records[at].key, to) >= 0)
            break;
        reply_value(writer, store->records[at].key);
        reply_value(writer, store->records[at].value);
    }
    reply_open_end(writer, mark);
}

static inline void store_execute(struct store *store, struct reply_writer *writer, const struct request *request)
{
    struct kvs_slice key = request->count > 1 ? request_argument(request, 1) : slice_of("", 0);
    size_t at = store_seek(store, key);
    if (store_verb_is(request, "SET", 3) || store_verb_is(request, "PUT", 3)) {
        if (key.size == 0) {
            reply_error(writer, "ERR", "empty key");
            return;
        }
        store_put(store, key, request_argument(request, 2));
        reply_status(writer, "OK");
    } else if (store_verb_is(request, "PUT", 1)) {
        reply_error(writer, "ERR", "PUT needs a key and a value");
    } else if (store_verb_is(request, "GET", 2)) {
        if (store_has(store, at, key))
            reply_value(writer, store->records[at].value);
        else
            reply_nil(writer);
    } else if (store_verb_is(request, "DEL", 2)) {
        bool found = store_has(store, at, key);
        if (found)
            store_remove(store, at);
        reply_deleted(writer, found, request->count - 1);
    } else if (store_verb_is(request, "EXISTS", 2)) {
        reply_integer(writer, store_has(store, at, key));
    } else if (store_verb_is(request, "SELECT", 2)) {
        reply_status(writer, "OK");
    } else if (store_verb_is(request, "RANGE", 3)) {
        store_range(store, writer, request);
    } else {
        reply_unknown_command(writer, request);
    }
}

static inline bool store_find_opening(const void *context, enum protocol_opening *opening_out, struct kvs_slice verb)
{
    (void)context;
    (void)verb;
    *opening_out = PROTOCOL_OPENS_RESP;
    return true;
}

/* Execute what was received. Returns whether the connection goes on. */
static inline bool store_answer(struct store *store, struct request_parser *parser, struct byte_buffer *in,
                                struct reply_writer *writer)
{
    for (;;) {
        struct request request;
        size_t consumed;
        enum request_result result =
            request_parser_next(parser, &request, &consumed, byte_buffer_data(in), byte_buffer_size(in));
        if (result == REQUEST_MORE)
            return true;
        if (result != REQUEST_READY)
            return false;
        if (store->hang_up_after > 0 && ++store->commands > store->hang_up_after)
            return false;
        store_execute(store, writer, &request);
        byte_buffer_consume(in, consumed);
    }
}

/* A serve function for peer_start; context is a struct store. */
static inline void store_serve(int fd, void *context)
{
    struct store *store = context;
    const struct protocol_commands commands = {store_find_opening, NULL};
    struct request_limits limits;
    struct request_parser parser;
    struct reply_writer writer;
    struct byte_buffer in;
    request_limits_default(&limits);
    request_parser_init(&parser, &commands, &limits);
    reply_writer_init(&writer, REPLY_RESP2);
    byte_buffer_init(&in);
    bool open = true;
    while (open) {
        char bytes[32768];
        ssize_t size = recv(fd, bytes, sizeof bytes, 0);
        if (size <= 0)
            break;
        peer_check(byte_buffer_append(&in, bytes, (size_t)size), "receive");
        pthread_mutex_lock(&store->mutex);
        open = store_answer(store, &parser, &in, &writer);
        if (!open)
            store->commands = 0;
        pthread_mutex_unlock(&store->mutex);
        peer_send(fd, byte_buffer_data(&writer.buffer), byte_buffer_size(&writer.buffer), 65536);
        byte_buffer_consume(&writer.buffer, byte_buffer_size(&writer.buffer));
    }
    request_parser_fini(&parser);
    reply_writer_fini(&writer);
    byte_buffer_fini(&in);
}

#endif
