#include "sim_exhaust.h"

#include "base/assert.h"
#include "base/hash.h"
#include "db/db.h"
#include "io/io_fault.h"
#include "io/io_fiber.h"
#include "io/io_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Beyond so many unsynced changes at one crash, subsets are drawn. */
enum { CHANGES_MAX = 8, DRAWN_SUBSETS = 32, LENGTH_MAX = 4, KEYS = 2 };

static const char alphabet[] = "pqdbfcr";

static const char legend[] = "p: put a, q: put b, d: delete a, b: both in a batch, f: flush, c: compact, r: reopen";

/* Ends of one workload that a second crash was tried on: others like them are passed over. */
enum { KNOWN_MAX = 1 << 12, PATHS_MAX = 64 };

/* A workload, and how far it came.
 *
 * states  what the keys hold after so many operations; 0: absent
 * kept    operations whose effect must be there; begun: those that may be
 * crash_again    a second crash at each call of each recovery
 * again, again_moment  where that is; 0: in none
 * known   hashes of the ends that it was tried on */
struct workload {
    char text[LENGTH_MAX + 1];
    uint8_t states[LENGTH_MAX + 1][KEYS];
    unsigned kept, begun;
    struct io_scheduler *scheduler;
    uint64_t call;
    enum io_mem_moment moment;
    uint64_t drop_sync;
    bool crash_again;
    uint64_t again;
    enum io_mem_moment again_moment;
    uint64_t known[KNOWN_MAX];
    size_t known_count;
};

static struct {
    uint64_t workloads, crashes, ends, drawn, again;
} counts;

static const char *const keys[KEYS] = {"a", "b"};

__attribute__((noreturn)) static void fail(const struct workload *workload, const char *what, const char *detail)
{
    fprintf(stderr, "kvstore_sim: exhaustive: workload %s (%s), power cut at call %llu, %s", workload->text, legend,
            (unsigned long long)workload->call, workload->moment == IO_MEM_HALFWAY ? "halfway" : "before");
    if (workload->again != 0)
        fprintf(stderr, ", and again at call %llu of the recovery, %s", (unsigned long long)workload->again,
                workload->again_moment == IO_MEM_HALFWAY ? "halfway" : "before");
    fprintf(stderr, ": %s %s\n", what, detail);
    exit(1);
}

static struct kvs_options small_options(void)
{
    struct kvs_options options;
    kvs_options_default(&options);
    options.memory_bytes = 1 << 20;
    options.memtable_bytes = 4096;
    options.block_bytes = 256;
    options.segment_bytes = 4096;
    options.level_base_bytes = 4096;
    options.compression = KVS_COMPRESSION_NONE;
    options.sync_mode = KVS_SYNC_ALWAYS;
    return options;
}

static struct kvs_status open_on(struct kvs_db **db, struct io *io)
{
    struct kvs_options options = small_options();
    return db_open(db, io, "/db", &options);
}

/* ---- The workload ---- */

/* What the keys hold after the operation at index. */
static void plan_state(struct workload *workload, unsigned index)
{
    const uint8_t *before = workload->states[index];
    uint8_t *after = workload->states[index + 1], value = (uint8_t)(index + 1);
    char operation = workload->text[index];
    after[0] = operation == 'p' || operation == 'b' ? value : operation == 'd' ? 0 : before[0];
    after[1] = operation == 'q' || operation == 'b' ? value : before[1];
}

static struct kvs_status write_both(struct kvs_db *db, struct kvs_slice value)
{
    struct kvs_batch *batch;
    struct kvs_status status = kvs_batch_new(&batch);
    KVS_ASSERT(kvs_ok(status));
    for (int i = 0; i < KEYS && kvs_ok(status); i++)
        status = kvs_batch_put(batch, slice_of_text(keys[i]), value);
    KVS_ASSERT(kvs_ok(status));
    status = kvs_write(db, batch, NULL);
    kvs_batch_free(batch);
    return status;
}

