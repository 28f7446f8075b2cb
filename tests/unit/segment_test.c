#include "segment_support.h"

#include "base/coding.h"
#include "format_golden.h"
#include "segment/segment_file.h"

#include <errno.h>

static struct model_shape shape_of(uint64_t seed)
{
    uint64_t random = seed * 77;
    return (struct model_shape){
        .seed = seed,
        .count = 1 + model_random(&random) % 600,
        .key_bytes_max = 1 + model_random(&random) % 30,
        .alphabet = seed % 3 == 0   ? 2
                    : seed % 3 == 1 ? 10
                                    : 256,
        .versions_max = seed % 2 == 0 ? 1 : 60,
        .value_bytes_max = seed % 5 == 0 ? 600 : 20,
    };
}

static void check_gets(struct segment *segment, const struct model *model, uint8_t *buffer, size_t tries, uint64_t seed)
{
    uint64_t state = seed;
    for (size_t i = 0; i < tries; i++) {
        struct key target = model_target(model, buffer, &state);
        uint64_t sequence = key_sequence(target.trailer);
        size_t at = model_find(model, key_of(target.user, key_seek_trailer(sequence)));
        bool is_expected = at < model->count && slice_equal(model->entries[at].key.user, target.user);
        struct segment_hit hit;
        bool is_found;
        model_check_ok(bench_get(segment, &hit, &is_found, target.user, sequence));
        assert_int_equal(is_found, is_expected);
        if (!is_found)
            continue;
        assert_true(hit.trailer == model->entries[at].key.trailer);
        assert_true(slice_equal(hit.value, model->entries[at].value));
        cache_block_unref(hit.block);
    }
}

static void check_iterators(struct segment *segment, const struct model *model, uint8_t *buffer, uint64_t seed)
{
    const struct segment_iterator_options options[] = {
        {true, 0}, {false, 0}, {false, 1}, {false, 1000}, {false, 1 << 20}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct iterator *iterator;
        model_check_ok(segment_iterator_new(&iterator, segment, options[i]));
        model_check_walks(model, iterator);
        model_check_seeks(model, iterator, buffer, 60, seed);
        iterator_free(iterator);
    }
}

static void check_meta(const struct segment_meta *meta, const struct model *model)
{
    uint64_t tombstones = 0, keys = 0, values = 0;
    for (size_t i = 0; i < model->count; i++) {
        tombstones += key_kind(model->entries[i].key.trailer) == KEY_DELETE;
        keys += model->entries[i].key.user.size;
        values += model->entries[i].value.size;
    }
    assert_int_equal(meta->number, SEGMENT_NUMBER);
    assert_int_equal(meta->entry_count, model->count);
    assert_int_equal(meta->tombstone_count, tombstones);
    assert_int_equal(meta->raw_key_bytes, keys);
    assert_int_equal(meta->raw_value_bytes, values);
    assert_true(key_compare(meta->smallest, model->entries[0].key) == 0);
    assert_true(key_compare(meta->largest, model->entries[model->count - 1].key) == 0);
}

/* A read would miss a version, give another one, or a scan would lose or invent entries. */
static void segment_reads_random_entries_agree_with_sorted_array(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct segment_bench bench;
        struct model model;
        struct segment_meta meta;
        struct model_shape shape = shape_of(seed);
        bench_init(&bench, seed % 4 == 0 ? 4000 : 1 << 20);
        model_init(&model, shape);
        struct segment_writer_options options =
            bench_options(seed % 2 == 0 ? SEGMENT_CODEC_ZSTD : SEGMENT_CODEC_NONE, seed % 7 == 0 ? 4096 : 256);
        options.filter_bits_per_key = seed % 3 == 0 ? 0 : 10;
        struct segment *segment = bench_make(&bench, &meta, &model, options);
        uint8_t *buffer = malloc(shape.key_bytes_max + 1);
        check_meta(&meta, &model);
        check_gets(segment, &model, buffer, 400, seed);
        check_iterators(segment, &model, buffer, seed);
        model_check_ok(segment_verify(segment, NULL, NULL));
        free(buffer);
        segment_unref(segment);
        segment_meta_fini(&meta);
        model_fini(&model);
        bench_fini(&bench);
    }
}

