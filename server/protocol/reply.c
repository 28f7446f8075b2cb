#include "protocol/reply_internal.h"

#include "base/assert.h"
#include "protocol/number.h"
#include "protocol/quote.h"
#include "protocol/request.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void reply_status(struct reply_writer *writer, const char *status)
{
    if (writer_is_text(writer)) {
        writer_put_word(writer, status);
        return;
    }
    writer_put_text(writer, "+");
    writer_put_text(writer, status);
    writer_put_text(writer, "\r\n");
    writer_end_item(writer);
}

static void begin_error(struct reply_writer *writer, const char *code)
{
    if (writer_is_text(writer)) {
        writer_begin_word(writer);
        writer_put_text(writer, "ERROR ");
        if (strcmp(code, "ERR") == 0)
            return;
    } else {
        writer_put_text(writer, "-");
    }
    writer_put_text(writer, code);
    writer_put_text(writer, " ");
}

static void end_error(struct reply_writer *writer)
{
    if (writer_is_text(writer)) {
        writer_end_word(writer);
        return;
    }
    writer_put_text(writer, "\r\n");
    writer_end_item(writer);
}

void reply_error(struct reply_writer *writer, const char *code, const char *text)
{
    begin_error(writer, code);
    writer_put_flattened(writer, text, strlen(text));
    end_error(writer);
}

void reply_error_format(struct reply_writer *writer, const char *code, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reply_error(writer, code, text);
}

/* At most `limit` bytes of an argument, and none from a zero byte on: what printf("%.*s") shows in Redis. */
static size_t put_shown_argument(struct reply_writer *writer, struct kvs_slice argument, size_t limit)
{
    size_t size = argument.size < limit ? argument.size : limit;
    const char *zero = size > 0 ? memchr(argument.data, 0, size) : NULL;
    if (zero != NULL)
        size = (size_t)(zero - (const char *)argument.data);
    writer_put_flattened(writer, argument.data, size);
    return size;
}

void reply_unknown_command(struct reply_writer *writer, const struct request *request)
{
    enum { SHOWN_BYTES = 128 };
    if (writer_is_text(writer)) {
        reply_error(writer, "ERR", "UNKNOWN COMMAND");
        return;
    }
    begin_error(writer, "ERR");
    writer_put_text(writer, "unknown command '");
    put_shown_argument(writer, request_argument(request, 0), SHOWN_BYTES);
    writer_put_text(writer, "', with args beginning with: ");
    size_t shown = 0;
    for (size_t i = 1; i < request->count && shown < SHOWN_BYTES; i++) {
        writer_put_text(writer, "'");
        shown += put_shown_argument(writer, request_argument(request, i), SHOWN_BYTES - shown) + strlen("'' ");
        writer_put_text(writer, "' ");
    }
    end_error(writer);
}

/* A reply whose three encodings are fixed texts. */
static void put_fixed(struct reply_writer *writer, const char *resp2, const char *resp3, const char *text)
{
    if (writer_is_text(writer)) {
        writer_put_word(writer, text);
        return;
    }
    writer_put_text(writer, writer->encoding == REPLY_RESP3 ? resp3 : resp2);
    writer_end_item(writer);
}

void reply_nil(struct reply_writer *writer)
{
    put_fixed(writer, "$-1\r\n", "_\r\n", "NOT_FOUND");
}

void reply_nil_array(struct reply_writer *writer)
{
    put_fixed(writer, "*-1\r\n", "_\r\n", "NOT_FOUND");
}

void reply_bool(struct reply_writer *writer, bool value)
{
    if (value)
        put_fixed(writer, ":1\r\n", "#t\r\n", "1");
    else
        put_fixed(writer, ":0\r\n", "#f\r\n", "0");
}

void reply_integer(struct reply_writer *writer, int64_t value)
{
    if (writer_is_text(writer)) {
        char digits[NUMBER_MAX_BYTES + 1];
        digits[number_format(digits, value)] = '\0';
        writer_put_word(writer, digits);
        return;
    }
    writer_put_header(writer, ':', value);
    writer_end_item(writer);
}

void reply_deleted(struct reply_writer *writer, uint64_t deleted, size_t keys_asked)
{
    if (writer_is_text(writer) && keys_asked == 1)
        writer_put_word(writer, deleted > 0 ? "OK" : "NOT_FOUND");
    else
        reply_integer(writer, (int64_t)deleted);
}

