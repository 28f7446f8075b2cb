/* wal_model_test.c -- the replay rules against every crash of short histories, and against random histories on a disk that forgets.
 *
 * The first part builds what a disk may hold after each crash by hand; the second runs the real writer, replay and set-aside, with failed syncs,
 * kills, power cuts, and crashes inside recovery. In both: nothing that was acknowledged or served is ever lost, and nothing is refused. */

#include "wal_support.h"

#include "format/batch.h"
#include "format/checksum.h"
#include "format/file_name.h"
#include "format/log_header.h"
#include "io/io_seed.h"
#include "wal/log_set_aside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- Every crash of every short history ---- */

enum {
    OPS_MAX = 6,
    HISTORY_LOGS_MAX = 3,
    RECORD_ROOM = 128,
    LOG_ROOM = LOG_HEADER_BYTES + (OPS_MAX + 1) * RECORD_ROOM
};

/* One record: where it stands, and whether a sync covered it. */
struct unit {
    size_t log;
    size_t offset;
    size_t size;
    bool is_synced;
};

struct history {
    uint8_t bytes[HISTORY_LOGS_MAX][LOG_ROOM];
    size_t ends[HISTORY_LOGS_MAX];
    struct log_listing logs[HISTORY_LOGS_MAX];
    size_t log_count;
    struct unit units[OPS_MAX];
    size_t unit_count;
    uint64_t durable;
};

static void history_add_log(struct history *history)
{
    size_t log = history->log_count++;
    struct log_header header = {
        .identity = {.type = FILE_LOG, .file_id = log + 77, .number = log + 1},
        .preallocated_bytes = LOG_ROOM,
    };
    memcpy(header.identity.uuid, wal_uuid, sizeof wal_uuid);
    log_header_encode(history->bytes[log], &header);
    history->ends[log] = LOG_HEADER_BYTES;
    history->logs[log] = (struct log_listing){.number = log + 1, .first_record = history->unit_count + 1};
}

static void history_append(struct history *history)
{
    size_t log = history->log_count - 1;
    uint64_t number = history->unit_count + 1;
    struct unit *unit = &history->units[history->unit_count++];
    *unit = (struct unit){.log = log, .offset = history->ends[log]};
    unit->size =
        wal_put_record(history->bytes[log] + unit->offset, number, history->durable, number, log + 77, unit->offset);
    history->ends[log] += unit->size;
}

static void history_sync(struct history *history)
{
    for (size_t i = 0; i < history->unit_count; i++)
        history->units[i].is_synced = true;
    history->durable = history->unit_count;
}

/* ops: OPS digits in base 3. Returns false where it rotates too often to be of use. */
static bool history_run(struct history *history, unsigned ops, unsigned count)
{
    memset(history, 0, sizeof *history);
    history_add_log(history);
    for (unsigned i = 0; i < count; i++, ops /= 3) {
        if (ops % 3 == 0)
            history_append(history);
        else if (ops % 3 == 1)
            history_sync(history);
        else if (history->log_count == HISTORY_LOGS_MAX)
            return false;
        else
            history_add_log(history);
    }
    return true;
}

static void put_file(struct wal_disk *disk, uint64_t number, const uint8_t *bytes, size_t size)
{
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(disk->io, &file, wal_log_path(number), IO_OPEN_TEMPORARY).code, KVS_OK);
    assert_int_equal(io_file_write(file, bytes, size, 0).code, KVS_OK);
    io_file_close(file);
}

/* Replay what is left when the units of a set are lost. */
static struct wal_outcome *replay_without(struct wal_disk *disk, const struct history *history, unsigned lost)
{
    uint8_t bytes[LOG_ROOM];
    for (size_t log = 0; log < history->log_count; log++) {
        memcpy(bytes, history->bytes[log], LOG_ROOM);
        for (size_t i = 0; i < history->unit_count; i++) {
            if (history->units[i].log == log && (lost >> i & 1))
                memset(bytes + history->units[i].offset, 0, history->units[i].size);
        }
        put_file(disk, log + 1, bytes, LOG_ROOM);
    }
    return wal_replay(disk, history->logs, history->log_count, 0);
}

