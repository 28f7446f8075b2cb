/* pieces.h -- running a request parser over a stream that arrives in pieces; shared by the targets resp and text.
 *
 * Role      The requests found are folded into one number, so that two ways of cutting the same stream can be compared.
 * Threads   One.
 * Failure   Aborts when memory is exhausted, which is no finding.
 */
#ifndef KVS_FUZZ_PIECES_H
#define KVS_FUZZ_PIECES_H

#include "base/assert.h"
#include "protocol/byte_buffer.h"
#include "protocol/request.h"

#include <stdlib.h>

static inline uint64_t pieces_fold(uint64_t sum, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 0x100000001B3;
    return (sum ^ size) * 0x100000001B3;
}

/* The size of the next piece of a stream with `rest` bytes to come; cut 0 gives all of it. */
static inline size_t pieces_next(uint32_t *cut, size_t rest)
{
    if (*cut == 0)
        return rest;
    *cut = *cut * 1664525 + 1013904223;
    size_t piece = 1 + (*cut >> 24) % 24;
    return piece < rest ? piece : rest;
}

static inline void pieces_receive(struct byte_buffer *in, const uint8_t *data, size_t size)
{
    if (!byte_buffer_append(in, data, size))
        abort();
}

static inline uint64_t pieces_fold_request(uint64_t sum, enum request_result result, const struct request *request)
{
    sum = pieces_fold(sum, &result, sizeof result);
    sum = pieces_fold(sum, &request->is_text, sizeof request->is_text);
    for (size_t i = 0; i < request->count; i++)
        sum = pieces_fold(sum, request_argument(request, i).data, request_argument(request, i).size);
    return request->error != NULL ? pieces_fold(sum, request->error, strlen(request->error)) : sum;
}

/* Parse what has been received. */
static inline uint64_t pieces_drain(uint64_t sum, struct request_parser *parser, struct byte_buffer *in)
{
    enum request_result result;
    do {
        struct request request;
        size_t consumed;
        result = request_parser_next(parser, &request, &consumed, byte_buffer_data(in), byte_buffer_size(in));
        KVS_ASSERT(consumed <= byte_buffer_size(in));
        if (result != REQUEST_MORE && result != REQUEST_HANGUP)
            sum = pieces_fold_request(sum, result, &request);
        byte_buffer_consume(in, consumed);
    } while (result == REQUEST_READY || result == REQUEST_REFUSED);
    return sum;
}

static inline uint64_t pieces_run(const struct protocol_commands *commands, enum request_protocol protocol,
                                  const uint8_t *data, size_t size, uint32_t cut)
{
    const struct request_limits limits = {
        .line_bytes = 200, .inline_bytes = 64, .arguments = 40, .argument_bytes = 300, .request_bytes = 1000};
    struct request_parser parser;
    struct byte_buffer in;
    uint64_t sum = 0;
    byte_buffer_init(&in);
    request_parser_init(&parser, commands, &limits);
    if (protocol != REQUEST_UNDECIDED)
        request_parser_force(&parser, protocol);
    for (size_t at = 0; at < size;) {
        size_t piece = pieces_next(&cut, size - at);
        pieces_receive(&in, data + at, piece);
        at += piece;
        sum = pieces_drain(sum, &parser, &in);
    }
    request_parser_fini(&parser);
    byte_buffer_fini(&in);
    return sum;
}

#endif
