/* reply_fuzz.c -- arbitrary bytes as the replies that a client receives.
 *
 * Role      However the stream is cut, the replies are the same, down to the error that ends it. What was read, written again by the server's
 *           reply writer, is read as the same reply; and its nodes form a tree within the limits.
 * Format    One byte that seeds the cutting, then the stream.
 * Failure   Aborts on the first difference.
 */

#include "fuzz.h"

#include "protocol/reply.h"
#include "protocol/reply_reader.h"

#include "pieces.h"

#include <math.h>

static const struct reply_reader_limits limits = {.value_bytes = 300, .reply_bytes = 1000, .nodes = 40};

/* ---- Written again ---- */

/* Errors come back as the bytes of a line only if they were one, and so do statuses; big numbers have no writer. */
static bool can_be_written(const struct reply_node *node, const uint8_t *data)
{
    switch (node->type) {
    case REPLY_TYPE_STATUS:
        return memchr(data + node->offset, '\n', node->size) == NULL &&
               memchr(data + node->offset, 0, node->size) == NULL;
    case REPLY_TYPE_ERROR:
    case REPLY_TYPE_BIG_NUMBER:
    case REPLY_TYPE_VERBATIM:
        return false;
    default:
        return true;
    }
}

static void write_status(struct reply_writer *writer, struct kvs_slice text)
{
    char copy[320];
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    reply_status(writer, copy);
}

static void write_node(struct reply_writer *writer, const struct reply_node *node, const uint8_t *data)
{
    switch (node->type) {
    case REPLY_TYPE_STATUS:
        write_status(writer, slice_of(data + node->offset, node->size));
        break;
    case REPLY_TYPE_INTEGER:
        reply_integer(writer, node->integer);
        break;
    case REPLY_TYPE_NIL:
        reply_nil(writer);
        break;
    case REPLY_TYPE_VALUE:
        reply_value(writer, slice_of(data + node->offset, node->size));
        break;
    case REPLY_TYPE_BOOL:
        reply_bool(writer, node->integer != 0);
        break;
    case REPLY_TYPE_DOUBLE:
        reply_double(writer, node->number);
        break;
    case REPLY_TYPE_ARRAY:
        reply_array(writer, node->count);
        break;
    case REPLY_TYPE_MAP:
        reply_map(writer, node->count / 2);
        break;
    case REPLY_TYPE_SET:
        reply_set(writer, node->count);
        break;
    case REPLY_TYPE_PUSH:
        reply_push(writer, node->count);
        break;
    default:
        abort();
    }
}

static bool is_same(const struct reply_node *a, const uint8_t *a_data, const struct reply_node *b,
                    const uint8_t *b_data)
{
    if (a->type != b->type || a->depth != b->depth)
        return false;
    if (a->type == REPLY_TYPE_DOUBLE)
        return a->number == b->number || (isnan(a->number) && isnan(b->number));
    return a->count == b->count &&
           slice_equal(slice_of(a_data + a->offset, a->size), slice_of(b_data + b->offset, b->size));
}

static void check_written(const struct reply_reader *reader, const uint8_t *data, const struct reply_writer *writer)
{
    struct reply_reader again;
    struct reply_reader_limits wide;
    const uint8_t *bytes = byte_buffer_data(&writer->buffer);
    size_t size = byte_buffer_size(&writer->buffer), consumed;
    bool complete;
    reply_reader_limits_default(&wide);
    reply_reader_init(&again, &wide);
    fuzz_ok(reply_reader_next(&again, &complete, &consumed, bytes, size));
    KVS_ASSERT(complete && consumed == size && again.node_count == reader->node_count);
    for (size_t i = 0; i < reader->node_count; i++)
        KVS_ASSERT(is_same(&reader->nodes[i], data, &again.nodes[i], bytes));
    reply_reader_fini(&again);
}

