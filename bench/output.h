/* output.h -- what the reader of a benchmark gets: a header, a line for each run, tables of medians, JSON lines.
 *
 * Role      Text for a terminal on stdout, the same as Markdown, and everything as JSON, each where the options ask for it.
 * Failure   A file that cannot be written is told on stderr; output_close returns false.
 */
#ifndef KVS_BENCH_OUTPUT_H
#define KVS_BENCH_OUTPUT_H

#include "bench/machine.h"
#include "bench/plan.h"

#include <stdio.h>

/* json, markdown: NULL where not asked for */
struct output {
    const struct options *options;
    FILE *json;
    FILE *markdown;
};

/* Open the files that the options name. Returns false after a line on stderr. */
bool output_open(struct output *output, const struct options *options);

/* Close them; false if not all could be written. */
bool output_close(struct output *output);

/* Machine, engines and settings. */
void output_header(struct output *output, const struct machine *machine);

/* One run: a line on stderr, and a JSON line. A plan_visit. */
void output_run(void *output, unsigned round, const struct workload *workload, const struct engine *engine,
                const struct outcome *outcome);

/* The medians. */
void output_results(struct output *output, const struct results *results);

#endif
