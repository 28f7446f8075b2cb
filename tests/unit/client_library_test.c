/* client_library_test.c -- the client library against servers that answer well, badly, slowly, and not at all. */

#include "client_peer.h"

#include <kvstore_client.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

static _Thread_local long allocations_left = -1;

void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool allocation_fails(void)
{
    if (allocations_left < 0)
        return false;
    return allocations_left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(memory, size);
}

static bool ok(struct kvs_status status)
{
    if (status.code != KVS_OK)
        print_error("%s\n", kvc_status_text(status));
    return status.code == KVS_OK;
}

static struct kvc_connection *connect_to(const struct peer *peer)
{
    struct kvc_connection *connection;
    assert_true(ok(kvc_connect(&connection, "127.0.0.1", peer->port, 5000)));
    return connection;
}

/* A peer that expects certain bytes and answers with others, in pieces; then waits for the end, or hangs up. */
struct script {
    const char *expected;
    const char *answer;
    size_t piece;
    bool hangs_up;
    bool expectation_met;
};

static void serve_script(int fd, void *context)
{
    struct script *script = context;
    char received[1024];
    size_t size = strlen(script->expected);
    script->expectation_met = peer_receive(fd, received, size) && memcmp(received, script->expected, size) == 0;
    peer_send(fd, script->answer, strlen(script->answer), script->piece);
    if (!script->hangs_up)
        peer_drain(fd);
}

static const char get_hello[] = "*2\r\n$3\r\nGET\r\n$5\r\nhello\r\n";

/* Send GET hello and give the first reply's status; the reply is freed after being checked by the caller. */
static struct kvs_status get(struct script *script, struct kvc_reply **reply_out)
{
    struct peer peer;
    script->expected = get_hello;
    peer_start(&peer, serve_script, script);
    struct kvc_connection *connection = connect_to(&peer);
    struct kvs_status status = kvc_command_text(connection, reply_out, "GET", "hello", NULL);
    kvc_close(connection);
    peer_stop(&peer);
    return status;
}

/* The first thing anyone does with the library. */
static void client_command_sends_resp_and_returns_the_value(void **state)
{
    (void)state;
    struct script plain = {.answer = "$5\r\nworld\r\n", .piece = 1};
    struct kvc_reply *reply;
    assert_true(ok(get(&plain, &reply)));
    assert_true(plain.expectation_met);
    assert_int_equal(reply->type, KVC_VALUE);
    assert_string_equal(reply->text, "world");
    assert_int_equal(reply->text_size, 5);
    kvc_reply_free(reply);
}

/* A tree of replies must have every child in its place. */
static void client_reply_tree_keeps_nesting(void **state)
{
    (void)state;
    struct script script = {.answer = "*4\r\n*2\r\n:1\r\n*1\r\n+deep\r\n$-1\r\n%1\r\n+k\r\n,1.5\r\n*0\r\n", .piece = 1};
    struct kvc_reply *reply;
    assert_true(ok(get(&script, &reply)));
    assert_int_equal(reply->type, KVC_ARRAY);
    assert_int_equal(reply->count, 4);
    const struct kvc_reply *first = &reply->elements[0], *third = &reply->elements[2];
    assert_int_equal(first->count, 2);
    assert_int_equal(first->elements[0].integer, 1);
    assert_string_equal(first->elements[1].elements[0].text, "deep");
    assert_int_equal(reply->elements[1].type, KVC_NIL);
    assert_string_equal(reply->elements[1].text, "");
    assert_int_equal(third->type, KVC_MAP);
    assert_int_equal(third->count, 2);
    assert_string_equal(third->elements[0].text, "k");
    assert_true(third->elements[1].number == 1.5);
    assert_string_equal(third->elements[1].text, "1.5");
    assert_int_equal(reply->elements[3].count, 0);
    kvc_reply_free(reply);
}

/* A message that nobody asked for must not be taken for the answer. */
static void client_push_before_the_reply_is_no_reply(void **state)
{
    (void)state;
    struct script script = {.answer = ">2\r\n+message\r\n+x\r\n:7\r\n", .piece = 3};
    struct kvc_reply *reply;
    assert_true(ok(get(&script, &reply)));
    assert_int_equal(reply->integer, 7);
    kvc_reply_free(reply);
}

/* A sentence that names the place is all that a user sees of a server that is not there. */
static void client_connect_refused_names_the_address(void **state)
{
    (void)state;
    struct peer peer;
    struct kvc_connection *connection = (void *)1;
    char expected[100];
    peer_start(&peer, serve_script, NULL);
    peer_stop(&peer);
    struct kvs_status status = kvc_connect(&connection, "127.0.0.1", peer.port, 5000);
    assert_int_equal(status.code, KVS_IO);
    assert_int_equal(status.sys_errno, ECONNREFUSED);
    assert_ptr_equal(connection, (void *)1);
    snprintf(expected, sizeof expected, "cannot connect to 127.0.0.1:%u: Connection refused", peer.port);
    assert_string_equal(kvc_status_text(status), expected);
    status = kvc_connect(&connection, "not a host", 1, 5000);
    assert_int_equal(status.code, KVS_NOT_FOUND);
    assert_non_null(strstr(kvc_status_text(status), "cannot find the host not a host: "));
}

