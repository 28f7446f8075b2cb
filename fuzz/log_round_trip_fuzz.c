/* log_round_trip_fuzz.c -- logs written as the input says, a power cut or a kill, damage, and replay.
 *
 * Role      Without damage replay refuses nothing: it delivers everything that was synced, after a kill everything that was written, in one unbroken run,
 *           byte for byte. With damage it refuses, or delivers such a run that reaches at least to D, as a plain scan of the damaged files finds
 *           it by the replay rules; no record is delivered of which a byte on disk has changed, not even one of its padding. Records that are
 *           delivered again are those beyond D.
 * Format    Bytes that say what happens (enum step); what is written follows from record numbers.
 * Failure   Aborts.
 */

#include "fuzz.h"

#include "base/hash.h"
#include "format/batch.h"
#include "format/file_name.h"
#include "format/log_header.h"
#include "io/io_mem.h"
#include "wal/log_replay.h"
#include "wal/log_writer.h"

enum {
    LOGS_MAX = 4,
    RECORDS_MAX = 64,
    VALUE_MAX = 1024,
    PAYLOAD_MAX = VALUE_MAX + 64,
    DAMAGES_MAX = 3,
    LOG_BYTES = 16384,
    PIECE_BYTES = 4096
};

enum step {
    STEP_APPEND,
    STEP_WRITE,
    STEP_SYNC,
    STEP_ROTATE,
    STEP_LIST_END,
    STEP_LIST_DURABLE,
    STEP_COPY,
    STEP_STOP,
    STEP_COUNT
};

enum damage { DAMAGE_FLIP, DAMAGE_ZEROS, DAMAGE_CUT, DAMAGE_MOVE, DAMAGE_OLDER, DAMAGE_COUNT };

static const uint8_t uuid[FILE_UUID_BYTES] = "a log round trip";

/* Where a record stands, and the size of the value in it. */
struct place {
    struct log_record record;
    size_t value_bytes;
    size_t log;
    uint64_t offset;
};

/* older  a copy of the file as it was once */
struct log {
    struct log_writer *writer;
    uint8_t *older;
    size_t older_bytes;
};

/* written, synced   the last record of which that holds; synced is what was acknowledged
 * listed_durable    what the manifest says */
struct history {
    struct io_mem *mem;
    struct log logs[LOGS_MAX];
    struct log_listing listings[LOGS_MAX];
    size_t log_count;
    struct place places[RECORDS_MAX + 1]; /* by number */
    uint64_t appended, written, synced;
    uint64_t listed_durable;
    uint64_t next_sequence;
};

static void path_of(char path[IO_PATH_BYTES], size_t log)
{
    fuzz_ok(file_name_path(path, "/", FILE_LOG, log + 1));
}

/* ---- Writing ---- */

/* A put with a value that follows from the record's number, and deletes. Sets the payload's size. */
static void make_payload(uint8_t *payload, struct log_record *record, size_t value_bytes)
{
    uint8_t value[VALUE_MAX];
    struct kvs_slice key = slice_of(&record->number, sizeof record->number);
    for (size_t i = 0; i < value_bytes; i++)
        value[i] = (uint8_t)hash_mix(record->number, i);
    uint8_t *at = batch_put_entry(payload, KEY_PUT, key, slice_of(value, value_bytes));
    for (uint32_t i = 1; i < record->count; i++)
        at = batch_put_entry(at, KEY_DELETE, key, slice_of(NULL, 0));
    record->payload_bytes = (uint32_t)(at - payload);
}

static void add_log(struct history *history)
{
    size_t log = history->log_count;
    struct log_writer_options options = {.number = log + 1,
                                         .uuid = uuid,
                                         .capacity_bytes = LOG_BYTES,
                                         .piece_bytes = PIECE_BYTES,
                                         .buffer_bytes = LOG_BYTES};
    struct io *io = io_mem_as_io(history->mem);
    fuzz_ok(log_writer_create(&history->logs[log].writer, io, "/", &options));
    fuzz_ok(io_directory_sync(io, "/", SYNC_LOG_DIRECTORY));
    log_writer_begin(history->logs[log].writer, history->appended + 1);
    history->listings[log] = (struct log_listing){.number = log + 1, .first_record = history->appended + 1};
    history->log_count++;
}

