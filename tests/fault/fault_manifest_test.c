/* A manifest that cannot be extended: its device fails, or there is no room, before anything of an edit is written. */
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
#include <string.h>

/* Two keys of a segment take half of the piece by which a manifest is extended. */
enum { KEY_BYTES = 16 * 1024, FLUSHES = 8 };

struct machine {
    struct io *io;
    struct io_fault *fault;
    int sys_errno;
};

static struct kvs_status put(struct kvs_db *db, unsigned number)
{
    static char key[KEY_BYTES];
    memset(key, 'a' + (int)number, sizeof key);
    return kvs_put(db, (struct kvs_slice){key, sizeof key}, (struct kvs_slice){"value", 5}, NULL);
}

static struct kvs_db *open_machine(struct machine *machine)
{
    struct kvs_options options;
    struct kvs_db *db;
    kvs_options_default(&options);
    options.memory_bytes = 4 << 20;
    options.memtable_bytes = 256 << 10;
    struct kvs_status status = db_open(&db, machine->io, "/db", &options);
    if (!kvs_ok(status))
        fail_msg("open: %s", kvs_status_text(status));
    return db;
}

static void flush_beside_failures(void *argument)
{
    struct machine *machine = argument;
    struct kvs_db *db = open_machine(machine);
    io_fault_add(machine->fault, &(struct io_fault_rule){.call = IO_CALL_PREALLOCATE,
                                                         .nth = 1,
                                                         .for_good = true,
                                                         .sys_errno = machine->sys_errno,
                                                         .name_part = "MANIFEST"});
    for (unsigned i = 0; i < FLUSHES; i++) {
        assert_true(kvs_ok(put(db, i)));
        if (!kvs_ok(kvs_flush(db)))
            break;
    }
    assert_true(io_fault_fired_count(machine->fault) > 0);
    io_fault_clear(machine->fault);
    io_sleep_until(machine->io, io_monotonic_ns(machine->io) + 1000000000);
    struct kvs_status status = put(db, FLUSHES);
    if (!kvs_ok(status))
        fail_msg("a put afterwards: %s", kvs_status_text(status));
    assert_true(kvs_ok(kvs_flush(db)));
    assert_true(kvs_ok(kvs_close(db)));
    db = open_machine(machine);
    assert_true(kvs_ok(kvs_verify(db, NULL, NULL)));
    assert_true(kvs_ok(kvs_close(db)));
}

static void run(int sys_errno)
{
    struct io_scheduler *scheduler = io_scheduler_new(5);
    struct io_mem *mem = io_mem_new(1, scheduler);
    struct machine machine = {.fault = io_fault_new(io_mem_as_io(mem)), .sys_errno = sys_errno};
    machine.io = io_fault_as_io(machine.fault);
    io_scheduler_run(scheduler, flush_beside_failures, &machine);
    io_fault_free(machine.fault);
    io_mem_free(mem);
    io_scheduler_free(scheduler);
}

/* No byte of the edit was written: writing need not end until somebody reopens the database. */
static void db_manifest_failed_extension_is_tried_again(void **state)
{
    (void)state;
    run(EIO);
}

static void db_manifest_extension_without_room_is_tried_again(void **state)
{
    (void)state;
    run(ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(db_manifest_failed_extension_is_tried_again),
        cmocka_unit_test(db_manifest_extension_without_room_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
