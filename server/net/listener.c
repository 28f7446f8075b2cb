#include "net/listener.h"

#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 511,
    ACCEPTS_AT_ONCE = 64 /* in one turn of the loop */
};

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

/* SO_REUSEADDR, as every server: else a restart would wait for old connections to time out. Not SO_REUSEPORT: a busy port is an error. */
static bool bind_to(struct listener *listener, const struct addrinfo *address)
{
    int on = 1;
    listener->descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return listener->descriptor >= 0 &&
           setsockopt(listener->descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           bind(listener->descriptor, address->ai_addr, address->ai_addrlen) == 0 &&
           listen(listener->descriptor, BACKLOG) == 0;
}

static unsigned bound_port(int descriptor)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(descriptor, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

bool listener_open(struct listener *listener, char error[LISTENER_ERROR_BYTES], struct shared *shared)
{
    const struct settings *settings = shared->settings;
    *listener = (struct listener){.descriptor = -1, .spare = -1, .shared = shared};
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)settings->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *addresses = NULL;
    int failure = getaddrinfo(settings->bind, port, &hints, &addresses);
    if (failure != 0) {
        snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on %s: %s", settings->bind, gai_strerror(failure));
        return false;
    }
    bool is_bound = bind_to(listener, addresses);
    int reason = errno;
    freeaddrinfo(addresses);
    if (!is_bound) {
        snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on %s port %s: %s", settings->bind, port,
                 reason == EADDRINUSE ? "another program has this port" : strerror(reason));
        close_descriptor(&listener->descriptor);
        return false;
    }
    listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    listener->port = bound_port(listener->descriptor);
    return true;
}

/* No descriptor is left: gives up the spare one to take the connection out of the queue, which would else wake the loop for ever. */
static void refuse_for_descriptors(struct listener *listener)
{
    close_descriptor(&listener->spare);
    int accepted = accept4(listener->descriptor, NULL, NULL, SOCK_CLOEXEC);
    close_descriptor(&accepted);
    listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    shared_count(&listener->shared->rejected, 1);
    log_line(KVS_LOG_WARNING, "a connection was refused: no file descriptors are left (see ulimit -n)");
}

static void refuse_for_number(struct listener *listener, int descriptor)
{
    static const char TEXT[] = "-ERR max number of clients reached\r\n";
    ssize_t sent = send(descriptor, TEXT, sizeof TEXT - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* a courtesy */
    close(descriptor);
    shared_count(&listener->shared->rejected, 1);
}

static void hand_over(struct listener *listener, int descriptor)
{
    struct shared *shared = listener->shared;
    uint64_t clients = 1 + atomic_fetch_add_explicit(&shared->clients, 1, memory_order_relaxed);
    if (clients > shared->settings->max_clients) {
        refuse_for_number(listener, descriptor);
    } else {
        struct loop *loop = &listener->loops[listener->next_loop++ % listener->loop_count];
        if (loop_give(loop, descriptor)) {
            shared_count(&shared->connections, 1);
            return;
        }
        close(descriptor);
    }
    atomic_fetch_sub_explicit(&shared->clients, 1, memory_order_relaxed);
}

static void accept_waiting(struct listener *listener, int most)
{
    for (int i = 0; i < most; i++) {
        int descriptor = accept4(listener->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0)
            hand_over(listener, descriptor);
        else if (errno == EMFILE || errno == ENFILE)
            refuse_for_descriptors(listener);
        else if (errno != EINTR && errno != ECONNABORTED)
            return; /* none is waiting, or a failure that concerns the network */
    }
}

static void on_connections(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    accept_waiting(poll->data, ACCEPTS_AT_ONCE);
}

int listener_start(struct listener *listener, uv_loop_t *uv, struct loop *loops, size_t loop_count)
{
    listener->loops = loops;
    listener->loop_count = loop_count;
    int error = uv_poll_init(uv, &listener->poll, listener->descriptor);
    if (error != 0)
        return error;
    listener->poll.data = listener;
    return uv_poll_start(&listener->poll, UV_READABLE, on_connections);
}

void listener_close(struct listener *listener)
{
    if (listener->poll.data != NULL) {
        accept_waiting(listener, BACKLOG + 1); /* they are connected, and may have sent a request */
        uv_poll_stop(&listener->poll);
        uv_close((uv_handle_t *)&listener->poll, NULL);
        listener->poll.data = NULL;
    }
    close_descriptor(&listener->descriptor);
    close_descriptor(&listener->spare);
}