static struct log_writer *last_writer(const struct history *history)
{
    return history->logs[history->log_count - 1].writer;
}

static void write_taken(struct history *history)
{
    uint64_t written = history->written;
    if (log_writer_take(last_writer(history)))
        fuzz_ok(log_writer_write(last_writer(history), &written));
    history->written = history->appended;
}

/* What the next append needs, beyond room in the log's file. Returns whether there is that. */
static bool make_room(struct history *history, uint64_t bytes)
{
    struct log_writer *writer = last_writer(history);
    if (log_writer_room(writer).capacity_bytes < bytes)
        return false;
    if (log_writer_room(writer).piece_bytes < bytes)
        fuzz_ok(log_writer_extend(writer, bytes));
    if (log_writer_room(writer).buffer_bytes < bytes)
        write_taken(history);
    return log_writer_room(writer).buffer_bytes >= bytes;
}

static void append(struct history *history, struct cursor *input)
{
    uint8_t payload[PAYLOAD_MAX];
    struct place *place = &history->places[history->appended + 1];
    struct log_record record = {.number = history->appended + 1, .watermark = history->synced, .kind = LOG_BATCH};
    record.first_sequence = history->next_sequence;
    record.count = 1 + (uint32_t)fuzz_below(input, 4);
    size_t value_bytes = fuzz_below(input, 64) * (1 + fuzz_below(input, 16));
    make_payload(payload, &record, value_bytes);
    record.payload_hash = hash_bytes(payload, record.payload_bytes);
    if (history->appended == RECORDS_MAX || !make_room(history, log_record_bytes(record.payload_bytes)))
        return;
    uint64_t last;
    *place = (struct place){.record = record, .value_bytes = value_bytes, .log = history->log_count - 1};
    log_writer_end(last_writer(history), &place->offset, &last);
    log_writer_append(last_writer(history), &record, payload);
    history->appended++;
    history->next_sequence += record.count;
}

/* The older log first: a record counts as synced only with all before it. */
static void sync_all(struct history *history)
{
    uint64_t written = history->written;
    for (size_t i = 0; i < history->log_count; i++)
        fuzz_ok(log_writer_sync(history->logs[i].writer, SYNC_LOG));
    history->synced = written;
}

static void rotate(struct history *history)
{
    if (history->log_count == LOGS_MAX)
        return;
    write_taken(history);
    add_log(history);
}

/* The oldest log that has no end yet gets one, once it is synced to it. */
static void list_end(struct history *history)
{
    for (size_t i = 0; i + 1 < history->log_count; i++) {
        struct log_listing *listing = &history->listings[i];
        uint64_t end, last;
        log_writer_end(history->logs[i].writer, &end, &last);
        if (listing->has_end || last > history->synced)
            continue;
        listing->has_end = true;
        listing->end_bytes = end;
        listing->last_record = last;
        return;
    }
}

static void copy_older(struct history *history, size_t log)
{
    char path[IO_PATH_BYTES];
    struct log *copied = &history->logs[log];
    path_of(path, log);
    free(copied->older);
    copied->older = io_mem_copy_file(history->mem, &copied->older_bytes, path);
    KVS_ASSERT(copied->older != NULL);
}

/* Returns false where the input stops it. */
static bool take_step(struct history *history, struct cursor *input)
{
    switch ((enum step)fuzz_below(input, STEP_COUNT)) {
    case STEP_APPEND:
        append(history, input);
        return true;
    case STEP_WRITE:
        write_taken(history);
        return true;
    case STEP_SYNC:
        sync_all(history);
        return true;
    case STEP_ROTATE:
        rotate(history);
        return true;
    case STEP_LIST_END:
        list_end(history);
        return true;
    case STEP_LIST_DURABLE:
        history->listed_durable = history->synced;
        return true;
    case STEP_COPY:
        copy_older(history, fuzz_below(input, history->log_count));
        return true;
    default:
        return false;
    }
}

