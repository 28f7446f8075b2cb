#include "segment_model.h"

#include "block/block_builder.h"
#include "block/block_iterator.h"
#include "format_golden.h"

/* A block of all entries of a model; the bytes are the caller's to free. */
static uint8_t *build(size_t *size, const struct model *model, unsigned interval_log2)
{
    struct block_builder builder;
    struct kvs_slice bytes;
    block_builder_init(&builder, interval_log2);
    for (size_t i = 0; i < model->count; i++)
        model_check_ok(block_builder_add(&builder, model->entries[i].key, model->entries[i].value));
    model_check_ok(block_builder_finish(&builder, &bytes));
    assert_true(bytes.size <= block_builder_size(&builder));
    uint8_t *copy = malloc(bytes.size);
    assert_non_null(copy);
    memcpy(copy, bytes.data, bytes.size);
    *size = bytes.size;
    block_builder_fini(&builder);
    return copy;
}

static struct block open_block(const uint8_t *bytes, size_t size)
{
    struct block block;
    struct block_flaw flaw;
    if (!block_open(&block, &flaw, bytes, size))
        fail_msg("offset %zu: %s: expected %llu, found %llu", flaw.offset, flaw.what, (unsigned long long)flaw.expected,
                 (unsigned long long)flaw.found);
    return block;
}

static void check_gets(const struct model *model, const struct block *block, uint8_t *buffer, size_t tries,
                       uint64_t seed)
{
    uint64_t state = seed;
    for (size_t i = 0; i < tries; i++) {
        struct key target = model_target(model, buffer, &state);
        size_t at = model_find(model, target);
        uint64_t trailer = 0;
        struct kvs_slice value = {NULL, 0};
        bool is_expected = at < model->count && slice_equal(model->entries[at].key.user, target.user);
        assert_int_equal(block_get(block, &trailer, &value, target.user, target.trailer), is_expected);
        if (is_expected) {
            assert_true(trailer == model->entries[at].key.trailer);
            assert_true(slice_equal(value, model->entries[at].value));
        }
    }
}

static void check_model(struct model_shape shape, unsigned interval_log2)
{
    struct model model;
    model_init(&model, shape);
    size_t size;
    uint8_t *bytes = build(&size, &model, interval_log2);
    uint8_t *buffer = malloc(shape.key_bytes_max + 1);
    struct block block = open_block(bytes, size);
    struct block_iterator iterator;
    block_iterator_init(&iterator);
    block_iterator_set(&iterator, &block);
    model_check_walks(&model, &iterator.base);
    model_check_seeks(&model, &iterator.base, buffer, 300, shape.seed);
    check_gets(&model, &block, buffer, 500, shape.seed);
    iterator_free(&iterator.base);
    free(buffer);
    free(bytes);
    model_fini(&model);
}

/* A get or a scan would miss an entry or give another one's value. */
static void block_search_random_entries_agrees_with_sorted_array(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        struct model_shape shape = {
            .seed = seed, .count = 1 + model_random(&random) % 100, .key_bytes_max = 1 + model_random(&random) % 24};
        shape.alphabet = seed % 3 == 0 ? 2 : seed % 3 == 1 ? 16 : 256;
        shape.versions_max = seed % 2 == 0 ? 1 : 20;
        shape.value_bytes_max = seed % 5 == 0 ? 400 : 20;
        check_model(shape, (unsigned)(seed % (BLOCK_INTERVAL_LOG2_MAX + 1)));
    }
}

/* A long key would overrun the iterator's buffer, or be cut. */
static void block_search_longest_keys_agrees_with_sorted_array(void **state)
{
    (void)state;
    struct model_shape shape = {.seed = 7,
                                .count = 12,
                                .key_bytes_max = KEY_MAX_BYTES,
                                .alphabet = 2,
                                .versions_max = 3,
                                .value_bytes_max = 70000};
    check_model(shape, 2);
}

/* An old snapshot would read "absent" where the version it needs is the first after a restart point. */
static void block_get_version_at_restart_point_finds_it(void **state)
{
    (void)state;
    struct block_builder builder;
    struct kvs_slice bytes;
    block_builder_init(&builder, 1);
    struct kvs_slice user = slice_of_text("key");
    for (uint64_t sequence = 9; sequence > 0; sequence--)
        model_check_ok(block_builder_add(&builder, key_of(user, key_trailer(sequence * 10, KEY_PUT)),
                                         slice_of(&sequence, sizeof sequence)));
    model_check_ok(block_builder_finish(&builder, &bytes));
    struct block block = open_block(bytes.data, bytes.size);
    for (uint64_t sequence = 1; sequence < 100; sequence++) {
        uint64_t trailer;
        struct kvs_slice value;
        bool is_found = block_get(&block, &trailer, &value, user, key_seek_trailer(sequence));
        assert_int_equal(is_found, sequence >= 10);
        if (is_found)
            assert_true(key_sequence(trailer) == sequence / 10 * 10);
    }
    block_builder_fini(&builder);
}