static struct kvs_status operate(struct kvs_db **db, struct io *io, const struct workload *workload, unsigned index)
{
    const struct kvs_slice value = slice_of(&workload->states[index + 1][workload->text[index] == 'q'], 1);
    switch (workload->text[index]) {
    case 'p':
    case 'q':
        return kvs_put(*db, slice_of_text(keys[workload->text[index] == 'q']), value, NULL);
    case 'd':
        return kvs_delete(*db, slice_of_text(keys[0]), NULL);
    case 'b':
        return write_both(*db, value);
    case 'f':
        return kvs_flush(*db);
    case 'c':
        return kvs_compact(*db);
    default: {
        struct kvs_status status = kvs_close(*db);
        *db = NULL;
        return kvs_ok(status) ? open_on(db, io) : status;
    }
    }
}

/* A layer on the disk that leaves out the syncs which are to be left out. */
static struct io_fault *drop_syncs(const struct workload *workload, struct io_mem *mem)
{
    struct io_fault *fault = io_fault_new(io_mem_as_io(mem));
    KVS_ASSERT(fault != NULL);
    if (workload->drop_sync != 0)
        io_fault_drop_syncs(fault, (enum io_sync_tag)workload->drop_sync);
    return fault;
}

/* Do it all, or up to the crash. */
static void run(struct workload *workload, struct io_mem *mem)
{
    struct kvs_db *db = NULL;
    struct io_fault *fault = drop_syncs(workload, mem);
    struct io *io = io_fault_as_io(fault);
    struct kvs_status status = open_on(&db, io);
    workload->kept = workload->begun = 0;
    for (unsigned i = 0; workload->text[i] != '\0' && kvs_ok(status); i++) {
        workload->begun = i + 1;
        status = operate(&db, io, workload, i);
        if (kvs_ok(status))
            workload->kept = i + 1;
    }
    if (db != NULL) {
        struct kvs_status closed = kvs_close(db);
        status = kvs_ok(status) ? closed : status;
    }
    io_fault_free(fault);
    if (!kvs_ok(status) && !io_mem_has_crashed(mem))
        fail(workload, "an operation failed without cause:", kvs_status_text(status));
}

/* ---- What is found afterwards ---- */

/* False: the power went meanwhile. */
static bool read_state(const struct workload *workload, struct kvs_db *db, struct io_mem *mem, uint8_t state[KEYS])
{
    for (int i = 0; i < KEYS; i++) {
        size_t size = 0;
        bool found = false;
        state[i] = 0;
        struct kvs_status status = kvs_get_into(db, &state[i], &size, &found, slice_of_text(keys[i]), 1, NULL);
        if (!kvs_ok(status) && io_mem_has_crashed(mem))
            return false;
        if (!kvs_ok(status) || (found && size != 1))
            fail(workload, "a read failed:", kvs_ok(status) ? "size" : kvs_status_text(status));
    }
    return true;
}

static bool is_allowed(const struct workload *workload, const uint8_t state[KEYS])
{
    for (unsigned i = workload->kept; i <= workload->begun; i++) {
        if (workload->states[i][0] == state[0] && workload->states[i][1] == state[1])
            return true;
    }
    return false;
}

/* Open one end of the crash, and take it down. shown: the state that it must be in, since a recovery has shown it; NULL: any that is allowed. */
static void open_end(const struct workload *workload, struct io_mem *mem, const char *end, const uint8_t *shown)
{
    struct kvs_db *db;
    uint8_t state[KEYS];
    KVS_ASSERT(mem != NULL);
    io_mem_set_scheduler(mem, workload->scheduler);
    struct kvs_status status = open_on(&db, io_mem_as_io(mem));
    if (!kvs_ok(status))
        fail(workload, end, kvs_status_text(status));
    if (!read_state(workload, db, mem, state) || !is_allowed(workload, state))
        fail(workload, end, "is in a state that it may not be in");
    if (shown != NULL && memcmp(shown, state, sizeof state) != 0)
        fail(workload, end, "is not in the state that was shown before");
    status = kvs_close(db);
    if (!kvs_ok(status) || io_mem_open_count(mem) != 0)
        fail(workload, end, "does not close");
    io_mem_free(mem);
    counts.ends++;
}

