/* stateful_fuzz.c -- a database that does what the input says, crashes included, against a model.
 *
 * Role      The whole engine on a simulated disk, its threads as fibers that the input schedules. Reads, scans both ways and snapshots say what the model
 *           says. After a power cut or a kill, at any I/O call, also one of recovery's, the database opens and is in a state of history that has
 *           every batch that must have survived. Damage to any one byte of a closed database is answered by the right data or by a clear error,
 *           and where reads go wrong so does verify.
 * Format    Options of each opening, and steps (enum step), a byte each with the bytes that the step asks for.
 * Failure   Aborts.
 */

#include "stateful_model.h"

#include "db/db.h"
#include "io/io_fiber.h"
#include "io/io_mem.h"
#include "kvstore.h"

enum { GENERATIONS_MAX = 6, STEPS_MAX = 120, SNAPSHOTS_MAX = 3, FILES_MAX = 64, INPUT_MAX_BYTES = 1024 };

#define FOLDER "/db"

enum step {
    STEP_PUT,
    STEP_PUT_AGAIN, /* puts are more frequent than the rest */
    STEP_DELETE,
    STEP_BATCH,
    STEP_GET,
    STEP_SCAN,
    STEP_SNAPSHOT,
    STEP_RELEASE,
    STEP_FLUSH,
    STEP_COMPACT,
    STEP_VERIFY,
    STEP_SYNC,
    STEP_SLEEP,
    STEP_PLAN_CRASH,
    STEP_CRASH,
    STEP_CLOSE,
    STEP_COUNT
};

/* How a generation ends. */
enum ending { END_CLEAN, END_DAMAGE, END_KILL, END_POWER_CUT };

struct held_snapshot {
    struct kvs_snapshot *snapshot;
    size_t batches;
};

/* power_floor, kill_floor  batches that survive a power cut, and a kill */
struct run {
    struct cursor input;
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct kvs_db *db;
    struct kvs_options options;
    struct model model;
    struct held_snapshot snapshots[SNAPSHOTS_MAX];
    size_t power_floor, kill_floor;
    size_t steps;
};

/* Whether the call did what it should. Only a power cut excuses a failure, and damage is never found where there is none. */
static bool accept(const struct run *run, struct kvs_status status)
{
    if (!kvs_ok(status) && (!io_mem_has_crashed(run->mem) || status.code == KVS_CORRUPT))
        fuzz_ok(status);
    return kvs_ok(status);
}

/* ---- Reading ---- */

/* Read a key. value: out, MODEL_ABSENT where it is. */
static struct kvs_status get(struct kvs_db *db, uint16_t *value, size_t key, const struct kvs_snapshot *snapshot)
{
    uint8_t buffer[MODEL_KEY_BYTES];
    struct kvs_read_options options = {.snapshot = snapshot};
    struct kvs_value found_value;
    bool found;
    struct kvs_status status = kvs_get(db, &found_value, &found, model_key(key, buffer), &options);
    if (!kvs_ok(status))
        return status;
    *value = found ? model_find_value(found_value.bytes) : MODEL_ABSENT;
    if (found)
        kvs_value_release(&found_value);
    return status;
}

static void check_get(const struct run *run, size_t key, const uint16_t *state, const struct kvs_snapshot *snapshot)
{
    uint16_t value;
    if (accept(run, get(run->db, &value, key, snapshot)))
        KVS_ASSERT(value == state[key]);
}

/* Stand on each key of a range in turn, in either direction. Returns false where the iterator failed. */
static bool walk(const struct run *run, struct kvs_iterator *iterator, uint16_t *found, bool is_forward)
{
    size_t last = is_forward ? 0 : MODEL_KEYS;
    bool is_first = true;
    for (; kvs_iterator_valid(iterator); is_forward ? kvs_iterator_next(iterator) : kvs_iterator_prev(iterator)) {
        size_t key = model_find_key(kvs_iterator_key(iterator));
        KVS_ASSERT(key < MODEL_KEYS && (is_first || (is_forward ? key > last : key < last)));
        found[key] = model_find_value(kvs_iterator_value(iterator));
        last = key;
        is_first = false;
    }
    return accept(run, kvs_iterator_status(iterator));
}