/* Databases written before would become unreadable without anyone noticing. */
static void block_builder_tiny_block_matches_golden_bytes(void **state)
{
    (void)state;
    struct block_builder builder;
    struct kvs_slice bytes;
    block_builder_init(&builder, 1);
    model_check_ok(
        block_builder_add(&builder, key_of(slice_of_text("apple"), key_trailer(300, KEY_PUT)), slice_of_text("red")));
    model_check_ok(
        block_builder_add(&builder, key_of(slice_of_text("apple"), key_trailer(2, KEY_DELETE)), slice_of_text("")));
    model_check_ok(block_builder_add(&builder, key_of(slice_of_text("apricot"), key_trailer(7, KEY_PUT)),
                                     slice_of_text("orange")));
    model_check_ok(block_builder_finish(&builder, &bytes));
    golden_check("block_tiny", bytes.data, bytes.size);
    block_builder_fini(&builder);
}

/* Everything that a reader does with a block that was accepted. */
static void use_block(const struct block *block, const struct model *model)
{
    struct block_iterator iterator;
    block_iterator_init(&iterator);
    block_iterator_set(&iterator, block);
    model_check_ok(block_iterator_first(&iterator));
    size_t seen = 0;
    for (; iterator.base.valid; seen++)
        model_check_ok(block_iterator_next(&iterator));
    assert_int_equal(seen, block->count);
    model_check_ok(block_iterator_last(&iterator));
    for (unsigned i = 0; i < 3 && iterator.base.valid; i++)
        model_check_ok(block_iterator_prev(&iterator));
    for (size_t i = 0; i < model->count; i += 3) {
        uint64_t trailer;
        struct kvs_slice value = {NULL, 0};
        if (block_get(block, &trailer, &value, model->entries[i].key.user, model->entries[i].key.trailer))
            assert_true(value.size == 0 || (const uint8_t *)value.data + value.size <= block->end);
        model_check_ok(block_iterator_seek(&iterator, model->entries[i].key));
        model_check_ok(block_iterator_seek_before(&iterator, model->entries[i].key));
    }
    block_iterator_fini(&iterator);
}

/* A damaged block whose checksum was forged, or bytes from a fuzzer, would make the process read outside its memory. */
static void block_open_any_changed_byte_is_memory_safe(void **state)
{
    (void)state;
    struct model model;
    model_init(
        &model,
        (struct model_shape){
            .seed = 5, .count = 40, .key_bytes_max = 12, .alphabet = 4, .versions_max = 4, .value_bytes_max = 10});
    size_t size, refused = 0;
    uint8_t *bytes = build(&size, &model, 2);
    for (size_t at = 0; at < size; at++) {
        for (unsigned change = 1; change < 256; change += 1 + change / 3) {
            struct block block;
            struct block_flaw flaw;
            bytes[at] ^= (uint8_t)change;
            if (block_open(&block, &flaw, bytes, size))
                use_block(&block, &model);
            else
                refused++;
            bytes[at] ^= (uint8_t)change;
        }
    }
    assert_true(refused > size * 4);
    free(bytes);
    model_fini(&model);
}

/* A block cut short would be read past its end. */
static void block_open_truncated_block_is_refused(void **state)
{
    (void)state;
    struct model model;
    model_init(
        &model,
        (struct model_shape){
            .seed = 6, .count = 30, .key_bytes_max = 12, .alphabet = 4, .versions_max = 4, .value_bytes_max = 10});
    size_t size;
    uint8_t *bytes = build(&size, &model, 3);
    for (size_t cut = 0; cut < size; cut++) {
        struct block block;
        struct block_flaw flaw;
        uint8_t *exact = malloc(cut + 1); /* so that the address sanitizer sees a read past the cut */
        memcpy(exact + 1, bytes, cut);
        assert_false(block_open(&block, &flaw, exact + 1, cut));
        free(exact);
    }
    free(bytes);
    model_fini(&model);
}

/* Bytes of an attacker would crash a tool that reads a foreign file. */
static void block_open_random_bytes_is_memory_safe(void **state)
{
    (void)state;
    struct model model;
    model_init(&model,
               (struct model_shape){
                   .seed = 8, .count = 30, .key_bytes_max = 4, .alphabet = 4, .versions_max = 1, .value_bytes_max = 1});
    uint64_t random = 99;
    size_t accepted = 0;
    for (int round = 0; round < 200000; round++) {
        size_t size = 32 + model_random(&random) % 64;
        uint8_t *bytes = malloc(size);
        model_fill(bytes, size, round % 2 == 0 ? 256 : 6, &random);
        coding_put_u32(bytes, 1 + (uint32_t)(model_random(&random) % 3));
        coding_put_u32(bytes + 4, 0);
        coding_put_u64(bytes + 8, KEY_PUT);
        coding_put_u32(bytes + 24, 0);
        memset(bytes + 16, 0, 8);
        bytes[28] = 0;
        struct block block;
        struct block_flaw flaw;
        if (block_open(&block, &flaw, bytes, size)) {
            accepted++;
            use_block(&block, &model);
        }
        free(bytes);
    }
    assert_true(accepted > 0);
    model_fini(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_search_random_entries_agrees_with_sorted_array),
        cmocka_unit_test(block_search_longest_keys_agrees_with_sorted_array),
        cmocka_unit_test(block_get_version_at_restart_point_finds_it),
        cmocka_unit_test(block_builder_tiny_block_matches_golden_bytes),
        cmocka_unit_test(block_open_any_changed_byte_is_memory_safe),
        cmocka_unit_test(block_open_truncated_block_is_refused),
        cmocka_unit_test(block_open_random_bytes_is_memory_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
