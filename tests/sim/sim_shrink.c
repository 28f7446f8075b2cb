#include "sim_shrink.h"

#include "sim.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPERATIONS_MAX = 16384, SECONDS_MAX = 60 };

struct operation {
    uint64_t generation, number;
    char user[8];
    bool is_left_out;
};

/* The operations of the failing run, shared with the processes that try it: recorded by the first, then chosen from; others are left out. */
struct plan {
    bool records, chooses;
    size_t count;
    struct operation operations[OPERATIONS_MAX];
};

static struct plan *plan;
static time_t deadline;

bool sim_shrink_skips(const struct sim_user *user, uint64_t operation)
{
    if (plan == NULL || (!plan->records && !plan->chooses))
        return false;
    if (plan->records) {
        if (plan->count < OPERATIONS_MAX) {
            struct operation *added = &plan->operations[plan->count++];
            *added = (struct operation){.generation = user->sim->generation, .number = operation};
            memcpy(added->user, user->name, sizeof added->user);
        }
        return false;
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct operation *known = &plan->operations[i];
        if (known->generation == user->sim->generation && known->number == operation &&
            strcmp(known->user, user->name) == 0)
            return known->is_left_out;
    }
    return true;
}

/* Whether a round of this kind fails, in a process of its own. */
static bool fails(const struct sim_config *config)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(0);
        sim_run_round(config, config->seed);
        _exit(0);
    }
    int state = 0;
    return child > 0 && waitpid(child, &state, 0) == child && state != 0;
}

/* Make *number as small as the failure allows, starting from most. */
static void shrink_number(struct sim_config *config, uint64_t *number, uint64_t most)
{
    for (uint64_t smaller = 1; smaller < most; smaller += smaller < 8 ? 1 : smaller / 4) {
        uint64_t before = *number;
        *number = smaller;
        if (fails(config))
            return;
        *number = before;
    }
}

static void shrink_flag(struct sim_config *config, bool *flag)
{
    bool before = *flag;
    *flag = true;
    if (!fails(config))
        *flag = before;
}

/* ---- Operations ---- */

static size_t count_left(void)
{
    size_t left = 0;
    for (size_t i = 0; i < plan->count; i++)
        left += !plan->operations[i].is_left_out;
    return left;
}

/* Try without the operations from one of those left on, size of them. Returns whether it still fails, and they stay out. */
static bool try_without(const struct sim_config *config, size_t first, size_t size)
{
    struct operation *taken[OPERATIONS_MAX];
    size_t count = 0, at = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct operation *operation = &plan->operations[i];
        if (operation->is_left_out)
            continue;
        if (at >= first && at < first + size) {
            operation->is_left_out = true;
            taken[count++] = operation;
        }
        at++;
    }
    if (count > 0 && fails(config))
        return true;
    while (count > 0)
        taken[--count]->is_left_out = false;
    return false;
}

/* Delta debugging: leave out halves, quarters and so on of what is left, down to single operations, until none can go. */
static void shrink_operations(const struct sim_config *config)
{
    size_t size = count_left() / 2;
    while (size > 0 && time(NULL) < deadline) {
        bool went = false;
        for (size_t first = 0; first < count_left() && time(NULL) < deadline;) {
            if (try_without(config, first, size))
                went = true;
            else
                first += size;
        }
        if (!went || size > count_left())
            size /= 2;
    }
}

/* From here on only the recorded operations are done. */
static void record_operations(const struct sim_config *config)
{
    plan->records = true;
    bool still_fails = fails(config);
    plan->records = false;
    plan->chooses = still_fails && plan->count > 0 && plan->count < OPERATIONS_MAX;
}

static void print_left(void)
{
    fprintf(stderr, "\n==== the failure made small: %zu of %zu operations; generation.user.number:", count_left(),
            plan->count);
    for (size_t i = 0; i < plan->count; i++) {
        const struct operation *operation = &plan->operations[i];
        if (!operation->is_left_out)
            fprintf(stderr, " %llu.%s.%llu", (unsigned long long)operation->generation, operation->user,
                    (unsigned long long)operation->number);
    }
    fprintf(stderr, " ====\n");
}

int sim_shrink(struct sim_config *config)
{
    config->verbose = false;
    config->trace = NULL;
    deadline = time(NULL) + SECONDS_MAX;
    if (!fails(config)) {
        printf("kvstore_sim: seed %llu does not fail\n", (unsigned long long)config->seed);
        return 0;
    }
    shrink_flag(config, &config->no_readers);
    shrink_flag(config, &config->no_caretaker);
    shrink_flag(config, &config->no_faults);
    shrink_number(config, &config->generations, config->generations != 0 ? config->generations : 8);
    shrink_number(config, &config->writers, config->writers != 0 ? config->writers : SIM_WRITERS_MAX);
    plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (plan == MAP_FAILED)
        plan = NULL;
    if (plan != NULL) {
        record_operations(config);
        if (plan->chooses)
            shrink_operations(config);
        print_left();
    }
    sim_run_round(config, config->seed);
    return 1;
}
