/* pieces.h -- running a request parser over a stream that arrives in pieces; shared by the targets of the protocol.
 *
 * Role      The requests found are folded into one number, so that two ways of cutting the same stream can be compared. Each is also written again, as
 *           a client would, and must be read as the same request.
 * Threads   One.
 * Failure   Aborts on a difference, and when memory is exhausted, which is no finding.
 */
#ifndef KVS_FUZZ_PIECES_H
#define KVS_FUZZ_PIECES_H

#include "fuzz.h"

#include "protocol/byte_buffer.h"
#include "protocol/quote.h"
#include "protocol/request.h"

/* How a stream is cut: all at once, byte by byte, or as a seed says. */
enum { PIECES_WHOLE = 0, PIECES_SINGLE = 2 };

static inline uint32_t pieces_cut(uint8_t seed)
{
    return (uint32_t)seed * 2 + 1;
}

static inline uint64_t pieces_fold(uint64_t sum, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 0x100000001B3;
    return (sum ^ size) * 0x100000001B3;
}

/* The size of the next piece of a stream with `rest` bytes to come. */
static inline size_t pieces_next(uint32_t *cut, size_t rest)
{
    if (*cut == PIECES_WHOLE)
        return rest;
    if (*cut == PIECES_SINGLE)
        return 1;
    *cut = (*cut * 1664525 + 1013904223) | 1;
    size_t piece = 1 + (*cut >> 24) % 24;
    return piece < rest ? piece : rest;
}

static inline void pieces_receive(struct byte_buffer *in, const void *data, size_t size)
{
    if (!byte_buffer_append(in, data, size))
        abort();
}

/* ---- Written again ---- */

static inline void pieces_write_resp(struct byte_buffer *out, const struct request *request)
{
    char line[32];
    pieces_receive(out, line, (size_t)snprintf(line, sizeof line, "*%zu\r\n", request->count));
    for (size_t i = 0; i < request->count; i++) {
        struct kvs_slice argument = request_argument(request, i);
        pieces_receive(out, line, (size_t)snprintf(line, sizeof line, "$%zu\r\n", argument.size));
        pieces_receive(out, argument.data, argument.size);
        pieces_receive(out, "\r\n", 2);
    }
}

static inline void pieces_write_text(struct byte_buffer *out, const struct request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        if (!quote_append(out, request_argument(request, i)))
            abort();
        pieces_receive(out, i + 1 < request->count ? " " : "\n", 1);
    }
}

/* The request in `again` has the arguments of another, and is all there is. */
static inline void pieces_expect_request(struct byte_buffer *again, const struct request *expected,
                                         enum request_protocol protocol)
{
    struct request_parser parser;
    struct request_limits wide;
    struct request request;
    size_t consumed;
    request_limits_default(&wide);
    request_parser_init(&parser, NULL, &wide);
    request_parser_force(&parser, protocol);
    enum request_result result =
        request_parser_next(&parser, &request, &consumed, byte_buffer_data(again), byte_buffer_size(again));
    KVS_ASSERT(result == REQUEST_READY && consumed == byte_buffer_size(again) && request.count == expected->count);
    for (size_t i = 0; i < request.count; i++)
        KVS_ASSERT(slice_equal(request_argument(&request, i), request_argument(expected, i)));
    request_parser_fini(&parser);
}

static inline void pieces_check_again(const struct request *request)
{
    struct byte_buffer again;
    byte_buffer_init(&again);
    pieces_write_resp(&again, request);
    pieces_expect_request(&again, request, REQUEST_RESP);
    byte_buffer_consume(&again, byte_buffer_size(&again));
    pieces_write_text(&again, request);
    pieces_expect_request(&again, request, REQUEST_TEXT);
    byte_buffer_fini(&again);
}

/* ---- Reading ---- */

static inline uint64_t pieces_fold_request(uint64_t sum, enum request_result result, const struct request *request)
{
    sum = pieces_fold(sum, &result, sizeof result);
    sum = pieces_fold(sum, &request->is_text, sizeof request->is_text);
    for (size_t i = 0; i < request->count; i++)
        sum = pieces_fold(sum, request_argument(request, i).data, request_argument(request, i).size);
    return request->error != NULL ? pieces_fold(sum, request->error, strlen(request->error)) : sum;
}

/* Parse what has been received. */
static inline uint64_t pieces_drain(uint64_t sum, struct request_parser *parser, struct byte_buffer *in,
                                    bool write_again)
{
    enum request_result result;
    do {
        struct request request;
        size_t consumed;
        result = request_parser_next(parser, &request, &consumed, byte_buffer_data(in), byte_buffer_size(in));
        KVS_ASSERT(consumed <= byte_buffer_size(in));
        if (result == REQUEST_READY && write_again)
            pieces_check_again(&request);
        if (result != REQUEST_MORE && result != REQUEST_HANGUP)
            sum = pieces_fold_request(sum, result, &request);
        byte_buffer_consume(in, consumed);
    } while (result == REQUEST_READY || result == REQUEST_REFUSED);
    return sum;
}

static inline uint64_t pieces_run(const struct protocol_commands *commands, enum request_protocol protocol,
                                  struct kvs_slice stream, uint32_t cut)
{
    const struct request_limits limits = {
        .line_bytes = 200, .inline_bytes = 64, .arguments = 40, .argument_bytes = 300, .request_bytes = 1000};
    struct request_parser parser;
    struct byte_buffer in;
    uint64_t sum = 0;
    bool write_again = cut == PIECES_WHOLE;
    byte_buffer_init(&in);
    request_parser_init(&parser, commands, &limits);
    if (protocol != REQUEST_UNDECIDED)
        request_parser_force(&parser, protocol);
    for (size_t at = 0; at < stream.size;) {
        size_t piece = pieces_next(&cut, stream.size - at);
        pieces_receive(&in, (const uint8_t *)stream.data + at, piece);
        at += piece;
        sum = pieces_drain(sum, &parser, &in, write_again);
    }
    request_parser_fini(&parser);
    byte_buffer_fini(&in);
    return sum;
}

/* Any way of cutting the stream gives the same requests. */
static inline void pieces_check(const struct protocol_commands *commands, enum request_protocol protocol,
                                struct kvs_slice stream, uint8_t seed)
{
    uint64_t whole = pieces_run(commands, protocol, stream, PIECES_WHOLE);
    KVS_ASSERT(pieces_run(commands, protocol, stream, pieces_cut(seed)) == whole);
    KVS_ASSERT(pieces_run(commands, protocol, stream, PIECES_SINGLE) == whole);
}

#endif
