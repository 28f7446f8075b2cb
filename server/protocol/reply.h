/* reply.h -- from results to the bytes of a reply.
 *
 * Role      A command says what it answers (a status, a value, an array of three); the writer appends that to a buffer in the encoding of the
 *           connection: RESP2, RESP3 or text.
 * Format    README.md, "Replies"; each function shows its bytes.
 * Threads   One at a time per writer.
 * Failure   Exhausted memory makes the writer fail for good: later calls do nothing, reply_writer_failed says so, and the connection must be closed, as
 *           a reply may be cut anywhere. A count that does not match the items written is a mistake of the caller, and asserted.
 *
 * In text an array at the top is one item per line and a line END; an array inside it is its words on one line.
 */
#ifndef KVS_PROTOCOL_REPLY_H
#define KVS_PROTOCOL_REPLY_H

#include "protocol/byte_buffer.h"

struct request;

enum reply_encoding { REPLY_RESP2, REPLY_RESP3, REPLY_TEXT };

/* The deepest nesting of arrays that may be written: as deep as reply_reader.h reads, so that what was read can be shown. */
enum { REPLY_MAX_DEPTH = 16 };

/* An array in progress. */
struct reply_level {
    uint64_t written;  /* items so far */
    uint64_t count;    /* items in all; unknown while is_open */
    unsigned per_line; /* text, at the top: items on a line, 2 for pairs */
    bool is_open;      /* begun by reply_array_begin or reply_pairs_begin */
};

struct reply_writer {
    struct byte_buffer buffer; /* the replies; the caller sends from it and consumes */
    enum reply_encoding encoding;
    bool failed;
    bool line_has_word; /* text: the current line of an array holds a word already */
    unsigned depth;     /* arrays in progress; 0 between replies */
    struct reply_level levels[REPLY_MAX_DEPTH];
};

/* An empty writer. Change the encoding with reply_writer_set_encoding, between replies. */
void reply_writer_init(struct reply_writer *writer, enum reply_encoding encoding);

void reply_writer_fini(struct reply_writer *writer);

void reply_writer_set_encoding(struct reply_writer *writer, enum reply_encoding encoding);

/* Whether an allocation failed since init. */
static inline bool reply_writer_failed(const struct reply_writer *writer)
{
    return writer->failed;
}

/* A status that the server chose, without line ends: "+OK\r\n"; text: "OK\n". */
void reply_status(struct reply_writer *writer, const char *status);

/* An error. code is a word in capitals ("ERR", "WRONGTYPE"); line ends inside of text become blanks.
 * RESP: "-ERR no such thing\r\n". Text: "ERROR no such thing\n", and where code is not ERR "ERROR WRONGTYPE no such thing\n". */
void reply_error(struct reply_writer *writer, const char *code, const char *text);

/* reply_error with a printf format; the text is cut at 511 bytes. */
__attribute__((format(printf, 3, 4))) void reply_error_format(struct reply_writer *writer, const char *code,
                                                              const char *format, ...);

/* The error for a verb that is no command: Redis 7's text in RESP ("-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n", each and all
 * cut at 128 bytes as Redis does), "ERROR UNKNOWN COMMAND\n" in text. */
void reply_unknown_command(struct reply_writer *writer, const struct request *request);

/* Nothing there: "$-1\r\n", "_\r\n", "NOT_FOUND\n". */
void reply_nil(struct reply_writer *writer);

/* An absent array: "*-1\r\n", "_\r\n", "NOT_FOUND\n". */
void reply_nil_array(struct reply_writer *writer);

/* A number: ":42\r\n"; text "42\n". */
void reply_integer(struct reply_writer *writer, int64_t value);

/* How many of the keys of a DEL were deleted: an integer in RESP; in text OK or NOT_FOUND where one key was asked for, else the number. */
void reply_deleted(struct reply_writer *writer, uint64_t deleted, size_t keys_asked);

/* A truth: ":1\r\n", "#t\r\n", "1\n". */
void reply_bool(struct reply_writer *writer, bool value);

/* A floating-point number: "$3\r\n1.5\r\n", ",1.5\r\n", "1.5\n"; the shortest digits that read back the same, "inf", "-inf", "nan". */
void reply_double(struct reply_writer *writer, double value);

/* A value or key from a user, copied: "$5\r\nworld\r\n"; text: "world\n", quoted where a reader could mistake it, and inside of an array also where it
 * holds blanks. */
void reply_value(struct reply_writer *writer, struct kvs_slice value);

/* reply_value of a C string. */
void reply_value_text(struct reply_writer *writer, const char *value);

/* Prose or lines for a person, as of HELP and INFO, ended by LF or CRLF or nothing: a bulk string, in RESP3 a verbatim string ("=9\r\ntxt:hello\r\n"),
 * in text each line as it is and then END (a line that is END is quoted); inside of an array in text, a value. */
void reply_document(struct reply_writer *writer, struct kvs_slice text);

/* An array of count items: exactly that many replies must follow. "*3\r\n"; text: one item per line, then "END\n". */
void reply_array(struct reply_writer *writer, uint64_t count);

/* An array of 2 x count items that belong together in twos, as RANGE answers: "*6\r\n" (in RESP3 too); text: one pair per line, then END.
 * 2 x count replies must follow. */
void reply_pairs(struct reply_writer *writer, uint64_t count);

/* A map of count entries, 2 x count replies: "*6\r\n", RESP3 "%3\r\n"; text as reply_pairs. */
void reply_map(struct reply_writer *writer, uint64_t count);

/* A set: "*3\r\n", RESP3 "~3\r\n"; text as reply_array. */
void reply_set(struct reply_writer *writer, uint64_t count);

/* A message that answers no request: RESP2 "*3\r\n", RESP3 ">3\r\n"; text as reply_array. */
void reply_push(struct reply_writer *writer, uint64_t count);

/* reply_array or reply_pairs for a count that is known only afterwards. Between begin and end write the replies, and consume nothing from the buffer; end
 * gets what begin returned and moves the bytes written since by the length of the header (in text it moves nothing). */
KVS_MUST_USE size_t reply_array_begin(struct reply_writer *writer);
KVS_MUST_USE size_t reply_pairs_begin(struct reply_writer *writer);
void reply_open_end(struct reply_writer *writer, size_t mark);

#endif
