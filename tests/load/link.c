#include "load/link.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_BYTES = 96 /* of a command or reply, beside key and value */, RECEIVE_BYTES = 65536, SHOWN_BYTES = 60 };

static int open_socket(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "kvstore_load: %s %s: %s\n", host, port, gai_strerror(error));
        return -1;
    }
    int fd = -1, one = 1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    if (fd < 0)
        fprintf(stderr, "kvstore_load: cannot connect to %s %s: %s\n", host, port, strerror(errno));
    else
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    freeaddrinfo(found);
    return fd;
}

bool link_open(struct link *link, const char *host, const char *port, size_t most, size_t item_bytes)
{
    *link = (struct link){.fd = open_socket(host, port)};
    if (link->fd < 0)
        return false;
    link->request.data = malloc(most * (item_bytes + FRAME_BYTES));
    link->expected.data = malloc(most * (item_bytes + FRAME_BYTES));
    link->request_ends = malloc(most * sizeof *link->request_ends);
    link->reply_ends = malloc(most * sizeof *link->reply_ends);
    if (link->request.data != NULL && link->expected.data != NULL && link->request_ends != NULL &&
        link->reply_ends != NULL)
        return true;
    fprintf(stderr, "kvstore_load: no memory\n");
    return false;
}

void link_close(struct link *link)
{
    if (link->fd > 0)
        close(link->fd);
    free(link->request.data);
    free(link->expected.data);
    free(link->request_ends);
    free(link->reply_ends);
    *link = (struct link){.fd = -1};
}

void link_clear(struct link *link)
{
    link->request.size = link->expected.size = link->sent = link->matched = link->count = 0;
}

static void append(struct link_bytes *bytes, const char *data, size_t size)
{
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

/* "$SIZE\r\nDATA\r\n" */
static void append_bulk(struct link_bytes *bytes, const char *data, size_t size)
{
    char head[32];
    append(bytes, head, (size_t)snprintf(head, sizeof head, "$%zu\r\n", size));
    append(bytes, data, size);
    append(bytes, "\r\n", 2);
}

static void end_command(struct link *link)
{
    link->request_ends[link->count] = link->request.size;
    link->reply_ends[link->count] = link->expected.size;
    link->count++;
}

void link_add_set(struct link *link, const char *key, size_t key_bytes, const char *value, size_t value_bytes)
{
    static const char head[] = "*3\r\n$3\r\nSET\r\n";
    append(&link->request, head, sizeof head - 1);
    append_bulk(&link->request, key, key_bytes);
    append_bulk(&link->request, value, value_bytes);
    append(&link->expected, "+OK\r\n", 5);
    end_command(link);
}

void link_add_get(struct link *link, const char *key, size_t key_bytes, const char *value, size_t value_bytes)
{
    static const char head[] = "*2\r\n$3\r\nGET\r\n";
    append(&link->request, head, sizeof head - 1);
    append_bulk(&link->request, key, key_bytes);
    if (value != NULL)
        append_bulk(&link->expected, value, value_bytes);
    else
        append(&link->expected, "$-1\r\n", 5);
    end_command(link);
}

enum link_outcome link_send(struct link *link)
{
    while (!link_is_sent(link)) {
        ssize_t size = send(link->fd, link->request.data + link->sent, link->request.size - link->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size >= 0)
            link->sent += (size_t)size;
        else if (errno == EAGAIN)
            return LINK_WAITING;
        else if (errno != EINTR)
            return LINK_LOST;
    }
    return link->matched == link->expected.size ? LINK_DONE : LINK_WAITING;
}

static void show(const char *title, const char *data, size_t size)
{
    fprintf(stderr, "  %s \"", title);
    for (size_t i = 0; i < size && i < SHOWN_BYTES; i++) {
        if (isprint((unsigned char)data[i]))
            fputc(data[i], stderr);
        else
            fprintf(stderr, "\\x%02x", (unsigned char)data[i]);
    }
    fprintf(stderr, "\"%s\n", size > SHOWN_BYTES ? "..." : "");
}

/* The first command without its reply got another one, or the batch got more replies than it has commands. */
static void report_wrong(const struct link *link, const char *got, size_t got_bytes)
{
    size_t at = link_answered(link);
    size_t matched = at == 0 ? link->matched : link->matched - link->reply_ends[at - 1];
    fprintf(stderr, "kvstore_load: wrong reply, after %zu bytes of it that are right\n", matched);
    if (at < link->count) {
        size_t begin = at == 0 ? 0 : link->request_ends[at - 1];
        show("command ", link->request.data + begin, link->request_ends[at] - begin);
        show("expected", link->expected.data + link->matched, link->reply_ends[at] - link->matched);
    }
    show("got     ", got, got_bytes);
}

enum link_outcome link_receive(struct link *link)
{
    char got[RECEIVE_BYTES];
    ssize_t size = recv(link->fd, got, sizeof got, MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? LINK_WAITING : LINK_LOST;
    if (size == 0)
        return LINK_LOST;
    const char *expected = link->expected.data + link->matched;
    size_t left = link->expected.size - link->matched, common = 0, most = (size_t)size < left ? (size_t)size : left;
    if (memcmp(got, expected, most) == 0)
        common = most;
    else
        while (got[common] == expected[common])
            common++;
    link->matched += common;
    if (common != (size_t)size) {
        report_wrong(link, got + common, (size_t)size - common);
        return LINK_WRONG;
    }
    return link->matched == link->expected.size && link_is_sent(link) ? LINK_DONE : LINK_WAITING;
}

size_t link_answered(const struct link *link)
{
    size_t answered = 0;
    while (answered < link->count && link->reply_ends[answered] <= link->matched)
        answered++;
    return answered;
}
