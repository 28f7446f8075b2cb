/* protocol_request_test.c -- scripts of received bytes and the requests they hold, whole and split at every byte. */

#include "fault_allocator.h"

#include "protocol/byte_buffer.h"
#include "protocol/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <cmocka.h>

/* A command table small enough to see. */
static bool find_opening(const void *context, enum protocol_opening *opening_out, struct kvs_slice verb)
{
    (void)context;
    static const struct {
        const char *name;
        enum protocol_opening opening;
    } commands[] = {
        {"GET", PROTOCOL_OPENS_TEXT},     {"PUT", PROTOCOL_OPENS_TEXT},     {"RANGE", PROTOCOL_OPENS_TEXT},
        {"PING", PROTOCOL_OPENS_NOTHING}, {"AUTH", PROTOCOL_OPENS_NOTHING}, {"QUIT", PROTOCOL_OPENS_NOTHING},
        {"SET", PROTOCOL_OPENS_RESP},     {"INFO", PROTOCOL_OPENS_RESP},
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (verb.size == strlen(commands[i].name) && strncasecmp(verb.data, commands[i].name, verb.size) == 0) {
            *opening_out = commands[i].opening;
            return true;
        }
    }
    return false;
}

static const struct protocol_commands commands = {find_opening, NULL};

/* What the parser made of a stream, as text: "T[PUT][a][b] R[PING] refused:T:sentence ". */
struct transcript {
    char text[4096];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void note(struct transcript *transcript, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(transcript->text + transcript->length, sizeof transcript->text - transcript->length, format,
                           arguments);
    va_end(arguments);
    transcript->length += (size_t)length;
    assert_true(transcript->length < sizeof transcript->text);
}

static void note_request(struct transcript *transcript, const struct request *request)
{
    note(transcript, "%c", request->is_text ? 'T' : 'R');
    for (size_t i = 0; i < request->count; i++) {
        struct kvs_slice argument = request_argument(request, i);
        const uint8_t *bytes = argument.data;
        note(transcript, "[");
        for (size_t j = 0; j < argument.size; j++)
            note(transcript, bytes[j] >= ' ' && bytes[j] < 0x7F ? "%c" : "<%02x>", bytes[j]);
        note(transcript, "]");
    }
    note(transcript, " ");
}

static const char *result_name(enum request_result result)
{
    return result == REQUEST_REFUSED ? "refused" : "failed";
}

/* Run the parser over what was received until it wants more. Returns whether the connection goes on. */
static bool drain(struct request_parser *parser, struct byte_buffer *in, struct transcript *transcript)
{
    for (;;) {
        struct request request;
        size_t consumed;
        enum request_result result =
            request_parser_next(parser, &request, &consumed, byte_buffer_data(in), byte_buffer_size(in));
        assert_true(consumed <= byte_buffer_size(in));
        if (result == REQUEST_READY)
            note_request(transcript, &request);
        else if (result == REQUEST_REFUSED || result == REQUEST_FAILED)
            note(transcript, "%s:%c:%s ", result_name(result), request.is_text ? 'T' : 'R', request.error);
        else if (result == REQUEST_HANGUP)
            note(transcript, "hangup ");
        byte_buffer_consume(in, consumed);
        if (result == REQUEST_MORE)
            return true;
        if (result == REQUEST_FAILED || result == REQUEST_HANGUP)
            return false;
    }
}

/* Receive a piece into memory of exactly the size needed, at a new place, so that a sanitizer sees any byte read too far or too late. */
static void receive(struct byte_buffer *in, const uint8_t *data, size_t size)
{
    size_t old = byte_buffer_size(in);
    uint8_t *memory = malloc(old + size + 1);
    assert_non_null(memory);
    if (old > 0)
        memcpy(memory, byte_buffer_data(in), old);
    memcpy(memory + old, data, size);
    byte_buffer_fini(in);
    *in = (struct byte_buffer){memory, 0, old + size, old + size};
}

static void run_pieces(struct transcript *transcript, const struct request_limits *limits, const char *bytes,
                       size_t size, size_t first, size_t step)
{
    struct request_parser parser;
    struct byte_buffer in;
    request_parser_init(&parser, &commands, limits);
    byte_buffer_init(&in);
    transcript->length = 0;
    transcript->text[0] = '\0';
    size_t at = 0;
    bool open = true;
    for (size_t piece = first; open && at < size; piece = step) {
        if (piece > size - at)
            piece = size - at;
        receive(&in, (const uint8_t *)bytes + at, piece);
        at += piece;
        open = drain(&parser, &in, transcript);
    }
    request_parser_fini(&parser);
    byte_buffer_fini(&in);
}

/* Whole, in two pieces split at every byte, and byte by byte. */
static void check_bytes(const struct request_limits *limits, const char *bytes, size_t size, const char *expected)
{
    struct transcript transcript;
    run_pieces(&transcript, limits, bytes, size, size, 1);
    assert_string_equal(transcript.text, expected);
    for (size_t split = 1; split < size; split++) {
        run_pieces(&transcript, limits, bytes, size, split, size);
        assert_string_equal(transcript.text, expected);
    }
    for (size_t step = 1; step <= 3; step++) {
        run_pieces(&transcript, limits, bytes, size, step, step);
        assert_string_equal(transcript.text, expected);
    }
}

static void check(const char *bytes, const char *expected)
{
    struct request_limits limits;
    request_limits_default(&limits);
    check_bytes(&limits, bytes, strlen(bytes), expected);
}

/* The transcript that the README promises. */
static void request_text_lines_are_split_into_words(void **state)
{
    (void)state;
    check("PUT hello world\nGET hello\r\nget hello\n", "T[PUT][hello][world] T[GET][hello] T[get][hello] ");
    check("PUT motto \"carpe diem\"\nPUT k {\"a\":1}\n", "T[PUT][motto][carpe diem] T[PUT][k][{\"a\":1}] ");
    check("\n\r\n  \nGET a\n\n\nSET b '' \n", "T[GET][a] T[SET][b][] ");
    check("RANGE \"\" \"\" LIMIT 10\n", "T[RANGE][][][LIMIT][10] ");
    check("PUT a \"\\x00\\xff\\n\"\n", "T[PUT][a][<00><ff><0a>] ");
    check("GET half", "");
}

/* A typing mistake must not end the session. */
static void request_text_unbalanced_quotes_are_refused_and_the_next_line_is_read(void **state)
{
    (void)state;
    check("PUT a \"b\nGET a\n", "refused:T:unbalanced quotes in request T[GET][a] ");
    check("FOO \"b\nGET a\n", "refused:T:unbalanced quotes in request T[GET][a] ");
}

/* Redis clients of any language. */
static void request_resp_arrays_are_read(void **state)
{
    (void)state;
    check("*1\r\n$4\r\nPING\r\n", "R[PING] ");
    check("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nb\n\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
          "R[SET][k][a<0d><0a>b<0a>] R[GET][] ");
    check("*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", "R[PING] ");
    check("*1\r\n$3\r\nGET\r\nset k v\r\n*1\r\n$4\r\nPING\r\n", "R[GET] R[set][k][v] R[PING] ");
    struct request_limits limits;
    request_limits_default(&limits);
    check_bytes(&limits, "*2\r\n$3\r\nGET\r\n$3\r\n\0\xff\0\r\n", 22, "R[GET][<00><ff><00>] ");
}

/* Health checks, people and clients each get the protocol they expect. */
static void request_first_command_decides_and_sticks(void **state)
{
    (void)state;
    check("PING\r\nPING\r\nGET a\n*1\nPING\n", "R[PING] R[PING] T[GET][a] T[*1] T[PING] ");
    check("PING\r\n*1\r\n$3\r\nGET\r\nGET a\r\n", "R[PING] R[GET] R[GET][a] ");
    check("SET k \"a b\"\r\nGET k\r\n", "R[SET][k][a b] R[GET][k] ");
    check("FOO bar\nfoo\nAUTH x\nSET a b\nFOO\n", "T[FOO][bar] T[foo] R[AUTH][x] R[SET][a][b] R[FOO] ");
    check("\"GET\" a\nSET b c\n", "T[GET][a] T[SET][b][c] ");
    check("QUIT\n", "R[QUIT] ");
    check("  GET a\nPING\n", "T[GET][a] T[PING] ");
}

/* A browser that is led to the port must not run commands. */
static void request_http_first_line_hangs_up(void **state)
{
    (void)state;
    check("GET / HTTP/1.1\r\nHost: x\r\n\r\nPUT a b\n", "hangup ");
    check("POST / HTTP/1.0\nPUT a b\n", "hangup ");
    check("PUT a b\nPUT page HTTP/1.1\n", "T[PUT][a][b] T[PUT][page][HTTP/1.1] ");
    check("GET HTTP/1\n", "T[GET][HTTP/1] ");
}

/* Client libraries show these texts to people and tests compare them. */
static void request_resp_errors_are_those_of_redis(void **state)
{
    (void)state;
    check("*x\r\n", "failed:R:Protocol error: invalid multibulk length ");
    check("*3x\r\n", "failed:R:Protocol error: invalid multibulk length ");
    check("*03\r\n", "failed:R:Protocol error: invalid multibulk length ");
    check("*\r\n", "failed:R:Protocol error: invalid multibulk length ");
    check("*99999999999999999999\r\n", "failed:R:Protocol error: invalid multibulk length ");
    check("*1048577\r\n", "failed:R:Protocol error: invalid multibulk length ");
    check("*1\r\nGET\r\n", "failed:R:Protocol error: expected '$', got 'G' ");
    check("*1\r\n$-1\r\n", "failed:R:Protocol error: invalid bulk length ");
    check("*1\r\n$x\r\n", "failed:R:Protocol error: invalid bulk length ");
    check("*1\r\n$ 3\r\nGET\r\n", "failed:R:Protocol error: invalid bulk length ");
    check("*1\r\n$8388609\r\n", "failed:R:Protocol error: invalid bulk length ");
    check("*1\r\n$3\rxGET\r\n", "failed:R:Protocol error: invalid bulk length ");
    check("*1\r\n$3\r\nGETxx", "failed:R:Protocol error: expected CRLF after the bulk string ");
    check("SET a b\r\nGET \"a\r\nGET b\r\n", "R[SET][a][b] failed:R:Protocol error: unbalanced quotes in request ");
    check("*1\r\n$3\r\nGET\r\n*1\r\n$0\r\n\r\n*q\r\n", "R[GET] R[] failed:R:Protocol error: invalid multibulk length ");
}

/* A client that sends without end must be stopped at the limit, and one that stays within must not. */
static void request_limits_are_exact(void **state)
{
    (void)state;
    const struct request_limits limits = {
        .line_bytes = 10, .inline_bytes = 8, .arguments = 3, .argument_bytes = 6, .request_bytes = 40};
    const char *long_line = "failed:T:line is longer than 10 bytes ";
    const char *long_inline = "R[SET][a] failed:R:Protocol error: too big inline request ";
    struct {
        const char *bytes;
        const char *expected;
    } cases[] = {
        {"GET 678901\n", "T[GET][678901] "},
        {"GET 678901\r\n", "T[GET][678901] "},
        {"GET 6789012\n", long_line},
        {"GET 6789012\r\n", long_line},
        {"GET 6789012345", long_line},
        {"FOO 6789012345", long_line},
        {"SET a\nGET 5678\r\n", "R[SET][a] R[GET][5678] "},
        {"SET a\nGET 56789\n", long_inline},
        {"SET a\nGET 567890", long_inline},
        {"GET 1 2 3\nGET a\n", "refused:T:more than 3 words T[GET][a] "},
        {"*4\r\n", "failed:R:Protocol error: invalid multibulk length "},
        {"*1\r\n$7\r\n", "failed:R:Protocol error: invalid bulk length "},
        {"*1\r\n$6\r\n123456\r\n", "R[123456] "},
        {"*000000000", "failed:R:Protocol error: too big mbulk count string "},
        {"*1\r\n$000000000", "failed:R:Protocol error: too big bulk count string "},
        {"*3\r\n$6\r\n123456\r\n$6\r\n123456\r\n$6\r\n123456\r\n", "R[123456][123456][123456] "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_bytes(&limits, cases[i].bytes, strlen(cases[i].bytes), cases[i].expected);
    struct request_limits tight = limits;
    tight.request_bytes = 39;
    check_bytes(&tight, cases[15].bytes, strlen(cases[15].bytes),
                "failed:R:Protocol error: request is longer than 39 bytes ");
}

/* Errors at the end must stay the end: bytes behind them would be read at the wrong place. */
static void request_after_a_failure_nothing_is_parsed(void **state)
{
    (void)state;
    struct request_limits limits;
    struct request_parser parser;
    struct request request;
    size_t consumed;
    uint8_t bad[] = "*x\r\n", good[] = "*1\r\n$4\r\nPING\r\n";
    request_limits_default(&limits);
    request_parser_init(&parser, &commands, &limits);
    assert_int_equal(request_parser_next(&parser, &request, &consumed, bad, sizeof bad - 1), REQUEST_FAILED);
    assert_int_equal(request_parser_next(&parser, &request, &consumed, good, sizeof good - 1), REQUEST_HANGUP);
    assert_int_equal(consumed, 0);
    request_parser_fini(&parser);
}

/* A big value that trickles in must not cost the square of its size, nor memory beyond what came. */
static void request_large_half_request_is_scanned_once(void **state)
{
    (void)state;
    enum { SIZE = 4 << 20 };
    static const char *const heads[] = {"PUT k ", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4194304\r\n"};
    struct request_limits limits;
    request_limits_default(&limits);
    for (size_t i = 0; i < 2; i++) {
        struct request_parser parser;
        struct request request;
        size_t consumed, head = strlen(heads[i]);
        uint8_t *data = malloc(head + SIZE + 2);
        assert_non_null(data);
        memcpy(data, heads[i], head);
        memset(data + head, 'v', SIZE);
        memcpy(data + head + SIZE, "\r\n", 2);
        request_parser_init(&parser, &commands, &limits);
        for (size_t size = head; size < head + SIZE; size += 16)
            assert_int_equal(request_parser_next(&parser, &request, &consumed, data, size), REQUEST_MORE);
        assert_int_equal(request_parser_next(&parser, &request, &consumed, data, head + SIZE + 2), REQUEST_READY);
        assert_int_equal(consumed, head + SIZE + 2);
        assert_int_equal(request_argument(&request, 2).size, SIZE);
        assert_ptr_equal(parser.spans, parser.small_spans);
        request_parser_fini(&parser);
        free(data);
    }
}

static size_t many_keys(struct byte_buffer *in, size_t count)
{
    char head[32];
    size_t size = (size_t)snprintf(head, sizeof head, "*%zu\r\n", count);
    assert_true(byte_buffer_append(in, head, size));
    for (size_t i = 0; i < count; i++)
        assert_true(byte_buffer_append(in, "$1\r\nk\r\n", 7));
    return byte_buffer_size(in);
}

/* A command of 10,000 keys works, and its list is given back afterwards. */
static void request_many_arguments_grow_and_are_released(void **state)
{
    (void)state;
    struct request_limits limits;
    struct request_parser parser;
    struct request request;
    struct byte_buffer in;
    size_t consumed;
    request_limits_default(&limits);
    request_parser_init(&parser, &commands, &limits);
    byte_buffer_init(&in);
    size_t size = many_keys(&in, 10000);
    assert_int_equal(request_parser_next(&parser, &request, &consumed, byte_buffer_data(&in), size), REQUEST_READY);
    assert_int_equal(request.count, 10000);
    assert_memory_equal(request_argument(&request, 9999).data, "k", 1);
    byte_buffer_consume(&in, consumed);
    assert_int_equal(request_parser_next(&parser, &request, &consumed, byte_buffer_data(&in), 0), REQUEST_MORE);
    assert_ptr_equal(parser.spans, parser.small_spans);
    request_parser_fini(&parser);
    byte_buffer_fini(&in);
}

/* Without memory for the list the client hears so; the server goes on. */
static void request_without_memory_fails_with_a_sentence(void **state)
{
    (void)state;
    struct request_limits limits;
    struct request_parser parser;
    struct request request;
    struct byte_buffer in;
    size_t consumed;
    request_limits_default(&limits);
    request_parser_init(&parser, &commands, &limits);
    byte_buffer_init(&in);
    size_t size = many_keys(&in, 100);
    allocator_fail(1, true);
    enum request_result result = request_parser_next(&parser, &request, &consumed, byte_buffer_data(&in), size);
    allocator_clear();
    assert_int_equal(result, REQUEST_FAILED);
    assert_string_equal(request.error, "out of memory");
    request_parser_fini(&parser);
    byte_buffer_fini(&in);
}

/* A port that speaks RESP only does not fall for a text verb. */
static void request_forced_protocol_is_not_decided_again(void **state)
{
    (void)state;
    struct request_limits limits;
    struct request_parser parser;
    struct request request;
    size_t consumed;
    uint8_t line[] = "GET a\n";
    request_limits_default(&limits);
    request_parser_init(&parser, &commands, &limits);
    request_parser_force(&parser, REQUEST_RESP);
    assert_int_equal(request_parser_next(&parser, &request, &consumed, line, sizeof line - 1), REQUEST_READY);
    assert_false(request.is_text);
    request_parser_fini(&parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_text_lines_are_split_into_words),
        cmocka_unit_test(request_text_unbalanced_quotes_are_refused_and_the_next_line_is_read),
        cmocka_unit_test(request_resp_arrays_are_read),
        cmocka_unit_test(request_first_command_decides_and_sticks),
        cmocka_unit_test(request_http_first_line_hangs_up),
        cmocka_unit_test(request_resp_errors_are_those_of_redis),
        cmocka_unit_test(request_limits_are_exact),
        cmocka_unit_test(request_after_a_failure_nothing_is_parsed),
        cmocka_unit_test(request_large_half_request_is_scanned_once),
        cmocka_unit_test(request_many_arguments_grow_and_are_released),
        cmocka_unit_test(request_without_memory_fails_with_a_sentence),
        cmocka_unit_test(request_forced_protocol_is_not_decided_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