/* The keys in [from, to), both ways. */
static void check_scan(const struct run *run, size_t from, size_t to, const uint16_t *state,
                       const struct kvs_snapshot *snapshot)
{
    uint8_t lower[MODEL_KEY_BYTES], upper[MODEL_KEY_BYTES];
    uint16_t forward[MODEL_KEYS] = {0}, backward[MODEL_KEYS] = {0};
    struct kvs_iterator_options options = {.read.snapshot = snapshot, .lower = model_key(from, lower)};
    struct kvs_iterator *iterator;
    if (to < MODEL_KEYS)
        options.upper = model_key(to, upper);
    if (!accept(run, kvs_iterator_new(&iterator, run->db, &options)))
        return;
    kvs_iterator_first(iterator);
    bool is_whole = walk(run, iterator, forward, true);
    kvs_iterator_last(iterator);
    is_whole = is_whole && walk(run, iterator, backward, false);
    for (size_t key = 0; is_whole && key < MODEL_KEYS; key++) {
        uint16_t expected = key >= from && key < to ? state[key] : MODEL_ABSENT;
        KVS_ASSERT(forward[key] == expected && backward[key] == expected);
    }
    kvs_iterator_free(iterator);
}

/* The state of an open database. Returns false where the power went. */
static bool read_state(const struct run *run, uint16_t *state)
{
    struct kvs_iterator *iterator;
    memset(state, 0, MODEL_KEYS * sizeof *state);
    if (!accept(run, kvs_iterator_new(&iterator, run->db, NULL)))
        return false;
    kvs_iterator_first(iterator);
    bool is_whole = walk(run, iterator, state, true);
    kvs_iterator_free(iterator);
    return is_whole;
}

/* ---- Writing ---- */

static void change(struct run *run, struct kvs_batch *batch, uint16_t *state, bool is_delete)
{
    uint8_t key_buffer[MODEL_KEY_BYTES], value_buffer[MODEL_VALUE_BYTES];
    size_t key = fuzz_below(&run->input, MODEL_KEYS);
    if (is_delete) {
        fuzz_ok(kvs_batch_delete(batch, model_key(key, key_buffer)));
        state[key] = MODEL_ABSENT;
        return;
    }
    state[key] = model_new_value(&run->model);
    struct kvs_slice value = model_value(state[key], value_buffer);
    fuzz_ok(kvs_batch_put(batch, model_key(key, key_buffer), value));
}

/* Which of the changes are deletes: a bit each. */
static void write_batch(struct run *run, size_t changes, unsigned deletes)
{
    struct kvs_batch *batch;
    uint16_t *state = model_begin(&run->model);
    if (state == NULL)
        return;
    fuzz_ok(kvs_batch_new(&batch));
    for (size_t i = 0; i < changes; i++)
        change(run, batch, state, (deletes >> i & 1) != 0);
    struct kvs_write_options options = {.sync = (deletes & 0x80) != 0};
    if (accept(run, kvs_write(run->db, batch, &options))) {
        run->kill_floor = run->model.batch_count;
        if (options.sync || run->options.sync_mode == KVS_SYNC_ALWAYS)
            run->power_floor = run->model.batch_count;
    }
    kvs_batch_free(batch);
}

/* What makes everything durable. */
static void make_durable(struct run *run, struct kvs_status status)
{
    if (accept(run, status))
        run->power_floor = run->model.batch_count;
}

/* ---- Snapshots ---- */

static void take_snapshot(struct run *run)
{
    struct held_snapshot *held = &run->snapshots[fuzz_below(&run->input, SNAPSHOTS_MAX)];
    if (held->snapshot == NULL && accept(run, kvs_snapshot_new(&held->snapshot, run->db)))
        held->batches = run->model.batch_count;
}

static void release_snapshot(struct run *run, struct held_snapshot *held)
{
    if (held->snapshot == NULL)
        return;
    const uint16_t *state = run->model.states[held->batches];
    check_scan(run, 0, MODEL_KEYS, state, held->snapshot);
    for (size_t key = 0; key < MODEL_KEYS; key += 5)
        check_get(run, key, state, held->snapshot);
    kvs_snapshot_free(held->snapshot);
    held->snapshot = NULL;
}

static void release_snapshots(struct run *run)
{
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
        release_snapshot(run, &run->snapshots[i]);
}

/* ---- Steps ---- */

static void scan_some(struct run *run)
{
    size_t from = fuzz_below(&run->input, MODEL_KEYS), to = fuzz_below(&run->input, MODEL_KEYS + 1);
    check_scan(run, from < to ? from : to, from < to ? to : from, model_now(&run->model), NULL);
}

static void plan_crash(struct run *run)
{
    uint64_t calls = cursor_u8(&run->input);
    enum io_mem_moment moment = (enum io_mem_moment)fuzz_below(&run->input, 3);
    io_mem_crash_at(run->mem, io_mem_call_count(run->mem) + 1 + calls, moment);
}