/* After a hang-up in the middle of a reply nothing may be returned as if it were whole. */
static void client_hang_up_inside_a_reply_breaks_the_connection(void **state)
{
    (void)state;
    struct script script = {.expected = get_hello, .answer = "$5\r\nwor", .piece = 64, .hangs_up = true};
    struct peer peer;
    struct kvc_reply *reply = (void *)1;
    peer_start(&peer, serve_script, &script);
    struct kvc_connection *connection = connect_to(&peer);
    assert_true(kvc_is_alive(connection));
    struct kvs_status status = kvc_command_text(connection, &reply, "GET", "hello", NULL);
    assert_int_equal(status.code, KVS_IO);
    assert_string_equal(kvc_status_text(status), "the server closed the connection: Connection reset by peer");
    assert_false(kvc_is_alive(connection));
    status = kvc_command_text(connection, &reply, "PING", NULL);
    assert_int_equal(status.code, KVS_IO);
    assert_string_equal(kvc_status_text(status), "the connection is broken by an earlier failure");
    assert_ptr_equal(reply, (void *)1);
    kvc_close(connection);
    peer_stop(&peer);
}

/* What answers on the port may be no Redis at all. */
static void client_garbage_is_corrupt(void **state)
{
    (void)state;
    struct script script = {.answer = "HTTP/1.1 400 Bad Request\r\n", .piece = 64};
    struct kvc_reply *reply;
    struct kvs_status status = get(&script, &reply);
    assert_int_equal(status.code, KVS_CORRUPT);
    assert_string_equal(kvc_status_text(status), "reply stream, byte 0: expected the start of a reply, found 'H'");
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* A server that hangs must not hang its clients. */
static void client_silent_server_times_out(void **state)
{
    (void)state;
    struct script script = {.expected = get_hello, .answer = "", .piece = 1};
    struct peer peer;
    struct kvc_reply *reply;
    peer_start(&peer, serve_script, &script);
    struct kvc_connection *connection = connect_to(&peer);
    kvc_set_timeout(connection, 100);
    int64_t start = now_ms();
    struct kvs_status status = kvc_command_text(connection, &reply, "GET", "hello", NULL);
    assert_int_equal(status.code, KVS_IO);
    assert_int_equal(status.sys_errno, ETIMEDOUT);
    assert_true(now_ms() - start >= 100);
    assert_true(now_ms() - start < 5000);
    kvc_close(connection);
    peer_stop(&peer);
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

/* Answers only after many signals have arrived at the client. */
static void serve_slowly(int fd, void *context)
{
    char received[64];
    sigset_t alarms;
    (void)context;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarms, NULL);
    if (peer_receive(fd, received, sizeof get_hello - 1)) {
        usleep(60000);
        peer_send(fd, "+OK\r\n", 5, 1);
    }
    peer_drain(fd);
}

/* A program with timers must not lose its connection to them. */
static void client_signals_do_not_disturb_a_command(void **state)
{
    (void)state;
    struct peer peer;
    struct kvc_reply *reply;
    struct sigaction action = {.sa_handler = on_alarm}, old;
    const struct itimerval every_ms = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    peer_start(&peer, serve_slowly, NULL);
    struct kvc_connection *connection = connect_to(&peer);
    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &every_ms, NULL);
    struct kvs_status status = kvc_command_text(connection, &reply, "GET", "hello", NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &old, NULL);
    assert_true(ok(status));
    assert_string_equal(reply->text, "OK");
    kvc_reply_free(reply);
    kvc_close(connection);
    peer_stop(&peer);
}

/* Says why and hangs up without reading, as a server does that has too many clients. */
static void serve_refusal(int fd, void *context)
{
    (void)context;
    peer_send(fd, "-ERR max number of clients reached\r\n", 36, 64);
    shutdown(fd, SHUT_WR);
    peer_drain(fd);
}

/* The server's reason must reach the user, not just "connection reset". */
static void client_refusal_of_the_server_is_returned(void **state)
{
    (void)state;
    struct peer peer;
    struct kvc_reply *reply;
    peer_start(&peer, serve_refusal, NULL);
    struct kvc_connection *connection = connect_to(&peer);
    assert_true(ok(kvc_command_text(connection, &reply, "PING", NULL)));
    assert_int_equal(reply->type, KVC_ERROR);
    assert_string_equal(reply->text, "ERR max number of clients reached");
    kvc_reply_free(reply);
    assert_int_equal(kvc_command_text(connection, &reply, "PING", NULL).code, KVS_IO);
    kvc_close(connection);
    peer_stop(&peer);
}

