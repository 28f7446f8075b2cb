#include "fault.h"

#include "base/assert.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 2048, TRACE_BYTES = 256 << 10, REAL_SECONDS_MAX = 100 };

/* Simulated time: how often the watch looks, how long a fault for good stays, and what is taken for a hang. */
#define WATCH_NS UINT64_C(20000000)
#define FOR_GOOD_NS UINT64_C(3000000000)
#define HANG_NS UINT64_C(600000000000)

/* ---- Messages ---- */

void fault_fail(const struct fault_bench *bench, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (bench->is_verbose && bench->mem != NULL)
        fputs(io_trace_text(bench->trace), stdout);
    fflush(stdout);
    fprintf(stderr, "fault: %s\n  repeat: %s %s --verbose\n", line, bench->program, bench->what.name);
    _Exit(1);
}

void fault_note(const struct fault_bench *bench, const char *format, ...)
{
    if (!bench->is_verbose)
        return;
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    printf("%12.6f  %s\n", (double)io_scheduler_now_ns(bench->scheduler) / 1e9, line);
}

bool fault_has_fired(const struct fault_bench *bench)
{
    return bench->is_armed && bench->injector->has_fired(bench);
}

/* The case that runs, for the alarm. */
static const struct fault_bench *volatile running;

static void on_alarm(int number)
{
    (void)number;
    static const char text[] = "fault: the case runs for ever: ";
    const char *name = running == NULL ? "none" : running->what.name;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    ignored += write(STDERR_FILENO, name, strlen(name));
    ignored += write(STDERR_FILENO, "\n", 1);
    _Exit(ignored < 0 ? 2 : 1);
}

/* ---- The machine ---- */

static struct kvs_options small_options(enum kvs_sync_mode mode)
{
    struct kvs_options options;
    kvs_options_default(&options);
    options.memory_bytes = 1 << 20;
    options.memtable_bytes = 4096;
    options.block_bytes = 256;
    options.segment_bytes = 4096;
    options.level_base_bytes = 8192;
    options.sync_mode = mode;
    options.sync_interval_ms = 10;
    return options;
}

static void log_line(void *context, enum kvs_log_level level, const char *line)
{
    (void)level;
    fault_note(context, "    %s", line);
}

/* Switch on a machine with this disk, which the bench takes over. */
static void bench_up(struct fault_bench *bench, struct io_mem *mem)
{
    KVS_ASSERT(mem != NULL);
    bench->scheduler = io_scheduler_new(bench->what.seed);
    KVS_ASSERT(bench->scheduler != NULL);
    io_mem_set_scheduler(mem, bench->scheduler);
    bench->mem = mem;
    bench->fault = io_fault_new(io_mem_as_io(mem));
    KVS_ASSERT(bench->fault != NULL);
    bench->trace = io_trace_new(io_fault_as_io(bench->fault), TRACE_BYTES);
    KVS_ASSERT(bench->trace != NULL);
    if (!bench->is_verbose)
        io_trace_set_calls(bench->trace, IO_CALL_BIT(IO_CALL_SYNC) | IO_CALL_BIT(IO_CALL_WRITE));
    bench->io = io_trace_as_io(bench->trace);
    bench->options = small_options(bench->what.scenario == NULL ? KVS_SYNC_OS : bench->what.scenario->mode);
    bench->options.log = log_line;
    bench->options.log_context = bench;
    bench->db = NULL;
}

/* The disk stays, and is the caller's. */
static struct io_mem *bench_down(struct fault_bench *bench)
{
    struct io_mem *mem = bench->mem;
    if (bench->is_verbose)
        fputs(io_trace_text(bench->trace), stdout);
    io_trace_free(bench->trace);
    io_fault_free(bench->fault);
    io_mem_set_scheduler(mem, NULL);
    io_scheduler_free(bench->scheduler);
    bench->mem = NULL;
    return mem;
}

/* ---- Images ---- */

struct image {
    struct io_mem *mem;
    struct fault_history history;
    unsigned next_value;
};

static struct image images[IMAGE_COUNT];

void fault_free_images(void)
{
    for (int i = 0; i < IMAGE_COUNT; i++)
        io_mem_free(images[i].mem);
    memset(images, 0, sizeof images);
}

/* A database in use: what a kill leaves of it, and after a close. */
static void fill_image(void *argument)
{
    struct fault_bench *bench = argument;
    bool is_open = step_open(bench);
    KVS_ASSERT(is_open);
    fault_fill(bench);
    for (unsigned i = 0; i < 4; i++)
        (void)step_put(bench, 8 + i, false);
    images[IMAGE_KILLED] = (struct image){io_mem_clone_after_kill(bench->mem), bench->history, bench->next_value};
    (void)step_close(bench);
}

