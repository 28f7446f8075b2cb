#include "session/output.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

enum { MARKS_AT_FIRST = 8 };

void output_init(struct output *output)
{
    memset(output, 0, sizeof *output);
    reply_writer_init(&output->writer, REPLY_RESP2);
}

void output_fini(struct output *output)
{
    reply_writer_fini(&output->writer);
    free(output->marks);
}

static uint64_t end_offset(const struct output *output)
{
    return output->start + output_size(output);
}

/* Room for one more mark: by moving the live ones to the front where half is unused, else by growing. */
static bool reserve_mark(struct output *output)
{
    if (output->mark_end < output->mark_capacity)
        return true;
    size_t live = output->mark_end - output->mark_first;
    if (live <= output->mark_capacity / 2 && output->mark_capacity != 0) {
        memmove(output->marks, output->marks + output->mark_first, live * sizeof *output->marks);
    } else {
        size_t capacity = output->mark_capacity == 0 ? MARKS_AT_FIRST : 2 * output->mark_capacity;
        struct output_mark *grown = malloc(capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        if (live != 0)
            memcpy(grown, output->marks + output->mark_first, live * sizeof *grown);
        free(output->marks);
        output->marks = grown;
        output->mark_capacity = capacity;
    }
    output->mark_first = 0;
    output->mark_end = live;
    return true;
}

void output_seal(struct output *output, uint64_t replies, uint64_t sequence)
{
    uint64_t end = end_offset(output);
    if (sequence > output->highest)
        output->highest = sequence;
    if (!output_is_held(output)) {
        if (sequence == 0) {
            output->released = end;
            return;
        }
    } else if (output->marks[output->mark_end - 1].sequence == sequence) {
        output->marks[output->mark_end - 1].end = end;
        output->marks[output->mark_end - 1].replies += replies;
        return;
    }
    if (!reserve_mark(output)) {
        output->failed = true;
        return;
    }
    output->marks[output->mark_end++] = (struct output_mark){end, sequence, replies};
}

static void forget_marks(struct output *output)
{
    output->mark_first = output->mark_end = 0;
    output->highest = 0;
    output->released = end_offset(output);
}

void output_release(struct output *output, uint64_t published)
{
    while (output_is_held(output) && output->marks[output->mark_first].sequence <= published)
        output->released = output->marks[output->mark_first++].end;
    if (!output_is_held(output))
        forget_marks(output);
}

void output_fail(struct output *output, uint64_t published, const char *code, const char *text)
{
    output_release(output, published);
    if (!output_is_held(output))
        return;
    struct byte_buffer old = output->writer.buffer;
    byte_buffer_init(&output->writer.buffer);
    const uint8_t *data = byte_buffer_data(&old);
    uint64_t at = output->start;
    bool whole = byte_buffer_append(&output->writer.buffer, data, output->released - at);
    at = output->released;
    for (size_t i = output->mark_first; i < output->mark_end; i++) {
        const struct output_mark *mark = &output->marks[i];
        if (mark->sequence <= published)
            whole = byte_buffer_append(&output->writer.buffer, data + (at - output->start), mark->end - at) && whole;
        else
            for (uint64_t reply = 0; reply < mark->replies; reply++)
                reply_error(&output->writer, code, text);
        at = mark->end;
    }
    KVS_ASSERT(at == output->start + byte_buffer_size(&old));
    byte_buffer_fini(&old);
    output->failed = output->failed || !whole;
    forget_marks(output);
}

struct kvs_slice output_sendable(const struct output *output)
{
    uint64_t end = output_is_held(output) ? output->released : end_offset(output);
    return slice_of(byte_buffer_data(&output->writer.buffer), end - output->start);
}

void output_consume(struct output *output, size_t size)
{
    byte_buffer_consume(&output->writer.buffer, size);
    output->start += size;
}

bool output_take(struct output *output, struct byte_buffer *taken)
{
    struct kvs_slice sendable = output_sendable(output);
    if (sendable.size == output_size(output)) {
        *taken = output->writer.buffer;
        byte_buffer_init(&output->writer.buffer);
        output->start += sendable.size;
        return true;
    }
    byte_buffer_init(taken);
    if (!byte_buffer_append(taken, sendable.data, sendable.size))
        return false;
    output_consume(output, sendable.size);
    return true;
}
