#include "db_support.h"

#include <pthread.h>
#include <stdatomic.h>

/* A callback's result, waited for. */
struct answer {
    pthread_mutex_t lock;
    pthread_cond_t come;
    int calls;
    struct kvs_status status;
};

static void answer_init(struct answer *answer)
{
    *answer = (struct answer){0};
    pthread_mutex_init(&answer->lock, NULL);
    pthread_cond_init(&answer->come, NULL);
}

static void take_status(void *context, struct kvs_status status)
{
    struct answer *answer = context;
    pthread_mutex_lock(&answer->lock);
    answer->calls++;
    answer->status = status;
    pthread_cond_signal(&answer->come);
    pthread_mutex_unlock(&answer->lock);
}

static void take_ready(void *context)
{
    take_status(context, (struct kvs_status){0});
}

static void await(struct answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    while (answer->calls == 0)
        pthread_cond_wait(&answer->come, &answer->lock);
    assert_int_equal(answer->calls, 1);
    answer->calls = 0;
    pthread_mutex_unlock(&answer->lock);
}

static struct kvs_batch *batch_of(const char *key, const char *value)
{
    struct kvs_batch *batch;
    ok(kvs_batch_new(&batch));
    ok(kvs_batch_put(batch, text(key), text(value)));
    return batch;
}

/* An applied write is invisible until published, but to a reader that asks for its number; its callback comes once, and then everybody sees it. */
static void apply_in_mode(const char *path, enum kvs_sync_mode mode, enum kvs_level level)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    struct answer answer;
    struct kvs_value value;
    bool found;
    uint64_t sequence;
    size_t applied;
    options.sync_mode = mode;
    answer_init(&answer);
    ok(kvs_open(&db, path, &options));
    struct kvs_batch *first = batch_of("a", "1"), *second = batch_of("b", "2");
    const struct kvs_batch *both[] = {first, second};
    ok(kvs_apply(db, &sequence, &applied, both, 2, NULL, NULL));
    assert_int_equal(applied, 2);
    assert_int_equal(sequence, kvs_applied_sequence(db));
    ok(kvs_get(db, &value, &found, text("b"), &(struct kvs_read_options){.at_least = sequence}));
    assert_true(found);
    kvs_value_release(&value);
    ok(kvs_sync_async(db, sequence, level, take_status, &answer));
    await(&answer);
    ok(answer.status);
    assert_true(kvs_published_sequence(db) >= sequence);
    expect_get(db, "a", "1");
    expect_get(db, "b", "2");
    kvs_batch_free(first);
    kvs_batch_free(second);
    ok(kvs_close(db));
}

static void db_apply_then_publish_always(void **state)
{
    apply_in_mode(*state, KVS_SYNC_ALWAYS, KVS_PUBLISHED);
}

static void db_apply_then_publish_os(void **state)
{
    apply_in_mode(*state, KVS_SYNC_OS, KVS_PUBLISHED);
}

static void db_apply_then_durable_os(void **state)
{
    apply_in_mode(*state, KVS_SYNC_OS, KVS_DURABLE);
}

static void db_apply_then_publish_interval(void **state)
{
    apply_in_mode(*state, KVS_SYNC_INTERVAL, KVS_PUBLISHED);
}

/* A writer that must not block goes on through full buffers and memtables by BUSY and ready, losing nothing. */
static void db_apply_busy_comes_back(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    struct answer answer;
    struct kvs_batch *batch;
    char key[32], value[512];
    uint64_t sequence = 0;
    int busy = 0;
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    answer_init(&answer);
    ok(kvs_open(&db, *state, &options));
    ok(kvs_batch_new(&batch));
    for (int i = 0; i < 4000; i++) {
        size_t applied = 0;
        snprintf(key, sizeof key, "key%05d", i);
        kvs_batch_clear(batch);
        ok(kvs_batch_put(batch, text(key), text(value)));
        const struct kvs_batch *one = batch;
        for (;;) {
            struct kvs_status status = kvs_apply(db, &sequence, &applied, &one, 1, take_ready, &answer);
            if (kvs_ok(status))
                break;
            assert_int_equal(status.code, KVS_BUSY);
            assert_int_equal(applied, 0);
            await(&answer);
            busy++;
        }
    }
    assert_true(busy > 0);
    ok(kvs_sync_async(db, sequence, KVS_PUBLISHED, take_status, &answer));
    await(&answer);
    ok(answer.status);
    for (int i = 0; i < 4000; i++) {
        snprintf(key, sizeof key, "key%05d", i);
        expect_get(db, key, value);
    }
    kvs_batch_free(batch);
    ok(kvs_close(db));
}

