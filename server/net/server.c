#include "net/server.h"

#include "log/log.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Descriptors beside those of clients: the engine's files, logs, loops. */
enum { OTHER_DESCRIPTORS = 4096 };

/* As many descriptors as the clients need, or as the system allows. */
static void raise_descriptor_limit(const struct settings *settings)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    rlim_t wanted = settings->max_clients + OTHER_DESCRIPTORS;
    if (limit.rlim_cur >= wanted)
        return;
    rlim_t most = limit.rlim_max;
    limit.rlim_cur = most == RLIM_INFINITY || most > wanted ? wanted : most;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        log_line(KVS_LOG_WARNING,
                 "only %" PRIu64 " file descriptors are allowed: fewer than maxclients connections fit",
                 (uint64_t)limit.rlim_cur);
}

/* libuv's pool reads its size from the environment, once, before its first job. */
static void size_pool(const struct settings *settings)
{
    char threads[24];
    snprintf(threads, sizeof threads, "%" PRIu64, settings->pool_threads);
    setenv("UV_THREADPOOL_SIZE", threads, 1);
}

bool server_bind(struct server *server, char error[LISTENER_ERROR_BYTES], struct shared *shared)
{
    *server = (struct server){.shared = shared};
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit(shared->settings);
    size_pool(shared->settings);
    if (!listener_open(&server->listener, error, shared))
        return false;
    shared->port = server->listener.port;
    return true;
}

void server_unbind(struct server *server)
{
    listener_close(&server->listener);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    if (uv_is_closing((uv_handle_t *)&server->interrupt))
        return; /* it stops already */
    log_line(KVS_LOG_INFO, "%s: stopping", number == SIGINT ? "interrupted" : "terminated");
    listener_close(&server->listener);
    /* A second SIGTERM, as supervisors send it, changes nothing until all is closed. A second SIGINT ends the process: somebody insists. */
    uv_unref((uv_handle_t *)&server->terminate);
    uv_close((uv_handle_t *)&server->interrupt, NULL);
}

static int watch_signals(struct server *server)
{
    uv_signal_init(&server->uv, &server->terminate);
    uv_signal_init(&server->uv, &server->interrupt);
    server->terminate.data = server->interrupt.data = server;
    int error = uv_signal_start(&server->terminate, on_signal, SIGTERM);
    return error != 0 ? error : uv_signal_start(&server->interrupt, on_signal, SIGINT);
}

/* Starts as many loops as asked for. Those counted in loop_count run, also on failure. */
static int start_loops(struct server *server)
{
    size_t wanted = server->shared->settings->threads;
    server->loops = calloc(wanted, sizeof *server->loops);
    if (server->loops == NULL)
        return UV_ENOMEM;
    for (; server->loop_count < wanted; server->loop_count++) {
        struct loop *loop = &server->loops[server->loop_count];
        int error = loop_init(loop, server->shared);
        if (error != 0)
            return error;
        error = loop_start(loop);
        if (error != 0) {
            loop_fini(loop);
            return error;
        }
    }
    return 0;
}

static void stop_loops(struct server *server)
{
    for (size_t i = 0; i < server->loop_count; i++)
        loop_stop(&server->loops[i]);
    for (size_t i = 0; i < server->loop_count; i++)
        loop_join(&server->loops[i]);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

bool server_run(struct server *server, char error[LISTENER_ERROR_BYTES])
{
    int failure = uv_loop_init(&server->uv);
    if (failure != 0) {
        snprintf(error, LISTENER_ERROR_BYTES, "cannot start: %s", uv_strerror(failure));
        listener_close(&server->listener);
        return false;
    }
    server->has_loop = true;
    failure = watch_signals(server);
    if (failure == 0)
        failure = start_loops(server);
    if (failure == 0)
        failure = listener_start(&server->listener, &server->uv, server->loops, server->loop_count);
    if (failure == 0) {
        printf("KVServer listening port %u...\n", server->listener.port);
        fflush(stdout);
    } else {
        snprintf(error, LISTENER_ERROR_BYTES, "cannot start: %s", uv_strerror(failure));
        listener_close(&server->listener);
        uv_walk(&server->uv, close_handle, NULL);
    }
    uv_run(&server->uv, UV_RUN_DEFAULT); /* until the signal's callback has closed, or let go of, everything */
    stop_loops(server);
    return failure == 0;
}

void server_fini(struct server *server)
{
    if (server->has_loop) {
        uv_walk(&server->uv, close_handle, NULL);
        signal(SIGTERM, SIG_IGN); /* all is closed: one more must not spoil the exit status */
        uv_run(&server->uv, UV_RUN_DEFAULT);
        uv_loop_close(&server->uv);
    }
    for (size_t i = 0; i < server->loop_count; i++)
        loop_fini(&server->loops[i]);
    free(server->loops);
}
