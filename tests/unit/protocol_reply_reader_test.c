/* protocol_reply_reader_test.c -- reading replies of both RESP versions, whole and split at every byte. */

#include "fault_allocator.h"

#include "base/status.h"
#include "protocol/reply.h"
#include "protocol/reply_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct transcript {
    char text[4096];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void note(struct transcript *transcript, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    transcript->length += (size_t)vsnprintf(transcript->text + transcript->length,
                                            sizeof transcript->text - transcript->length, format, arguments);
    va_end(arguments);
    assert_true(transcript->length < sizeof transcript->text);
}

static void note_node(struct transcript *transcript, const struct reply_node *node, const uint8_t *data)
{
    static const char *const names[] = {"status", "error", "integer", "nil", "value", "verbatim", "bool",
                                        "double", "big",   "array",   "map", "set",   "push"};
    note(transcript, "%u:%s", node->depth, names[node->type]);
    if (reply_type_is_aggregate(node->type))
        note(transcript, "(%llu) ", (unsigned long long)node->count);
    else if (node->type == REPLY_TYPE_INTEGER || node->type == REPLY_TYPE_BOOL)
        note(transcript, "(%lld) ", (long long)node->integer);
    else if (node->type == REPLY_TYPE_DOUBLE)
        note(transcript, "(%g) ", node->number);
    else if (node->type == REPLY_TYPE_NIL)
        note(transcript, " ");
    else
        note(transcript, "(%.*s) ", (int)node->size, (const char *)data + node->offset);
}

static bool drain(struct reply_reader *reader, const uint8_t *data, size_t size, size_t *used,
                  struct transcript *transcript)
{
    for (;;) {
        bool complete;
        size_t consumed;
        struct kvs_status status = reply_reader_next(reader, &complete, &consumed, data + *used, size - *used);
        if (!status_is_ok(status)) {
            note(transcript, "%s", status_text(status));
            return false;
        }
        if (!complete)
            return true;
        for (size_t i = 0; i < reader->node_count; i++)
            note_node(transcript, &reader->nodes[i], data + *used);
        note(transcript, "| ");
        *used += consumed;
    }
}

/* Each piece at a new place in memory of exactly its size. */
static void run_pieces(struct transcript *transcript, const struct reply_reader_limits *limits, const char *bytes,
                       size_t first, size_t step)
{
    struct reply_reader reader;
    size_t total = strlen(bytes), size = 0, used = 0;
    reply_reader_init(&reader, limits);
    transcript->length = 0;
    transcript->text[0] = '\0';
    bool open = true;
    for (size_t piece = first; open && size < total; piece = step) {
        size = piece < total - size ? size + piece : total;
        uint8_t *exact = malloc(size - used);
        assert_non_null(exact);
        memcpy(exact, bytes + used, size - used);
        size_t moved = 0;
        open = drain(&reader, exact, size - used, &moved, transcript);
        used += moved;
        free(exact);
    }
    reply_reader_fini(&reader);
}

static void check_limits(const struct reply_reader_limits *limits, const char *bytes, const char *expected)
{
    struct transcript transcript;
    size_t size = strlen(bytes);
    run_pieces(&transcript, limits, bytes, size, 1);
    assert_string_equal(transcript.text, expected);
    for (size_t split = 1; split < size; split++) {
        run_pieces(&transcript, limits, bytes, split, size);
        assert_string_equal(transcript.text, expected);
    }
    run_pieces(&transcript, limits, bytes, 1, 1);
    assert_string_equal(transcript.text, expected);
}

static void check(const char *bytes, const char *expected)
{
    struct reply_reader_limits limits;
    reply_reader_limits_default(&limits);
    check_limits(&limits, bytes, expected);
}

