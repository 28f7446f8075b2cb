#include "filter/filter_builder.h"

#include "base/assert.h"
#include "base/coding.h"

void filter_builder_fini(struct filter_builder *builder)
{
    buffer_fini(&builder->hashes);
}

struct kvs_status filter_builder_add(struct filter_builder *builder, uint64_t hash)
{
    struct buffer *hashes = &builder->hashes;
    if (hashes->size != 0 && coding_get_u64(buffer_end(hashes) - sizeof hash) == hash)
        return status_ok();
    return buffer_append(hashes, &hash, sizeof hash);
}

/* The optimum for one line per key lies a little under bits * ln 2, since lines fill unevenly. */
static unsigned probes_for(unsigned bits_per_key)
{
    unsigned probes = (bits_per_key * 5 + 4) / 8;
    return probes < 1 ? 1 : probes > FILTER_PROBES_MAX ? FILTER_PROBES_MAX : probes;
}

static size_t line_count(const struct filter_builder *builder, unsigned bits_per_key)
{
    size_t lines = (builder->hashes.size / sizeof(uint64_t) * bits_per_key + FILTER_LINE_BITS - 1) / FILTER_LINE_BITS;
    return lines < UINT32_MAX ? lines : UINT32_MAX;
}

size_t filter_builder_size(const struct filter_builder *builder, unsigned bits_per_key)
{
    return builder->hashes.size == 0 ? 0 : line_count(builder, bits_per_key) * FILTER_LINE_BYTES + 1;
}

static void set_bits(uint8_t *line, uint64_t hash, unsigned probes)
{
    uint32_t probe = (uint32_t)hash;
    for (unsigned i = 0; i < probes; i++) {
        probe *= UINT32_C(0x9E3779B9);
        line[probe >> 26] |= (uint8_t)(1U << (probe >> 23 & 7));
    }
}

struct kvs_status filter_builder_finish(const struct filter_builder *builder, struct buffer *out, unsigned bits_per_key)
{
    KVS_ASSERT(builder->hashes.size > 0 && bits_per_key >= 1 && bits_per_key <= 32);
    size_t size = filter_builder_size(builder, bits_per_key);
    STATUS_RETURN_IF_ERROR(buffer_reserve(out, size));
    uint8_t *lines = buffer_end(out);
    memset(lines, 0, size);
    size_t count = line_count(builder, bits_per_key);
    unsigned probes = probes_for(bits_per_key);
    for (size_t at = 0; at < builder->hashes.size; at += sizeof(uint64_t)) {
        uint64_t hash = coding_get_u64(builder->hashes.data + at);
        set_bits(lines + filter_line((uint32_t)count, hash) * FILTER_LINE_BYTES, hash, probes);
    }
    lines[size - 1] = (uint8_t)probes;
    out->size += size;
    return status_ok();
}