static void write_again(const struct reply_reader *reader, const uint8_t *data)
{
    struct reply_writer writer;
    bool is_writable = true;
    reply_writer_init(&writer, REPLY_RESP3);
    for (size_t i = 0; i < reader->node_count && is_writable; i++) {
        is_writable = can_be_written(&reader->nodes[i], data);
        if (is_writable)
            write_node(&writer, &reader->nodes[i], data);
    }
    if (reply_writer_failed(&writer))
        abort();
    if (is_writable)
        check_written(reader, data, &writer);
    reply_writer_fini(&writer);
}

/* ---- Reading ---- */

/* Each aggregate has as many children as it says, directly below it. */
static void check_tree(const struct reply_reader *reader, size_t size)
{
    uint64_t missing[REPLY_READER_MAX_DEPTH + 1] = {1};
    KVS_ASSERT(reader->node_count >= 1 && reader->node_count <= limits.nodes);
    for (size_t i = 0; i < reader->node_count; i++) {
        const struct reply_node *node = &reader->nodes[i];
        KVS_ASSERT(node->depth <= REPLY_READER_MAX_DEPTH && missing[node->depth] > 0);
        for (size_t below = node->depth + 1; below <= REPLY_READER_MAX_DEPTH; below++)
            KVS_ASSERT(missing[below] == 0);
        missing[node->depth]--;
        if (reply_type_is_aggregate(node->type) && node->depth < REPLY_READER_MAX_DEPTH)
            missing[node->depth + 1] = node->count;
        KVS_ASSERT(node->offset <= size && node->size <= size - node->offset && node->size <= limits.value_bytes);
    }
    for (size_t depth = 0; depth <= REPLY_READER_MAX_DEPTH; depth++)
        KVS_ASSERT(missing[depth] == 0);
}

static uint64_t fold_reply(uint64_t sum, const struct reply_reader *reader, const uint8_t *data)
{
    for (size_t i = 0; i < reader->node_count; i++) {
        const struct reply_node *node = &reader->nodes[i];
        sum = pieces_fold(sum, &node->type, sizeof node->type);
        sum = pieces_fold(sum, &node->depth, sizeof node->depth);
        sum = pieces_fold(sum, data + node->offset, node->size);
        sum = pieces_fold(sum, &node->count, sizeof node->count);
    }
    return sum;
}

/* Read the replies that have been received. Returns whether the stream goes on. */
static bool drain(uint64_t *sum, struct reply_reader *reader, struct byte_buffer *in)
{
    for (;;) {
        bool complete = false;
        size_t consumed = 0;
        const uint8_t *data = byte_buffer_data(in);
        struct kvs_status status = reply_reader_next(reader, &complete, &consumed, data, byte_buffer_size(in));
        if (!status_is_ok(status)) {
            *sum = pieces_fold(*sum, status_text(status), strlen(status_text(status)));
            return false;
        }
        if (!complete)
            return true;
        KVS_ASSERT(consumed > 0 && consumed <= byte_buffer_size(in));
        check_tree(reader, consumed);
        write_again(reader, data);
        *sum = fold_reply(*sum, reader, data);
        byte_buffer_consume(in, consumed);
    }
}

static uint64_t replies(struct kvs_slice stream, uint32_t cut)
{
    struct reply_reader reader;
    struct byte_buffer in;
    uint64_t sum = 0;
    bool open = true;
    byte_buffer_init(&in);
    reply_reader_init(&reader, &limits);
    for (size_t at = 0; open && at < stream.size;) {
        size_t piece = pieces_next(&cut, stream.size - at);
        pieces_receive(&in, (const uint8_t *)stream.data + at, piece);
        at += piece;
        open = drain(&sum, &reader, &in);
    }
    reply_reader_fini(&reader);
    byte_buffer_fini(&in);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096)
        return 0;
    struct kvs_slice stream = slice_of(data + 1, size - 1);
    uint64_t whole = replies(stream, PIECES_WHOLE);
    KVS_ASSERT(replies(stream, pieces_cut(data[0])) == whole);
    KVS_ASSERT(replies(stream, PIECES_SINGLE) == whole);
    return 0;
}
