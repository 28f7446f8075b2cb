/* segment_fuzz.c -- segment files, of any bytes and of any blocks: opened, read and verified.
 *
 * Role      What segment_verify accepts reads right: walks both ways agree, entries are in order and as many as the manifest says, and a get and a seek find
 *           for every entry and its neighbours what a linear search finds. It accepts a file exactly if its blocks are sound, where all else
 *           follows from them, and none that the manifest describes otherwise. What was accepted, written anew, is read as the same entries. A
 *           read of what is not accepted gives CORRUPT at worst.
 * Format    A byte of flags, a byte that picks what the manifest says wrongly, then a file or the parts of one (segment_make.h).
 * Failure   Aborts.
 */

#include "segment_make.h"

#include "mend.h"

#include "io/io_mem.h"
#include "segment/segment.h"
#include "segment/segment_writer.h"

enum {
    FLAG_FILE = 1,       /* the input is a whole file */
    FLAG_SKEW = 2,       /* the manifest says something else */
    FLAG_FILL = 4,       /* blocks stay in memory */
    FLAG_READAHEAD = 8,  /* walks read ahead */
    FLAG_NO_FILTER = 16, /* none is derived */
};

enum { HEADER_BYTES = 2, INPUT_MAX_BYTES = 32768, TARGETS_MAX = 40, READAHEAD_BYTES = 600, AGAIN_NUMBER = 8 };

/* memory  of the keys and values of entries, which were walked */
struct bench {
    unsigned flags;
    struct io_mem *mem;
    struct io *io;
    struct memory_budget budget;
    struct cache *cache;
    struct plain_entry *entries;
    size_t count;
    size_t capacity;
};

static void bench_init(struct bench *bench, unsigned flags)
{
    *bench = (struct bench){.flags = flags, .mem = io_mem_new(1, NULL)};
    if (bench->mem == NULL)
        abort();
    bench->io = io_mem_as_io(bench->mem);
    memory_budget_init(&bench->budget, 1 << 20);
    fuzz_ok(cache_new(&bench->cache, bench->io, &bench->budget));
}

static void forget_entries(struct bench *bench)
{
    for (size_t i = 0; i < bench->count; i++) {
        free((void *)(uintptr_t)bench->entries[i].key.user.data);
        free((void *)(uintptr_t)bench->entries[i].value.data);
    }
    bench->count = 0;
}

/* Nothing may be left charged or open. */
static void bench_fini(struct bench *bench)
{
    forget_entries(bench);
    free(bench->entries);
    KVS_ASSERT(memory_budget_total(&bench->budget) == 0);
    cache_free(bench->cache);
    KVS_ASSERT(io_mem_open_count(bench->mem) == 0);
    io_mem_free(bench->mem);
}

static void put_file(struct bench *bench, const struct buffer *bytes)
{
    char path[IO_PATH_BYTES];
    struct io_file *file;
    fuzz_ok(file_name_path(path, "/", FILE_SEGMENT, MADE_NUMBER));
    fuzz_ok(io_file_open(bench->io, &file, path, IO_OPEN_CREATE));
    fuzz_ok(io_file_write(file, bytes->data, bytes->size, 0));
    io_file_close(file);
}

/* ---- Reading ---- */

static struct iterator *new_iterator(const struct bench *bench, struct segment *segment)
{
    struct iterator *iterator;
    struct segment_iterator_options options = {
        .fill_cache = (bench->flags & FLAG_FILL) != 0,
        .readahead_bytes = bench->flags & FLAG_READAHEAD ? READAHEAD_BYTES : 0,
    };
    fuzz_ok(segment_iterator_new(&iterator, segment, options));
    return iterator;
}

static void keep_entry(struct bench *bench, const struct iterator *iterator)
{
    if (bench->count == bench->capacity) {
        bench->capacity = bench->capacity == 0 ? 64 : bench->capacity * 2;
        bench->entries = realloc(bench->entries, bench->capacity * sizeof *bench->entries);
        if (bench->entries == NULL)
            abort();
    }
    struct kvs_slice user = iterator->key.user, value = iterator->value;
    bench->entries[bench->count++] = (struct plain_entry){
        .key = key_of(slice_of(fuzz_copy(user.data, user.size), user.size), iterator->key.trailer),
        .value = slice_of(fuzz_copy(value.data, value.size), value.size),
    };
}

static bool is_at(const struct iterator *iterator, const struct plain_entry *entry)
{
    return iterator->valid && key_compare(iterator->key, entry->key) == 0 && slice_equal(iterator->value, entry->value);
}

/* Walk forward, keeping what is seen, and back. */
static struct kvs_status walk(struct bench *bench, struct segment *segment)
{
    struct iterator *iterator = new_iterator(bench, segment);
    struct kvs_status status = iterator_first(iterator);
    forget_entries(bench);
    while (status_is_ok(status) && iterator->valid) {
        keep_entry(bench, iterator);
        status = iterator_next(iterator);
    }
    if (status_is_ok(status))
        status = iterator_last(iterator);
    size_t left = bench->count;
    while (status_is_ok(status) && iterator->valid) {
        KVS_ASSERT(left > 0 && is_at(iterator, &bench->entries[left - 1]));
        left--;
        status = iterator_prev(iterator);
    }
    KVS_ASSERT(!status_is_ok(status) || left == 0);
    iterator_free(iterator);
    return status;
}

