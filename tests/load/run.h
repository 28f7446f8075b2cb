/* run.h -- many connections kept busy by one thread, until the work is done or cannot go on.
 *
 * Role      The event loop of kvstore_load, with its figures: a line each second on stdout, and a summary.
 * Threads   One. Durations are from the monotonic clock.
 * Failure   Said on stderr, and in the outcome.
 */
#ifndef KVS_LOAD_RUN_H
#define KVS_LOAD_RUN_H

#include "load/backlog.h"
#include "load/latency.h"
#include "load/link.h"
#include "load/records.h"

/* Exit statuses of kvstore_load. */
enum run_outcome { RUN_DONE = 0, RUN_FAILED = 1, RUN_WRONG = 2, RUN_LOST = 3, RUN_TIMED_OUT = 4 };

/* host, port, connections, pipeline   whom to talk to, on how many connections, with how many commands in flight on each
 * verify     0: write all records; else read this many that were acknowledged, and as many keys that are absent
 * limit_ns   give up after this time */
struct run_options {
    const char *host, *port;
    uint64_t connections, pipeline;
    uint64_t verify;
    uint64_t limit_ns;
};

/* What one run has and counts. Zeroed but for options, records and backlog, which the caller owns.
 *
 * draws          the state of the random choice of what is read
 * reads          commands of a verification that were taken so far
 * busy           links with a batch in flight
 * begun_ns, shown_ns, answered_ns   when the run began, when a line was last printed, when the last batch was answered
 * silence_ns     the longest time in which no batch was answered
 * todo           commands of the whole run
 * commands, shown_commands   answered, and of these when the last line was printed
 * slowest        the fewest commands a second that a line of progress showed; 0: there was none yet */
struct run {
    const struct run_options *options;
    const struct records *records;
    struct backlog *backlog;
    int epoll;
    struct link *links;
    char *key, *value;
    uint64_t draws, reads, busy;
    uint64_t begun_ns, shown_ns, answered_ns, silence_ns;
    uint64_t todo, commands, shown_commands;
    double slowest;
    struct latency latency;
};

/* Do all the work. The backlog holds afterwards what was not acknowledged, whatever the outcome. Free with run_fini in any case. */
enum run_outcome run_all(struct run *run);

/* Print the figures, as words NAME=VALUE on one line. */
void run_print_summary(const struct run *run);

void run_fini(struct run *run);

#endif