/* Everything that a Redis of either version may answer. */
static void reply_reader_every_type_is_read(void **state)
{
    (void)state;
    check("+OK\r\n-ERR no\r\n:42\r\n:-1\r\n", "0:status(OK) | 0:error(ERR no) | 0:integer(42) | 0:integer(-1) | ");
    check("$5\r\nwo\r\nd\r\n$0\r\n\r\n$-1\r\n*-1\r\n_\r\n", "0:value(wo\r\nd) | 0:value() | 0:nil | 0:nil | 0:nil | ");
    check("#t\r\n#f\r\n,1.5\r\n,-inf\r\n(12345678901234567890\r\n",
          "0:bool(1) | 0:bool(0) | 0:double(1.5) | 0:double(-inf) | 0:big(12345678901234567890) | ");
    check("=7\r\ntxt:abc\r\n!6\r\nERR no\r\n", "0:verbatim(abc) | 0:error(ERR no) | ");
    check("*2\r\n*0\r\n*1\r\n:1\r\n+OK\r\n", "0:array(2) 1:array(0) 1:array(1) 2:integer(1) | 0:status(OK) | ");
    check("%1\r\n+a\r\n~1\r\n:1\r\n>1\r\n+x\r\n%0\r\n",
          "0:map(2) 1:status(a) 1:set(1) 2:integer(1) | 0:push(1) 1:status(x) | 0:map(0) | ");
    check("*1\r\n$3\r\nab", "");
}

/* Attributes are remarks about the reply behind them. */
static void reply_reader_attributes_are_dropped(void **state)
{
    (void)state;
    check("|1\r\n+ttl\r\n*1\r\n:5\r\n+OK\r\n", "0:status(OK) | ");
    check("*2\r\n:1\r\n|1\r\n+a\r\n+b\r\n:2\r\n:3\r\n", "0:array(2) 1:integer(1) 1:integer(2) | 0:integer(3) | ");
    check("|0\r\n:1\r\n", "0:integer(1) | ");
}

/* A peer that is no Redis must be named as such, with the place. */
static void reply_reader_bad_bytes_are_corrupt(void **state)
{
    (void)state;
    check("HTTP/1.1 400\r\n", "reply stream, byte 0: expected the start of a reply, found 'H'");
    check("+OK\r\n:x\r\n", "0:status(OK) | reply stream, byte 6: expected a number, found 'x'");
    check(":\r\n", "reply stream, byte 1: expected a number, found ''");
    check("$-2\r\n", "reply stream, byte 1: expected the size of a string, found '-2'");
    check("$?\r\n", "reply stream, byte 1: expected a number, found '?'");
    check("!-1\r\n", "reply stream, byte 1: expected the size of a string, found '-1'");
    check("=3\r\n", "reply stream, byte 1: expected the size of a string, found '3'");
    check("=4\r\nabcd\r\n", "reply stream, byte 4: expected the format of a verbatim string, found 'abcd'");
    check("$1\r\nabc", "reply stream, byte 5: expected the end of a string, found 'bc'");
    check("*-2\r\n", "reply stream, byte 1: expected a number of items, found '-2'");
    check("%-1\r\n", "reply stream, byte 1: expected a number of items, found '-1'");
    check("+a\rb", "reply stream, byte 3: expected a line feed, found 'b'");
    check("#x\r\n", "reply stream, byte 1: expected t or f, found 'x'");
    check(",0x10\r\n", "reply stream, byte 1: expected a floating-point number, found '0x10'");
    check(",1e\r\n", "reply stream, byte 1: expected a floating-point number, found '1e'");
    check("(1a\r\n", "reply stream, byte 1: expected a big number, found '1a'");
    check("_x\r\n", "reply stream, byte 1: expected the end of a null, found 'x'");
}

/* A hostile server must not exhaust its client. */
static void reply_reader_limits_are_kept(void **state)
{
    (void)state;
    const struct reply_reader_limits limits = {.value_bytes = 5, .reply_bytes = 30, .nodes = 4};
    check_limits(&limits, "$5\r\n12345\r\n", "0:value(12345) | ");
    check_limits(&limits, "$6\r\n", "reply has a string of 6 bytes; the limit is 5");
    check_limits(&limits, "+123456", "reply has a line over 5 bytes");
    check_limits(&limits, "*3\r\n:1\r\n:2\r\n:3\r\n", "0:array(3) 1:integer(1) 1:integer(2) 1:integer(3) | ");
    check_limits(&limits, "*5\r\n", "reply announces 5 items; the limit is 4");
    check_limits(&limits, "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", "reply has more than 4 items");
    check_limits(&limits, "|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n+OK\r\n", "reply is longer than 30 bytes");
    check("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
          "reply is nested more than 16 deep");
    check("*99999999\r\n", "reply announces 99999999 items; the limit is 16777216");
}