static struct io_mem *new_disk(void)
{
    struct io_mem *mem = io_mem_new(1, NULL);
    KVS_ASSERT(mem != NULL);
    io_mem_set_capacity(mem, FAULT_DISK_BYTES);
    return mem;
}

static void make_images(const char *program)
{
    static struct fault_bench bench;
    if (images[IMAGE_CLOSED].mem != NULL)
        return;
    bench = (struct fault_bench){.program = program, .what = {.seed = 1, .name = "(making the images)"}};
    history_init(&bench.history);
    images[IMAGE_EMPTY] = (struct image){new_disk(), bench.history, 0};
    bench_up(&bench, new_disk());
    io_scheduler_run(bench.scheduler, fill_image, &bench);
    images[IMAGE_CLOSED] = (struct image){bench_down(&bench), bench.history, bench.next_value};
}

/* What is in a database after a power cut, and how much of its logs was torn. */
static void look_at_torn(void *argument)
{
    struct fault_bench *bench = argument;
    struct kvs_stats stats;
    bench->history.published = bench->history.durable;
    bool is_open = step_open(bench);
    KVS_ASSERT(is_open);
    kvs_stats(bench->db, &stats);
    bench->is_over = stats.set_aside_bytes != 0;
    (void)step_close(bench);
}

/* A power cut that tears a log. */
static void make_torn_image(const char *program)
{
    static struct fault_bench bench;
    const struct image *killed = &images[IMAGE_KILLED];
    for (uint64_t seed = 1; images[IMAGE_TORN].mem == NULL; seed++) {
        KVS_ASSERT(seed < 1000);
        struct io_mem *torn = io_mem_clone_after_power_cut(killed->mem, seed, IO_MEM_KEEP_SECTORS);
        bench = (struct fault_bench){.program = program, .what = {.seed = 1, .name = "(making a torn image)"}};
        bench.history = killed->history;
        bench_up(&bench, io_mem_clone_after_kill(torn));
        io_scheduler_run(bench.scheduler, look_at_torn, &bench);
        io_mem_free(bench_down(&bench));
        history_publish(&bench.history, true);
        if (bench.is_over)
            images[IMAGE_TORN] = (struct image){torn, bench.history, killed->next_value};
        else
            io_mem_free(torn);
    }
}

/* ---- The case ---- */

/* Ends a fault after a while, and tells a hang. */
static void watch(void *argument)
{
    struct fault_bench *bench = argument;
    uint64_t begun_ns = io_scheduler_now_ns(bench->scheduler);
    while (!bench->is_over) {
        io_sleep_until(bench->io, io_scheduler_now_ns(bench->scheduler) + WATCH_NS);
        uint64_t now_ns = io_scheduler_now_ns(bench->scheduler);
        if (bench->fired_ns == 0 && fault_has_fired(bench))
            bench->fired_ns = now_ns;
        if (bench->fired_ns != 0 && now_ns - bench->fired_ns > FOR_GOOD_NS)
            bench->injector->clear(bench);
        if (now_ns - begun_ns > HANG_NS)
            fault_fail(bench, "a call hangs");
    }
}

/* The fault is gone: reads are right, and writes come back, unless the outcome of one is unknown or the list of files is. */
static void check_in_place(struct fault_bench *bench)
{
    struct kvs_stats stats;
    step_wait(bench, 3000);
    if (!step_scan(bench, false) || !step_gets(bench))
        fault_fail(bench, "a read fails after the fault is gone");
    if (bench->options.read_only)
        return;
    kvs_stats(bench->db, &stats);
    bool is_ended = stats.health != KVS_OK && stats.health != KVS_NO_SPACE;
    bench->is_poisoned |= is_ended;
    if (is_ended) {
        if (!bench->injector->may_poison(bench))
            fault_fail(bench, "a fault that changed nothing has ended writing");
        if (step_put(bench, 1, false))
            fault_fail(bench, "a write succeeds though writing has ended");
        /* What is published went to a segment meanwhile, if the manifest still works. */
        if (!version_set_is_poisoned(bench->db->versions))
            bench->history.durable = bench->history.published;
        return;
    }
    if (bench->history.is_unknown)
        fault_fail(bench, "writing goes on after a write with an unknown outcome");
    if (!step_put(bench, 1, true) || !step_flush(bench) || !step_compact(bench) || !step_verify(bench))
        fault_fail(bench, "the database does not work after the fault is gone");
}

