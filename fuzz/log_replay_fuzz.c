/* log_replay_fuzz.c -- replays one or two logs made of the input.
 *
 * Role      Whatever the logs hold, replay either refuses, or delivers runs of consecutive record numbers that agree with its report, and those beyond
 *           D once more when asked to; D is at least the largest watermark that a plain scan finds, and what is delivered reaches to it. It changes nothing
 *           on the disk, and what it says is a tail can be set aside.
 * Format    11 bytes that say what is listed (struct plan), then the bytes of log 1, then those of log 2. Checksums stop a fuzzer at the first byte
 *           that it changes, so in repair mode headers, frames and checksums are made right first, and what is left to vary is their content.
 * Failure   Aborts.
 */

#include "fuzz.h"

#include "format/checksum.h"
#include "format/log_header.h"
#include "io/io_mem.h"
#include "wal/log_replay.h"
#include "wal/log_set_aside.h"

enum { PLAN_BYTES = 11, LOGS = 2, INPUT_MAX_BYTES = 1 << 16 };

/* In a record's payload size: repair leaves this record as it is. */
#define RECORD_LEFT_BAD (UINT32_C(1) << 31)

/* Byte 0 of the input. */
enum plan_flag {
    PLAN_TWO_LOGS = 1,
    PLAN_REPAIR = 2,
    PLAN_END_1 = 4,
    PLAN_END_2 = 8,
    PLAN_RENUMBER = 16, /* repair makes record and sequence numbers follow each other */
};

static const uint8_t uuid[FILE_UUID_BYTES] = "fuzz log replay";

struct plan {
    unsigned flags;
    size_t count;
    uint64_t durable_record;
    struct log_listing logs[LOGS];
    uint8_t *bytes[LOGS];
    size_t sizes[LOGS];
};

/* The listed end is where the input says, at most the end of the file, aligned. */
static void plan_end(struct plan *plan, size_t log, uint64_t end_bytes, uint64_t last_record)
{
    struct log_listing *listing = &plan->logs[log];
    listing->has_end = (plan->flags & (log == 0 ? PLAN_END_1 : PLAN_END_2)) != 0;
    listing->end_bytes = listing->has_end ? end_bytes * 8 : 0;
    listing->last_record = listing->has_end ? last_record : 0;
}

static void plan_bytes(struct plan *plan, size_t log, const uint8_t *data, size_t size)
{
    plan->bytes[log] = malloc(size > 0 ? size : 1);
    KVS_ASSERT(plan->bytes[log] != NULL);
    if (size > 0)
        memcpy(plan->bytes[log], data, size);
    plan->sizes[log] = size;
}

static void plan_init(struct plan *plan, const uint8_t *data, size_t size)
{
    *plan = (struct plan){.flags = data[0], .durable_record = data[1]};
    plan->count = plan->flags & PLAN_TWO_LOGS ? 2 : 1;
    plan->logs[0] = (struct log_listing){.number = 1, .first_record = 1};
    plan->logs[1] = (struct log_listing){.number = 2, .first_record = data[2]};
    plan_end(plan, 0, coding_get_u16(data + 5), data[3]);
    plan_end(plan, 1, coding_get_u16(data + 7), data[4]);
    size_t first = coding_get_u16(data + 9);
    size_t rest = size - PLAN_BYTES;
    if (plan->count == 1 || first > rest)
        first = rest;
    plan_bytes(plan, 0, data + PLAN_BYTES, first);
    plan_bytes(plan, 1, data + PLAN_BYTES + first, rest - first);
}

static void plan_fini(struct plan *plan)
{
    for (size_t i = 0; i < LOGS; i++)
        free(plan->bytes[i]);
}

static uint64_t repair_header(struct plan *plan, size_t log)
{
    uint8_t *bytes = plan->bytes[log];
    struct log_header header = {
        .identity = {.type = FILE_LOG, .number = log + 1, .file_id = coding_get_u64(bytes + 32)},
        .preallocated_bytes = coding_get_u64(bytes + FILE_HEADER_BYTES) % (plan->sizes[log] + 1),
    };
    memcpy(header.identity.uuid, uuid, sizeof uuid);
    log_header_encode(bytes, &header);
    return header.identity.file_id;
}

