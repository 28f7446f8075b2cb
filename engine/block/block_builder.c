#include "block/block_builder.h"

#include "base/assert.h"
#include "block/block_entry.h"

void block_builder_init(struct block_builder *builder, unsigned interval_log2)
{
    KVS_ASSERT(interval_log2 <= BLOCK_INTERVAL_LOG2_MAX);
    *builder = (struct block_builder){.interval_log2 = (uint8_t)interval_log2};
}

void block_builder_fini(struct block_builder *builder)
{
    buffer_fini(&builder->entries);
    buffer_fini(&builder->restarts);
    buffer_fini(&builder->trailers);
    buffer_fini(&builder->last_key);
    buffer_fini(&builder->block);
}

void block_builder_reset(struct block_builder *builder)
{
    buffer_clear(&builder->entries);
    buffer_clear(&builder->restarts);
    buffer_clear(&builder->trailers);
    buffer_clear(&builder->last_key);
    builder->count = 0;
}

static uint64_t trailer_at(const struct block_builder *builder, uint32_t index)
{
    return coding_get_u64(builder->trailers.data + (size_t)index * sizeof(uint64_t));
}

struct key block_builder_last_key(const struct block_builder *builder)
{
    KVS_ASSERT(builder->count > 0);
    return key_of(buffer_slice(&builder->last_key), trailer_at(builder, builder->count - 1));
}

struct key block_builder_first_key(const struct block_builder *builder)
{
    KVS_ASSERT(builder->count > 0);
    struct block_entry first;
    block_entry_decode(builder->entries.data, &first);
    return key_of(slice_of(first.suffix, first.suffix_size), trailer_at(builder, 0));
}

static struct kvs_status reserve_entry(struct block_builder *builder, struct key key, struct kvs_slice value)
{
    STATUS_RETURN_IF_ERROR(buffer_reserve(&builder->entries, 3 * VARINT_MAX_BYTES + key.user.size + value.size));
    STATUS_RETURN_IF_ERROR(buffer_reserve(&builder->restarts, BLOCK_RESTART_BYTES));
    STATUS_RETURN_IF_ERROR(buffer_reserve(&builder->trailers, sizeof(uint64_t)));
    return buffer_reserve(&builder->last_key, key.user.size);
}

static void count_sequence(struct block_builder *builder, uint64_t sequence)
{
    if (builder->count == 0 || sequence < builder->min_sequence)
        builder->min_sequence = sequence;
    if (builder->count == 0 || sequence > builder->max_sequence)
        builder->max_sequence = sequence;
}

/* Append the entry, and make its user key the last one; shared bytes of that are kept. */
static void put_entry(struct block_builder *builder, struct kvs_slice user, struct kvs_slice value, size_t shared)
{
    const uint8_t *suffix = (const uint8_t *)user.data + shared;
    size_t suffix_size = user.size - shared;
    uint8_t *at = buffer_end(&builder->entries);
    at = coding_put_varint(at, shared);
    at = coding_put_varint(at, suffix_size);
    at = coding_put_varint(at, value.size);
    memcpy(at, suffix, suffix_size);
    if (value.size != 0)
        memcpy(at + suffix_size, value.data, value.size);
    builder->entries.size = (size_t)(at - builder->entries.data) + suffix_size + value.size;
}

struct kvs_status block_builder_add(struct block_builder *builder, struct key key, struct kvs_slice value)
{
    KVS_ASSERT(key.user.size > 0 && key.user.size <= KEY_MAX_BYTES && key_kind_byte_is_known(key.trailer & 0xFF));
    STATUS_RETURN_IF_ERROR(reserve_entry(builder, key, value));
    size_t shared = slice_shared_prefix(buffer_slice(&builder->last_key), key.user);
    if (builder->count > 0)
        KVS_ASSERT(key_compare(block_builder_last_key(builder), key) < 0);
    size_t kept = shared;
    if ((builder->count & ((UINT32_C(1) << builder->interval_log2) - 1)) == 0) {
        KVS_ASSERT(builder->entries.size <= UINT32_MAX);
        coding_put_u32(buffer_end(&builder->restarts), (uint32_t)builder->entries.size);
        builder->restarts.size += BLOCK_RESTART_BYTES;
        shared = 0;
    }
    put_entry(builder, key.user, value, shared);
    memcpy(builder->last_key.data + kept, (const uint8_t *)key.user.data + kept, key.user.size - kept);
    builder->last_key.size = key.user.size;
    coding_put_u64(buffer_end(&builder->trailers), key.trailer);
    builder->trailers.size += sizeof(uint64_t);
    count_sequence(builder, key_sequence(key.trailer));
    builder->count++;
    return status_ok();
}

