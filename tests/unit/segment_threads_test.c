#include "segment_support.h"

#include "io/io_thread.h"

/* Reads entries at random, by gets and short scans, from a segment that does not fit in memory. */
struct reader {
    struct io_thread thread;
    struct segment *segment;
    const struct model *model;
    uint64_t seed;
    size_t wrong;
    size_t found;
};

static void read_entry(struct reader *reader, const struct model_entry *entry)
{
    struct segment_hit hit;
    bool is_found = false;
    struct kvs_status status =
        bench_get(reader->segment, &hit, &is_found, entry->key.user, key_sequence(entry->key.trailer));
    if (!status_is_ok(status) || !is_found) {
        reader->wrong++;
        return;
    }
    reader->found++;
    reader->wrong += hit.trailer != entry->key.trailer || !slice_equal(hit.value, entry->value);
    cache_block_unref(hit.block);
}

static void scan_some(struct reader *reader, size_t from)
{
    struct iterator *iterator;
    if (!status_is_ok(segment_iterator_new(&iterator, reader->segment, (struct segment_iterator_options){true, 0}))) {
        reader->wrong++;
        return;
    }
    struct kvs_status status = iterator_seek(iterator, reader->model->entries[from].key);
    for (size_t i = from; status_is_ok(status) && iterator->valid && i < from + 100; i++) {
        reader->wrong += !slice_equal(iterator->value, reader->model->entries[i].value);
        status = iterator_next(iterator);
    }
    reader->wrong += !status_is_ok(status);
    iterator_free(iterator);
}

static void read_entries(void *argument)
{
    struct reader *reader = argument;
    uint64_t random = reader->seed;
    for (int i = 0; i < 8000; i++) {
        uint64_t spread = model_random(&random) % 4 == 0 ? reader->model->count : reader->model->count / 10;
        size_t index = model_random(&random) % spread;
        read_entry(reader, &reader->model->entries[index]);
        if (i % 200 == 0)
            scan_some(reader, index);
    }
    segment_unref(reader->segment);
}

/* Under load a read would return another block's bytes, or the cache would grow without bound. */
static void segment_concurrent_reads_beyond_memory_return_right_values(void **state)
{
    (void)state;
    enum { THREADS = 4, BUDGET_BYTES = 64 * 1024 };
    struct segment_bench bench;
    struct model model;
    struct segment_meta meta;
    struct reader readers[THREADS] = {0};
    bench_init(&bench, BUDGET_BYTES);
    model_init(
        &model,
        (struct model_shape){
            .seed = 21, .count = 6000, .key_bytes_max = 12, .alphabet = 256, .versions_max = 3, .value_bytes_max = 60});
    struct segment *segment = bench_make(&bench, &meta, &model, bench_options(SEGMENT_CODEC_ZSTD, 512));
    for (size_t i = 0; i < THREADS; i++) {
        readers[i].segment = segment_ref(segment);
        readers[i].model = &model;
        readers[i].seed = i * 1000003;
        model_check_ok(io_thread_start(&readers[i].thread, bench.io, "reader", read_entries, &readers[i]));
    }
    segment_unref(segment);
    for (size_t i = 0; i < THREADS; i++) {
        io_thread_join(&readers[i].thread);
        assert_int_equal(readers[i].wrong, 0);
        assert_int_equal(readers[i].found, 8000);
    }
    assert_true(cache_stats_get(bench.cache).evicted_count > 100);
    segment_meta_fini(&meta);
    model_fini(&model);
    bench_fini(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_concurrent_reads_beyond_memory_return_right_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
