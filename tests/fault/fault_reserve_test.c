/* The reserve: a disk that is full to the last page, where nobody makes room but the database itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/db.h"
#include "io/io_fault.h"
#include "io/io_fiber.h"
#include "io/io_mem.h"
#include "io/io_seed.h"
#include "kvstore.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ROOMY_BYTES (UINT64_C(1) << 30)

enum {
    TABLE_BYTES = 64 << 10,
    VALUE_BYTES = 1000,
    TABLE_KEYS = TABLE_BYTES / VALUE_BYTES, /* about what fills a memtable */
    FIRST_KEYS = 6 * TABLE_KEYS,
    PAGE_BYTES = 4096
};

/* written  keys from 0 on that were acknowledged
 * more     keys after the first ones, before the disk is full; left_bytes: what there is then, capacity_bytes: of the disk
 * is_noise values that do not compress */
struct machine {
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct io_fault *fault;
    struct io *io;
    struct kvs_db *db;
    enum kvs_sync_mode mode;
    unsigned written, more;
    uint64_t left_bytes, capacity_bytes;
    bool is_noise;
};

/* ---- A database ---- */

static struct kvs_db *open_machine(const struct machine *machine, bool read_only)
{
    struct kvs_options options;
    struct kvs_db *db;
    kvs_options_default(&options);
    options.memory_bytes = 1 << 20;
    options.memtable_bytes = TABLE_BYTES;
    options.sync_mode = machine->mode;
    options.read_only = read_only;
    struct kvs_status status = db_open(&db, machine->io, "/db", &options);
    if (!kvs_ok(status))
        fail_msg("open: %s", kvs_status_text(status));
    return db;
}

static void make_value(const struct machine *machine, char value[VALUE_BYTES], unsigned number)
{
    struct io_seed seed = io_seed_of(number);
    memset(value, 'a' + (int)(number % 26), VALUE_BYTES);
    for (unsigned i = 0; machine->is_noise && i < VALUE_BYTES; i++)
        value[i] = (char)io_seed_next(&seed);
}

static struct kvs_status put(struct machine *machine, struct kvs_db *db)
{
    char key[16], value[VALUE_BYTES];
    make_value(machine, value, machine->written);
    int size = snprintf(key, sizeof key, "key%06u", machine->written);
    struct kvs_status status =
        kvs_put(db, (struct kvs_slice){key, (size_t)size}, (struct kvs_slice){value, sizeof value}, NULL);
    machine->written += kvs_ok(status);
    return status;
}

static void put_many(struct machine *machine, struct kvs_db *db, unsigned count)
{
    while (count-- != 0)
        assert_true(kvs_ok(put(machine, db)));
}

static void rest(const struct machine *machine, uint64_t ms)
{
    io_sleep_until(machine->io, io_monotonic_ns(machine->io) + ms * 1000000);
}

/* A write may be refused while room is made, and returns by itself. */
static void put_in_the_end(struct machine *machine, struct kvs_db *db)
{
    enum { TRIES = 20 };
    struct kvs_status status = put(machine, db);
    for (int i = 0; i < TRIES && status.code == KVS_NO_SPACE; i++) {
        rest(machine, 100);
        status = put(machine, db);
    }
    if (!kvs_ok(status))
        fail_msg("write %u, %u more than the first, %u pages left: %s", machine->written, machine->more,
                 (unsigned)(machine->left_bytes / PAGE_BYTES), kvs_status_text(status));
}

static void expect_keys(const struct machine *machine, struct kvs_db *db)
{
    for (unsigned i = 0; i < machine->written; i++) {
        char key[16], value[VALUE_BYTES];
        struct kvs_value found_value;
        bool found;
        int size = snprintf(key, sizeof key, "key%06u", i);
        make_value(machine, value, i);
        assert_true(kvs_ok(kvs_get(db, &found_value, &found, (struct kvs_slice){key, (size_t)size}, NULL)));
        if (!found)
            fail_msg("%s is not there", key);
        assert_int_equal(found_value.bytes.size, VALUE_BYTES);
        assert_memory_equal(found_value.bytes.data, value, VALUE_BYTES);
        kvs_value_release(&found_value);
    }
}

