/* A sync that needs room which the disk does not have: what a kill has left must be flushed before anything later counts as synced, and the flush is refused. */
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

/* From a disk without room for anything to one that has it for all: a new manifest, a new log, and some segments. */
enum { LEFT_PAGES_MAX = 120, PAGE_BYTES = 4096 };

enum { KEY_COUNT = 20, VALUE_BYTES = 8000 };

/* made       keys that reads show; durable: those of them that a power cut must leave
 * left_bytes of room at the open
 * closes     it is closed while the disk is full, not when there is room again */
struct machine {
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct io *io;
    enum kvs_sync_mode mode;
    unsigned made, durable;
    uint64_t left_bytes;
    bool closes;
};

/* What came about, over all amounts of room. */
static struct {
    unsigned refused, unsynced, plain_made, plain_refused;
} seen;

static struct kvs_db *open_machine(const struct machine *machine)
{
    struct kvs_options options;
    struct kvs_db *db;
    kvs_options_default(&options);
    options.memory_bytes = 1 << 20;
    options.memtable_bytes = 256 << 10;
    options.compression = KVS_COMPRESSION_NONE;
    options.sync_mode = machine->mode;
    options.sync_interval_ms = 20;
    struct kvs_status status = db_open(&db, machine->io, "/db", &options);
    if (!kvs_ok(status))
        fail_msg("open: %s", kvs_status_text(status));
    return db;
}

static void rest(const struct machine *machine, uint64_t ms)
{
    io_sleep_until(machine->io, io_monotonic_ns(machine->io) + ms * 1000000);
}

static void expect_ok_or_no_space(struct kvs_status status, const char *what)
{
    if (!kvs_ok(status) && status.code != KVS_NO_SPACE)
        fail_msg("%s: %s", what, kvs_status_text(status));
}

static void expect_keys(struct kvs_db *db, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char key[16], byte;
        size_t size;
        bool found;
        int key_size = snprintf(key, sizeof key, "key%04u", i);
        struct kvs_slice slice = {key, (size_t)key_size};
        assert_true(kvs_ok(kvs_get_into(db, &byte, &size, &found, slice, 1, NULL)));
        if (!found)
            fail_msg("%s is not there", key);
        assert_int_equal(byte, 'a' + (int)(i % 26));
    }
}

/* Write the next key. Refused or not, what became of it is what its sequence number says. */
static struct kvs_status put(struct machine *machine, struct kvs_db *db, bool sync)
{
    char key[16], value[VALUE_BYTES];
    uint64_t before = kvs_applied_sequence(db);
    memset(value, 'a' + (int)(machine->made % 26), sizeof value);
    int size = snprintf(key, sizeof key, "key%04u", machine->made);
    struct kvs_status status =
        kvs_put(db, (struct kvs_slice){key, (size_t)size}, (struct kvs_slice){value, sizeof value},
                &(struct kvs_write_options){.sync = sync});
    expect_ok_or_no_space(status, "a write");
    bool is_made = kvs_applied_sequence(db) > before;
    assert_true(is_made || !kvs_ok(status));
    assert_true(kvs_ok(status) || sync || !is_made);
    machine->made += is_made;
    if (kvs_ok(status) && sync)
        machine->durable = machine->made;
    seen.refused += sync && !is_made;
    seen.unsynced += sync && is_made && !kvs_ok(status);
    return status;
}

struct answer {
    bool has_come;
    enum kvs_code code;
};

static void take_answer(void *context, struct kvs_status status)
{
    struct answer *answer = context;
    assert_false(answer->has_come);
    *answer = (struct answer){true, status.code};
}

/* Publication needs no room; durability is there or refused, and soon. */
static void request_syncs(struct machine *machine, struct kvs_db *db)
{
    struct answer published = {0}, durable = {0};
    uint64_t sequence = kvs_applied_sequence(db);
    assert_true(kvs_ok(kvs_sync_async(db, sequence, KVS_PUBLISHED, take_answer, &published)));
    assert_true(kvs_ok(kvs_sync_async(db, sequence, KVS_DURABLE, take_answer, &durable)));
    rest(machine, 1000);
    assert_true(published.has_come && durable.has_come);
    assert_int_equal(published.code, KVS_OK);
    assert_true(durable.code == KVS_OK || durable.code == KVS_NO_SPACE);
    if (durable.code == KVS_OK)
        machine->durable = machine->made;
}

/* ---- What is done to the disk ---- */

static void write_first_keys(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine);
    while (machine->made < KEY_COUNT)
        assert_true(kvs_ok(put(machine, db, false)));
    struct io_mem *killed = io_mem_clone_after_kill(machine->mem);
    assert_non_null(killed);
    assert_true(kvs_ok(kvs_close(db)));
    machine->mem = killed;
}

