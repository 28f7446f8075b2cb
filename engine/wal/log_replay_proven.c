#include "wal/log_replay_internal.h"

#include "base/assert.h"
#include "format/log_header.h"

#include <inttypes.h>
#include <stdlib.h>

/* How much of a log is read before another mark is set. */
#define MARK_BYTES (UINT64_C(1) << 20)

static struct kvs_status append_mark(struct replay *replay, const struct replay_mark *mark)
{
    if (replay->mark_count == replay->mark_capacity) {
        size_t capacity = replay->mark_capacity == 0 ? 64 : 2 * replay->mark_capacity;
        struct replay_mark *larger = realloc(replay->marks, capacity * sizeof *larger);
        if (larger == NULL)
            return STATUS(KVS_NO_MEMORY, "%s: no memory to replay its logs", replay->options->folder);
        replay->marks = larger;
        replay->mark_capacity = capacity;
    }
    KVS_ASSERT(replay->marks != NULL);
    replay->marks[replay->mark_count++] = *mark;
    return status_ok();
}

struct kvs_status replay_set_mark(struct replay *replay, const struct replay_mark *mark)
{
    const struct replay_mark *last = replay->mark_count == 0 ? NULL : &replay->marks[replay->mark_count - 1];
    if (last != NULL && last->log == mark->log && mark->offset - last->offset < MARK_BYTES)
        return status_ok();
    return append_mark(replay, mark);
}

/* Where the record after the last proven one of a log begins, from the mark before it on. */
static struct kvs_status find_proven_end(struct replay *replay, size_t index, const struct replay_mark *mark)
{
    const struct log_replay_options *options = replay->options;
    struct log_replay_end *end = &replay->ends[index];
    struct listed_log log = {0};
    struct kvs_status status = listed_log_open(replay->io, &log, options->folder, options->uuid, &options->logs[index]);
    log.reader.offset = mark->offset;
    replay->report.proven_sequence = mark->last_sequence;
    for (uint64_t number = mark->record; number <= end->proven_record && status_is_ok(status); number++) {
        enum log_read found = LOG_READ_END;
        struct log_record record;
        struct kvs_slice payload;
        status = log_reader_next(&log.reader, &found, &record, &payload);
        if (status_is_ok(status) && (found != LOG_READ_RECORD || record.number != number))
            status = STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": record %" PRIu64 " is not there any more", log.path,
                            log.reader.offset, number);
        if (status_is_ok(status))
            replay->report.proven_sequence = log_record_last_sequence(&record);
    }
    end->proven_bytes = log.reader.offset;
    listed_log_close(&log);
    return status_is_ok(status) ? status : replay_refuse_cause(replay, index, status);
}

/* The last mark at or before a record; there is one, since every log with records has one at its first. */
static const struct replay_mark *mark_before(const struct replay *replay, uint64_t record)
{
    const struct replay_mark *mark = replay->marks;
    for (size_t i = 1; i < replay->mark_count && replay->marks[i].record <= record; i++)
        mark = &replay->marks[i];
    return mark;
}

/* What a log holds, and which of it is proven; in the log that D lies in, where that ends is not known yet. */
static void measure_log(struct replay *replay, size_t index)
{
    struct log_replay_end *end = &replay->ends[index];
    uint64_t before = replay->options->logs[index].first_record - 1;
    uint64_t proven = replay->durable < end->last_record ? replay->durable : end->last_record;
    end->proven_record = proven > before ? proven : before;
    end->proven_bytes = end->proven_record == end->last_record ? end->end_bytes : LOG_HEADER_BYTES;
    replay->report.records += end->last_record - before;
    replay->report.unproven += end->last_record - end->proven_record;
    replay->report.bytes += end->end_bytes - LOG_HEADER_BYTES;
}

struct kvs_status replay_measure(struct replay *replay)
{
    const struct log_replay_options *options = replay->options;
    size_t last_proven = options->count;
    for (size_t i = 0; i < options->count; i++) {
        measure_log(replay, i);
        if (replay->ends[i].proven_record >= options->logs[i].first_record)
            last_proven = i;
    }
    if (replay->report.unproven == 0)
        replay->report.proven_sequence = replay->last_sequence;
    else if (last_proven < options->count)
        return find_proven_end(replay, last_proven, mark_before(replay, replay->ends[last_proven].proven_record));
    return status_ok();
}
