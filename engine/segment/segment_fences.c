#include "segment/segment_fences.h"

#include "base/assert.h"
#include "base/coding.h"

#include <inttypes.h>
#include <stdlib.h>

#define FENCES_HAS_TRAILER (UINT32_C(1) << 31)

/* A fence without a trailer stands before every entry of its user key. */
#define FENCE_NO_TRAILER UINT64_MAX

enum { ENTRY_MIN_BYTES = 3, TRAILER_BYTES = 8 };

void fences_builder_fini(struct fences_builder *builder)
{
    buffer_fini(&builder->entries);
    buffer_fini(&builder->last);
}

/* The shortest fence between two keys. Within one user key it stands right behind last_before, so that a search for a version between the two finds the
 * block that begins with the older one. */
static struct key make_fence(struct key first, struct key last_before)
{
    size_t shared = slice_shared_prefix(first.user, last_before.user);
    if (shared == first.user.size) {
        KVS_ASSERT(last_before.user.size == shared && last_before.trailer > first.trailer);
        return key_of(first.user, last_before.trailer - 1);
    }
    return key_of(slice_of(first.user.data, shared + 1), FENCE_NO_TRAILER);
}

struct kvs_status fences_builder_add(struct fences_builder *builder, struct key first, struct key last_before,
                                     uint64_t block_size)
{
    struct key fence = builder->count == 0 ? key_of(first.user, FENCE_NO_TRAILER) : make_fence(first, last_before);
    bool has_trailer = fence.trailer != FENCE_NO_TRAILER;
    if (builder->key_bytes + fence.user.size + TRAILER_BYTES >= FENCES_HAS_TRAILER)
        return STATUS(KVS_TOO_LARGE, "the index of a segment has more than %" PRIu32 " bytes of keys",
                      FENCES_HAS_TRAILER);
    size_t shared = slice_shared_prefix(fence.user, buffer_slice(&builder->last));
    size_t rest = fence.user.size - shared;
    STATUS_RETURN_IF_ERROR(buffer_reserve(&builder->entries, 3 * VARINT_MAX_BYTES + rest + TRAILER_BYTES));
    uint8_t *at = coding_put_varint(buffer_end(&builder->entries), shared);
    at = coding_put_varint(at, (uint64_t)rest << 1 | has_trailer);
    memcpy(at, (const uint8_t *)fence.user.data + shared, rest);
    at += rest;
    if (has_trailer) {
        coding_put_u64(at, fence.trailer);
        at += TRAILER_BYTES;
    }
    at = coding_put_varint(at, block_size);
    builder->entries.size = (size_t)(at - builder->entries.data);
    builder->last.size = shared;
    STATUS_RETURN_IF_ERROR(buffer_append(&builder->last, (const uint8_t *)fence.user.data + shared, rest));
    builder->key_bytes += fence.user.size + TRAILER_BYTES;
    builder->count++;
    return status_ok();
}

struct kvs_status fences_builder_finish(const struct fences_builder *builder, struct buffer *out)
{
    STATUS_RETURN_IF_ERROR(buffer_reserve(out, VARINT_MAX_BYTES + builder->entries.size));
    out->size = (size_t)(coding_put_varint(buffer_end(out), builder->count) - out->data);
    return buffer_append(out, builder->entries.data, builder->entries.size);
}

/* Walks an encoded index. fence.user is built in key, which has KEY_MAX_BYTES. */
struct walk {
    struct cursor cursor;
    uint8_t *key;
    struct key fence;
    uint64_t block_size;
    const char *flaw;
};

static bool walk_flaw(struct walk *walk, const char *flaw)
{
    walk->flaw = flaw;
    return false;
}

/* Step to the next fence; returns whether it can be decoded and lies after the one before. */
static bool walk_next(struct walk *walk, bool is_first)
{
    uint64_t shared = cursor_varint(&walk->cursor);
    uint64_t sized = cursor_varint(&walk->cursor);
    if (shared > walk->fence.user.size || sized >> 1 > KEY_MAX_BYTES - shared)
        return walk_flaw(walk, "size of a fence's key");
    struct kvs_slice rest = cursor_bytes(&walk->cursor, sized >> 1);
    uint64_t trailer = sized & 1 ? cursor_u64(&walk->cursor) : FENCE_NO_TRAILER;
    walk->block_size = cursor_varint(&walk->cursor);
    if (walk->cursor.failed)
        return walk_flaw(walk, "a fence that ends inside the index");
    if (walk->block_size <= SEGMENT_FRAME_BYTES || walk->block_size > SEGMENT_DATA_MAX_BYTES + SEGMENT_FRAME_BYTES)
        return walk_flaw(walk, "size of a data block");
    /* The key before is still in the buffer: what is not shared decides the order. */
    struct kvs_slice rest_before = slice_of(walk->key + shared, walk->fence.user.size - shared);
    int order = slice_compare(rest_before, rest);
    bool is_after = order < 0 || (order == 0 && walk->fence.trailer > trailer);
    if (!is_first && !is_after)
        return walk_flaw(walk, "order of fences");
    if (rest.size != 0)
        memcpy(walk->key + shared, rest.data, rest.size);
    walk->fence = key_of(slice_of(walk->key, shared + rest.size), trailer);
    return true;
}

