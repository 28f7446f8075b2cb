/* resp_fuzz.c -- arbitrary bytes as RESP requests and as RESP replies.
 *
 * Role      Whatever the bytes and however they are cut into pieces, the requests and replies found must be the same as when all comes at once.
 * Format    Input: one byte that seeds the cutting, then the stream.
 * Failure   Aborts on the first difference.
 */

#include "base/status.h"
#include "protocol/reply_reader.h"

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool find_none(const void *context, enum protocol_opening *opening_out, struct kvs_slice verb)
{
    (void)context;
    (void)opening_out;
    (void)verb;
    return false;
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
static bool drain_replies(uint64_t *sum, struct reply_reader *reader, struct byte_buffer *in)
{
    for (;;) {
        bool complete = false;
        size_t consumed = 0;
        struct kvs_status status =
            reply_reader_next(reader, &complete, &consumed, byte_buffer_data(in), byte_buffer_size(in));
        if (!status_is_ok(status)) {
            *sum = pieces_fold(*sum, status_text(status), strlen(status_text(status)));
            return false;
        }
        if (!complete)
            return true;
        *sum = fold_reply(*sum, reader, byte_buffer_data(in));
        byte_buffer_consume(in, consumed);
    }
}

static uint64_t replies(const uint8_t *data, size_t size, uint32_t cut)
{
    const struct reply_reader_limits limits = {.value_bytes = 300, .reply_bytes = 1000, .nodes = 40};
    struct reply_reader reader;
    struct byte_buffer in;
    uint64_t sum = 0;
    bool open = true;
    byte_buffer_init(&in);
    reply_reader_init(&reader, &limits);
    for (size_t at = 0; open && at < size;) {
        size_t piece = pieces_next(&cut, size - at);
        pieces_receive(&in, data + at, piece);
        at += piece;
        open = drain_replies(&sum, &reader, &in);
    }
    reply_reader_fini(&reader);
    byte_buffer_fini(&in);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct protocol_commands commands = {find_none, NULL};
    if (size < 2 || size > 4096)
        return 0;
    uint32_t cut = (uint32_t)data[0] * 2 + 1;
    KVS_ASSERT(pieces_run(&commands, REQUEST_RESP, data + 1, size - 1, 0) ==
               pieces_run(&commands, REQUEST_RESP, data + 1, size - 1, cut));
    KVS_ASSERT(replies(data + 1, size - 1, 0) == replies(data + 1, size - 1, cut));
    return 0;
}
