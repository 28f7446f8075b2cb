/* The scheduler without sockets: what is executed in which turn, with how many calls of the engine. */
#include "fake_engine/fake_engine.h"
#include "command/command.h"
#include "turn/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { SESSIONS = 100 };

struct fixture {
    struct settings settings;
    struct shared shared;
    struct turn turn;
    struct session sessions[SESSIONS];
    _Atomic int wakes;
    struct session *submitted;
};

static void wake(void *context)
{
    struct fixture *fixture = context;
    atomic_fetch_add(&fixture->wakes, 1);
}

static void submit(void *context, struct session *session)
{
    struct fixture *fixture = context;
    fixture->submitted = session;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->settings.max_output = 1 << 20;
    fixture->shared.settings = &fixture->settings;
    request_limits_default(&fixture->shared.request_limits);
    delete_gate_init(&fixture->shared.deletes);
    assert_true(kvs_ok(kvs_open(&fixture->shared.db, "", NULL)));
    struct turn_ops ops = {.submit = submit, .wake = wake, .context = fixture};
    turn_init(&fixture->turn, &fixture->shared, &ops);
    for (int i = 0; i < SESSIONS; i++)
        session_init(&fixture->sessions[i], &fixture->turn.loop, &command_openings);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < SESSIONS; i++) {
        turn_remove(&fixture->turn, &fixture->sessions[i]);
        session_fini(&fixture->sessions[i]);
    }
    turn_fini(&fixture->turn);
    assert_true(kvs_ok(kvs_close(fixture->shared.db)));
    delete_gate_fini(&fixture->shared.deletes);
    free(fixture);
    return 0;
}

static void receive(struct fixture *fixture, struct session *session, const char *text)
{
    assert_true(byte_buffer_append(&session->input, text, strlen(text)));
    turn_input(&fixture->turn, session);
}

/* Runs turns until nothing is held back any more. */
static void run_until_published(struct fixture *fixture)
{
    struct timespec pause = {0, 1000000};
    for (int i = 0; i < 5000; i++) {
        turn_run(&fixture->turn);
        if (TAILQ_EMPTY(&fixture->turn.gated) && TAILQ_EMPTY(&fixture->turn.running) &&
            TAILQ_EMPTY(&fixture->turn.waiting))
            return;
        nanosleep(&pause, NULL);
    }
    fail();
}

static void assert_replies(struct session *session, const char *wanted)
{
    struct kvs_slice bytes = output_sendable(&session->output);
    assert_int_equal(bytes.size, strlen(wanted));
    assert_memory_equal(bytes.data, wanted, bytes.size);
    output_consume(&session->output, bytes.size);
}

/* Writers would each pay for a commit of their own, and for a sync. */
static void turn_writes_of_all_sessions_share_commits_and_one_sync(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < SESSIONS; i++)
        receive(fixture, &fixture->sessions[i], "PUT a 1\nPUT b 2\nPUT c 3\n");
    assert_false(turn_run(&fixture->turn));
    assert_int_equal(fixture->shared.db->applies, SESSIONS); /* a batch for each session, whatever it wrote */
    assert_int_equal(kvs_applied_sequence(fixture->shared.db), 3 * SESSIONS);
    run_until_published(fixture);
    assert_true(fixture->shared.db->syncs <= 2);
    for (int i = 0; i < SESSIONS; i++)
        assert_replies(&fixture->sessions[i], "OK\nOK\nOK\n");
}

/* A client would not see what it has just written. */
static void turn_read_after_write_sees_it_in_the_same_turn(void **state)
{
    struct fixture *fixture = *state;
    struct session *session = &fixture->sessions[0];
    receive(fixture, session, "PUT a 1\nGET a\nPUT a 2\nPUT b 3\nGET a\nGET b\nDEL a b\nGET a\nPUT a\n");
    assert_false(turn_run(&fixture->turn));
    assert_int_equal(byte_buffer_size(&session->input), 0);
    assert_int_equal(output_sendable(&session->output).size, 0);
    run_until_published(fixture);
    assert_replies(session, "OK\n1\nOK\nOK\n2\n3\n2\nNOT_FOUND\nERROR PUT needs a key and a value\n");
}

