#include "io_test_support.h"

#include "io/io_fiber.h"
#include "io/io_mem.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKER_COUNT = 4, STEP_COUNT = 20, LETTERS = WORKER_COUNT * STEP_COUNT };

/* A simulation: an io with a scheduler, and what its threads share. */
struct world {
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct io *io;
    struct io_mutex mutex;
    struct io_condition changed;
    int value;
    int produced;
    int timeouts;
    char order[LETTERS + 1];
    size_t order_length;
};

struct worker {
    struct world *world;
    char letter;
};

static void world_run(struct world *world, uint64_t seed, void (*body)(void *argument))
{
    *world = (struct world){.scheduler = io_scheduler_new(seed)};
    world->mem = io_mem_new(seed, world->scheduler);
    world->io = io_mem_as_io(world->mem);
    io_mutex_init(&world->mutex, world->io);
    io_condition_init(&world->changed, world->io);
    io_scheduler_run(world->scheduler, body, world);
    io_condition_fini(&world->changed);
    io_mutex_fini(&world->mutex);
}

static void world_fini(struct world *world)
{
    io_mem_free(world->mem);
    io_scheduler_free(world->scheduler);
}

static void write_letters(void *argument)
{
    struct worker *worker = argument;
    struct world *world = worker->world;
    for (int step = 0; step < STEP_COUNT; step++) {
        io_scheduler_yield(world->scheduler);
        world->order[world->order_length++] = worker->letter;
    }
}

static void race(void *argument)
{
    struct world *world = argument;
    struct io_thread threads[WORKER_COUNT];
    struct worker workers[WORKER_COUNT];
    for (int index = 0; index < WORKER_COUNT; index++) {
        workers[index] = (struct worker){world, (char)('a' + index)};
        assert_ok(io_thread_start(&threads[index], world->io, "worker", write_letters, &workers[index]));
    }
    for (int index = 0; index < WORKER_COUNT; index++)
        io_thread_join(&threads[index]);
}

/* A failing seed could not be run again. */
static void fiber_same_seed_same_order(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world first, second;
        world_run(&first, seed, race);
        world_run(&second, seed, race);
        assert_int_equal(first.order_length, LETTERS);
        assert_string_equal(first.order, second.order);
        assert_int_equal(io_scheduler_fingerprint(first.scheduler), io_scheduler_fingerprint(second.scheduler));
        assert_int_equal(io_scheduler_now_ns(first.scheduler), io_scheduler_now_ns(second.scheduler));
        world_fini(&first);
        world_fini(&second);
    }
}

/* A thousand seeds would explore one order a thousand times. */
static void fiber_different_seeds_different_orders(void **state)
{
    (void)state;
    enum { SEEDS = 50 };
    char orders[SEEDS][LETTERS + 1];
    int same = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        struct world world;
        world_run(&world, (uint64_t)seed, race);
        memcpy(orders[seed], world.order, sizeof world.order);
        for (int earlier = 0; earlier < seed; earlier++)
            same += strcmp(orders[earlier], orders[seed]) == 0;
        world_fini(&world);
    }
    assert_int_equal(same, 0);
}

static void produce(void *argument)
{
    struct world *world = argument;
    for (int step = 0; step < STEP_COUNT; step++) {
        io_mutex_lock(&world->mutex);
        while (world->value == 3)
            io_condition_wait(&world->changed, &world->mutex);
        world->value++;
        world->produced++;
        io_condition_broadcast(&world->changed);
        io_mutex_unlock(&world->mutex);
    }
}

static void produce_and_consume(void *argument)
{
    struct world *world = argument;
    struct io_thread producers[2];
    for (int index = 0; index < 2; index++)
        assert_ok(io_thread_start(&producers[index], world->io, "producer", produce, world));
    for (int step = 0; step < 2 * STEP_COUNT; step++) {
        io_mutex_lock(&world->mutex);
        while (world->value == 0)
            io_condition_wait(&world->changed, &world->mutex);
        world->value--;
        assert_in_range(world->value, 0, 2);
        io_condition_broadcast(&world->changed);
        io_mutex_unlock(&world->mutex);
    }
    for (int index = 0; index < 2; index++)
        io_thread_join(&producers[index]);
}

/* Code that is right with threads would fail or hang in the simulator. */
static void fiber_producers_and_consumer_lose_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world world;
        world_run(&world, seed, produce_and_consume);
        assert_int_equal(world.produced, 2 * STEP_COUNT);
        assert_int_equal(world.value, 0);
        world_fini(&world);
    }
}

static void wait_for_value(void *argument)
{
    struct world *world = argument;
    io_mutex_lock(&world->mutex);
    uint64_t deadline = io_monotonic_ns(world->io) + UINT64_C(3600000000000);
    while (world->value == 0) {
        if (!io_condition_wait_until(&world->changed, &world->mutex, deadline)) {
            world->timeouts++;
            assert_true(io_monotonic_ns(world->io) >= deadline);
            break;
        }
    }
    io_mutex_unlock(&world->mutex);
}

