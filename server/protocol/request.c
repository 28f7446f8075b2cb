#include "protocol/request.h"

#include "base/assert.h"
#include "protocol/number.h"
#include "protocol/quote.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A list of spans that grew beyond this is freed when its request is done. */
enum { SPANS_KEPT = 1024 };

/* The longest verb that is looked up; a longer word is no command. */
enum { VERB_MAX_BYTES = 64 };

/* What one attempt at a request gives, beside what the caller sees: a line or array that asks for nothing. */
enum { REQUEST_EMPTY = REQUEST_HANGUP + 1 };

void request_limits_default(struct request_limits *limits_out)
{
    *limits_out = (struct request_limits){
        .line_bytes = (size_t)8 << 20,
        .inline_bytes = (size_t)64 << 10,
        .arguments = (size_t)1 << 20,
        .argument_bytes = (size_t)8 << 20,
        .request_bytes = (size_t)64 << 20,
    };
}

void request_parser_init(struct request_parser *parser, const struct protocol_commands *commands,
                         const struct request_limits *limits)
{
    *parser = (struct request_parser){.limits = *limits, .commands = commands, .span_capacity = REQUEST_INLINE_SPANS};
    parser->spans = parser->small_spans;
}

static void release_spans(struct request_parser *parser)
{
    if (parser->spans != parser->small_spans)
        free(parser->spans);
    parser->spans = parser->small_spans;
    parser->span_capacity = REQUEST_INLINE_SPANS;
}

void request_parser_fini(struct request_parser *parser)
{
    release_spans(parser);
}

void request_parser_force(struct request_parser *parser, enum request_protocol protocol)
{
    KVS_ASSERT(parser->protocol == REQUEST_UNDECIDED);
    parser->protocol = protocol;
}

/* ---- Results ---- */

static enum request_result answer(struct request *request, enum request_result result, bool is_text)
{
    request->is_text = is_text;
    return result;
}

__attribute__((format(printf, 5, 6))) static enum request_result answer_error(struct request_parser *parser,
                                                                              struct request *request,
                                                                              enum request_result result, bool is_text,
                                                                              const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parser->error, sizeof parser->error, format, arguments);
    va_end(arguments);
    request->error = parser->error;
    return answer(request, result, is_text);
}

static bool grow_spans(struct request_parser *parser)
{
    size_t capacity = parser->span_capacity * 2;
    bool is_small = parser->spans == parser->small_spans;
    struct request_span *spans = realloc(is_small ? NULL : parser->spans, capacity * sizeof *spans);
    if (spans == NULL)
        return false;
    if (is_small)
        memcpy(spans, parser->small_spans, sizeof parser->small_spans);
    parser->spans = spans;
    parser->span_capacity = capacity;
    return true;
}

static bool add_span(struct request_parser *parser, size_t offset, size_t size)
{
    if (parser->span_count == parser->span_capacity && !grow_spans(parser))
        return false;
    parser->spans[parser->span_count++] = (struct request_span){offset, size};
    return true;
}

/* ---- Lines: text and inline RESP ---- */

/* What a complete line is, by its first word. */
struct line_kind {
    bool is_text;
    bool is_http;
};

/* Whether the last word of a line is HTTP/1.0 or HTTP/1.1. */
static bool ends_like_http(struct kvs_slice line)
{
    static const char tail[] = " HTTP/1.";
    const size_t tail_size = sizeof tail - 1;
    const char *bytes = line.data;
    if (line.size < tail_size + 1)
        return false;
    char minor = bytes[line.size - 1];
    return (minor == '0' || minor == '1') && memcmp(bytes + line.size - 1 - tail_size, tail, tail_size) == 0;
}

/* The first word of a line, unquoted, in a copy; an empty slice where it is longer than any verb or badly quoted. */
static struct kvs_slice peek_verb(uint8_t copy[VERB_MAX_BYTES], struct kvs_slice line)
{
    const uint8_t *bytes = line.data;
    size_t skip = 0, at = 0;
    while (skip < line.size && (bytes[skip] == ' ' || bytes[skip] == '\t'))
        skip++;
    size_t size = line.size - skip < VERB_MAX_BYTES ? line.size - skip : VERB_MAX_BYTES;
    memcpy(copy, bytes + skip, size);
    struct kvs_slice verb = {NULL, 0};
    if (quote_next_word(&verb, &at, copy, size, QUOTE_AT_START) != QUOTE_WORD || at == VERB_MAX_BYTES)
        return slice_of(NULL, 0);
    return verb;
}

/* The rule of the first command. Moves the protocol out of UNDECIDED where the verb decides. */
static struct line_kind decide(struct request_parser *parser, struct kvs_slice line)
{
    if (parser->protocol != REQUEST_UNDECIDED)
        return (struct line_kind){.is_text = parser->protocol == REQUEST_TEXT};
    if (ends_like_http(line))
        return (struct line_kind){.is_text = true, .is_http = true};
    uint8_t copy[VERB_MAX_BYTES];
    struct kvs_slice verb = peek_verb(copy, line);
    enum protocol_opening opening;
    if (verb.size == 0 || !parser->commands->find_opening(parser->commands->context, &opening, verb))
        return (struct line_kind){.is_text = true};
    if (opening == PROTOCOL_OPENS_TEXT)
        parser->protocol = REQUEST_TEXT;
    else if (opening == PROTOCOL_OPENS_RESP)
        parser->protocol = REQUEST_RESP;
    return (struct line_kind){.is_text = opening == PROTOCOL_OPENS_TEXT};
}

