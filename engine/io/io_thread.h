/* io_thread.h -- threads, mutexes and condition variables, real or simulated.
 *
 * Role      With io->scheduler == NULL these are pthreads. With a scheduler (io_fiber.h) every thread is a fiber of one real thread, and each wait, each
 *           lock and both halves of every I/O call is a point where a seeded scheduler picks who runs next: blocking code runs unchanged in a
 *           deterministic simulation.
 * Threads   As pthreads. Mutexes do not nest with themselves.
 * Failure   Misuse aborts; only thread creation can fail.
 */
#ifndef KVS_IO_IO_THREAD_H
#define KVS_IO_IO_THREAD_H

#include "io/io.h"

#include <pthread.h>

struct io_fiber;

struct io_mutex {
    struct io_scheduler *scheduler;
    pthread_mutex_t real;
    struct io_fiber *owner;   /* simulation only */
    struct io_fiber *waiters; /* simulation only: a list through the fibers */
};

struct io_condition {
    struct io_scheduler *scheduler;
    pthread_cond_t real; /* on CLOCK_MONOTONIC */
    struct io_fiber *waiters;
};

struct io_thread {
    struct io_scheduler *scheduler;
    pthread_t real;
    struct io_fiber *fiber;
};

void io_mutex_init(struct io_mutex *mutex, struct io *io);
void io_mutex_fini(struct io_mutex *mutex);

void io_condition_init(struct io_condition *condition, struct io *io);
void io_condition_fini(struct io_condition *condition);

/* The simulated halves; see io_fiber.h. */
void io_fiber_mutex_lock(struct io_mutex *mutex);
void io_fiber_mutex_unlock(struct io_mutex *mutex);

static inline void io_mutex_lock(struct io_mutex *mutex)
{
    if (__builtin_expect(mutex->scheduler == NULL, 1))
        pthread_mutex_lock(&mutex->real);
    else
        io_fiber_mutex_lock(mutex);
}

static inline void io_mutex_unlock(struct io_mutex *mutex)
{
    if (__builtin_expect(mutex->scheduler == NULL, 1))
        pthread_mutex_unlock(&mutex->real);
    else
        io_fiber_mutex_unlock(mutex);
}

/* Release mutex, wait to be woken, take mutex again. May wake without cause. */
void io_condition_wait(struct io_condition *condition, struct io_mutex *mutex);

/* The same, until deadline_ns on the clock of io_monotonic_ns at the latest. Returns false when the deadline passed. */
bool io_condition_wait_until(struct io_condition *condition, struct io_mutex *mutex, uint64_t deadline_ns);

void io_condition_signal(struct io_condition *condition);
void io_condition_broadcast(struct io_condition *condition);

/* Run body(argument) on a new thread, all signals blocked, named (at most 15 characters) for debuggers. The caller joins it.
 *
 * Errors: NO_MEMORY (EAGAIN too). */
KVS_MUST_USE struct kvs_status io_thread_start(struct io_thread *thread, struct io *io, const char *name,
                                               void (*body)(void *argument), void *argument);

/* Wait until the thread has returned from its body. */
void io_thread_join(struct io_thread *thread);

/* Sleep; in a simulation, let others run until the simulated clock is there. */
void io_sleep_until(struct io *io, uint64_t deadline_ns);

#endif