/* The record at offset as the input has it, made possible. */
static struct log_record repaired_record(const uint8_t *at, size_t rest, bool renumber, uint64_t *number,
                                         uint64_t *sequence)
{
    struct log_record record = {
        .number = coding_get_u64(at + 16) % RECORD_NUMBER_MAX,
        .first_sequence = coding_get_u64(at + 24) >> 9,
        .watermark = coding_get_u64(at + 32),
        .payload_bytes = coding_get_u32(at + 40) % (uint32_t)(rest - LOG_RECORD_HEADER_BYTES + 1),
        .count = coding_get_u32(at + 44),
        .kind = at[24],
    };
    if (renumber) {
        record.number = *number;
        record.first_sequence = *sequence;
        record.count = record.count % 16 + 1;
        record.kind = LOG_BATCH;
    }
    record.number += record.number == 0;
    record.watermark %= record.number;
    *number += 1;
    *sequence += record.count;
    return record;
}

/* Make every record verify, but for those that the input wants bad. */
static void repair_log(struct plan *plan, size_t log, uint64_t *sequence)
{
    uint8_t *bytes = plan->bytes[log];
    size_t size = plan->sizes[log];
    if (size < LOG_HEADER_BYTES)
        return;
    uint64_t file_id = repair_header(plan, log);
    uint64_t number = plan->logs[log].first_record > 0 ? plan->logs[log].first_record : 1;
    for (size_t at = LOG_HEADER_BYTES; size - at >= LOG_RECORD_HEADER_BYTES;) {
        bool is_bad = (coding_get_u32(bytes + at + 40) & RECORD_LEFT_BAD) != 0;
        size_t rest = (size - at) & ~(size_t)7;
        struct log_record record =
            repaired_record(bytes + at, rest, (plan->flags & PLAN_RENUMBER) != 0, &number, sequence);
        const uint8_t *payload = bytes + at + LOG_RECORD_HEADER_BYTES;
        record.payload_hash = hash_bytes(payload, record.payload_bytes);
        size_t record_size = log_record_bytes(record.payload_bytes);
        if (!is_bad) {
            log_record_encode(bytes + at, &record, file_id, at);
            memset(bytes + at + LOG_RECORD_HEADER_BYTES + record.payload_bytes, 0,
                   record_size - LOG_RECORD_HEADER_BYTES - record.payload_bytes);
        }
        at += record_size;
    }
}

/* What was delivered so far; durable: when what is beyond D is delivered again, D. */
struct run {
    const struct plan *plan;
    uint64_t durable;
    uint64_t records;
    uint64_t last_record;
    uint64_t last_sequence;
    size_t last_log;
};

static struct kvs_status check_record(void *context, const struct log_replay_record *record)
{
    struct run *run = context;
    bool begins_log = run->records == 0 || record->log != run->last_log;
    KVS_ASSERT(record->log < run->plan->count && (run->records == 0 || record->log >= run->last_log));
    uint64_t expected = begins_log ? run->plan->logs[record->log].first_record : run->last_record + 1;
    KVS_ASSERT(record->header.number == expected && record->header.number > run->last_record);
    KVS_ASSERT(record->header.first_sequence > run->last_sequence);
    KVS_ASSERT(record->offset + log_record_bytes(record->payload.size) <= run->plan->sizes[record->log]);
    KVS_ASSERT(record->payload.size == record->header.payload_bytes);
    run->records++;
    run->last_record = record->header.number;
    run->last_sequence = log_record_last_sequence(&record->header);
    run->last_log = record->log;
    return status_ok();
}

/* The numbers between two records that are beyond D may be in a log that has none of them. */
static struct kvs_status check_unproven(void *context, const struct log_replay_record *record)
{
    struct run *run = context;
    KVS_ASSERT(record->header.number > run->durable && record->header.number > run->last_record);
    KVS_ASSERT(record->log < run->plan->count && record->payload.size == record->header.payload_bytes);
    run->records++;
    run->last_record = record->header.number;
    return status_ok();
}

