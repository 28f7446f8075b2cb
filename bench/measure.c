#include "bench/measure.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SECOND_NS = 1000000000, REST_STEP_MS = 10, REST_STEPS = 10, REST_CPU_US = 500 };

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

uint64_t measure_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t measure_thread_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* The number behind a name in a file of /proc, such as "wchar:"; NaN where there is none. */
static double proc_number(const char *path, const char *name)
{
    double number = NAN;
    char line[256];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return number;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtod(line + strlen(name), NULL);
    }
    fclose(file);
    return number;
}

struct usage measure_usage(void)
{
    return (struct usage){
        .now_ns = measure_now_ns(),
        .cpu_s = (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / SECOND_NS,
        .written_bytes = proc_number("/proc/self/io", "wchar:"),
        .dirtied_bytes = proc_number("/proc/self/io", "write_bytes:"),
    };
}

void measure_peak_reset(void)
{
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    if (write(file, "5", 1) != 1)
        fprintf(stderr, "bench: the peak of resident memory counts from the start of the process\n");
    close(file);
}

double measure_peak_bytes(void)
{
    return proc_number("/proc/self/status", "VmHWM:") * 1024;
}

double measure_clock_cost_ns(void)
{
    enum { READS = 200000 };
    uint64_t start = measure_now_ns();
    uint64_t end = start;
    for (int i = 0; i < READS; i++)
        end = measure_now_ns();
    return (double)(end - start) / READS;
}

/* Whether a thread is running, or waits for a disk. */
static bool thread_is_busy(const char *thread)
{
    char path[300], line[512];
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", thread);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false; /* it has ended */
    bool busy = false;
    if (fgets(line, sizeof line, file) != NULL) {
        /* The name before the state may hold anything, but nothing after it holds a bracket. */
        const char *state = strrchr(line, ')');
        busy = state != NULL && (state[2] == 'R' || state[2] == 'D');
    }
    fclose(file);
    return busy;
}

static bool other_threads_are_busy(void)
{
    bool busy = false;
    char own[32];
    snprintf(own, sizeof own, "%ld", syscall(SYS_gettid));
    DIR *folder = opendir("/proc/self/task");
    if (folder == NULL)
        return false;
    struct dirent *entry;
    while (!busy && (entry = readdir(folder)) != NULL)
        busy = entry->d_name[0] != '.' && strcmp(entry->d_name, own) != 0 && thread_is_busy(entry->d_name);
    closedir(folder);
    return busy;
}

/* Processor time of all threads but this one. */
static int64_t others_cpu_ns(void)
{
    return (int64_t)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - measure_thread_cpu_ns());
}

bool measure_wait_for_rest(struct usage *since, bool (*is_settled)(void *context), void *context, double limit_s)
{
    struct usage rest = measure_usage();
    uint64_t start_ns = rest.now_ns;
    int64_t cpu_ns = others_cpu_ns();
    for (int quiet = 0; quiet < REST_STEPS; quiet++) {
        nanosleep(&(struct timespec){.tv_nsec = REST_STEP_MS * 1000000}, NULL);
        int64_t cpu_now_ns = others_cpu_ns();
        bool busy = cpu_now_ns - cpu_ns > REST_CPU_US * 1000 || other_threads_are_busy() || !is_settled(context);
        cpu_ns = cpu_now_ns;
        if (!busy)
            continue;
        quiet = -1;
        rest = measure_usage();
        if ((double)(rest.now_ns - start_ns) > limit_s * SECOND_NS)
            return false;
    }
    *since = rest;
    return true;
}
