/* A full disk: reads and deletions of files go on, writes come back by themselves, also where the database was opened while it was full. */
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

#define ROOMY_BYTES (UINT64_C(1) << 30)

enum { KEY_COUNT = 60, VALUE_BYTES = 400 };

/* written      keys from 0 on that were acknowledged
 * has_threads  real ones, on the real clock, for sanitizers to see; else fibers */
struct machine {
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct io *io;
    enum kvs_sync_mode mode;
    bool has_threads;
    unsigned written;
};

static struct kvs_db *open_machine(const struct machine *machine)
{
    struct kvs_options options;
    struct kvs_db *db;
    kvs_options_default(&options);
    options.memory_bytes = 1 << 20;
    options.memtable_bytes = 8192;
    options.segment_bytes = 8192;
    options.sync_mode = machine->mode;
    struct kvs_status status = db_open(&db, machine->io, "/db", &options);
    if (!kvs_ok(status))
        fail_msg("open: %s", kvs_status_text(status));
    return db;
}

static struct kvs_status put(struct kvs_db *db, unsigned number)
{
    char key[16], value[VALUE_BYTES];
    memset(value, 'a' + (int)(number % 26), sizeof value);
    int size = snprintf(key, sizeof key, "key%04u", number);
    return kvs_put(db, (struct kvs_slice){key, (size_t)size}, (struct kvs_slice){value, sizeof value}, NULL);
}

static void expect_keys(struct kvs_db *db, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char key[16];
        struct kvs_value value;
        bool found;
        int size = snprintf(key, sizeof key, "key%04u", i);
        assert_true(kvs_ok(kvs_get(db, &value, &found, (struct kvs_slice){key, (size_t)size}, NULL)));
        if (!found)
            fail_msg("%s is not there", key);
        assert_int_equal(*(const char *)value.bytes.data, 'a' + (int)(i % 26));
        kvs_value_release(&value);
    }
}

static void fill_disk(const struct machine *machine)
{
    uint64_t free_bytes;
    assert_true(kvs_ok(io_free_space(machine->io, &free_bytes, "/")));
    io_mem_set_capacity(machine->mem, ROOMY_BYTES - free_bytes);
}

static void rest(const struct machine *machine, uint64_t ms)
{
    io_sleep_until(machine->io, io_monotonic_ns(machine->io) + ms * 1000000);
}

static void write_until_full(struct machine *machine, struct kvs_db *db)
{
    struct kvs_status status;
    while (kvs_ok(status = put(db, machine->written)))
        machine->written++;
    if (status.code != KVS_NO_SPACE)
        fail_msg("a write on a full disk: %s", kvs_status_text(status));
}

static void use_full_disk(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine);
    while (machine->written < KEY_COUNT)
        assert_true(kvs_ok(put(db, machine->written++)));
    fill_disk(machine);
    write_until_full(machine, db);
    expect_keys(db, machine->written);
    io_mem_set_capacity(machine->mem, ROOMY_BYTES);
    rest(machine, 2000);
    assert_true(kvs_ok(put(db, machine->written++)));
    fill_disk(machine);
    write_until_full(machine, db);
    (void)!kvs_ok(kvs_close(db)); /* may say that the disk is full */
}

static void open_full_disk(void *argument)
{
    struct machine *machine = argument;
    fill_disk(machine);
    for (int i = 0; i < 2; i++) { /* a close changes nothing */
        struct kvs_db *db = open_machine(machine);
        struct kvs_stats stats;
        kvs_stats(db, &stats);
        assert_int_equal(stats.health, KVS_NO_SPACE);
        assert_int_equal(put(db, 0).code, KVS_NO_SPACE);
        assert_int_equal(kvs_flush(db).code, KVS_NO_SPACE);
        expect_keys(db, machine->written);
        rest(machine, 1200);
        assert_int_equal(put(db, 0).code, KVS_NO_SPACE);
        assert_true(kvs_ok(kvs_close(db)));
    }
    assert_int_equal(io_mem_open_count(machine->mem), 0);
}

/* A reader that began while there was no room must not notice when there is. */
static void open_until_room(void *argument)
{
    struct machine *machine = argument;
    fill_disk(machine);
    struct kvs_db *db = open_machine(machine);
    struct kvs_snapshot *snapshot;
    struct kvs_value value;
    bool found;
    assert_true(kvs_ok(kvs_snapshot_new(&snapshot, db)));
    assert_true(kvs_ok(kvs_get(db, &value, &found, (struct kvs_slice){"key0000", 7}, NULL)));
    assert_true(found);
    io_mem_set_capacity(machine->mem, ROOMY_BYTES);
    rest(machine, 1500);
    assert_true(kvs_ok(put(db, machine->written++)));
    assert_true(kvs_ok(kvs_flush(db)));
    assert_int_equal(*(const char *)value.bytes.data, 'a');
    kvs_value_release(&value);
    kvs_snapshot_free(snapshot);
    expect_keys(db, machine->written);
    assert_true(kvs_ok(kvs_verify(db, NULL, NULL)));
    assert_true(kvs_ok(kvs_close(db)));
}