static unsigned sequence_width(const struct block_builder *builder)
{
    uint64_t spread = builder->max_sequence - builder->min_sequence;
    unsigned width = 0;
    for (; spread != 0; spread >>= 8)
        width++;
    return width;
}

size_t block_builder_size(const struct block_builder *builder)
{
    if (builder->count == 0)
        return 0;
    size_t restarts = builder->restarts.size / BLOCK_RESTART_BYTES;
    return BLOCK_HEADER_BYTES + restarts * (BLOCK_HINT_BYTES + BLOCK_RESTART_BYTES) +
           (size_t)builder->count * (sequence_width(builder) + 1) + builder->entries.size;
}

static bool kinds_differ(const struct block_builder *builder)
{
    for (uint32_t index = 1; index < builder->count; index++)
        if (((trailer_at(builder, index) ^ trailer_at(builder, 0)) & 0xFF) != 0)
            return true;
    return false;
}

static uint8_t *put_hints(const struct block_builder *builder, uint8_t *at, size_t prefix_size)
{
    for (size_t i = 0; i < builder->restarts.size; i += BLOCK_RESTART_BYTES) {
        struct block_entry entry;
        block_entry_decode(builder->entries.data + coding_get_u32(builder->restarts.data + i), &entry);
        coding_put_u64(at, __builtin_bswap64(slice_hint(slice_of(entry.suffix, entry.suffix_size), prefix_size)));
        at += BLOCK_HINT_BYTES;
    }
    return at;
}

static uint8_t *put_columns(const struct block_builder *builder, uint8_t *at, unsigned width, bool has_kinds)
{
    for (uint32_t index = 0; has_kinds && index < builder->count; index++)
        *at++ = (uint8_t)trailer_at(builder, index);
    for (uint32_t index = 0; index < builder->count; index++) {
        uint64_t delta = key_sequence(trailer_at(builder, index)) - builder->min_sequence;
        for (unsigned i = 0; i < width; i++)
            *at++ = (uint8_t)(delta >> (8 * i));
    }
    return at;
}

struct kvs_status block_builder_finish(struct block_builder *builder, struct kvs_slice *block)
{
    KVS_ASSERT(builder->count > 0);
    struct buffer *out = &builder->block;
    buffer_clear(out);
    STATUS_RETURN_IF_ERROR(buffer_reserve(out, block_builder_size(builder)));
    unsigned width = sequence_width(builder);
    bool has_kinds = kinds_differ(builder);
    uint64_t kind = has_kinds ? 0 : trailer_at(builder, 0) & 0xFF;
    size_t prefix_size = slice_shared_prefix(block_builder_first_key(builder).user, buffer_slice(&builder->last_key));
    if (prefix_size > UINT16_MAX)
        prefix_size = UINT16_MAX;
    coding_put_u32(out->data, builder->count);
    coding_put_u16(out->data + 4, (uint16_t)prefix_size);
    out->data[6] = builder->interval_log2;
    out->data[7] = (uint8_t)(width | (has_kinds ? BLOCK_KIND_COLUMN : 0));
    coding_put_u64(out->data + 8, key_trailer(builder->min_sequence, (unsigned)kind));
    uint8_t *at = put_hints(builder, out->data + BLOCK_HEADER_BYTES, prefix_size);
    memcpy(at, builder->restarts.data, builder->restarts.size);
    at = put_columns(builder, at + builder->restarts.size, width, has_kinds);
    memcpy(at, builder->entries.data, builder->entries.size);
    out->size = (size_t)(at - out->data) + builder->entries.size;
    KVS_ASSERT(out->size <= out->capacity);
    *block = buffer_slice(out);
    return status_ok();
}
