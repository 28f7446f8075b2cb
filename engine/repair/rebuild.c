#include "repair/rebuild.h"

#include "base/buffer.h"
#include "segment/segment_writer.h"

#include <stdlib.h>

/* As the engine's defaults: the next compaction writes what is repaired as the database's options say. */
enum { BLOCK_BYTES = 4096, FILTER_BITS_PER_KEY = 10, SEGMENT_BYTES = 64 * 1024 * 1024 };

/* writer   of the segment under way; NULL between two
 * last     the key that was looked at last, in last_key */
struct rebuild {
    const struct rebuild_options *options;
    struct rebuilt_run *run;
    struct segment_writer *writer;
    struct buffer last_key;
    struct key last;
    bool has_last;
};

void rebuilt_run_fini(struct rebuilt_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        segment_meta_fini(&run->metas[i]);
    free(run->metas);
    *run = (struct rebuilt_run){.count = 0};
}

static struct kvs_status begin_segment(struct rebuild *rebuild)
{
    const struct rebuild_options *options = rebuild->options;
    struct segment_writer_options writer = {
        .number = (*options->next_number)++,
        .codec = SEGMENT_CODEC_ZSTD,
        .level = 1,
        .block_bytes = BLOCK_BYTES,
        .filter_bits_per_key = FILTER_BITS_PER_KEY,
    };
    memcpy(writer.uuid, options->uuid, sizeof writer.uuid);
    return segment_writer_new(&rebuild->writer, options->io, options->folder, &writer);
}

static struct kvs_status end_segment(struct rebuild *rebuild)
{
    struct rebuilt_run *run = rebuild->run;
    if (rebuild->writer == NULL)
        return status_ok();
    struct segment_meta *grown = realloc(run->metas, (run->count + 1) * sizeof *grown);
    if (grown == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a list of %zu segments", run->count + 1);
    run->metas = grown;
    STATUS_RETURN_IF_ERROR(segment_writer_finish(rebuild->writer, &run->metas[run->count]));
    run->count++;
    rebuild->writer = NULL;
    return status_ok();
}

/* Whether an entry is written, which comes after all that are greater or newer. */
static bool is_kept(const struct rebuild *rebuild, struct key key)
{
    if (rebuild->options->keep == REBUILD_ALL)
        return !rebuild->has_last || key_compare(rebuild->last, key) != 0;
    if (rebuild->has_last && slice_equal(rebuild->last.user, key.user))
        return false;
    return rebuild->options->keep == REBUILD_NEWEST || key_kind(key.trailer) != KEY_DELETE;
}

static struct kvs_status note_last(struct rebuild *rebuild, struct key key)
{
    buffer_clear(&rebuild->last_key);
    STATUS_RETURN_IF_ERROR(buffer_append(&rebuild->last_key, key.user.data, key.user.size));
    rebuild->last = key_of(buffer_slice(&rebuild->last_key), key.trailer);
    rebuild->has_last = true;
    return status_ok();
}

static struct kvs_status take(struct rebuild *rebuild, struct key key, struct kvs_slice value)
{
    bool kept = is_kept(rebuild, key);
    STATUS_RETURN_IF_ERROR(note_last(rebuild, key));
    if (!kept)
        return status_ok();
    if (rebuild->writer != NULL && rebuild->options->keep != REBUILD_ALL &&
        segment_writer_size(rebuild->writer) >= SEGMENT_BYTES)
        STATUS_RETURN_IF_ERROR(end_segment(rebuild));
    if (rebuild->writer == NULL)
        STATUS_RETURN_IF_ERROR(begin_segment(rebuild));
    rebuild->run->entries++;
    return segment_writer_add(rebuild->writer, key, value);
}

/* The stream whose entry comes first; NULL when all have ended. */
static struct entry_stream *smallest(struct entry_stream **streams, size_t count)
{
    struct entry_stream *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (streams[i]->valid && (first == NULL || key_compare(streams[i]->key, first->key) < 0))
            first = streams[i];
    }
    return first;
}

static struct kvs_status merge(struct rebuild *rebuild, struct entry_stream **streams, size_t count)
{
    for (size_t i = 0; i < count; i++)
        STATUS_RETURN_IF_ERROR(entry_stream_next(streams[i]));
    struct entry_stream *stream;
    while ((stream = smallest(streams, count)) != NULL) {
        STATUS_RETURN_IF_ERROR(take(rebuild, stream->key, stream->value));
        STATUS_RETURN_IF_ERROR(entry_stream_next(stream));
    }
    return end_segment(rebuild);
}

struct kvs_status rebuild_write(struct rebuilt_run *run, struct entry_stream **streams, size_t count,
                                const struct rebuild_options *options)
{
    struct rebuilt_run made = {.count = 0};
    struct rebuild rebuild = {.options = options, .run = &made};
    struct kvs_status status = merge(&rebuild, streams, count);
    buffer_fini(&rebuild.last_key);
    if (status_is_ok(status)) {
        *run = made;
        return status;
    }
    segment_writer_abandon(rebuild.writer);
    rebuilt_run_fini(&made);
    return status;
}
