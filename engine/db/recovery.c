#include "db/recovery.h"

#include "base/assert.h"
#include "format/batch.h"
#include "wal/log_replay.h"
#include "wal/log_set_aside.h"

#include <stdlib.h>
#include <string.h>

/* logs, listings, ends    the live logs as the manifest lists them, and what replay found in them
 * flushed_sequence  entries up to it are in segments already: a crash between a flush and the next edit leaves them in a log too
 * filling           takes the replayed entries, becomes the active memtable
 * position          of the last record that was visited, as it is numbered from now on
 * first_new         the first record number of the new log: above all that were ever given out
 * writer            the new log, for unproven records; NULL when nothing may be written */
struct recovery {
    struct kvs_db *db;
    struct manifest_log *logs;
    struct log_listing *listings;
    struct log_replay_end *ends;
    size_t count;
    struct log_replay_report report;
    uint64_t flushed_sequence;
    struct memtable *filling;
    struct position position;
    uint64_t first_new;
    struct log_writer *writer;
};

/* ---- The version set ---- */

static void log_version_set(void *context, struct kvs_status status, const char *line)
{
    db_log(context, status_is_ok(status) ? KVS_LOG_INFO : KVS_LOG_WARNING, "%s", line);
}

static struct kvs_status check_owner(const struct kvs_db *db)
{
    const char *owner = version_set_owner(db->versions);
    if (db->options.owner == NULL || strcmp(owner, db->options.owner) == 0)
        return status_ok();
    return STATUS(KVS_UNSUPPORTED, "%s was made by \"%s\", not by \"%s\"", db->path, owner, db->options.owner);
}

static struct kvs_status open_versions(struct kvs_db *db, struct version_recovery *found_state)
{
    struct version_set_options options = {
        .io = db->io, .folder = db->path, .segments = &db->segments, .log = log_version_set, .log_context = db};
    bool found;
    STATUS_RETURN_IF_ERROR(version_set_find(&found, db->io, db->path));
    *found_state = (struct version_recovery){0};
    if (!found) {
        if (!db->options.create_if_missing || db->options.read_only)
            return STATUS(KVS_NOT_FOUND, "there is no database in %s", db->path);
        return version_set_create(&db->versions, &options, db->options.owner == NULL ? "" : db->options.owner);
    }
    if (db->options.fail_if_exists)
        return STATUS(KVS_INVALID, "there is a database in %s already", db->path);
    STATUS_RETURN_IF_ERROR(version_set_recover(&db->versions, found_state, &options));
    STATUS_RETURN_IF_ERROR(check_owner(db));
    return status_ok();
}

static uint64_t largest_segment_sequence(struct kvs_db *db)
{
    struct version *version = version_set_current(db->versions);
    uint64_t largest = 0;
    for (size_t i = 0; i < version->run_count; i++) {
        for (size_t j = 0; j < version->runs[i]->count; j++) {
            uint64_t sequence = version->runs[i]->segments[j]->meta.max_sequence;
            largest = sequence > largest ? sequence : largest;
        }
    }
    version_unref(version);
    return largest;
}

/* ---- Replay ---- */

