/* fake_engine.h -- an engine that keeps nothing and makes up what it shows, rightly or with one fault.
 *
 * Role      Shows that the workloads notice an engine that is wrong: a benchmark that measures wrong answers is worth nothing.
 */
#ifndef KVS_BENCH_TESTS_FAKE_ENGINE_H
#define KVS_BENCH_TESTS_FAKE_ENGINE_H

#include "bench/dataset.h"
#include "bench/engines/engine.h"

enum fake_fault {
    FAKE_NONE,
    FAKE_WRONG_VALUE, /* of one record in a hundred */
    FAKE_OLD_VALUE,   /* that of the generation before, for one record in a hundred */
    FAKE_MISSING,     /* one record in a hundred is not found, nor scanned */
    FAKE_FOUND,       /* what was never written is found */
    FAKE_ONE_MORE,    /* a scan shows the last record twice */
    FAKE_PUT_FAILS,
    FAKE_ABORTS,        /* kills its process in a put or get */
    FAKE_HANGS,         /* in a put or get */
    FAKE_NEVER_SETTLES, /* and so must be killed */
};

/* Set before a run. dataset is borrowed; records is how many the database has; generation of all its values. */
struct fake {
    enum fake_fault fault;
    const struct dataset *dataset;
    uint64_t records;
    unsigned generation;
};

extern struct fake fake;
extern const struct engine fake_engine;

#endif
