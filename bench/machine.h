/* machine.h -- what a benchmark ran on. */
#ifndef KVS_BENCH_MACHINE_H
#define KVS_BENCH_MACHINE_H

#include "bench/engines/engine.h"
#include "bench/folder.h"

enum { MACHINE_TEXT_BYTES = 256 };

/* model, system  processor and kernel, as they call themselves
 * load           of the last minute, before the benchmark: over 0.5, others were at work */
struct machine {
    char model[MACHINE_TEXT_BYTES];
    char system[MACHINE_TEXT_BYTES];
    char file_system[MACHINE_TEXT_BYTES];
    int cores;
    double memory_gib;
    double load;
    double clock_cost_ns;
};

struct machine machine_describe(const char *folder);

/* What is known of an engine's library. */
struct peer {
    char version[ENGINE_TEXT_BYTES];
    char assertions[ENGINE_TEXT_BYTES];
    char path[FOLDER_PATH_BYTES];
};

void machine_describe_peer(struct peer *peer, const struct engine *engine);

#endif
