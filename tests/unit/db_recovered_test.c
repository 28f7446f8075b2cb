/* A killed process leaves one log that the next one, whose memory budget is smaller, reads into many memtables; the power goes while those are flushed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/db.h"
#include "io/io_fiber.h"
#include "io/io_mem.h"
#include "kvstore.h"

#include <stdio.h>
#include <string.h>

enum { ONE_TABLE_BYTES = 1 << 20, SMALL_TABLE_BYTES = 4096 };

/* Keys in the log that the kill leaves: some eight memtables of the small kind. Then a few that follow it in another log. */
enum { LEFT_COUNT = 60, KEY_COUNT = 70, VALUE_BYTES = 400 };

/* durable    keys that a power cut must leave
 * recovered  in memory when the second process began to write; flushes: of that process */
struct machine {
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct io *io;
    enum kvs_sync_mode mode;
    unsigned durable;
    uint64_t recovered, flushes;
};

static struct kvs_status open_machine(struct kvs_db **db, const struct machine *machine, uint64_t memtable_bytes)
{
    struct kvs_options options;
    kvs_options_default(&options);
    options.memory_bytes = 4 << 20;
    options.memtable_bytes = memtable_bytes;
    options.sync_mode = machine->mode;
    return db_open(db, machine->io, "/db", &options);
}

static void expect_ok(struct kvs_status status, const char *what)
{
    if (!kvs_ok(status))
        fail_msg("%s: %s", what, kvs_status_text(status));
}

/* Write keys in order, each once, up to one. */
static struct kvs_status put_from(struct kvs_db *db, unsigned first, unsigned end)
{
    struct kvs_status status = status_ok();
    for (unsigned i = first; i < end && kvs_ok(status); i++) {
        char key[16], value[VALUE_BYTES];
        memset(value, 'a' + (int)(i % 26), sizeof value);
        int size = snprintf(key, sizeof key, "key%04u", i);
        status = kvs_put(db, (struct kvs_slice){key, (size_t)size}, (struct kvs_slice){value, sizeof value}, NULL);
    }
    return status;
}

/* How many keys there are, which must be the first so many. */
static unsigned count_keys(struct kvs_db *db)
{
    unsigned count = 0;
    struct kvs_iterator *iterator;
    expect_ok(kvs_iterator_new(&iterator, db, NULL), "iterator");
    for (kvs_iterator_first(iterator); kvs_iterator_valid(iterator); kvs_iterator_next(iterator)) {
        char key[16];
        struct kvs_slice found = kvs_iterator_key(iterator), value = kvs_iterator_value(iterator);
        int size = snprintf(key, sizeof key, "key%04u", count);
        assert_int_equal(found.size, size);
        assert_memory_equal(found.data, key, found.size);
        assert_int_equal(value.size, VALUE_BYTES);
        assert_int_equal(*(const char *)value.data, 'a' + (int)(count % 26));
        count++;
    }
    expect_ok(kvs_iterator_status(iterator), "scan");
    kvs_iterator_free(iterator);
    return count;
}

/* ---- What happens to the disk ---- */

/* Until the kill: one memtable, and nothing is synced but in mode always. */
static void leave_one_log(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    expect_ok(open_machine(&db, machine, ONE_TABLE_BYTES), "open");
    expect_ok(put_from(db, 0, LEFT_COUNT), "a write");
    struct io_mem *killed = io_mem_clone_after_kill(machine->mem);
    assert_non_null(killed);
    expect_ok(kvs_close(db), "close");
    machine->mem = killed;
}

static void note_stats(struct machine *machine, struct kvs_db *db)
{
    struct kvs_stats stats;
    kvs_stats(db, &stats);
    machine->recovered = stats.recovered_records;
    machine->flushes = stats.flushes;
}

