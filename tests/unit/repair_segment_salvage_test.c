/* repair_segment_salvage_test.c -- what a salvage finds in damaged segments, and what it says of the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/io_mem.h"
#include "repair/segment_salvage.h"
#include "segment/segment_writer.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER "/db"
#define PATH "/db/000001.seg"

enum { ENTRIES = 200, KEY_BYTES = 16 };

struct world {
    struct io_mem *mem;
    struct segment_meta meta;
    uint8_t *bytes;
    size_t size;
    struct repair_report report;
};

static struct kvs_slice key_text(char out[KEY_BYTES], int number)
{
    return slice_of(out, (size_t)snprintf(out, KEY_BYTES, "key%05d", number));
}

/* Every third entry is a delete; the sequence number is one more than the key's. */
static struct world *world_new(enum segment_codec codec)
{
    struct world *world = calloc(1, sizeof *world);
    struct segment_writer *writer;
    world->mem = io_mem_new(1, NULL);
    struct io *io = io_mem_as_io(world->mem);
    assert_int_equal(io_make_directory(io, FOLDER).code, KVS_OK);
    struct segment_writer_options options = {
        .number = 1, .codec = codec, .level = 1, .block_bytes = 512, .filter_bits_per_key = 10};
    assert_int_equal(segment_writer_new(&writer, io, FOLDER, &options).code, KVS_OK);
    for (int i = 0; i < ENTRIES; i++) {
        char key[KEY_BYTES];
        bool is_delete = i % 3 == 2;
        struct kvs_slice value = slice_of_text(is_delete ? "" : "a value that compresses, compresses, compresses");
        assert_int_equal(
            segment_writer_add(
                writer, key_of(key_text(key, i), key_trailer((uint64_t)i + 1, is_delete ? KEY_DELETE : KEY_PUT)), value)
                .code,
            KVS_OK);
    }
    assert_int_equal(segment_writer_finish(writer, &world->meta).code, KVS_OK);
    world->bytes = io_mem_copy_file(world->mem, &world->size, PATH);
    repair_report_init(&world->report);
    return world;
}

static void world_free(struct world *world)
{
    repair_report_fini(&world->report);
    segment_meta_fini(&world->meta);
    free(world->bytes);
    io_mem_free(world->mem);
    free(world);
}

static void flip(struct world *world, size_t offset)
{
    uint8_t flipped = world->bytes[offset] ^ 0x08;
    assert_true(io_mem_damage(world->mem, PATH, &flipped, 1, offset));
}

static void mend(struct world *world)
{
    assert_true(io_mem_damage(world->mem, PATH, world->bytes, world->size, 0));
    repair_report_cut(&world->report, 0);
}

/* Salvage, and check that what the stream gives are entries as they were, in order. found: out, which of them; returns their number. */
static size_t salvage(struct world *world, bool found[ENTRIES], bool with_meta)
{
    struct segment_salvage *salvage = NULL;
    size_t count = 0;
    memset(found, 0, ENTRIES);
    assert_int_equal(segment_salvage_new(&salvage, io_mem_as_io(world->mem), FOLDER, 1, with_meta ? &world->meta : NULL,
                                         &world->report)
                         .code,
                     KVS_OK);
    if (salvage == NULL)
        return 0;
    struct entry_stream *stream;
    assert_int_equal(segment_salvage_stream(&stream, salvage).code, KVS_OK);
    assert_int_equal(entry_stream_next(stream).code, KVS_OK);
    for (int at = 0; stream->valid; count++) {
        char key[KEY_BYTES];
        while (!slice_equal(key_text(key, at), stream->key.user))
            assert_true(++at < ENTRIES);
        assert_false(found[at]);
        found[at] = true;
        assert_int_equal(key_sequence(stream->key.trailer), at + 1);
        assert_int_equal(stream->value.size == 0, at % 3 == 2);
        assert_int_equal(entry_stream_next(stream).code, KVS_OK);
    }
    assert_int_equal(segment_salvage_entries(salvage), count);
    entry_stream_free(stream);
    segment_salvage_free(salvage);
    assert_int_equal(io_mem_open_count(world->mem), 0);
    return count;
}

