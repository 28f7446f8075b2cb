#include "db/recovery.h"

#include "db/prepare.h"
#include "db/recovery_internal.h"
#include "format/file_name.h"
#include "wal/log_set_aside.h"
#include "wal/log_write_again.h"

#include <stdlib.h>
#include <string.h>

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

/* ---- Making it durable ---- */

static struct kvs_status set_tails_aside(struct recovery *recovery)
{
    struct kvs_db *db = recovery->db;
    for (size_t i = 0; i < recovery->count + recovery->unlisted_count; i++) {
        const struct log_replay_end *end = &recovery->ends[i];
        uint64_t number = i < recovery->count ? recovery->logs[i].number : recovery->unlisted[i - recovery->count];
        if (end->tail_bytes == 0)
            continue;
        STATUS_RETURN_IF_ERROR(log_set_aside(db->io, db->path, number, end->tail_offset, end->tail_bytes));
        db_log(db, KVS_LOG_WARNING, "%s/%06llu.log: %s of %llu bytes at offset %llu was set aside in lost/", db->path,
               (unsigned long long)number,
               i < recovery->count ? "a torn tail" : "the contents of a log that was never listed,",
               (unsigned long long)end->tail_bytes, (unsigned long long)end->tail_offset);
    }
    return status_ok();
}

/* The last record for which a log is kept. */
static uint64_t last_kept_record(const struct recovery *recovery, size_t index)
{
    const struct log_replay_end *end = &recovery->ends[index];
    return recovery->unproven == LEFT_TO_FLUSH ? end->last_record : end->proven_record;
}

/* An old log is kept for the records that stay in it. Those that are proven end where the last of them ends. */
static struct kvs_status compose_edit(struct recovery *recovery, struct manifest_edit *edit,
                                      const struct live_log *made)
{
    bool is_needed = recovery->db->commit.sealed_count != 0 || memtable_count(recovery->filling) != 0;
    for (size_t i = 0; i < recovery->count; i++) {
        const struct manifest_log *log = &recovery->logs[i];
        const struct log_replay_end *end = &recovery->ends[i];
        if (!is_needed || last_kept_record(recovery, i) < log->first_record)
            STATUS_RETURN_IF_ERROR(manifest_edit_drop_log(edit, log->number));
        else if (!log->is_ended && recovery->unproven != LEFT_TO_FLUSH)
            STATUS_RETURN_IF_ERROR(manifest_edit_end_log(edit, log->number, end->proven_bytes, end->proven_record));
    }
    STATUS_RETURN_IF_ERROR(manifest_edit_add_log(edit, made->number, made->before.record + 1));
    edit->numbers.durable_record = recovery->durable.record;
    edit->numbers.published_sequence = edit->numbers.last_sequence = recovery->position.sequence;
    return status_ok();
}

/* A log without a listed end waits, sealed, for the flush. */
static struct kvs_status add_old_log(struct recovery *recovery, size_t index)
{
    struct commit *commit = &recovery->db->commit;
    struct live_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a list of logs");
    bool is_sealed = recovery->unproven == LEFT_TO_FLUSH && !recovery->logs[index].is_ended;
    *log = (struct live_log){.number = recovery->logs[index].number,
                             .last = {last_kept_record(recovery, index), 0},
                             .state = is_sealed ? LOG_SEALED : LOG_ENDED,
                             .listed = true};
    if (commit->active != NULL)
        commit->active->newer = log;
    else
        commit->oldest = log;
    commit->active = log;
    if (is_sealed && commit->syncing_log == NULL)
        commit->syncing_log = log;
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
            STATUS_RETURN_IF_ERROR(add_old_log(recovery, i));
    }
    if (commit->active != NULL)
        commit->active->newer = made;
    else
        commit->oldest = made;
    commit->active = commit->writing_log = made;
    if (commit->syncing_log == NULL)
        commit->syncing_log = made;
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
    io_mutex_lock(&db->commit.lock);
    views_publish(&db->views, view);
    db->commit.memtable = recovery->filling; /* the view has its own reference */
    io_mutex_unlock(&db->commit.lock);
    memtable_unref(recovery->filling);
    recovery->filling = NULL;
    return status_ok();
}