static void take_small_step(struct run *run, enum step step)
{
    switch (step) {
    case STEP_PUT:
    case STEP_PUT_AGAIN:
        write_batch(run, 1, 0);
        break;
    case STEP_DELETE:
        write_batch(run, 1, 1);
        break;
    case STEP_BATCH:
        write_batch(run, 1 + fuzz_below(&run->input, 6), cursor_u8(&run->input));
        break;
    case STEP_GET:
        check_get(run, fuzz_below(&run->input, MODEL_KEYS), model_now(&run->model), NULL);
        break;
    case STEP_SCAN:
        scan_some(run);
        break;
    case STEP_SNAPSHOT:
        take_snapshot(run);
        break;
    case STEP_RELEASE:
        release_snapshot(run, &run->snapshots[fuzz_below(&run->input, SNAPSHOTS_MAX)]);
        break;
    default:
        break;
    }
}

static void take_large_step(struct run *run, enum step step)
{
    switch (step) {
    case STEP_FLUSH:
        make_durable(run, kvs_flush(run->db));
        break;
    case STEP_COMPACT:
        make_durable(run, kvs_compact(run->db));
        break;
    case STEP_VERIFY:
        (void)accept(run, kvs_verify(run->db, NULL, NULL));
        break;
    case STEP_SYNC:
        make_durable(run, kvs_sync(run->db));
        break;
    case STEP_SLEEP:
        io_sleep_until(io_mem_as_io(run->mem),
                       io_scheduler_now_ns(run->scheduler) + ((uint64_t)1 << fuzz_below(&run->input, 32)));
        break;
    case STEP_PLAN_CRASH:
        plan_crash(run);
        break;
    case STEP_CRASH:
        io_mem_crash_now(run->mem);
        break;
    default:
        break;
    }
}

static void take_steps(struct run *run)
{
    while (cursor_rest(&run->input) > 0 && !io_mem_has_crashed(run->mem) && run->steps++ < STEPS_MAX) {
        enum step step = (enum step)fuzz_below(&run->input, STEP_COUNT);
        if (step == STEP_CLOSE)
            return;
        if (step < STEP_FLUSH)
            take_small_step(run, step);
        else
            take_large_step(run, step);
    }
}

/* ---- Generations ---- */

/* The defaults depend on the machine's memory, which is asked for by opening files: once. */
static const struct kvs_options *default_options(void)
{
    static struct kvs_options options;
    if (options.memory_bytes == 0)
        kvs_options_default(&options);
    return &options;
}

static void draw_options(struct run *run)
{
    struct cursor *input = &run->input;
    run->options = *default_options();
    run->options.memory_bytes = 1 << 20;
    run->options.memtable_bytes = (uint64_t)4096 << fuzz_below(input, 3);
    run->options.block_bytes = 256 << fuzz_below(input, 3);
    run->options.segment_bytes = (uint64_t)4096 << fuzz_below(input, 3);
    run->options.level_base_bytes = (uint64_t)4096 << fuzz_below(input, 3);
    unsigned flags = cursor_u8(input);
    run->options.compression = flags & 1 ? KVS_COMPRESSION_ZSTD : KVS_COMPRESSION_NONE;
    run->options.filter_bits_per_key = flags & 2 ? 10 : 0;
    run->options.sync_mode = (enum kvs_sync_mode)((flags >> 2) % 3);
    run->options.sync_interval_ms = 20;
}

static struct kvs_status open_database(struct run *run)
{
    struct kvs_status status = db_open(&run->db, io_mem_as_io(run->mem), FOLDER, &run->options);
    if (!kvs_ok(status))
        run->db = NULL;
    return status;
}

/* The database is in a state of history that has all that must have survived, which is now. Returns false where the power went. */
static bool adopt_state(struct run *run)
{
    uint16_t state[MODEL_KEYS];
    if (!read_state(run, state))
        return false;
    size_t batches = model_find_state(&run->model, state, run->kill_floor);
    if (batches == SIZE_MAX) {
        fprintf(stderr, "not a state after %zu to %zu batches\n", run->kill_floor, run->model.batch_count);
        abort();
    }
    run->model.batch_count = batches;
    run->kill_floor = batches;
    if (run->options.sync_mode == KVS_SYNC_ALWAYS)
        run->power_floor = batches;
    for (size_t key = 0; key < MODEL_KEYS; key++)
        check_get(run, key, state, NULL);
    return true;
}

static void close_database(struct run *run)
{
    release_snapshots(run);
    if (accept(run, kvs_close(run->db)))
        run->power_floor = run->kill_floor = run->model.batch_count;
    run->db = NULL;
    KVS_ASSERT(io_mem_open_count(run->mem) == 0);
}

static void use_disk(struct run *run, struct io_mem *mem)
{
    if (mem == NULL)
        abort();
    io_mem_set_scheduler(mem, run->scheduler);
    run->mem = mem;
}

/* ---- Damage ---- */

struct file_list {
    char paths[FILES_MAX][IO_PATH_BYTES];
    size_t count;
};

static bool list_file(void *context, const char *path)
{
    struct file_list *list = context;
    if (list->count < FILES_MAX)
        snprintf(list->paths[list->count++], IO_PATH_BYTES, "%s", path);
    return true;
}