static struct kvs_status list_logs(struct recovery *recovery)
{
    STATUS_RETURN_IF_ERROR(version_set_logs(recovery->db->versions, &recovery->logs, &recovery->count));
    size_t count = recovery->count == 0 ? 1 : recovery->count;
    recovery->listings = calloc(count, sizeof *recovery->listings);
    recovery->ends = calloc(count, sizeof *recovery->ends);
    if (recovery->listings == NULL || recovery->ends == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a list of %zu logs", recovery->count);
    for (size_t i = 0; i < recovery->count; i++) {
        const struct manifest_log *log = &recovery->logs[i];
        recovery->listings[i] =
            (struct log_listing){log->number, log->first_record, log->is_ended, log->size_bytes, log->last_record};
    }
    return status_ok();
}

static struct kvs_status replay(struct recovery *recovery, uint64_t durable_record, log_replay_visit *visit)
{
    struct log_replay_options options = {
        .folder = recovery->db->path,
        .uuid = version_set_uuid(recovery->db->versions),
        .logs = recovery->listings,
        .count = recovery->count,
        .durable_record = durable_record,
        .visit = visit,
        .context = recovery,
    };
    if (recovery->count == 0) {
        recovery->report = (struct log_replay_report){.last_record = durable_record, .next_record = durable_record + 1};
        return status_ok();
    }
    return log_replay(recovery->db->io, &recovery->report, recovery->ends, &options);
}

/* The filling memtable is full: it becomes one that waits for its flush. */
static struct kvs_status seal_filling(struct recovery *recovery)
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
        STATUS_RETURN_IF_ERROR(seal_filling(recovery));
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
    batch_cursor_init(&cursor, record->payload, record->header.count, record->header.first_sequence);
    while (batch_cursor_next(&cursor, &entry))
        memtable_insert(recovery->filling, key_of(entry.key, key_trailer(entry.sequence, entry.kind_byte)),
                        entry.value);
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

/* Write an unproven record again, under a number that was never given out. */
static struct kvs_status log_again(struct recovery *recovery, const struct log_replay_record *record)
{
    struct log_record header = record->header;
    if (recovery->position.record < recovery->first_new - 1)
        recovery->position.record = recovery->first_new - 1;
    header.number = recovery->position.record + 1;
    header.watermark = recovery->report.durable_record;
    STATUS_RETURN_IF_ERROR(make_log_room(recovery->writer, log_record_bytes(header.payload_bytes),
                                         recovery->db->commit.options.buffer_bytes));
    log_writer_append(recovery->writer, &header, record->payload.data);
    recovery->position.record = header.number;
    return status_ok();
}

static struct kvs_status visit_record(void *context, const struct log_replay_record *record)
{
    struct recovery *recovery = context;
    if (record->header.kind != LOG_BATCH)
        return STATUS(KVS_UNSUPPORTED, "%s/%06llu.log: record %llu is of kind %u, which this version does not know",
                      recovery->db->path, (unsigned long long)recovery->logs[record->log].number,
                      (unsigned long long)record->header.number, record->header.kind);
    /* Inserted first: a memtable that is sealed for it ends at the record before. */
    if (log_record_last_sequence(&record->header) > recovery->flushed_sequence)
        STATUS_RETURN_IF_ERROR(insert_record(recovery, record));
    if (recovery->writer != NULL && !record->proven)
        STATUS_RETURN_IF_ERROR(log_again(recovery, record));
    else
        recovery->position.record = record->header.number;
    recovery->position.sequence = log_record_last_sequence(&record->header);
    return status_ok();
}

/* ---- Making it durable ---- */

static struct kvs_status set_tails_aside(struct recovery *recovery)
{
    struct kvs_db *db = recovery->db;
    for (size_t i = 0; i < recovery->count; i++) {
        const struct log_replay_end *end = &recovery->ends[i];
        if (end->tail_bytes == 0)
            continue;
        STATUS_RETURN_IF_ERROR(
            log_set_aside(db->io, db->path, recovery->logs[i].number, end->tail_offset, end->tail_bytes));
        db_log(db, KVS_LOG_WARNING, "%s/%06llu.log: a torn tail of %llu bytes at offset %llu was set aside in lost/",
               db->path, (unsigned long long)recovery->logs[i].number, (unsigned long long)end->tail_bytes,
               (unsigned long long)end->tail_offset);
    }
    return status_ok();
}

/* Old logs end at their last proven record, those without any go, and the new log begins after it. */
static struct kvs_status compose_edit(struct recovery *recovery, struct manifest_edit *edit,
                                      const struct live_log *made)
{
    bool is_needed = recovery->db->commit.sealed_count != 0 || memtable_count(recovery->filling) != 0;
    for (size_t i = 0; i < recovery->count; i++) {
        const struct manifest_log *log = &recovery->logs[i];
        const struct log_replay_end *end = &recovery->ends[i];
        if (!is_needed || end->proven_record < log->first_record)
            STATUS_RETURN_IF_ERROR(manifest_edit_drop_log(edit, log->number));
        else if (!log->is_ended)
            STATUS_RETURN_IF_ERROR(manifest_edit_end_log(edit, log->number, end->proven_bytes, end->proven_record));
    }
    STATUS_RETURN_IF_ERROR(manifest_edit_add_log(edit, made->number, made->before.record + 1));
    edit->numbers.durable_record = recovery->position.record;
    edit->numbers.published_sequence = edit->numbers.last_sequence = recovery->db->commit.applied.sequence;
    return status_ok();
}

static struct kvs_status add_ended_log(struct commit *commit, uint64_t number, uint64_t last_record)
{
    struct live_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a list of logs");
    *log = (struct live_log){.number = number, .last = {last_record, 0}, .state = LOG_ENDED, .listed = true};
    if (commit->active != NULL)
        commit->active->newer = log;
    else
        commit->oldest = log;
    commit->active = log;
    return status_ok();
}

/* The chain: the old logs that are kept, and the new one. On failure the made log is still the caller's. */
static struct kvs_status build_chain(struct recovery *recovery, struct live_log *made, const struct manifest_edit *edit)
{
    struct commit *commit = &recovery->db->commit;
    for (size_t i = 0; i < recovery->count; i++) {
        bool is_dropped = false;
        for (size_t j = 0; j < edit->logs_dropped_count; j++)
            is_dropped |= edit->logs_dropped[j] == recovery->logs[i].number;
        if (!is_dropped)
            STATUS_RETURN_IF_ERROR(add_ended_log(commit, recovery->logs[i].number, recovery->ends[i].proven_record));
    }
    if (commit->active != NULL)
        commit->active->newer = made;
    else
        commit->oldest = made;
    commit->active = commit->writing_log = commit->syncing_log = made;
    made->listed = true;
    return status_ok();
}

static struct kvs_status publish_view(struct recovery *recovery)
{
    struct kvs_db *db = recovery->db;
    struct view *view = view_new(db->commit.sealed_count + 1);
    if (view == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a view");
    view_add_table(view, recovery->filling);
    for (uint32_t skip = db->commit.sealed_count; skip > 0; skip--) {
        struct sealed_table *table = db->commit.sealed_oldest;
        for (uint32_t i = 1; i < skip; i++)
            table = table->newer;
        view_add_table(view, table->memtable);
    }
    struct version *version = version_set_current(db->versions);
    view_set_version(view, version);
    version_unref(version);
    views_publish(&db->views, view);
    db->commit.memtable = recovery->filling; /* the view has its own reference */
    memtable_unref(recovery->filling);
    recovery->filling = NULL;
    return status_ok();
}

static void set_positions(struct recovery *recovery, const struct version_recovery *state)
{
    struct commit *commit = &recovery->db->commit;
    const uint64_t candidates[] = {recovery->position.sequence, recovery->flushed_sequence,
                                   state->numbers.last_sequence,
                                   recovery->report.next_sequence == 0 ? 0 : recovery->report.next_sequence - 1};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        if (candidates[i] > recovery->position.sequence)
            recovery->position.sequence = candidates[i];
    }
    commit->applied = commit->written = commit->durable = recovery->position;
    atomic_store(&commit->published, recovery->position.sequence);
    atomic_store(&commit->applied_sequence, recovery->position.sequence);
    atomic_store(&commit->durable_sequence, recovery->position.sequence);
    recovery->db->workers.noted_record = recovery->position.record;
    recovery->db->recovered =
        (struct recovery_counts){recovery->report.records, recovery->report.bytes, recovery->report.tail_bytes};
}

static struct kvs_status install_edit(struct recovery *recovery, struct live_log *made)
{
    struct version_edit edit;
    version_edit_init(&edit);
    struct kvs_status status = compose_edit(recovery, &edit.manifest, made);
    if (status_is_ok(status))
        status = version_set_install(recovery->db->versions, &edit, NULL, NULL);
    if (status_is_ok(status))
        status = build_chain(recovery, made, &edit.manifest);
    version_edit_fini(&edit);
    return status;
}

/* Replay into memtables and the new log, make that log durable and list it. */
static struct kvs_status replay_into(struct recovery *recovery, const struct version_recovery *state,
                                     struct prepared_log *made)
{
    recovery->writer = made->log->writer;
    recovery->first_new = recovery->report.next_record;
    made->log->before.record = recovery->first_new - 1;
    log_writer_begin(recovery->writer, recovery->first_new);
    recovery->filling = made->memtable;
    made->memtable = NULL;
    STATUS_RETURN_IF_ERROR(replay(recovery, state->numbers.durable_record, visit_record));
    if (recovery->position.record < recovery->first_new - 1)
        recovery->position.record = recovery->first_new - 1;
    STATUS_RETURN_IF_ERROR(write_out(recovery->writer));
    if (recovery->report.unproven != 0)
        STATUS_RETURN_IF_ERROR(log_writer_sync(recovery->writer, SYNC_LOG_RECOVERY));
    set_positions(recovery, state);
    return install_edit(recovery, made->log);
}

static struct kvs_status recover_for_writing(struct recovery *recovery, const struct version_recovery *state,
                                             bool is_new)
{
    struct kvs_db *db = recovery->db;
    struct manifest_numbers numbers = {
        .last_sequence = recovery->report.next_sequence == 0 ? 0 : recovery->report.next_sequence - 1};
    STATUS_RETURN_IF_ERROR(set_tails_aside(recovery));
    if (!is_new) {
        STATUS_RETURN_IF_ERROR(version_set_begin(db->versions, &numbers));
        STATUS_RETURN_IF_ERROR(version_set_sweep(db->versions));
    }
    struct prepared_log made;
    /* Whatever is unproven goes into this one log, however many memtables it fills. */
    STATUS_RETURN_IF_ERROR(upkeep_prepare(db, &made, db->table_bytes, recovery->report.bytes));
    struct kvs_status status = replay_into(recovery, state, &made);
    view_unref(made.view);
    free(made.seal);
    memtable_unref(made.memtable);
    if (!status_is_ok(status)) {
        if (db->commit.active != made.log) {
            log_writer_close(made.log->writer);
            free(made.log);
        }
        return status;
    }
    return publish_view(recovery);
}

/* Everything is in memory or in segments, and nothing will change. */
static struct kvs_status recover_for_reading(struct recovery *recovery, const struct version_recovery *state)
{
    STATUS_RETURN_IF_ERROR(replay(recovery, state->numbers.durable_record, visit_record));
    STATUS_RETURN_IF_ERROR(make_room(recovery, 0));
    set_positions(recovery, state);
    return publish_view(recovery);
}

struct kvs_status recovery_run(struct kvs_db *db)
{
    struct recovery recovery = {.db = db};
    struct version_recovery state;
    STATUS_RETURN_IF_ERROR(open_versions(db, &state));
    bool is_new = state.records == 0;
    recovery.flushed_sequence = largest_segment_sequence(db);
    struct kvs_status status = list_logs(&recovery);
    if (status_is_ok(status) && !db->options.read_only)
        status = replay(&recovery, state.numbers.durable_record, NULL);
    if (status_is_ok(status))
        status = db->options.read_only ? recover_for_reading(&recovery, &state)
                                       : recover_for_writing(&recovery, &state, is_new);
    memtable_unref(recovery.filling);
    free(recovery.logs);
    free(recovery.listings);
    free(recovery.ends);
    return status;
}
