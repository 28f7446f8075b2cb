/* main.c -- kvstore_server: settings, database, server; in this order, and back. */
#include "heap/heap.h"
#include "log/log.h"
#include "net/server.h"
#include "session/shared.h"
#include "settings/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int fail(const char *text)
{
    fprintf(stderr, "kvstore_server: %s\n", text);
    return EXIT_FAILURE;
}

static struct kvs_status open_database(struct shared *shared)
{
    struct kvs_options options;
    settings_engine_options(shared->settings, &options);
    options.log = log_engine_line;
    return kvs_open(&shared->db, shared->settings->dir, &options);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* No part of a request is larger than the whole. */
static void limit_requests(struct shared *shared)
{
    struct request_limits *limits = &shared->request_limits;
    request_limits_default(limits);
    limits->request_bytes = shared->settings->max_request;
    limits->line_bytes = smaller(limits->line_bytes, limits->request_bytes);
    limits->argument_bytes = smaller(limits->argument_bytes, limits->request_bytes);
}

static int serve(struct shared *shared)
{
    struct server server;
    char error[LISTENER_ERROR_BYTES];
    if (!server_bind(&server, error, shared))
        return fail(error);
    struct kvs_status status = open_database(shared);
    if (!kvs_ok(status)) {
        server_unbind(&server);
        fprintf(stderr, "kvstore_server: cannot open %s: %s\n", shared->settings->dir, kvs_status_text(status));
        return EXIT_FAILURE;
    }
    bool has_run = server_run(&server, error);
    status = kvs_close(shared->db);
    server_fini(&server);
    if (!has_run)
        return fail(error);
    if (!kvs_ok(status)) {
        log_line(KVS_LOG_ERROR, "closing %s: %s", shared->settings->dir, kvs_status_text(status));
        return EXIT_FAILURE;
    }
    log_line(KVS_LOG_INFO, "stopped; all writes are on the disk");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    heap_configure();
    struct settings settings;
    switch (settings_parse(&settings, argc, argv)) {
    case SETTINGS_EXIT_OK:
        return EXIT_SUCCESS;
    case SETTINGS_EXIT_USAGE:
        return EXIT_FAILURE;
    case SETTINGS_RUN:
        break;
    }
    struct shared shared = {.settings = &settings, .start_s = (uint64_t)time(NULL)};
    limit_requests(&shared);
    delete_gate_init(&shared.deletes);
    int exit_status = serve(&shared);
    delete_gate_fini(&shared.deletes);
    return exit_status;
}