/* A promise of many items must not cost memory before they come. */
static void reply_reader_promised_items_cost_nothing(void **state)
{
    (void)state;
    struct reply_reader_limits limits;
    struct reply_reader reader;
    bool complete;
    size_t consumed;
    reply_reader_limits_default(&limits);
    reply_reader_init(&reader, &limits);
    assert_true(status_is_ok(reply_reader_next(&reader, &complete, &consumed, "*16000000\r\n:1\r\n", 15)));
    assert_false(complete);
    assert_int_equal(consumed, 0);
    assert_true(reader.node_capacity <= 16);
    reply_reader_fini(&reader);
}

/* Exhausted memory is an error, and the reader stays failed. */
static void reply_reader_without_memory_fails_for_good(void **state)
{
    (void)state;
    struct reply_reader_limits limits;
    struct reply_reader reader;
    bool complete = true;
    size_t consumed = 77;
    reply_reader_limits_default(&limits);
    reply_reader_init(&reader, &limits);
    allocator_fail(1, true);
    struct kvs_status first = reply_reader_next(&reader, &complete, &consumed, ":1\r\n", 4);
    allocator_clear();
    struct kvs_status second = reply_reader_next(&reader, &complete, &consumed, ":1\r\n", 4);
    assert_int_equal(first.code, KVS_NO_MEMORY);
    assert_int_equal(second.code, KVS_CORRUPT);
    assert_true(complete);
    assert_int_equal(consumed, 77);
    reply_reader_fini(&reader);
}

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Write a random reply; returns how many nodes it has when read. */
static size_t write_random(struct reply_writer *writer, uint32_t *seed, unsigned depth)
{
    uint8_t bytes[20];
    size_t size = random_next(seed) % sizeof bytes, nodes = 1, count = random_next(seed) % 5;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_next(seed);
    switch (random_next(seed) % (depth < 6 ? 11 : 8)) {
    case 0:
        reply_status(writer, "OK");
        return 1;
    case 1:
        reply_error(writer, "ERR", "no");
        return 1;
    case 2:
        reply_nil(writer);
        return 1;
    case 3:
        reply_integer(writer, (int64_t)random_next(seed) * -77777);
        return 1;
    case 4:
        reply_bool(writer, count > 2);
        return 1;
    case 5:
        reply_double(writer, random_next(seed) / 7.0);
        return 1;
    case 6:
        reply_document(writer, slice_of(bytes, size));
        return 1;
    case 7:
        reply_value(writer, slice_of(bytes, size));
        return 1;
    case 8:
        reply_array(writer, count);
        break;
    case 9:
        reply_map(writer, count);
        count *= 2;
        break;
    default:
        reply_set(writer, count);
        break;
    }
    for (size_t i = 0; i < count; i++)
        nodes += write_random(writer, seed, depth + 1);
    return nodes;
}

/* What the server writes, the client reads: the same number of items, and every byte used. */
static void reply_reader_reads_what_the_writer_writes(void **state)
{
    (void)state;
    uint32_t seed = 7;
    struct reply_reader_limits limits;
    struct reply_reader reader;
    reply_reader_limits_default(&limits);
    reply_reader_init(&reader, &limits);
    for (int round = 0; round < 20000; round++) {
        struct reply_writer writer;
        bool complete;
        size_t consumed;
        reply_writer_init(&writer, round % 2 == 0 ? REPLY_RESP2 : REPLY_RESP3);
        size_t nodes = write_random(&writer, &seed, 0);
        size_t size = byte_buffer_size(&writer.buffer);
        assert_true(
            status_is_ok(reply_reader_next(&reader, &complete, &consumed, byte_buffer_data(&writer.buffer), size)));
        assert_true(complete);
        assert_int_equal(consumed, size);
        assert_int_equal(reader.node_count, nodes);
        reply_writer_fini(&writer);
    }
    reply_reader_fini(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_reader_every_type_is_read),
        cmocka_unit_test(reply_reader_attributes_are_dropped),
        cmocka_unit_test(reply_reader_bad_bytes_are_corrupt),
        cmocka_unit_test(reply_reader_limits_are_kept),
        cmocka_unit_test(reply_reader_promised_items_cost_nothing),
        cmocka_unit_test(reply_reader_without_memory_fails_for_good),
        cmocka_unit_test(reply_reader_reads_what_the_writer_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
