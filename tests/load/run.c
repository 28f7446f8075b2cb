#include "load/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

enum { EVENTS = 64, NEWEST_PLACES = 1 << 20 };

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static double in_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static enum run_outcome fail(const char *text)
{
    fprintf(stderr, "kvstore_load: %s: %s\n", text, strerror(errno));
    return RUN_FAILED;
}

/* ---- What a batch holds ---- */

static void fill_writes(struct run *run, struct link *link)
{
    const struct records *records = run->records;
    struct range range = backlog_take(run->backlog, run->options->pipeline);
    link->first = range.first;
    link->end = range.end;
    for (uint64_t place = range.first; place < range.end; place++) {
        uint64_t record = records_at(records, place);
        records_key(records, run->key, record);
        records_value(records, run->value, record);
        link_add_set(link, run->key, records->key_bytes, run->value, records->value_bytes);
    }
}

static uint64_t draw(struct run *run, uint64_t below)
{
    return records_mix(run->draws++ ^ records_mix(run->records->seed)) % below;
}

/* A place that was acknowledged: one half of them of the newest, which a crash would lose first. There must be one. */
static uint64_t draw_done(struct run *run)
{
    uint64_t next = run->backlog->next, newest = next < NEWEST_PLACES ? next : NEWEST_PLACES;
    for (;;) {
        uint64_t place = draw(run, 2) == 0 ? next - 1 - draw(run, newest) : draw(run, next);
        if (backlog_is_done(run->backlog, place))
            return place;
    }
}

static void add_present(struct run *run, struct link *link)
{
    const struct records *records = run->records;
    uint64_t record = records_at(records, draw_done(run));
    records_key(records, run->key, record);
    records_value(records, run->value, record);
    link_add_get(link, run->key, records->key_bytes, run->value, records->value_bytes);
}

/* A key that is never written, among the others; and where places were never taken, a record that is still to come. */
static void add_absent(struct run *run, struct link *link)
{
    const struct records *records = run->records;
    uint64_t next = run->backlog->next, untaken = run->backlog->count - next;
    if (untaken != 0 && draw(run, 2) == 0)
        records_key(records, run->key, records_at(records, next + draw(run, untaken)));
    else
        records_absent_key(records, run->key, draw(run, records->count));
    link_add_get(link, run->key, records->key_bytes, NULL, 0);
}

static void fill_reads(struct run *run, struct link *link)
{
    bool is_empty = backlog_left(run->backlog) == run->backlog->count;
    for (uint64_t i = 0; i < run->options->pipeline && run->reads < 2 * run->options->verify; i++, run->reads++) {
        if (run->reads % 2 == 0 && !is_empty)
            add_present(run, link);
        else
            add_absent(run, link);
    }
}

/* ---- The event loop ---- */

static bool watch(struct run *run, struct link *link, int operation)
{
    struct epoll_event event = {.events = link_is_sent(link) ? EPOLLIN : EPOLLIN | EPOLLOUT, .data.ptr = link};
    return epoll_ctl(run->epoll, operation, link->fd, &event) == 0;
}

static void count_batch(struct run *run, const struct link *link, uint64_t at_ns)
{
    latency_add(&run->latency, at_ns - link->begun_ns);
    run->commands += link->count;
    if (run->silence_ns < at_ns - run->answered_ns)
        run->silence_ns = at_ns - run->answered_ns;
    run->answered_ns = at_ns;
}

/* Begin the next batch. A link for which nothing is left is idle, with an empty one. */
static enum link_outcome begin_batch(struct run *run, struct link *link, uint64_t at_ns)
{
    link_clear(link);
    link->first = link->end = 0;
    if (run->options->verify != 0)
        fill_reads(run, link);
    else
        fill_writes(run, link);
    if (link->count == 0)
        return LINK_DONE;
    run->busy++;
    link->begun_ns = at_ns;
    return link_send(link);
}

static enum link_outcome handle_event(struct run *run, struct link *link, uint32_t events)
{
    enum link_outcome outcome = LINK_WAITING;
    bool was_sent = link_is_sent(link);
    if ((events & EPOLLOUT) != 0 && !was_sent)
        outcome = link_send(link);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && outcome == LINK_WAITING)
        outcome = link_receive(link);
    if (outcome == LINK_DONE) {
        uint64_t at_ns = now_ns();
        count_batch(run, link, at_ns);
        run->busy--;
        outcome = begin_batch(run, link, at_ns);
    }
    if (outcome != LINK_LOST && was_sent != link_is_sent(link) && !watch(run, link, EPOLL_CTL_MOD))
        return LINK_LOST;
    return outcome;
}