static void history_init(struct history *history)
{
    *history = (struct history){.mem = io_mem_new(1, NULL), .next_sequence = 1};
    if (history->mem == NULL)
        abort();
    add_log(history);
}

static void close_logs(struct history *history)
{
    for (size_t i = 0; i < history->log_count; i++)
        log_writer_close(history->logs[i].writer);
}

static void history_fini(struct history *history)
{
    for (size_t i = 0; i < history->log_count; i++)
        free(history->logs[i].older);
    io_mem_free(history->mem);
}

/* ---- Damage ---- */

static void damage_bytes(struct io_mem *mem, const char *path, const uint8_t *bytes, size_t size, enum damage kind,
                         struct cursor *input)
{
    uint8_t piece[512] = {0};
    size_t at = (cursor_u8(input) | (size_t)cursor_u8(input) << 8) % size;
    size_t room = size - at, length = 1;
    if (kind == DAMAGE_FLIP)
        piece[0] = bytes[at] ^ (uint8_t)(cursor_u8(input) | 1);
    else
        length = 1 + fuzz_below(input, 64) * 8;
    length = length < room ? length : room;
    length = length < sizeof piece ? length : sizeof piece;
    if (kind == DAMAGE_MOVE)
        memcpy(piece, bytes + (cursor_u8(input) * 8) % (size - length + 1), length);
    KVS_ASSERT(io_mem_damage(mem, path, piece, length, at));
}

static void damage_file(const struct history *history, struct io_mem *mem, struct cursor *input)
{
    char path[IO_PATH_BYTES];
    size_t log = fuzz_below(input, history->log_count), size;
    const struct log *victim = &history->logs[log];
    enum damage kind = (enum damage)fuzz_below(input, DAMAGE_COUNT);
    path_of(path, log);
    uint8_t *bytes = io_mem_copy_file(mem, &size, path);
    if (bytes != NULL && size > 0 && kind == DAMAGE_CUT) {
        KVS_ASSERT(io_mem_resize(mem, path, (cursor_u8(input) | (size_t)cursor_u8(input) << 8) % size));
    } else if (victim->older != NULL && kind == DAMAGE_OLDER) {
        KVS_ASSERT(io_mem_resize(mem, path, victim->older_bytes));
        KVS_ASSERT(io_mem_damage(mem, path, victim->older, victim->older_bytes, 0));
    } else if (bytes != NULL && size > 0 && kind != DAMAGE_OLDER) {
        damage_bytes(mem, path, bytes, size, kind, input);
    }
    free(bytes);
}

/* ---- Replay ---- */

struct check {
    const struct history *history;
    struct io_mem *mem;
    uint64_t last;
    uint64_t proven; /* when records are delivered again: D */
    uint64_t again;
};

/* The bytes on the disk are those that were written. */
static void expect_bytes(struct io_mem *mem, const struct place *place)
{
    char path[IO_PATH_BYTES];
    uint8_t expected[LOG_RECORD_HEADER_BYTES + PAYLOAD_MAX + LOG_RECORD_ALIGNMENT], payload[PAYLOAD_MAX];
    size_t size, record_bytes = log_record_bytes(place->record.payload_bytes);
    path_of(path, place->log);
    uint8_t *bytes = io_mem_copy_file(mem, &size, path);
    KVS_ASSERT(bytes != NULL && size >= place->offset + record_bytes);
    struct log_record record = place->record;
    make_payload(payload, &record, place->value_bytes);
    log_record_write(expected, &record, payload, coding_get_u64(bytes + 32), place->offset);
    KVS_ASSERT(memcmp(bytes + place->offset, expected, record_bytes) == 0);
    free(bytes);
}

static struct kvs_status take_record(void *context, const struct log_replay_record *record)
{
    struct check *check = context;
    uint64_t number = record->header.number;
    KVS_ASSERT(number == check->last + 1 && number <= check->history->appended);
    const struct place *place = &check->history->places[number];
    KVS_ASSERT(record->log == place->log && record->offset == place->offset);
    KVS_ASSERT(record->header.first_sequence == place->record.first_sequence);
    KVS_ASSERT(record->header.count == place->record.count && record->header.watermark == place->record.watermark);
    expect_bytes(check->mem, place);
    check->last = number;
    return status_ok();
}