/* Every set of unsynced records may be lost, whatever their order. Returns the number of sets. */
static unsigned check_every_crash(struct wal_disk *disk, const struct history *history)
{
    unsigned unsynced = 0;
    for (size_t i = 0; i < history->unit_count; i++)
        unsynced |= (unsigned)!history->units[i].is_synced << i;
    unsigned crashes = 0;
    for (unsigned lost = unsynced;; lost = (lost - 1) & unsynced) {
        struct wal_outcome *outcome = replay_without(disk, history, lost);
        if (outcome->status.code != KVS_OK)
            fail_msg("needless refusal: %s", outcome->text);
        assert_true(outcome->count >= history->durable);
        for (size_t i = 0; i < outcome->count; i++)
            assert_int_equal(outcome->records[i].record, i + 1);
        free(outcome);
        crashes++;
        if (lost == 0)
            return crashes;
    }
}

/* Of the synced records each is destroyed in turn; all but the last group are below a later watermark. Returns how many were noticed. */
static unsigned check_every_damage(struct wal_disk *disk, const struct history *history)
{
    unsigned noticed = 0;
    uint64_t proven = 0;
    struct wal_outcome *outcome = replay_without(disk, history, 0);
    for (size_t i = 0; i < outcome->count; i++)
        proven = outcome->records[i].watermark;
    free(outcome);
    for (size_t i = 0; i < history->unit_count && history->units[i].is_synced; i++) {
        outcome = replay_without(disk, history, 1u << i);
        bool is_refused = outcome->status.code == KVS_CORRUPT;
        bool must_refuse = i + 1 <= proven;
        if (must_refuse && !is_refused)
            fail_msg("record %zu of %zu destroyed without a word", i + 1, history->unit_count);
        noticed += is_refused;
        free(outcome);
    }
    return noticed;
}

/* A database that was only killed or cut off always opens, with all that was acknowledged. */
static void wal_replay_every_crash_of_short_histories_loses_nothing_acknowledged(void **state)
{
    (void)state;
    struct wal_disk disk;
    struct history *history = malloc(sizeof *history);
    unsigned crashes = 0, noticed = 0;
    wal_disk_open(&disk, 1);
    for (unsigned count = 1, variants = 3; count <= OPS_MAX; count++, variants *= 3) {
        for (unsigned ops = 0; ops < variants; ops++) {
            if (!history_run(history, ops, count))
                continue;
            crashes += check_every_crash(&disk, history);
            noticed += check_every_damage(&disk, history);
        }
    }
    wal_disk_close(&disk);
    free(history);
    printf("%u crash states; %u single damages refused\n", crashes, noticed);
    assert_true(crashes > 2000 && noticed > 200);
}

/* ---- Random histories with the real code ---- */

enum { MODEL_HISTORY_MAX = 256 };

/* What the model has in place of the manifest, the memtable and the clients.
 *
 * sequences    of every record appended in this lineage and not flushed, oldest first; a sequence number is never used twice
 * served       how many of them were acknowledged or shown after a recovery
 * logs         the listed logs; those without an end have a writer
 * renumbers    recovery gives record numbers above all that were ever seen; else the new log goes on where what is proven ends
 * durable      the last record known to be durable; manifest_durable: as far as the manifest says it */
struct model {
    struct wal_disk disk;
    struct io_seed seed;
    bool rewrites_unproven;
    bool renumbers;
    struct log_listing logs[WAL_LOGS_MAX];
    struct log_writer *writers[WAL_LOGS_MAX];
    size_t log_count;
    uint64_t next_number;
    uint64_t record;
    uint64_t sequence;
    uint64_t durable;
    uint64_t manifest_durable;
    bool is_poisoned;
    uint64_t sequences[MODEL_HISTORY_MAX];
    size_t count;
    size_t served;
    const char *failure;
    char failure_text[STATUS_TEXT_BYTES];
};

