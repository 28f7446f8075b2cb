/* metric.h -- everything that is measured in a run, declared once: name in JSON, heading in the table, decimals, meaning.
 *
 * Role      The table yields the report's fields, the columns, the JSON keys and the list that --help shows.
 */
#ifndef KVS_BENCH_METRIC_H
#define KVS_BENCH_METRIC_H

#include <stddef.h>

/* X(constant, JSON key, heading or NULL for JSON only, decimals, meaning) */
#define METRICS(X)                                                                                                  \
    X(OPERATIONS, "operations", NULL, 0, "operations done")                                                         \
    X(SECONDS, "seconds", NULL, 3, "time of the workload, without settling")                                        \
    X(OPS, "ops_per_s", "ops/s", 0, "operations per second")                                                        \
    X(OPS_SETTLED, "ops_per_s_settled", "with settling", 0, "operations per second, the time of settling included") \
    X(CPU, "cpu_us_per_op", "CPU us/op", 2, "processor time of all threads per operation")                          \
    X(CPU_SETTLED, "cpu_us_per_op_settled", "with settling", 2, "the same, with what settling took")                \
    X(CPU_CALLER, "caller_cpu_us_per_op", NULL, 2, "processor time of the calling threads alone, per operation")    \
    X(P50, "p50_us", "p50 us", 1, "latency that half of the operations do not pass")                                \
    X(P99, "p99_us", "p99 us", 1, "latency that 99 % do not pass")                                                  \
    X(P999, "p999_us", "p99.9 us", 1, "latency that 99.9 % do not pass")                                            \
    X(MAX, "max_us", "max us", 0, "the longest latency that was timed")                                             \
    X(SETTLE, "settle_s", "settle s", 2, "time until all was flushed and compaction had nothing to do")             \
    X(WRITE_AMP, "write_amplification", "write amp", 2, "bytes given to write calls per byte of keys and values")   \
    X(WRITE_AMP_DIRTIED, "write_amplification_dirtied", NULL, 2,                                                    \
      "bytes of page cache made dirty per byte of keys and values")                                                 \
    X(WRITE_AMP_ENGINE, "write_amplification_engine", NULL, 2, "the same by the engine's own statistics")           \
    X(SPACE_AMP, "space_amplification", "space amp", 2,                                                             \
      "disk space per byte of live keys and values, uncompressed, after settling")                                  \
    X(DISK_MIB, "disk_mib", NULL, 1, "disk space after settling")                                                   \
    X(PEAK_MIB, "peak_rss_mib", "peak MiB", 0, "most memory resident at a time, mapped files included")

#define METRIC_CONSTANT(constant, key, heading, decimals, meaning) METRIC_##constant,
enum metric { METRICS(METRIC_CONSTANT) METRIC_COUNT };
#undef METRIC_CONSTANT

struct metric_text {
    const char *key;
    const char *heading;
    int decimals;
    const char *meaning;
};

extern const struct metric_text metric_texts[METRIC_COUNT];

/* What one run measured; NaN where a metric does not apply. */
struct report {
    double values[METRIC_COUNT];
};

/* A report without any value. */
struct report report_empty(void);

/* Median, least and greatest of the values that are not NaN; all NaN if there is none. */
struct spread {
    double median;
    double min;
    double max;
};

struct spread report_spread(const struct report *reports, size_t count, enum metric metric);

enum { METRIC_NUMBER_BYTES = 40 };

/* Write a number with commas between thousands; "-" for NaN. text: out, METRIC_NUMBER_BYTES. */
void metric_format(char *text, double value, int decimals);

#endif