/* Recover, up to the second crash, and close. Returns whether there was one. */
static bool recover_until_crash(const struct workload *workload, struct io_mem *mem, bool *is_shown, uint8_t *shown)
{
    struct kvs_db *db;
    struct io_fault *fault = drop_syncs(workload, mem);
    struct kvs_status status = open_on(&db, io_fault_as_io(fault));
    *is_shown = kvs_ok(status);
    if (*is_shown) {
        *is_shown = !io_mem_has_crashed(mem) && read_state(workload, db, mem, shown);
        status = kvs_close(db);
    }
    io_fault_free(fault);
    if (!kvs_ok(status) && !io_mem_has_crashed(mem))
        fail(workload, "a recovery failed without cause:", kvs_status_text(status));
    return io_mem_has_crashed(mem);
}

/* The power goes again at each call of the recovery and of the close after it. What that leaves is all, as after a kill, or nothing of what was not
 * synced. */
static void crash_recovery(struct workload *workload, struct io_mem *end)
{
    bool has_crashed = true;
    for (workload->again = 1; has_crashed; workload->again++) {
        for (int moment = IO_MEM_BEFORE; moment <= IO_MEM_HALFWAY && has_crashed; moment++) {
            uint8_t state[KEYS];
            bool is_shown;
            struct io_mem *mem = io_mem_clone_after_kill(end);
            KVS_ASSERT(mem != NULL);
            workload->again_moment = (enum io_mem_moment)moment;
            io_mem_set_scheduler(mem, workload->scheduler);
            io_mem_crash_at(mem, io_mem_call_count(mem) + workload->again, workload->again_moment);
            has_crashed = recover_until_crash(workload, mem, &is_shown, state);
            const uint8_t *shown = is_shown ? state : NULL;
            open_end(workload, io_mem_clone_after_kill(mem), "after a kill the database", shown);
            open_end(workload, io_mem_clone_after_power_cut(mem, 0, IO_MEM_KEEP_NONE),
                     "without what was not synced the database", shown);
            io_mem_free(mem);
            counts.again++;
        }
    }
    workload->again = 0;
}

/* The paths of a disk. */
struct paths {
    char at[PATHS_MAX][IO_PATH_BYTES];
    size_t count;
};

static bool note_path(void *context, const char *path)
{
    struct paths *paths = context;
    KVS_ASSERT(paths->count < PATHS_MAX);
    snprintf(paths->at[paths->count++], IO_PATH_BYTES, "%s", path);
    return true;
}

/* Of names and bytes; what the operations promise of them is a part of it. */
static uint64_t hash_of(const struct workload *workload, struct io_mem *mem)
{
    static struct paths paths;
    paths.count = 0;
    io_mem_visit(mem, note_path, &paths);
    uint64_t sum = hash_mix(workload->kept, workload->begun);
    for (size_t i = 0; i < paths.count; i++) {
        size_t size = 0;
        uint8_t *bytes = io_mem_copy_file(mem, &size, paths.at[i]); /* NULL: a folder */
        sum += hash_mix(hash_bytes(paths.at[i], strlen(paths.at[i])), bytes == NULL ? 1 : hash_bytes(bytes, size));
        free(bytes);
    }
    return sum;
}

/* An end that looks like one before, and of which a power cut leaves the same, has nothing new to show. */
static bool is_known(struct workload *workload, struct io_mem *mem)
{
    struct io_mem *cut = io_mem_clone_after_power_cut(mem, 0, IO_MEM_KEEP_NONE);
    KVS_ASSERT(cut != NULL);
    uint64_t hash = hash_mix(hash_of(workload, mem), hash_of(workload, cut));
    io_mem_free(cut);
    for (size_t i = 0; i < workload->known_count; i++) {
        if (workload->known[i] == hash)
            return true;
    }
    if (workload->known_count < KNOWN_MAX)
        workload->known[workload->known_count++] = hash;
    return false;
}

