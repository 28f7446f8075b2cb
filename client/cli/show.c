#include "show.h"

#include "protocol/reply.h"

#include <stdlib.h>

/* Server texts are shown unquoted, so control characters, which a terminal might obey, are replaced. */
static char *printable(const struct kvc_reply *reply)
{
    char *copy = words_allocate(NULL, reply->text_size + 1);
    for (size_t i = 0; i < reply->text_size; i++) {
        uint8_t byte = (uint8_t)reply->text[i];
        copy[i] = byte < 0x20 || byte == 0x7F ? '?' : (char)byte;
    }
    copy[reply->text_size] = '\0';
    return copy;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "ERR text" and "CODE text" as the text protocol has them. */
static void put_error(struct reply_writer *writer, const struct kvc_reply *reply)
{
    char *text = printable(reply);
    char *blank = strchr(text, ' ');
    if (has_prefix(text, "ERR unknown command")) {
        reply_error(writer, "ERR", "UNKNOWN COMMAND");
    } else if (blank != NULL) {
        *blank = '\0';
        reply_error(writer, text, blank + 1);
    } else {
        reply_error(writer, "ERR", text);
    }
    free(text);
}

static void put_status(struct reply_writer *writer, const struct kvc_reply *reply)
{
    char *text = printable(reply);
    reply_status(writer, text);
    free(text);
}

/* Depth is bounded by the reader. */
static void put_reply(struct reply_writer *writer, const struct kvc_reply *reply)
{
    struct kvs_slice text = slice_of(reply->text, reply->text_size);
    switch (reply->type) {
    case KVC_STATUS:
        put_status(writer, reply);
        return;
    case KVC_ERROR:
        put_error(writer, reply);
        return;
    case KVC_INTEGER:
    case KVC_BOOL:
        reply_integer(writer, reply->integer);
        return;
    case KVC_NIL:
        reply_nil(writer);
        return;
    case KVC_DOUBLE:
        reply_double(writer, reply->number);
        return;
    case KVC_VERBATIM:
        reply_document(writer, text);
        return;
    case KVC_VALUE:
    case KVC_BIG_NUMBER:
        reply_value(writer, text);
        return;
    case KVC_MAP:
        reply_map(writer, reply->count / 2);
        break;
    case KVC_ARRAY:
    case KVC_SET:
    case KVC_PUSH:
        reply_array(writer, reply->count);
        break;
    }
    for (size_t i = 0; i < reply->count; i++)
        put_reply(writer, &reply->elements[i]);
}

static bool asks_to_delete(const struct words *words)
{
    return words_is(words, 0, "DEL") || words_is(words, 0, "UNLINK");
}

/* A reply whose meaning is in the command: how many were deleted, pairs, a text for a person. Returns false for any other. */
static bool put_by_command(struct reply_writer *writer, const struct words *words, const struct kvc_reply *reply)
{
    if (reply->type == KVC_INTEGER && asks_to_delete(words)) {
        reply_deleted(writer, (uint64_t)reply->integer, words->count - 1);
        return true;
    }
    if (reply->type == KVC_VALUE && (words_is(words, 0, "HELP") || words_is(words, 0, "INFO"))) {
        reply_document(writer, slice_of(reply->text, reply->text_size));
        return true;
    }
    if (reply->type != KVC_ARRAY || !words_is(words, 0, "RANGE") || reply->count % 2 != 0)
        return false;
    reply_pairs(writer, reply->count / 2);
    for (size_t i = 0; i < reply->count; i++)
        put_reply(writer, &reply->elements[i]);
    return true;
}

void show_reply(FILE *file, const struct words *words, const struct kvc_reply *reply)
{
    struct reply_writer writer;
    reply_writer_init(&writer, REPLY_TEXT);
    if (!put_by_command(&writer, words, reply))
        put_reply(&writer, reply);
    if (reply_writer_failed(&writer)) {
        fprintf(stderr, "kvstore_client: out of memory\n");
        exit(EXIT_ERROR);
    }
    fwrite(byte_buffer_data(&writer.buffer), 1, byte_buffer_size(&writer.buffer), file);
    reply_writer_fini(&writer);
}

void show_raw(FILE *file, const struct words *words, const struct kvc_reply *reply)
{
    if (reply->type != KVC_VALUE && reply->type != KVC_VERBATIM) {
        show_reply(file, words, reply);
        return;
    }
    fwrite(reply->text, 1, reply->text_size, file);
    putc('\n', file);
}

int show_exit_status(const struct words *words, const struct kvc_reply *reply)
{
    if (reply->type == KVC_ERROR)
        return EXIT_ERROR;
    bool counts_keys = asks_to_delete(words) || words_is(words, 0, "EXISTS");
    if (reply->type == KVC_NIL || (reply->type == KVC_INTEGER && counts_keys && reply->integer == 0))
        return EXIT_NOT_FOUND;
    return EXIT_FOUND;
}