/* The largest keys and values would not fit, or would be cut. */
static void segment_entries_larger_than_a_block_are_read_back(void **state)
{
    (void)state;
    struct segment_bench bench;
    struct model model;
    struct segment_meta meta;
    bench_init(&bench, 1 << 24);
    model_init(&model, (struct model_shape){.seed = 3,
                                            .count = 9,
                                            .key_bytes_max = KEY_MAX_BYTES,
                                            .alphabet = 256,
                                            .versions_max = 3,
                                            .value_bytes_max = VALUE_MAX_BYTES});
    for (int codec = SEGMENT_CODEC_NONE; codec <= SEGMENT_CODEC_ZSTD; codec++) {
        struct segment *segment = bench_make(&bench, &meta, &model, bench_options((enum segment_codec)codec, 4096));
        uint8_t *buffer = malloc(KEY_MAX_BYTES + 1);
        assert_true(segment_block_count(segment) >= 8);
        check_gets(segment, &model, buffer, 50, 1);
        check_iterators(segment, &model, buffer, 1);
        model_check_ok(segment_verify(segment, NULL, NULL));
        free(buffer);
        segment_unref(segment);
        segment_meta_fini(&meta);
        model_check_ok(io_unlink(bench.io, SEGMENT_PATH));
    }
    model_fini(&model);
    bench_fini(&bench);
}

static void tiny_model(struct model *model)
{
    static struct model_entry entries[3];
    entries[0] = (struct model_entry){key_of(slice_of_text("apple"), key_trailer(300, KEY_PUT)), slice_of_text("red")};
    entries[1] = (struct model_entry){key_of(slice_of_text("apple"), key_trailer(2, KEY_DELETE)), slice_of_text("")};
    entries[2] = (struct model_entry){key_of(slice_of_text("pear"), key_trailer(7, KEY_PUT)), slice_of_text("green")};
    *model = (struct model){entries, 3, NULL};
}

/* Databases written before would become unreadable without anyone noticing. */
static void segment_writer_tiny_segment_matches_golden_bytes(void **state)
{
    (void)state;
    struct segment_bench bench;
    struct model model;
    struct segment_meta meta;
    bench_init(&bench, 1 << 20);
    tiny_model(&model);
    struct segment_writer_options options = bench_options(SEGMENT_CODEC_NONE, 256);
    model_check_ok(bench_write(&bench, &meta, &model, &options));
    size_t size;
    uint8_t *bytes = io_mem_copy_file(bench.mem, &size, SEGMENT_PATH);
    assert_non_null(bytes);
    golden_check("segment_tiny", bytes, size);
    assert_int_equal(meta.size_bytes, size);
    assert_true(meta.file_hash == hash_bytes(bytes, size));
    free(bytes);
    segment_meta_fini(&meta);
    bench_fini(&bench);
}

/* Read everything, and compare what is read without an error. Returns whether anything failed. */
static bool use_damaged(struct segment *segment, const struct model *model)
{
    bool has_failed = false;
    for (size_t i = 0; i < model->count; i++) {
        struct segment_hit hit;
        bool is_found = false;
        struct key key = model->entries[i].key;
        struct kvs_status status = bench_get(segment, &hit, &is_found, key.user, key_sequence(key.trailer));
        has_failed |= !status_is_ok(status);
        if (!status_is_ok(status))
            continue;
        assert_true(is_found);
        assert_true(hit.trailer == key.trailer && slice_equal(hit.value, model->entries[i].value));
        cache_block_unref(hit.block);
    }
    struct iterator *iterator;
    model_check_ok(segment_iterator_new(&iterator, segment, (struct segment_iterator_options){false, 1 << 16}));
    struct kvs_status status = iterator_first(iterator);
    for (size_t i = 0; status_is_ok(status) && iterator->valid; i++) {
        model_check_at(model, iterator, i);
        status = iterator_next(iterator);
    }
    has_failed |= !status_is_ok(status);
    iterator_free(iterator);
    return has_failed;
}

