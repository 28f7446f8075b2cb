/* options.h -- what the user asked for.
 *
 * Role      Parses and checks the command line; what is left out has a default, which --help shows.
 * Failure   A bad flag ends the program with a line on stderr and status 64; --help, --list and --version end it with 0.
 */
#ifndef KVS_BENCH_OPTIONS_H
#define KVS_BENCH_OPTIONS_H

#include "bench/workload.h"

enum { OPTIONS_ENGINES_MAX = 8, OPTIONS_WORKLOADS_MAX = 64 };

/* selected engines and workloads come in the order of their tables. json, markdown: files, NULL for none */
struct options {
    uint64_t records;
    size_t key_bytes;
    size_t value_bytes;
    uint64_t memory_bytes;
    uint64_t seed;
    struct workload_size size;
    unsigned rounds;
    unsigned limit_s;
    bool compress;
    bool sync;
    const char *parent;
    const char *json;
    const char *markdown;
    const struct engine *engines[OPTIONS_ENGINES_MAX];
    size_t engine_count;
    const struct workload *workloads[OPTIONS_WORKLOADS_MAX];
    size_t workload_count;
};

void options_parse(struct options *options, int argc, char **argv);

#endif
