#include "bench/workload.h"
#include "bench/failure.h"
#include "bench/measure.h"

#include <pthread.h>
#include <stdlib.h>

enum { NEXTS_AFTER_SEEK = 10, READ_SAMPLE = 16 };

/* Salts of the orders and of the random choices. */
enum { SALT_FILL = 1, SALT_OVERWRITE = 2, SALT_READ = 3 };

/* begin, end  the worker's share of the operations
 * last_ns     when the operation before ended: with one look at the clock for each, the next begins where the last ends
 * end_ns      when the last one ended */
struct worker {
    const struct workload *workload;
    const struct engine *engine;
    void *db;
    const struct dataset *dataset;
    pthread_barrier_t *start;
    uint64_t begin;
    uint64_t end;
    uint64_t done;
    uint64_t begin_ns;
    uint64_t last_ns;
    uint64_t end_ns;
    uint64_t cpu_ns;
    struct random random;
    struct histogram *latency;
    char key[DATASET_KEY_BYTES_MAX + 1];
};

/* End an operation of a kind of which each is timed. */
static void end_timed(struct worker *worker)
{
    uint64_t now_ns = measure_now_ns();
    histogram_add(worker->latency, now_ns - worker->last_ns);
    worker->last_ns = now_ns;
    worker->done++;
}

/* Around an operation that may be cheaper than the clock: one of so many is timed, start_ns is 0 for the others. */
static uint64_t begin_sampled(const struct worker *worker)
{
    return worker->done % READ_SAMPLE == 0 ? measure_now_ns() : 0;
}

static void end_sampled(struct worker *worker, uint64_t start_ns)
{
    if (start_ns != 0)
        histogram_add(worker->latency, measure_now_ns() - start_ns);
    worker->done++;
}

static bool check_value(const struct worker *worker, struct kvs_slice value, uint64_t index)
{
    if (slice_equal(value, dataset_value(worker->dataset, index, worker->workload->generation)))
        return true;
    failure_set("%s: %s gave a wrong value of %zu bytes for key %llu", worker->workload->name, worker->engine->name,
                value.size, (unsigned long long)index);
    return false;
}

static bool check_entry(struct worker *worker, const struct engine_entry *entry, uint64_t index)
{
    if (!slice_equal(entry->key, dataset_key(worker->dataset, worker->key, index))) {
        failure_set("%s: %s stands on another key than %llu", worker->workload->name, worker->engine->name,
                    (unsigned long long)index);
        return false;
    }
    return check_value(worker, entry->value, index);
}

static bool put_record(struct worker *worker, uint64_t index)
{
    const struct dataset *dataset = worker->dataset;
    struct kvs_slice key = dataset_key(dataset, worker->key, index);
    return worker->engine->put(worker->db, key, dataset_value(dataset, index, worker->workload->generation));
}

static void fill_in_order(struct worker *worker)
{
    for (uint64_t i = worker->begin; i < worker->end && !failure_is_set(); i++) {
        if (!put_record(worker, i))
            return;
        end_timed(worker);
    }
}

static void fill_permuted(struct worker *worker, uint64_t count, uint64_t salt)
{
    struct permutation order = permutation_of(count, worker->dataset->seed + salt);
    for (uint64_t i = worker->begin; i < worker->end && !failure_is_set(); i++) {
        if (!put_record(worker, permutation_at(&order, i)))
            return;
        end_timed(worker);
    }
}

static void fill_random(struct worker *worker)
{
    fill_permuted(worker, worker->dataset->count, SALT_FILL);
}

static void overwrite_random(struct worker *worker)
{
    fill_permuted(worker, worker->dataset->count, SALT_OVERWRITE);
}

static void read_random(struct worker *worker)
{
    const struct engine *engine = worker->engine;
    for (uint64_t i = worker->begin; i < worker->end && !failure_is_set(); i++) {
        uint64_t index = random_below(&worker->random, worker->dataset->count);
        struct engine_value value;
        uint64_t start_ns = begin_sampled(worker);
        enum engine_found found = engine->get(worker->db, &value, dataset_key(worker->dataset, worker->key, index));
        if (found != ENGINE_FOUND) {
            failure_set("readrandom: %s has no key %llu", engine->name, (unsigned long long)index);
            return;
        }
        bool right = check_value(worker, value.bytes, index);
        engine->value_release(&value);
        if (!right)
            return;
        end_sampled(worker, start_ns);
    }
}

static void read_missing(struct worker *worker)
{
    for (uint64_t i = worker->begin; i < worker->end && !failure_is_set(); i++) {
        uint64_t index = random_below(&worker->random, worker->dataset->count);
        struct engine_value value;
        uint64_t start_ns = begin_sampled(worker);
        struct kvs_slice key = dataset_missing_key(worker->dataset, worker->key, index);
        if (worker->engine->get(worker->db, &value, key) != ENGINE_ABSENT) {
            failure_set("readmissing: %s found a key that was never written", worker->engine->name);
            return;
        }
        end_sampled(worker, start_ns);
    }
}