static void run_scenario(void *argument)
{
    struct fault_bench *bench = argument;
    struct io_thread watcher;
    struct kvs_status status = io_thread_start(&watcher, bench->io, "watch", watch, bench);
    KVS_ASSERT(kvs_ok(status));
    bench->is_armed = true;
    bench->injector->arm(bench);
    bench->what.scenario->run(bench);
    enum fault_outcome outcome = bench->outcome;
    bench->injector->clear(bench);
    /* Again, where the scenario stopped at an open that failed. */
    if (bench->db == NULL && bench->outcome == OUTCOME_REFUSED && !step_open(bench))
        fault_fail(bench, "the database cannot be opened after the fault is gone");
    if (bench->db != NULL) {
        check_in_place(bench);
        bool is_closed = step_close(bench);
        if (!is_closed && !bench->is_poisoned)
            fault_fail(bench, "the database cannot be closed after the fault is gone");
    }
    bench->outcome = outcome;
    bench->is_over = true;
    io_thread_join(&watcher);
}

/* What a new process finds on a disk that was left: one of the states that are allowed, and a database that works. */
static void check_left(void *argument)
{
    struct fault_bench *bench = argument;
    if (!step_open(bench))
        return; /* step_open has failed the case: there is no fault */
    (void)step_gets(bench);
    (void)step_put(bench, 0, true);
    (void)step_verify(bench);
    (void)step_close(bench);
}

static void look_at_left(const struct fault_bench *left, struct io_mem *disk, const char *how, bool is_power_cut)
{
    static struct fault_bench bench;
    bench = *left;
    bench.is_armed = false;
    bench_up(&bench, disk);
    fault_note(&bench, "---- after %s", how);
    if (is_power_cut)
        bench.history.published = bench.history.durable;
    running = &bench;
    io_scheduler_run(bench.scheduler, check_left, &bench);
    io_mem_free(bench_down(&bench));
}

struct fault_verdict fault_run_case(const struct fault_injector *injector, const struct fault_case *what,
                                    const char *program, bool is_verbose)
{
    static struct fault_bench bench;
    make_images(program);
    if (images[IMAGE_TORN].mem == NULL)
        make_torn_image(program);
    const struct image *image = &images[what->scenario->image];
    bench = (struct fault_bench){.program = program, .injector = injector, .what = *what, .is_verbose = is_verbose};
    bench.history = image->history;
    bench.next_value = image->next_value;
    bench_up(&bench, io_mem_clone_after_kill(image->mem));
    running = &bench;
    signal(SIGALRM, on_alarm);
    alarm(REAL_SECONDS_MAX);
    io_scheduler_run(bench.scheduler, run_scenario, &bench);
    struct fault_verdict verdict = {fault_has_fired(&bench), bench.outcome, bench.is_poisoned};
    fault_check_syncs(&bench);
    struct io_mem *disk = bench_down(&bench);
    enum io_mem_keep keep = (enum io_mem_keep)(1 + what->nth % (IO_MEM_KEEP_COUNT - 1));
    look_at_left(&bench, io_mem_clone_after_kill(disk), "a kill", false);
    look_at_left(&bench, io_mem_clone_after_power_cut(disk, what->nth, IO_MEM_KEEP_NONE), "a power cut", true);
    look_at_left(&bench, io_mem_clone_after_power_cut(disk, what->nth, keep), io_mem_keep_name(keep), true);
    io_mem_free(disk);
    alarm(0);
    running = NULL;
    return verdict;
}

/* ---- Tables ---- */

void fault_tally_add(struct fault_tally *tally, struct fault_verdict verdict)
{
    if (!verdict.fired)
        return;
    tally->cases++;
    tally->outcomes[verdict.outcome]++;
    tally->poisoned += verdict.is_poisoned;
}

void fault_tally_print_head(const char *first, const char *second)
{
    printf(
        "| %s | %s | cases | all held | failed, no effect | open refused | outcome unknown | of these: writing ended |\n",
        first, second);
    printf("|---|---|---|---|---|---|---|---|\n");
}

void fault_tally_print(const struct fault_tally *tally)
{
    printf(" %llu |", (unsigned long long)tally->cases);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        printf(" %llu |", (unsigned long long)tally->outcomes[i]);
    printf(" %llu |\n", (unsigned long long)tally->poisoned);
}