static struct kvs_status take_again(void *context, const struct log_replay_record *record)
{
    struct check *check = context;
    KVS_ASSERT(record->header.number == check->proven + check->again + 1);
    check->again++;
    return status_ok();
}

/* The largest watermark of any record header in a log, up to its end. */
static uint64_t scan_log(struct io_mem *mem, const struct log_listing *listing)
{
    char path[IO_PATH_BYTES];
    struct log_record record;
    uint64_t largest = 0;
    size_t size;
    path_of(path, listing->number - 1);
    uint8_t *bytes = io_mem_copy_file(mem, &size, path);
    KVS_ASSERT(bytes != NULL);
    if (listing->has_end && size > listing->end_bytes)
        size = listing->end_bytes;
    for (size_t at = LOG_HEADER_BYTES; at + LOG_RECORD_HEADER_BYTES <= size; at += 8)
        if (log_record_decode(&record, bytes + at, coding_get_u64(bytes + 32), at) && record.watermark > largest)
            largest = record.watermark;
    free(bytes);
    return largest;
}

/* D, read off the files as the replay rules say. */
static uint64_t scan(const struct history *history, struct io_mem *mem)
{
    uint64_t durable = history->listed_durable;
    bool all_ended = true;
    for (size_t i = 0; i < history->log_count; i++) {
        const struct log_listing *listing = &history->listings[i];
        uint64_t found = scan_log(mem, listing);
        durable = found > durable ? found : durable;
        all_ended = all_ended && listing->has_end;
        if (all_ended && listing->last_record > durable)
            durable = listing->last_record;
    }
    return durable;
}

/* required: what must be delivered; is_damaged: or a refusal. */
static void replay(const struct history *history, struct io_mem *mem, uint64_t required, bool is_damaged)
{
    struct io *io = io_mem_as_io(mem);
    struct check check = {.history = history, .mem = mem};
    struct log_replay_report report;
    struct log_replay_end ends[LOGS_MAX];
    struct log_replay_options options = {.folder = "/",
                                         .uuid = uuid,
                                         .logs = history->listings,
                                         .count = history->log_count,
                                         .durable_record = history->listed_durable,
                                         .visit = take_record,
                                         .context = &check};
    struct kvs_status status = log_replay(io, &report, ends, &options);
    if (!status_is_ok(status) && is_damaged) {
        KVS_ASSERT(status.code == KVS_CORRUPT || status.code == KVS_UNSUPPORTED);
        return;
    }
    fuzz_ok(status);
    uint64_t proof = scan(history, mem);
    KVS_ASSERT(report.durable_record == proof && check.last >= proof && report.records == check.last);
    KVS_ASSERT(is_damaged || check.last >= required);
    check.proven = report.durable_record < check.last ? report.durable_record : check.last;
    options.visit = take_again;
    fuzz_ok(log_replay_unproven(io, &options, ends));
    KVS_ASSERT(check.again == report.unproven && check.proven + check.again == check.last);
}

static void crash_and_replay(const struct history *history, struct cursor *input)
{
    bool is_killed = fuzz_below(input, 2) != 0;
    enum io_mem_keep keep = (enum io_mem_keep)fuzz_below(input, IO_MEM_KEEP_COUNT);
    uint64_t seed = cursor_u8(input);
    struct io_mem *mem =
        is_killed ? io_mem_clone_after_kill(history->mem) : io_mem_clone_after_power_cut(history->mem, seed, keep);
    size_t damages = fuzz_below(input, DAMAGES_MAX + 1);
    if (mem == NULL)
        abort();
    for (size_t i = 0; i < damages; i++)
        damage_file(history, mem, input);
    replay(history, mem, is_killed ? history->written : history->synced, damages > 0);
    KVS_ASSERT(io_mem_open_count(mem) == 0);
    io_mem_free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    struct history history;
    if (size > 2048)
        return 0;
    history_init(&history);
    while (cursor_rest(&input) > 0 && take_step(&history, &input))
        continue;
    close_logs(&history);
    crash_and_replay(&history, &input);
    history_fini(&history);
    return 0;
}
