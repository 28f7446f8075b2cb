#include "io/io_thread.h"

#include "base/assert.h"
#include "io/io_fiber.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREAD_NAME_BYTES = 16, NS_PER_SECOND = 1000000000 };

static void assert_done(int error)
{
    KVS_ASSERT(error == 0);
}

static struct timespec timespec_of_ns(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND)};
}

void io_mutex_init(struct io_mutex *mutex, struct io *io)
{
    *mutex = (struct io_mutex){.scheduler = io->scheduler};
    if (mutex->scheduler == NULL)
        assert_done(pthread_mutex_init(&mutex->real, NULL));
}

void io_mutex_fini(struct io_mutex *mutex)
{
    KVS_ASSERT(mutex->owner == NULL && mutex->waiters == NULL);
    if (mutex->scheduler == NULL)
        assert_done(pthread_mutex_destroy(&mutex->real));
}

void io_condition_init(struct io_condition *condition, struct io *io)
{
    *condition = (struct io_condition){.scheduler = io->scheduler};
    if (condition->scheduler != NULL)
        return;
    pthread_condattr_t attributes;
    assert_done(pthread_condattr_init(&attributes));
    assert_done(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    assert_done(pthread_cond_init(&condition->real, &attributes));
    pthread_condattr_destroy(&attributes);
}

void io_condition_fini(struct io_condition *condition)
{
    KVS_ASSERT(condition->waiters == NULL);
    if (condition->scheduler == NULL)
        assert_done(pthread_cond_destroy(&condition->real));
}

void io_condition_wait(struct io_condition *condition, struct io_mutex *mutex)
{
    if (condition->scheduler == NULL)
        assert_done(pthread_cond_wait(&condition->real, &mutex->real));
    else
        io_fiber_condition_wait(condition, mutex, IO_NO_DEADLINE);
}

bool io_condition_wait_until(struct io_condition *condition, struct io_mutex *mutex, uint64_t deadline_ns)
{
    if (condition->scheduler != NULL)
        return io_fiber_condition_wait(condition, mutex, deadline_ns);
    struct timespec deadline = timespec_of_ns(deadline_ns);
    int error = pthread_cond_timedwait(&condition->real, &mutex->real, &deadline);
    KVS_ASSERT(error == 0 || error == ETIMEDOUT);
    return error == 0;
}

void io_condition_signal(struct io_condition *condition)
{
    if (condition->scheduler == NULL)
        assert_done(pthread_cond_signal(&condition->real));
    else
        io_fiber_condition_wake(condition, false);
}

void io_condition_broadcast(struct io_condition *condition)
{
    if (condition->scheduler == NULL)
        assert_done(pthread_cond_broadcast(&condition->real));
    else
        io_fiber_condition_wake(condition, true);
}

/* What a new thread needs; owned by it. */
struct thread_start {
    void (*body)(void *argument);
    void *argument;
    char name[THREAD_NAME_BYTES];
};

static void *thread_main(void *start_argument)
{
    struct thread_start start = *(struct thread_start *)start_argument;
    free(start_argument);
    pthread_setname_np(pthread_self(), start.name);
    start.body(start.argument);
    return NULL;
}

/* A thread inherits its creator's mask, so the mask is full while it is created. */
static int create_with_signals_blocked(pthread_t *thread, struct thread_start *start)
{
    sigset_t all, before;
    sigfillset(&all);
    assert_done(pthread_sigmask(SIG_SETMASK, &all, &before));
    int error = pthread_create(thread, NULL, thread_main, start);
    assert_done(pthread_sigmask(SIG_SETMASK, &before, NULL));
    return error;
}

struct kvs_status io_thread_start(struct io_thread *thread, struct io *io, const char *name,
                                  void (*body)(void *argument), void *argument)
{
    *thread = (struct io_thread){.scheduler = io->scheduler};
    if (thread->scheduler != NULL)
        return io_fiber_start(thread, name, body, argument);
    struct thread_start *start = malloc(sizeof *start);
    if (start == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot start thread %s: no memory", name);
    start->body = body;
    start->argument = argument;
    snprintf(start->name, sizeof start->name, "%s", name);
    int error = create_with_signals_blocked(&thread->real, start);
    if (error != 0) {
        free(start);
        return status_make(KVS_NO_MEMORY, error, __FILE__, __LINE__, "cannot start thread %s", name);
    }
    return status_ok();
}

void io_thread_join(struct io_thread *thread)
{
    if (thread->scheduler == NULL)
        assert_done(pthread_join(thread->real, NULL));
    else
        io_fiber_join(thread);
}

void io_sleep_until(struct io *io, uint64_t deadline_ns)
{
    if (io->scheduler != NULL) {
        io_fiber_sleep_until(io->scheduler, deadline_ns);
        return;
    }
    struct timespec deadline = timespec_of_ns(deadline_ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR)
        ;
}
