#include "base/assert.h"
#include "io/io_fiber_internal.h"

/* A wait for a condition ends without a wake-up one time in so many. */
enum { SPURIOUS_ONE_IN = 64 };

static void take_mutex(struct io_mutex *mutex)
{
    struct io_scheduler *scheduler = mutex->scheduler;
    KVS_ASSERT(scheduler->current != NULL && mutex->owner != scheduler->current);
    while (mutex->owner != NULL)
        fiber_wait_in(scheduler, &mutex->waiters, IO_NO_DEADLINE, "a mutex held by ", mutex->owner);
    mutex->owner = scheduler->current;
}

void io_fiber_mutex_lock(struct io_mutex *mutex)
{
    io_scheduler_yield(mutex->scheduler);
    take_mutex(mutex);
}

/* All waiters try again: whoever the scheduler picks first gets it, as where threads race. */
void io_fiber_mutex_unlock(struct io_mutex *mutex)
{
    KVS_ASSERT(mutex->owner != NULL && mutex->owner == mutex->scheduler->current);
    mutex->owner = NULL;
    fiber_wake_all(&mutex->waiters);
}

bool io_fiber_condition_wait(struct io_condition *condition, struct io_mutex *mutex, uint64_t deadline_ns)
{
    struct io_scheduler *scheduler = condition->scheduler;
    bool woken = true;
    io_fiber_mutex_unlock(mutex);
    if (io_seed_below(&scheduler->seed, SPURIOUS_ONE_IN) == 0)
        io_scheduler_yield(scheduler);
    else
        woken = fiber_wait_in(scheduler, &condition->waiters, deadline_ns, "a condition", NULL);
    take_mutex(mutex);
    return woken;
}

/* One of the waiters, of which there is one at least. */
static struct io_fiber *random_waiter(struct io_condition *condition)
{
    uint64_t count = 0;
    struct io_fiber *chosen = condition->waiters;
    for (struct io_fiber *fiber = chosen; fiber != NULL; fiber = fiber->next_waiter) {
        if (io_seed_below(&condition->scheduler->seed, ++count) == 0)
            chosen = fiber;
    }
    return chosen;
}

void io_fiber_condition_wake(struct io_condition *condition, bool all)
{
    if (condition->waiters == NULL)
        return;
    if (all)
        fiber_wake_all(&condition->waiters);
    else
        fiber_wake(random_waiter(condition), false);
}

void io_fiber_sleep_until(struct io_scheduler *scheduler, uint64_t deadline_ns)
{
    if (deadline_ns > scheduler->now_ns)
        fiber_wait_in(scheduler, NULL, deadline_ns, "the clock", NULL);
}
