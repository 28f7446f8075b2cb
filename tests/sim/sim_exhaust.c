#include "sim_exhaust.h"

#include "base/assert.h"
#include "db/db.h"
#include "io/io_fault.h"
#include "io/io_fiber.h"
#include "io/io_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Beyond so many unsynced changes at one crash, subsets are drawn. */
enum { CHANGES_MAX = 8, DRAWN_SUBSETS = 32, LENGTH_MAX = 4, KEYS = 2 };

static const char alphabet[] = "pqdbfcr";

static const char legend[] = "p: put a, q: put b, d: delete a, b: both in a batch, f: flush, c: compact, r: reopen";

/* A workload, and how far it came.
 *
 * states  what the keys hold after so many operations; 0: absent
 * kept    operations whose effect must be there; begun: those that may be */
struct workload {
    char text[LENGTH_MAX + 1];
    uint8_t states[LENGTH_MAX + 1][KEYS];
    unsigned kept, begun;
    struct io_scheduler *scheduler;
    uint64_t call;
    enum io_mem_moment moment;
    uint64_t drop_sync;
};

static struct {
    uint64_t workloads, crashes, ends, drawn;
} counts;

static const char *const keys[KEYS] = {"a", "b"};

__attribute__((noreturn)) static void fail(const struct workload *workload, const char *what, const char *detail)
{
    fprintf(stderr, "kvstore_sim: exhaustive: workload %s (%s), power cut at call %llu, %s: %s %s\n", workload->text,
            legend, (unsigned long long)workload->call, workload->moment == IO_MEM_HALFWAY ? "halfway" : "before", what,
            detail);
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

/* Do it all, or up to the crash. */
static void run(struct workload *workload, struct io_mem *mem)
{
    struct kvs_db *db = NULL;
    struct io_fault *fault = io_fault_new(io_mem_as_io(mem));
    KVS_ASSERT(fault != NULL);
    if (workload->drop_sync != 0)
        io_fault_drop_syncs(fault, (enum io_sync_tag)workload->drop_sync);
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

static void read_state(const struct workload *workload, struct kvs_db *db, uint8_t state[KEYS])
{
    for (int i = 0; i < KEYS; i++) {
        size_t size = 0;
        bool found = false;
        state[i] = 0;
        struct kvs_status status = kvs_get_into(db, &state[i], &size, &found, slice_of_text(keys[i]), 1, NULL);
        if (!kvs_ok(status) || (found && size != 1))
            fail(workload, "a read failed:", kvs_ok(status) ? "size" : kvs_status_text(status));
    }
}

static bool is_allowed(const struct workload *workload, const uint8_t state[KEYS])
{
    for (unsigned i = workload->kept; i <= workload->begun; i++) {
        if (workload->states[i][0] == state[0] && workload->states[i][1] == state[1])
            return true;
    }
    return false;
}

/* Open one end of the crash, and take it down. */
static void check_end(const struct workload *workload, struct io_mem *mem, const char *end)
{
    struct kvs_db *db;
    uint8_t state[KEYS];
    KVS_ASSERT(mem != NULL);
    io_mem_set_scheduler(mem, workload->scheduler);
    struct kvs_status status = open_on(&db, io_mem_as_io(mem));
    if (!kvs_ok(status))
        fail(workload, end, kvs_status_text(status));
    read_state(workload, db, state);
    if (!is_allowed(workload, state))
        fail(workload, end, "is in a state that it may not be in");
    status = kvs_close(db);
    if (!kvs_ok(status) || io_mem_open_count(mem) != 0)
        fail(workload, end, "does not close");
    io_mem_free(mem);
    counts.ends++;
}

static void check_ends(const struct workload *workload, struct io_mem *mem)
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

void sim_exhaust(uint64_t length, uint64_t drop_sync)
{
    time_t begun = time(NULL);
    KVS_ASSERT(length >= 1 && length <= LENGTH_MAX);
    for (unsigned i = 1; i <= length; i++) {
        struct workload workload = {.drop_sync = drop_sync};
        enumerate(&workload, 0, i);
    }
    printf(
        "kvstore_sim: exhaustive: %llu workloads of up to %llu operations, %llu crash points, %llu ends in %lld s; at %llu of the crash points more than %d "
        "changes were not synced, and %d of their subsets were drawn: all promises kept\n",
        (unsigned long long)counts.workloads, (unsigned long long)length, (unsigned long long)counts.crashes,
        (unsigned long long)counts.ends, (long long)(time(NULL) - begun), (unsigned long long)counts.drawn, CHANGES_MAX,
        DRAWN_SUBSETS);
}