/* Of any record header that verifies in a log, up to its listed end. */
static uint64_t largest_watermark(const struct plan *plan, size_t log)
{
    const struct log_listing *listing = &plan->logs[log];
    const uint8_t *bytes = plan->bytes[log];
    uint64_t size = plan->sizes[log], largest = 0;
    struct log_record record;
    if (listing->has_end && size > listing->end_bytes)
        size = listing->end_bytes;
    for (uint64_t at = LOG_HEADER_BYTES; at + LOG_RECORD_HEADER_BYTES <= size; at += LOG_RECORD_ALIGNMENT)
        if (log_record_decode(&record, bytes + at, coding_get_u64(bytes + 32), at) && record.watermark > largest)
            largest = record.watermark;
    return largest;
}

static void check_report(const struct run *run, const struct log_replay_report *report,
                         const struct log_replay_end *ends)
{
    KVS_ASSERT(report->records == run->records && report->unproven <= run->records);
    KVS_ASSERT(report->last_sequence == run->last_sequence);
    KVS_ASSERT(run->records == 0 || report->last_record >= run->last_record);
    KVS_ASSERT(report->durable_record >= run->plan->durable_record);
    KVS_ASSERT(report->next_record > report->last_record && report->next_record > report->durable_record);
    KVS_ASSERT(report->last_record >= report->durable_record);
    for (size_t i = 0; i < run->plan->count; i++) {
        KVS_ASSERT(report->durable_record >= largest_watermark(run->plan, i));
        KVS_ASSERT(ends[i].proven_bytes <= ends[i].end_bytes && ends[i].proven_record <= ends[i].last_record);
        KVS_ASSERT(ends[i].end_bytes <= run->plan->sizes[i]);
        KVS_ASSERT(ends[i].tail_bytes <= run->plan->sizes[i] - ends[i].tail_offset);
    }
}

static void replay_plan(struct io_mem *mem, const struct plan *plan)
{
    struct io *io = io_mem_as_io(mem);
    struct run run = {.plan = plan};
    struct log_replay_report report;
    struct log_replay_end ends[LOGS];
    struct log_replay_options options = {
        .folder = "/",
        .uuid = uuid,
        .logs = plan->logs,
        .count = plan->count,
        .durable_record = plan->durable_record,
        .visit = check_record,
        .context = &run,
    };
    uint64_t calls = io_mem_call_count(mem);
    struct kvs_status status = log_replay(io, &report, ends, &options);
    KVS_ASSERT(io_mem_call_count(mem) == calls && io_mem_open_count(mem) == 0);
    if (!status_is_ok(status)) {
        KVS_ASSERT(status.code == KVS_CORRUPT || status.code == KVS_UNSUPPORTED);
        return;
    }
    check_report(&run, &report, ends);
    struct run unproven = {.plan = plan, .durable = report.durable_record};
    options.visit = check_unproven;
    options.context = &unproven;
    KVS_ASSERT(status_is_ok(log_replay_unproven(io, &options, ends)));
    KVS_ASSERT(unproven.records == report.unproven && io_mem_open_count(mem) == 0);
    KVS_ASSERT(unproven.records == 0 || unproven.last_record == run.last_record);
    for (size_t i = 0; i < plan->count; i++)
        KVS_ASSERT(status_is_ok(log_set_aside(io, "/", plan->logs[i].number, ends[i].tail_offset, ends[i].tail_bytes)));
}

static void put_file(struct io *io, const struct plan *plan, size_t log)
{
    char path[IO_PATH_BYTES];
    struct io_file *file = NULL;
    KVS_ASSERT(status_is_ok(file_name_path(path, "/", FILE_LOG, log + 1)));
    KVS_ASSERT(status_is_ok(io_file_open(io, &file, path, IO_OPEN_CREATE)));
    KVS_ASSERT(status_is_ok(io_file_write(file, plan->bytes[log], plan->sizes[log], 0)));
    io_file_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < PLAN_BYTES || size > INPUT_MAX_BYTES)
        return 0;
    struct plan plan;
    uint64_t sequence = 1;
    struct io_mem *mem = io_mem_new(1, NULL);
    KVS_ASSERT(mem != NULL);
    plan_init(&plan, data, size);
    for (size_t i = 0; i < plan.count; i++) {
        if (plan.flags & PLAN_REPAIR)
            repair_log(&plan, i, &sequence);
        put_file(io_mem_as_io(mem), &plan, i);
    }
    replay_plan(mem, &plan);
    plan_fini(&plan);
    io_mem_free(mem);
    return 0;
}
