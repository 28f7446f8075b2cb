#include "bench/plan.h"
#include "bench/folder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

void plan_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* One engine's state within a round. broken: a run on this database failed, so that it is not to be used. */
struct engine_state {
    const struct workload *origin[DATABASE_COUNT];
    bool broken[DATABASE_COUNT];
};

struct plan {
    const struct options *options;
    const struct dataset *dataset;
    const char *folder;
    struct results *results;
    plan_visit *visit;
    void *context;
    struct engine_state states[OPTIONS_ENGINES_MAX];
};

static struct outcome *outcome_of(const struct results *results, size_t workload, size_t engine, unsigned round)
{
    const struct options *options = results->options;
    return &results->outcomes[(workload * options->engine_count + engine) * options->rounds + round];
}

static void database_path(char *path, const struct plan *plan, const struct engine *engine,
                          enum workload_database database)
{
    static const char *const names[DATABASE_COUNT] = {"sequential", "random", "sync"};
    snprintf(path, FOLDER_PATH_BYTES, "%.3900s/%s-%s", plan->folder, engine->name, names[database]);
}

static struct outcome run_one(struct plan *plan, const struct workload *workload, size_t engine)
{
    const struct options *options = plan->options;
    char path[FOLDER_PATH_BYTES];
    database_path(path, plan, options->engines[engine], workload->database);
    struct run run = {
        .workload = workload,
        .engine = options->engines[engine],
        .dataset = plan->dataset,
        .size = &options->size,
        .path = path,
        .memory_bytes = options->memory_bytes,
        .compress = options->compress,
        .sync = options->sync,
        .limit_s = options->limit_s,
    };
    folder_sync(plan->folder);
    struct outcome outcome = run_execute(&run);
    struct engine_state *state = &plan->states[engine];
    state->broken[workload->database] = !outcome.ok;
    state->origin[workload->database] = workload_origin(workload);
    if (!outcome.ok && !interrupted)
        plan->results->failures++;
    return outcome;
}

/* Whether the engine's database is as the workload expects it; makes it so if nobody has. */
static bool prepare(struct plan *plan, const struct workload *workload, size_t engine)
{
    const struct engine_state *state = &plan->states[engine];
    const struct workload *origin = workload_origin(workload);
    if (workload->fresh)
        return true;
    if (state->origin[workload->database] != origin) {
        struct outcome outcome = run_one(plan, origin, engine);
        if (!outcome.ok && !interrupted)
            fprintf(stderr, "bench: %s for %s on %s: %s\n", origin->name, workload->name,
                    plan->options->engines[engine]->name, outcome.text);
    }
    return !state->broken[workload->database];
}

static void run_cell(struct plan *plan, unsigned round, size_t workload_index, size_t engine)
{
    const struct workload *workload = plan->options->workloads[workload_index];
    struct outcome *outcome = outcome_of(plan->results, workload_index, engine, round);
    outcome->report = report_empty();
    strcpy(outcome->text, "its database could not be made");
    if (prepare(plan, workload, engine))
        *outcome = run_one(plan, workload, engine);
    if (interrupted)
        return;
    plan->visit(plan->context, round, workload, plan->options->engines[engine], outcome);
}

static bool is_used_later(const struct options *options, size_t workload, enum workload_database database)
{
    for (size_t i = workload + 1; i < options->workload_count; i++) {
        if (options->workloads[i]->database == database)
            return true;
    }
    return false;
}

/* The disk holds no more than it must. */
static void remove_unused(struct plan *plan, size_t workload)
{
    const struct options *options = plan->options;
    enum workload_database database = options->workloads[workload]->database;
    char path[FOLDER_PATH_BYTES];
    if (is_used_later(options, workload, database))
        return;
    for (size_t i = 0; i < options->engine_count; i++) {
        database_path(path, plan, options->engines[i], database);
        folder_remove(path);
    }
}

static void run_round(struct plan *plan, unsigned round)
{
    const struct options *options = plan->options;
    memset(plan->states, 0, sizeof plan->states);
    for (size_t workload = 0; workload < options->workload_count && !interrupted; workload++) {
        for (size_t turn = 0; turn < options->engine_count && !interrupted; turn++)
            run_cell(plan, round, workload, (turn + round + workload) % options->engine_count);
        remove_unused(plan, workload);
    }
}

bool plan_execute(struct results *results, const struct options *options, const struct dataset *dataset,
                  const char *folder, plan_visit *visit, void *context)
{
    struct plan *plan = calloc(1, sizeof *plan);
    struct outcome *outcomes =
        calloc(options->workload_count * options->engine_count * options->rounds, sizeof *outcomes);
    if (plan == NULL || outcomes == NULL) {
        free(plan);
        free(outcomes);
        return false;
    }
    *results = (struct results){.options = options, .outcomes = outcomes};
    *plan = (struct plan){.options = options,
                          .dataset = dataset,
                          .folder = folder,
                          .results = results,
                          .visit = visit,
                          .context = context};
    for (unsigned round = 0; round < options->rounds && !interrupted; round++) {
        run_round(plan, round);
        results->rounds = interrupted ? round : round + 1;
    }
    results->interrupted = interrupted;
    free(plan);
    return true;
}

void plan_fini(struct results *results)
{
    free(results->outcomes);
    *results = (struct results){0};
}

struct spread plan_spread(const struct results *results, size_t workload, size_t engine, enum metric metric)
{
    struct report *reports = calloc(results->rounds + 1, sizeof *reports);
    struct spread spread = report_spread(NULL, 0, metric);
    if (reports == NULL)
        return spread;
    for (unsigned round = 0; round < results->rounds; round++)
        reports[round] = outcome_of(results, workload, engine, round)->report;
    spread = report_spread(reports, results->rounds, metric);
    free(reports);
    return spread;
}
