#include "session/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void write_status(struct output *output, const char *status, uint64_t sequence)
{
    reply_status(&output->writer, status);
    output_seal(output, 1, sequence);
}

static void assert_sendable(const struct output *output, const char *wanted)
{
    struct kvs_slice bytes = output_sendable(output);
    assert_int_equal(bytes.size, strlen(wanted));
    if (bytes.size != 0)
        assert_memory_equal(bytes.data, wanted, bytes.size);
}

/* A client would wait for replies that nothing holds back. */
static void session_output_without_numbers_leaves_at_once(void **state)
{
    (void)state;
    struct output output;
    output_init(&output);
    write_status(&output, "A", 0);
    write_status(&output, "B", 0);
    assert_sendable(&output, "+A\r\n+B\r\n");
    output_consume(&output, 4);
    assert_sendable(&output, "+B\r\n");
    output_consume(&output, 4);
    assert_sendable(&output, "");
    output_fini(&output);
}

/* A client would see an OK, or a value, that a power cut can take back; or replies in another order than its requests. */
static void session_output_held_reply_holds_those_behind_it(void **state)
{
    (void)state;
    struct output output;
    output_init(&output);
    write_status(&output, "A", 0);
    write_status(&output, "B", 7);
    write_status(&output, "C", 0);
    write_status(&output, "D", 9);
    assert_sendable(&output, "+A\r\n");
    output_consume(&output, 4);
    output_release(&output, 6);
    assert_sendable(&output, "");
    output_release(&output, 8);
    assert_sendable(&output, "+B\r\n+C\r\n");
    output_consume(&output, 2);
    write_status(&output, "E", 0);
    output_release(&output, 9);
    assert_false(output_is_held(&output));
    assert_sendable(&output, "\r\n+C\r\n+D\r\n+E\r\n");
    output_fini(&output);
}

/* After a failed sync a client must get exactly one error for each command whose outcome is unknown, and the true replies of the others. */
static void session_output_failure_replaces_unpublished_replies(void **state)
{
    (void)state;
    struct output output;
    output_init(&output);
    write_status(&output, "A", 3);
    write_status(&output, "B", 0);
    for (int i = 0; i < 3; i++)
        reply_status(&output.writer, "C");
    output_seal(&output, 3, 5);
    write_status(&output, "D", 0);
    write_status(&output, "E", 6);
    output_fail(&output, 4, "X", "y");
    assert_false(output_is_held(&output));
    assert_sendable(&output, "+A\r\n+B\r\n-X y\r\n-X y\r\n-X y\r\n+D\r\n-X y\r\n");
    write_status(&output, "F", 0);
    output_consume(&output, output_size(&output) - 4);
    assert_sendable(&output, "+F\r\n");
    output_fini(&output);
}

/* The same, where some of the bytes had left before: their places must not be mixed up. */
static void session_output_failure_after_partial_send_keeps_order(void **state)
{
    (void)state;
    struct output output;
    output_init(&output);
    for (int round = 0; round < 3; round++) {
        write_status(&output, "A", 0);
        write_status(&output, "B", 2);
        output_consume(&output, 1);
        output_fail(&output, 1, "X", "y");
        assert_sendable(&output, "A\r\n-X y\r\n");
        output_consume(&output, output_size(&output));
    }
    output_fini(&output);
}

/* A client that pipelines across thousands of syncs must not make the list of marks grow for ever. */
static void session_output_many_marks_are_reused(void **state)
{
    (void)state;
    struct output output;
    output_init(&output);
    write_status(&output, "A", 1);
    for (uint64_t sequence = 2; sequence < 5000; sequence++) {
        write_status(&output, "A", sequence);
        output_release(&output, sequence - 1);
        assert_sendable(&output, "+A\r\n");
        output_consume(&output, 4);
    }
    assert_true(output.mark_capacity <= 16);
    assert_true(output_memory(&output) < 4096);
    output_fini(&output);
}

/* Bytes that are given to the socket must not be sent twice, and held ones must stay behind. */
static void session_output_taken_bytes_leave_the_rest(void **state)
{
    (void)state;
    struct output output;
    struct byte_buffer taken;
    output_init(&output);
    write_status(&output, "A", 0);
    assert_true(output_take(&output, &taken));
    assert_int_equal(byte_buffer_size(&taken), 4);
    assert_int_equal(output_size(&output), 0);
    byte_buffer_fini(&taken);
    write_status(&output, "B", 0);
    write_status(&output, "C", 8);
    assert_true(output_take(&output, &taken));
    assert_memory_equal(byte_buffer_data(&taken), "+B\r\n", 4);
    assert_int_equal(byte_buffer_size(&taken), 4);
    byte_buffer_fini(&taken);
    assert_sendable(&output, "");
    output_release(&output, 8);
    assert_sendable(&output, "+C\r\n");
    output_fini(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_output_without_numbers_leaves_at_once),
        cmocka_unit_test(session_output_held_reply_holds_those_behind_it),
        cmocka_unit_test(session_output_failure_replaces_unpublished_replies),
        cmocka_unit_test(session_output_failure_after_partial_send_keeps_order),
        cmocka_unit_test(session_output_many_marks_are_reused),
        cmocka_unit_test(session_output_taken_bytes_leave_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
