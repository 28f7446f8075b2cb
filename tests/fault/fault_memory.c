/* fault_memory -- fail the Nth allocation, once and for good, for every N until a run has none, in every scenario.
 *
 *     fault_memory [--scenario NAME] [--for-good] [--nth N] [--seed N] [--every N] [--verbose]
 *
 * --every   run one of so many cases only
 * The others choose among the cases. Exit status: 0, or 1 with the first broken promise on stderr. Besides the oracle of all fault loops, no case may leave memory
 * behind.
 *
 * This program's allocator stands in front of the C library's, so that what libzstd and liburcu allocate fails in its turn, too. Sanitizers have an allocator of their
 * own: there the linker wraps the calls that are made by the engine itself. */
#include "fault.h"
#include "fault_allocator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The injector ---- */

static void arm(struct fault_bench *bench)
{
    allocator_fail(bench->what.nth, bench->what.for_good);
}

static bool has_fired(const struct fault_bench *bench)
{
    (void)bench;
    return allocator_has_failed();
}

static void clear(struct fault_bench *bench)
{
    (void)bench;
    allocator_clear();
}

/* The simulated disk allocates, too: a sync of it that has no memory is a failed sync. */
static bool may_poison(const struct fault_bench *bench)
{
    (void)bench;
    return true;
}

static const struct fault_injector injector = {arm, has_fired, clear, may_poison};

/* ---- The loops ---- */

struct choice {
    const char *scenario, *program;
    uint64_t nth, seed, every;
    bool for_good, is_verbose;
};

static void run_case(const struct choice *choice, struct fault_case *what, struct fault_tally *tally, bool *fired)
{
    snprintf(what->name, sizeof what->name, "--scenario %s%s --nth %llu --seed %llu", what->scenario->name,
             what->for_good ? " --for-good" : "", (unsigned long long)what->nth, (unsigned long long)what->seed);
    uint64_t before = allocator_live_count();
    struct fault_verdict verdict = fault_run_case(&injector, what, choice->program, choice->is_verbose);
    uint64_t after = allocator_live_count();
    /* The first case makes the images. */
    if (tally->cases != 0 && after != before)
        fault_fail(&(struct fault_bench){.program = choice->program, .what = *what},
                   "%lld blocks of memory were left behind", (long long)(after - before));
    *fired = verdict.fired;
    fault_tally_add(tally, verdict);
}

static struct fault_tally run_scenario(const struct choice *choice, const struct fault_scenario *scenario,
                                       bool for_good)
{
    struct fault_case what = {.scenario = scenario, .for_good = for_good, .seed = choice->seed};
    struct fault_tally tally = {0};
    bool fired = true;
    for (what.nth = choice->nth == 0 ? 1 : choice->nth; fired; what.nth++) {
        if (choice->nth == 0 && (what.nth + for_good) % choice->every != 0)
            continue;
        run_case(choice, &what, &tally, &fired);
        if (choice->nth != 0)
            break;
    }
    return tally;
}

static void parse(struct choice *choice, int argc, char **argv)
{
    *choice = (struct choice){.program = argv[0], .seed = 1, .every = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--for-good") == 0)
            choice->for_good = true;
        else if (strcmp(argv[i], "--verbose") == 0)
            choice->is_verbose = true;
        else if (strcmp(argv[i], "--scenario") == 0)
            choice->scenario = argv[++i];
        else if (strcmp(argv[i], "--nth") == 0)
            choice->nth = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--seed") == 0)
            choice->seed = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--every") == 0)
            choice->every = strtoull(value, NULL, 10), i++;
        else {
            fprintf(stderr, "fault_memory: unknown option %s (see the head of tests/fault/fault_memory.c)\n", argv[i]);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    struct choice choice;
    uint64_t cases = 0;
    parse(&choice, argc, argv);
    fault_tally_print_head("scenario", "allocation fails");
    for (size_t i = 0; i < fault_scenario_count; i++) {
        const struct fault_scenario *scenario = &fault_scenarios[i];
        if (choice.scenario != NULL && strcmp(choice.scenario, scenario->name) != 0)
            continue;
        for (int for_good = 0; for_good < 2; for_good++) {
            if (choice.nth != 0 && choice.for_good != (for_good != 0))
                continue;
            struct fault_tally tally = run_scenario(&choice, scenario, for_good != 0);
            printf("| %s | %s |", scenario->name, for_good ? "for good" : "once");
            fault_tally_print(&tally);
            cases += tally.cases;
        }
    }
    fault_free_images();
    printf("%llu cases, no broken promise\n", (unsigned long long)cases);
    return 0;
}
