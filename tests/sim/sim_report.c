#include "sim_report.h"

#include "sim.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUND_SECONDS_MAX = 120 };

/* For deaths by signal, which have no other way to the round. */
static struct sim *running;

static void print_line(const struct sim_report *report, uint64_t index)
{
    fprintf(stderr, "  %s\n", report->lines[index % REPORT_LINES]);
}

static void print_command(const struct sim *sim)
{
    const struct sim_config *config = sim->config;
    fprintf(stderr, "\nrepeat with: kvstore_sim --seed %llu --rounds 1", (unsigned long long)sim->seed);
    if (config->operations != 0)
        fprintf(stderr, " --ops %llu", (unsigned long long)config->operations);
    if (config->generations != 0)
        fprintf(stderr, " --generations %llu", (unsigned long long)config->generations);
    if (config->writers != 0)
        fprintf(stderr, " --writers %llu", (unsigned long long)config->writers);
    if (config->drop_sync != 0)
        fprintf(stderr, " --drop-sync %llu", (unsigned long long)config->drop_sync);
    fprintf(stderr, "%s%s%s%s --verbose\n", config->no_readers ? " --no-readers" : "",
            config->no_caretaker ? " --no-caretaker" : "", config->no_faults ? " --no-faults" : "",
            config->full_disks ? " --full-disks" : "");
    fprintf(stderr, "shorten with: the same and --shrink\n");
}

static void print_report(const struct sim *sim, const char *trouble)
{
    const struct sim_report *report = &sim->report;
    if (!sim->config->verbose) {
        fprintf(stderr, "\nlast operations:\n");
        uint64_t first = report->count > REPORT_LINES ? report->count - REPORT_LINES : 0;
        for (uint64_t i = first; i < report->count; i++)
            print_line(report, i);
    }
    fprintf(stderr, "\nkvstore_sim: seed %llu, generation %llu: %s\n", (unsigned long long)sim->seed,
            (unsigned long long)sim->generation, trouble);
    print_command(sim);
    fflush(NULL);
}

/* Not safe in every signal, but the process is lost anyway. */
static void die(int signal_number)
{
    struct sim *sim = running;
    running = NULL;
    if (sim != NULL)
        print_report(sim, signal_number == SIGALRM ? "the round does not end" : "death by signal");
    if (sim != NULL && signal_number == SIGALRM)
        io_scheduler_list(sim->scheduler, "no end");
    signal(signal_number, SIG_DFL);
    if (signal_number == SIGALRM)
        _exit(1);
    raise(signal_number);
}

void sim_report_begin(struct sim *sim)
{
    running = sim;
    alarm(sim == NULL ? 0 : ROUND_SECONDS_MAX);
    if (sim == NULL)
        return;
    signal(SIGABRT, die);
    signal(SIGALRM, die);
    signal(SIGSEGV, die);
}

/* Called by AddressSanitizer before it reports. */
void __asan_on_error(void);
void __asan_on_error(void)
{
    if (running != NULL)
        print_report(running, "an error that a sanitizer found, see below");
    running = NULL;
}

void sim_note(struct sim *sim, const char *format, ...)
{
    struct sim_report *report = &sim->report;
    char *line = report->lines[report->count % REPORT_LINES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, REPORT_LINE_BYTES, format, arguments);
    va_end(arguments);
    if (sim->config->verbose)
        print_line(report, report->count);
    report->count++;
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    char trouble[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(trouble, sizeof trouble, format, arguments);
    va_end(arguments);
    print_report(sim, trouble);
    if (sim->config->trace != NULL && sim->trace != NULL)
        fputs(io_trace_text(sim->trace), sim->config->trace);
    fflush(NULL);
    _exit(1);
}

void sim_engine_log(void *context, enum kvs_log_level level, const char *line)
{
    sim_note(context, "engine%s: %s", level == KVS_LOG_ERROR ? " error" : "", line);
}