/* What the first pass over an index finds out. */
struct totals {
    size_t count;
    size_t prefix_size;
    size_t key_bytes; /* of all user keys, and the trailers */
};

static bool measure(struct totals *totals, struct walk *walk, struct kvs_slice raw, uint8_t *first_key)
{
    walk->cursor = cursor_of(raw.data, raw.size);
    uint64_t count = cursor_varint(&walk->cursor);
    if (count == 0 || count > cursor_rest(&walk->cursor) / ENTRY_MIN_BYTES)
        return walk_flaw(walk, "number of data blocks");
    *totals = (struct totals){.count = (size_t)count};
    size_t first_size = 0;
    for (size_t i = 0; i < count; i++) {
        if (!walk_next(walk, i == 0))
            return false;
        if (i == 0) {
            first_size = walk->fence.user.size;
            memcpy(first_key, walk->key, first_size);
        }
        totals->key_bytes += walk->fence.user.size + (walk->fence.trailer != FENCE_NO_TRAILER ? TRAILER_BYTES : 0);
        if (totals->key_bytes >= FENCES_HAS_TRAILER)
            return walk_flaw(walk, "size of all fences' keys");
    }
    if (!cursor_is_done(&walk->cursor))
        return walk_flaw(walk, "end of the index");
    /* They are in order: what the first and the last share, all share. */
    totals->prefix_size = slice_shared_prefix(slice_of(first_key, first_size), walk->fence.user);
    return true;
}

/* Allocate all arrays in one piece. */
static bool allocate(struct fences *fences, const struct totals *totals)
{
    size_t level_sizes[FENCES_LEVELS_MAX];
    size_t words = 0, entries = totals->count;
    int levels = 0;
    do {
        size_t nodes = (entries + FENCES_NODE - 1) / FENCES_NODE;
        KVS_ASSERT(levels < FENCES_LEVELS_MAX);
        level_sizes[levels++] = nodes * FENCES_NODE;
        words += nodes * FENCES_NODE;
        entries = nodes;
    } while (entries > 1);
    size_t groups = totals->count / FENCES_GROUP + 1;
    size_t keys = totals->key_bytes - (totals->count - 1) * totals->prefix_size;
    size_t size = (words + groups) * sizeof(uint64_t) + (2 * totals->count + 1) * sizeof(uint32_t) + keys;
    size = (size + 63) & ~(size_t)63;
    uint64_t *memory = aligned_alloc(64, size);
    if (memory == NULL)
        return false;
    *fences = (struct fences){
        .count = totals->count, .prefix_size = totals->prefix_size, .level_count = levels, .memory_bytes = size};
    for (int level = 0; level < levels; level++) {
        fences->levels[level] = memory;
        memory += level_sizes[level];
        for (size_t i = 0; i < level_sizes[level]; i++)
            fences->levels[level][i] = UINT64_MAX;
    }
    fences->group_starts = memory;
    fences->starts = (uint32_t *)(memory + groups);
    fences->ends = fences->starts + totals->count + 1;
    fences->keys = (uint8_t *)(fences->ends + totals->count);
    return true;
}

static void set_start(struct fences *fences, size_t index, uint64_t start)
{
    if (index % FENCES_GROUP == 0)
        fences->group_starts[index / FENCES_GROUP] = start;
    fences->starts[index] = (uint32_t)(start - fences->group_starts[index / FENCES_GROUP]);
}

_Static_assert((uint64_t)FENCES_GROUP *(SEGMENT_DATA_MAX_BYTES + SEGMENT_FRAME_BYTES) <= UINT32_MAX,
               "a group's starts fit in 32 bits");

