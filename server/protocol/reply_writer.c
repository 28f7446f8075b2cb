#include "protocol/reply_internal.h"

#include "base/assert.h"
#include "protocol/number.h"

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

/* ---- Bytes ---- */

void writer_put(struct reply_writer *writer, const void *data, size_t size)
{
    if (!writer->failed && !byte_buffer_append(&writer->buffer, data, size))
        writer->failed = true;
}

void writer_put_text(struct reply_writer *writer, const char *text)
{
    writer_put(writer, text, strlen(text));
}

static size_t format_header(char *at, char marker, int64_t number)
{
    at[0] = marker;
    size_t size = 1 + number_format(at + 1, number);
    at[size] = '\r';
    at[size + 1] = '\n';
    return size + 2;
}

void writer_put_header(struct reply_writer *writer, char marker, int64_t number)
{
    char header[HEADER_MAX_BYTES];
    writer_put(writer, header, format_header(header, marker, number));
}

/* One allocation check for header, bytes and line end. */
void writer_put_bulk(struct reply_writer *writer, struct kvs_slice value)
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

void writer_insert_header(struct reply_writer *writer, size_t mark, uint64_t count)
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

void writer_put_flattened(struct reply_writer *writer, const char *text, size_t size)
{
    while (size > 0) {
        size_t plain = 0;
        while (plain < size && text[plain] != '\r' && text[plain] != '\n')
            plain++;
        writer_put(writer, text, plain);
        if (plain < size) {
            writer_put_text(writer, " ");
            plain++;
        }
        text += plain;
        size -= plain;
    }
}

/* ---- Items and levels ---- */

void writer_end_item(struct reply_writer *writer)
{
    while (writer->depth > 0 && !writer->failed) {
        struct reply_level *level = &writer->levels[writer->depth - 1];
        level->written++;
        if (writer_is_text(writer) && writer->depth == 1 && level->written % level->per_line == 0) {
            writer_put_text(writer, "\n");
            writer->line_has_word = false;
        }
        if (level->is_open || level->written < level->count)
            return;
        writer->depth--;
        if (writer_is_text(writer) && writer->depth == 0)
            writer_put_text(writer, "END\n");
    }
}

void writer_begin_word(struct reply_writer *writer)
{
    if (writer->line_has_word)
        writer_put_text(writer, " ");
}

void writer_end_word(struct reply_writer *writer)
{
    if (writer->depth == 0)
        writer_put_text(writer, "\n");
    else
        writer->line_has_word = true;
    writer_end_item(writer);
}

void writer_put_word(struct reply_writer *writer, const char *word)
{
    writer_begin_word(writer);
    writer_put_text(writer, word);
    writer_end_word(writer);
}

void writer_push_level(struct reply_writer *writer, uint64_t count, unsigned per_line, bool is_open)
{
    KVS_ASSERT(writer->depth < REPLY_MAX_DEPTH);
    writer->levels[writer->depth++] = (struct reply_level){.count = count, .per_line = per_line, .is_open = is_open};
}
