/* kvstore_sim -- the whole engine on a simulated disk, seed by seed. */

#include "sim.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
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
    "  --verbose        print every operation\n"
    "  --trace FILE     write every I/O call to FILE\n"
    "  --drop-sync N    the syncs of SYNC-N do nothing: a run that must fail\n"
    "  --shrink         the first seed fails: look for a shorter run that fails too\n";

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
    VERBOSE,
    TRACE,
    DROP_SYNC,
    SHRINK,
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
    {"verbose", no_argument, NULL, VERBOSE},
    {"trace", required_argument, NULL, TRACE},
    {"drop-sync", required_argument, NULL, DROP_SYNC},
    {"shrink", no_argument, NULL, SHRINK},
    {"help", no_argument, NULL, HELP},
    {0},
};

struct command {
    struct sim_config config;
    uint64_t seconds;
    bool shrink;
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

static void run_rounds(const struct command *command)
{
    const struct sim_config *config = &command->config;
    double begun_s = now_s(), elapsed_s = 0;
    uint64_t round = 0;
    for (; round < config->rounds && (command->seconds == 0 || elapsed_s < (double)command->seconds); round++) {
        sim_run_round(config, config->seed + round);
        elapsed_s = now_s() - begun_s;
    }
    printf("kvstore_sim: seeds %llu to %llu, %llu rounds in %.1f s, %.0f a second: all promises kept\n",
           (unsigned long long)config->seed, (unsigned long long)(config->seed + round - 1), (unsigned long long)round,
           elapsed_s, (double)round / elapsed_s);
}

/* ---- Shrinking ---- */

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

static int shrink(struct sim_config *config)
{
    config->verbose = false;
    config->trace = NULL;
    if (!fails(config)) {
        printf("kvstore_sim: seed %llu does not fail\n", (unsigned long long)config->seed);
        return 0;
    }
    shrink_flag(config, &config->no_readers);
    shrink_flag(config, &config->no_caretaker);
    shrink_flag(config, &config->no_faults);
    shrink_number(config, &config->generations, config->generations != 0 ? config->generations : 8);
    shrink_number(config, &config->writers, config->writers != 0 ? config->writers : SIM_WRITERS_MAX);
    shrink_number(config, &config->operations, config->operations != 0 ? config->operations : 50);
    sim_run_round(config, config->seed);
    return 1;
}

int main(int argc, char **argv)
{
    struct command command = {.config = {.seed = 1, .rounds = 100}};
    read_command(&command, argc, argv);
    if (command.shrink)
        return shrink(&command.config);
    run_rounds(&command);
    if (command.config.trace != NULL && fclose(command.config.trace) != 0) {
        perror("trace");
        return 2;
    }
    return 0;
}
