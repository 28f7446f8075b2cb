/* kvstore_sim -- the whole engine on a simulated disk, seed by seed. */

#include "sim.h"
#include "sim_exhaust.h"
#include "sim_shrink.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: kvstore_sim [options]\n"
    "Runs the engine on a simulated disk that loses power, fails and fills up, and checks that nothing acknowledged is lost.\n"
    "  --seed N         the first seed (1); each round takes the next one\n"
    "  --rounds N       how many rounds (100)\n"
    "  --seconds N      stop after so many seconds, whatever --rounds says\n"
    "  --ops N          operations of each writer in a generation, at most (0: the seed decides)\n"
    "  --generations N  crashes and reopens, at most\n"
    "  --writers N      writers, at most\n"
    "  --no-readers, --no-caretaker, --no-faults   leave these out\n"
    "  --full-disks     the disk is full most of the time in every round, not in one of four\n"
    "  --verbose        print every operation\n"
    "  --trace FILE     write every I/O call to FILE\n"
    "  --drop-sync N    the syncs of SYNC-N do nothing: a run that must fail\n"
    "  --shrink         the first seed fails: look for a shorter run that fails too, and print it\n"
    "  --no-shrink      do not do so by itself after a failure\n"
    "  --exhaustive N   instead of rounds: every workload of up to N operations, every crash point, every subset of what was not synced\n"
    "  --crash-again    with it: a second crash at each call of each recovery\n"
    "  --jobs N         so many processes, 1 to 64 (1)\n";

enum { JOBS_MAX = 64 };

enum option_number {
    SEED = 1,
    ROUNDS,
    SECONDS,
    OPERATIONS,
    GENERATIONS,
    WRITERS,
    NO_READERS,
    NO_CARETAKER,
    NO_FAULTS,
    FULL_DISKS,
    VERBOSE,
    TRACE,
    DROP_SYNC,
    SHRINK,
    NO_SHRINK,
    JOBS,
    EXHAUSTIVE,
    CRASH_AGAIN,
    HELP
};

static const struct option options[] = {
    {"seed", required_argument, NULL, SEED},
    {"rounds", required_argument, NULL, ROUNDS},
    {"seconds", required_argument, NULL, SECONDS},
    {"ops", required_argument, NULL, OPERATIONS},
    {"generations", required_argument, NULL, GENERATIONS},
    {"writers", required_argument, NULL, WRITERS},
    {"no-readers", no_argument, NULL, NO_READERS},
    {"no-caretaker", no_argument, NULL, NO_CARETAKER},
    {"no-faults", no_argument, NULL, NO_FAULTS},
    {"full-disks", no_argument, NULL, FULL_DISKS},
    {"verbose", no_argument, NULL, VERBOSE},
    {"trace", required_argument, NULL, TRACE},
    {"drop-sync", required_argument, NULL, DROP_SYNC},
    {"shrink", no_argument, NULL, SHRINK},
    {"no-shrink", no_argument, NULL, NO_SHRINK},
    {"jobs", required_argument, NULL, JOBS},
    {"exhaustive", required_argument, NULL, EXHAUSTIVE},
    {"crash-again", no_argument, NULL, CRASH_AGAIN},
    {"help", no_argument, NULL, HELP},
    {0},
};

struct command {
    struct sim_config config;
    uint64_t seconds;
    uint64_t jobs, exhaustive;
    bool shrink, no_shrink, crash_again;
};

static uint64_t number_of(const char *text)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "kvstore_sim: %s is not a number\n", text);
        exit(2);
    }
    return number;
}

static uint64_t number_up_to(const char *text, const char *option, uint64_t most)
{
    uint64_t number = number_of(text);
    if (number < 1 || number > most) {
        fprintf(stderr, "kvstore_sim: %s is 1 to %llu\n", option, (unsigned long long)most);
        exit(2);
    }
    return number;
}

static FILE *open_trace(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    return file;
}

