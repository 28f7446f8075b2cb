/* A device that takes long over one write of the log: callers that the pace has refused are told in time, and in their order. */
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

#include <stdlib.h>
#include <string.h>

#define WRITE_NS UINT64_C(2000000000)
#define WAIT_NS UINT64_C(500000000)

enum { VALUE_BYTES = 100000, CALLERS = 3 };

struct machine {
    struct io_mem *mem;
    struct io_fault *fault;
    struct io *io;
};

/* What came, in its order: the numbers of refused callers, and PUBLISHED. */
enum { PUBLISHED = CALLERS };

struct events {
    unsigned count;
    int come[CALLERS + 1];
};

struct caller {
    struct events *events;
    int number;
};

static void note(struct events *events, int what)
{
    events->come[events->count++] = what;
}

static void on_ready(void *context)
{
    struct caller *caller = context;
    note(caller->events, caller->number);
}

static void on_published(void *context, struct kvs_status status)
{
    assert_true(kvs_ok(status));
    note(context, PUBLISHED);
}

static struct kvs_db *open_slow(struct machine *machine)
{
    struct kvs_options options;
    struct kvs_db *db;
    kvs_options_default(&options);
    options.memory_bytes = 64 << 20;
    options.sync_mode = KVS_SYNC_OS;
    assert_true(kvs_ok(db_open(&db, machine->io, "/db", &options)));
    io_sleep_until(machine->io, io_monotonic_ns(machine->io) + WAIT_NS); /* compaction has measured the debt */
    io_mutex_lock(&db->commit.lock);
    db->commit.merge_debt = 1e9; /* the slowest pace */
    io_mutex_unlock(&db->commit.lock);
    return db;
}

static struct kvs_batch *large_batch(void)
{
    struct kvs_batch *batch;
    char *value = calloc(1, VALUE_BYTES);
    assert_non_null(value);
    assert_true(kvs_ok(kvs_batch_new(&batch)));
    assert_true(kvs_ok(kvs_batch_put(batch, (struct kvs_slice){"k", 1}, (struct kvs_slice){value, VALUE_BYTES})));
    free(value);
    return batch;
}

static int apply(struct kvs_db *db, uint64_t *sequence, const struct kvs_batch *batch, struct caller *caller)
{
    size_t applied;
    return kvs_apply(db, sequence, &applied, &batch, 1, on_ready, caller).code;
}

/* One write lasts from before a caller is refused, or begins after it, until long after it should be told. */
static void refuse_and_wait(void *argument)
{
    struct machine *machine = argument;
    struct events events = {0};
    struct caller callers[CALLERS];
    uint64_t sequence;
    struct kvs_db *db = open_slow(machine);
    struct kvs_batch *batch = large_batch();
    for (int i = 0; i < CALLERS; i++)
        callers[i] = (struct caller){.events = &events, .number = i};
    io_fault_add(
        machine->fault,
        &(struct io_fault_rule){
            .call = IO_CALL_WRITE, .nth = 1, .action = IO_FAULT_DELAY, .delay_ns = WRITE_NS, .name_part = ".log"});
    assert_int_equal(apply(db, &sequence, batch, &callers[0]), KVS_OK);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(apply(db, &sequence, batch, &callers[i]), KVS_BUSY);
    assert_true(kvs_ok(kvs_sync_async(db, kvs_applied_sequence(db), KVS_PUBLISHED, on_published, &events)));
    io_sleep_until(machine->io, io_monotonic_ns(machine->io) + WAIT_NS);
    assert_int_equal(events.count, CALLERS);
    io_sleep_until(machine->io, io_monotonic_ns(machine->io) + 2 * WRITE_NS);
    assert_int_equal(events.count, CALLERS + 1);
    for (int i = 0; i <= CALLERS; i++)
        assert_int_equal(events.come[i], i);
    kvs_batch_free(batch);
    assert_true(kvs_ok(kvs_close(db)));
}

/* A caller that waits for the pace must not wait for the device instead, and nobody may be told before who waited longer. */
static void db_ready_comes_in_order_while_a_write_lasts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct io_scheduler *scheduler = io_scheduler_new(seed);
        struct machine machine = {.mem = io_mem_new(1, NULL)};
        io_mem_set_scheduler(machine.mem, scheduler);
        machine.fault = io_fault_new(io_mem_as_io(machine.mem));
        machine.io = io_fault_as_io(machine.fault);
        io_scheduler_run(scheduler, refuse_and_wait, &machine);
        io_fault_free(machine.fault);
        io_mem_set_scheduler(machine.mem, NULL);
        io_scheduler_free(scheduler);
        io_mem_free(machine.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(db_ready_comes_in_order_while_a_write_lasts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
