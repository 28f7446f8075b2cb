#include "wal_support.h"

#include "base/hash.h"
#include "format/batch.h"
#include "format/file_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const uint8_t wal_uuid[16] = "sixteen bytes id";

void wal_disk_take(struct wal_disk *disk, struct io_mem *mem)
{
    assert_non_null(mem);
    disk->mem = mem;
    disk->fault = io_fault_new(io_mem_as_io(mem));
    assert_non_null(disk->fault);
    disk->io = io_fault_as_io(disk->fault);
}

void wal_disk_open(struct wal_disk *disk, uint64_t seed)
{
    wal_disk_take(disk, io_mem_new(seed, NULL));
    assert_int_equal(io_make_directory(disk->io, WAL_FOLDER).code, KVS_OK);
    assert_int_equal(io_directory_sync(disk->io, "/", SYNC_DATABASE_DIRECTORY).code, KVS_OK);
}

void wal_disk_close(struct wal_disk *disk)
{
    assert_int_equal(io_mem_open_count(disk->mem), 0);
    io_fault_free(disk->fault);
    io_mem_free(disk->mem);
}

const char *wal_log_path(uint64_t number)
{
    static char path[64];
    snprintf(path, sizeof path, WAL_FOLDER "/%06" PRIu64 ".log", number);
    return path;
}

struct log_writer *wal_log_new(struct wal_disk *disk, uint64_t number, uint64_t first_record)
{
    struct log_writer *writer = NULL;
    struct log_writer_options options = {
        .number = number,
        .uuid = wal_uuid,
        .capacity_bytes = 1 << 20,
        .piece_bytes = WAL_PIECE_BYTES,
        .buffer_bytes = WAL_BUFFER_BYTES,
    };
    assert_int_equal(log_writer_create(&writer, disk->io, WAL_FOLDER, &options).code, KVS_OK);
    assert_int_equal(io_directory_sync(disk->io, WAL_FOLDER, SYNC_LOG_DIRECTORY).code, KVS_OK);
    log_writer_begin(writer, first_record);
    return writer;
}

/* Records of different sizes, padding included. */
static size_t make_payload(uint8_t payload[128], uint64_t sequence)
{
    char key[32];
    char value[64];
    snprintf(key, sizeof key, "key %" PRIu64, sequence);
    memset(value, 'a' + (int)(sequence % 26), sizeof value);
    struct kvs_slice value_slice = slice_of(value, sequence * 7 % sizeof value);
    return (size_t)(batch_put_entry(payload, KEY_PUT, slice_of_text(key), value_slice) - payload);
}

static struct log_record make_record(uint8_t payload[128], uint64_t number, uint64_t watermark, uint64_t sequence)
{
    size_t size = make_payload(payload, sequence);
    return (struct log_record){
        .number = number,
        .watermark = watermark,
        .first_sequence = sequence,
        .payload_hash = hash_bytes(payload, size),
        .payload_bytes = (uint32_t)size,
        .count = 1,
        .kind = LOG_BATCH,
    };
}

void wal_append(struct log_writer *writer, uint64_t number, uint64_t watermark, uint64_t sequence)
{
    uint8_t payload[128];
    struct log_record record = make_record(payload, number, watermark, sequence);
    if (log_writer_room(writer).piece_bytes < log_record_bytes(record.payload_bytes))
        assert_int_equal(log_writer_extend(writer, log_record_bytes(record.payload_bytes)).code, KVS_OK);
    log_writer_append(writer, &record, payload);
}

size_t wal_put_record(uint8_t *out, uint64_t number, uint64_t watermark, uint64_t sequence, uint64_t file_id,
                      uint64_t offset)
{
    uint8_t payload[128];
    struct log_record record = make_record(payload, number, watermark, sequence);
    log_record_write(out, &record, payload, file_id, offset);
    return log_record_bytes(record.payload_bytes);
}

void wal_write(struct log_writer *writer)
{
    uint64_t written;
    log_writer_take(writer);
    assert_int_equal(log_writer_write(writer, &written).code, KVS_OK);
}

void wal_sync(struct log_writer *writer)
{
    wal_write(writer);
    assert_int_equal(log_writer_sync(writer, SYNC_LOG).code, KVS_OK);
}

static struct kvs_status collect(void *context, const struct log_replay_record *record)
{
    struct wal_outcome *outcome = context;
    uint8_t payload[128];
    size_t size = make_payload(payload, record->header.first_sequence);
    assert_true(slice_equal(record->payload, slice_of(payload, size)));
    assert_int_equal(record->header.count, 1);
    assert_true(outcome->count < WAL_RECORDS_MAX);
    outcome->records[outcome->count++] = (struct wal_replayed){
        .log = record->log,
        .offset = record->offset,
        .record = record->header.number,
        .sequence = record->header.first_sequence,
        .watermark = record->header.watermark,
    };
    return status_ok();
}

struct wal_outcome *wal_replay(struct wal_disk *disk, const struct log_listing *logs, size_t count,
                               uint64_t durable_record)
{
    struct wal_outcome *outcome = calloc(1, sizeof *outcome);
    assert_non_null(outcome);
    assert_true(count <= WAL_LOGS_MAX);
    struct log_replay_options options = {
        .folder = WAL_FOLDER,
        .uuid = wal_uuid,
        .logs = logs,
        .count = count,
        .durable_record = durable_record,
        .visit = collect,
        .context = outcome,
    };
    outcome->status = log_replay(disk->io, &outcome->report, outcome->ends, &options);
    status_save_text(outcome->status, outcome->text);
    if (!status_is_ok(outcome->status))
        outcome->count = 0; /* what was visited is void */
    for (size_t i = 0; i < outcome->count; i++)
        outcome->records[i].proven = outcome->records[i].record <= outcome->report.durable_record;
    return outcome;
}

struct wal_outcome *wal_replay_expect(struct wal_disk *disk, const struct log_listing *logs, size_t count,
                                      uint64_t durable_record, uint64_t first, uint64_t last)
{
    struct wal_outcome *outcome = wal_replay(disk, logs, count, durable_record);
    if (outcome->status.code != KVS_OK)
        fail_msg("refused: %s", outcome->text);
    assert_int_equal(outcome->count, last + 1 - first);
    for (size_t i = 0; i < outcome->count; i++)
        assert_int_equal(outcome->records[i].record, first + i);
    assert_int_equal(outcome->report.last_record, last);
    assert_int_equal(outcome->report.records, outcome->count);
    return outcome;
}

void wal_replay_expect_refusal(struct wal_disk *disk, const struct log_listing *logs, size_t count,
                               uint64_t durable_record, enum kvs_code code, int rule, const char *text)
{
    char rule_text[32];
    uint64_t calls_before = io_mem_call_count(disk->mem);
    struct wal_outcome *outcome = wal_replay(disk, logs, count, durable_record);
    snprintf(rule_text, sizeof rule_text, "replay rule %d ", rule);
    assert_int_equal(outcome->status.code, code);
    if (strstr(outcome->text, rule_text) == NULL || strstr(outcome->text, text) == NULL)
        fail_msg("expected rule %d and \"%s\" in: %s", rule, text, outcome->text);
    assert_non_null(strstr(outcome->text, "next: kvstore_tool repair --plan " WAL_FOLDER));
    assert_non_null(strstr(outcome->text, "sequence numbers "));
    assert_int_equal(io_mem_call_count(disk->mem), calls_before);
    free(outcome);
}