static void raise_sequence(struct recovery *recovery, uint64_t sequence)
{
    if (recovery->position.sequence < sequence)
        recovery->position.sequence = sequence;
}

/* To what stable storage says was given out: segments and the manifest. */
static void raise_to_listed(struct recovery *recovery)
{
    raise_sequence(recovery, recovery->flushed_sequence);
    raise_sequence(recovery, recovery->state.numbers.last_sequence);
}

/* Above all numbers that were ever given out, those of torn tails too, whose headers a power cut may take. */
static void raise_position(struct recovery *recovery)
{
    raise_to_listed(recovery);
    raise_sequence(recovery, recovery->report.next_sequence == 0 ? 0 : recovery->report.next_sequence - 1);
    if (recovery->position.record < recovery->first_new - 1)
        recovery->position.record = recovery->first_new - 1;
}

static void set_positions(struct recovery *recovery)
{
    struct commit *commit = &recovery->db->commit;
    io_mutex_lock(&commit->lock);
    commit->applied = commit->written = recovery->position;
    commit->durable = recovery->durable;
    atomic_store(&commit->published, recovery->position.sequence);
    atomic_store(&commit->applied_sequence, recovery->position.sequence);
    atomic_store(&commit->durable_sequence, recovery->durable.sequence);
    recovery->db->workers.noted_record = recovery->durable.record;
    if (recovery->unproven == LEFT_TO_FLUSH && commit->options.mode == KVS_SYNC_INTERVAL)
        commit->unsynced_since_ns = io_monotonic_ns(recovery->db->io);
    io_mutex_unlock(&commit->lock);
}

static struct kvs_status install_edit(struct recovery *recovery, struct live_log *made)
{
    struct version_edit edit;
    version_edit_init(&edit);
    struct kvs_status status = compose_edit(recovery, &edit.manifest, made);
    if (status_is_ok(status))
        status = version_set_install(recovery->db->versions, &edit, NULL, NULL);
    io_mutex_lock(&recovery->db->commit.lock);
    recovery->is_listed = status_is_ok(status);
    if (status_is_ok(status))
        status = build_chain(recovery, made, &edit.manifest);
    io_mutex_unlock(&recovery->db->commit.lock);
    version_edit_fini(&edit);
    return status;
}

/* The record before the first of the oldest log, and all before it, are in segments. */
static void find_durable(struct recovery *recovery)
{
    const struct log_replay_report *report = &recovery->report;
    uint64_t flushed_record = recovery->count == 0 ? 0 : recovery->logs[0].first_record - 1;
    uint64_t flushed_sequence = recovery->flushed_sequence;
    recovery->durable.record = report->durable_record > flushed_record ? report->durable_record : flushed_record;
    recovery->durable.sequence =
        report->proven_sequence > flushed_sequence ? report->proven_sequence : flushed_sequence;
}

/* All that was replayed waits for its flush, which begins when the threads do, and stands for all numbers given out so far. */
static struct kvs_status leave_to_flush(struct recovery *recovery, struct prepared_log *made)
{
    struct commit *commit = &recovery->db->commit;
    if (memtable_count(recovery->filling) != 0) {
        io_mutex_lock(&commit->lock);
        struct kvs_status status = recovery_seal(recovery);
        io_mutex_unlock(&commit->lock);
        STATUS_RETURN_IF_ERROR(status);
        recovery->filling = made->memtable;
        made->memtable = NULL;
    }
    if (commit->sealed_newest != NULL)
        commit->sealed_newest->last = recovery->position;
    else
        recovery->unproven = PROVEN_ALL; /* segments have it all */
    return status_ok();
}

/* Make what is unproven safe, or leave it to the flush; then list the new log. */
static struct kvs_status begin_log(struct recovery *recovery, struct prepared_log *made)
{
    made->log->before.record = recovery->first_new - 1;
    log_writer_begin(made->log->writer, recovery->first_new);
    find_durable(recovery);
    raise_position(recovery);
    if (recovery->unproven == WRITTEN_AGAIN)
        STATUS_RETURN_IF_ERROR(recovery_write_again(recovery, made->log->writer));
    recovery->is_spent = true; /* from here on it cannot be repeated */
    if (recovery->unproven == LEFT_TO_FLUSH)
        STATUS_RETURN_IF_ERROR(leave_to_flush(recovery, made));
    if (recovery->unproven != LEFT_TO_FLUSH)
        recovery->durable = recovery->position;
    STATUS_RETURN_IF_ERROR(install_edit(recovery, made->log));
    set_positions(recovery); /* readers, if there are any, see no more than that */
    return status_ok();
}

