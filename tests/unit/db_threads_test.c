#include "db_support.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WRITERS = 3, READERS = 2, KEYS = 200, ROUNDS = 60 };

struct shared {
    struct kvs_db *db;
    _Atomic uint64_t acknowledged[WRITERS]; /* rounds whose writes have returned */
    _Atomic bool is_done;
};

struct worker_of {
    struct shared *shared;
    int index;
};

/* Each writer owns its keys and writes all of them with the round's number, one batch a round. */
static void *write_rounds(void *argument)
{
    struct worker_of *worker = argument;
    struct kvs_batch *batch;
    char key[32], value[32];
    ok(kvs_batch_new(&batch));
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        kvs_batch_clear(batch);
        for (int i = 0; i < KEYS; i++) {
            snprintf(key, sizeof key, "w%d-%05d", worker->index, i);
            snprintf(value, sizeof value, "%llu", (unsigned long long)round);
            ok(kvs_batch_put(batch, text(key), text(value)));
        }
        ok(kvs_write(worker->shared->db, batch, NULL));
        atomic_store(&worker->shared->acknowledged[worker->index], round);
    }
    kvs_batch_free(batch);
    return NULL;
}

static uint64_t parse_round(struct kvs_slice value)
{
    char digits[32] = {0};
    memcpy(digits, value.data, value.size);
    return strtoull(digits, NULL, 10);
}

static uint64_t read_round(struct kvs_db *db, int writer, int i)
{
    char key[32];
    struct kvs_value value;
    bool found;
    snprintf(key, sizeof key, "w%d-%05d", writer, i);
    ok(kvs_get(db, &value, &found, text(key), NULL));
    if (!found)
        return 0;
    uint64_t round = parse_round(value.bytes);
    kvs_value_release(&value);
    return round;
}

/* A scan shows whole batches: all keys of one writer carry one round. */
static void check_scan(struct shared *shared, int writer)
{
    char prefix[8];
    struct kvs_iterator *iterator;
    snprintf(prefix, sizeof prefix, "w%d-", writer);
    uint64_t before = atomic_load(&shared->acknowledged[writer]), round = 0;
    ok(kvs_iterator_new(&iterator, shared->db, &(struct kvs_iterator_options){.prefix = text(prefix)}));
    int count = 0;
    for (kvs_iterator_first(iterator); kvs_iterator_valid(iterator); kvs_iterator_next(iterator)) {
        uint64_t this_round = parse_round(kvs_iterator_value(iterator));
        round = count++ == 0 ? this_round : round;
        assert_int_equal(this_round, round);
    }
    ok(kvs_iterator_status(iterator));
    assert_true(round >= before);
    assert_true(count == (round == 0 ? 0 : KEYS));
    kvs_iterator_free(iterator);
}

static void *read_rounds(void *argument)
{
    struct worker_of *worker = argument;
    struct shared *shared = worker->shared;
    unsigned seed = (unsigned)worker->index;
    while (!atomic_load(&shared->is_done)) {
        int writer = rand_r(&seed) % WRITERS, i = rand_r(&seed) % KEYS;
        uint64_t before = atomic_load(&shared->acknowledged[writer]);
        assert_true(read_round(shared->db, writer, i) >= before);
        if (rand_r(&seed) % 50 == 0)
            check_scan(shared, writer);
    }
    return NULL;
}

/* Readers beside writers, flushes and compactions see every acknowledged write and never half a batch. */
static void run_threads(const char *path, enum kvs_sync_mode mode)
{
    struct kvs_options options = tiny_options();
    options.sync_mode = mode;
    struct shared shared = {0};
    pthread_t threads[WRITERS + READERS];
    struct worker_of workers[WRITERS + READERS];
    ok(kvs_open(&shared.db, path, &options));
    for (int i = 0; i < WRITERS + READERS; i++) {
        workers[i] = (struct worker_of){&shared, i};
        assert_int_equal(pthread_create(&threads[i], NULL, i < WRITERS ? write_rounds : read_rounds, &workers[i]), 0);
    }
    for (int i = 0; i < 5; i++) {
        usleep(20000);
        if (i % 2 == 0)
            ok(kvs_flush(shared.db));
        else
            ok(kvs_compact(shared.db));
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&shared.is_done, true);
    for (int i = WRITERS; i < WRITERS + READERS; i++)
        pthread_join(threads[i], NULL);
    ok(kvs_close(shared.db));
    ok(kvs_open(&shared.db, path, &options));
    for (int writer = 0; writer < WRITERS; writer++) {
        for (int i = 0; i < KEYS; i++)
            assert_int_equal(read_round(shared.db, writer, i), ROUNDS);
    }
    ok(kvs_verify(shared.db, NULL, NULL));
    ok(kvs_close(shared.db));
}

static void db_threads_always(void **state)
{
    run_threads(*state, KVS_SYNC_ALWAYS);
}

static void db_threads_os(void **state)
{
    run_threads(*state, KVS_SYNC_OS);
}

#define on_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_folder(db_threads_always),
        on_folder(db_threads_os),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
