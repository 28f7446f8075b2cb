#include "oracle.h"

#include "format/batch.h"
#include "format/log_header.h"
#include "format/log_record.h"
#include "version/manifest.h"
#include "version/manifest_state.h"

#include <stdlib.h>
#include <string.h>

/* A log read whole. limit: what lies beyond does not exist. */
struct log {
    uint8_t *bytes;
    size_t size, limit;
    uint64_t file_id;
    bool is_sound;
};

static struct log read_log(struct io_mem *mem, const char *folder, const uint8_t *uuid,
                           const struct manifest_log *listed)
{
    char path[IO_PATH_BYTES];
    struct log log = {.bytes = NULL};
    struct log_header header;
    struct kvs_status status = file_name_path(path, folder, FILE_LOG, listed->number);
    if (!status_is_ok(status))
        return log;
    log.bytes = io_mem_copy_file(mem, &log.size, path);
    if (log.bytes == NULL || !status_is_ok(log_header_decode(&header, log.bytes, log.size, path)) ||
        !status_is_ok(file_header_expect(&header.identity, uuid, listed->number, path)))
        return log;
    log.file_id = header.identity.file_id;
    log.limit = listed->is_ended ? listed->size_bytes : log.size;
    log.is_sound = log.size >= header.preallocated_bytes && log.size >= log.limit;
    return log;
}

static bool record_at(const struct log *log, struct log_record *record, size_t at)
{
    static const uint8_t zeros[LOG_RECORD_HEADER_BYTES];
    return log->limit >= at + sizeof zeros && memcmp(log->bytes + at, zeros, sizeof zeros) != 0 &&
           log_record_decode(record, log->bytes + at, log->file_id, at);
}

static bool whole_record_at(const struct log *log, struct log_record *record, size_t at)
{
    return record_at(log, record, at) && log_record_bytes(record->payload_bytes) <= log->limit - at &&
           log_record_payload_verifies(record, log->bytes + at + LOG_RECORD_HEADER_BYTES);
}

static void raise(uint64_t *value, uint64_t other)
{
    if (other > *value)
        *value = other;
}

static uint64_t largest_watermark(const struct log *log)
{
    uint64_t largest = 0;
    struct log_record record;
    for (size_t at = LOG_HEADER_BYTES; at + LOG_RECORD_HEADER_BYTES <= log->limit; at += LOG_RECORD_ALIGNMENT) {
        if (record_at(log, &record, at))
            raise(&largest, record.watermark);
    }
    return largest;
}

/* The chain so far. */
struct chain {
    uint64_t expected, sequence, durable;
    bool has_stopped;
};

static bool makes_sense(const struct log *log, const struct log_record *record, size_t at, uint64_t sequence)
{
    struct kvs_slice payload = slice_of(log->bytes + at + LOG_RECORD_HEADER_BYTES, record->payload_bytes);
    return record->kind == LOG_BATCH && record->count > 0 && record->first_sequence > sequence &&
           status_is_ok(batch_check(payload, record->count));
}

/* Walk one listed log; returns the rule that refuses it, or 0. */
static int walk(struct chain *chain, const struct log *log, const struct manifest_log *listed, bool next_follows_it,
                uint64_t next_first)
{
    struct log_record record;
    size_t at = LOG_HEADER_BYTES;
    uint64_t number = listed->first_record, sequence = chain->has_stopped ? 0 : chain->sequence;
    if (!log->is_sound)
        return 2;
    while (whole_record_at(log, &record, at) && record.number == number) {
        if (!makes_sense(log, &record, at, sequence))
            return 2;
        sequence = log_record_last_sequence(&record);
        at += log_record_bytes(record.payload_bytes);
        number++;
    }
    if (listed->is_ended && (at != listed->size_bytes || number != listed->last_record + 1))
        return 2;
    raise(&chain->durable, largest_watermark(log));
    if (chain->has_stopped)
        return 0;
    chain->expected = number;
    chain->sequence = sequence;
    chain->has_stopped = !listed->is_ended && !(next_follows_it && next_first == number);
    return 0;
}

struct newer_logs {
    uint64_t listed; /* the newest that is */
    uint64_t numbers[16];
    size_t count;
};