/* The new log is in no list: its room is given back. */
static void drop_made(struct kvs_db *db, struct live_log *made)
{
    char path[IO_PATH_BYTES];
    log_writer_close(made->writer);
    struct kvs_status status = file_name_path(path, db->path, FILE_LOG, made->number);
    if (status_is_ok(status))
        status = io_unlink(db->io, path);
    if (!status_is_ok(status))
        db_log(db, KVS_LOG_WARNING, "an unused log stays until the next open: %s", status_text(status));
    free(made);
}

/* The next logs are likely to grow as large as those of the last process. */
static void expect_log_bytes(const struct recovery *recovery)
{
    struct commit *commit = &recovery->db->commit;
    for (size_t i = 0; i < recovery->count; i++) {
        if (commit->sealed_log_bytes < recovery->ends[i].end_bytes)
            commit->sealed_log_bytes = recovery->ends[i].end_bytes;
    }
}

static struct kvs_status make_log(struct recovery *recovery)
{
    struct kvs_db *db = recovery->db;
    struct prepared_log made;
    char text[STATUS_TEXT_BYTES];
    expect_log_bytes(recovery);
    /* Whatever is written again goes into this one log, however many memtables it fills. */
    struct prepare_sizes sizes = {.table_bytes = db->table_bytes,
                                  .log_bytes = recovery->unproven == WRITTEN_AGAIN ? recovery->report.bytes : 0,
                                  .first_bytes = prepare_likely_bytes(&db->commit)};
    STATUS_RETURN_IF_ERROR(prepare_next(db, &made, &sizes));
    struct kvs_status status = begin_log(recovery, &made);
    status_save_text(status, text);
    view_unref(made.view);
    free(made.seal);
    memtable_unref(made.memtable);
    if (status_is_ok(status))
        return publish_view(recovery);
    if (db->commit.active != made.log && !recovery->is_listed && status.code != KVS_POISONED) {
        drop_made(db, made.log);
    } else if (db->commit.active != made.log) {
        log_writer_close(made.log->writer);
        free(made.log);
    }
    return status_restore_text(status, text);
}

/* May be tried again where it failed with NO_SPACE: each step is either repeated from its beginning or, once a new manifest is current, passed over. */
static struct kvs_status recover_for_writing(struct recovery *recovery)
{
    struct kvs_db *db = recovery->db;
    struct manifest_numbers numbers = {
        .last_sequence = recovery->report.next_sequence == 0 ? 0 : recovery->report.next_sequence - 1};
    bool is_new = recovery->state.records == 0;
    if (!is_new)
        reserve_remove(db);
    if (!recovery->has_begun) {
        STATUS_RETURN_IF_ERROR(set_tails_aside(recovery));
        if (!is_new)
            STATUS_RETURN_IF_ERROR(version_set_begin(db->versions, &numbers));
        recovery->has_begun = true;
    }
    if (!is_new)
        STATUS_RETURN_IF_ERROR(version_set_sweep(db->versions));
    return make_log(recovery);
}

/* Everything is in memory or in segments, and nothing will change. */
static struct kvs_status recover_for_reading(struct recovery *recovery)
{
    recovery->unproven = PROVEN_ALL; /* nothing is written: there is nothing to make safe */
    raise_position(recovery);
    recovery->durable = recovery->position;
    set_positions(recovery);
    return publish_view(recovery);
}

/* ---- Without room ---- */

/* Make the unproven records of a log durable where they are. */
static struct kvs_status prove_log(struct recovery *recovery, size_t index)
{
    const struct kvs_db *db = recovery->db;
    const struct log_replay_end *end = &recovery->ends[index];
    char path[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(path, db->path, FILE_LOG, recovery->logs[index].number));
    return log_write_again(db->io, path, end->proven_bytes, end->end_bytes, SYNC_LOG_RECOVERY);
}