/* One client with a long pipeline would make all others of its loop wait until it is through. */
static void turn_long_pipeline_is_shared_out_over_turns(void **state)
{
    struct fixture *fixture = *state;
    struct session *greedy = &fixture->sessions[0], *modest = &fixture->sessions[1];
    for (int i = 0; i < 1000; i++)
        receive(fixture, greedy, "GET a\n");
    receive(fixture, modest, "GET a\n");
    assert_true(turn_run(&fixture->turn));
    assert_replies(modest, "NOT_FOUND\n");
    assert_true(byte_buffer_size(&greedy->input) > 0);
    int turns = 1;
    while (turn_run(&fixture->turn) && turns < 100)
        turns++;
    assert_int_equal(byte_buffer_size(&greedy->input), 0);
    assert_int_equal(output_size(&greedy->output), 1000 * strlen("NOT_FOUND\n"));
    assert_in_range(turns, 2, 10);
}

/* A command behind one that is with the pool would overtake it. */
static void turn_session_with_job_executes_nothing_behind_it(void **state)
{
    struct fixture *fixture = *state;
    struct session *session = &fixture->sessions[0];
    receive(fixture, session, "COUNT \"\" \"\"\nECHO behind\n");
    turn_run(&fixture->turn);
    assert_ptr_equal(fixture->submitted, session);
    assert_int_equal(session->state, SESSION_JOB);
    turn_run(&fixture->turn);
    assert_int_equal(output_size(&session->output), 0);
    session->job->run(session->job, &fixture->shared);
    turn_job_back(&fixture->turn, session);
    turn_run(&fixture->turn);
    assert_replies(session, "0\nbehind\n");
}

/* GETs that miss would go to the disk one after the other. */
static void turn_run_of_missing_reads_shares_a_job(void **state)
{
    struct fixture *fixture = *state;
    struct session *session = &fixture->sessions[0];
    receive(fixture, session, "PUT b 2\n");
    run_until_published(fixture);
    assert_replies(session, "OK\n");
    fixture->shared.db->miss_every = 1;
    receive(fixture, session, "GET a\nGET b\nGET c\nECHO x\nGET b\n");
    turn_run(&fixture->turn);
    assert_ptr_equal(fixture->submitted, session);
    session->job->run(session->job, &fixture->shared);
    turn_job_back(&fixture->turn, session);
    turn_run(&fixture->turn);
    assert_replies(session, "NOT_FOUND\n2\nNOT_FOUND\nx\n");
    assert_int_equal(session->state, SESSION_JOB);
    session->job->run(session->job, &fixture->shared);
    turn_job_back(&fixture->turn, session);
    turn_run(&fixture->turn);
    assert_replies(session, "2\n");
}

/* Writers that the engine does not admit would be forgotten, or answered in another order. */
static void turn_writes_not_admitted_wait_for_ready(void **state)
{
    struct fixture *fixture = *state;
    fixture->shared.db->busy_every = 3;
    for (int i = 0; i < 10; i++)
        receive(fixture, &fixture->sessions[i], "PUT a 1\nECHO then\n");
    assert_false(turn_run(&fixture->turn));
    assert_int_equal(fixture->shared.db->applies, 3);
    assert_int_equal(fixture->sessions[2].state, SESSION_ADMISSION);
    assert_int_equal(fixture->sessions[1].state, SESSION_IDLE);
    run_until_published(fixture);
    for (int i = 0; i < 10; i++)
        assert_replies(&fixture->sessions[i], "OK\nthen\n");
}

/* A client that does not read would make the server keep replies without bound. */
static void turn_session_with_unread_replies_waits_for_its_client(void **state)
{
    struct fixture *fixture = *state;
    struct session *session = &fixture->sessions[0];
    static char line[100000];
    memset(line, 'x', sizeof line - 2);
    memcpy(line, "PUT a ", 6);
    line[sizeof line - 2] = '\n';
    receive(fixture, session, line);
    run_until_published(fixture);
    assert_replies(session, "OK\n");
    for (int i = 0; i < 50; i++)
        receive(fixture, session, "GET a\n");
    for (int i = 0; i < 10; i++)
        turn_run(&fixture->turn);
    assert_int_equal(session->state, SESSION_DRAIN);
    assert_in_range(output_size(&session->output), SESSION_OUTPUT_MARK, SESSION_OUTPUT_MARK + sizeof line);
    output_consume(&session->output, output_size(&session->output));
    turn_drained(&fixture->turn, session);
    turn_run(&fixture->turn);
    assert_true(output_size(&session->output) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(turn_writes_of_all_sessions_share_commits_and_one_sync),
        TEST(turn_read_after_write_sees_it_in_the_same_turn),
        TEST(turn_long_pipeline_is_shared_out_over_turns),
        TEST(turn_session_with_job_executes_nothing_behind_it),
        TEST(turn_run_of_missing_reads_shares_a_job),
        TEST(turn_writes_not_admitted_wait_for_ready),
        TEST(turn_session_with_unread_replies_waits_for_its_client),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