/* A batch above the log buffer's size goes through for a writer that must not block, too. */
static void db_apply_large_batch_passes(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    struct answer answer;
    struct kvs_batch *batch;
    static char value[300000];
    uint64_t sequence;
    answer_init(&answer);
    ok(kvs_open(&db, *state, &options));
    ok(kvs_batch_new(&batch));
    memset(value, 'v', sizeof value - 1);
    ok(kvs_batch_put(batch, text("a"), text(value)));
    const struct kvs_batch *one = batch;
    for (int tries = 0; tries < 100; tries++) {
        size_t applied;
        struct kvs_status status = kvs_apply(db, &sequence, &applied, &one, 1, take_ready, &answer);
        if (kvs_ok(status))
            break;
        assert_int_equal(status.code, KVS_BUSY);
        await(&answer);
        assert_true(tries < 99);
    }
    ok(kvs_sync_async(db, sequence, KVS_PUBLISHED, take_status, &answer));
    await(&answer);
    expect_get(db, "a", value);
    kvs_batch_free(batch);
    ok(kvs_close(db));
}

/* A number from the future is refused at once: nobody could ever answer it. */
static void db_sync_async_of_unknown_number_is_refused(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    struct answer answer;
    answer_init(&answer);
    ok(kvs_open(&db, *state, &options));
    fails(KVS_INVALID, kvs_sync_async(db, 1000, KVS_DURABLE, take_status, &answer));
    ok(kvs_put(db, text("k"), text("v"), NULL));
    ok(kvs_close(db));
    assert_int_equal(answer.calls, 0);
}

/* A writer that asks for no sync, until it is told to stop. */
struct unsynced_writer {
    struct kvs_db *db;
    _Atomic bool is_done;
};

static void *write_unsynced(void *argument)
{
    struct unsynced_writer *writer = argument;
    while (!atomic_load(&writer->is_done)) {
        ok(kvs_put(writer->db, text("unsynced"), text("v"), NULL));
        usleep(20);
    }
    return NULL;
}

/* Everything applied becomes durable within seconds, without another call. */
static void expect_durable_soon(struct kvs_db *db)
{
    struct kvs_stats stats;
    for (int wait = 0; wait < 500; wait++) {
        kvs_stats(db, &stats);
        if (stats.durable_sequence == stats.applied_sequence)
            break;
        usleep(10000);
    }
    assert_int_equal(stats.durable_sequence, stats.applied_sequence);
}

/* In mode interval an unsynced write becomes durable by itself. */
static void db_interval_syncs_by_itself(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    options.sync_mode = KVS_SYNC_INTERVAL;
    options.sync_interval_ms = 20;
    ok(kvs_open(&db, *state, &options));
    for (int i = 0; i < 3; i++) {
        ok(kvs_put(db, text("k"), text("v"), NULL));
        expect_durable_soon(db);
    }
    ok(kvs_close(db));
}

/* Writers that sync for themselves must not make the background forget what others left unsynced. */
static void db_interval_syncs_beside_syncing_writers(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    pthread_t thread;
    options.sync_mode = KVS_SYNC_INTERVAL;
    options.sync_interval_ms = 100;
    ok(kvs_open(&db, *state, &options));
    for (int round = 0; round < 12; round++) {
        struct unsynced_writer writer = {.db = db};
        assert_int_equal(pthread_create(&thread, NULL, write_unsynced, &writer), 0);
        for (int i = 0; i < 10; i++)
            ok(kvs_put(db, text("synced"), text("v"), &(struct kvs_write_options){.sync = true}));
        atomic_store(&writer.is_done, true); /* its last writes fell into the last sync */
        pthread_join(thread, NULL);
        expect_durable_soon(db);
    }
    ok(kvs_close(db));
}

/* Requests that are open at close are answered, by the sync that close makes. */
static void db_close_answers_requests(void **state)
{
    struct kvs_options options = tiny_options();
    struct kvs_db *db;
    struct answer answer;
    uint64_t sequence;
    size_t applied;
    options.sync_mode = KVS_SYNC_ALWAYS;
    answer_init(&answer);
    ok(kvs_open(&db, *state, &options));
    struct kvs_batch *batch = batch_of("k", "v");
    const struct kvs_batch *one = batch;
    ok(kvs_apply(db, &sequence, &applied, &one, 1, NULL, NULL));
    ok(kvs_sync_async(db, sequence, KVS_PUBLISHED, take_status, &answer));
    ok(kvs_close(db));
    assert_int_equal(answer.calls, 1);
    ok(answer.status);
    kvs_batch_free(batch);
}

#define on_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_folder(db_apply_then_publish_always),
        on_folder(db_apply_then_publish_os),
        on_folder(db_apply_then_durable_os),
        on_folder(db_apply_then_publish_interval),
        on_folder(db_apply_busy_comes_back),
        on_folder(db_apply_large_batch_passes),
        on_folder(db_sync_async_of_unknown_number_is_refused),
        on_folder(db_interval_syncs_by_itself),
        on_folder(db_close_answers_requests),
        on_folder(db_interval_syncs_beside_syncing_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