/* The fewest digits that read back as the same number. */
static void format_double(char out[32], double value)
{
    if (isnan(value)) {
        memcpy(out, "nan", sizeof "nan");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

void reply_double(struct reply_writer *writer, double value)
{
    char digits[32];
    format_double(digits, value);
    if (writer_is_text(writer)) {
        writer_put_word(writer, digits);
        return;
    }
    if (writer->encoding == REPLY_RESP3) {
        writer_put_text(writer, ",");
        writer_put_text(writer, digits);
        writer_put_text(writer, "\r\n");
    } else {
        writer_put_bulk(writer, slice_of_text(digits));
    }
    writer_end_item(writer);
}

static void put_value_word(struct reply_writer *writer, struct kvs_slice value)
{
    writer_begin_word(writer);
    bool quoted = writer->depth > 0 ? quote_needed_in_list(value) : quote_needed_on_line(value);
    if (!quoted)
        writer_put(writer, value.data, value.size);
    else if (!writer->failed && !quote_append(&writer->buffer, value))
        writer->failed = true;
    writer_end_word(writer);
}

void reply_value(struct reply_writer *writer, struct kvs_slice value)
{
    if (writer_is_text(writer)) {
        put_value_word(writer, value);
        return;
    }
    writer_put_bulk(writer, value);
    writer_end_item(writer);
}

void reply_value_text(struct reply_writer *writer, const char *value)
{
    reply_value(writer, slice_of_text(value));
}

/* ---- Documents ---- */

static void put_document_line(struct reply_writer *writer, struct kvs_slice line)
{
    const char *bytes = line.data;
    if (line.size > 0 && bytes[line.size - 1] == '\r')
        line.size--;
    bool is_end = slice_equal(line, slice_of_text("END"));
    if (is_end)
        writer_put_text(writer, "\"");
    writer_put_flattened(writer, bytes, line.size);
    writer_put_text(writer, is_end ? "\"\n" : "\n");
}

static void put_document_lines(struct reply_writer *writer, struct kvs_slice text)
{
    const char *at = text.data;
    size_t rest = text.size;
    while (rest > 0) {
        const char *end = memchr(at, '\n', rest);
        size_t size = end != NULL ? (size_t)(end - at) : rest;
        put_document_line(writer, slice_of(at, size));
        size_t step = end != NULL ? size + 1 : size;
        at += step;
        rest -= step;
    }
    writer_put_text(writer, "END\n");
}

void reply_document(struct reply_writer *writer, struct kvs_slice text)
{
    if (writer_is_text(writer) && writer->depth == 0) {
        put_document_lines(writer, text);
    } else if (writer->encoding == REPLY_RESP3) {
        writer_put_header(writer, '=', (int64_t)text.size + 4);
        writer_put_text(writer, "txt:");
        writer_put(writer, text.data, text.size);
        writer_put_text(writer, "\r\n");
        writer_end_item(writer);
    } else {
        reply_value(writer, text);
    }
}

/* ---- Arrays ---- */

/* Start an array of `count` items; one of none ends at once. */
static void begin_aggregate(struct reply_writer *writer, char marker, uint64_t header_count, uint64_t count,
                            unsigned per_line)
{
    if (writer->failed)
        return;
    KVS_ASSERT(count <= INT64_MAX);
    if (!writer_is_text(writer))
        writer_put_header(writer, marker, (int64_t)header_count);
    if (count > 0) {
        writer_push_level(writer, count, per_line, false);
        return;
    }
    if (writer_is_text(writer) && writer->depth == 0)
        writer_put_text(writer, "END\n");
    writer_end_item(writer);
}

void reply_array(struct reply_writer *writer, uint64_t count)
{
    begin_aggregate(writer, '*', count, count, 1);
}

void reply_pairs(struct reply_writer *writer, uint64_t count)
{
    begin_aggregate(writer, '*', 2 * count, 2 * count, 2);
}

void reply_map(struct reply_writer *writer, uint64_t count)
{
    if (writer->encoding == REPLY_RESP3)
        begin_aggregate(writer, '%', count, 2 * count, 2);
    else
        reply_pairs(writer, count);
}

void reply_set(struct reply_writer *writer, uint64_t count)
{
    begin_aggregate(writer, writer->encoding == REPLY_RESP3 ? '~' : '*', count, count, 1);
}

void reply_push(struct reply_writer *writer, uint64_t count)
{
    begin_aggregate(writer, writer->encoding == REPLY_RESP3 ? '>' : '*', count, count, 1);
}

static size_t begin_open(struct reply_writer *writer, unsigned per_line)
{
    if (!writer->failed)
        writer_push_level(writer, 0, per_line, true);
    return byte_buffer_size(&writer->buffer);
}

size_t reply_array_begin(struct reply_writer *writer)
{
    return begin_open(writer, 1);
}

size_t reply_pairs_begin(struct reply_writer *writer)
{
    return begin_open(writer, 2);
}

void reply_open_end(struct reply_writer *writer, size_t mark)
{
    if (writer->failed)
        return;
    KVS_ASSERT(writer->depth > 0 && writer->levels[writer->depth - 1].is_open);
    KVS_ASSERT(mark <= byte_buffer_size(&writer->buffer));
    struct reply_level level = writer->levels[--writer->depth];
    KVS_ASSERT(level.written % level.per_line == 0);
    if (!writer_is_text(writer))
        writer_insert_header(writer, mark, level.written);
    else if (writer->depth == 0)
        writer_put_text(writer, "END\n");
    writer_end_item(writer);
}