/* Change a byte of a file. Returns whether there was one. */
static bool damage_disk(struct run *run)
{
    static struct file_list list;
    list.count = 0;
    io_mem_visit(run->mem, list_file, &list);
    const char *path = list.paths[fuzz_below(&run->input, list.count > 0 ? list.count : 1)];
    size_t size = 0, at = cursor_u8(&run->input) | (size_t)cursor_u8(&run->input) << 8;
    uint8_t bit = (uint8_t)(1U << fuzz_below(&run->input, 8));
    uint8_t *bytes = list.count > 0 ? io_mem_copy_file(run->mem, &size, path) : NULL;
    bool is_done = bytes != NULL && size > 0;
    if (is_done) {
        uint8_t changed = bytes[at % size] ^ bit;
        KVS_ASSERT(io_mem_damage(run->mem, path, &changed, 1, at % size));
    }
    free(bytes);
    return is_done;
}

/* Right data, or a clear error: of opening, or of the reads that meet the damage and of verify. */
static void check_damaged(struct run *run)
{
    bool is_found = false;
    struct kvs_status status = open_database(run);
    if (!kvs_ok(status)) {
        KVS_ASSERT(status.code == KVS_CORRUPT || status.code == KVS_UNSUPPORTED);
        return;
    }
    for (size_t key = 0; key < MODEL_KEYS; key++) {
        uint16_t value;
        status = get(run->db, &value, key, NULL);
        KVS_ASSERT(kvs_ok(status) ? value == model_now(&run->model)[key] : status.code == KVS_CORRUPT);
        is_found = is_found || !kvs_ok(status);
    }
    status = kvs_verify(run->db, NULL, NULL);
    KVS_ASSERT(kvs_ok(status) ? !is_found : status.code == KVS_CORRUPT);
    status = kvs_close(run->db);
    KVS_ASSERT(status.code != KVS_BUSY);
    run->db = NULL;
}

/* On a copy, which is thrown away. */
static void try_damage(struct run *run)
{
    struct io_mem *whole = run->mem;
    use_disk(run, io_mem_clone_after_kill(whole));
    if (damage_disk(run))
        check_damaged(run);
    io_mem_free(run->mem);
    run->mem = whole;
}

/* ---- Between generations ---- */

static void next_disk(struct run *run, bool is_clean)
{
    struct io_mem *old = run->mem;
    enum ending ending = (enum ending)fuzz_below(&run->input, 4);
    if (is_clean && ending == END_DAMAGE)
        try_damage(run);
    if (is_clean && ending <= END_DAMAGE)
        return;
    if (ending == END_KILL) {
        use_disk(run, io_mem_clone_after_kill(old));
    } else {
        enum io_mem_keep keep = (enum io_mem_keep)fuzz_below(&run->input, IO_MEM_KEEP_COUNT);
        use_disk(run, io_mem_clone_after_power_cut(old, cursor_u8(&run->input), keep));
        run->kill_floor = run->power_floor;
    }
    io_mem_free(old);
}

static void run_generation(struct run *run)
{
    draw_options(run);
    unsigned crash = cursor_u8(&run->input);
    if (crash >= 0xC0)
        io_mem_crash_at(run->mem, io_mem_call_count(run->mem) + 1 + (crash & 0x3F), IO_MEM_HALFWAY);
    if (accept(run, open_database(run))) {
        if (adopt_state(run))
            take_steps(run);
        close_database(run);
    }
    next_disk(run, !io_mem_has_crashed(run->mem));
}

/* Without trouble everything is in order at last. */
static void run_last_generation(struct run *run)
{
    io_mem_crash_at(run->mem, 0, IO_MEM_BEFORE);
    draw_options(run);
    fuzz_ok(open_database(run));
    KVS_ASSERT(adopt_state(run));
    write_batch(run, 1, 0);
    fuzz_ok(kvs_verify(run->db, NULL, NULL));
    check_scan(run, 0, MODEL_KEYS, model_now(&run->model), NULL);
    close_database(run);
}

static void run_body(void *argument)
{
    struct run *run = argument;
    use_disk(run, io_mem_new(1, run->scheduler));
    for (int i = 0; i < GENERATIONS_MAX && cursor_rest(&run->input) > 0; i++)
        run_generation(run);
    run_last_generation(run);
    io_mem_free(run->mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX_BYTES)
        return 0;
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        abort();
    run->input = cursor_of(data, size);
    run->scheduler = io_scheduler_new(cursor_u8(&run->input));
    if (run->scheduler == NULL)
        abort();
    io_scheduler_run(run->scheduler, run_body, run);
    io_scheduler_free(run->scheduler);
    free(run);
    return 0;
}
