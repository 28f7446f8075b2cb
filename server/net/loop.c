#include "net/loop.h"

#include "base/assert.h"

#include <stdlib.h>
#include <unistd.h>

enum { TICK_MS = 1000, STOP_TICK_MS = 20, STOP_MS = 4000 };

/* ---- What the turn asks of its loop ---- */

static void submit(void *context, struct session *session)
{
    (void)context;
    connection_submit(connection_of_session(session));
}

static void wake(void *context)
{
    struct loop *loop = context;
    uv_async_send(&loop->wake);
}

/* ---- Stopping ---- */

/* Ends the loop when no connection is left; after the deadline those that are left are dropped. */
static void go_on_stopping(struct loop *loop)
{
    struct connection *connection, *next;
    bool is_late = uv_now(&loop->uv) >= loop->deadline_ms;
    for (connection = TAILQ_FIRST(&loop->connections); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, link);
        if (is_late)
            connection_drop(connection, "the server stops");
    }
    if (TAILQ_EMPTY(&loop->connections))
        uv_stop(&loop->uv);
}

static void on_tick(uv_timer_t *timer);

static void begin_stopping(struct loop *loop)
{
    struct connection *connection, *next;
    loop->is_stopping = true;
    loop->deadline_ms = uv_now(&loop->uv) + STOP_MS;
    for (connection = TAILQ_FIRST(&loop->connections); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, link);
        connection_finish(connection);
    }
    uv_timer_start(&loop->tick, on_tick, STOP_TICK_MS, STOP_TICK_MS);
}

/* ---- Events ---- */

static void serve_given(struct loop *loop)
{
    uv_mutex_lock(&loop->lock);
    int *given = loop->given;
    size_t count = loop->given_count;
    loop->given = NULL;
    loop->given_count = loop->given_capacity = 0;
    uv_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < count; i++)
        connection_open(loop, given[i]);
    free(given);
}

static void on_wake(uv_async_t *async)
{
    struct loop *loop = async->data;
    /* The flag first: nothing is given after it is set, so whoever was accepted is among those whose requests are finished. */
    bool is_stop_asked = atomic_load_explicit(&loop->is_stop_asked, memory_order_acquire);
    serve_given(loop);
    if (!loop->is_stopping && is_stop_asked)
        begin_stopping(loop);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active is all that is wanted */
}

static void on_check(uv_check_t *check)
{
    struct loop *loop = check->data;
    bool more = turn_run(&loop->turn);
    struct session *session;
    while ((session = turn_next_to_flush(&loop->turn)) != NULL)
        connection_flush(connection_of_session(session));
    more = more || !TAILQ_EMPTY(&loop->turn.running);
    if (more)
        uv_idle_start(&loop->idle, on_idle);
    else
        uv_idle_stop(&loop->idle);
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    uint64_t now_ms = uv_now(&loop->uv);
    struct connection *connection, *next;
    for (connection = TAILQ_FIRST(&loop->connections); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, link);
        connection_tick(connection, now_ms);
    }
    if (loop->is_stopping)
        go_on_stopping(loop);
    uv_idle_start(&loop->idle, on_idle); /* so that the turn follows at once */
}

/* ---- Life ---- */

/* The handles of a loop, in the order in which they are made. */
static int init_handles(struct loop *loop)
{
    int error = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (error != 0)
        return error;
    uv_check_init(&loop->uv, &loop->check);
    uv_idle_init(&loop->uv, &loop->idle);
    uv_timer_init(&loop->uv, &loop->tick);
    loop->wake.data = loop->check.data = loop->tick.data = loop;
    uv_check_start(&loop->check, on_check);
    return uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS);
}

int loop_init(struct loop *loop, struct shared *shared)
{
    *loop = (struct loop){.shared = shared};
    TAILQ_INIT(&loop->connections);
    loop->discard = malloc(LOOP_DISCARD_BYTES);
    if (loop->discard == NULL)
        return UV_ENOMEM;
    int error = uv_mutex_init(&loop->lock);
    if (error != 0)
        goto out_discard;
    error = uv_loop_init(&loop->uv);
    if (error != 0)
        goto out_mutex;
    error = init_handles(loop);
    if (error != 0)
        goto out_loop;
    struct turn_ops ops = {.submit = submit, .wake = wake, .context = loop};
    turn_init(&loop->turn, shared, &ops);
    return 0;

out_loop: /* only the first handle can fail, so none is open */
    uv_loop_close(&loop->uv);
out_mutex:
    uv_mutex_destroy(&loop->lock);
out_discard:
    free(loop->discard);
    return error;
}

static void run(void *context)
{
    struct loop *loop = context;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

int loop_start(struct loop *loop)
{
    return uv_thread_create(&loop->thread, run, loop);
}

bool loop_give(struct loop *loop, int descriptor)
{
    bool is_given = false;
    uv_mutex_lock(&loop->lock);
    if (loop->given_count == loop->given_capacity) {
        size_t capacity = loop->given_capacity == 0 ? 16 : 2 * loop->given_capacity;
        int *grown = realloc(loop->given, capacity * sizeof *grown);
        if (grown == NULL)
            goto out;
        loop->given = grown;
        loop->given_capacity = capacity;
    }
    loop->given[loop->given_count++] = descriptor;
    is_given = true;
out:
    uv_mutex_unlock(&loop->lock);
    if (is_given)
        uv_async_send(&loop->wake);
    return is_given;
}

void loop_stop(struct loop *loop)
{
    atomic_store_explicit(&loop->is_stop_asked, true, memory_order_release);
    uv_async_send(&loop->wake);
}

void loop_join(struct loop *loop)
{
    uv_thread_join(&loop->thread);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_fini(struct loop *loop)
{
    KVS_ASSERT(TAILQ_EMPTY(&loop->connections));
    for (size_t i = 0; i < loop->given_count; i++)
        close(loop->given[i]);
    free(loop->given);
    uv_walk(&loop->uv, close_handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    turn_fini(&loop->turn);
    int error = uv_loop_close(&loop->uv);
    KVS_ASSERT(error == 0);
    uv_mutex_destroy(&loop->lock);
    free(loop->discard);
}
