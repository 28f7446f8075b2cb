/* protocol_reply_test.c -- the bytes of every kind of reply in the three encodings. */

#include "fault_allocator.h"

#include "protocol/reply.h"
#include "protocol/request.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const enum reply_encoding encodings[] = {REPLY_RESP2, REPLY_RESP3, REPLY_TEXT};

/* Write with `write` in each encoding and compare with the three goldens. */
static void check(void (*write)(struct reply_writer *writer), const char *resp2, const char *resp3, const char *text)
{
    const char *const expected[] = {resp2, resp3, text};
    for (size_t i = 0; i < 3; i++) {
        struct reply_writer writer;
        reply_writer_init(&writer, encodings[i]);
        write(&writer);
        assert_false(reply_writer_failed(&writer));
        assert_int_equal(writer.depth, 0);
        assert_true(byte_buffer_append(&writer.buffer, "", 1));
        assert_string_equal((const char *)byte_buffer_data(&writer.buffer), expected[i]);
        reply_writer_fini(&writer);
    }
}

static void write_singles(struct reply_writer *writer)
{
    reply_status(writer, "OK");
    reply_error(writer, "ERR", "no\r\nsuch thing");
    reply_error_format(writer, "WRONGTYPE", "key %d", 7);
    reply_nil(writer);
    reply_nil_array(writer);
    reply_integer(writer, 42);
    reply_integer(writer, INT64_MIN);
    reply_bool(writer, true);
    reply_bool(writer, false);
}

/* The simplest replies, which every client reads. */
static void reply_single_replies_golden(void **state)
{
    (void)state;
    check(
        write_singles,
        "+OK\r\n-ERR no  such thing\r\n-WRONGTYPE key 7\r\n$-1\r\n*-1\r\n:42\r\n:-9223372036854775808\r\n:1\r\n:0\r\n",
        "+OK\r\n-ERR no  such thing\r\n-WRONGTYPE key 7\r\n_\r\n_\r\n:42\r\n:-9223372036854775808\r\n#t\r\n#f\r\n",
        "OK\nERROR no  such thing\nERROR WRONGTYPE key 7\nNOT_FOUND\nNOT_FOUND\n42\n-9223372036854775808\n1\n0\n");
}

static void write_doubles(struct reply_writer *writer)
{
    reply_double(writer, 1.5);
    reply_double(writer, 0.1);
    reply_double(writer, -INFINITY);
    reply_double(writer, NAN);
    reply_double(writer, 3);
}

/* 0.1 must not come out as 0.10000000000000001. */
static void reply_doubles_golden(void **state)
{
    (void)state;
    check(write_doubles, "$3\r\n1.5\r\n$3\r\n0.1\r\n$4\r\n-inf\r\n$3\r\nnan\r\n$1\r\n3\r\n",
          ",1.5\r\n,0.1\r\n,-inf\r\n,nan\r\n,3\r\n", "1.5\n0.1\n-inf\nnan\n3\n");
}

static void write_values(struct reply_writer *writer)
{
    reply_value_text(writer, "world");
    reply_value_text(writer, "carpe diem");
    reply_value_text(writer, "");
    reply_value_text(writer, "NOT_FOUND");
    reply_value_text(writer, "a\nb");
    reply_value_text(writer, "{\"a\":1}");
}

/* Values go as they are unless a reader could mistake them. */
static void reply_values_golden(void **state)
{
    (void)state;
    static const char resp[] =
        "$5\r\nworld\r\n$10\r\ncarpe diem\r\n$0\r\n\r\n$9\r\nNOT_FOUND\r\n$3\r\na\nb\r\n$7\r\n{\"a\":1}\r\n";
    check(write_values, resp, resp, "world\ncarpe diem\n\"\"\n\"NOT_FOUND\"\n\"a\\nb\"\n{\"a\":1}\n");
}

static void write_deleted(struct reply_writer *writer)
{
    reply_deleted(writer, 1, 1);
    reply_deleted(writer, 0, 1);
    reply_deleted(writer, 2, 3);
}

/* DEL of one key answers a person with a word. */
static void reply_deleted_golden(void **state)
{
    (void)state;
    check(write_deleted, ":1\r\n:0\r\n:2\r\n", ":1\r\n:0\r\n:2\r\n", "OK\nNOT_FOUND\n2\n");
}