/* The words of a line become the spans of the request. */
static enum request_result split_line(struct request_parser *parser, struct request *request, uint8_t *line,
                                      size_t size, bool is_text)
{
    size_t at = 0;
    struct kvs_slice word;
    enum quote_result result;
    while ((result = quote_next_word(&word, &at, line, size, is_text ? QUOTE_AT_START : QUOTE_ANYWHERE)) ==
           QUOTE_WORD) {
        if (parser->span_count == parser->limits.arguments)
            return answer_error(parser, request, REQUEST_REFUSED, is_text, "more than %zu words",
                                parser->limits.arguments);
        if (!add_span(parser, (size_t)((const uint8_t *)word.data - line), word.size))
            return answer_error(parser, request, REQUEST_FAILED, is_text, "out of memory");
    }
    if (result == QUOTE_UNBALANCED && is_text)
        return answer_error(parser, request, REQUEST_REFUSED, true, "unbalanced quotes in request");
    if (result == QUOTE_UNBALANCED)
        return answer_error(parser, request, REQUEST_FAILED, false, "Protocol error: unbalanced quotes in request");
    return answer(request, parser->span_count > 0 ? REQUEST_READY : (enum request_result)REQUEST_EMPTY, is_text);
}

static enum request_result line_too_long(struct request_parser *parser, struct request *request)
{
    if (parser->protocol == REQUEST_RESP)
        return answer_error(parser, request, REQUEST_FAILED, false, "Protocol error: too big inline request");
    return answer_error(parser, request, REQUEST_FAILED, true, "line is longer than %zu bytes",
                        parser->limits.line_bytes);
}

static bool is_blank_line(struct kvs_slice line)
{
    const char *bytes = line.data;
    for (size_t i = 0; i < line.size; i++)
        if (bytes[i] != ' ' && (bytes[i] < '\t' || bytes[i] > '\r'))
            return false;
    return true;
}

static enum request_result parse_line(struct request_parser *parser, struct request *request, uint8_t *data,
                                      size_t size)
{
    size_t limit = parser->protocol == REQUEST_RESP ? parser->limits.inline_bytes : parser->limits.line_bytes;
    const uint8_t *end = memchr(data + parser->scanned, '\n', size - parser->scanned);
    if (end == NULL) {
        parser->scanned = size;
        /* One byte more than the limit may still turn out to be the CR of a CRLF. */
        return size > limit + 1 ? line_too_long(parser, request) : REQUEST_MORE;
    }
    size_t line_size = (size_t)(end - data);
    parser->parsed = line_size + 1;
    if (line_size > 0 && data[line_size - 1] == '\r')
        line_size--;
    if (line_size > limit)
        return line_too_long(parser, request);
    struct kvs_slice line = slice_of(data, line_size);
    if (is_blank_line(line))
        return (enum request_result)REQUEST_EMPTY;
    struct line_kind kind = decide(parser, line);
    if (kind.is_http)
        return answer(request, REQUEST_HANGUP, true);
    return split_line(parser, request, data, line_size, kind.is_text);
}

/* ---- RESP arrays ---- */

static enum request_result array_error(struct request_parser *parser, struct request *request, const char *what)
{
    return answer_error(parser, request, REQUEST_FAILED, false, "Protocol error: %s", what);
}

/* The words that differ between the two kinds of count lines. */
struct count_line {
    const char *too_big;
    const char *invalid;
    int64_t lowest;
    uint64_t limit;
};

/* Read "*3\r\n" or "$5\r\n" at parser->parsed. READY: count_out is set and the line is parsed. */
static enum request_result parse_count(struct request_parser *parser, struct request *request, int64_t *count_out,
                                       const uint8_t *data, size_t size, const struct count_line *kind)
{
    size_t start = parser->parsed + 1;
    size_t from = parser->scanned > start ? parser->scanned : start;
    const uint8_t *end = from < size ? memchr(data + from, '\r', size - from) : NULL;
    size_t line_size = (end != NULL ? (size_t)(end - data) : size) - start;
    if (line_size > parser->limits.inline_bytes)
        return array_error(parser, request, kind->too_big);
    if (end == NULL || end + 1 == data + size) {
        parser->scanned = start + line_size;
        return REQUEST_MORE;
    }
    int64_t count;
    if (end[1] != '\n' || !number_parse(&count, slice_of(data + start, line_size)) || count < kind->lowest ||
        (count > 0 && (uint64_t)count > kind->limit))
        return array_error(parser, request, kind->invalid);
    parser->parsed = start + line_size + 2;
    *count_out = count;
    return REQUEST_READY;
}

