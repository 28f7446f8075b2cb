/* workload.h -- the workloads: what each does to a database, and the threads that do it.
 *
 * Role      One table of workloads and one function for each kind of operation, the same for all engines. Every value that is read is compared
 *           with what was written, and every scan with the number of records and their order.
 * Threads   workload_run starts the workers and waits for them; each has its own random numbers, histogram and share of the operations.
 * Failure   By failure_set; a worker that meets a failure, its own or another's, stops.
 */
#ifndef KVS_BENCH_WORKLOAD_H
#define KVS_BENCH_WORKLOAD_H

#include "bench/dataset.h"
#include "bench/engines/engine.h"
#include "bench/histogram.h"

/* The most threads that --threads may ask for, and that a workload which syncs has. */
enum { WORKLOAD_THREADS_MAX = 256, WORKLOAD_SYNC_THREADS_MAX = 8 };

/* Which of an engine's databases a workload works on. Each workload finds it as the one before in the table left it. */
enum workload_database { DATABASE_SEQUENTIAL, DATABASE_RANDOM, DATABASE_SYNC, DATABASE_COUNT };

enum workload_kind { WORKLOAD_FILL, WORKLOAD_READ };

struct worker;

/* name, meaning  for people
 * fresh          the database is made by the workload; otherwise the one before it is there, settled
 * sync           each put is on stable storage before it returns
 * threads        0: as many as the user asks for
 * divisor        operations are the number of records divided by this, 0 meaning 1 (with sync, what the user asks for on each thread)
 * generation     of the values that are written, or found
 * body           does one worker's share */
struct workload {
    const char *name;
    const char *meaning;
    enum workload_kind kind;
    enum workload_database database;
    bool fresh;
    bool sync;
    unsigned threads;
    unsigned divisor;
    unsigned generation;
    void (*body)(struct worker *worker);
};

extern const struct workload workloads[];
extern const size_t workload_count;

/* The workload of that name, or NULL. */
const struct workload *workload_find(struct kvs_slice name);

/* The workload that makes the database this one needs: itself if it is fresh. */
const struct workload *workload_origin(const struct workload *workload);

/* sync_operations  of each thread, for workloads that sync */
struct workload_size {
    uint64_t sync_operations;
    unsigned threads;
};

unsigned workload_threads(const struct workload *workload, const struct workload_size *size);
uint64_t workload_operations(const struct workload *workload, const struct dataset *dataset,
                             const struct workload_size *size);

/* The number of records in the workload's database when it is done. */
uint64_t workload_records(const struct workload *workload, const struct dataset *dataset,
                          const struct workload_size *size);

/* What the workers did.
 *
 * operations     done
 * elapsed_ns     from the start of the first operation to the end of the last
 * caller_cpu_ns  processor time of the workers themselves
 * latency        of each operation, or of a sample of them */
struct workload_result {
    uint64_t operations;
    uint64_t elapsed_ns;
    uint64_t caller_cpu_ns;
    struct histogram latency;
};

/* Run operations of a workload on an open database. result: out, unless something failed. */
bool workload_run(struct workload_result *result, const struct workload *workload, const struct engine *engine,
                  void *db, const struct dataset *dataset, uint64_t operations, unsigned threads);

/* Read the whole database once, forwards, and compare it with what the workload has written or found in it. */
bool workload_verify(const struct workload *workload, const struct engine *engine, void *db,
                     const struct dataset *dataset, uint64_t records);

#endif