/* A whole read, as the layers above do it. hit: holds a reference on its block where is_found. */
static struct kvs_status get(const struct bench *bench, struct segment *segment, struct segment_hit *hit,
                             bool *is_found, struct key target)
{
    uint64_t sequence = key_sequence(target.trailer);
    rcu_enter();
    enum segment_result result = segment_lookup(segment, hit, target.user, filter_hash(target.user), sequence);
    if (result == SEGMENT_FOUND)
        cache_block_ref(hit->block);
    rcu_leave();
    if (result == SEGMENT_MISS) {
        struct cache_block *block;
        STATUS_RETURN_IF_ERROR(segment_load(segment, &block, hit->block_index, (bench->flags & FLAG_FILL) != 0));
        result = segment_lookup_in(hit, block, target.user, sequence);
        if (result != SEGMENT_FOUND)
            cache_block_unref(block);
    }
    *is_found = result == SEGMENT_FOUND;
    return status_ok();
}

/* ---- What was accepted ---- */

static void expect_at(const struct bench *bench, const struct iterator *iterator, size_t index)
{
    KVS_ASSERT(index < bench->count ? is_at(iterator, &bench->entries[index]) : !iterator->valid);
}

static void check_target(struct bench *bench, struct segment *segment, struct iterator *iterator, struct key target)
{
    struct plain_block all = {.entries = bench->entries, .count = bench->count};
    struct segment_hit hit;
    bool is_found;
    target.trailer = key_seek_trailer(key_sequence(target.trailer));
    size_t index = plain_block_find(&all, target);
    bool expected = index < all.count && slice_equal(all.entries[index].key.user, target.user);
    fuzz_ok(get(bench, segment, &hit, &is_found, target));
    KVS_ASSERT(is_found == expected);
    if (is_found) {
        KVS_ASSERT(hit.trailer == all.entries[index].key.trailer);
        KVS_ASSERT(slice_equal(hit.value, all.entries[index].value));
        cache_block_unref(hit.block);
    }
    fuzz_ok(iterator_seek(iterator, target));
    expect_at(bench, iterator, index);
    fuzz_ok(iterator_seek_before(iterator, target));
    expect_at(bench, iterator, index == 0 ? all.count : index - 1);
}

static void check_targets(struct bench *bench, struct segment *segment, struct iterator *iterator, struct key key)
{
    size_t size = key.user.size;
    uint8_t *user = malloc(size + 1);
    if (user == NULL)
        abort();
    memcpy(user, key.user.data, size);
    check_target(bench, segment, iterator, key);
    check_target(bench, segment, iterator, key_of(key.user, key_trailer(SEQUENCE_MAX, 0)));
    if (key_sequence(key.trailer) > 0)
        check_target(bench, segment, iterator, key_of(key.user, key_trailer(key_sequence(key.trailer) - 1, 0)));
    if (size > 1)
        check_target(bench, segment, iterator, key_of(slice_of(user, size - 1), key.trailer));
    user[size] = 0;
    if (size < KEY_MAX_BYTES)
        check_target(bench, segment, iterator, key_of(slice_of(user, size + 1), key.trailer));
    user[size - 1]++;
    check_target(bench, segment, iterator, key_of(slice_of(user, size), key.trailer));
    free(user);
}

static void check_accepted(struct bench *bench, struct segment *segment, const struct segment_meta *meta)
{
    struct iterator *iterator = new_iterator(bench, segment);
    KVS_ASSERT(bench->count == meta->entry_count && bench->count > 0);
    KVS_ASSERT(key_compare(bench->entries[0].key, meta->smallest) == 0);
    KVS_ASSERT(key_compare(bench->entries[bench->count - 1].key, meta->largest) == 0);
    for (size_t i = 1; i < bench->count; i++)
        KVS_ASSERT(key_compare(bench->entries[i - 1].key, bench->entries[i].key) < 0);
    size_t step = bench->count / TARGETS_MAX + 1;
    for (size_t i = 0; i < bench->count; i += step)
        check_targets(bench, segment, iterator, bench->entries[i].key);
    iterator_free(iterator);
}

