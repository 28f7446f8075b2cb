/* fuzz_seeds_test.c -- the seeds of the targets block, filter, segment and manifest are what the engine writes today. */

#include "fuzz_seed.h"

#include "base/buffer.h"
#include "block/block_builder.h"
#include "filter/filter_builder.h"
#include "io/io_mem.h"
#include "segment/segment_fences.h"
#include "segment/segment_writer.h"
#include "version/manifest.h"

enum {
    ENTRIES = 40,
    SEGMENT_NUMBER = 7,
    MANIFEST_NUMBER = 3,
    FLAG_FILE = 1,
    FLAG_CURRENT = 1,
    FLAG_WHOLE = 2,
    FLAG_FIELDS = 4,
    PART_DATA = 1
};

static void must(struct kvs_status status)
{
    if (!status_is_ok(status))
        fail_msg("%s", status_text(status));
}

/* ---- Entries ---- */

struct seed_entry {
    char key_bytes[24];
    char value_bytes[40];
    struct key key;
    struct kvs_slice value;
};

/* Two versions of every key, the older of every fourth a delete. */
static void make_entry(struct seed_entry *entry, unsigned index)
{
    bool is_delete = index % 8 == 7;
    snprintf(entry->key_bytes, sizeof entry->key_bytes, "seed/%04u", index / 2 * 3);
    snprintf(entry->value_bytes, sizeof entry->value_bytes, "value %u value %u value", index, index);
    entry->key = key_of(slice_of_text(entry->key_bytes), key_trailer(1000 - index, is_delete ? KEY_DELETE : KEY_PUT));
    entry->value = is_delete ? slice_of(NULL, 0) : slice_of_text(entry->value_bytes);
}

static void append(struct buffer *seed, const void *bytes, size_t size)
{
    must(buffer_append(seed, bytes, size));
}

static void append_byte(struct buffer *seed, unsigned byte)
{
    uint8_t value = (uint8_t)byte;
    append(seed, &value, 1);
}

static void append_file(struct buffer *seed, struct io_mem *mem, const char *path)
{
    size_t size;
    uint8_t *bytes = io_mem_copy_file(mem, &size, path);
    assert_non_null(bytes);
    append(seed, bytes, size);
    free(bytes);
}

static void check(struct buffer *seed, const char *target, const char *name)
{
    fuzz_seed_check(target, name, seed->data, seed->size);
    buffer_fini(seed);
}

/* ---- Blocks and filters ---- */

static void append_part_header(struct buffer *seed, enum segment_block_type type, size_t size)
{
    append_byte(seed, type);
    append_byte(seed, (unsigned)(size & 0xFF));
    append_byte(seed, (unsigned)(size >> 8));
}

/* Returns the size of the block. */
static size_t append_block(struct buffer *seed, unsigned first, unsigned end, bool is_part)
{
    struct block_builder builder;
    struct seed_entry entry;
    struct kvs_slice block;
    block_builder_init(&builder, 2);
    for (unsigned i = first; i < end; i++) {
        make_entry(&entry, i);
        must(block_builder_add(&builder, entry.key, entry.value));
    }
    must(block_builder_finish(&builder, &block));
    if (is_part)
        append_part_header(seed, SEGMENT_BLOCK_DATA, block.size);
    append(seed, block.data, block.size);
    size_t size = block.size;
    block_builder_fini(&builder);
    return size;
}

/* A fuzzer that starts from a block of an older format would search the present one from nothing; so for the other kinds below. */
static void fuzz_seeds_of_blocks_are_of_this_format(void **state)
{
    (void)state;
    struct buffer seed = {0};
    append_byte(&seed, 0);
    append_block(&seed, 0, 12, false);
    check(&seed, "block", "seed_block");
}

static void fuzz_seeds_of_filters_are_of_this_format(void **state)
{
    (void)state;
    struct buffer seed = {0};
    struct filter_builder builder = {0};
    append_byte(&seed, 0);
    for (unsigned i = 0; i < ENTRIES; i++)
        must(filter_builder_add(&builder, hash_mix(i, i)));
    must(filter_builder_finish(&builder, &seed, 10));
    filter_builder_fini(&builder);
    check(&seed, "filter", "seed_filter");
}

/* ---- Segments ---- */

/* Stored as it is: what zstd makes of it differs from version to version. */
static void check_segment_file(void)
{
    struct io_mem *mem = io_mem_new(1, NULL);
    assert_non_null(mem);
    struct segment_writer_options options = {.number = SEGMENT_NUMBER,
                                             .codec = SEGMENT_CODEC_NONE,
                                             .level = 1,
                                             .block_bytes = 512,
                                             .filter_bits_per_key = 10};
    struct segment_writer *writer;
    struct segment_meta meta;
    struct seed_entry entry;
    struct buffer seed = {0};
    must(segment_writer_new(&writer, io_mem_as_io(mem), "/", &options));
    for (unsigned i = 0; i < ENTRIES; i++) {
        make_entry(&entry, i);
        must(segment_writer_add(writer, entry.key, entry.value));
    }
    must(segment_writer_finish(writer, &meta));
    append_byte(&seed, FLAG_FILE);
    append_byte(&seed, 0);
    append_file(&seed, mem, "/000007.seg");
    segment_meta_fini(&meta);
    io_mem_free(mem);
    check(&seed, "segment", "seed_file");
}

