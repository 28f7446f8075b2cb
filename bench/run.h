/* run.h -- one run: a workload on an engine's database, in a process of its own.
 *
 * Role      A forked child opens the database, warms it, does the workload, lets the engine settle, measures, verifies, and sends its report
 *           through a pipe. Processor time, bytes written and peak memory are thus the engine's own, and an engine that crashes spoils one run.
 * Threads   run_execute is called from a process of one thread.
 * Failure   Part of the outcome.
 */
#ifndef KVS_BENCH_RUN_H
#define KVS_BENCH_RUN_H

#include "bench/failure.h"
#include "bench/metric.h"
#include "bench/workload.h"

/* path     of the database; removed first if the workload makes it
 * sync     sync each put of this workload, even if it would not
 * limit_s  the run is killed after this time */
struct run {
    const struct workload *workload;
    const struct engine *engine;
    const struct dataset *dataset;
    const struct workload_size *size;
    const char *path;
    uint64_t memory_bytes;
    bool compress;
    bool sync;
    unsigned limit_s;
};

/* text  why it failed; empty if ok */
struct outcome {
    bool ok;
    struct report report;
    char text[FAILURE_TEXT_BYTES];
};

/* Do a run and wait for its end. */
struct outcome run_execute(const struct run *run);

#endif
