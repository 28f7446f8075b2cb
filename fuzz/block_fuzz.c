/* block_fuzz.c -- data blocks, of any bytes and of any entries.
 *
 * Role      What block_open takes is walked forward and backward as a plain reading of the format has it. Where its entries are in order and share all
 *           that they can, as segment_verify demands, a get and a seek find for every target what a linear search finds. What the builder made
 *           of entries opens, is sound and holds them; and a sound block, built again, is read as the same entries.
 * Format    One byte that chooses, then the bytes of a block, or of what it is built: for each entry the bytes it shares with the one before, those
 *           that follow and the size of its value, a byte each, a kind, and the bytes.
 * Failure   Aborts.
 */

#include "block_plain.h"

#include "block_mend.h"
#include "mend.h"

#include "block/block_builder.h"
#include "block/block_iterator.h"

enum { ENTRIES_MAX = 200, INPUT_MAX_BYTES = 8192, MADE_KEY_BYTES = 300 };

/* The first byte of the input. */
enum { CHOICE_BUILD = 1 };

static void expect_at(const struct plain_block *plain, const struct block_iterator *iterator, size_t index)
{
    KVS_ASSERT(iterator->base.valid == (index < plain->count));
    if (!iterator->base.valid)
        return;
    KVS_ASSERT(key_compare(iterator->base.key, plain->entries[index].key) == 0);
    KVS_ASSERT(slice_equal(iterator->base.value, plain->entries[index].value));
}

static void check_walks(struct block_iterator *iterator, const struct plain_block *plain)
{
    fuzz_ok(block_iterator_first(iterator));
    for (size_t i = 0; i < plain->count; i++) {
        expect_at(plain, iterator, i);
        fuzz_ok(block_iterator_next(iterator));
    }
    KVS_ASSERT(!iterator->base.valid);
    fuzz_ok(block_iterator_last(iterator));
    for (size_t i = plain->count; i-- > 0;) {
        expect_at(plain, iterator, i);
        fuzz_ok(block_iterator_prev(iterator));
    }
    KVS_ASSERT(!iterator->base.valid);
}

static void check_target(const struct block *block, struct block_iterator *iterator, const struct plain_block *plain,
                         struct key target)
{
    size_t index = plain_block_find(plain, target);
    bool expected = index < plain->count && slice_equal(plain->entries[index].key.user, target.user);
    uint64_t trailer = 0;
    struct kvs_slice value = {NULL, 0};
    KVS_ASSERT(block_get(block, &trailer, &value, target.user, target.trailer) == expected);
    if (expected) {
        KVS_ASSERT(trailer == plain->entries[index].key.trailer);
        KVS_ASSERT(slice_equal(value, plain->entries[index].value));
    }
    fuzz_ok(block_iterator_seek(iterator, target));
    expect_at(plain, iterator, index);
    fuzz_ok(block_iterator_seek_before(iterator, target));
    expect_at(plain, iterator, index == 0 ? plain->count : index - 1);
}

/* An entry's key and its neighbours. */
static void check_targets(const struct block *block, struct block_iterator *iterator, const struct plain_block *plain,
                          struct key key)
{
    size_t size = key.user.size;
    uint8_t *user = fuzz_copy(key.user.data, size);
    uint8_t *longer = malloc(size + 1);
    if (longer == NULL)
        abort();
    memcpy(longer, user, size);
    check_target(block, iterator, plain, key);
    check_target(block, iterator, plain, key_of(slice_of(user, size), key.trailer + 1));
    check_target(block, iterator, plain, key_of(slice_of(user, size), key.trailer - 1));
    check_target(block, iterator, plain, key_of(slice_of(user, size), key_seek_trailer(SEQUENCE_MAX)));
    check_target(block, iterator, plain, key_of(slice_of(user, size), 0));
    check_target(block, iterator, plain, key_of(slice_of(user, size - 1), key.trailer));
    longer[size] = 0;
    check_target(block, iterator, plain, key_of(slice_of(longer, size + 1), key.trailer));
    user[size - 1]++;
    check_target(block, iterator, plain, key_of(slice_of(user, size), key.trailer));
    user[size / 2] ^= 0x80;
    check_target(block, iterator, plain, key_of(slice_of(user, size), key.trailer));
    free(user);
    free(longer);
}