static enum request_result parse_array_start(struct request_parser *parser, struct request *request,
                                             const uint8_t *data, size_t size)
{
    const struct count_line kind = {"too big mbulk count string", "invalid multibulk length", INT64_MIN,
                                    parser->limits.arguments};
    int64_t count = 0;
    enum request_result result = parse_count(parser, request, &count, data, size, &kind);
    if (result == REQUEST_READY)
        parser->missing = count > 0 ? (uint64_t)count : 0;
    return result;
}

static enum request_result parse_bulk_start(struct request_parser *parser, struct request *request, const uint8_t *data,
                                            size_t size)
{
    const struct count_line kind = {"too big bulk count string", "invalid bulk length", 0,
                                    parser->limits.argument_bytes};
    uint8_t marker = data[parser->parsed];
    if (marker != '$')
        return answer_error(parser, request, REQUEST_FAILED, false, "Protocol error: expected '$', got '%c'", marker);
    int64_t count = 0;
    enum request_result result = parse_count(parser, request, &count, data, size, &kind);
    if (result != REQUEST_READY)
        return result;
    if ((uint64_t)count + 2 > parser->limits.request_bytes - parser->parsed)
        return answer_error(parser, request, REQUEST_FAILED, false, "Protocol error: request is longer than %zu bytes",
                            parser->limits.request_bytes);
    parser->bulk_size = (uint64_t)count;
    parser->in_bulk = true;
    return REQUEST_READY;
}

static enum request_result parse_bulk(struct request_parser *parser, struct request *request, const uint8_t *data,
                                      size_t size)
{
    if (size - parser->parsed < parser->bulk_size + 2)
        return REQUEST_MORE;
    const uint8_t *end = data + parser->parsed + parser->bulk_size;
    if (end[0] != '\r' || end[1] != '\n')
        return array_error(parser, request, "expected CRLF after the bulk string");
    if (!add_span(parser, parser->parsed, parser->bulk_size))
        return answer_error(parser, request, REQUEST_FAILED, false, "out of memory");
    parser->parsed += parser->bulk_size + 2;
    parser->in_bulk = false;
    parser->missing--;
    return REQUEST_READY;
}

/* One part of an argument: its count line or its bytes. */
static enum request_result parse_argument_part(struct request_parser *parser, struct request *request,
                                               const uint8_t *data, size_t size)
{
    if (parser->in_bulk)
        return parse_bulk(parser, request, data, size);
    /* A count line is short, so checking the size of the whole before it is read is enough to bound the number of tiny arguments. */
    if (parser->parsed >= parser->limits.request_bytes)
        return answer_error(parser, request, REQUEST_FAILED, false, "Protocol error: request is longer than %zu bytes",
                            parser->limits.request_bytes);
    if (parser->parsed == size)
        return REQUEST_MORE;
    return parse_bulk_start(parser, request, data, size);
}

static enum request_result parse_array(struct request_parser *parser, struct request *request, const uint8_t *data,
                                       size_t size)
{
    parser->protocol = REQUEST_RESP;
    enum request_result result = REQUEST_READY;
    if (parser->parsed == 0)
        result = parse_array_start(parser, request, data, size);
    while (result == REQUEST_READY && parser->missing > 0)
        result = parse_argument_part(parser, request, data, size);
    if (result == REQUEST_READY && parser->span_count == 0)
        return (enum request_result)REQUEST_EMPTY;
    return result == REQUEST_READY ? answer(request, result, false) : result;
}

/* ---- The whole ---- */

static void start_request(struct request_parser *parser)
{
    parser->scanned = parser->parsed = 0;
    parser->missing = 0;
    parser->in_bulk = false;
    parser->span_count = 0;
}

static enum request_result parse_one(struct request_parser *parser, struct request *request, uint8_t *data, size_t size)
{
    if (size == 0)
        return REQUEST_MORE;
    if (data[0] == '*' && parser->protocol != REQUEST_TEXT)
        return parse_array(parser, request, data, size);
    return parse_line(parser, request, data, size);
}

enum request_result request_parser_next(struct request_parser *parser, struct request *request_out,
                                        size_t *consumed_out, uint8_t *data, size_t size)
{
    size_t consumed = 0;
    int result = REQUEST_HANGUP;
    *request_out = (struct request){.is_text = parser->protocol == REQUEST_TEXT};
    if (parser->span_count == 0 && parser->span_capacity > SPANS_KEPT)
        release_spans(parser);
    while (!parser->is_closed) {
        result = parse_one(parser, request_out, data + consumed, size - consumed);
        if (result == REQUEST_READY) {
            request_out->base = data + consumed;
            request_out->spans = parser->spans;
            request_out->count = parser->span_count;
        }
        if (result == REQUEST_FAILED || result == REQUEST_HANGUP)
            parser->is_closed = true;
        if (result == REQUEST_MORE)
            break;
        consumed += parser->parsed;
        start_request(parser);
        if (result != REQUEST_EMPTY)
            break;
    }
    *consumed_out = consumed;
    return (enum request_result)result;
}
