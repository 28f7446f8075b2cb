/* measure.h -- what a process has used: processor, bytes written, memory.
 *
 * Role      Read from the kernel, so that it counts all threads of an engine and asks the engine nothing.
 * Threads   Any.
 * Failure   What the kernel does not tell is a NaN, and is left out of the report.
 */
#ifndef KVS_BENCH_MEASURE_H
#define KVS_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

/* now_ns         a clock that never steps back
 * cpu_s          of all threads of the process, system calls included
 * written_bytes  given to write calls
 * dirtied_bytes  of page cache that was made dirty, or written past it: in whole pages, and of mappings too */
struct usage {
    uint64_t now_ns;
    double cpu_s;
    double written_bytes;
    double dirtied_bytes;
};

uint64_t measure_now_ns(void);

/* Processor time of the calling thread. */
uint64_t measure_thread_cpu_ns(void);

struct usage measure_usage(void);

/* Begin a new peak of resident memory, where the kernel allows. */
void measure_peak_reset(void);

/* The most memory that was resident at a time since then, mapped files included. NaN where unknown. */
double measure_peak_bytes(void);

/* The cost of reading the clock once, as the workloads do for each operation they time. */
double measure_clock_cost_ns(void);

/* Wait until the process is at rest: for a while no other thread of it ran or waited for a disk, and is_settled(context) agreed.
 *
 * since  out: the usage when the rest began, so that the wait itself is not counted
 * Returns false if it was not at rest after limit_s. */
bool measure_wait_for_rest(struct usage *since, bool (*is_settled)(void *context), void *context, double limit_s);

#endif
