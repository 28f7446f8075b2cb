#include "fault.h"

/* Those that leave the database open show, too, how it goes on once the fault is gone. */

/* Enough changes of some size to fill a small memtable several times. */
static bool write_much(struct fault_bench *bench, unsigned count)
{
    bool all = true;
    for (unsigned i = 0; i < count && bench->db != NULL; i++)
        all &= i % 7 == 6 ? step_delete(bench, i % HISTORY_KEYS) : step_put(bench, (i * 5) % HISTORY_KEYS, false);
    return all;
}

void fault_fill(struct fault_bench *bench)
{
    for (int i = 0; i < 3; i++) {
        (void)write_much(bench, 12);
        (void)step_flush(bench);
    }
    (void)step_compact(bench);
    (void)write_much(bench, 12);
    (void)step_flush(bench);
    (void)step_batch(bench, 4, true);
}

static void run_create(struct fault_bench *bench)
{
    if (!step_open(bench))
        return;
    (void)step_put(bench, 1, false);
    (void)step_gets(bench);
    (void)step_close(bench);
}

/* Reads whose blocks are on the disk, and what was recovered. */
static void run_open(struct fault_bench *bench)
{
    if (!step_open(bench))
        return;
    (void)step_scan(bench, true);
    (void)step_put(bench, 2, false);
    (void)step_close(bench);
}

static void run_open_read_only(struct fault_bench *bench)
{
    if (!step_open_read_only(bench))
        return;
    (void)step_multi_get(bench);
    (void)step_close(bench);
}

static void run_write(struct fault_bench *bench)
{
    if (!step_open(bench))
        return;
    (void)step_put(bench, 1, false);
    (void)step_put(bench, 2, true);
    (void)step_delete(bench, 2);
    (void)step_batch(bench, 5, false);
    (void)step_apply(bench);
    (void)step_gets(bench);
    (void)step_sync(bench);
    (void)step_put(bench, 4, true);
    step_wait(bench, 40); /* the interval's sync, and the idle time after it */
    (void)step_put(bench, 5, false);
}

/* What a close has to do when much is under way. */
static void run_close(struct fault_bench *bench)
{
    if (!step_open(bench))
        return;
    (void)write_much(bench, 30);
    (void)step_batch(bench, 3, false);
    (void)step_close(bench);
}

/* Memtables fill, logs rotate, flushes and compactions run behind. */
static void run_fill(struct fault_bench *bench)
{
    if (!step_open(bench))
        return;
    (void)write_much(bench, 40);
    (void)step_gets(bench);
    step_wait(bench, 1500);
    (void)step_put(bench, 6, true);
    (void)step_scan(bench, false);
}

static void run_flush(struct fault_bench *bench)
{
    if (!step_open(bench))
        return;
    (void)step_put(bench, 1, false);
    (void)step_flush(bench);
    (void)step_put(bench, 2, false);
    (void)step_snapshot(bench);
    (void)step_multi_get(bench);
}

static void run_compact(struct fault_bench *bench)
{
    if (!step_open(bench))
        return;
    (void)step_put(bench, 1, false);
    (void)step_compact(bench);
    (void)step_verify(bench);
    step_wait(bench, 1500); /* what was dropped is unlinked */
    (void)step_put(bench, 2, false);
}

/* Every way to read, from a cold cache. */
static void run_read(struct fault_bench *bench)
{
    if (!step_open(bench))
        return;
    (void)step_gets(bench);
    (void)step_multi_get(bench);
    (void)step_scan(bench, false);
    (void)step_verify(bench);
    (void)step_close(bench);
}

static void run_reopen(struct fault_bench *bench)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!step_open(bench))
            continue;
        (void)step_put(bench, i, i == 1);
        (void)step_put(bench, i + 1, false);
        if (bench->db != NULL)
            (void)step_close(bench);
    }
}

const struct fault_scenario fault_scenarios[] = {
    {"create", IMAGE_EMPTY, KVS_SYNC_ALWAYS, run_create},
    {"open-closed", IMAGE_CLOSED, KVS_SYNC_ALWAYS, run_open},
    {"open-killed", IMAGE_KILLED, KVS_SYNC_ALWAYS, run_open},
    {"open-torn", IMAGE_TORN, KVS_SYNC_ALWAYS, run_open},
    {"open-killed-os", IMAGE_KILLED, KVS_SYNC_OS, run_open},
    {"open-torn-interval", IMAGE_TORN, KVS_SYNC_INTERVAL, run_open},
    {"open-read-only", IMAGE_TORN, KVS_SYNC_ALWAYS, run_open_read_only},
    {"write-always", IMAGE_CLOSED, KVS_SYNC_ALWAYS, run_write},
    {"write-interval", IMAGE_CLOSED, KVS_SYNC_INTERVAL, run_write},
    {"write-os", IMAGE_CLOSED, KVS_SYNC_OS, run_write},
    {"fill-always", IMAGE_CLOSED, KVS_SYNC_ALWAYS, run_fill},
    {"fill-os", IMAGE_CLOSED, KVS_SYNC_OS, run_fill},
    {"close-always", IMAGE_CLOSED, KVS_SYNC_ALWAYS, run_close},
    {"close-os", IMAGE_KILLED, KVS_SYNC_OS, run_close},
    {"flush", IMAGE_CLOSED, KVS_SYNC_ALWAYS, run_flush},
    {"compact", IMAGE_CLOSED, KVS_SYNC_ALWAYS, run_compact},
    {"read", IMAGE_CLOSED, KVS_SYNC_ALWAYS, run_read},
    {"reopen-os", IMAGE_KILLED, KVS_SYNC_OS, run_reopen},
    {"reopen-always", IMAGE_KILLED, KVS_SYNC_ALWAYS, run_reopen},
};

const size_t fault_scenario_count = sizeof fault_scenarios / sizeof *fault_scenarios;
