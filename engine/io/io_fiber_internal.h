/* io_fiber_internal.h -- what a scheduler and its fibers are made of, for io_fiber.c, which runs them, and io_fiber_wait.c, where they wait for each other.
 *
 * Threads   Those of io_fiber.h: the scheduler's one.
 */
#ifndef KVS_IO_IO_FIBER_INTERNAL_H
#define KVS_IO_IO_FIBER_INTERNAL_H

#include "io/io_fiber.h"
#include "io/io_seed.h"

#include <setjmp.h>
#include <ucontext.h>

enum { FIBER_NAME_BYTES = 16, FIBER_STACKS_MAX = 32 };

/* ready --wait--> waiting --wake or deadline--> ready --return--> ended. The running fiber is ready. */
enum fiber_state { FIBER_READY, FIBER_WAITING, FIBER_ENDED };

struct io_fiber {
    struct io_scheduler *scheduler;
    struct io_fiber *next; /* in scheduler->fibers, oldest first */
    enum fiber_state state;
    uint64_t weight; /* its chance against the other ready ones */

    /* While waiting. */
    struct io_fiber **list; /* the list it waits in, NULL for a sleep */
    struct io_fiber *next_waiter;
    uint64_t deadline_ns;
    bool timed_out;
    const char *waits_for;
    const struct io_fiber *waits_for_fiber; /* who holds the mutex or is to end, NULL for others */

    struct io_fiber *joiners; /* waiting for this one's end */
    void (*body)(void *argument);
    void *argument;
    char name[FIBER_NAME_BYTES];

    ucontext_t context; /* where it begins; with a sanitizer also where it goes on */
    jmp_buf place;      /* where it goes on */
    bool has_begun;
    void *mapping;      /* guard page and stack; NULL for "main", which runs on its caller's stack */
    const void *bottom; /* of the stack, as far as known */
    size_t stack_bytes;
    void *fake_stack; /* AddressSanitizer's, while another fiber runs */
    void *tsan_fiber; /* ThreadSanitizer's handle */
};

struct io_scheduler {
    struct io_seed seed;
    uint64_t now_ns;
    uint64_t fingerprint;
    uint64_t stay_one_in; /* a running fiber that could go on is asked to yield one time in so many */
    uint64_t nap_one_in;  /* and to sleep, as a thread that the machine has set aside; 0: never */
    struct io_fiber *fibers;
    struct io_fiber *current; /* NULL outside io_scheduler_run */
    struct io_fiber *came_from;
    void *stacks[FIBER_STACKS_MAX]; /* mappings of fibers that have been joined, for the next ones */
    size_t stack_count;
};

/* Let the present fiber wait in a list (NULL: nobody wakes it) until it is woken, true, or until the deadline, false. what, other: told by io_scheduler_list. */
bool fiber_wait_in(struct io_scheduler *scheduler, struct io_fiber **list, uint64_t deadline_ns, const char *what,
                   const struct io_fiber *other);

/* Make a waiting fiber ready; all of a list. timed_out: it was its deadline that came. */
void fiber_wake(struct io_fiber *fiber, bool timed_out);
void fiber_wake_all(struct io_fiber **list);

#endif
