/* io_fiber.h -- a seeded scheduler that runs threads as fibers of one real thread, for simulations.
 *
 * Role      Code written against io_thread.h runs unchanged: its threads become fibers with stacks of their own, and at every lock, wait, wake-up, thread
 *           start and simulated I/O step the seed decides who goes on. The same seed gives the same run, instruction by instruction. Seeds differ not
 *           only in the choices: each also fixes how often a fiber is left running, how much each fiber is favoured, and whether fibers now and then
 *           sleep where they might have gone on, so that starved, hurried and preempted threads all occur.
 * Time      A virtual clock in nanoseconds. It goes on a little at every step and, when every fiber waits, to the next deadline. No real time passes.
 * Threads   A scheduler belongs to the real thread that runs it.
 * Failure   A deadlock (all fibers wait, none with a deadline) and a body that returns while its threads live are mistakes of the code under test: the
 *           fibers are listed on stderr with what they wait for, and the process aborts.
 */
#ifndef KVS_IO_IO_FIBER_H
#define KVS_IO_IO_FIBER_H

#include "io/io_thread.h"

/* A deadline that never comes. */
#define IO_NO_DEADLINE UINT64_MAX

/* Make a scheduler; the caller frees it. Returns NULL where there is no memory. */
struct io_scheduler *io_scheduler_new(uint64_t seed);

/* Not while it runs; NULL is allowed. */
void io_scheduler_free(struct io_scheduler *scheduler);

/* Run body(argument) as the fiber "main" on the calling thread's own stack, and the threads that it starts beside it; returns when body returns. By then
 * every thread must have been joined. May be called again: the clock and the random numbers go on. */
void io_scheduler_run(struct io_scheduler *scheduler, void (*body)(void *argument), void *argument);

/* A point at which another fiber may go on. Does nothing outside io_scheduler_run. */
void io_scheduler_yield(struct io_scheduler *scheduler);

/* The virtual clock. */
uint64_t io_scheduler_now_ns(const struct io_scheduler *scheduler);

/* A hash of every choice made so far: two runs were the same if theirs agree. */
uint64_t io_scheduler_fingerprint(const struct io_scheduler *scheduler);

/* Say on stderr what each fiber waits for. */
void io_scheduler_list(const struct io_scheduler *scheduler, const char *trouble);

/* The simulated halves of io_thread.h; called by io_thread.c only. A wait returns false when its deadline passed. */
bool io_fiber_condition_wait(struct io_condition *condition, struct io_mutex *mutex, uint64_t deadline_ns);
void io_fiber_condition_wake(struct io_condition *condition, bool all);
KVS_MUST_USE struct kvs_status io_fiber_start(struct io_thread *thread, const char *name, void (*body)(void *argument),
                                              void *argument);
void io_fiber_join(struct io_thread *thread);
void io_fiber_sleep_until(struct io_scheduler *scheduler, uint64_t deadline_ns);

#endif
