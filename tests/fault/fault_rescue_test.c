/* After a failed sync of the log: what readers have seen must outlive the power, and what nobody saw must not be told as stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/db.h"
#include "io/io_fault.h"
#include "io/io_fiber.h"
#include "io/io_mem.h"
#include "kvstore.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEY_COUNT = 20, SEED_COUNT = 20 };

struct machine {
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct io_fault *fault;
    struct io *io;
    enum kvs_sync_mode mode;
    uint64_t seed;     /* of the order of the threads; 0: any */
    unsigned expected; /* keys that the reopened database must have */
};

static struct kvs_slice text(const char *bytes)
{
    return (struct kvs_slice){bytes, strlen(bytes)};
}

static struct kvs_status open_machine(struct machine *machine, struct kvs_db **db)
{
    struct kvs_options options;
    kvs_options_default(&options);
    options.memory_bytes = 1 << 20;
    options.memtable_bytes = 64 << 10;
    options.sync_mode = machine->mode;
    return db_open(db, machine->io, "/db", &options);
}

static struct kvs_status put(struct kvs_db *db, unsigned number, bool sync)
{
    char key[16];
    snprintf(key, sizeof key, "key%02u", number);
    struct kvs_write_options options = {.sync = sync};
    return kvs_put(db, text(key), text("value"), &options);
}

static unsigned count_keys(struct kvs_db *db)
{
    struct kvs_iterator *iterator;
    unsigned count = 0;
    assert_true(kvs_ok(kvs_iterator_new(&iterator, db, NULL)));
    for (kvs_iterator_first(iterator); kvs_iterator_valid(iterator); kvs_iterator_next(iterator))
        count++;
    assert_true(kvs_ok(kvs_iterator_status(iterator)));
    kvs_iterator_free(iterator);
    return count;
}

/* Writes, of which the last asks for a sync that fails. */
static void write_and_fail(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    assert_true(kvs_ok(open_machine(machine, &db)));
    for (unsigned i = 0; i < KEY_COUNT; i++)
        assert_true(kvs_ok(put(db, i, false)));
    io_fault_add(machine->fault,
                 &(struct io_fault_rule){.call = IO_CALL_SYNC, .nth = 1, .tag = SYNC_LOG, .sys_errno = EIO});
    assert_int_equal(put(db, KEY_COUNT, true).code, KVS_UNKNOWN);
    assert_int_equal(put(db, KEY_COUNT + 1, false).code, KVS_POISONED);
    io_sleep_until(machine->io, io_monotonic_ns(machine->io) + 1000000000);
    machine->expected = count_keys(db);
    assert_false(kvs_ok(kvs_close(db)));
}

static void open_and_count(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    assert_true(kvs_ok(open_machine(machine, &db)));
    assert_in_range(count_keys(db), machine->expected, KEY_COUNT + 1);
    assert_true(kvs_ok(kvs_verify(db, NULL, NULL)));
    assert_true(kvs_ok(put(db, 0, true)));
    assert_true(kvs_ok(kvs_close(db)));
}

/* The sync that fails is that of the close: nothing comes after it. */
static void write_and_close(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    assert_true(kvs_ok(open_machine(machine, &db)));
    for (unsigned i = 0; i < KEY_COUNT; i++)
        assert_true(kvs_ok(put(db, i, false)));
    machine->expected = count_keys(db);
    io_fault_add(machine->fault,
                 &(struct io_fault_rule){.call = IO_CALL_SYNC, .nth = 1, .tag = SYNC_LOG, .sys_errno = EIO});
    assert_int_equal(kvs_close(db).code, KVS_UNKNOWN);
}

/* The key is deleted, and the sync that would have made the delete durable fails. */
static void delete_and_fail(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    assert_true(kvs_ok(open_machine(machine, &db)));
    assert_true(kvs_ok(put(db, 0, true)));
    assert_true(kvs_ok(kvs_delete(db, text("key00"), NULL)));
    io_fault_add(machine->fault,
                 &(struct io_fault_rule){.call = IO_CALL_SYNC, .nth = 1, .tag = SYNC_LOG, .sys_errno = EIO});
    assert_int_equal(kvs_sync(db).code, KVS_UNKNOWN);
    io_sleep_until(machine->io, io_monotonic_ns(machine->io) + 1000000000);
    assert_int_equal(count_keys(db), 0);
    assert_false(kvs_ok(kvs_close(db)));
}

static void open_and_find_none(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db;
    assert_true(kvs_ok(open_machine(machine, &db)));
    assert_int_equal(count_keys(db), 0);
    assert_true(kvs_ok(kvs_close(db)));
}

static void switch_on(struct machine *machine, struct io_mem *mem)
{
    machine->scheduler = io_scheduler_new(machine->seed);
    machine->mem = mem;
    io_mem_set_scheduler(mem, machine->scheduler);
    machine->fault = io_fault_new(io_mem_as_io(mem));
    machine->io = io_fault_as_io(machine->fault);
}

static void switch_off(struct machine *machine)
{
    io_fault_free(machine->fault);
    io_mem_set_scheduler(machine->mem, NULL);
    io_scheduler_free(machine->scheduler);
}

/* Run before, cut the power, so that only what is durable is left, and run after on that. */
static void cut_between(struct machine *machine, void (*before)(void *machine), void (*after)(void *machine))
{
    switch_on(machine, io_mem_new(1, NULL));
    io_scheduler_run(machine->scheduler, before, machine);
    switch_off(machine);
    struct io_mem *cut = io_mem_clone_after_power_cut(machine->mem, 1, IO_MEM_KEEP_NONE);
    io_mem_free(machine->mem);
    switch_on(machine, cut);
    io_scheduler_run(machine->scheduler, after, machine);
    switch_off(machine);
    io_mem_free(machine->mem);
}

static void fail_cut_and_reopen(enum kvs_sync_mode mode, unsigned least)
{
    struct machine machine = {.mode = mode};
    cut_between(&machine, write_and_fail, open_and_count);
    assert_true(machine.expected >= least);
}

/* In mode os nothing was synced: what readers have seen would be gone with the pages that the failed sync has dropped. */
static void db_rescue_failed_sync_saves_what_readers_saw(void **state)
{
    (void)state;
    fail_cut_and_reopen(KVS_SYNC_OS, KEY_COUNT);
}

/* In mode always the write whose sync failed was seen by nobody, and all before it are safe. */
static void db_rescue_failed_sync_saves_nothing_unpublished(void **state)
{
    (void)state;
    fail_cut_and_reopen(KVS_SYNC_ALWAYS, KEY_COUNT);
}

/* A close ends the threads; what readers have seen is saved before. */
static void db_rescue_failed_sync_of_close_saves_what_readers_saw(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++) {
        struct machine machine = {.mode = KVS_SYNC_OS, .seed = seed};
        cut_between(&machine, write_and_close, open_and_count);
        assert_int_equal(machine.expected, KEY_COUNT);
    }
}

/* A delete that readers have seen: dropped from the run, as deletes of the oldest run are, it would leave the value in the log to come back. */
static void db_rescue_deleted_key_stays_deleted(void **state)
{
    (void)state;
    struct machine machine = {.mode = KVS_SYNC_OS};
    cut_between(&machine, delete_and_fail, open_and_find_none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(db_rescue_failed_sync_saves_what_readers_saw),
        cmocka_unit_test(db_rescue_failed_sync_saves_nothing_unpublished),
        cmocka_unit_test(db_rescue_failed_sync_of_close_saves_what_readers_saw),
        cmocka_unit_test(db_rescue_deleted_key_stays_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