static void write_arrays(struct reply_writer *writer)
{
    reply_array(writer, 4);
    reply_value_text(writer, "a b");
    reply_nil(writer);
    reply_array(writer, 3);
    reply_value_text(writer, "x");
    reply_array(writer, 0);
    reply_array(writer, 1);
    reply_integer(writer, 1);
    reply_value_text(writer, "END");
    reply_array(writer, 0);
    reply_status(writer, "OK");
}

/* Nested arrays end where they must, or every later reply is off by one. */
static void reply_arrays_golden(void **state)
{
    (void)state;
    check(write_arrays, "*4\r\n$3\r\na b\r\n$-1\r\n*3\r\n$1\r\nx\r\n*0\r\n*1\r\n:1\r\n$3\r\nEND\r\n*0\r\n+OK\r\n",
          "*4\r\n$3\r\na b\r\n_\r\n*3\r\n$1\r\nx\r\n*0\r\n*1\r\n:1\r\n$3\r\nEND\r\n*0\r\n+OK\r\n",
          "\"a b\"\nNOT_FOUND\nx 1\n\"END\"\nEND\nEND\nOK\n");
}

static void write_pairs(struct reply_writer *writer)
{
    reply_pairs(writer, 2);
    reply_value_text(writer, "k1");
    reply_value_text(writer, "v 1");
    reply_value_text(writer, "k2");
    reply_value_text(writer, "");
    reply_map(writer, 2);
    reply_value_text(writer, "server");
    reply_value_text(writer, "kvstore");
    reply_value_text(writer, "modules");
    reply_array(writer, 2);
    reply_integer(writer, 1);
    reply_integer(writer, 2);
    reply_set(writer, 1);
    reply_bool(writer, true);
    reply_push(writer, 1);
    reply_value_text(writer, "x");
    reply_pairs(writer, 0);
}

/* RANGE shows a key and its value on one line; HELLO 3 is a map. */
static void reply_pairs_maps_sets_golden(void **state)
{
    (void)state;
    check(
        write_pairs,
        "*4\r\n$2\r\nk1\r\n$3\r\nv 1\r\n$2\r\nk2\r\n$0\r\n\r\n"
        "*4\r\n$6\r\nserver\r\n$7\r\nkvstore\r\n$7\r\nmodules\r\n*2\r\n:1\r\n:2\r\n*1\r\n:1\r\n*1\r\n$1\r\nx\r\n*0\r\n",
        "*4\r\n$2\r\nk1\r\n$3\r\nv 1\r\n$2\r\nk2\r\n$0\r\n\r\n"
        "%2\r\n$6\r\nserver\r\n$7\r\nkvstore\r\n$7\r\nmodules\r\n*2\r\n:1\r\n:2\r\n~1\r\n#t\r\n>1\r\n$1\r\nx\r\n*0\r\n",
        "k1 \"v 1\"\nk2 \"\"\nEND\nserver kvstore\nmodules 1 2\nEND\n1\nEND\nx\nEND\nEND\n");
}

static void write_open(struct reply_writer *writer)
{
    reply_status(writer, "OK");
    size_t outer = reply_array_begin(writer);
    size_t inner = reply_pairs_begin(writer);
    reply_value_text(writer, "k");
    reply_value_text(writer, "v");
    reply_open_end(writer, inner);
    reply_array(writer, 1);
    reply_integer(writer, 5);
    reply_open_end(writer, outer);
    size_t empty = reply_pairs_begin(writer);
    reply_open_end(writer, empty);
    size_t pairs = reply_pairs_begin(writer);
    for (int i = 0; i < 6; i++)
        reply_integer(writer, i);
    reply_open_end(writer, pairs);
}

/* A scan does not know beforehand how many it will find. */
static void reply_open_arrays_golden(void **state)
{
    (void)state;
    static const char resp[] =
        "+OK\r\n*2\r\n*2\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\n:5\r\n*0\r\n*6\r\n:0\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n";
    check(write_open, resp, resp, "OK\nk v\n5\nEND\nEND\n0 1\n2 3\n4 5\nEND\n");
}

static void write_documents(struct reply_writer *writer)
{
    reply_document(writer, slice_of_text("PUT key value\r\nEND\nGET \"key\""));
    reply_document(writer, slice_of_text(""));
    reply_array(writer, 1);
    reply_document(writer, slice_of_text("a b"));
}

/* HELP must be readable, and its end findable. */
static void reply_documents_golden(void **state)
{
    (void)state;
    check(write_documents, "$28\r\nPUT key value\r\nEND\nGET \"key\"\r\n$0\r\n\r\n*1\r\n$3\r\na b\r\n",
          "=32\r\ntxt:PUT key value\r\nEND\nGET \"key\"\r\n=4\r\ntxt:\r\n*1\r\n=7\r\ntxt:a b\r\n",
          "PUT key value\n\"END\"\nGET \"key\"\nEND\nEND\n\"a b\"\nEND\n");
}