/* Open one end of the crash, and take it down; before, if asked for, all that a second crash makes of it. */
static void check_end(struct workload *workload, struct io_mem *mem, const char *end)
{
    KVS_ASSERT(mem != NULL);
    if (workload->crash_again && !is_known(workload, mem))
        crash_recovery(workload, mem);
    open_end(workload, mem, end, NULL);
}

static void check_ends(struct workload *workload, struct io_mem *mem)
{
    struct io_mem_choice choice = {0};
    check_end(workload, io_mem_clone_after_kill(mem), "after a kill the database");
    check_end(workload, io_mem_clone_by_choice(mem, &choice), "without what was not synced the database");
    if (choice.used <= CHANGES_MAX) {
        while (io_mem_choice_next(&choice))
            check_end(workload, io_mem_clone_by_choice(mem, &choice),
                      "with a part of what was not synced the database");
        return;
    }
    counts.drawn++;
    check_end(workload, io_mem_clone_after_power_cut(mem, 0, IO_MEM_KEEP_ALL),
              "with all that was not synced the database");
    for (uint64_t seed = 0; seed < DRAWN_SUBSETS; seed++)
        check_end(workload, io_mem_clone_after_power_cut(mem, seed, IO_MEM_KEEP_RANDOM),
                  "with a part of what was not synced the database");
}

/* ---- All of them ---- */

/* Every crash point of one workload, on a scheduler of its own. */
static void run_crashes(void *argument)
{
    struct workload *workload = argument;
    bool has_crashed = true;
    for (workload->call = 1; has_crashed; workload->call++) {
        for (int moment = IO_MEM_BEFORE; moment <= IO_MEM_HALFWAY && has_crashed; moment++) {
            struct io_mem *mem = io_mem_new(1, workload->scheduler);
            KVS_ASSERT(mem != NULL);
            workload->moment = (enum io_mem_moment)moment;
            io_mem_crash_at(mem, workload->call, workload->moment);
            run(workload, mem);
            has_crashed = io_mem_has_crashed(mem);
            check_ends(workload, mem);
            io_mem_free(mem);
            counts.crashes++;
        }
    }
}

static void run_workload(struct workload *workload, unsigned length)
{
    workload->known_count = 0;
    for (unsigned i = 0; i < length; i++)
        plan_state(workload, i);
    workload->scheduler = io_scheduler_new(1);
    KVS_ASSERT(workload->scheduler != NULL);
    io_scheduler_run(workload->scheduler, run_crashes, workload);
    io_scheduler_free(workload->scheduler);
    counts.workloads++;
}

/* All workloads that begin with the first at characters of text. */
static void enumerate(struct workload *workload, unsigned at, unsigned length)
{
    if (at == length) {
        run_workload(workload, length);
        return;
    }
    for (const char *operation = alphabet; *operation != '\0'; operation++) {
        workload->text[at] = *operation;
        enumerate(workload, at + 1, length);
    }
}

void sim_exhaust(uint64_t length, uint64_t drop_sync, bool crash_again)
{
    time_t begun = time(NULL);
    KVS_ASSERT(length >= 1 && length <= LENGTH_MAX);
    for (unsigned i = 1; i <= length; i++) {
        struct workload workload = {.drop_sync = drop_sync, .crash_again = crash_again};
        enumerate(&workload, 0, i);
    }
    printf(
        "kvstore_sim: exhaustive: %llu workloads of up to %llu operations, %llu crash points, %llu in recoveries after them, %llu ends in %lld s; at %llu of the crash points more than %d "
        "changes were not synced, and %d of their subsets were drawn: all promises kept\n",
        (unsigned long long)counts.workloads, (unsigned long long)length, (unsigned long long)counts.crashes,
        (unsigned long long)counts.again, (unsigned long long)counts.ends, (long long)(time(NULL) - begun),
        (unsigned long long)counts.drawn, CHANGES_MAX, DRAWN_SUBSETS);
}
