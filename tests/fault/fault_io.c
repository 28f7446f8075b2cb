/* fault_io -- fail the Nth call of each kind, once and for good, for every N until a run has none, in every scenario.
 *
 *     fault_io [--table] [--all] [--scenario NAME] [--call NAME] [--errno NAME] [--short] [--for-good] [--nth N] [--seed N] [--every N]
 *              [--verbose]
 *
 * --all     each errno for each kind of call, also those that the kind hardly gives
 * --every   run one of so many cases only
 * --table   print calls and errnos against outcomes
 * The others choose among the cases. Exit status: 0, or 1 with the first broken promise on stderr. */
#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An errno, and how its cases are called. */
struct fault_errno {
    const char *name;
    int value;
};

static const struct fault_errno errnos[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EMFILE", EMFILE}, {"EROFS", EROFS}};
enum { ERRNO_COUNT = sizeof errnos / sizeof *errnos };

/* A kind of call and what it may fail with: bits by index in errnos. */
struct fault_kind {
    enum io_call call;
    bool is_short;
    unsigned usual;
};

enum { BIT_EIO = 1, BIT_ENOSPC = 2, BIT_EMFILE = 4, BIT_EROFS = 8 };

static const struct fault_kind kinds[] = {
    {IO_CALL_OPEN, false, BIT_EIO | BIT_ENOSPC | BIT_EMFILE | BIT_EROFS},
    {IO_CALL_READ, false, BIT_EIO},
    {IO_CALL_WRITE, false, BIT_EIO | BIT_ENOSPC},
    {IO_CALL_WRITE, true, BIT_EIO | BIT_ENOSPC},
    {IO_CALL_SYNC, false, BIT_EIO | BIT_ENOSPC},
    {IO_CALL_PREALLOCATE, false, BIT_EIO | BIT_ENOSPC},
    {IO_CALL_TRUNCATE, false, BIT_EIO},
    {IO_CALL_SIZE, false, BIT_EIO},
    {IO_CALL_RENAME, false, BIT_EIO | BIT_ENOSPC | BIT_EROFS},
    {IO_CALL_UNLINK, false, BIT_EIO | BIT_EROFS},
    {IO_CALL_LINK, false, BIT_EIO},
    {IO_CALL_MAKE_DIRECTORY, false, BIT_EIO | BIT_ENOSPC | BIT_EROFS},
    {IO_CALL_LIST, false, BIT_EIO | BIT_EMFILE},
    {IO_CALL_DIRECTORY_SYNC, false, BIT_EIO | BIT_EMFILE},
    {IO_CALL_EXISTS, false, BIT_EIO},
    {IO_CALL_LOCK, false, BIT_EIO | BIT_EMFILE | BIT_EROFS},
    {IO_CALL_FREE_SPACE, false, BIT_EIO},
    {IO_CALL_RANDOM, false, BIT_EIO},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds, LANDED_BYTES = 100 };

/* ---- The injector ---- */

static void arm(struct fault_bench *bench)
{
    const struct fault_case *what = &bench->what;
    io_fault_add(bench->fault, &(struct io_fault_rule){.call = what->call,
                                                       .nth = what->nth,
                                                       .for_good = what->for_good,
                                                       .action = what->is_short ? IO_FAULT_SHORT : IO_FAULT_FAIL,
                                                       .sys_errno = what->sys_errno,
                                                       .landed_bytes = what->is_short ? LANDED_BYTES : 0});
}

static bool has_fired(const struct fault_bench *bench)
{
    return io_fault_fired_count(bench->fault) != 0;
}

static void clear(struct fault_bench *bench)
{
    io_fault_clear(bench->fault);
}

static bool manifest_write_has_failed(const struct fault_bench *bench)
{
    const char *line = io_trace_text(bench->trace);
    while ((line = strstr(line, "write MANIFEST-")) != NULL) {
        line += strcspn(line, ">\n");
        if (*line == '>')
            return true;
    }
    return false;
}

/* What is on the disk is in doubt after these; after the others it is not. A log meets a full disk at a write of preallocated room, too, and waits; a manifest
 * takes back what it could not write, unless that cannot be written either. */
static bool may_poison(const struct fault_bench *bench)
{
    switch (bench->what.call) {
    case IO_CALL_WRITE:
        return bench->what.sys_errno != ENOSPC || (bench->what.for_good && manifest_write_has_failed(bench));
    case IO_CALL_SYNC:
    case IO_CALL_DIRECTORY_SYNC:
    case IO_CALL_RENAME:
        return true;
    default:
        return false;
    }
}

static const struct fault_injector injector = {arm, has_fired, clear, may_poison};

/* ---- The table ---- */

/* Once and for good together. */
static struct fault_tally tallies[KIND_COUNT][ERRNO_COUNT];

static void print_table(void)
{
    fault_tally_print_head("call", "errno");
    for (size_t i = 0; i < KIND_COUNT; i++) {
        for (size_t j = 0; j < ERRNO_COUNT; j++) {
            if (tallies[i][j].cases == 0)
                continue;
            printf("| %s%s | %s |", kinds[i].is_short ? "short " : "", io_call_name(kinds[i].call), errnos[j].name);
            fault_tally_print(&tallies[i][j]);
        }
    }
}

/* ---- The loops ---- */

struct choice {
    const char *scenario, *call, *errno_name, *program;
    uint64_t nth, seed, every;
    bool is_short, for_good, all, table, is_verbose;
};

static void name_case(struct fault_case *what, const char *errno_name)
{
    snprintf(what->name, sizeof what->name, "--scenario %s --call %s --errno %s%s%s --nth %llu --seed %llu",
             what->scenario->name, io_call_name(what->call), errno_name, what->is_short ? " --short" : "",
             what->for_good ? " --for-good" : "", (unsigned long long)what->nth, (unsigned long long)what->seed);
}

/* Whether the choice is to leave this case out. */
static bool is_left_out(const struct choice *choice, const struct fault_case *what)
{
    uint64_t offset = (uint64_t)what->call + (uint64_t)what->sys_errno + what->for_good + what->is_short;
    return choice->every > 1 && choice->nth == 0 && (what->nth + offset) % choice->every != 0;
}

/* Every N, until the fault does not occur any more. */
static void run_cases(const struct choice *choice, struct fault_case *what, const char *errno_name,
                      struct fault_tally *tally)
{
    for (what->nth = choice->nth == 0 ? 1 : choice->nth;; what->nth++) {
        if (is_left_out(choice, what))
            continue;
        name_case(what, errno_name);
        struct fault_verdict verdict = fault_run_case(&injector, what, choice->program, choice->is_verbose);
        fault_tally_add(tally, verdict);
        if (!verdict.fired || choice->nth != 0)
            return;
    }
}

static void run_kind(const struct choice *choice, const struct fault_scenario *scenario, size_t kind)
{
    if (choice->call != NULL && (strcmp(choice->call, io_call_name(kinds[kind].call)) != 0 ||
                                 (choice->nth != 0 && choice->is_short != kinds[kind].is_short)))
        return;
    for (size_t i = 0; i < ERRNO_COUNT; i++) {
        bool is_usual = (kinds[kind].usual >> i & 1) != 0;
        if (choice->errno_name != NULL ? strcmp(choice->errno_name, errnos[i].name) != 0 : !is_usual && !choice->all)
            continue;
        for (int for_good = 0; for_good < 2; for_good++) {
            if (choice->nth != 0 && choice->for_good != (for_good != 0))
                continue;
            struct fault_case what = {.scenario = scenario,
                                      .call = kinds[kind].call,
                                      .sys_errno = errnos[i].value,
                                      .is_short = kinds[kind].is_short,
                                      .for_good = for_good != 0,
                                      .seed = choice->seed};
            run_cases(choice, &what, errnos[i].name, &tallies[kind][i]);
        }
    }
}

static void parse(struct choice *choice, int argc, char **argv)
{
    *choice = (struct choice){.program = argv[0], .seed = 1, .every = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool takes_value = true;
        if (strcmp(argv[i], "--scenario") == 0)
            choice->scenario = value;
        else if (strcmp(argv[i], "--call") == 0)
            choice->call = value;
        else if (strcmp(argv[i], "--errno") == 0)
            choice->errno_name = value;
        else if (strcmp(argv[i], "--nth") == 0)
            choice->nth = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            choice->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--every") == 0)
            choice->every = strtoull(value, NULL, 10);
        else
            takes_value = false;
        bool *flag = strcmp(argv[i], "--short") == 0      ? &choice->is_short
                     : strcmp(argv[i], "--for-good") == 0 ? &choice->for_good
                     : strcmp(argv[i], "--all") == 0      ? &choice->all
                     : strcmp(argv[i], "--table") == 0    ? &choice->table
                     : strcmp(argv[i], "--verbose") == 0  ? &choice->is_verbose
                                                          : NULL;
        if (flag != NULL)
            *flag = true;
        else if (takes_value)
            i++;
        else {
            fprintf(stderr, "fault_io: unknown option %s (see the head of tests/fault/fault_io.c)\n", argv[i]);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    struct choice choice;
    uint64_t cases = 0;
    parse(&choice, argc, argv);
    for (size_t i = 0; i < fault_scenario_count; i++) {
        if (choice.scenario != NULL && strcmp(choice.scenario, fault_scenarios[i].name) != 0)
            continue;
        for (size_t kind = 0; kind < KIND_COUNT; kind++)
            run_kind(&choice, &fault_scenarios[i], kind);
    }
    fault_free_images();
    if (choice.table)
        print_table();
    for (size_t i = 0; i < KIND_COUNT; i++) {
        for (size_t j = 0; j < ERRNO_COUNT; j++)
            cases += tallies[i][j].cases;
    }
    printf("%llu cases, no broken promise\n", (unsigned long long)cases);
    return 0;
}