static uint64_t below(struct model *model, uint64_t limit)
{
    return io_seed_below(&model->seed, limit);
}

static struct log_writer *active(struct model *model)
{
    return model->writers[model->log_count - 1];
}

static void model_list_log(struct model *model, struct log_writer *writer, uint64_t first_record)
{
    model->writers[model->log_count] = writer;
    model->logs[model->log_count++] =
        (struct log_listing){.number = log_writer_number(writer), .first_record = first_record};
}

static void model_rotate(struct model *model)
{
    if (model->is_poisoned)
        return;
    model_list_log(model, wal_log_new(&model->disk, model->next_number++, model->record + 1), model->record + 1);
}

static void model_append(struct model *model)
{
    if (model->is_poisoned || model->count == MODEL_HISTORY_MAX)
        return;
    wal_append(active(model), ++model->record, model->durable, ++model->sequence);
    model->sequences[model->count++] = model->sequence;
    if (below(model, 2) == 0)
        wal_write(active(model));
}

/* The ends of logs that are not written any more are listed once they were synced to them. */
static void model_list_ends(struct model *model)
{
    for (size_t i = 0; i + 1 < model->log_count; i++) {
        struct log_listing *log = &model->logs[i];
        if (log->has_end)
            continue;
        log_writer_end(model->writers[i], &log->end_bytes, &log->last_record);
        log->has_end = true;
        log_writer_close(model->writers[i]);
        model->writers[i] = NULL;
    }
}

/* Write all, perhaps append more that this sync does not cover, and sync the logs in order. */
static void model_sync(struct model *model, bool fails)
{
    if (model->is_poisoned)
        return;
    for (size_t i = 0; i < model->log_count; i++) {
        if (!model->logs[i].has_end)
            wal_write(model->writers[i]);
    }
    uint64_t covered_record = model->record;
    size_t covered = model->count;
    if (below(model, 3) == 0)
        model_append(model);
    if (fails)
        io_fault_fail(model->disk.fault, IO_CALL_SYNC, 1, EIO, false);
    for (size_t i = 0; i < model->log_count && !model->is_poisoned; i++) {
        if (!model->logs[i].has_end)
            model->is_poisoned = log_writer_sync(model->writers[i], SYNC_LOG).code != KVS_OK;
    }
    if (model->is_poisoned)
        return;
    model->durable = covered_record;
    model->served = covered;
    model_list_ends(model);
    if (below(model, 4) == 0)
        model->manifest_durable = covered_record;
}

/* A flush drops the oldest logs from the list. */
static void model_flush(struct model *model)
{
    size_t dropped = 0, records = 0;
    while (dropped + 1 < model->log_count && model->logs[dropped].has_end && below(model, 2) == 0) {
        records += model->logs[dropped].last_record + 1 - model->logs[dropped].first_record;
        dropped++;
    }
    model->log_count -= dropped;
    for (size_t i = 0; i < model->log_count; i++) {
        model->logs[i] = model->logs[i + dropped];
        model->writers[i] = model->writers[i + dropped];
    }
    model->count -= records;
    model->served -= records;
    memmove(model->sequences, model->sequences + records, model->count * sizeof model->sequences[0]);
}

static void model_run(struct model *model)
{
    for (uint64_t steps = below(model, 14); steps > 0; steps--) {
        uint64_t choice = below(model, 100);
        if (choice < 50)
            model_append(model);
        else if (choice < 75)
            model_sync(model, false);
        else if (choice < 80)
            model_sync(model, true);
        else if (choice < 95)
            model_rotate(model);
        else
            model_flush(model);
    }
}