/* The second pass: every fence was checked by the first. */
static void fill(struct fences *fences, struct walk *walk, struct kvs_slice raw, uint64_t start)
{
    walk->cursor = cursor_of(raw.data, raw.size);
    walk->fence.user.size = 0;
    cursor_varint(&walk->cursor);
    uint8_t *keys = fences->keys + fences->prefix_size, *at = keys;
    for (size_t i = 0; i < fences->count; i++) {
        KVS_ASSERT(walk_next(walk, true));
        struct kvs_slice user = walk->fence.user;
        fences->levels[0][i] = slice_hint(user, fences->prefix_size);
        memcpy(at, walk->key + fences->prefix_size, user.size - fences->prefix_size);
        at += user.size - fences->prefix_size;
        bool has_trailer = walk->fence.trailer != FENCE_NO_TRAILER;
        if (has_trailer) {
            coding_put_u64(at, walk->fence.trailer);
            at += TRAILER_BYTES;
        }
        fences->ends[i] = (uint32_t)(at - keys) | (has_trailer ? FENCES_HAS_TRAILER : 0);
        set_start(fences, i, start);
        start += walk->block_size;
    }
    memcpy(fences->keys, walk->key, fences->prefix_size);
    set_start(fences, fences->count, start);
    for (int level = 1; level < fences->level_count; level++)
        for (size_t i = 0; i < (fences->count + (UINT64_C(1) << (4 * level)) - 1) >> (4 * level); i++)
            fences->levels[level][i] = fences->levels[level - 1][i * FENCES_NODE];
}

_Static_assert(FENCES_NODE == 1 << 4,
               "fill shifts by the logarithm of a node's size, and count_at_or_below counts four times four");

enum kvs_code fences_load(struct fences *fences, const char **flaw, size_t *at, struct kvs_slice raw, uint64_t start)
{
    uint8_t *keys = malloc(2 * KEY_MAX_BYTES);
    if (keys == NULL)
        return KVS_NO_MEMORY;
    enum kvs_code code = KVS_OK;
    struct walk walk = {.key = keys, .fence = key_of(slice_of(keys, 0), 0)};
    struct totals totals;
    struct fences made;
    if (!measure(&totals, &walk, raw, keys + KEY_MAX_BYTES)) {
        *flaw = walk.flaw;
        *at = raw.size - cursor_rest(&walk.cursor);
        code = KVS_CORRUPT;
    } else if (!allocate(&made, &totals)) {
        code = KVS_NO_MEMORY;
    } else {
        fill(&made, &walk, raw, start);
        *fences = made;
    }
    free(keys);
    return code;
}

void fences_fini(struct fences *fences)
{
    free(fences->levels[0]);
    *fences = (struct fences){0};
}

/* How many hints of all are at or below hint. */
static size_t count_at_or_below(const struct fences *fences, uint64_t hint)
{
    size_t node = 0;
    for (int level = fences->level_count - 1; level >= 0; level--) {
        const uint64_t *hints = fences->levels[level] + node * FENCES_NODE;
        size_t below = 0;
        for (int i = 0; i < FENCES_NODE / 4; i++)
            below +=
                (size_t)(hints[i] <= hint) + (hints[i + 4] <= hint) + (hints[i + 8] <= hint) + (hints[i + 12] <= hint);
        if (below == 0)
            return 0;
        node = node * FENCES_NODE + below - 1;
        size_t last = (fences->count - 1) >> (4 * level);
        if (node > last)
            node = last; /* the greatest hint of all equals the padding */
    }
    return node + 1;
}

int fences_compare(const struct fences *fences, size_t index, struct key target)
{
    const uint8_t *keys = fences->keys + fences->prefix_size;
    size_t begin = index == 0 ? 0 : fences->ends[index - 1] & ~FENCES_HAS_TRAILER;
    size_t end = fences->ends[index] & ~FENCES_HAS_TRAILER;
    uint64_t trailer = FENCE_NO_TRAILER;
    if (fences->ends[index] & FENCES_HAS_TRAILER) {
        end -= TRAILER_BYTES;
        trailer = coding_get_u64(keys + end);
    }
    size_t limit = target.user.size < fences->prefix_size ? target.user.size : fences->prefix_size;
    int order = limit == 0 ? 0 : memcmp(fences->keys, target.user.data, limit);
    if (order != 0)
        return order;
    if (limit < fences->prefix_size)
        return 1;
    return key_compare(key_of(slice_of(keys + begin, end - begin), trailer),
                       key_of(slice_from(target.user, limit), target.trailer));
}

size_t fences_find(const struct fences *fences, struct key target)
{
    size_t limit = target.user.size < fences->prefix_size ? target.user.size : fences->prefix_size;
    int order = limit == 0 ? 0 : memcmp(fences->keys, target.user.data, limit);
    if (order > 0)
        return 0;
    if (order < 0)
        return fences->count - 1;
    if (limit < fences->prefix_size)
        return 0;
    uint64_t hint = slice_hint(target.user, fences->prefix_size);
    size_t high = count_at_or_below(fences, hint);
    if (high == 0 || fences->levels[0][high - 1] < hint)
        return high == 0 ? 0 : high - 1;
    /* Fences with the target's hint: these, and only these, are compared in full. */
    size_t low = hint == 0 ? 0 : count_at_or_below(fences, hint - 1);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (fences_compare(fences, middle, target) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : low - 1;
}