static bool scan_step(struct worker *worker, void *cursor, struct engine_entry *entry,
                      bool (*step)(void *cursor, struct engine_entry *entry))
{
    uint64_t start_ns = begin_sampled(worker);
    bool valid = step(cursor, entry);
    end_sampled(worker, start_ns);
    return valid;
}

/* All records from one end to the other, count of them, the first at index first and on by stride. */
static void scan_all(struct worker *worker, void *cursor, uint64_t count, uint64_t first, uint64_t stride)
{
    const struct engine *engine = worker->engine;
    bool forwards = stride == 1;
    struct engine_entry entry;
    uint64_t seen = 0;
    bool valid = forwards ? engine->cursor_first(cursor, &entry) : engine->cursor_last(cursor, &entry);
    while (valid && seen < count && !failure_is_set()) {
        if (!check_entry(worker, &entry, first + seen * stride))
            return;
        seen++;
        valid = scan_step(worker, cursor, &entry, forwards ? engine->cursor_next : engine->cursor_prev);
    }
    if (valid || seen != count)
        failure_set("%s: %s showed %s than %llu records", worker->workload->name, engine->name,
                    valid ? "more" : "fewer", (unsigned long long)count);
}

/* Each worker scans the whole database, whatever its share. */
static void scan(struct worker *worker, uint64_t count, bool forwards)
{
    void *cursor;
    if (!worker->engine->cursor_new(&cursor, worker->db))
        return;
    if (forwards)
        scan_all(worker, cursor, count, 0, 1);
    else
        scan_all(worker, cursor, count, count - 1, UINT64_MAX);
    worker->engine->cursor_free(cursor);
}

static void read_sequential(struct worker *worker)
{
    scan(worker, worker->dataset->count, true);
}

static void read_reverse(struct worker *worker)
{
    scan(worker, worker->dataset->count, false);
}

/* One seek to a record and the steps after it, to the end of the database at most. */
static bool seek_and_step(struct worker *worker, void *cursor, uint64_t index)
{
    const struct engine *engine = worker->engine;
    struct engine_entry entry;
    bool valid = engine->cursor_seek(cursor, &entry, dataset_key(worker->dataset, worker->key, index));
    for (uint64_t i = index; i <= index + NEXTS_AFTER_SEEK; i++) {
        if (valid != (i < worker->dataset->count)) {
            failure_set("seekrandom: %s ends at the wrong record", engine->name);
            return false;
        }
        if (!valid)
            return true;
        if (!check_entry(worker, &entry, i))
            return false;
        if (i < index + NEXTS_AFTER_SEEK)
            valid = engine->cursor_next(cursor, &entry);
    }
    return true;
}

static void seek_random(struct worker *worker)
{
    for (uint64_t i = worker->begin; i < worker->end && !failure_is_set(); i++) {
        void *cursor;
        if (!worker->engine->cursor_new(&cursor, worker->db))
            return;
        bool right = seek_and_step(worker, cursor, random_below(&worker->random, worker->dataset->count));
        if (!worker->engine->cursor_free(cursor) || !right)
            return;
        end_timed(worker);
    }
}

const struct workload workloads[] = {
    {
        .name = "fillseq",
        .meaning = "puts of all records in order of their keys, into an empty database",
        .kind = WORKLOAD_FILL,
        .database = DATABASE_SEQUENTIAL,
        .fresh = true,
        .body = fill_in_order,
    },
    {
        .name = "fillrandom",
        .meaning = "puts of all records in random order, each once, into an empty database",
        .kind = WORKLOAD_FILL,
        .database = DATABASE_RANDOM,
        .fresh = true,
        .body = fill_random,
    },
    {
        .name = "readrandom",
        .meaning = "gets of random records of fillrandom's database",
        .kind = WORKLOAD_READ,
        .database = DATABASE_RANDOM,
        .body = read_random,
    },
    {
        .name = "readmissing",
        .meaning = "gets of keys that lie between those of fillrandom's database",
        .kind = WORKLOAD_READ,
        .database = DATABASE_RANDOM,
        .body = read_missing,
    },
    {
        .name = "readseq",
        .meaning = "one scan over fillrandom's database, forwards; an operation is a step",
        .kind = WORKLOAD_READ,
        .database = DATABASE_RANDOM,
        .body = read_sequential,
    },
    {
        .name = "readreverse",
        .meaning = "one scan backwards",
        .kind = WORKLOAD_READ,
        .database = DATABASE_RANDOM,
        .body = read_reverse,
    },
    {
        .name = "seekrandom",
        .meaning = "a new iterator, a seek to a random record of fillrandom's database, and ten steps on",
        .kind = WORKLOAD_READ,
        .database = DATABASE_RANDOM,
        .divisor = 8,
        .body = seek_random,
    },
    {
        .name = "overwrite",
        .meaning = "puts of new values for all records of fillrandom's database, in another random order",
        .kind = WORKLOAD_FILL,
        .database = DATABASE_RANDOM,
        .generation = 1,
        .body = overwrite_random,
    },
    {
        .name = "fillsync",
        .meaning = "puts in order, each synced, one thread, into an empty database",
        .kind = WORKLOAD_FILL,
        .database = DATABASE_SYNC,
        .fresh = true,
        .sync = true,
        .threads = 1,
        .body = fill_in_order,
    },
    {
        .name = "fillsync8",
        .meaning = "the same from eight threads, each its own range",
        .kind = WORKLOAD_FILL,
        .database = DATABASE_SYNC,
        .fresh = true,
        .sync = true,
        .threads = WORKLOAD_SYNC_THREADS_MAX,
        .body = fill_in_order,
    },
};
const size_t workload_count = sizeof workloads / sizeof workloads[0];

