#include "db/recovery_internal.h"

#include "format/batch.h"

#include <stdlib.h>

static bool note_unlisted(void *context, const char *name)
{
    struct recovery *recovery = context;
    uint64_t number, newest = recovery->count == 0 ? 0 : recovery->logs[recovery->count - 1].number;
    if (file_name_parse(&number, name) != FILE_LOG || number <= newest)
        return true;
    uint64_t *larger = realloc(recovery->unlisted, (recovery->unlisted_count + 1) * sizeof *larger);
    if (larger == NULL) {
        recovery->is_out_of_memory = true;
        return false;
    }
    recovery->unlisted = larger;
    recovery->unlisted[recovery->unlisted_count++] = number;
    return true;
}

static struct kvs_status list_logs(struct recovery *recovery)
{
    STATUS_RETURN_IF_ERROR(version_set_logs(recovery->db->versions, &recovery->logs, &recovery->count));
    STATUS_RETURN_IF_ERROR(io_list(recovery->db->io, recovery->db->path, note_unlisted, recovery));
    recovery->listings = calloc(recovery->count + 1, sizeof *recovery->listings);
    recovery->ends = calloc(recovery->count + recovery->unlisted_count + 1, sizeof *recovery->ends);
    if (recovery->is_out_of_memory || recovery->listings == NULL || recovery->ends == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a list of %zu logs", recovery->count);
    for (size_t i = 0; i < recovery->count; i++) {
        const struct manifest_log *log = &recovery->logs[i];
        recovery->listings[i] =
            (struct log_listing){log->number, log->first_record, log->is_ended, log->size_bytes, log->last_record};
    }
    return status_ok();
}

struct kvs_status recovery_seal(struct recovery *recovery)
{
    struct commit *commit = &recovery->db->commit;
    struct sealed_table *seal = calloc(1, sizeof *seal);
    if (seal == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a sealed memtable");
    *seal = (struct sealed_table){.memtable = recovery->filling, .last = recovery->position};
    recovery->filling = NULL;
    if (commit->sealed_newest != NULL)
        commit->sealed_newest->newer = seal;
    else
        commit->sealed_oldest = seal;
    commit->sealed_newest = seal;
    commit->sealed_count++;
    commit->sealed_bytes += memtable_used(seal->memtable);
    return status_ok();
}

static struct kvs_status make_room(struct recovery *recovery, size_t cost)
{
    if (recovery->filling != NULL && memtable_room(recovery->filling) >= cost)
        return status_ok();
    if (recovery->filling != NULL && memtable_count(recovery->filling) != 0)
        STATUS_RETURN_IF_ERROR(recovery_seal(recovery));
    memtable_unref(recovery->filling);
    recovery->filling = NULL;
    uint64_t least = cost + memtable_cost(0, 0);
    uint64_t capacity = recovery->db->table_bytes > least ? recovery->db->table_bytes : least;
    return memtable_new(&recovery->filling, capacity, &recovery->db->budget);
}

/* A record's entries go into one memtable together, so that no flush separates them. */
static struct kvs_status insert_record(struct recovery *recovery, const struct log_replay_record *record)
{
    struct batch_cursor cursor;
    struct batch_entry entry;
    size_t cost = 0;
    batch_cursor_init(&cursor, record->payload, record->header.count, record->header.first_sequence);
    while (batch_cursor_next(&cursor, &entry))
        cost += memtable_cost(entry.key.size, entry.value.size);
    struct kvs_status status = batch_cursor_status(&cursor);
    if (!status_is_ok(status))
        return STATUS(KVS_CORRUPT, "%s/%06llu.log: record %llu at offset %llu verifies, but its contents do not: %s",
                      recovery->db->path, (unsigned long long)recovery->logs[record->log].number,
                      (unsigned long long)record->header.number, (unsigned long long)record->offset,
                      status_text(status));
    STATUS_RETURN_IF_ERROR(make_room(recovery, cost));
    batch_insert(recovery->filling, record->payload, record->header.count, record->header.first_sequence);
    return status_ok();
}

/* Bring what the buffer holds to the file. */
static struct kvs_status write_out(struct log_writer *writer)
{
    uint64_t written_record;
    if (!log_writer_take(writer))
        return status_ok();
    return log_writer_write(writer, &written_record);
}

static struct kvs_status make_log_room(struct log_writer *writer, uint64_t bytes, size_t buffer_bytes)
{
    if (log_writer_room(writer).piece_bytes < bytes)
        STATUS_RETURN_IF_ERROR(log_writer_extend(writer, bytes));
    if (log_writer_room(writer).buffer_bytes >= bytes)
        return status_ok();
    STATUS_RETURN_IF_ERROR(write_out(writer));
    if (bytes > buffer_bytes) {
        STATUS_RETURN_IF_ERROR(log_writer_grow_buffer(writer, bytes));
        (void)log_writer_take(writer);
    }
    return status_ok();
}

static struct kvs_status visit_record(void *context, const struct log_replay_record *record)
{
    struct recovery *recovery = context;
    /* Inserted first: a memtable that is sealed for it ends at the record before. */
    if (log_record_last_sequence(&record->header) > recovery->flushed_sequence)
        STATUS_RETURN_IF_ERROR(insert_record(recovery, record));
    recovery->position = (struct position){record->header.number, log_record_last_sequence(&record->header)};
    return status_ok();
}

/* Records that are served without being written again must run on into the new log: what was cut would be a hole that ends the next replay. */
static enum unproven decide(const struct recovery *recovery)
{
    const struct log_replay_report *report = &recovery->report;
    if (report->unproven == 0)
        return PROVEN_ALL;
    bool runs_on = report->tail_bytes == 0 && report->next_record == report->last_record + 1 &&
                   report->next_sequence == report->last_sequence + 1;
    return runs_on && recovery->db->options.sync_mode != KVS_SYNC_ALWAYS ? LEFT_TO_FLUSH : WRITTEN_AGAIN;
}

struct kvs_status recovery_replay(struct recovery *recovery, uint64_t durable_record)
{
    STATUS_RETURN_IF_ERROR(list_logs(recovery));
    recovery->options = (struct log_replay_options){
        .folder = recovery->db->path,
        .uuid = version_set_uuid(recovery->db->versions),
        .logs = recovery->listings,
        .count = recovery->count,
        .unlisted = recovery->unlisted,
        .unlisted_count = recovery->unlisted_count,
        .durable_record = durable_record,
        .visit = visit_record,
        .context = recovery,
    };
    STATUS_RETURN_IF_ERROR(log_replay(recovery->db->io, &recovery->report, recovery->ends, &recovery->options));
    recovery->unproven = decide(recovery);
    recovery->first_new = recovery->report.next_record;
    return make_room(recovery, 0);
}

/* ---- What is unproven ---- */

/* The number of a record that was written again, where a sealed memtable ends with it. */
static void renumber(struct recovery *recovery, uint64_t old_number, uint64_t number)
{
    struct sealed_table **table = &recovery->renumbered;
    while (*table != NULL && (*table)->last.record < old_number)
        *table = (*table)->newer;
    if (*table != NULL && (*table)->last.record == old_number) {
        (*table)->last.record = number;
        *table = (*table)->newer;
    }
}

/* Write an unproven record again, under a number that was never given out. */
static struct kvs_status log_again(void *context, const struct log_replay_record *record)
{
    struct recovery *recovery = context;
    struct log_record header = record->header;
    header.number = recovery->position.record + 1;
    header.watermark = recovery->report.durable_record;
    STATUS_RETURN_IF_ERROR(make_log_room(recovery->writer, log_record_bytes(header.payload_bytes),
                                         recovery->db->commit.options.buffer_bytes));
    log_writer_append(recovery->writer, &header, record->payload.data);
    recovery->position.record = header.number;
    renumber(recovery, record->header.number, header.number);
    return status_ok();
}

/* The record numbers at which the sealed memtables end: read into numbers, or put back from there. */
static void copy_sealed_ends(struct recovery *recovery, uint64_t *numbers, bool put_back)
{
    for (struct sealed_table *table = recovery->db->commit.sealed_oldest; table != NULL; table = table->newer) {
        if (put_back)
            table->last.record = *numbers++;
        else
            *numbers++ = table->last.record;
    }
}

static struct kvs_status write_again(struct recovery *recovery, struct log_writer *writer)
{
    recovery->writer = writer;
    recovery->renumbered = recovery->db->commit.sealed_oldest;
    recovery->options.visit = log_again;
    STATUS_RETURN_IF_ERROR(log_replay_unproven(recovery->db->io, &recovery->options, recovery->ends));
    STATUS_RETURN_IF_ERROR(write_out(writer));
    return log_writer_sync(writer, SYNC_LOG_RECOVERY);
}

struct kvs_status recovery_write_again(struct recovery *recovery, struct log_writer *writer)
{
    struct position position = recovery->position;
    uint64_t *numbers = calloc(recovery->db->commit.sealed_count + 1, sizeof *numbers);
    if (numbers == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory to write unproven records again");
    copy_sealed_ends(recovery, numbers, false);
    struct kvs_status status = write_again(recovery, writer);
    if (!status_is_ok(status)) {
        copy_sealed_ends(recovery, numbers, true);
        recovery->position = position;
    }
    free(numbers);
    return status;
}
