/* filter_fuzz.c -- bloom filters, of any bytes and of any keys.
 *
 * Role      What filter_open takes is read inside its bytes only, and as the format says: a plain reading of format/README.md agrees for every hash. A
 *           filter that the builder made has every key, has the size that was foretold, and sets no bit that no key asks for.
 * Format    One byte that chooses, then a filter, or: bits per key, and keys with a byte for their length in front.
 * Failure   Aborts.
 */

#include "fuzz.h"

#include "filter/filter_builder.h"

enum { KEYS_MAX = 64, HASHES = 32, INPUT_MAX_BYTES = 4096 };

/* Whether a filter has a hash, read as the format is written down. */
static bool plainly_contains(const uint8_t *lines, uint64_t line_count, unsigned probes, uint64_t hash)
{
    const uint8_t *line = lines + ((hash >> 32) * line_count >> 32) * FILTER_LINE_BYTES;
    uint32_t x = (uint32_t)hash;
    bool contains = true;
    for (unsigned i = 0; i < probes; i++) {
        x *= UINT32_C(0x9E3779B9);
        unsigned bit = x >> 23;
        contains = contains && (line[bit / 8] >> bit % 8 & 1) != 0;
    }
    return contains;
}

static void check_hash(const struct filter *filter, const uint8_t *bytes, size_t size, uint64_t hash)
{
    bool expected = plainly_contains(bytes, (size - 1) / FILTER_LINE_BYTES, bytes[size - 1], hash);
    KVS_ASSERT(filter_may_contain(filter, hash) == expected);
}

static void check_any_bytes(struct kvs_slice input)
{
    uint8_t *bytes = fuzz_copy(input.data, input.size);
    size_t lines = input.size / FILTER_LINE_BYTES;
    struct filter filter;
    bool is_filter = filter_open(&filter, bytes, input.size);
    KVS_ASSERT(is_filter == (input.size > FILTER_LINE_BYTES && input.size % FILTER_LINE_BYTES == 1 &&
                             bytes[input.size - 1] >= 1 && bytes[input.size - 1] <= FILTER_PROBES_MAX));
    if (is_filter) {
        KVS_ASSERT(filter.line_count == lines);
        check_hash(&filter, bytes, input.size, 0);
        check_hash(&filter, bytes, input.size, UINT64_MAX);
        for (uint64_t i = 0; i < HASHES; i++)
            check_hash(&filter, bytes, input.size, hash_mix(bytes[i], i));
    }
    free(bytes);
}

static size_t count_bits(const uint8_t *bytes, size_t size)
{
    size_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits += (size_t)__builtin_popcount(bytes[i]);
    return bits;
}

static void check_made(struct kvs_slice made, const uint64_t *hashes, size_t count)
{
    struct filter filter;
    const uint8_t *bytes = made.data;
    KVS_ASSERT(filter_open(&filter, bytes, made.size));
    KVS_ASSERT(count_bits(bytes, made.size - 1) <= count * bytes[made.size - 1]);
    for (size_t i = 0; i < count; i++) {
        KVS_ASSERT(filter_may_contain(&filter, hashes[i]));
        check_hash(&filter, bytes, made.size, hash_mix(hashes[i], i));
    }
}

static void check_builder(struct cursor *input)
{
    struct filter_builder builder = {0};
    struct buffer out = {0};
    uint64_t hashes[KEYS_MAX];
    size_t count = 0;
    unsigned bits_per_key = 1 + (unsigned)fuzz_below(input, 32);
    while (count < KEYS_MAX && cursor_rest(input) > 0) {
        hashes[count] = filter_hash(fuzz_bytes(input, cursor_u8(input)));
        fuzz_ok(filter_builder_add(&builder, hashes[count++]));
    }
    if (count > 0) {
        size_t foretold = filter_builder_size(&builder, bits_per_key);
        fuzz_ok(filter_builder_finish(&builder, &out, bits_per_key));
        KVS_ASSERT(out.size == foretold);
        check_made(buffer_slice(&out), hashes, count);
    }
    filter_builder_fini(&builder);
    buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX_BYTES)
        return 0;
    struct cursor input = cursor_of(data + 1, size - 1);
    if (data[0] & 1)
        check_builder(&input);
    else
        check_any_bytes(slice_of(data + 1, size - 1));
    return 0;
}
