#include "bench/run.h"
#include "bench/folder.h"
#include "bench/measure.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECOND_NS = 1000000000, US_NS = 1000, MIB = 1024 * 1024, WARM_SHARE = 4 };

static const double REST_LIMIT_S = 600;

/* What is_settled is asked with. */
struct opened {
    const struct engine *engine;
    void *db;
};

static bool is_settled(void *context)
{
    const struct opened *opened = context;
    return opened->engine->is_settled(opened->db);
}

static bool wait_for_rest(const struct run *run, struct usage *since, void *db)
{
    struct opened opened = {run->engine, db};
    if (measure_wait_for_rest(since, is_settled, &opened, REST_LIMIT_S))
        return true;
    failure_set("%s was not at rest after %.0f s", run->engine->name, REST_LIMIT_S);
    return false;
}

/* Reads begin with everything that fits in the engine's memory: one whole scan, and a part of the workload itself. */
static bool warm_up(const struct run *run, struct workload_result *result, void *db, uint64_t operations,
                    unsigned threads)
{
    uint64_t records = workload_records(run->workload, run->dataset, run->size);
    struct usage rest;
    return workload_verify(run->workload, run->engine, db, run->dataset, records) &&
           workload_run(result, run->workload, run->engine, db, run->dataset, operations / WARM_SHARE + 1, threads) &&
           wait_for_rest(run, &rest, db);
}

static void report_workload(struct report *report, const struct workload_result *result, const struct usage *before,
                            const struct usage *after)
{
    double *values = report->values;
    double operations = (double)result->operations;
    values[METRIC_OPERATIONS] = operations;
    values[METRIC_SECONDS] = (double)result->elapsed_ns / SECOND_NS;
    values[METRIC_OPS] = operations / values[METRIC_SECONDS];
    values[METRIC_CPU] = (after->cpu_s - before->cpu_s) * 1e6 / operations;
    values[METRIC_CPU_CALLER] = (double)result->caller_cpu_ns / US_NS / operations;
    values[METRIC_P50] = (double)histogram_quantile_ns(&result->latency, 0.5) / US_NS;
    values[METRIC_P99] = (double)histogram_quantile_ns(&result->latency, 0.99) / US_NS;
    values[METRIC_P999] = (double)histogram_quantile_ns(&result->latency, 0.999) / US_NS;
    values[METRIC_MAX] = (double)result->latency.max_ns / US_NS;
}

/* What depends on the engine having settled. engine_bytes: by its own statistics, NaN where it has none. */
static void report_settled(struct report *report, const struct run *run, const struct usage *before,
                           const struct usage *after, const struct usage *rest, double engine_bytes)
{
    double *values = report->values;
    double operations = values[METRIC_OPERATIONS];
    double record_bytes = (double)(run->dataset->key_bytes + run->dataset->value_bytes);
    double live_bytes = (double)workload_records(run->workload, run->dataset, run->size) * record_bytes;
    double disk_bytes = folder_disk_bytes(run->path);
    values[METRIC_SETTLE] = (double)(rest->now_ns - after->now_ns) / SECOND_NS;
    values[METRIC_OPS_SETTLED] = operations / (values[METRIC_SECONDS] + values[METRIC_SETTLE]);
    values[METRIC_CPU_SETTLED] = (rest->cpu_s - before->cpu_s) * 1e6 / operations;
    values[METRIC_WRITE_AMP] = (rest->written_bytes - before->written_bytes) / (operations * record_bytes);
    values[METRIC_WRITE_AMP_DIRTIED] = (rest->dirtied_bytes - before->dirtied_bytes) / (operations * record_bytes);
    values[METRIC_WRITE_AMP_ENGINE] = engine_bytes / (operations * record_bytes);
    values[METRIC_DISK_MIB] = disk_bytes / MIB;
    /* A few synced records say nothing about space: preallocated logs outweigh them. */
    if (!run->workload->sync)
        values[METRIC_SPACE_AMP] = disk_bytes / live_bytes;
}

