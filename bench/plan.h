/* plan.h -- the runs of a benchmark in their order, and what they gave.
 *
 * Role      In each round the workloads follow each other, and for each workload the engines run in turn, every round in another order, so that what
 *           the machine does meanwhile falls on all alike. A fill that later workloads need is run even if nobody asked for its figures.
 * Threads   One.
 * Failure   An engine whose run failed takes no further part in that round where its database is concerned; the failure stays in the results.
 */
#ifndef KVS_BENCH_PLAN_H
#define KVS_BENCH_PLAN_H

#include "bench/options.h"
#include "bench/run.h"

/* outcomes  of round r, workload w and engine e at [(w * engine_count + e) * rounds + r], so that a cell's rounds lie together
 * rounds    finished, or begun when the user interrupted
 * failures  of runs, in all */
struct results {
    const struct options *options;
    struct outcome *outcomes;
    unsigned rounds;
    unsigned failures;
    bool interrupted;
};

/* Called after each run that was asked for. */
typedef void plan_visit(void *context, unsigned round, const struct workload *workload, const struct engine *engine,
                        const struct outcome *outcome);

/* Do all runs with their databases in folder. results: out, for plan_fini. Returns false if there was no memory. */
bool plan_execute(struct results *results, const struct options *options, const struct dataset *dataset,
                  const char *folder, plan_visit *visit, void *context);
void plan_fini(struct results *results);

/* The spread over the rounds of a metric of workload number w of the options and engine number e. */
struct spread plan_spread(const struct results *results, size_t workload, size_t engine, enum metric metric);

/* Ask plan_execute to stop after the run that is in progress; for signal handlers. */
void plan_interrupt(int signal);

#endif