/* ---- A disk ---- */

static bool has_reserve(const struct machine *machine)
{
    bool exists;
    assert_true(kvs_ok(io_exists(machine->io, &exists, "/db/RESERVE")));
    return exists;
}

static void set_capacity(struct machine *machine, uint64_t capacity_bytes)
{
    machine->capacity_bytes = capacity_bytes;
    io_mem_set_capacity(machine->mem, capacity_bytes);
}

/* Somebody else takes all that is free but so much. */
static void fill_disk(struct machine *machine)
{
    uint64_t free_bytes;
    assert_true(kvs_ok(io_free_space(machine->io, &free_bytes, "/")));
    if (free_bytes > machine->left_bytes)
        set_capacity(machine, machine->capacity_bytes - free_bytes + machine->left_bytes);
}

static struct kvs_db *open_and_fill(struct machine *machine)
{
    struct kvs_db *db = open_machine(machine, false);
    put_many(machine, db, FIRST_KEYS);
    rest(machine, 500);
    assert_true(has_reserve(machine));
    put_many(machine, db, machine->more);
    fill_disk(machine);
    return db;
}

static void run_on(struct machine *machine, struct io_mem *mem, void (*body)(void *))
{
    assert_non_null(mem);
    machine->scheduler = io_scheduler_new(7 + machine->more);
    machine->mem = mem;
    io_mem_set_scheduler(mem, machine->scheduler);
    set_capacity(machine, ROOMY_BYTES);
    machine->fault = io_fault_new(io_mem_as_io(mem));
    machine->io = io_fault_as_io(machine->fault);
    io_scheduler_run(machine->scheduler, body, machine);
    io_fault_free(machine->fault);
    io_mem_set_scheduler(mem, NULL);
    io_scheduler_free(machine->scheduler);
}

static void run_once(struct machine *machine, void (*body)(void *))
{
    struct io_mem *mem = io_mem_new(1, NULL);
    run_on(machine, mem, body);
    io_mem_free(mem);
}

/* ---- Writing on ---- */

static void write_on(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_and_fill(machine);
    for (unsigned i = 0; i < 8 * TABLE_KEYS; i++)
        put_in_the_end(machine, db);
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
    db = open_machine(machine, false);
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
}

static void write_on_in_mode(enum kvs_sync_mode mode)
{
    for (unsigned more = 0; more <= TABLE_KEYS; more += 7) {
        for (unsigned pages = 0; pages <= 30; pages += 5) {
            struct machine machine = {.mode = mode, .more = more, .left_bytes = (uint64_t)pages * PAGE_BYTES};
            run_once(&machine, write_on);
        }
    }
}

/* Writes that a flush would make room for are refused until somebody deletes other files. */
static void db_reserve_full_disk_always_writes_on(void **state)
{
    (void)state;
    write_on_in_mode(KVS_SYNC_ALWAYS);
}

static void db_reserve_full_disk_os_writes_on(void **state)
{
    (void)state;
    write_on_in_mode(KVS_SYNC_OS);
}

/* Others take what the database gives back, but for less than a log needs, until the reserve is given up. */
static void take_room(void *argument)
{
    struct machine *machine = argument;
    while (machine->db->workers.reserve == RESERVE_HELD) {
        fill_disk(machine);
        io_sleep_until(machine->io, io_monotonic_ns(machine->io) + 1000);
    }
}

static void write_beside_others(void *argument)
{
    struct machine *machine = argument;
    struct io_thread others;
    struct kvs_db *db = open_and_fill(machine);
    machine->db = db;
    assert_true(kvs_ok(io_thread_start(&others, machine->io, "others", take_room, machine)));
    for (unsigned i = 0; i < 6 * TABLE_KEYS; i++)
        put_in_the_end(machine, db);
    io_thread_join(&others);
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
}