/* The process is gone: killed, or with the machine. */
static void model_crash(struct model *model, bool is_power_cut)
{
    struct io_mem *after;
    if (is_power_cut)
        after = io_mem_clone_after_power_cut(model->disk.mem, io_seed_next(&model->seed),
                                             (enum io_mem_keep)below(model, IO_MEM_KEEP_COUNT));
    else
        after = io_mem_clone_after_kill(model->disk.mem);
    for (size_t i = 0; i < model->log_count; i++) {
        log_writer_close(model->writers[i]);
        model->writers[i] = NULL;
    }
    wal_disk_close(&model->disk);
    wal_disk_take(&model->disk, after);
}

static bool model_fail(struct model *model, const char *failure, const char *text)
{
    model->failure = failure;
    snprintf(model->failure_text, sizeof model->failure_text, "%s", text);
    return false;
}

/* The records are those that were appended, from the first on, and reach all that was served. */
static bool model_check(struct model *model, const struct wal_outcome *outcome)
{
    if (outcome->status.code != KVS_OK)
        return model_fail(model, "needless refusal", outcome->text);
    if (outcome->count < model->served)
        return model_fail(model, "served record lost", "");
    if (outcome->count > model->count)
        return model_fail(model, "record from nowhere", "");
    for (size_t i = 0; i < outcome->count; i++) {
        if (outcome->records[i].sequence != model->sequences[i])
            return model_fail(model, "another history", "");
    }
    return true;
}

/* Where the new log begins. */
static uint64_t model_first_record(const struct model *model, const struct log_replay_report *report)
{
    if (model->renumbers)
        return report->next_record;
    bool ends_at_proven = model->rewrites_unproven && report->durable_record < report->last_record;
    return (ends_at_proven ? report->durable_record : report->last_record) + 1;
}

/* Write what is not proven into the new log. False where the disk went away. */
static bool model_rewrite(struct model *model, struct log_writer *writer, const struct wal_outcome *outcome)
{
    uint64_t written;
    uint64_t number = model_first_record(model, &outcome->report);
    for (size_t i = 0; i < outcome->count; i++) {
        if (outcome->records[i].proven || !model->rewrites_unproven)
            continue;
        if (log_writer_room(writer).piece_bytes < 256 && log_writer_extend(writer, 256).code != KVS_OK)
            return false;
        wal_append(writer, number++, outcome->report.durable_record, outcome->records[i].sequence);
        log_writer_take(writer);
        if (log_writer_write(writer, &written).code != KVS_OK)
            return false;
    }
    return log_writer_sync(writer, SYNC_LOG_RECOVERY).code == KVS_OK;
}

static bool model_set_aside(struct model *model, const struct wal_outcome *outcome)
{
    for (size_t i = 0; i < model->log_count; i++) {
        if (log_set_aside(model->disk.io, WAL_FOLDER, model->logs[i].number, outcome->ends[i].tail_offset,
                          outcome->ends[i].tail_bytes)
                .code != KVS_OK)
            return false;
    }
    return true;
}

/* The one edit that ends a recovery: old logs with their ends, and the new log. */
static void model_install(struct model *model, struct log_writer *writer, const struct wal_outcome *outcome)
{
    size_t kept = 0;
    for (size_t i = 0; i < model->log_count; i++) {
        const struct log_replay_end *end = &outcome->ends[i];
        struct log_listing log = model->logs[i];
        if (!log.has_end) {
            log.has_end = true;
            log.end_bytes = model->rewrites_unproven ? end->proven_bytes : end->end_bytes;
            log.last_record = model->rewrites_unproven ? end->proven_record : end->last_record;
        }
        if (log.last_record >= log.first_record)
            model->logs[kept++] = log;
    }
    model->log_count = kept;
    uint64_t first_record = model_first_record(model, &outcome->report);
    model_list_log(model, writer, first_record);
    uint64_t rewritten = model->rewrites_unproven ? outcome->report.unproven : 0;
    model->record = first_record - 1 + rewritten;
    model->durable = rewritten > 0 ? model->record : outcome->report.durable_record;
    model->count = outcome->count;
    model->served = outcome->count;
    model->is_poisoned = false;
}

