/* reply_reader.h -- from received bytes to replies, RESP2 and RESP3.
 *
 * Role      The reading half of a RESP connection without its I/O: used by the client library.
 * Format    README.md, "Replies". Streamed strings and aggregates ("$?", "*?"), which no Redis sends, are refused; attributes ("|") are read and
 *           dropped.
 * Threads   One at a time per reader.
 * Failure   Bytes that are no reply are KVS_CORRUPT with the offset in the stream, expected and found; the reader then fails for good.
 *
 * A reply is a list of nodes in the order of the bytes: an aggregate is followed by its children. There is no recursion, depth is limited, a byte is
 * looked at once, and memory grows with the bytes received, not with the counts promised.
 */
#ifndef KVS_PROTOCOL_REPLY_READER_H
#define KVS_PROTOCOL_REPLY_READER_H

#include "base/slice.h"

enum reply_type {
    REPLY_TYPE_STATUS,
    REPLY_TYPE_ERROR, /* simple or bulk; bytes are "CODE text" */
    REPLY_TYPE_INTEGER,
    REPLY_TYPE_NIL,
    REPLY_TYPE_VALUE,    /* bulk string */
    REPLY_TYPE_VERBATIM, /* bytes without the "txt:" */
    REPLY_TYPE_BOOL,     /* integer 0 or 1 */
    REPLY_TYPE_DOUBLE,
    REPLY_TYPE_BIG_NUMBER, /* bytes are its digits */
    REPLY_TYPE_ARRAY,
    REPLY_TYPE_MAP, /* count is keys plus values */
    REPLY_TYPE_SET,
    REPLY_TYPE_PUSH
};

/* Whether a type has children. */
static inline bool reply_type_is_aggregate(enum reply_type type)
{
    return type >= REPLY_TYPE_ARRAY;
}

struct reply_node {
    enum reply_type type;
    uint32_t depth; /* 0 is the reply itself */
    size_t
        offset; /* of its bytes, from the start of the reply; for status, error, value, verbatim, double and big number */
    size_t size;
    union {
        int64_t integer; /* integer, bool */
        double number;   /* double */
        uint64_t count;  /* aggregates: children */
    };
};

enum { REPLY_READER_MAX_DEPTH = 16 };

struct reply_reader_limits {
    size_t value_bytes; /* of one string */
    size_t reply_bytes; /* of one reply, attributes in front of it included; passed by at most one string */
    size_t nodes;       /* of one reply */
};

/* 512 MiB, 2 GiB, 16 Mi. */
void reply_reader_limits_default(struct reply_reader_limits *limits_out);

struct reply_reader {
    struct reply_reader_limits limits;
    struct reply_node *nodes; /* the reply in progress, or the one returned last */
    size_t node_count;
    size_t node_capacity;
    bool is_complete; /* nodes are of a reply that was returned */
    bool failed;

    uint64_t stream_offset; /* bytes of the replies returned so far */
    size_t scanned;         /* of the reply in progress: bytes searched for a line end */
    size_t parsed;          /* of the reply in progress: bytes of whole items */
    bool in_bulk;           /* the count line of a string is parsed */
    uint8_t bulk_marker;
    uint64_t bulk_size;
    unsigned depth;
    struct {
        uint64_t missing; /* children to come */
        size_t node;      /* where the aggregate's nodes begin */
        bool is_attribute;
    } levels[REPLY_READER_MAX_DEPTH];
};

void reply_reader_init(struct reply_reader *reader, const struct reply_reader_limits *limits);

void reply_reader_fini(struct reply_reader *reader);

/* Read the next reply at the front of the bytes received.
 *
 * complete_out   out: whether there is one: reader->nodes, valid until the next call, with offsets into data
 * consumed_out   out: bytes that the caller drops after it has used the reply; 0 while it is not complete
 * data, size     everything received and not yet dropped; a later call passes the same bytes and more, at the same place or another
 *
 * Errors: CORRUPT (no RESP), TOO_LARGE (over a limit, or nested too deeply), NO_MEMORY. Each is final for the reader. */
KVS_MUST_USE struct kvs_status reply_reader_next(struct reply_reader *reader, bool *complete_out, size_t *consumed_out,
                                                 const void *data, size_t size);

#endif