/* A memtable can be flushed only once there is a log for what comes after it. */
static void db_reserve_full_disk_rotation_has_a_log(void **state)
{
    (void)state;
    struct machine machine = {.mode = KVS_SYNC_ALWAYS, .left_bytes = UINT64_C(10) * PAGE_BYTES};
    run_once(&machine, write_beside_others);
}

/* A full disk whose files nobody deletes, and data that does not compress. */
static void write_until_the_end(void *argument)
{
    enum { LOOKS = 50, LOOK_MS = 200 };
    struct machine *machine = argument;
    struct kvs_db *db = open_and_fill(machine);
    io_fault_add(
        machine->fault,
        &(struct io_fault_rule){
            .call = IO_CALL_OPEN, .nth = 1, .for_good = true, .action = IO_FAULT_DELAY, .name_part = "RESERVE"});
    for (int refused = 0; refused < LOOKS; rest(machine, LOOK_MS)) {
        while (kvs_ok(put(machine, db)))
            refused = 0;
        refused++;
    }
    assert_true(machine->written > FIRST_KEYS);
    uint64_t made = io_fault_fired_count(machine->fault), opened = io_fault_count(machine->fault, IO_CALL_OPEN);
    for (int i = 0; i < LOOKS; i++) {
        assert_int_equal(put(machine, db).code, KVS_NO_SPACE);
        rest(machine, LOOK_MS);
    }
    assert_int_equal(io_fault_fired_count(machine->fault), made);
    /* In each look at most a flush, two compactions and two logs are tried. */
    assert_in_range(io_fault_count(machine->fault, IO_CALL_OPEN) - opened, 0, 5 * LOOKS);
    expect_keys(machine, db);
    set_capacity(machine, ROOMY_BYTES);
    put_in_the_end(machine, db);
    assert_true(kvs_ok(kvs_flush(db)));
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
}

/* A reserve that is made of the room that it was given up for is made and given up for ever. */
static void db_reserve_full_disk_in_the_end_is_quiet(void **state)
{
    (void)state;
    for (unsigned more = 0; more <= TABLE_KEYS; more += 16) {
        struct machine machine = {.more = more, .left_bytes = more * UINT64_C(8) * PAGE_BYTES, .is_noise = true};
        run_once(&machine, write_until_the_end);
    }
}

/* ---- One of each ---- */

static void flush_noise(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_and_fill(machine);
    struct kvs_status status = kvs_flush(db);
    if (!kvs_ok(status))
        fail_msg("flush: %s", kvs_status_text(status));
    expect_keys(machine, db);
    (void)!kvs_ok(kvs_close(db)); /* may say that the disk is full */
}

/* What does not compress takes as much room as the memtable: the reserve has it. */
static void db_reserve_full_disk_flush_of_noise_has_room(void **state)
{
    (void)state;
    for (unsigned more = 1; more <= TABLE_KEYS; more += 9) {
        struct machine machine = {.more = more, .is_noise = true};
        run_once(&machine, flush_noise);
    }
}

static void compact(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine, false);
    put_many(machine, db, FIRST_KEYS);
    assert_true(kvs_ok(kvs_flush(db)));
    rest(machine, 2000);
    assert_true(has_reserve(machine));
    fill_disk(machine);
    struct kvs_status status = kvs_compact(db);
    if (!kvs_ok(status))
        fail_msg("compact: %s", kvs_status_text(status));
    assert_false(has_reserve(machine));
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
}

/* Compaction is what gives back the room of what was overwritten. */
static void db_reserve_full_disk_small_compaction_has_room(void **state)
{
    (void)state;
    struct machine machine = {.mode = KVS_SYNC_ALWAYS};
    run_once(&machine, compact);
}

