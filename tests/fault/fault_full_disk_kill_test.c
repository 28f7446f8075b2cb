/* A database is killed at each of its calls, opened on a full disk, and then the power goes: what was shown as durable without room is still there. */
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

#define ROOMY_BYTES (UINT64_C(1) << 30)

enum { KEY_COUNT = 24, VALUE_BYTES = 400 };

/* mode       of the open without room; the killed process had mode interval, so that much is unsynced
 * shown      keys that reads have shown there; durable: those that it said were on the disk
 * published  the sequence number that it showed
 * refusals   opens that had no room */
struct machine {
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct io *io;
    enum kvs_sync_mode mode;
    unsigned shown;
    uint64_t durable, published;
    unsigned refusals;
};

static struct kvs_status open_machine(struct kvs_db **db, const struct machine *machine, enum kvs_sync_mode mode)
{
    struct kvs_options options;
    kvs_options_default(&options);
    options.memory_bytes = 1 << 20;
    options.memtable_bytes = 8192;
    options.segment_bytes = 8192;
    options.sync_mode = mode;
    return db_open(db, machine->io, "/db", &options);
}

static void expect_ok(struct kvs_status status, const char *what)
{
    if (!kvs_ok(status))
        fail_msg("%s: %s", what, kvs_status_text(status));
}

static struct kvs_status put(struct kvs_db *db, unsigned number)
{
    char key[16], value[VALUE_BYTES];
    memset(value, 'a' + (int)(number % 26), sizeof value);
    int size = snprintf(key, sizeof key, "key%04u", number);
    return kvs_put(db, (struct kvs_slice){key, (size_t)size}, (struct kvs_slice){value, sizeof value}, NULL);
}

/* Keys are written in order, each once: how many there are is also the last sequence number. */
static unsigned count_keys(struct kvs_db *db)
{
    unsigned count = 0;
    struct kvs_iterator *iterator;
    expect_ok(kvs_iterator_new(&iterator, db, NULL), "iterator");
    for (kvs_iterator_first(iterator); kvs_iterator_valid(iterator); kvs_iterator_next(iterator))
        count++;
    expect_ok(kvs_iterator_status(iterator), "scan");
    kvs_iterator_free(iterator);
    return count;
}

static void run_on(struct machine *machine, struct io_mem *mem, void (*body)(void *))
{
    assert_non_null(mem);
    machine->scheduler = io_scheduler_new(5);
    machine->mem = mem;
    machine->io = io_mem_as_io(mem);
    io_mem_set_scheduler(mem, machine->scheduler);
    io_scheduler_run(machine->scheduler, body, machine);
    io_mem_set_scheduler(mem, NULL);
    io_scheduler_free(machine->scheduler);
}

/* Until it is killed: writes, and flushes of their own accord. */
static void work(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    if (!kvs_ok(open_machine(&db, machine, KVS_SYNC_INTERVAL)))
        return;
    struct kvs_status status = status_ok();
    for (unsigned i = 0; i < KEY_COUNT && kvs_ok(status); i++)
        status = put(db, i);
    if (kvs_ok(status))
        status = kvs_flush(db);
    struct kvs_status closed = kvs_close(db);
    if (!kvs_ok(status) || !kvs_ok(closed))
        assert_true(io_mem_has_crashed(machine->mem));
}

static void show_without_room(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    struct kvs_stats stats;
    uint64_t free_bytes;
    expect_ok(io_free_space(machine->io, &free_bytes, "/"), "free space");
    io_mem_set_capacity(machine->mem, ROOMY_BYTES - free_bytes);
    machine->shown = 0;
    machine->durable = machine->published = 0;
    struct kvs_status status = open_machine(&db, machine, machine->mode);
    if (status.code == KVS_NO_SPACE)
        return; /* there was no database yet */
    expect_ok(status, "open without room");
    kvs_stats(db, &stats);
    machine->refusals += stats.health == KVS_NO_SPACE;
    machine->shown = count_keys(db);
    machine->durable = stats.durable_sequence;
    machine->published = stats.published_sequence;
    status = kvs_close(db);
    if (kvs_ok(status))
        machine->durable = machine->shown;
    else
        assert_int_equal(status.code, KVS_NO_SPACE);
    if (machine->mode == KVS_SYNC_ALWAYS)
        assert_true(machine->durable >= machine->shown);
}

static void expect_durable(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    expect_ok(open_machine(&db, machine, machine->mode), "open after a power cut");
    if (count_keys(db) < machine->durable)
        fail_msg("%u keys are there, %u were shown and %llu of them durable", count_keys(db), machine->shown,
                 (unsigned long long)machine->durable);
    if (machine->mode == KVS_SYNC_ALWAYS && kvs_published_sequence(db) < machine->published)
        fail_msg("%llu is published, and %llu was: numbers are given out again",
                 (unsigned long long)kvs_published_sequence(db), (unsigned long long)machine->published);
    expect_ok(kvs_close(db), "close");
}

static void check_kill(struct machine *machine, struct io_mem *mem)
{
    for (int mode = KVS_SYNC_ALWAYS; mode <= KVS_SYNC_OS; mode++) {
        struct io_mem *killed = io_mem_clone_after_kill(mem);
        machine->mode = (enum kvs_sync_mode)mode;
        assert_non_null(killed);
        io_mem_set_capacity(killed, ROOMY_BYTES);
        run_on(machine, killed, show_without_room);
        struct io_mem *cut = io_mem_clone_after_power_cut(killed, 1, IO_MEM_KEEP_NONE);
        io_mem_free(killed);
        assert_non_null(cut);
        io_mem_set_capacity(cut, ROOMY_BYTES);
        run_on(machine, cut, expect_durable);
        io_mem_free(cut);
    }
}

/* A full disk would turn a later power cut into the loss of data that clients have read, or had been told was safe, or let one sequence number stand for two states: the
 * last edit of the manifest, and with it which logs and segments there are, and the headers of a torn tail may be in the page cache only. */
static void db_full_disk_after_any_kill_shows_what_a_power_cut_leaves(void **state)
{
    (void)state;
    struct machine machine = {0};
    bool has_crashed = true;
    for (uint64_t call = 1; has_crashed; call++) {
        for (int moment = IO_MEM_BEFORE; moment <= IO_MEM_AFTER && has_crashed; moment++) {
            struct io_mem *mem = io_mem_new(1, NULL);
            assert_non_null(mem);
            io_mem_set_capacity(mem, ROOMY_BYTES);
            io_mem_crash_at(mem, call, (enum io_mem_moment)moment);
            run_on(&machine, mem, work);
            has_crashed = io_mem_has_crashed(mem);
            check_kill(&machine, mem);
            io_mem_free(mem);
        }
    }
    assert_true(machine.refusals > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(db_full_disk_after_any_kill_shows_what_a_power_cut_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