static void read_command(struct command *command, int argc, char **argv)
{
    struct sim_config *config = &command->config;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case SEED:
            config->seed = number_of(optarg);
            break;
        case ROUNDS:
            config->rounds = number_of(optarg);
            break;
        case SECONDS:
            command->seconds = number_of(optarg);
            break;
        case OPERATIONS:
            config->operations = number_of(optarg);
            break;
        case GENERATIONS:
            config->generations = number_of(optarg);
            break;
        case WRITERS:
            config->writers = number_of(optarg);
            break;
        case NO_READERS:
            config->no_readers = true;
            break;
        case NO_CARETAKER:
            config->no_caretaker = true;
            break;
        case NO_FAULTS:
            config->no_faults = true;
            break;
        case FULL_DISKS:
            config->full_disks = true;
            break;
        case VERBOSE:
            config->verbose = true;
            break;
        case TRACE:
            config->trace = open_trace(optarg);
            break;
        case DROP_SYNC:
            config->drop_sync = number_of(optarg);
            break;
        case SHRINK:
            command->shrink = true;
            break;
        case EXHAUSTIVE:
            command->exhaustive = number_up_to(optarg, "--exhaustive", 4);
            break;
        case CRASH_AGAIN:
            command->crash_again = true;
            break;
        case NO_SHRINK:
            command->no_shrink = true;
            break;
        case JOBS:
            command->jobs = number_up_to(optarg, "--jobs", JOBS_MAX);
            break;
        case HELP:
            fputs(help, stdout);
            exit(0);
        default:
            fputs(help, stderr);
            exit(2);
        }
    }
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Rounds ---- */

/* Shared with the workers. */
struct progress {
    uint64_t seed;   /* of the round under way */
    uint64_t rounds; /* done */
};

/* Every so many rounds from the first on. */
static void run_rounds(const struct command *command, struct progress *progress, uint64_t first)
{
    const struct sim_config *config = &command->config;
    double begun_s = now_s();
    for (uint64_t round = first; round < config->rounds; round += command->jobs) {
        if (command->seconds != 0 && now_s() - begun_s >= (double)command->seconds)
            break;
        progress->seed = config->seed + round;
        sim_run_round(config, progress->seed);
        progress->rounds++;
    }
}

static void *share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return memory;
}

/* Wait for the workers; at the first failure end the others. Returns the number of the one that failed, -1 if none. */
static int await_workers(const pid_t *workers, uint64_t count)
{
    int failed = -1;
    for (uint64_t left = count; left > 0; left--) {
        int state = 0;
        pid_t ended = wait(&state);
        for (uint64_t i = 0; i < count && state != 0 && failed < 0; i++) {
            if (workers[i] == ended)
                failed = (int)i;
        }
        for (uint64_t i = 0; i < count && state != 0; i++) {
            if (workers[i] != ended)
                kill(workers[i], SIGKILL);
        }
    }
    return failed;
}

/* Run the rounds in processes of their own, so that what fails can be made smaller. */
static int run_jobs(struct command *command)
{
    struct progress *progress = share(JOBS_MAX * sizeof *progress);
    pid_t workers[JOBS_MAX];
    double begun_s = now_s();
    for (uint64_t i = 0; i < command->jobs; i++) {
        workers[i] = fork();
        if (workers[i] < 0) {
            perror("fork");
            exit(2);
        }
        if (workers[i] == 0) {
            run_rounds(command, &progress[i], i);
            exit(0);
        }
    }
    int failed = await_workers(workers, command->jobs);
    if (failed >= 0) {
        command->config.seed = progress[failed].seed;
        return command->no_shrink ? 1 : sim_shrink(&command->config);
    }
    uint64_t rounds = 0;
    for (uint64_t i = 0; i < command->jobs; i++)
        rounds += progress[i].rounds;
    double elapsed_s = now_s() - begun_s;
    printf("kvstore_sim: %llu rounds from seed %llu on in %.1f s, %.0f a second: all promises kept\n",
           (unsigned long long)rounds, (unsigned long long)command->config.seed, elapsed_s, (double)rounds / elapsed_s);
    return 0;
}

int main(int argc, char **argv)
{
    struct command command = {.config = {.seed = 1, .rounds = 100}, .jobs = 1};
    struct progress progress = {0};
    read_command(&command, argc, argv);
    if (command.exhaustive != 0) {
        sim_exhaust(command.exhaustive, command.config.drop_sync, command.crash_again);
        return 0;
    }
    if (command.shrink)
        return sim_shrink(&command.config);
    if (!command.config.verbose && command.config.trace == NULL)
        return run_jobs(&command);
    command.jobs = 1;
    run_rounds(&command, &progress, 0);
    if (command.config.trace != NULL && fclose(command.config.trace) != 0) {
        perror("trace");
        return 2;
    }
    return 0;
}