/* A flipped bit on the disk would be returned as data. */
static void segment_any_changed_byte_is_detected(void **state)
{
    (void)state;
    static const uint8_t changes[] = {0x01, 0x10, 0x80, 0xFF};
    for (int codec = SEGMENT_CODEC_NONE; codec <= SEGMENT_CODEC_ZSTD; codec++) {
        struct segment_bench bench;
        struct model model;
        struct segment_meta meta;
        size_t size;
        bench_init(&bench, 1 << 20);
        model_init(
            &model,
            (struct model_shape){
                .seed = 9, .count = 30, .key_bytes_max = 8, .alphabet = 3, .versions_max = 9, .value_bytes_max = 9});
        struct segment_writer_options options = bench_options((enum segment_codec)codec, 256);
        model_check_ok(bench_write(&bench, &meta, &model, &options));
        uint8_t *bytes = io_mem_copy_file(bench.mem, &size, SEGMENT_PATH);
        for (size_t at = 0; at < size; at++) {
            for (size_t i = 0; i < sizeof changes; i++) {
                struct segment *segment;
                uint8_t changed = bytes[at] ^ changes[i];
                assert_true(io_mem_damage(bench.mem, SEGMENT_PATH, &changed, 1, at));
                struct kvs_status status = bench_open(&bench, &segment, &meta);
                assert_true(status.code == KVS_OK || status.code == KVS_CORRUPT || status.code == KVS_UNSUPPORTED);
                if (status_is_ok(status)) {
                    assert_true(use_damaged(segment, &model) || at < 64 || at > size / 2);
                    status = segment_verify(segment, NULL, NULL);
                    assert_int_equal(status.code, KVS_CORRUPT);
                    segment_unref(segment);
                }
            }
            assert_true(io_mem_damage(bench.mem, SEGMENT_PATH, &bytes[at], 1, at));
        }
        free(bytes);
        segment_meta_fini(&meta);
        model_fini(&model);
        bench_fini(&bench);
    }
}

/* A file that lost its end would be read as a smaller database. */
static void segment_any_truncation_is_refused(void **state)
{
    (void)state;
    struct segment_bench bench;
    struct model model;
    struct segment_meta meta;
    bench_init(&bench, 1 << 20);
    tiny_model(&model);
    struct segment_writer_options options = bench_options(SEGMENT_CODEC_NONE, 256);
    model_check_ok(bench_write(&bench, &meta, &model, &options));
    uint64_t whole = meta.size_bytes;
    for (uint64_t size = whole; size-- > 0;) {
        struct segment *segment;
        assert_true(io_mem_resize(bench.mem, SEGMENT_PATH, size));
        assert_int_equal(bench_open(&bench, &segment, &meta).code, KVS_CORRUPT);
        /* Nor does a manifest that agrees with the cut make it whole. */
        meta.size_bytes = size;
        assert_int_equal(bench_open(&bench, &segment, &meta).code, KVS_CORRUPT);
        meta.size_bytes = whole;
    }
    segment_meta_fini(&meta);
    bench_fini(&bench);
}

/* A block that a disk returned from, or wrote to, the wrong place would be taken for the right one. */
static void segment_block_in_wrong_place_is_corrupt(void **state)
{
    (void)state;
    enum { ENTRIES = 100, KEY = 8 };
    struct segment_bench bench;
    struct segment_meta meta;
    struct model_entry entries[ENTRIES];
    char keys[ENTRIES][KEY + 8];
    bench_init(&bench, 1 << 20);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(keys[i], sizeof keys[i], "%08d", i);
        entries[i] =
            (struct model_entry){key_of(slice_of(keys[i], KEY), key_trailer(5, KEY_PUT)), slice_of(keys[i], KEY)};
    }
    struct model model = {entries, ENTRIES, NULL};
    struct segment *segment = bench_make(&bench, &meta, &model, bench_options(SEGMENT_CODEC_NONE, 256));
    struct segment_extent from = fences_extent(&segment->fences, 0), to = fences_extent(&segment->fences, 1);
    assert_int_equal(from.size, to.size);
    size_t size;
    uint8_t *bytes = io_mem_copy_file(bench.mem, &size, SEGMENT_PATH);
    assert_true(io_mem_damage(bench.mem, SEGMENT_PATH, bytes + from.offset, from.size, to.offset));
    free(bytes);
    struct segment_hit hit;
    bool is_found;
    size_t failed = 0;
    for (int i = 0; i < ENTRIES; i++) {
        struct kvs_status status = bench_get(segment, &hit, &is_found, entries[i].key.user, 5);
        if (!status_is_ok(status)) {
            assert_int_equal(status.code, KVS_CORRUPT);
            assert_non_null(strstr(status_text(status), SEGMENT_PATH));
            assert_non_null(strstr(status_text(status), "checksum"));
            failed++;
            continue;
        }
        assert_true(is_found && slice_equal(hit.value, entries[i].value));
        cache_block_unref(hit.block);
    }
    assert_true(failed > 0 && failed < ENTRIES);
    segment_unref(segment);
    segment_meta_fini(&meta);
    bench_fini(&bench);
}