/* Blocks that end anywhere, also between two versions of a key. with_index: the index is a part as well, not derived. */
static void check_segment_parts(const char *name, bool with_index)
{
    static const unsigned ends[] = {0, 9, 20, 31};
    struct buffer seed = {0}, index = {0};
    struct fences_builder fences = {0};
    append_byte(&seed, 0);
    append_byte(&seed, 0);
    for (size_t i = 0; i + 1 < sizeof ends / sizeof *ends; i++) {
        struct seed_entry first, before;
        size_t size = append_block(&seed, ends[i], ends[i + 1], true);
        make_entry(&first, ends[i]);
        make_entry(&before, i > 0 ? ends[i] - 1 : 0);
        must(fences_builder_add(&fences, first.key, before.key, size + SEGMENT_FRAME_BYTES));
    }
    must(fences_builder_finish(&fences, &index));
    if (with_index) {
        append_part_header(&seed, SEGMENT_BLOCK_INDEX, index.size);
        append(&seed, index.data, index.size);
    }
    fences_builder_fini(&fences);
    buffer_fini(&index);
    check(&seed, "segment", name);
}

static void fuzz_seeds_of_segments_are_of_this_format(void **state)
{
    (void)state;
    check_segment_file();
    check_segment_parts("seed_parts", false);
    check_segment_parts("seed_parts_with_index", true);
}

/* ---- Manifests ---- */

static void make_edit(struct manifest_edit *edit, uint64_t number)
{
    struct segment_meta meta = {.number = number,
                                .file_id = number,
                                .size_bytes = 4096,
                                .file_hash = 1,
                                .min_sequence = 1,
                                .max_sequence = 9,
                                .entry_count = 5,
                                .tombstone_count = 1,
                                .raw_key_bytes = 20,
                                .raw_value_bytes = 30};
    meta.smallest = key_of(slice_of_text("aa"), key_trailer(9, KEY_PUT));
    meta.largest = key_of(slice_of_text("zz"), key_trailer(1, KEY_PUT));
    manifest_edit_init(edit);
    edit->numbers = (struct manifest_numbers){.next_file_number = number + 1, .durable_record = number};
    must(manifest_edit_add_segment(edit, 0, number, &meta));
    must(manifest_edit_add_log(edit, number, number));
}

static void make_last_edit(struct manifest_edit *edit)
{
    must(manifest_edit_remove_segment(edit, 0, 1, 1));
    must(manifest_edit_end_log(edit, 1, 4096, 1));
    must(manifest_edit_drop_log(edit, 2));
}

/* A whole state, an edit that adds, and one that moves a segment and ends a log. */
static void write_manifest(struct io *io)
{
    static const uint8_t uuid[FILE_UUID_BYTES] = "fuzz a manifest";
    struct manifest *manifest;
    struct manifest_edit edit;
    make_edit(&edit, 1);
    manifest_edit_set_owner(&edit, "seed");
    must(manifest_create(io, &manifest, "/", uuid, MANIFEST_NUMBER, 1, &edit, 1));
    manifest_edit_fini(&edit);
    make_edit(&edit, 2);
    must(manifest_append(manifest, &edit));
    manifest_edit_fini(&edit);
    make_edit(&edit, 3);
    make_last_edit(&edit);
    must(manifest_append(manifest, &edit));
    manifest_edit_fini(&edit);
    manifest_close(manifest);
}

/* The edits of write_manifest as one stream of fields. */
static void check_manifest_fields(void)
{
    static const uint8_t cut[] = {127, 0};
    struct buffer seed = {0};
    append_byte(&seed, FLAG_FIELDS);
    append_byte(&seed, 0);
    for (uint64_t number = 1; number <= 3; number++) {
        struct manifest_edit edit;
        make_edit(&edit, number);
        if (number == 1)
            manifest_edit_set_owner(&edit, "seed");
        if (number == 3)
            make_last_edit(&edit);
        must(buffer_reserve(&seed, manifest_edit_size(&edit)));
        seed.size = (size_t)(manifest_edit_encode(buffer_end(&seed), &edit) - seed.data);
        append(&seed, cut, sizeof cut);
        manifest_edit_fini(&edit);
    }
    check(&seed, "manifest", "seed_fields");
}

static void fuzz_seeds_of_manifests_are_of_this_format(void **state)
{
    (void)state;
    struct buffer seed = {0};
    struct io_mem *mem = io_mem_new(1, NULL);
    assert_non_null(mem);
    check_manifest_fields();
    write_manifest(io_mem_as_io(mem));
    append_byte(&seed, FLAG_CURRENT | FLAG_WHOLE);
    append_byte(&seed, 0);
    append_file(&seed, mem, "/CURRENT");
    append_file(&seed, mem, "/MANIFEST-000003");
    /* The target adds the zeros of what was preallocated. */
    while (seed.size > 1024 && seed.data[seed.size - 65] == 0)
        seed.size--;
    check(&seed, "manifest", "seed_manifest");
    io_mem_free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fuzz_seeds_of_blocks_are_of_this_format),
        cmocka_unit_test(fuzz_seeds_of_filters_are_of_this_format),
        cmocka_unit_test(fuzz_seeds_of_segments_are_of_this_format),
        cmocka_unit_test(fuzz_seeds_of_manifests_are_of_this_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
