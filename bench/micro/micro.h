/* micro.h -- what a C file with micro-benchmarks hands to the C++ harness.
 *
 * Role      Google Benchmark decides how often an operation is repeated and does the statistics; a case is three C functions. Each room has one
 *           file, which defines an array micro_<room>[] of cases ended by one without a name; bench/micro/CMakeLists.txt lists the rooms.
 * Threads   One.
 * Failure   A case that cannot be set up ends the program (micro_support.h).
 */
#ifndef KVS_BENCH_MICRO_MICRO_H
#define KVS_BENCH_MICRO_MICRO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name      "room/operation"
 * bytes     that an operation handles, for a rate; 0 for none
 * setup     makes what run works on; called again before each measurement
 * run       does so many operations; their results must reach micro_use, so that no compiler leaves them out
 * teardown  frees it */
struct micro_case {
    const char *name;
    size_t bytes;
    void *(*setup)(void);
    void (*run)(void *state, uint64_t operations);
    void (*teardown)(void *state);
};

#ifdef __cplusplus
}
#endif

#endif
