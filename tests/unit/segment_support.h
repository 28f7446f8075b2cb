/* segment_support.h -- segments on a simulated disk, for the tests of engine/segment.
 *
 * Failure   What must not fail fails the running cmocka test. */
#ifndef KVS_TESTS_SEGMENT_SUPPORT_H
#define KVS_TESTS_SEGMENT_SUPPORT_H

#include "segment_model.h"

#include "io/io_fault.h"
#include "io/io_mem.h"
#include "segment/segment.h"
#include "segment/segment_writer.h"

#define SEGMENT_FOLDER "/db"
#define SEGMENT_PATH "/db/000007.seg"

enum { SEGMENT_NUMBER = 7 };

/* A disk whose calls can be made to fail, and a cache over it. */
struct segment_bench {
    struct io_mem *mem;
    struct io_fault *fault;
    struct io *io;
    struct memory_budget budget;
    struct cache *cache;
};

static inline void bench_init(struct segment_bench *bench, size_t budget_bytes)
{
    bench->mem = io_mem_new(1, NULL);
    assert_non_null(bench->mem);
    bench->fault = io_fault_new(io_mem_as_io(bench->mem));
    assert_non_null(bench->fault);
    bench->io = io_fault_as_io(bench->fault);
    model_check_ok(io_make_directory(bench->io, SEGMENT_FOLDER));
    memory_budget_init(&bench->budget, budget_bytes);
    model_check_ok(cache_new(&bench->cache, bench->io, &bench->budget));
}

/* Nothing may be left charged or open. */
static inline void bench_fini(struct segment_bench *bench)
{
    assert_int_equal(memory_budget_total(&bench->budget), 0);
    cache_free(bench->cache);
    assert_int_equal(io_mem_open_count(bench->mem), 0);
    io_fault_free(bench->fault);
    io_mem_free(bench->mem);
}

static inline struct segment_writer_options bench_options(enum segment_codec codec, size_t block_bytes)
{
    struct segment_writer_options options = {
        .number = SEGMENT_NUMBER, .codec = codec, .level = 1, .block_bytes = block_bytes, .filter_bits_per_key = 10};
    memset(options.uuid, 0xDB, sizeof options.uuid);
    return options;
}

/* Write all entries; meta is the caller's to fini on success. On failure the file is gone again. */
static inline struct kvs_status bench_write(struct segment_bench *bench, struct segment_meta *meta,
                                            const struct model *model, const struct segment_writer_options *options)
{
    struct segment_writer *writer;
    STATUS_RETURN_IF_ERROR(segment_writer_new(&writer, bench->io, SEGMENT_FOLDER, options));
    struct kvs_status status = status_ok();
    for (size_t i = 0; i < model->count && status_is_ok(status); i++)
        status = segment_writer_add(writer, model->entries[i].key, model->entries[i].value);
    if (status_is_ok(status))
        status = segment_writer_finish(writer, meta);
    if (!status_is_ok(status))
        segment_writer_abandon(writer);
    return status;
}

static inline struct kvs_status bench_open(struct segment_bench *bench, struct segment **segment,
                                           const struct segment_meta *meta)
{
    return segment_open(segment, bench->io, SEGMENT_FOLDER, meta, bench->cache, &bench->budget);
}

static inline struct segment *bench_make(struct segment_bench *bench, struct segment_meta *meta,
                                         const struct model *model, struct segment_writer_options options)
{
    struct segment *segment;
    model_check_ok(bench_write(bench, meta, model, &options));
    model_check_ok(bench_open(bench, &segment, meta));
    return segment;
}

/* A whole read as the layers above do it: is_found, and a copy of trailer and of the value's block in hit, with a reference. */
static inline struct kvs_status bench_get(struct segment *segment, struct segment_hit *hit, bool *is_found,
                                          struct kvs_slice user_key, uint64_t sequence)
{
    rcu_enter();
    enum segment_result result = segment_lookup(segment, hit, user_key, filter_hash(user_key), sequence);
    if (result == SEGMENT_FOUND)
        cache_block_ref(hit->block);
    rcu_leave();
    if (result == SEGMENT_MISS) {
        struct cache_block *block;
        STATUS_RETURN_IF_ERROR(segment_load(segment, &block, hit->block_index, true));
        result = segment_lookup_in(hit, block, user_key, sequence);
        if (result != SEGMENT_FOUND)
            cache_block_unref(block);
    }
    *is_found = result == SEGMENT_FOUND;
    return status_ok();
}

#endif