static bool note_newer(void *context, const char *name)
{
    struct newer_logs *newer = context;
    uint64_t number;
    if (file_name_parse(&number, name) == FILE_LOG && number > newer->listed &&
        newer->count < sizeof newer->numbers / sizeof *newer->numbers)
        newer->numbers[newer->count++] = number;
    return true;
}

/* Logs that are newer than any listed one hold nothing, but what they know as durable was listed once. */
static void hear_newer_logs(struct chain *chain, struct io_mem *mem, const char *folder, const uint8_t *uuid,
                            const struct manifest_logs *logs)
{
    struct newer_logs newer = {.listed = logs->count == 0 ? 0 : logs->logs[logs->count - 1].number};
    if (!status_is_ok(io_list(io_mem_as_io(mem), folder, note_newer, &newer)))
        return;
    for (size_t i = 0; i < newer.count; i++) {
        struct manifest_log unlisted = {.number = newer.numbers[i]};
        struct log log = read_log(mem, folder, uuid, &unlisted);
        if (log.is_sound)
            raise(&chain->durable, largest_watermark(&log));
        free(log.bytes);
    }
}

static struct oracle_verdict judge_logs(struct io_mem *mem, const char *folder, const uint8_t *uuid,
                                        const struct manifest_state *state)
{
    const struct manifest_logs *logs = &state->logs;
    struct chain chain = {.durable = state->numbers.durable_record};
    int rule = 0;
    chain.expected = logs->count > 0 ? logs->logs[0].first_record : chain.durable + 1;
    for (size_t i = 0; i < logs->count && logs->logs[i].is_ended; i++)
        raise(&chain.durable, logs->logs[i].last_record);
    for (size_t i = 0; i < logs->count && rule == 0; i++) {
        bool has_next = i + 1 < logs->count;
        struct log log = read_log(mem, folder, uuid, &logs->logs[i]);
        rule = walk(&chain, &log, &logs->logs[i], has_next, has_next ? logs->logs[i + 1].first_record : 0);
        free(log.bytes);
    }
    if (rule == 0)
        hear_newer_logs(&chain, mem, folder, uuid, logs);
    if (rule == 0 && chain.durable >= chain.expected)
        rule = 3;
    return (struct oracle_verdict){.rule = rule, .sequence = chain.sequence, .durable = chain.durable};
}

static struct kvs_status visit(void *context, const struct manifest_edit *edit, const char *path, uint64_t offset)
{
    return manifest_state_apply(context, edit, path, offset);
}

/* Read the manifest that CURRENT names. state is the caller's to fini, whatever comes. Returns whether it can be read to its end. */
static bool read_state(struct io_mem *mem, const char *folder, struct manifest_state *state,
                       struct manifest_current *current)
{
    struct manifest_replay_result result;
    bool found = false;
    manifest_state_init(state);
    struct kvs_status status = manifest_current_read(io_mem_as_io(mem), current, &found, folder);
    if (status_is_ok(status) && found)
        status = manifest_replay(io_mem_as_io(mem), &result, folder, current, visit, state);
    return status_is_ok(status) && found;
}

uint64_t oracle_listed_end(struct io_mem *mem, const char *folder, uint64_t number)
{
    struct manifest_current current;
    struct manifest_state state;
    uint64_t end = 0;
    (void)read_state(mem, folder, &state, &current);
    for (size_t i = 0; i < state.logs.count; i++) {
        const struct manifest_log *log = &state.logs.logs[i];
        if (log->number == number)
            end = log->is_ended ? log->size_bytes : UINT64_MAX;
    }
    manifest_state_fini(&state);
    return end;
}

struct oracle_verdict oracle_judge(struct io_mem *mem, const char *folder)
{
    struct oracle_verdict verdict = {.rule = ORACLE_MANIFEST};
    struct manifest_current current;
    struct manifest_state state;
    if (read_state(mem, folder, &state, &current)) {
        verdict = judge_logs(mem, folder, current.uuid, &state);
        for (size_t i = 0; i < state.slot_count; i++) {
            if (state.slots[i].is_live)
                raise(&verdict.sequence, state.slots[i].added.meta.max_sequence);
        }
    }
    manifest_state_fini(&state);
    return verdict;
}