static struct kvs_status accept_record(void *context, const struct log_replay_record *record)
{
    (void)context;
    (void)record;
    return status_ok();
}

/* What is acknowledged may be unproven, as the last group of a killed process, and what is unproven must not be shown before it is durable: with no room for a new
 * log it is made so where it is, and read once more. */
static struct kvs_status prove_in_place(struct recovery *recovery)
{
    for (size_t i = 0; i < recovery->count; i++) {
        if (recovery->ends[i].proven_bytes < recovery->ends[i].end_bytes)
            STATUS_RETURN_IF_ERROR(prove_log(recovery, i));
    }
    recovery->options.visit = accept_record;
    return log_replay_unproven(recovery->db->io, &recovery->options, recovery->ends);
}

/* Show all that was read. The memtables stay the recovery's, too. */
static struct kvs_status serve_without_room(struct recovery *recovery)
{
    struct kvs_db *db = recovery->db;
    if (!recovery->has_begun) /* else a new manifest says the same */
        STATUS_RETURN_IF_ERROR(version_set_prove(db->versions));
    if (recovery->report.unproven != 0 && db->options.sync_mode == KVS_SYNC_ALWAYS)
        STATUS_RETURN_IF_ERROR(prove_in_place(recovery));
    find_durable(recovery);
    if (recovery->has_begun) /* the new manifest has the numbers that were cut */
        raise_position(recovery);
    else
        raise_to_listed(recovery);
    struct position shown = recovery->position;
    db->commit.applied = db->commit.written = db->commit.durable = shown;
    atomic_store(&db->commit.published, shown.sequence);
    atomic_store(&db->commit.applied_sequence, shown.sequence);
    atomic_store(&db->commit.durable_sequence,
                 db->options.sync_mode == KVS_SYNC_ALWAYS ? shown.sequence : recovery->durable.sequence);
    struct memtable *filling = memtable_ref(recovery->filling);
    struct kvs_status status = publish_view(recovery);
    if (status_is_ok(status))
        recovery->filling = filling;
    else
        memtable_unref(filling);
    return status;
}

static void recovery_free(struct recovery *recovery)
{
    memtable_unref(recovery->filling);
    free(recovery->logs);
    free(recovery->listings);
    free(recovery->unlisted);
    free(recovery->ends);
    free(recovery);
}

/* shortage: out, where there is no room and what was read is served. */
static struct kvs_status run(struct recovery *recovery, struct kept_status *shortage)
{
    struct kvs_db *db = recovery->db;
    STATUS_RETURN_IF_ERROR(open_versions(db, &recovery->state));
    recovery->flushed_sequence = largest_segment_sequence(db);
    STATUS_RETURN_IF_ERROR(recovery_replay(recovery, recovery->state.numbers.durable_record));
    db->recovered = (struct recovery_counts){.records = recovery->report.records,
                                             .bytes = recovery->report.bytes,
                                             .set_aside_bytes = recovery->report.tail_bytes,
                                             .manifest_cut_bytes = recovery->state.cut_bytes};
    if (db->options.read_only)
        return recover_for_reading(recovery);
    struct kvs_status status = recover_for_writing(recovery);
    if (status.code != KVS_NO_SPACE || recovery->state.records == 0 || !recovery_may_repeat(recovery))
        return status;
    status_keep(shortage, status);
    return serve_without_room(recovery);
}

struct kvs_status recovery_run(struct kvs_db *db)
{
    struct kept_status shortage = {0};
    struct recovery *recovery = calloc(1, sizeof *recovery);
    if (recovery == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory to recover %s", db->path);
    recovery->db = db;
    struct kvs_status status = run(recovery, &shortage);
    if (status_is_ok(status) && !status_is_ok(shortage.status))
        waiting_note(db, recovery, status_kept(&shortage));
    else
        recovery_free(recovery);
    return status;
}

struct kvs_status recovery_try_again(struct recovery *recovery)
{
    return recover_for_writing(recovery);
}

bool recovery_may_repeat(const struct recovery *recovery)
{
    return !recovery->is_spent;
}

void recovery_abandon(struct recovery *recovery)
{
    if (recovery != NULL)
        recovery_free(recovery);
}
