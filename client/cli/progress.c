#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DRAW_EVERY_MS = 100, BAR_WIDTH = 24 };

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void progress_start(struct progress *progress, const char *verb, uint64_t total_bytes)
{
    *progress = (struct progress){
        .verb = verb, .total_bytes = total_bytes, .started_ms = now_ms(), .is_terminal = isatty(STDERR_FILENO) == 1};
    progress->shown_ms = progress->started_ms;
}

static double seconds_since(const struct progress *progress, int64_t now)
{
    return (double)(now - progress->started_ms) / 1000;
}

/* " [######......]  25%  ETA 0:12" */
static void draw_bar(const struct progress *progress, double seconds)
{
    double part = progress->bytes < progress->total_bytes ? (double)progress->bytes / (double)progress->total_bytes : 1;
    char bar[BAR_WIDTH + 1];
    size_t full = (size_t)(part * BAR_WIDTH);
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', full);
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, " [%s] %3.0f%%", bar, part * 100);
    if (part > 0) {
        uint64_t rest = (uint64_t)(seconds / part - seconds + 0.5);
        fprintf(stderr, " ETA %llu:%02llu", (unsigned long long)rest / 60, (unsigned long long)rest % 60);
    }
}

static void draw(const struct progress *progress, int64_t now)
{
    double seconds = seconds_since(progress, now);
    double rate = seconds > 0 ? (double)progress->records / seconds : 0;
    fprintf(stderr, "\r\033[K%llu records, %.1f MB, %.0f/s", (unsigned long long)progress->records,
            (double)progress->bytes / 1e6, rate);
    if (progress->errors > 0)
        fprintf(stderr, ", %llu errors", (unsigned long long)progress->errors);
    if (progress->total_bytes > 0)
        draw_bar(progress, seconds);
}

void progress_add(struct progress *progress, uint64_t bytes)
{
    progress->records++;
    progress->bytes += bytes;
    /* The clock is looked at once in a while only. */
    if (!progress->is_terminal || progress->records % 64 != 0)
        return;
    int64_t now = now_ms();
    if (now - progress->shown_ms < DRAW_EVERY_MS)
        return;
    progress->shown_ms = now;
    draw(progress, now);
}

void progress_clear(struct progress *progress)
{
    if (progress->is_terminal)
        fprintf(stderr, "\r\033[K");
}

void progress_finish(struct progress *progress)
{
    double seconds = seconds_since(progress, now_ms());
    uint64_t good = progress->records - progress->errors;
    progress_clear(progress);
    fprintf(stderr, "%s %llu records, %.1f MB in %.1f s (%.0f/s)", progress->verb, (unsigned long long)good,
            (double)progress->bytes / 1e6, seconds, seconds > 0 ? (double)progress->records / seconds : 0);
    if (progress->errors > 0)
        fprintf(stderr, ", %llu errors", (unsigned long long)progress->errors);
    fprintf(stderr, "\n");
}