/* Until the power cut: flushes of what was left, two memtables at a time, and writes beside them. */
static void flush_by_parts(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    machine->durable = machine->mode == KVS_SYNC_ALWAYS ? LEFT_COUNT : 0;
    struct kvs_status status = open_machine(&db, machine, SMALL_TABLE_BYTES);
    if (kvs_ok(status)) {
        status = put_from(db, LEFT_COUNT, KEY_COUNT);
        if (kvs_ok(status))
            status = kvs_flush(db);
        note_stats(machine, db);
        if (kvs_ok(status))
            machine->durable = KEY_COUNT;
        struct kvs_status closed = kvs_close(db);
        status = kvs_ok(status) ? closed : status;
    }
    if (!kvs_ok(status) && !io_mem_has_crashed(machine->mem))
        fail_msg("without a power cut: %s", kvs_status_text(status));
}

static void expect_sound(void *argument)
{
    const struct machine *machine = argument;
    struct kvs_db *db;
    expect_ok(open_machine(&db, machine, SMALL_TABLE_BYTES), "open after the power cut");
    assert_in_range(count_keys(db), machine->durable, KEY_COUNT);
    expect_ok(kvs_verify(db, NULL, NULL), "verify");
    expect_ok(kvs_close(db), "close");
}

/* ---- All of it ---- */

static void run_on(struct machine *machine, struct io_mem *mem, void (*body)(void *))
{
    assert_non_null(mem);
    machine->scheduler = io_scheduler_new(1);
    machine->mem = mem;
    machine->io = io_mem_as_io(mem);
    io_mem_set_scheduler(mem, machine->scheduler);
    io_scheduler_run(machine->scheduler, body, machine);
    io_mem_set_scheduler(mem, NULL);
    io_scheduler_free(machine->scheduler);
}

/* Returns whether the power went: there were so many calls. */
static bool run_with_cut(struct machine *machine, struct io_mem *killed, uint64_t call)
{
    static const enum io_mem_keep keeps[] = {IO_MEM_KEEP_NONE, IO_MEM_KEEP_PREFIX, IO_MEM_KEEP_SUFFIX};
    struct io_mem *mem = io_mem_clone_after_kill(killed);
    assert_non_null(mem);
    io_mem_crash_at(mem, call, IO_MEM_AFTER);
    run_on(machine, mem, flush_by_parts);
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        struct io_mem *cut = io_mem_clone_after_power_cut(mem, call, keeps[i]);
        run_on(machine, cut, expect_sound);
        assert_int_equal(io_mem_open_count(cut), 0);
        io_mem_free(cut);
    }
    bool has_crashed = io_mem_has_crashed(mem);
    io_mem_free(mem);
    return has_crashed;
}

static void run_mode(enum kvs_sync_mode mode)
{
    struct machine machine = {.mode = mode};
    struct io_mem *mem = io_mem_new(1, NULL);
    run_on(&machine, mem, leave_one_log);
    struct io_mem *killed = machine.mem;
    io_mem_free(mem);
    for (uint64_t call = 1; run_with_cut(&machine, killed, call); call++)
        continue;
    io_mem_free(killed);
    assert_int_equal(machine.recovered, LEFT_COUNT);
    assert_true(machine.flushes > 3);
}

/* A sound database that does not open after a power cut: what a part of the log's records had been flushed for was taken as proof that the disk holds the rest of the
 * log, and its loss for damage. */
static void db_power_cut_between_flushes_of_one_log_os_opens(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_OS);
}

/* The same, while syncs wait for those flushes. */
static void db_power_cut_between_flushes_of_one_log_interval_opens(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_INTERVAL);
}

/* Here what was left is written again before it is flushed, and a client has been told that it is durable. */
static void db_power_cut_between_flushes_of_one_log_always_keeps_all(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_ALWAYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(db_power_cut_between_flushes_of_one_log_os_opens),
        cmocka_unit_test(db_power_cut_between_flushes_of_one_log_interval_opens),
        cmocka_unit_test(db_power_cut_between_flushes_of_one_log_always_keeps_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