static bool find_none(const void *context, enum protocol_opening *opening_out, struct kvs_slice verb)
{
    (void)context;
    (void)opening_out;
    (void)verb;
    return false;
}

/* Write the unknown-command error for a RESP array request. */
static void check_unknown(const char *bytes, enum reply_encoding encoding, const char *expected)
{
    const struct protocol_commands commands = {find_none, NULL};
    struct request_limits limits;
    struct request_parser parser;
    struct request request;
    struct reply_writer writer;
    uint8_t copy[1024];
    size_t consumed;
    memcpy(copy, bytes, strlen(bytes));
    request_limits_default(&limits);
    request_parser_init(&parser, &commands, &limits);
    assert_int_equal(request_parser_next(&parser, &request, &consumed, copy, strlen(bytes)), REQUEST_READY);
    reply_writer_init(&writer, encoding);
    reply_unknown_command(&writer, &request);
    assert_true(byte_buffer_append(&writer.buffer, "", 1));
    assert_string_equal((const char *)byte_buffer_data(&writer.buffer), expected);
    reply_writer_fini(&writer);
    request_parser_fini(&parser);
}

/* Client libraries look for this text to find out what a server can do. */
static void reply_unknown_command_is_that_of_redis(void **state)
{
    (void)state;
    check_unknown("*1\r\n$3\r\nFOO\r\n", REPLY_RESP2, "-ERR unknown command 'FOO', with args beginning with: \r\n");
    check_unknown("*3\r\n$3\r\nFoO\r\n$3\r\na\nb\r\n$0\r\n\r\n", REPLY_RESP3,
                  "-ERR unknown command 'FoO', with args beginning with: 'a b' '' \r\n");
    check_unknown("*1\r\n$3\r\nFOO\r\n", REPLY_TEXT, "ERROR UNKNOWN COMMAND\n");
    char request[700], expected[700], argument[101], verb[201];
    memset(argument, 'a', 100);
    argument[100] = '\0';
    memset(verb, 'v', 200);
    verb[200] = '\0';
    snprintf(request, sizeof request, "*4\r\n$200\r\n%s\r\n$100\r\n%s\r\n$100\r\n%s\r\n$1\r\nz\r\n", verb, argument,
             argument);
    snprintf(expected, sizeof expected, "-ERR unknown command '%.128s', with args beginning with: '%s' '%.25s' \r\n",
             verb, argument, argument);
    check_unknown(request, REPLY_RESP2, expected);
}

/* Memory that runs out at any place must leave a writer that says so and does no more. */
static void reply_each_allocation_failing_is_sticky(void **state)
{
    (void)state;
    static uint8_t large[3000];
    memset(large, 1, sizeof large);
    for (size_t i = 0; i < 3; i++) {
        uint64_t failing = 0;
        bool failed = true;
        for (; failed && failing < 100; failing++) {
            struct reply_writer writer;
            reply_writer_init(&writer, encodings[i]);
            allocator_fail(failing + 1, true);
            size_t mark = reply_pairs_begin(&writer);
            reply_value(&writer, slice_of(large, sizeof large));
            reply_document(&writer, slice_of(large, sizeof large));
            reply_open_end(&writer, mark);
            reply_map(&writer, 1);
            reply_double(&writer, 1.5);
            reply_value(&writer, slice_of(large, sizeof large));
            failed = reply_writer_failed(&writer);
            allocator_clear();
            size_t size = byte_buffer_size(&writer.buffer);
            reply_status(&writer, "OK");
            assert_int_equal(reply_writer_failed(&writer), failed);
            assert_int_equal(byte_buffer_size(&writer.buffer) > size, !failed);
            reply_writer_fini(&writer);
        }
        assert_true(failing > 1 && !failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_single_replies_golden),
        cmocka_unit_test(reply_doubles_golden),
        cmocka_unit_test(reply_values_golden),
        cmocka_unit_test(reply_deleted_golden),
        cmocka_unit_test(reply_arrays_golden),
        cmocka_unit_test(reply_pairs_maps_sets_golden),
        cmocka_unit_test(reply_open_arrays_golden),
        cmocka_unit_test(reply_documents_golden),
        cmocka_unit_test(reply_unknown_command_is_that_of_redis),
        cmocka_unit_test(reply_each_allocation_failing_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