/* A file restored from another copy, or under another's name, would be read as part of this database. */
static void segment_open_file_of_other_identity_is_refused(void **state)
{
    (void)state;
    struct segment_bench bench;
    struct model model;
    struct segment_meta first, second;
    struct segment *segment;
    bench_init(&bench, 1 << 20);
    tiny_model(&model);
    struct segment_writer_options options = bench_options(SEGMENT_CODEC_NONE, 256);
    model_check_ok(bench_write(&bench, &first, &model, &options));
    model_check_ok(io_rename(bench.io, SEGMENT_PATH, SEGMENT_FOLDER "/first"));
    model_check_ok(bench_write(&bench, &second, &model, &options));
    struct kvs_status status = bench_open(&bench, &segment, &first);
    assert_int_equal(status.code, KVS_CORRUPT);
    assert_non_null(strstr(status_text(status), "id of the file"));
    model_check_ok(io_rename(bench.io, SEGMENT_FOLDER "/first", SEGMENT_FOLDER "/000008.seg"));
    first.number = 8;
    assert_int_equal(bench_open(&bench, &segment, &first).code, KVS_CORRUPT);
    first.number = 9;
    assert_int_equal(bench_open(&bench, &segment, &first).code, KVS_NOT_FOUND);
    second.entry_count++;
    assert_int_equal(bench_open(&bench, &segment, &second).code, KVS_CORRUPT);
    segment_meta_fini(&first);
    segment_meta_fini(&second);
    bench_fini(&bench);
}

/* A full or failing disk would leave half a file behind, or a segment that was never synced would be listed. */
static void segment_writer_failing_call_is_reported_and_file_removed(void **state)
{
    (void)state;
    const struct {
        enum io_call call;
        int sys_errno;
        enum kvs_code code;
    } failures[] = {
        {IO_CALL_OPEN, EACCES, KVS_IO}, {IO_CALL_RANDOM, EIO, KVS_IO}, {IO_CALL_WRITE, ENOSPC, KVS_NO_SPACE},
        {IO_CALL_WRITE, EIO, KVS_IO},   {IO_CALL_SYNC, EIO, KVS_IO},
    };
    struct model model;
    model_init(
        &model,
        (struct model_shape){
            .seed = 4, .count = 3000, .key_bytes_max = 8, .alphabet = 256, .versions_max = 1, .value_bytes_max = 600});
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        for (uint64_t nth = 1;; nth++) {
            struct segment_bench bench;
            struct segment_meta meta;
            bool exists;
            bench_init(&bench, 1 << 20);
            io_fault_fail(bench.fault, failures[i].call, nth, failures[i].sys_errno, false);
            struct segment_writer_options options = bench_options(SEGMENT_CODEC_NONE, 4096);
            struct kvs_status status = bench_write(&bench, &meta, &model, &options);
            bool has_fired = io_fault_fired_count(bench.fault) > 0;
            model_check_ok(io_exists(bench.io, &exists, SEGMENT_PATH));
            assert_int_equal(exists, !has_fired);
            assert_int_equal(status.code, has_fired ? failures[i].code : KVS_OK);
            if (!has_fired)
                segment_meta_fini(&meta);
            bench_fini(&bench);
            if (!has_fired) {
                assert_true(nth > 1);
                break;
            }
        }
    }
    model_fini(&model);
}