static void write_refused(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_and_fill(machine);
    io_fault_add(machine->fault,
                 &(struct io_fault_rule){.call = IO_CALL_WRITE, .nth = 1, .sys_errno = ENOSPC, .name_part = ".log"});
    assert_true(kvs_ok(put(machine, db)));
    assert_int_equal(io_fault_fired_count(machine->fault), 1);
    assert_false(has_reserve(machine));
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
}

/* Some file systems refuse a write of preallocated room: without the reserve it would be refused as long as nobody makes room. */
static void db_reserve_write_that_is_refused_gets_it(void **state)
{
    (void)state;
    struct machine machine = {.mode = KVS_SYNC_ALWAYS};
    run_once(&machine, write_refused);
}

/* The nth edit from now on meets a full disk; a reserve that is given up is counted as well. */
static void refuse_edit(const struct machine *machine, unsigned nth)
{
    const struct io_fault_rule rules[] = {
        {.call = IO_CALL_WRITE, .nth = nth, .sys_errno = ENOSPC, .name_part = "MANIFEST"},
        {.call = IO_CALL_UNLINK, .nth = 1, .for_good = true, .action = IO_FAULT_DELAY, .name_part = "RESERVE"},
    };
    io_fault_add(machine->fault, &rules[0]);
    io_fault_add(machine->fault, &rules[1]);
}

/* The edits around a rotation: what lists the new log, what puts the run in the place of the old one. */
static void rotate_refused(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine, false);
    put_many(machine, db, FIRST_KEYS);
    rest(machine, 500);
    assert_true(has_reserve(machine));
    refuse_edit(machine, 1 + machine->more);
    put_many(machine, db, 2 * TABLE_KEYS);
    rest(machine, 100);
    assert_int_equal(io_fault_fired_count(machine->fault), 2);
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
}

/* The edit after that of a compaction, which lets its inputs go. */
static void let_go_refused(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine, false);
    put_many(machine, db, FIRST_KEYS);
    assert_true(kvs_ok(kvs_flush(db)));
    rest(machine, 3000);
    assert_true(has_reserve(machine));
    refuse_edit(machine, 2);
    assert_true(kvs_ok(kvs_compact(db)));
    rest(machine, 100);
    assert_int_equal(io_fault_fired_count(machine->fault), 2);
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
}

/* Publication waits for the list of logs, and room on the disk for the edit that lets files go. */
static void db_reserve_edit_that_is_refused_gets_it(void **state)
{
    enum { EDITS = 4 };
    (void)state;
    struct machine machine = {.mode = KVS_SYNC_ALWAYS};
    run_once(&machine, let_go_refused);
    for (unsigned nth = 0; nth < EDITS; nth++) {
        machine = (struct machine){.mode = KVS_SYNC_ALWAYS, .more = nth};
        run_once(&machine, rotate_refused);
    }
}

static void compact_without_unlink(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine, false);
    put_many(machine, db, FIRST_KEYS);
    assert_true(kvs_ok(kvs_flush(db)));
    rest(machine, 2000);
    fill_disk(machine);
    io_fault_add(machine->fault,
                 &(struct io_fault_rule){
                     .call = IO_CALL_UNLINK, .nth = 1, .for_good = true, .sys_errno = EIO, .name_part = "RESERVE"});
    struct kvs_status status = kvs_compact(db);
    assert_int_equal(status.code, KVS_NO_SPACE);
    assert_non_null(strstr(kvs_status_text(status), ".seg")); /* it says what had no room */
    assert_int_equal(io_fault_fired_count(machine->fault), 1);
    io_fault_clear(machine->fault);
    set_capacity(machine, ROOMY_BYTES);
    put_many(machine, db, 2 * TABLE_KEYS);
    rest(machine, 500);
    assert_true(has_reserve(machine));
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
    assert_false(has_reserve(machine));
}