static void print_progress(struct run *run, uint64_t at_ns)
{
    if (at_ns - run->shown_ns < SECOND_NS)
        return;
    const struct latency *latency = &run->latency;
    double per_second = (double)(run->commands - run->shown_commands) * 1e9 / (double)(at_ns - run->shown_ns);
    if (run->slowest == 0 || run->slowest > per_second)
        run->slowest = per_second;
    printf("%6.0f s %11" PRIu64 " of %" PRIu64 " %9.0f/s  batches p50 %.2f p99 %.2f max %.2f ms\n",
           (double)(at_ns - run->begun_ns) / 1e9, run->commands, run->todo, per_second,
           in_ms(latency_quantile_ns(latency, 0.5)), in_ms(latency_quantile_ns(latency, 0.99)), in_ms(latency->max_ns));
    fflush(stdout);
    run->shown_ns = at_ns;
    run->shown_commands = run->commands;
}

static enum run_outcome loop(struct run *run)
{
    struct epoll_event events[EVENTS];
    while (run->busy != 0) {
        int count = epoll_wait(run->epoll, events, EVENTS, 1000);
        if (count < 0 && errno != EINTR)
            return fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            enum link_outcome outcome = handle_event(run, events[i].data.ptr, events[i].events);
            if (outcome == LINK_LOST || outcome == LINK_WRONG)
                return outcome == LINK_LOST ? RUN_LOST : RUN_WRONG;
        }
        uint64_t at_ns = now_ns();
        print_progress(run, at_ns);
        if (at_ns - run->begun_ns > run->options->limit_ns)
            return RUN_TIMED_OUT;
    }
    return RUN_DONE;
}

/* ---- Life ---- */

static enum run_outcome prepare(struct run *run)
{
    const struct records *records = run->records;
    const struct run_options *options = run->options;
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll < 0)
        return fail("epoll_create1");
    run->links = calloc(options->connections, sizeof *run->links);
    run->key = malloc(records->key_bytes);
    run->value = malloc(records->value_bytes + 1);
    if (run->links == NULL || run->key == NULL || run->value == NULL)
        return fail("no memory");
    for (uint64_t i = 0; i < options->connections; i++) {
        if (!link_open(&run->links[i], options->host, options->port, options->pipeline,
                       records->key_bytes + records->value_bytes))
            return RUN_LOST;
    }
    return RUN_DONE;
}

static enum run_outcome begin(struct run *run)
{
    run->todo = run->options->verify != 0 ? 2 * run->options->verify : backlog_left(run->backlog);
    run->begun_ns = run->shown_ns = run->answered_ns = now_ns();
    for (uint64_t i = 0; i < run->options->connections; i++) {
        struct link *link = &run->links[i];
        if (begin_batch(run, link, now_ns()) == LINK_LOST)
            return RUN_LOST;
        if (!watch(run, link, EPOLL_CTL_ADD))
            return fail("epoll_ctl");
    }
    return loop(run);
}

/* What was taken and not acknowledged goes back. */
static bool put_back(struct run *run)
{
    bool is_kept = true;
    for (uint64_t i = 0; run->links != NULL && i < run->options->connections; i++) {
        const struct link *link = &run->links[i];
        struct range rest = {link->first, link->end};
        if (rest.first != rest.end)
            rest.first += link_answered(link);
        is_kept = backlog_put_back(run->backlog, rest) && is_kept;
    }
    return is_kept;
}

enum run_outcome run_all(struct run *run)
{
    enum run_outcome outcome = prepare(run);
    if (outcome == RUN_DONE)
        outcome = begin(run);
    return put_back(run) ? outcome : RUN_FAILED;
}

void run_print_summary(const struct run *run)
{
    const struct latency *latency = &run->latency;
    double seconds = (double)(run->answered_ns - run->begun_ns) / 1e9;
    printf("summary commands=%" PRIu64 " seconds=%.3f per_second=%.0f p50_us=%" PRIu64 " p99_us=%" PRIu64
           " max_us=%" PRIu64 " silence_us=%" PRIu64 " slowest=%.0f left=%" PRIu64 "\n",
           run->commands, seconds, seconds > 0 ? (double)run->commands / seconds : 0,
           latency_quantile_ns(latency, 0.5) / 1000, latency_quantile_ns(latency, 0.99) / 1000, latency->max_ns / 1000,
           run->silence_ns / 1000, run->slowest, backlog_left(run->backlog));
}

void run_fini(struct run *run)
{
    for (uint64_t i = 0; run->links != NULL && i < run->options->connections; i++)
        link_close(&run->links[i]);
    free(run->links);
    free(run->key);
    free(run->value);
    if (run->epoll >= 0)
        close(run->epoll);
}