static double engine_bytes(const struct run *run, void *db)
{
    return run->engine->written_bytes == NULL ? (double)NAN : (double)run->engine->written_bytes(db);
}

/* The workload on an open database. */
static bool measure(const struct run *run, struct report *report, struct workload_result *result, void *db)
{
    const struct workload *workload = run->workload;
    uint64_t operations = workload_operations(workload, run->dataset, run->size);
    unsigned threads = workload_threads(workload, run->size);
    if (workload->kind == WORKLOAD_READ && !warm_up(run, result, db, operations, threads))
        return false;
    double engine_before = engine_bytes(run, db);
    struct usage before = measure_usage();
    if (!workload_run(result, workload, run->engine, db, run->dataset, operations, threads))
        return false;
    struct usage after = measure_usage();
    report_workload(report, result, &before, &after);
    if (workload->kind == WORKLOAD_FILL) {
        struct usage rest;
        if (!run->engine->flush(db) || !wait_for_rest(run, &rest, db))
            return false;
        report_settled(report, run, &before, &after, &rest, engine_bytes(run, db) - engine_before);
    }
    report->values[METRIC_PEAK_MIB] = measure_peak_bytes() / MIB;
    return workload->kind == WORKLOAD_READ || workload_verify(workload, run->engine, db, run->dataset,
                                                              workload_records(workload, run->dataset, run->size));
}

static void run_in_child(const struct run *run, struct outcome *outcome)
{
    struct engine_options options = {
        .path = run->path,
        .memory_bytes = run->memory_bytes,
        .create = run->workload->fresh,
        .sync = run->workload->sync || run->sync,
        .compress = run->compress,
    };
    struct workload_result *result = malloc(sizeof *result);
    void *db;
    outcome->report = report_empty();
    if (result == NULL)
        failure_set("no memory for a run");
    else if (run->engine->open(&db, &options)) {
        if (measure(run, &outcome->report, result, db) || failure_is_set())
            run->engine->close(db);
    }
    free(result);
    outcome->ok = !failure_is_set();
    strcpy(outcome->text, failure_text());
}

static bool write_all(int file, const void *data, size_t size)
{
    const char *at = data;
    while (size != 0) {
        ssize_t written = write(file, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

static bool read_all(int file, void *data, size_t size)
{
    char *at = data;
    while (size != 0) {
        ssize_t got = read(file, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

_Noreturn static void be_child(const struct run *run, int pipe)
{
    struct outcome outcome = {0};
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    alarm(run->limit_s);
    measure_peak_reset();
    run_in_child(run, &outcome);
    /* The parent's buffers are not this process's to flush. */
    _exit(write_all(pipe, &outcome, sizeof outcome) ? 0 : 1);
}

static struct outcome outcome_of_failure(const char *text)
{
    struct outcome outcome = {.ok = false, .report = report_empty()};
    snprintf(outcome.text, sizeof outcome.text, "%s", text);
    return outcome;
}

/* Wait for the child, and say so if it did not end by itself. */
static struct outcome reap(pid_t child, const struct outcome *sent, unsigned limit_s)
{
    int status = 0;
    char text[FAILURE_TEXT_BYTES];
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return outcome_of_failure("the child process is lost");
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(text, sizeof text, "killed after %u s (--limit)", limit_s);
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (sent == NULL)
        snprintf(text, sizeof text, "ended with status %d and without a report", WEXITSTATUS(status));
    else
        return *sent;
    return outcome_of_failure(text);
}

struct outcome run_execute(const struct run *run)
{
    int ends[2];
    if (run->workload->fresh && !folder_remove(run->path))
        return outcome_of_failure("the database of an earlier run is in the way");
    if (pipe(ends) != 0)
        return outcome_of_failure("cannot make a pipe");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        be_child(run, ends[1]);
    }
    close(ends[1]);
    struct outcome outcome = outcome_of_failure("cannot fork");
    if (child > 0) {
        struct outcome sent;
        bool whole = read_all(ends[0], &sent, sizeof sent);
        outcome = reap(child, whole ? &sent : NULL, run->limit_s);
    }
    close(ends[0]);
    return outcome;
}