/* One unreadable sector would make the whole segment unusable, or a passing error would stick. */
static void segment_load_failing_read_is_reported_and_later_succeeds(void **state)
{
    (void)state;
    struct segment_bench bench;
    struct model model;
    struct segment_meta meta;
    struct segment_hit hit;
    bool is_found;
    bench_init(&bench, 1 << 20);
    model_init(
        &model,
        (struct model_shape){
            .seed = 2, .count = 200, .key_bytes_max = 8, .alphabet = 256, .versions_max = 1, .value_bytes_max = 60});
    struct segment *segment = bench_make(&bench, &meta, &model, bench_options(SEGMENT_CODEC_ZSTD, 256));
    struct key key = model.entries[100].key;
    io_fault_fail(bench.fault, IO_CALL_READ, 1, EIO, false);
    assert_int_equal(bench_get(segment, &hit, &is_found, key.user, SEQUENCE_MAX).code, KVS_IO);
    struct iterator *iterator;
    model_check_ok(segment_iterator_new(&iterator, segment, (struct segment_iterator_options){true, 0}));
    model_check_ok(iterator_first(iterator));
    io_fault_fail(bench.fault, IO_CALL_READ, 1, EIO, false);
    struct kvs_status status = status_ok();
    while (status_is_ok(status) && iterator->valid)
        status = iterator_next(iterator);
    assert_int_equal(status.code, KVS_IO);
    assert_false(iterator->valid);
    model_check_walks(&model, iterator);
    iterator_free(iterator);
    model_check_ok(bench_get(segment, &hit, &is_found, key.user, SEQUENCE_MAX));
    assert_true(is_found);
    cache_block_unref(hit.block);
    segment_unref(segment);
    segment_meta_fini(&meta);
    model_fini(&model);
    bench_fini(&bench);
}

static void note_closed(void *context, uint64_t number)
{
    *(uint64_t *)context = number;
}

/* A value that the caller still holds would be freed with its segment, or an obsolete file would never be unlinked. */
static void segment_unref_last_closes_file_and_spares_pinned_blocks(void **state)
{
    (void)state;
    struct segment_bench bench;
    struct model model;
    struct segment_meta meta;
    struct segment_hit hit;
    bool is_found;
    uint64_t closed = 0;
    bench_init(&bench, 1 << 20);
    tiny_model(&model);
    struct segment *segment = bench_make(&bench, &meta, &model, bench_options(SEGMENT_CODEC_ZSTD, 256));
    segment_on_close(segment, note_closed, &closed);
    model_check_ok(bench_get(segment, &hit, &is_found, slice_of_text("pear"), 100));
    assert_true(is_found);
    struct iterator *iterator;
    model_check_ok(segment_iterator_new(&iterator, segment, (struct segment_iterator_options){true, 0}));
    segment_unref(segment);
    assert_int_equal(closed, 0);
    model_check_walks(&model, iterator);
    iterator_free(iterator);
    assert_int_equal(closed, SEGMENT_NUMBER);
    assert_int_equal(io_mem_open_count(bench.mem), 0);
    assert_true(slice_equal(hit.value, slice_of_text("green")));
    cache_block_unref(hit.block);
    segment_meta_fini(&meta);
    bench_fini(&bench);
}

/* After each flush the newest data would have to be read from the disk again. */
static void segment_adopt_blocks_kept_by_writer_are_resident(void **state)
{
    (void)state;
    struct segment_bench bench;
    struct model model;
    struct segment_meta meta;
    struct segment_blocks kept;
    struct segment_hit hit;
    bench_init(&bench, 1 << 20);
    model_init(
        &model,
        (struct model_shape){
            .seed = 11, .count = 500, .key_bytes_max = 8, .alphabet = 256, .versions_max = 2, .value_bytes_max = 60});
    segment_blocks_init(&kept, bench.cache);
    struct segment_writer_options options = bench_options(SEGMENT_CODEC_ZSTD, 256);
    options.keep = &kept;
    struct segment *segment = bench_make(&bench, &meta, &model, options);
    segment_adopt_blocks(segment, &kept);
    assert_int_equal(cache_stats_get(bench.cache).resident_count, segment_block_count(segment));
    uint64_t reads = io_fault_count(bench.fault, IO_CALL_READ);
    for (size_t i = 0; i < model.count; i++) {
        struct key key = model.entries[i].key;
        rcu_enter();
        assert_int_equal(segment_lookup(segment, &hit, key.user, filter_hash(key.user), key_sequence(key.trailer)),
                         SEGMENT_FOUND);
        assert_true(hit.trailer == key.trailer && slice_equal(hit.value, model.entries[i].value));
        rcu_leave();
    }
    assert_int_equal(io_fault_count(bench.fault, IO_CALL_READ), reads);
    segment_unref(segment);
    segment_meta_fini(&meta);
    model_fini(&model);
    bench_fini(&bench);
}