const struct workload *workload_find(struct kvs_slice name)
{
    for (size_t i = 0; i < workload_count; i++) {
        if (slice_equal(name, slice_of_text(workloads[i].name)))
            return &workloads[i];
    }
    return NULL;
}

const struct workload *workload_origin(const struct workload *workload)
{
    while (!workload->fresh)
        workload--;
    return workload;
}

unsigned workload_threads(const struct workload *workload, const struct workload_size *size)
{
    return workload->threads != 0 ? workload->threads : size->threads;
}

uint64_t workload_operations(const struct workload *workload, const struct dataset *dataset,
                             const struct workload_size *size)
{
    if (workload->sync)
        return size->sync_operations * workload_threads(workload, size);
    uint64_t operations = dataset->count / (workload->divisor != 0 ? workload->divisor : 1);
    return operations != 0 ? operations : 1;
}

uint64_t workload_records(const struct workload *workload, const struct dataset *dataset,
                          const struct workload_size *size)
{
    return workload->sync ? workload_operations(workload, dataset, size) : dataset->count;
}

static void *run_worker(void *context)
{
    struct worker *worker = context;
    pthread_barrier_wait(worker->start);
    worker->begin_ns = measure_now_ns();
    worker->last_ns = worker->begin_ns;
    uint64_t cpu_ns = measure_thread_cpu_ns();
    worker->workload->body(worker);
    worker->end_ns = measure_now_ns();
    worker->cpu_ns = measure_thread_cpu_ns() - cpu_ns;
    return NULL;
}

/* The first worker runs on the calling thread, so that a workload of one thread needs no other. */
static bool run_workers(struct worker *workers, unsigned threads)
{
    pthread_t handles[WORKLOAD_THREADS_MAX];
    unsigned started = 1;
    while (started < threads && pthread_create(&handles[started], NULL, run_worker, &workers[started]) == 0)
        started++;
    if (started < threads) {
        /* Those that wait at the barrier would wait for ever; the process of this run ends with its failure. */
        failure_set("cannot start %u threads", threads);
        return false;
    }
    run_worker(&workers[0]);
    for (unsigned i = 1; i < threads; i++)
        pthread_join(handles[i], NULL);
    return !failure_is_set();
}

static void sum_up(struct workload_result *result, const struct worker *workers, unsigned threads)
{
    uint64_t begin_ns = UINT64_MAX, end_ns = 0;
    for (unsigned i = 0; i < threads; i++) {
        begin_ns = workers[i].begin_ns < begin_ns ? workers[i].begin_ns : begin_ns;
        end_ns = workers[i].end_ns > end_ns ? workers[i].end_ns : end_ns;
        result->operations += workers[i].done;
        result->caller_cpu_ns += workers[i].cpu_ns;
        histogram_merge(&result->latency, workers[i].latency);
    }
    result->elapsed_ns = end_ns - begin_ns;
}

bool workload_run(struct workload_result *result, const struct workload *workload, const struct engine *engine,
                  void *db, const struct dataset *dataset, uint64_t operations, unsigned threads)
{
    struct worker *workers = calloc(threads, sizeof *workers);
    struct histogram *latencies = calloc(threads, sizeof *latencies);
    bool done = false;
    pthread_barrier_t start;
    if (workers == NULL || latencies == NULL || threads > WORKLOAD_THREADS_MAX ||
        pthread_barrier_init(&start, NULL, threads) != 0) {
        failure_set("no memory for %u workers", threads);
        goto out;
    }
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){
            .workload = workload,
            .engine = engine,
            .db = db,
            .dataset = dataset,
            .start = &start,
            .begin = operations * i / threads,
            .end = operations * (i + 1) / threads,
            .random = {hash_mix(dataset->seed + SALT_READ, i)},
            .latency = &latencies[i],
        };
    }
    done = run_workers(workers, threads);
    if (done) {
        *result = (struct workload_result){0};
        sum_up(result, workers, threads);
        pthread_barrier_destroy(&start);
    }
out:
    free(latencies);
    free(workers);
    return done;
}

bool workload_verify(const struct workload *workload, const struct engine *engine, void *db,
                     const struct dataset *dataset, uint64_t records)
{
    struct histogram *latency = calloc(1, sizeof *latency);
    if (latency == NULL) {
        failure_set("no memory to verify");
        return false;
    }
    struct worker worker = {.workload = workload, .engine = engine, .db = db, .dataset = dataset, .latency = latency};
    scan(&worker, records, true);
    free(latency);
    return !failure_is_set();
}
