/* Every allocation of the engine's own code fails once: malloc and its like are wrapped by the linker. */
#include "fault_allocator.h"
#include "segment_support.h"

#include <errno.h>

static struct kvs_status walk(struct segment *segment, const struct model *model,
                              struct segment_iterator_options options)
{
    struct iterator *iterator;
    STATUS_RETURN_IF_ERROR(segment_iterator_new(&iterator, segment, options));
    struct kvs_status status = iterator_first(iterator);
    for (size_t i = 0; status_is_ok(status) && iterator->valid; i++) {
        model_check_at(model, iterator, i);
        status = iterator_next(iterator);
    }
    iterator_free(iterator);
    return status;
}

static struct kvs_status read_all(struct segment *segment, const struct model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        struct segment_hit hit;
        bool is_found;
        struct key key = model->entries[i].key;
        STATUS_RETURN_IF_ERROR(bench_get(segment, &hit, &is_found, key.user, key_sequence(key.trailer)));
        assert_true(is_found && slice_equal(hit.value, model->entries[i].value));
        cache_block_unref(hit.block);
    }
    STATUS_RETURN_IF_ERROR(walk(segment, model, (struct segment_iterator_options){true, 0}));
    STATUS_RETURN_IF_ERROR(walk(segment, model, (struct segment_iterator_options){false, 4000}));
    return segment_verify(segment, NULL, NULL);
}

/* Write, open and read; leaves nothing behind. */
static struct kvs_status whole_life(struct segment_bench *bench, const struct model *model)
{
    struct segment_blocks kept;
    struct segment_meta meta;
    struct segment *segment;
    segment_blocks_init(&kept, bench->cache);
    struct segment_writer_options options = bench_options(SEGMENT_CODEC_ZSTD, 256);
    options.keep = &kept;
    struct kvs_status status = bench_write(bench, &meta, model, &options);
    if (status_is_ok(status)) {
        status = bench_open(bench, &segment, &meta);
        if (status_is_ok(status)) {
            segment_adopt_blocks(segment, &kept);
            status = read_all(segment, model);
            segment_unref(segment);
        }
        segment_meta_fini(&meta);
    }
    segment_blocks_fini(&kept);
    return status;
}

/* Running out of memory would crash the process, leak, or lose data silently. */
static void segment_any_failing_allocation_is_reported(void **state)
{
    (void)state;
    struct model model;
    model_init(
        &model,
        (struct model_shape){
            .seed = 4, .count = 60, .key_bytes_max = 100, .alphabet = 4, .versions_max = 3, .value_bytes_max = 60});
    size_t reported = 0;
    for (uint64_t nth = 1;; nth++) {
        struct segment_bench bench;
        bench_init(&bench, nth % 2 == 0 ? 1 << 20 : 3000);
        allocator_fail(nth, false);
        struct kvs_status status = whole_life(&bench, &model);
        bool has_fired = allocator_has_failed();
        allocator_clear();
        assert_true(status.code == KVS_OK || status.code == KVS_NO_MEMORY);
        assert_true(has_fired || status_is_ok(status));
        reported += !status_is_ok(status);
        bench_fini(&bench);
        if (!has_fired)
            break;
    }
    assert_true(reported > 50);
    model_fini(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_any_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