/* One damaged byte costs one block at most, its keys are told, and its number of entries. */
static void check_flips(enum segment_codec codec, bool with_meta)
{
    struct world *world = world_new(codec);
    bool found[ENTRIES];
    for (size_t at = 0; at < world->size; at += 7) {
        flip(world, at);
        size_t count = salvage(world, found, with_meta);
        if (count == 0) { /* without the manifest's word the header must be sound */
            assert_true(!with_meta && at < 64);
            mend(world);
            continue;
        }
        assert_true(count + 40 >= ENTRIES);
        if (count < ENTRIES) {
            assert_true(world->report.finding_count >= 1);
            const struct repair_finding *finding = &world->report.findings[0];
            assert_true(finding->is_lost && finding->offset <= at && at < finding->end);
            assert_true(!with_meta || finding->entries == ENTRIES - count);
        }
        for (int i = 0; i < ENTRIES && with_meta; i++) {
            char key[KEY_BYTES];
            struct kvs_slice slice = key_text(key, i);
            if (!found[i])
                assert_true(world->report.findings[0].has_keys &&
                            slice_compare(world->report.findings[0].first_key, slice) <= 0 &&
                            slice_compare(slice, world->report.findings[0].last_key) <= 0);
        }
        mend(world);
    }
    world_free(world);
}

/* A damaged byte would cost the whole file. */
static void repair_salvage_of_a_flipped_byte_loses_one_block(void **state)
{
    (void)state;
    check_flips(SEGMENT_CODEC_ZSTD, true);
    check_flips(SEGMENT_CODEC_NONE, true);
}

/* So it would where the manifest is lost too. */
static void repair_salvage_without_a_manifest_loses_one_block(void **state)
{
    (void)state;
    check_flips(SEGMENT_CODEC_ZSTD, false);
    check_flips(SEGMENT_CODEC_NONE, false);
}

/* A file that lost its end, and with it index and footer, would be lost; or its loss not be told, where it is cut between two blocks. */
static void repair_salvage_of_a_truncated_file_finds_the_blocks_before(void **state)
{
    (void)state;
    struct world *world = world_new(SEGMENT_CODEC_ZSTD);
    bool found[ENTRIES];
    size_t before = 0;
    for (size_t size = 0; size < world->size; size++) {
        assert_true(io_mem_resize(world->mem, PATH, size));
        (void)salvage(world, found, false);
        assert_true(world->report.finding_count != 0);
        repair_report_cut(&world->report, 0);
        size_t count = salvage(world, found, true);
        assert_true(count >= before); /* longer files never give less */
        for (size_t i = 0; i < count; i++)
            assert_true(found[i]);
        assert_int_equal(repair_report_has_loss(&world->report), count < ENTRIES);
        before = count;
        assert_true(io_mem_resize(world->mem, PATH, world->size));
        mend(world);
    }
    assert_int_equal(before, ENTRIES);
    world_free(world);
}

/* A sound file would be reported as damaged where the manifest is lost. */
static void repair_salvage_of_a_sound_file_has_no_finding(void **state)
{
    (void)state;
    struct world *world = world_new(SEGMENT_CODEC_ZSTD);
    bool found[ENTRIES];
    assert_int_equal(salvage(world, found, false), ENTRIES);
    assert_int_equal(world->report.finding_count, 0);
    world_free(world);
}

static void repair_salvage_of_a_missing_file_is_a_finding(void **state)
{
    (void)state;
    struct world *world = world_new(SEGMENT_CODEC_NONE);
    bool found[ENTRIES];
    assert_int_equal(io_unlink(io_mem_as_io(world->mem), PATH).code, KVS_OK);
    assert_int_equal(salvage(world, found, true), 0);
    assert_int_equal(world->report.finding_count, 1);
    assert_int_equal(world->report.findings[0].entries, ENTRIES);
    assert_true(slice_equal(world->report.findings[0].first_key, slice_of_text("key00000")));
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repair_salvage_of_a_flipped_byte_loses_one_block),
        cmocka_unit_test(repair_salvage_without_a_manifest_loses_one_block),
        cmocka_unit_test(repair_salvage_of_a_truncated_file_finds_the_blocks_before),
        cmocka_unit_test(repair_salvage_of_a_sound_file_has_no_finding),
        cmocka_unit_test(repair_salvage_of_a_missing_file_is_a_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