/* Indexes would eat the memory that blocks need: 20 million records would not fit a small budget. */
static void segment_memory_of_small_records_is_under_35_bytes_a_block(void **state)
{
    (void)state;
    enum { ENTRIES = 60000, KEY = 16, VALUE = 100 };
    for (int is_random = 0; is_random < 2; is_random++) {
        struct segment_bench bench;
        struct segment_meta meta;
        struct model model = {calloc(ENTRIES, sizeof model.entries[0]), ENTRIES, calloc(ENTRIES, KEY + 1)};
        static const uint8_t value[VALUE];
        bench_init(&bench, 1 << 24);
        for (uint64_t i = 0; i < ENTRIES; i++) {
            char *key = (char *)model.memory + i * (KEY + 1);
            if (is_random) {
                coding_put_u64(key, hash_mix(i, 1));
                coding_put_u64(key + 8, hash_mix(i, 2));
            } else {
                snprintf(key, KEY + 1, "%016llu", (unsigned long long)i);
            }
            model.entries[i] =
                (struct model_entry){key_of(slice_of(key, KEY), key_trailer(i + 1, KEY_PUT)), slice_of(value, VALUE)};
        }
        qsort(model.entries, ENTRIES, sizeof model.entries[0], model_compare);
        struct segment *segment = bench_make(&bench, &meta, &model, bench_options(SEGMENT_CODEC_ZSTD, 4096));
        double index = (double)memory_budget_used(&bench.budget, MEMORY_INDEX) / (double)segment_block_count(segment);
        double filter = 8.0 * (double)memory_budget_used(&bench.budget, MEMORY_FILTER) / ENTRIES;
        print_message("%s keys: %zu blocks, %.1f bytes of index and slot each, %.1f filter bits a key\n",
                      is_random ? "random" : "decimal", segment_block_count(segment), index, filter);
        assert_true(index < 35);
        assert_true(filter < 10.1);
        segment_unref(segment);
        segment_meta_fini(&meta);
        free(model.entries);
        free(model.memory);
        bench_fini(&bench);
    }
}

static bool stop_after_some(void *context, uint64_t bytes)
{
    uint64_t *seen = context;
    *seen += bytes;
    return *seen < 100;
}

/* kvs_verify could not show progress, or not be stopped. */
static void segment_verify_reports_progress_over_whole_file(void **state)
{
    (void)state;
    struct segment_bench bench;
    struct model model;
    struct segment_meta meta;
    uint64_t seen = 0;
    bench_init(&bench, 1 << 20);
    tiny_model(&model);
    struct segment *segment = bench_make(&bench, &meta, &model, bench_options(SEGMENT_CODEC_ZSTD, 256));
    model_check_ok(segment_verify(segment, stop_after_some, &seen));
    assert_true(seen >= 100 && seen < meta.size_bytes);
    segment_unref(segment);
    segment_meta_fini(&meta);
    bench_fini(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_reads_random_entries_agree_with_sorted_array),
        cmocka_unit_test(segment_entries_larger_than_a_block_are_read_back),
        cmocka_unit_test(segment_writer_tiny_segment_matches_golden_bytes),
        cmocka_unit_test(segment_any_changed_byte_is_detected),
        cmocka_unit_test(segment_any_truncation_is_refused),
        cmocka_unit_test(segment_block_in_wrong_place_is_corrupt),
        cmocka_unit_test(segment_open_file_of_other_identity_is_refused),
        cmocka_unit_test(segment_writer_failing_call_is_reported_and_file_removed),
        cmocka_unit_test(segment_load_failing_read_is_reported_and_later_succeeds),
        cmocka_unit_test(segment_unref_last_closes_file_and_spares_pinned_blocks),
        cmocka_unit_test(segment_adopt_blocks_kept_by_writer_are_resident),
        cmocka_unit_test(segment_memory_of_small_records_is_under_35_bytes_a_block),
        cmocka_unit_test(segment_verify_reports_progress_over_whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