/* Write the entries to a new file, and find them in it. */
static void write_again(struct bench *bench)
{
    struct segment_writer_options options = {
        .number = AGAIN_NUMBER, .codec = SEGMENT_CODEC_ZSTD, .level = 1, .block_bytes = 256, .filter_bits_per_key = 10};
    struct segment_writer *writer;
    struct segment_meta meta;
    struct segment *again;
    fuzz_ok(segment_writer_new(&writer, bench->io, "/", &options));
    for (size_t i = 0; i < bench->count; i++)
        fuzz_ok(segment_writer_add(writer, bench->entries[i].key, bench->entries[i].value));
    fuzz_ok(segment_writer_finish(writer, &meta));
    fuzz_ok(segment_open(&again, bench->io, "/", &meta, bench->cache, &bench->budget));
    fuzz_ok(segment_verify(again, NULL, NULL));
    struct iterator *iterator = new_iterator(bench, again);
    fuzz_ok(iterator_first(iterator));
    for (size_t i = 0; i < bench->count; i++) {
        KVS_ASSERT(is_at(iterator, &bench->entries[i]));
        fuzz_ok(iterator_next(iterator));
    }
    KVS_ASSERT(!iterator->valid);
    iterator_free(iterator);
    segment_unref(again);
    segment_meta_fini(&meta);
}

/* ---- One file ---- */

static void expect_parts(const struct bench *bench, const struct made_segment *made)
{
    size_t at = 0;
    for (size_t i = 0; i < made->block_count; i++) {
        for (size_t j = 0; j < made->blocks[i].count; j++, at++) {
            KVS_ASSERT(at < bench->count && key_compare(bench->entries[at].key, made->blocks[i].entries[j].key) == 0);
            KVS_ASSERT(slice_equal(bench->entries[at].value, made->blocks[i].entries[j].value));
        }
    }
    KVS_ASSERT(at == bench->count);
}

/* Say something else of the file. Returns whether it is something else. */
static bool skew(struct segment_meta *meta, unsigned choice)
{
    uint64_t *numbers[] = {&meta->file_id,         &meta->size_bytes,       &meta->file_hash,
                           &meta->min_sequence,    &meta->max_sequence,     &meta->entry_count,
                           &meta->raw_key_bytes,   &meta->raw_value_bytes,  &meta->number,
                           &meta->tombstone_count, &meta->smallest.trailer, &meta->largest.trailer};
    enum { COUNT = sizeof numbers / sizeof *numbers };
    *numbers[choice % COUNT] += choice / COUNT;
    return choice / COUNT != 0;
}

static void read_unaccepted(struct bench *bench, struct segment *segment)
{
    for (size_t i = 0; i < bench->count && i < TARGETS_MAX; i++) {
        struct segment_hit hit;
        bool is_found = false;
        struct kvs_status status = get(bench, segment, &hit, &is_found, bench->entries[i].key);
        KVS_ASSERT(status_is_ok(status) || status.code == KVS_CORRUPT);
        if (is_found)
            cache_block_unref(hit.block);
    }
}

/* Returns whether verify accepts the file. */
static bool check_open(struct bench *bench, struct segment *segment, const struct made_segment *made, bool is_skewed)
{
    struct kvs_status read = walk(bench, segment);
    struct kvs_status verified = segment_verify(segment, NULL, NULL);
    KVS_ASSERT(status_is_ok(read) || read.code == KVS_CORRUPT);
    KVS_ASSERT(status_is_ok(verified) || verified.code == KVS_CORRUPT);
    if (!status_is_ok(verified)) {
        read_unaccepted(bench, segment);
        return false;
    }
    KVS_ASSERT(status_is_ok(read) && !is_skewed);
    check_accepted(bench, segment, &made->meta);
    if (made->block_count > 0)
        expect_parts(bench, made);
    write_again(bench);
    return true;
}

static void check_made(struct bench *bench, struct made_segment *made, unsigned choice)
{
    struct segment *segment;
    bool is_accepted = false;
    bool is_skewed = (bench->flags & FLAG_SKEW) && skew(&made->meta, choice);
    put_file(bench, &made->file);
    struct kvs_status status = segment_open(&segment, bench->io, "/", &made->meta, bench->cache, &bench->budget);
    if (status_is_ok(status)) {
        is_accepted = check_open(bench, segment, made, is_skewed);
        segment_unref(segment);
    } else {
        KVS_ASSERT(status.code == KVS_CORRUPT || status.code == KVS_UNSUPPORTED ||
                   (is_skewed && status.code == KVS_NOT_FOUND));
    }
    if (made->is_derived && !is_skewed && is_accepted != made->is_sound) {
        fprintf(stderr, "sound: %d, accepted: %d\n", made->is_sound, is_accepted);
        abort();
    }
}

void fuzz_mend(uint8_t *data, size_t size)
{
    if (size <= HEADER_BYTES)
        return;
    if (data[0] & FLAG_FILE)
        segment_mend_file(data + HEADER_BYTES, size - HEADER_BYTES);
    else
        segment_mend_parts(data + HEADER_BYTES, size - HEADER_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER_BYTES || size > INPUT_MAX_BYTES)
        return 0;
    struct kvs_slice input = slice_of(data + HEADER_BYTES, size - HEADER_BYTES);
    struct made_segment made;
    struct bench bench;
    bench_init(&bench, data[0]);
    if (data[0] & FLAG_FILE)
        made_segment_of_file(&made, input);
    else
        made_segment_of_parts(&made, input, (data[0] & FLAG_NO_FILTER) == 0);
    check_made(&bench, &made, data[1]);
    made_segment_fini(&made);
    bench_fini(&bench);
    return 0;
}
