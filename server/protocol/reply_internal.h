/* reply_internal.h -- inside the room: what replies (reply.c) are made of (reply_writer.c).
 *
 * Bytes are put as they are, whatever the encoding; words are those of text. A reply ends with writer_end_item, or with writer_end_word or writer_put_word,
 * which call it. Once the writer has failed nothing more gets into its buffer; writer_insert_header and writer_push_level are for writers that have not. */
#ifndef KVS_PROTOCOL_REPLY_INTERNAL_H
#define KVS_PROTOCOL_REPLY_INTERNAL_H

#include "protocol/reply.h"

static inline bool writer_is_text(const struct reply_writer *writer)
{
    return writer->encoding == REPLY_TEXT;
}

void writer_put(struct reply_writer *writer, const void *data, size_t size);
void writer_put_text(struct reply_writer *writer, const char *text);

/* A line of RESP: marker, number and line end. */
void writer_put_header(struct reply_writer *writer, char marker, int64_t number);

/* Put the header of an array of count items in front of what was written since the buffer had mark bytes. */
void writer_insert_header(struct reply_writer *writer, size_t mark, uint64_t count);

/* A bulk string of RESP, header and line end included. */
void writer_put_bulk(struct reply_writer *writer, struct kvs_slice value);

/* A line may not contain line ends; they become blanks, as in Redis. */
void writer_put_flattened(struct reply_writer *writer, const char *text, size_t size);

/* An array in progress: of count items, or of as many as are written until it is closed where is_open. per_line: of struct reply_level. */
void writer_push_level(struct reply_writer *writer, uint64_t count, unsigned per_line, bool is_open);

/* An item is complete: the array it is in may be, too, and the one around that. */
void writer_end_item(struct reply_writer *writer);

/* Before the bytes of a text word. */
void writer_begin_word(struct reply_writer *writer);

/* Behind the bytes of a text word, which is a line of its own where it is no part of an array; it is a complete item. */
void writer_end_word(struct reply_writer *writer);

/* A text word of plain bytes, as a complete item. */
void writer_put_word(struct reply_writer *writer, const char *word);

#endif