/* Every call comes back. */
static void ask_without_room(struct machine *machine, struct kvs_db *db)
{
    struct kvs_stats stats;
    kvs_stats(db, &stats);
    bool had_room = stats.health == KVS_OK;
    (void)!kvs_ok(put(machine, db, true)); /* before the flush was tried */
    rest(machine, 500);
    bool is_refused = put(machine, db, true).code == KVS_NO_SPACE;
    bool is_plain_made = kvs_ok(put(machine, db, false));
    seen.plain_made += had_room && is_refused && is_plain_made;
    seen.plain_refused += had_room && is_refused && !is_plain_made;
    struct kvs_status status = kvs_sync(db);
    expect_ok_or_no_space(status, "kvs_sync");
    if (kvs_ok(status))
        machine->durable = machine->made;
    if (had_room)
        request_syncs(machine, db);
    expect_keys(db, machine->made);
}

static void use_without_room(void *argument)
{
    struct machine *machine = argument;
    uint64_t free_bytes;
    assert_true(kvs_ok(io_free_space(machine->io, &free_bytes, "/")));
    io_mem_set_capacity(machine->mem, ROOMY_BYTES - free_bytes + machine->left_bytes);
    struct kvs_db *db = open_machine(machine);
    ask_without_room(machine, db);
    if (machine->closes) {
        struct kvs_status status = kvs_close(db);
        expect_ok_or_no_space(status, "close");
        if (kvs_ok(status))
            machine->durable = machine->made;
        return;
    }
    io_mem_set_capacity(machine->mem, ROOMY_BYTES);
    rest(machine, 1500);
    assert_true(kvs_ok(kvs_sync(db)));
    assert_true(kvs_ok(put(machine, db, true)));
    assert_int_equal(machine->durable, machine->made);
    assert_true(kvs_ok(kvs_close(db)));
}

static void expect_durable(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine);
    expect_keys(db, machine->durable);
    assert_true(kvs_ok(kvs_close(db)));
}

/* ---- All of it ---- */

static void run_on(struct machine *machine, struct io_mem *mem, void (*body)(void *))
{
    assert_non_null(mem);
    machine->scheduler =
        io_scheduler_new(machine->left_bytes / PAGE_BYTES); /* whether a write or the flush comes first */
    machine->mem = mem;
    machine->io = io_mem_as_io(mem);
    io_mem_set_scheduler(mem, machine->scheduler);
    io_mem_set_capacity(mem, ROOMY_BYTES);
    io_scheduler_run(machine->scheduler, body, machine);
    io_mem_set_scheduler(mem, NULL);
    io_scheduler_free(machine->scheduler);
}

static void run_with_left(const struct machine *first, struct io_mem *killed, uint64_t left_bytes, bool closes)
{
    struct machine machine = *first;
    machine.left_bytes = left_bytes;
    machine.closes = closes;
    struct io_mem *mem = io_mem_clone_after_kill(killed);
    run_on(&machine, mem, use_without_room);
    assert_int_equal(io_mem_open_count(mem), 0);
    struct io_mem *cut = io_mem_clone_after_power_cut(mem, 1, IO_MEM_KEEP_NONE);
    io_mem_free(mem);
    run_on(&machine, cut, expect_durable);
    io_mem_free(cut);
}

static void run_mode(enum kvs_sync_mode mode)
{
    struct machine machine = {.mode = mode};
    struct io_mem *mem = io_mem_new(1, NULL);
    memset(&seen, 0, sizeof seen);
    run_on(&machine, mem, write_first_keys);
    struct io_mem *killed = machine.mem;
    io_mem_free(mem);
    for (unsigned pages = 0; pages <= LEFT_PAGES_MAX; pages++) {
        run_with_left(&machine, killed, pages * PAGE_BYTES, false);
        run_with_left(&machine, killed, pages * PAGE_BYTES, true);
    }
    io_mem_free(killed);
    assert_true(seen.refused > 0);
}

/* A write or a sync that only room on the disk could make durable would wait for ever, and its caller with it. */
static void db_sync_without_room_os_is_refused(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_OS);
    assert_true(seen.unsynced > 0);
    assert_true(seen.plain_made > 0); /* who asks for no sync goes on */
}

/* The same; and here nobody writes on when the oldest unsynced write is too old. */
static void db_sync_without_room_interval_is_refused(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_INTERVAL);
    assert_true(seen.unsynced > 0);
    assert_true(seen.plain_refused > 0);
}

/* Nothing is shown there that is not durable, so that a write is made and durable, or not made. */
static void db_sync_without_room_always_is_refused(void **state)
{
    (void)state;
    run_mode(KVS_SYNC_ALWAYS);
    assert_int_equal(seen.unsynced, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(db_sync_without_room_os_is_refused),
        cmocka_unit_test(db_sync_without_room_interval_is_refused),
        cmocka_unit_test(db_sync_without_room_always_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
