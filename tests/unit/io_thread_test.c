#include "io_test_support.h"

#include "io/io_fiber.h"
#include "io/io_posix.h"

#include <signal.h>
#include <stdatomic.h>

enum { MS = 1000000 };

struct counter {
    struct io_mutex mutex;
    struct io_condition changed;
    int value;
    bool signals_blocked;
    char name[16];
};

static void counter_init(struct counter *counter)
{
    *counter = (struct counter){0};
    io_mutex_init(&counter->mutex, io_posix());
    io_condition_init(&counter->changed, io_posix());
}

static void counter_fini(struct counter *counter)
{
    io_condition_fini(&counter->changed);
    io_mutex_fini(&counter->mutex);
}

static void count_to_ten_thousand(void *argument)
{
    struct counter *counter = argument;
    for (int round = 0; round < 10000; round++) {
        io_mutex_lock(&counter->mutex);
        counter->value++;
        io_condition_signal(&counter->changed);
        io_mutex_unlock(&counter->mutex);
    }
}

/* Two writers would corrupt each other's state, or a waiter sleep for ever. */
static void thread_mutex_and_condition_count_exact(void **state)
{
    (void)state;
    struct counter counter;
    struct io_thread threads[3];
    counter_init(&counter);
    for (int index = 0; index < 3; index++)
        assert_ok(io_thread_start(&threads[index], io_posix(), "counter", count_to_ten_thousand, &counter));
    io_mutex_lock(&counter.mutex);
    while (counter.value < 30000)
        io_condition_wait(&counter.changed, &counter.mutex);
    io_mutex_unlock(&counter.mutex);
    for (int index = 0; index < 3; index++)
        io_thread_join(&threads[index]);
    counter_fini(&counter);
}

static void look_at_self(void *argument)
{
    struct counter *counter = argument;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    counter->signals_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1;
    pthread_getname_np(pthread_self(), counter->name, sizeof counter->name);
}

/* A signal meant for the host program would be handled on an engine thread; a debugger would show nameless threads. */
static void thread_start_signals_blocked_and_named(void **state)
{
    (void)state;
    struct counter counter;
    struct io_thread thread;
    sigset_t before, after;
    counter_init(&counter);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_ok(io_thread_start(&thread, io_posix(), "a name that is too long", look_at_self, &counter));
    io_thread_join(&thread);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_true(counter.signals_blocked);
    assert_string_equal(counter.name, "a name that is ");
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
    counter_fini(&counter);
}

/* The sync interval would not be kept. */
static void thread_waits_end_at_deadline(void **state)
{
    (void)state;
    struct counter counter;
    counter_init(&counter);
    uint64_t deadline = io_monotonic_ns(io_posix()) + 20 * MS;
    io_mutex_lock(&counter.mutex);
    while (io_condition_wait_until(&counter.changed, &counter.mutex, deadline))
        ;
    io_mutex_unlock(&counter.mutex);
    assert_true(io_monotonic_ns(io_posix()) >= deadline);
    deadline += 20 * MS;
    io_sleep_until(io_posix(), deadline);
    assert_true(io_monotonic_ns(io_posix()) >= deadline);
    io_sleep_until(io_posix(), 0);
    counter_fini(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_mutex_and_condition_count_exact),
        cmocka_unit_test(thread_start_signals_blocked_and_named),
        cmocka_unit_test(thread_waits_end_at_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
