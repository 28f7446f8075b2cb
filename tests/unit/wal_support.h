/* wal_support.h -- logs on a simulated disk, for the tests of engine/wal.
 *
 * Role      Writes records whose content follows from their sequence number, and replays them into an array that can be looked at.
 * Failure   What must not fail fails the running cmocka test. */
#ifndef KVS_TESTS_WAL_SUPPORT_H
#define KVS_TESTS_WAL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "io/io_fault.h"
#include "io/io_mem.h"
#include "wal/log_replay.h"
#include "wal/log_writer.h"

#define WAL_FOLDER "/db"

enum { WAL_LOGS_MAX = 64, WAL_RECORDS_MAX = 4096, WAL_PIECE_BYTES = 512, WAL_BUFFER_BYTES = 4096 };

/* A disk whose calls can be made to fail. */
struct wal_disk {
    struct io_mem *mem;
    struct io_fault *fault;
    struct io *io;
};

extern const uint8_t wal_uuid[16];

/* A disk with an empty folder WAL_FOLDER, durable. */
void wal_disk_open(struct wal_disk *disk, uint64_t seed);

/* Over a disk that is there; takes it. */
void wal_disk_take(struct wal_disk *disk, struct io_mem *mem);
void wal_disk_close(struct wal_disk *disk);

/* Make a log, name and header durable, ready for its first record. */
struct log_writer *wal_log_new(struct wal_disk *disk, uint64_t number, uint64_t first_record);

/* Append a batch of one put, its key and value made from the sequence number. */
void wal_append(struct log_writer *writer, uint64_t record, uint64_t watermark, uint64_t sequence);

/* The bytes of such a record at an offset of a file; returns their number. */
size_t wal_put_record(uint8_t *out, uint64_t record, uint64_t watermark, uint64_t sequence, uint64_t file_id,
                      uint64_t offset);

/* Take and write, or that and sync. */
void wal_write(struct log_writer *writer);
void wal_sync(struct log_writer *writer);

/* What a replay gave. */
struct wal_outcome {
    struct kvs_status status;
    char text[STATUS_TEXT_BYTES];
    struct log_replay_report report;
    struct log_replay_end ends[WAL_LOGS_MAX];
    size_t count;
    struct wal_replayed {
        size_t log;
        uint64_t offset;
        uint64_t record;
        uint64_t sequence;
        uint64_t watermark;
        bool proven;
    } records[WAL_RECORDS_MAX];
};

/* Replay, checking that each record has the content that its sequence number asks for. The caller frees the outcome. */
struct wal_outcome *wal_replay(struct wal_disk *disk, const struct log_listing *logs, size_t count,
                               uint64_t durable_record);

/* As wal_replay, and that it was not refused and gave records first to last, in order. */
struct wal_outcome *wal_replay_expect(struct wal_disk *disk, const struct log_listing *logs, size_t count,
                                      uint64_t durable_record, uint64_t first, uint64_t last);

/* As wal_replay, and that it was refused by this rule with this code and changed nothing. text: what the sentence
 * must also have. */
void wal_replay_expect_refusal(struct wal_disk *disk, const struct log_listing *logs, size_t count,
                               uint64_t durable_record, enum kvs_code code, int rule, const char *text);

/* The path of a log. */
const char *wal_log_path(uint64_t number);

#endif