/* One try to recover. done: out, false where the power went in the middle. Returns false on a failure of the rules. */
static bool model_recover(struct model *model, bool *done)
{
    struct log_writer *writer = NULL;
    struct log_writer_options options = {.number = model->next_number++,
                                         .uuid = wal_uuid,
                                         .capacity_bytes = 1 << 20,
                                         .piece_bytes = WAL_PIECE_BYTES,
                                         .buffer_bytes = WAL_BUFFER_BYTES};
    struct wal_outcome *outcome = wal_replay(&model->disk, model->logs, model->log_count, model->manifest_durable);
    bool is_sound = model_check(model, outcome);
    *done = false;
    if (!is_sound || !model_set_aside(model, outcome))
        goto out;
    if (log_writer_create(&writer, model->disk.io, WAL_FOLDER, &options).code != KVS_OK)
        goto out;
    if (io_directory_sync(model->disk.io, WAL_FOLDER, SYNC_LOG_DIRECTORY).code != KVS_OK)
        goto out;
    log_writer_begin(writer, model_first_record(model, &outcome->report));
    if (!model_rewrite(model, writer, outcome))
        goto out;
    model_install(model, writer, outcome);
    writer = NULL;
    *done = true;
out:
    log_writer_close(writer);
    free(outcome);
    return is_sound;
}

/* Recover, with some crashes on the way. */
static bool model_reopen(struct model *model)
{
    for (;;) {
        bool done = false;
        if (below(model, 10) < 4)
            io_mem_crash_at(model->disk.mem, io_mem_call_count(model->disk.mem) + 1 + below(model, 10),
                            (enum io_mem_moment)below(model, 3));
        if (!model_recover(model, &done))
            return false;
        if (done && !io_mem_has_crashed(model->disk.mem)) {
            io_mem_crash_at(model->disk.mem, 0, IO_MEM_BEFORE);
            return true;
        }
        if (!done)
            assert_true(io_mem_has_crashed(model->disk.mem));
        model_crash(model, below(model, 10) < 6);
    }
}

/* One history: some rounds of work, each ended by a crash and a recovery. Returns why it failed, NULL where it did not. */
static const char *run_history(struct model *model, uint64_t seed, bool rewrites_unproven)
{
    memset(model, 0, sizeof *model);
    model->seed = io_seed_of(seed);
    model->rewrites_unproven = rewrites_unproven;
    model->renumbers = below(model, 2) == 0;
    model->next_number = 1;
    wal_disk_open(&model->disk, seed);
    model_rotate(model);
    for (uint64_t rounds = 1 + below(model, 4); rounds > 0; rounds--) {
        model_run(model);
        model_crash(model, below(model, 10) < 6);
        if (!model_reopen(model))
            break;
    }
    for (size_t i = 0; i < model->log_count; i++)
        log_writer_close(model->writers[i]);
    wal_disk_close(&model->disk);
    return model->failure;
}

enum { HISTORIES = 2500 };

/* Whatever mix of failed syncs, kills and power cuts comes, also while the database recovers: what somebody was told or shown stays. */
static void wal_recovery_random_histories_lose_nothing_served(void **state)
{
    (void)state;
    struct model *model = malloc(sizeof *model);
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        const char *failure = run_history(model, seed, true);
        if (failure != NULL)
            fail_msg("seed %d: %s %s", (int)seed, failure, model->failure_text);
    }
    free(model);
}

/* That recovery writes unproven records again is needed: without it the same histories lose some, which also shows that they can tell. */
static void wal_recovery_without_writing_again_would_lose_served_records(void **state)
{
    (void)state;
    struct model *model = malloc(sizeof *model);
    unsigned failed = 0;
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        failed += run_history(model, seed, false) != NULL;
    printf("%u of %d histories fail\n", failed, HISTORIES);
    assert_true(failed > 0);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wal_replay_every_crash_of_short_histories_loses_nothing_acknowledged),
        cmocka_unit_test(wal_recovery_random_histories_lose_nothing_served),
        cmocka_unit_test(wal_recovery_without_writing_again_would_lose_served_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
