#include "protocol/reply.h"

#include "base/assert.h"
#include "protocol/number.h"
#include "protocol/quote.h"
#include "protocol/request.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(REPLY_MAX_DEPTH >= 2, "a map of arrays must be writable");

/* A marker, a number and a line end. */
enum { HEADER_MAX_BYTES = 1 + NUMBER_MAX_BYTES + 2 };

void reply_writer_init(struct reply_writer *writer, enum reply_encoding encoding)
{
    *writer = (struct reply_writer){.encoding = encoding};
}

void reply_writer_fini(struct reply_writer *writer)
{
    byte_buffer_fini(&writer->buffer);
}

void reply_writer_set_encoding(struct reply_writer *writer, enum reply_encoding encoding)
{
    KVS_ASSERT(writer->depth == 0 || writer->failed);
    writer->encoding = encoding;
}

static bool is_text(const struct reply_writer *writer)
{
    return writer->encoding == REPLY_TEXT;
}

/* ---- Bytes ---- */

static void put(struct reply_writer *writer, const void *data, size_t size)
{
    if (!writer->failed && !byte_buffer_append(&writer->buffer, data, size))
        writer->failed = true;
}

static void put_text(struct reply_writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

static size_t format_header(char *at, char marker, int64_t number)
{
    at[0] = marker;
    size_t size = 1 + number_format(at + 1, number);
    at[size] = '\r';
    at[size + 1] = '\n';
    return size + 2;
}

static void put_header(struct reply_writer *writer, char marker, int64_t number)
{
    char header[HEADER_MAX_BYTES];
    put(writer, header, format_header(header, marker, number));
}

/* One allocation check for header, bytes and line end. */
static void put_bulk(struct reply_writer *writer, struct kvs_slice value)
{
    if (writer->failed)
        return;
    size_t space;
    if (value.size > INT64_MAX - HEADER_MAX_BYTES - 2 ||
        !byte_buffer_reserve(&writer->buffer, HEADER_MAX_BYTES + value.size + 2)) {
        writer->failed = true;
        return;
    }
    uint8_t *start = byte_buffer_space(&writer->buffer, &space);
    uint8_t *at = start + format_header((char *)start, '$', (int64_t)value.size);
    if (value.size > 0)
        memcpy(at, value.data, value.size);
    at += value.size;
    *at++ = '\r';
    *at++ = '\n';
    byte_buffer_commit(&writer->buffer, (size_t)(at - start));
}

/* A line may not contain line ends; they become blanks, as in Redis. */
static void put_flattened(struct reply_writer *writer, const char *text, size_t size)
{
    while (size > 0) {
        size_t plain = 0;
        while (plain < size && text[plain] != '\r' && text[plain] != '\n')
            plain++;
        put(writer, text, plain);
        if (plain < size) {
            put_text(writer, " ");
            plain++;
        }
        text += plain;
        size -= plain;
    }
}

/* ---- Items and levels ---- */

/* An item is complete: the array it is in may be, too, and the one around that. */
static void end_item(struct reply_writer *writer)
{
    while (writer->depth > 0 && !writer->failed) {
        struct reply_level *level = &writer->levels[writer->depth - 1];
        level->written++;
        if (is_text(writer) && writer->depth == 1 && level->written % level->per_line == 0) {
            put_text(writer, "\n");
            writer->line_has_word = false;
        }
        if (level->is_open || level->written < level->count)
            return;
        writer->depth--;
        if (is_text(writer) && writer->depth == 0)
            put_text(writer, "END\n");
    }
}

/* Before the bytes of a text word. */
static void begin_word(struct reply_writer *writer)
{
    if (writer->line_has_word)
        put_text(writer, " ");
}

/* Behind the bytes of a text word, which is a line of its own where it is no part of an array. */
static void end_word(struct reply_writer *writer)
{
    if (writer->depth == 0)
        put_text(writer, "\n");
    else
        writer->line_has_word = true;
    end_item(writer);
}

static void put_word(struct reply_writer *writer, const char *word)
{
    begin_word(writer);
    put_text(writer, word);
    end_word(writer);
}

static void push_level(struct reply_writer *writer, uint64_t count, unsigned per_line, bool is_open)
{
    KVS_ASSERT(writer->depth < REPLY_MAX_DEPTH);
    writer->levels[writer->depth++] = (struct reply_level){.count = count, .per_line = per_line, .is_open = is_open};
}

/* Start an array of `count` items; one of none ends at once. */
static void begin_aggregate(struct reply_writer *writer, char marker, uint64_t header_count, uint64_t count,
                            unsigned per_line)
{
    if (writer->failed)
        return;
    KVS_ASSERT(count <= INT64_MAX);
    if (!is_text(writer))
        put_header(writer, marker, (int64_t)header_count);
    if (count > 0) {
        push_level(writer, count, per_line, false);
        return;
    }
    if (is_text(writer) && writer->depth == 0)
        put_text(writer, "END\n");
    end_item(writer);
}

/* ---- Single replies ---- */

void reply_status(struct reply_writer *writer, const char *status)
{
    if (is_text(writer)) {
        put_word(writer, status);
        return;
    }
    put_text(writer, "+");
    put_text(writer, status);
    put_text(writer, "\r\n");
    end_item(writer);
}

static void begin_error(struct reply_writer *writer, const char *code)
{
    if (is_text(writer)) {
        begin_word(writer);
        put_text(writer, "ERROR ");
        if (strcmp(code, "ERR") == 0)
            return;
    } else {
        put_text(writer, "-");
    }
    put_text(writer, code);
    put_text(writer, " ");
}

static void end_error(struct reply_writer *writer)
{
    if (is_text(writer)) {
        end_word(writer);
        return;
    }
    put_text(writer, "\r\n");
    end_item(writer);
}

void reply_error(struct reply_writer *writer, const char *code, const char *text)
{
    begin_error(writer, code);
    put_flattened(writer, text, strlen(text));
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
    put_flattened(writer, argument.data, size);
    return size;
}

void reply_unknown_command(struct reply_writer *writer, const struct request *request)
{
    enum { SHOWN_BYTES = 128 };
    if (is_text(writer)) {
        reply_error(writer, "ERR", "UNKNOWN COMMAND");
        return;
    }
    begin_error(writer, "ERR");
    put_text(writer, "unknown command '");
    put_shown_argument(writer, request_argument(request, 0), SHOWN_BYTES);
    put_text(writer, "', with args beginning with: ");
    size_t shown = 0;
    for (size_t i = 1; i < request->count && shown < SHOWN_BYTES; i++) {
        put_text(writer, "'");
        shown += put_shown_argument(writer, request_argument(request, i), SHOWN_BYTES - shown) + strlen("'' ");
        put_text(writer, "' ");
    }
    end_error(writer);
}

/* A reply whose three encodings are fixed texts. */
static void put_fixed(struct reply_writer *writer, const char *resp2, const char *resp3, const char *text)
{
    if (is_text(writer)) {
        put_word(writer, text);
        return;
    }
    put_text(writer, writer->encoding == REPLY_RESP3 ? resp3 : resp2);
    end_item(writer);
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
    if (is_text(writer)) {
        char digits[NUMBER_MAX_BYTES + 1];
        digits[number_format(digits, value)] = '\0';
        put_word(writer, digits);
        return;
    }
    put_header(writer, ':', value);
    end_item(writer);
}

void reply_deleted(struct reply_writer *writer, uint64_t deleted, size_t keys_asked)
{
    if (is_text(writer) && keys_asked == 1)
        put_word(writer, deleted > 0 ? "OK" : "NOT_FOUND");
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
    if (is_text(writer)) {
        put_word(writer, digits);
        return;
    }
    if (writer->encoding == REPLY_RESP3) {
        put_text(writer, ",");
        put_text(writer, digits);
        put_text(writer, "\r\n");
    } else {
        put_bulk(writer, slice_of_text(digits));
    }
    end_item(writer);
}

static void put_value_word(struct reply_writer *writer, struct kvs_slice value)
{
    begin_word(writer);
    bool quoted = writer->depth > 0 ? quote_needed_in_list(value) : quote_needed_on_line(value);
    if (!quoted)
        put(writer, value.data, value.size);
    else if (!writer->failed && !quote_append(&writer->buffer, value))
        writer->failed = true;
    end_word(writer);
}

void reply_value(struct reply_writer *writer, struct kvs_slice value)
{
    if (is_text(writer)) {
        put_value_word(writer, value);
        return;
    }
    put_bulk(writer, value);
    end_item(writer);
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
        put_text(writer, "\"");
    put_flattened(writer, bytes, line.size);
    put_text(writer, is_end ? "\"\n" : "\n");
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
    put_text(writer, "END\n");
}

void reply_document(struct reply_writer *writer, struct kvs_slice text)
{
    if (is_text(writer) && writer->depth == 0) {
        put_document_lines(writer, text);
    } else if (writer->encoding == REPLY_RESP3) {
        put_header(writer, '=', (int64_t)text.size + 4);
        put_text(writer, "txt:");
        put(writer, text.data, text.size);
        put_text(writer, "\r\n");
        end_item(writer);
    } else {
        reply_value(writer, text);
    }
}

/* ---- Arrays ---- */

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
        push_level(writer, 0, per_line, true);
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

/* Put the header of an array in front of its items, which are written already. */
static void insert_header(struct reply_writer *writer, size_t mark, uint64_t count)
{
    char header[HEADER_MAX_BYTES];
    size_t size = format_header(header, '*', (int64_t)count);
    if (!byte_buffer_reserve(&writer->buffer, size)) {
        writer->failed = true;
        return;
    }
    uint8_t *at = byte_buffer_data(&writer->buffer) + mark;
    memmove(at + size, at, byte_buffer_size(&writer->buffer) - mark);
    memcpy(at, header, size);
    byte_buffer_commit(&writer->buffer, size);
}

void reply_open_end(struct reply_writer *writer, size_t mark)
{
    if (writer->failed)
        return;
    KVS_ASSERT(writer->depth > 0 && writer->levels[writer->depth - 1].is_open);
    KVS_ASSERT(mark <= byte_buffer_size(&writer->buffer));
    struct reply_level level = writer->levels[--writer->depth];
    KVS_ASSERT(level.written % level.per_line == 0);
    if (!is_text(writer))
        insert_header(writer, mark, level.written);
    else if (writer->depth == 0)
        put_text(writer, "END\n");
    end_item(writer);
}