/* There is room again, and then a sync fails of what a try writes: no try after it can know what is on the disk. */
static void open_until_doubt(void *argument)
{
    struct machine *machine = argument;
    struct io *io = machine->io;
    struct io_fault *fault = io_fault_new(io);
    struct kvs_stats stats;
    char health[200];
    fill_disk(machine);
    machine->io = io_fault_as_io(fault);
    struct kvs_db *db = open_machine(machine);
    assert_int_equal(put(db, 0).code, KVS_NO_SPACE);
    io_fault_add(fault,
                 &(struct io_fault_rule){.call = IO_CALL_SYNC, .nth = 1, .tag = SYNC_MANIFEST_NEW, .sys_errno = EIO});
    io_mem_set_capacity(machine->mem, ROOMY_BYTES);
    rest(machine, 1500);
    assert_int_equal(io_fault_fired_count(fault), 1);
    assert_int_equal(put(db, 0).code, KVS_POISONED);
    kvs_stats(db, &stats);
    assert_int_equal(stats.health, KVS_POISONED);
    assert_true(kvs_ok(kvs_property(db, health, sizeof health, "health")));
    assert_non_null(strstr(health, "writes are refused"));
    expect_keys(db, machine->written);
    (void)!kvs_ok(kvs_close(db));
    io_fault_free(fault);
}

static void open_with_room(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine);
    expect_keys(db, machine->written);
    assert_true(kvs_ok(kvs_close(db)));
}

static void run_on(struct machine *machine, struct io_mem *mem, void (*body)(void *))
{
    machine->scheduler = machine->has_threads ? NULL : io_scheduler_new(3);
    machine->mem = mem;
    io_mem_set_scheduler(mem, machine->scheduler);
    io_mem_set_capacity(mem, ROOMY_BYTES);
    machine->io = io_mem_as_io(mem);
    if (machine->has_threads)
        body(machine);
    else
        io_scheduler_run(machine->scheduler, body, machine);
    io_mem_set_scheduler(mem, NULL);
    io_scheduler_free(machine->scheduler);
}

/* Disks as they are while full, then opened on a full disk, with room again, and after a power cut. */
static void run_mode(enum kvs_sync_mode mode, bool has_threads)
{
    struct machine machine = {.mode = mode, .has_threads = has_threads};
    struct io_mem *mem = io_mem_new(1, NULL);
    run_on(&machine, mem, use_full_disk);
    run_on(&machine, mem, open_full_disk);
    run_on(&machine, mem, open_until_room);
    struct io_mem *cut = io_mem_clone_after_power_cut(mem, 1, IO_MEM_KEEP_NONE);
    io_mem_free(mem);
    run_on(&machine, cut, open_with_room);
    io_mem_free(cut);
}

/* A log that has grown asks for as much again; the disk has less than that, but far more than the next writes need. */
static void fill_what_is_left(void *argument)
{
    enum { LEFT_BYTES = 6 << 20, LARGE_BYTES = 16 << 10 };
    static char value[LARGE_BYTES];
    struct machine *machine = argument;
    struct kvs_options options;
    struct kvs_db *db;
    kvs_options_default(&options);
    options.memtable_bytes = 32 << 20;
    options.memory_bytes = 128 << 20;
    options.sync_mode = KVS_SYNC_OS;
    assert_true(kvs_ok(db_open(&db, machine->io, "/db", &options)));
    struct kvs_slice large = {value, sizeof value};
    for (unsigned i = 0; i < 400; i++)
        assert_true(kvs_ok(kvs_put(db, (struct kvs_slice){&i, sizeof i}, large, NULL)));
    rest(machine, 500);
    uint64_t free_bytes;
    assert_true(kvs_ok(io_free_space(machine->io, &free_bytes, "/")));
    io_mem_set_capacity(machine->mem, ROOMY_BYTES - free_bytes + LEFT_BYTES);
    unsigned written = 0;
    while (kvs_ok(kvs_put(db, (struct kvs_slice){&written, sizeof written}, large, NULL)))
        written++;
    assert_true(kvs_ok(io_free_space(machine->io, &free_bytes, "/")));
    assert_in_range(free_bytes, 0, LEFT_BYTES / 2); /* a piece is two thirds of it */
    io_mem_set_capacity(machine->mem, ROOMY_BYTES);
    (void)!kvs_ok(kvs_close(db));
}

/* Who is told to wait for room would wait for ever. */
static void db_full_disk_doubt_after_it_is_told_as_such(void **state)
{
    (void)state;
    struct machine machine = {.mode = KVS_SYNC_ALWAYS};
    struct io_mem *mem = io_mem_new(1, NULL);
    run_on(&machine, mem, use_full_disk);
    run_on(&machine, mem, open_until_doubt);
    run_on(&machine, mem, open_with_room);
    io_mem_free(mem);
}

static void db_full_disk_room_is_used_to_the_last_piece(void **state)
{
    (void)state;
    struct machine machine = {.mode = KVS_SYNC_OS};
    struct io_mem *mem = io_mem_new(1, NULL);
    run_on(&machine, mem, fill_what_is_left);
    io_mem_free(mem);
}

static void db_full_disk_always_serves_and_comes_back(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_ALWAYS, false);
}

static void db_full_disk_interval_serves_and_comes_back(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_INTERVAL, false);
}

static void db_full_disk_os_serves_and_comes_back(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_OS, false);
}

/* The same with threads that run at once: what a reader holds while the pipeline starts under it. */
static void db_full_disk_threads_serve_and_come_back(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_ALWAYS, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(db_full_disk_doubt_after_it_is_told_as_such),
        cmocka_unit_test(db_full_disk_room_is_used_to_the_last_piece),
        cmocka_unit_test(db_full_disk_always_serves_and_comes_back),
        cmocka_unit_test(db_full_disk_interval_serves_and_comes_back),
        cmocka_unit_test(db_full_disk_os_serves_and_comes_back),
        cmocka_unit_test(db_full_disk_threads_serve_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
