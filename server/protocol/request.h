/* request.h -- from received bytes to requests.
 *
 * Role      One struct request_parser per connection finds the requests in what the connection received, in RESP (arrays of bulk strings, or
 *           inline) or in text, and decides by the first command which of the two the connection speaks. It does no I/O and knows no command:
 *           the server's command table answers one question about a verb (struct protocol_commands).
 * Format    README.md, "Requests"; words of a text line in quote.h.
 * Threads   One at a time per parser.
 * Failure   What a client does wrong comes back as REQUEST_REFUSED or REQUEST_FAILED with the sentence to answer. Exhausted memory too.
 *
 * The caller owns the receive buffer, appends to it as bytes arrive, and drops from it what the parser consumed:
 *
 *     for (bool more = true; more;) {
 *         struct request request;
 *         size_t consumed;
 *         enum request_result result = request_parser_next(&parser, &request, &consumed, byte_buffer_data(&in), byte_buffer_size(&in));
 *         switch (result) {
 *         case REQUEST_READY:   execute(&request); break;                                          arguments live in `in`
 *         case REQUEST_REFUSED: reply_error(writer, "ERR", request.error); break;
 *         case REQUEST_FAILED:  reply_error(writer, "ERR", request.error); close_after_output(); more = false; break;
 *         case REQUEST_HANGUP:  close_after_output(); more = false; break;
 *         case REQUEST_MORE:    more = false; break;
 *         }
 *         byte_buffer_consume(&in, consumed);
 *     }
 *
 * The parser never looks at a byte twice to find the end of a request, however it is split: the cost is linear in the bytes received. The only
 * memory it allocates is one list of argument positions, which grows with the arguments received, not with the number promised.
 *
 * Replies of commands that Redis does not have, so that every user of this room agrees: RANGE answers a flat array key, value, key, value...
 * (reply_pairs); COUNT an integer; PUT the status OK; HELP a reply_document.
 */
#ifndef KVS_PROTOCOL_REQUEST_H
#define KVS_PROTOCOL_REQUEST_H

#include "base/slice.h"

/* What a verb says about the protocol of a connection whose first command it is. */
enum protocol_opening {
    PROTOCOL_OPENS_RESP,   /* a command that Redis has, too: inline RESP */
    PROTOCOL_OPENS_TEXT,   /* GET, DEL, EXISTS, and what Redis does not have: PUT, RANGE, COUNT, HELP... */
    PROTOCOL_OPENS_NOTHING /* PING, AUTH, QUIT: answered as inline RESP, and the next command decides */
};

/* The server's command table as this room sees it.
 *
 * find_opening  sets *opening_out and returns true if `verb`, in any case, is a known command; false for an unknown word. Called only while the
 *               connection has not decided, with the verb's bytes borrowed for the call. */
struct protocol_commands {
    bool (*find_opening)(const void *context, enum protocol_opening *opening_out, struct kvs_slice verb);
    const void *context;
};

/* Sizes over which a request is an error. All in bytes, save arguments. */
struct request_limits {
    size_t line_bytes;     /* of a text line, without its end */
    size_t inline_bytes;   /* of an inline RESP request, and of a RESP count line ("*3", "$5"), without their end */
    size_t arguments;      /* of one request */
    size_t argument_bytes; /* of one RESP bulk string */
    size_t request_bytes;  /* of one whole RESP request, as sent */
};

/* 8 MiB, 64 KiB (as Redis), 1,048,576 (as Redis), 8 MiB, 64 MiB: a value of the largest allowed size fits also where each byte is sent as \xHH. */
void request_limits_default(struct request_limits *limits_out);

/* Where an argument lies, counted from request.base. */
struct request_span {
    size_t offset;
    size_t size;
};

/* One request. Borrowed: the arguments point into the receive buffer, the spans belong to the parser; both are valid until the next call of
 * request_parser_next, or until the buffer changes or moves. A caller that keeps a request while the buffer moves sets base anew. */
struct request {
    uint8_t *base;                    /* the receive buffer as it was passed in */
    const struct request_span *spans; /* the verb is the first */
    size_t count;                     /* arguments, verb included; at least 1 if REQUEST_READY, else 0 */
    bool is_text; /* whether the answer is in text; else RESP, in the version that the connection has asked for */
    const char *
        error; /* for REFUSED and FAILED: the sentence for reply_error(writer, "ERR", error); lives in the parser. Else NULL */
};

static inline struct kvs_slice request_argument(const struct request *request, size_t index)
{
    return (struct kvs_slice){request->base + request->spans[index].offset, request->spans[index].size};
}

enum request_result {
    REQUEST_READY,   /* request_out is a request */
    REQUEST_MORE,    /* what is there holds no whole request; come back with more */
    REQUEST_REFUSED, /* a bad text line: answer request_out->error and go on */
    REQUEST_FAILED,  /* the stream cannot be understood further: answer request_out->error and close */
    REQUEST_HANGUP   /* close without an answer: the first line was HTTP's */
};

/* What the connection speaks. */
enum request_protocol { REQUEST_UNDECIDED, REQUEST_RESP, REQUEST_TEXT };

enum { REQUEST_INLINE_SPANS = 16, REQUEST_ERROR_BYTES = 96 };

struct request_parser {
    struct request_limits limits;
    const struct protocol_commands *commands;
    enum request_protocol protocol;
    bool is_closed; /* FAILED or HANGUP was returned; nothing more is parsed */

    /* The request in progress; offsets count from its first byte. */
    size_t scanned;     /* bytes that were searched for the end of the current line */
    size_t parsed;      /* bytes of whole parts (count lines, bulk strings) */
    uint64_t missing;   /* RESP: arguments still to come; 0 outside of an array */
    uint64_t bulk_size; /* RESP: size of the bulk string in progress */
    bool in_bulk;       /* RESP: its count line is parsed */

    struct request_span *spans; /* small_spans, or memory of this parser */
    size_t span_count;
    size_t span_capacity;
    struct request_span small_spans[REQUEST_INLINE_SPANS];
    char error[REQUEST_ERROR_BYTES];
};

/* Start a connection. commands is borrowed and must outlive the parser; limits are copied. The parser must not be moved afterwards. */
void request_parser_init(struct request_parser *parser, const struct protocol_commands *commands,
                         const struct request_limits *limits);

/* Free the parser's memory. */
void request_parser_fini(struct request_parser *parser);

/* Find the next request at the front of the bytes received.
 *
 * request_out   out: the request, or the error; is_text is set in both cases
 * consumed_out  out, always: bytes at the front of data that the caller drops, after it has used the request
 * data, size    everything received and not yet dropped; after REQUEST_MORE the next call passes the same bytes (less the consumed) and more, at the
 *               same place or another. A text line is unquoted in place, so the bytes of a request that is returned are changed.
 *
 * Empty lines and empty RESP arrays are skipped. After FAILED or HANGUP every call returns HANGUP. Calls no system function but realloc. */
KVS_MUST_USE enum request_result request_parser_next(struct request_parser *parser, struct request *request_out,
                                                     size_t *consumed_out, uint8_t *data, size_t size);

/* Decide without a first command, as for a port or a peer that speaks RESP only. Before the first call of request_parser_next. */
void request_parser_force(struct request_parser *parser, enum request_protocol protocol);

#endif
