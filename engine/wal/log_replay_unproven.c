#include "wal/log_replay.h"

#include <inttypes.h>

static struct kvs_status visit_rest(struct listed_log *log, const struct log_replay_options *options, size_t index,
                                    const struct log_replay_end *end)
{
    log->reader.offset = end->proven_bytes;
    for (uint64_t expected = end->proven_record + 1; expected <= end->last_record; expected++) {
        struct log_replay_record record = {.log = index};
        enum log_read found = LOG_READ_END;
        STATUS_RETURN_IF_ERROR(log_reader_next(&log->reader, &found, &record.header, &record.payload));
        if (found != LOG_READ_RECORD || record.header.number != expected)
            return STATUS(KVS_CORRUPT,
                          "%s: offset %" PRIu64 ": expected record %" PRIu64 " as it was read a moment ago, found %s",
                          log->path, log->reader.offset, expected,
                          found == LOG_READ_BAD ? log->reader.complaint : "another");
        record.offset = log->reader.record_offset;
        STATUS_RETURN_IF_ERROR(options->visit(options->context, &record));
    }
    return status_ok();
}

struct kvs_status log_replay_unproven(struct io *io, const struct log_replay_options *options,
                                      const struct log_replay_end *ends)
{
    struct kvs_status status = status_ok();
    for (size_t i = 0; i < options->count && status_is_ok(status); i++) {
        if (ends[i].proven_record == ends[i].last_record)
            continue;
        struct listed_log log = {0};
        status = listed_log_open(io, &log, options->folder, options->uuid, &options->logs[i]);
        if (status_is_ok(status))
            status = visit_rest(&log, options, i, &ends[i]);
        listed_log_close(&log);
    }
    return status;
}