static void let_time_out(void *argument)
{
    struct world *world = argument;
    struct io_thread thread;
    assert_ok(io_thread_start(&thread, world->io, "waiter", wait_for_value, world));
    uint64_t before = io_monotonic_ns(world->io), wall_before = io_wall_ms(world->io);
    io_thread_join(&thread);
    assert_true(io_monotonic_ns(world->io) - before >= UINT64_C(3500000000000));
    assert_true(io_wall_ms(world->io) - wall_before >= 3500000);
}

static void wake_in_time(void *argument)
{
    struct world *world = argument;
    struct io_thread thread;
    assert_ok(io_thread_start(&thread, world->io, "waiter", wait_for_value, world));
    io_sleep_until(world->io, io_monotonic_ns(world->io) + 1000000);
    io_mutex_lock(&world->mutex);
    world->value = 1;
    io_condition_signal(&world->changed);
    io_mutex_unlock(&world->mutex);
    io_thread_join(&thread);
}

/* An hour of simulated waiting would take an hour, or a wake-up would be reported as a time-out. */
static void fiber_timed_wait_uses_virtual_clock(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct world world;
        world_run(&world, seed, let_time_out);
        assert_int_equal(world.timeouts, 1);
        world_fini(&world);
        world_run(&world, seed, wake_in_time);
        assert_int_equal(world.timeouts, 0);
        world_fini(&world);
    }
}

static void lock_and_wait(void *argument)
{
    struct world *world = argument;
    io_mutex_lock(&world->mutex);
    while (world->value == 0)
        io_condition_wait(&world->changed, &world->mutex);
    io_mutex_unlock(&world->mutex);
}

static void never_wake(void *argument)
{
    struct world *world = argument;
    struct io_thread thread;
    assert_ok(io_thread_start(&thread, world->io, "stuck", lock_and_wait, world));
    io_thread_join(&thread);
}

static void never_join(void *argument)
{
    struct world *world = argument;
    static struct io_thread thread;
    assert_ok(io_thread_start(&thread, world->io, "forgotten", lock_and_wait, world));
}

/* Run body in a child; text receives what it said before it aborted. */
static void run_to_death(void (*body)(void *argument), char *text, size_t size)
{
    int said[2];
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    if (child == 0) {
        struct world world;
        signal(SIGABRT, SIG_DFL);
        dup2(said[1], STDERR_FILENO);
        world_run(&world, 1, body);
        _exit(0);
    }
    close(said[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(said[0], text + length, size - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = '\0';
    close(said[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A lost wake-up would hang the simulator without a word. */
static void fiber_deadlock_aborts_with_list(void **state)
{
    (void)state;
    char text[16384];
    run_to_death(never_wake, text, sizeof text);
    assert_non_null(strstr(text, "deadlock"));
    assert_non_null(strstr(text, "main: waits for the end of stuck"));
    assert_non_null(strstr(text, "stuck: waits for a condition"));
}

/* A thread that outlives its database would go unnoticed. */
static void fiber_unjoined_thread_aborts_with_list(void **state)
{
    (void)state;
    char text[16384];
    run_to_death(never_join, text, sizeof text);
    assert_non_null(strstr(text, "before its threads were joined"));
    assert_non_null(strstr(text, "forgotten"));
}

static void use_deep_stack(void *argument)
{
    struct worker *worker = argument;
    volatile char frame[64 * 1024];
    memset((char *)frame, worker->letter, sizeof frame);
    for (size_t index = 0; index < sizeof frame; index += 4096) {
        io_scheduler_yield(worker->world->scheduler);
        assert_int_equal(frame[index], worker->letter);
    }
    worker->world->value++;
}

static void use_deep_stacks(void *argument)
{
    struct world *world = argument;
    struct io_thread threads[WORKER_COUNT];
    struct worker workers[WORKER_COUNT];
    for (int index = 0; index < WORKER_COUNT; index++) {
        workers[index] = (struct worker){world, (char)('a' + index)};
        assert_ok(io_thread_start(&threads[index], world->io, "worker", use_deep_stack, &workers[index]));
    }
    for (int index = 0; index < WORKER_COUNT; index++)
        io_thread_join(&threads[index]);
}

/* Fibers would overwrite each other's stacks. */
static void fiber_stacks_are_separate(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct world world;
        world_run(&world, seed, use_deep_stacks);
        assert_int_equal(world.value, WORKER_COUNT);
        world_fini(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fiber_same_seed_same_order),
        cmocka_unit_test(fiber_different_seeds_different_orders),
        cmocka_unit_test(fiber_producers_and_consumer_lose_nothing),
        cmocka_unit_test(fiber_timed_wait_uses_virtual_clock),
        cmocka_unit_test(fiber_deadlock_aborts_with_list),
        cmocka_unit_test(fiber_unjoined_thread_aborts_with_list),
        cmocka_unit_test(fiber_stacks_are_separate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
