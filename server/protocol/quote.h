/* quote.h -- words of the text protocol: splitting, unquoting, quoting; UTF-8; TSV fields.
 *
 * Role      Used for requests in text and inline RESP, for text replies, and by the client for what it shows, reads and writes.
 * Format    Words are separated by blanks (space, \t, \n, \v, \f, \r). A word that begins with " ends at the next " and knows \n \r \t \b \a \\ \" \xHH
 *           (\ before any other byte gives that byte); one that begins with ' ends at the next ' and knows \' only. After the closing quote comes a blank or
 *           the end. This is what redis-cli does, with one exception: there a quote opens a quoted part also inside of a word (QUOTE_ANYWHERE).
 * Threads   Pure functions.
 * Failure   Bytes that follow no rule are a result, never an assertion.
 */
#ifndef KVS_PROTOCOL_QUOTE_H
#define KVS_PROTOCOL_QUOTE_H

#include "protocol/byte_buffer.h"

enum quote_rule {
    QUOTE_AT_START, /* the text protocol: a quote inside of a word is an ordinary byte */
    QUOTE_ANYWHERE  /* inline RESP, as Redis */
};

enum quote_result {
    QUOTE_WORD,      /* a word was read */
    QUOTE_END,       /* nothing but blanks was left */
    QUOTE_UNBALANCED /* a quote is not closed, or a byte follows the closing quote */
};

/* Read the next word of a line, in place: its unquoted bytes are written over its quoted ones, which are never fewer.
 *
 * word_out  out, for QUOTE_WORD: where the word now lies in line
 * at        in and out: where to go on; starts at 0
 *
 * Errors: none; on QUOTE_UNBALANCED the bytes from *at on may be changed. */
KVS_MUST_USE enum quote_result quote_next_word(struct kvs_slice *word_out, size_t *at, uint8_t *line, size_t size,
                                               enum quote_rule rule);

/* Whether size bytes are valid UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF). */
bool quote_is_utf8(struct kvs_slice bytes);

/* Whether a value sent as a line of its own could be mistaken: it is empty, begins with a quote, has control characters or is not UTF-8, or reads like a
 * reply (OK, NOT_FOUND, END, PONG, QUEUED, or ERROR with or without more). */
bool quote_needed_on_line(struct kvs_slice value);

/* Whether a value sent as one word among others could be mistaken: the above, or it holds blanks. */
bool quote_needed_in_list(struct kvs_slice value);

/* Append value in double quotes: \n \r \t \\ \" as such, other control characters and bytes that are not UTF-8 as \xHH, the rest as it is. False: no
 * memory, and nothing was appended. */
KVS_MUST_USE bool quote_append(struct byte_buffer *buffer, struct kvs_slice value);

/* Append a field of a TSV line: \t \n \r \\ as such, other control characters and bytes that are not UTF-8 as \xHH; no quotes. False: no memory. */
KVS_MUST_USE bool quote_append_tsv(struct byte_buffer *buffer, struct kvs_slice value);

/* Undo quote_append_tsv in place; also \" \b \a. A backslash before another byte, or at the end, makes the field invalid: false, and the bytes may be
 * changed. size_out: the length of the result, from data on. */
KVS_MUST_USE bool quote_decode_tsv(size_t *size_out, uint8_t *data, size_t size);

#endif