/* A disk that fails where the reserve is to go makes no room, and does no other harm, whoever looks at the reserve meanwhile. */
static void db_reserve_that_cannot_be_unlinked_harms_nothing(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 20; seed++) {
        struct machine machine = {.mode = KVS_SYNC_ALWAYS, .more = seed};
        run_once(&machine, compact_without_unlink);
    }
}

/* ---- Its life ---- */

static void make_again(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine, false);
    put_many(machine, db, TABLE_KEYS / 8);
    assert_true(kvs_ok(kvs_flush(db)));
    rest(machine, 2000);
    assert_false(has_reserve(machine)); /* it would be larger than the data */
    put_many(machine, db, FIRST_KEYS);
    rest(machine, 500);
    assert_true(has_reserve(machine));
    fill_disk(machine);
    assert_true(kvs_ok(kvs_flush(db)));
    assert_false(has_reserve(machine));
    set_capacity(machine, ROOMY_BYTES);
    for (unsigned i = 0; i < 2 * TABLE_KEYS; i++)
        put_in_the_end(machine, db);
    rest(machine, 500);
    assert_true(has_reserve(machine));
    assert_true(kvs_ok(kvs_close(db)));
    assert_false(has_reserve(machine));
}

/* One that is not made again serves once; one that stays after a close, or that a small database has, is room that nobody uses. */
static void db_reserve_is_made_again_and_goes_at_close(void **state)
{
    (void)state;
    struct machine machine = {.mode = KVS_SYNC_ALWAYS, .is_noise = true};
    run_once(&machine, make_again);
}

static void be_killed(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_and_fill(machine);
    struct io_mem *killed = io_mem_clone_after_kill(machine->mem);
    assert_non_null(killed);
    set_capacity(machine, ROOMY_BYTES);
    assert_true(kvs_ok(kvs_close(db)));
    machine->mem = killed;
}

static void open_killed(void *argument)
{
    struct machine *machine = argument;
    struct kvs_stats stats;
    fill_disk(machine);
    struct kvs_db *db = open_machine(machine, true);
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
    assert_true(has_reserve(machine));
    db = open_machine(machine, false);
    kvs_stats(db, &stats);
    assert_int_equal(stats.health, KVS_OK);
    assert_false(has_reserve(machine));
    put_in_the_end(machine, db);
    assert_true(kvs_ok(kvs_flush(db)));
    expect_keys(machine, db);
    assert_true(kvs_ok(kvs_close(db)));
}

/* A database that is killed because its disk is full is served read-only after its restart, although it has kept what it needs. */
static void db_reserve_of_killed_process_is_room_to_open(void **state)
{
    (void)state;
    struct machine machine = {.mode = KVS_SYNC_ALWAYS, .more = TABLE_KEYS / 2};
    struct io_mem *mem = io_mem_new(1, NULL);
    run_on(&machine, mem, be_killed);
    struct io_mem *killed = machine.mem;
    run_on(&machine, killed, open_killed);
    io_mem_free(killed);
    io_mem_free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(db_reserve_full_disk_always_writes_on),
        cmocka_unit_test(db_reserve_full_disk_os_writes_on),
        cmocka_unit_test(db_reserve_full_disk_rotation_has_a_log),
        cmocka_unit_test(db_reserve_full_disk_in_the_end_is_quiet),
        cmocka_unit_test(db_reserve_full_disk_flush_of_noise_has_room),
        cmocka_unit_test(db_reserve_full_disk_small_compaction_has_room),
        cmocka_unit_test(db_reserve_write_that_is_refused_gets_it),
        cmocka_unit_test(db_reserve_edit_that_is_refused_gets_it),
        cmocka_unit_test(db_reserve_that_cannot_be_unlinked_harms_nothing),
        cmocka_unit_test(db_reserve_is_made_again_and_goes_at_close),
        cmocka_unit_test(db_reserve_of_killed_process_is_room_to_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