static void check_built_again(const struct plain_block *plain, unsigned interval_log2)
{
    struct block_builder builder;
    struct block_flaw flaw;
    struct kvs_slice made;
    struct block block;
    struct plain_block again;
    block_builder_init(&builder, interval_log2);
    for (size_t i = 0; i < plain->count; i++)
        fuzz_ok(block_builder_add(&builder, plain->entries[i].key, plain->entries[i].value));
    size_t foretold = block_builder_size(&builder);
    fuzz_ok(block_builder_finish(&builder, &made));
    KVS_ASSERT(made.size <= foretold && block_open(&block, &flaw, made.data, made.size));
    plain_block_init(&again, &block);
    KVS_ASSERT(again.is_sound && again.count == plain->count);
    for (size_t i = 0; i < plain->count; i++) {
        KVS_ASSERT(key_compare(again.entries[i].key, plain->entries[i].key) == 0);
        KVS_ASSERT(slice_equal(again.entries[i].value, plain->entries[i].value));
    }
    plain_block_fini(&again);
    block_builder_fini(&builder);
}

/* Returns whether the bytes are a sound block. */
static bool check_block(struct kvs_slice input)
{
    uint8_t *bytes = fuzz_copy(input.data, input.size);
    struct block block;
    struct block_flaw flaw;
    struct block_iterator iterator;
    struct plain_block plain;
    bool is_sound = false;
    if (block_open(&block, &flaw, bytes, input.size)) {
        plain_block_init(&plain, &block);
        is_sound = plain.is_sound;
        block_iterator_init(&iterator);
        block_iterator_set(&iterator, &block);
        check_walks(&iterator, &plain);
        for (size_t i = 0; is_sound && i < plain.count && i < ENTRIES_MAX; i++)
            check_targets(&block, &iterator, &plain, plain.entries[i].key);
        if (is_sound)
            check_built_again(&plain, block.interval_log2);
        block_iterator_fini(&iterator);
        plain_block_fini(&plain);
    } else {
        KVS_ASSERT(flaw.what != NULL && flaw.offset <= input.size);
    }
    free(bytes);
    return is_sound;
}

/* Make a key of the one before, in place. Returns its size, 0 where there is none. */
static size_t draw_key(struct cursor *input, uint8_t *key, size_t size)
{
    size_t shared = cursor_u8(input);
    struct kvs_slice rest = fuzz_bytes(input, cursor_u8(input));
    shared = shared < size ? shared : size;
    if (shared + rest.size > MADE_KEY_BYTES)
        return 0;
    if (rest.size > 0)
        memcpy(key + shared, rest.data, rest.size);
    return shared + rest.size;
}

static void check_builder(struct cursor *input)
{
    struct block_builder builder;
    struct kvs_slice made;
    uint8_t key_bytes[MADE_KEY_BYTES];
    size_t size = 0;
    block_builder_init(&builder, (unsigned)fuzz_below(input, BLOCK_INTERVAL_LOG2_MAX + 1));
    uint64_t sequence = cursor_u64(input) % SEQUENCE_MAX;
    for (size_t i = 0; i < ENTRIES_MAX && cursor_rest(input) > 0; i++) {
        size = draw_key(input, key_bytes, size);
        unsigned kind = cursor_u8(input);
        struct kvs_slice value = fuzz_bytes(input, kind & 2 ? 0 : cursor_u8(input));
        struct key key = key_of(slice_of(key_bytes, size),
                                key_trailer((sequence + (kind >> 2)) % SEQUENCE_MAX, kind & 2 ? KEY_DELETE : KEY_PUT));
        if (size == 0 || (builder.count > 0 && key_compare(block_builder_last_key(&builder), key) >= 0))
            break;
        fuzz_ok(block_builder_add(&builder, key, value));
    }
    if (builder.count > 0) {
        fuzz_ok(block_builder_finish(&builder, &made));
        KVS_ASSERT(check_block(made));
    }
    block_builder_fini(&builder);
}

void fuzz_mend(uint8_t *data, size_t size)
{
    if (size > 1 && (data[0] & CHOICE_BUILD) == 0)
        block_mend(data + 1, size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX_BYTES)
        return 0;
    struct cursor input = cursor_of(data + 1, size - 1);
    if (data[0] & CHOICE_BUILD)
        check_builder(&input);
    else
        (void)check_block(slice_of(data + 1, size - 1));
    return 0;
}