/* Replies that are many times what the sockets hold, and a server that stops reading until they are taken: neither side may block for ever. */
static void client_large_pipeline_does_not_deadlock(void **state)
{
    (void)state;
    enum { COMMANDS = 4000, VALUE_BYTES = 8192 };
    static struct store store = STORE_EMPTY;
    struct peer peer;
    struct kvc_reply *reply;
    char *value = malloc(VALUE_BYTES);
    assert_non_null(value);
    memset(value, 'v', VALUE_BYTES);
    peer_start(&peer, store_serve, &store);
    struct kvc_connection *connection = connect_to(&peer);
    const struct kvs_slice set[] = {{"SET", 3}, {"k", 1}, {value, VALUE_BYTES}}, read[] = {{"GET", 3}, {"k", 1}};
    for (int i = 0; i < COMMANDS; i++) {
        assert_true(ok(kvc_append(connection, set, 3)));
        assert_true(ok(kvc_append(connection, read, 2)));
    }
    assert_int_equal(kvc_pending(connection), 2 * COMMANDS);
    assert_true(kvc_queued_bytes(connection) > COMMANDS * VALUE_BYTES);
    assert_true(ok(kvc_flush(connection)));
    assert_int_equal(kvc_queued_bytes(connection), 0);
    for (int i = 0; i < 2 * COMMANDS; i++) {
        assert_true(ok(kvc_next_reply(connection, &reply)));
        assert_int_equal(reply->text_size, i % 2 == 0 ? 2 : VALUE_BYTES);
        kvc_reply_free(reply);
    }
    assert_int_equal(kvc_pending(connection), 0);
    kvc_close(connection);
    peer_stop(&peer);
    store_clear(&store);
    free(value);
}

/* Mistakes of the program are told, and do not cost the connection. */
static void client_wrong_calls_are_invalid(void **state)
{
    (void)state;
    static struct store store = STORE_EMPTY;
    struct peer peer;
    struct kvc_reply *reply;
    const struct kvs_slice get_a[] = {{"GET", 3}, {"a", 1}};
    peer_start(&peer, store_serve, &store);
    struct kvc_connection *connection = connect_to(&peer);
    assert_int_equal(kvc_append(connection, get_a, 0).code, KVS_INVALID);
    assert_int_equal(kvc_next_reply(connection, &reply).code, KVS_INVALID);
    assert_true(ok(kvc_append(connection, get_a, 2)));
    struct kvs_status status = kvc_command(connection, &reply, get_a, 2);
    assert_int_equal(status.code, KVS_INVALID);
    assert_string_equal(kvc_status_text(status), "1 replies of a pipeline are unread");
    assert_true(ok(kvc_next_reply(connection, &reply)));
    assert_int_equal(reply->type, KVC_NIL);
    kvc_reply_free(reply);
    kvc_close(connection);
    kvc_close(NULL);
    kvc_reply_free(NULL);
    peer_stop(&peer);
}

/* Memory that runs out at any allocation is an error of that call and leaks nothing. */
static void client_each_allocation_failing_is_an_error(void **state)
{
    (void)state;
    static struct store store = STORE_EMPTY;
    struct peer peer;
    long failing = 0;
    bool done = false;
    peer_start(&peer, store_serve, &store);
    for (; !done && failing < 50; failing++) {
        struct kvc_connection *connection = NULL;
        struct kvc_reply *reply = NULL;
        allocations_left = failing;
        struct kvs_status status = kvc_connect(&connection, "127.0.0.1", peer.port, 5000);
        if (status.code == KVS_OK)
            status = kvc_command_text(connection, &reply, "GET", "hello", NULL);
        done = allocations_left >= 0;
        allocations_left = -1;
        assert_int_equal(status.code, done ? KVS_OK : KVS_NO_MEMORY);
        kvc_reply_free(reply);
        kvc_close(connection);
    }
    assert_true(done && failing >= 5);
    peer_stop(&peer);
}

/* A program checks at run time which library it got. */
static void client_version_is_that_of_the_build(void **state)
{
    (void)state;
    assert_string_equal(kvc_version(), KVSTORE_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_command_sends_resp_and_returns_the_value),
        cmocka_unit_test(client_reply_tree_keeps_nesting),
        cmocka_unit_test(client_push_before_the_reply_is_no_reply),
        cmocka_unit_test(client_connect_refused_names_the_address),
        cmocka_unit_test(client_hang_up_inside_a_reply_breaks_the_connection),
        cmocka_unit_test(client_garbage_is_corrupt),
        cmocka_unit_test(client_silent_server_times_out),
        cmocka_unit_test(client_signals_do_not_disturb_a_command),
        cmocka_unit_test(client_refusal_of_the_server_is_returned),
        cmocka_unit_test(client_large_pipeline_does_not_deadlock),
        cmocka_unit_test(client_wrong_calls_are_invalid),
        cmocka_unit_test(client_each_allocation_failing_is_an_error),
        cmocka_unit_test(client_version_is_that_of_the_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
