/* sim_report.h -- what is said of a round: the last operations, kept in a ring, and the end of a failing one.
 *
 * Failure   sim_fail and deaths by signal print the seed, the last operations and the command line that repeats them; the exit status is not zero.
 */
#ifndef KVS_TESTS_SIM_SIM_REPORT_H
#define KVS_TESTS_SIM_SIM_REPORT_H

#include "kvstore.h"

struct sim;

enum { REPORT_LINES = 160, REPORT_LINE_BYTES = 160 };

struct sim_report {
    uint64_t count;
    char lines[REPORT_LINES][REPORT_LINE_BYTES];
};

/* Arm the report for a round, which must outlive it; NULL: none is running. A round that takes longer than the limit of seconds dies with a report. */
void sim_report_begin(struct sim *sim);

/* Keep a line; print it where the command line asks for it. */
__attribute__((format(printf, 2, 3))) void sim_note(struct sim *sim, const char *format, ...);

/* A promise is broken. */
__attribute__((format(printf, 2, 3), noreturn)) void sim_fail(struct sim *sim, const char *format, ...);

/* Receives the lines of the engine's log; context is the sim. */
void sim_engine_log(void *context, enum kvs_log_level level, const char *line);

#endif
