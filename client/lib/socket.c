#include "client/socket.h"

#include "base/status.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ---- Waiting ---- */

/* When a wait that starts now ends; INT64_MAX for none. */
static int64_t deadline_after(uint32_t timeout_ms)
{
    return timeout_ms == 0 ? INT64_MAX : now_ms() + timeout_ms;
}

/* What poll is told: -1 for no limit. */
static int rest_ms(int64_t deadline)
{
    if (deadline == INT64_MAX)
        return -1;
    int64_t rest = deadline - now_ms();
    if (rest < 0)
        return 0;
    return rest > INT_MAX ? INT_MAX : (int)rest;
}

/* 0 and the events, or an errno. */
static int wait_until(short *events_out, int fd, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd entry = {.fd = fd, .events = events};
        int count = poll(&entry, 1, rest_ms(deadline));
        if (count > 0) {
            *events_out =
                (entry.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? events : (short)(entry.revents & events);
            return 0;
        }
        if (count < 0 && errno != EINTR)
            return errno;
        if (count == 0 && rest_ms(deadline) == 0)
            return ETIMEDOUT;
    }
}

struct kvs_status socket_wait(short *events_out, int fd, short events, uint32_t timeout_ms)
{
    int error = wait_until(events_out, fd, events, deadline_after(timeout_ms));
    if (error == ETIMEDOUT)
        return STATUS_ERRNO(error, "the server did not answer within %u ms", timeout_ms);
    if (error != 0)
        return STATUS_ERRNO(error, "cannot wait for the server");
    return status_ok();
}

/* ---- Connecting ---- */

/* The errno of a connection that was started and has become writable, or 0. */
static int pending_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    return error;
}

/* Connect to one address: 0 and the socket, or an errno. */
static int connect_address(int *fd_out, const struct addrinfo *address, int64_t deadline)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0)
        return errno;
    int error = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS || error == EINTR) {
        short events;
        error = wait_until(&events, fd, POLLOUT, deadline);
        if (error == 0)
            error = pending_error(fd);
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *fd_out = fd;
    return 0;
}

struct kvs_status socket_connect(int *fd_out, const char *host, uint16_t port, uint32_t timeout_ms)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int64_t deadline = deadline_after(timeout_ms);
    int failure = getaddrinfo(host, service, &hints, &addresses);
    if (failure != 0)
        return STATUS(KVS_NOT_FOUND, "cannot find the host %s: %s", host,
                      failure == EAI_SYSTEM ? "system error" : gai_strerror(failure));
    int error = EADDRNOTAVAIL;
    for (const struct addrinfo *at = addresses; at != NULL && error != 0; at = at->ai_next)
        error = connect_address(fd_out, at, deadline);
    freeaddrinfo(addresses);
    if (error != 0)
        return status_make(KVS_IO, error, __FILE__, __LINE__, "cannot connect to %s:%u", host, (unsigned)port);
    return status_ok();
}

/* ---- Bytes ---- */

static bool would_wait(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

struct kvs_status socket_send(size_t *sent_out, int fd, const void *data, size_t size)
{
    ssize_t sent;
    do
        sent = send(fd, data, size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && !would_wait(errno))
        return status_make(KVS_IO, errno, __FILE__, __LINE__, "cannot send to the server");
    *sent_out = sent < 0 ? 0 : (size_t)sent;
    return status_ok();
}

struct kvs_status socket_receive(size_t *received_out, int fd, void *data, size_t size)
{
    ssize_t received;
    do
        received = recv(fd, data, size, 0);
    while (received < 0 && errno == EINTR);
    if (received == 0)
        return status_make(KVS_IO, ECONNRESET, __FILE__, __LINE__, "the server closed the connection");
    if (received < 0 && !would_wait(errno))
        return status_make(KVS_IO, errno, __FILE__, __LINE__, "cannot receive from the server");
    *received_out = received < 0 ? 0 : (size_t)received;
    return status_ok();
}

bool socket_is_alive(int fd)
{
    char byte;
    ssize_t received;
    do
        received = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    while (received < 0 && errno == EINTR);
    return received > 0 || (received < 0 && would_wait(errno));
}
