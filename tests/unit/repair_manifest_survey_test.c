/* repair_manifest_survey_test.c -- which manifest a survey follows, and what it says of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/io_mem.h"
#include "repair/manifest_survey.h"
#include "version/manifest.h"

#include <stdlib.h>
#include <string.h>

#define FOLDER "/db"

static const uint8_t uuid[FILE_UUID_BYTES] = "a database";

/* A folder with manifests, made as an engine makes them. */
struct world {
    struct io_mem *mem;
    struct io *io;
    struct manifest_survey survey;
    struct repair_report report;
    struct kvs_status status;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world->mem = io_mem_new(1, NULL);
    world->io = io_mem_as_io(world->mem);
    assert_int_equal(io_make_directory(world->io, FOLDER).code, KVS_OK);
    manifest_state_init(&world->survey.state);
    repair_report_init(&world->report);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    manifest_survey_fini(&world->survey);
    repair_report_fini(&world->report);
    io_mem_free(world->mem);
    free(world);
    return 0;
}

/* A manifest that lists one log, of the number 100 more, then another in an edit of its own. It becomes current. */
static void make_manifest(struct world *world, uint64_t number)
{
    struct manifest *manifest;
    struct manifest_edit whole, edit;
    manifest_edit_init(&whole);
    manifest_edit_init(&edit);
    manifest_edit_set_owner(&whole, "a test");
    assert_int_equal(manifest_edit_add_log(&whole, 100 + number, 1).code, KVS_OK);
    assert_int_equal(manifest_edit_add_log(&edit, 200 + number, 9).code, KVS_OK);
    assert_int_equal(manifest_create(world->io, &manifest, FOLDER, uuid, number, 10 * number, &whole, 1).code, KVS_OK);
    assert_int_equal(manifest_append(manifest, &edit).code, KVS_OK);
    manifest_close(manifest);
    manifest_edit_fini(&whole);
    manifest_edit_fini(&edit);
}

static void survey(struct world *world)
{
    manifest_survey_fini(&world->survey);
    repair_report_cut(&world->report, 0);
    world->status = manifest_survey(world->io, &world->survey, FOLDER, &world->report);
    assert_int_equal(world->status.code, KVS_OK);
    assert_int_equal(io_mem_open_count(world->mem), 0);
}

static void flip(struct world *world, const char *path, size_t offset)
{
    size_t size;
    uint8_t *bytes = io_mem_copy_file(world->mem, &size, path);
    bytes[offset] ^= 1;
    assert_true(io_mem_damage(world->mem, path, bytes + offset, 1, offset));
    free(bytes);
}

/* Sound, following this manifest, with its owner and logs. */
static void expect_sound(const struct world *world, uint64_t number)
{
    assert_true(world->survey.is_sound && world->survey.has_uuid);
    assert_memory_equal(world->survey.uuid, uuid, sizeof uuid);
    assert_string_equal(world->survey.state.owner, "a test");
    assert_int_equal(world->survey.number, number);
    assert_int_equal(world->survey.last_record, 10 * number + 1);
    assert_int_equal(world->survey.state.logs.count, 2);
    assert_int_equal(world->survey.state.logs.logs[0].number, 100 + number);
}

static void expect_finding(const struct world *world, enum repair_part part, const char *file)
{
    assert_int_equal(world->report.finding_count, 1);
    assert_int_equal(world->report.findings[0].part, part);
    assert_string_equal(world->report.findings[0].file, file);
}

static void repair_manifest_survey_of_a_sound_folder_has_no_finding(void **state)
{
    struct world *world = *state;
    make_manifest(world, 1);
    make_manifest(world, 2);
    survey(world);
    expect_sound(world, 2);
    assert_int_equal(world->report.finding_count, 0);
    assert_int_equal(world->survey.next_number, 3);
}

/* Without CURRENT the folder would be given up, though the manifest has it all. */
static void repair_manifest_survey_without_current_takes_the_newest(void **state)
{
    struct world *world = *state;
    make_manifest(world, 1);
    make_manifest(world, 2);
    flip(world, FOLDER "/CURRENT", 70);
    survey(world);
    expect_sound(world, 2);
    expect_finding(world, REPAIR_CURRENT, "CURRENT");
    assert_int_equal(world->report.findings[0].offset, 80);
    assert_int_equal(io_unlink(world->io, FOLDER "/CURRENT").code, KVS_OK);
    survey(world);
    expect_sound(world, 2);
    expect_finding(world, REPAIR_CURRENT, "CURRENT");
}

/* An older manifest would be followed in the place of a newer one that is damaged: that takes acknowledged writes back. */
static void repair_manifest_survey_never_falls_back_to_an_older_one(void **state)
{
    struct world *world = *state;
    make_manifest(world, 1);
    make_manifest(world, 2);
    flip(world, FOLDER "/MANIFEST-000002", FILE_HEADER_BYTES + 60);
    survey(world);
    assert_false(world->survey.is_sound);
    expect_finding(world, REPAIR_MANIFEST, "MANIFEST-000002");
    assert_int_equal(io_unlink(world->io, FOLDER "/CURRENT").code, KVS_OK);
    survey(world);
    assert_false(world->survey.is_sound);
    assert_int_equal(world->report.finding_count, 2);
}

/* An older copy of CURRENT names a manifest that is gone: the newer one is there. */
static void repair_manifest_survey_of_an_older_current_takes_the_newer_manifest(void **state)
{
    struct world *world = *state;
    size_t size;
    make_manifest(world, 1);
    uint8_t *older = io_mem_copy_file(world->mem, &size, FOLDER "/CURRENT");
    make_manifest(world, 2);
    assert_true(io_mem_damage(world->mem, FOLDER "/CURRENT", older, size, 0));
    free(older);
    assert_int_equal(io_unlink(world->io, FOLDER "/MANIFEST-000001").code, KVS_OK);
    survey(world);
    expect_sound(world, 2);
    expect_finding(world, REPAIR_CURRENT, "CURRENT");
}

/* What was read before the damage would be thrown away: the owner, and which files are out of use. */
static void repair_manifest_survey_keeps_what_precedes_the_damage(void **state)
{
    struct world *world = *state;
    make_manifest(world, 1);
    assert_true(io_mem_resize(world->mem, FOLDER "/MANIFEST-000001", 1000));
    survey(world);
    assert_false(world->survey.is_sound);
    assert_string_equal(world->survey.state.owner, "a test");
    assert_int_equal(world->survey.state.logs.count, 2);
}

/* An empty folder is no database, damaged or not. */
static void repair_manifest_survey_of_an_empty_folder_is_not_found(void **state)
{
    struct world *world = *state;
    world->status = manifest_survey(world->io, &world->survey, FOLDER, &world->report);
    assert_int_equal(world->status.code, KVS_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(repair_manifest_survey_of_a_sound_folder_has_no_finding),
        TEST(repair_manifest_survey_without_current_takes_the_newest),
        TEST(repair_manifest_survey_never_falls_back_to_an_older_one),
        TEST(repair_manifest_survey_of_an_older_current_takes_the_newer_manifest),
        TEST(repair_manifest_survey_keeps_what_precedes_the_damage),
        TEST(repair_manifest_survey_of_an_empty_folder_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
