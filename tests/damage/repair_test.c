/* repair_test.c -- repair and salvage of damaged databases: exactly the loss that the plan told of, the originals kept, and no crash in between that matters. */
#include "damage.h"

#include "io/io_fault.h"
#include "repair/repair.h"

#define NEW_FOLDER "/new"

/* KVS_DAMAGE_STRIDE  every so many bytes, times a prime, are damaged and repaired */
#ifndef KVS_DAMAGE_STRIDE
#define KVS_DAMAGE_STRIDE 1
#endif
enum {
    FLIP_STRIDE = 61 * KVS_DAMAGE_STRIDE,
    CUT_STRIDE = 101 * KVS_DAMAGE_STRIDE,
    CRASH_STRIDE = KVS_DAMAGE_STRIDE == 1 ? 1 : 4, /* each crash opens four databases, with their threads */
};

static void must(struct kvs_status status, const char *what)
{
    if (!status_is_ok(status))
        fail_msg("%s: %s", what, status_text(status));
}

/* ---- What a plan allows to be missing ---- */

/* Whether a report tells that this key may show something else than it should. */
static bool may_differ(const struct damage_base *base, const struct repair_report *report, unsigned key)
{
    char text[8];
    struct kvs_slice slice = damage_key(text, key);
    if (report->mode == REPAIR_REBUILD && report->salvaged_segments == 0 && report->log_records == 0)
        return true;
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct repair_finding *finding = &report->findings[i];
        if (!finding->is_lost)
            continue;
        if (finding->part == REPAIR_SEGMENT && (!finding->has_keys || (slice_compare(finding->first_key, slice) <= 0 &&
                                                                       slice_compare(slice, finding->last_key) <= 0)))
            return true;
        uint64_t last = finding->last_sequence == 0 ? base->last_sequence : finding->last_sequence;
        for (uint64_t at = finding->first_sequence; finding->part == REPAIR_LOG && at <= last; at++) {
            if (at > 0 && base->changes[at].key == key)
                return true;
        }
    }
    return false;
}

/* Each key shows what it should, unless the report tells of a loss that concerns it; then a value that it had once, or nothing. Where a torn tail is cut the last
 * commit may be missing. Returns the number of keys that differ. */
static unsigned compare(const struct damage_base *base, struct kvs_db *db, const struct repair_report *report,
                        const char *what)
{
    unsigned different = 0;
    for (unsigned key = 0; key < DAMAGE_KEYS; key++) {
        struct kvs_value value;
        bool found, is_right = false, is_old = false;
        char text[8];
        must(kvs_get(db, &value, &found, damage_key(text, key), NULL), what);
        is_right = damage_is_right(base, key, found ? &value.bytes : NULL, base->last_sequence) ||
                   (base->shape.ending != DAMAGE_CLOSED &&
                    damage_is_right(base, key, found ? &value.bytes : NULL, base->before_last));
        for (uint64_t at = 0; at < base->last_sequence && !is_right; at++)
            is_old |= damage_is_right(base, key, found ? &value.bytes : NULL, at);
        if (found)
            kvs_value_release(&value);
        if (is_right)
            continue;
        different++;
        if (!is_old)
            fail_msg("%s: key %u has a value that it never had", what, key);
        if (!may_differ(base, report, key))
            fail_msg("%s: key %u is not what it was, and the plan did not tell", what, key);
    }
    return different;
}

/* ---- One damage ---- */

static struct repair *survey(struct io_mem *mem, bool for_salvage, const char *what)
{
    struct repair *repair;
    must(repair_survey(&repair, io_mem_as_io(mem), DAMAGE_FOLDER, for_salvage), what);
    return repair;
}

static struct kvs_db *open_folder(struct io_mem *mem, const char *folder, const char *what)
{
    struct kvs_db *db;
    struct kvs_options options;
    kvs_options_default(&options);
    options.create_if_missing = false;
    must(db_open(&db, io_mem_as_io(mem), folder, &options), what);
    return db;
}

/* Whether the database opens for reading and verifies whole. */
static bool is_sound(struct io_mem *mem)
{
    struct kvs_db *db;
    struct kvs_options options;
    kvs_options_default(&options);
    options.read_only = true;
    if (!status_is_ok(db_open(&db, io_mem_as_io(mem), DAMAGE_FOLDER, &options)))
        return false;
    bool verifies = status_is_ok(kvs_verify(db, NULL, NULL));
    must(kvs_close(db), "closing");
    return verifies;
}

/* A file that the report calls an original is still there, byte for byte, under one of its names. */
static void check_originals(struct io_mem *damaged, struct io_mem *mem, const struct repair_report *report,
                            const char *what)
{
    for (size_t i = 0; i < report->original_count; i++) {
        char path[128], lost[128];
        size_t size, first_size = 0, second_size = 0;
        snprintf(path, sizeof path, DAMAGE_FOLDER "/%s", report->originals[i].name);
        snprintf(lost, sizeof lost, DAMAGE_FOLDER "/lost/%s", report->originals[i].name);
        uint8_t *bytes = io_mem_copy_file(damaged, &size, path);
        uint8_t *first = io_mem_copy_file(mem, &first_size, path), *second = io_mem_copy_file(mem, &second_size, lost);
        bool is_kept = (first != NULL && first_size == size && memcmp(first, bytes, size) == 0) ||
                       (second != NULL && second_size == size && memcmp(second, bytes, size) == 0);
        free(bytes);
        free(first);
        free(second);
        if (!is_kept)
            fail_msg("%s: the original %s is gone", what, report->originals[i].name);
    }
}

static void expect_sound_and_told(const struct damage_base *base, struct io_mem *mem, const char *folder,
                                  const struct repair_report *report, const char *what)
{
    struct kvs_db *db = open_folder(mem, folder, what);
    unsigned different = compare(base, db, report, what);
    must(kvs_verify(db, NULL, NULL), what);
    /* It takes writes, and they outlive it. */
    must(kvs_put(db, slice_of_text("a new key"), slice_of_text("and its value"), NULL), what);
    must(kvs_close(db), what);
    db = open_folder(mem, folder, what);
    assert_int_equal(compare(base, db, report, what), different);
    struct kvs_value value;
    bool found;
    must(kvs_get(db, &value, &found, slice_of_text("a new key"), NULL), what);
    assert_true(found);
    kvs_value_release(&value);
    must(kvs_close(db), what);
}

static void salvage_and_check(const struct damage_base *base, struct io_mem *mem, const char *what)
{
    struct io_mem *before = io_mem_clone_after_kill(mem);
    struct repair *repair = survey(mem, true, what);
    must(repair_salvage(repair, NEW_FOLDER), what);
    expect_sound_and_told(base, mem, NEW_FOLDER, repair_report_of(repair), what);
    repair_free(repair);
    /* What was salvaged is as it was. */
    struct damage_files *files = damage_files_new(before), *after = damage_files_new(mem);
    assert_int_equal(files->count, after->count);
    for (size_t i = 0; i < files->count; i++) {
        assert_int_equal(files->files[i].size, after->files[i].size);
        assert_memory_equal(files->files[i].bytes, after->files[i].bytes, files->files[i].size);
    }
    damage_files_free(files);
    damage_files_free(after);
    io_mem_free(before);
}

/* Plan, apply and judge on a copy of a damaged disk; salvage on another. Returns the mode. */
static enum repair_mode repair_and_check(const struct damage_base *base, struct io_mem *damaged, const char *what)
{
    char difference[200];
    struct io_mem *mem = io_mem_clone_after_kill(damaged), *other = io_mem_clone_after_kill(damaged);
    assert_true(mem != NULL && other != NULL);
    struct io_mem *looked_at = io_mem_clone_after_kill(damaged); /* looking makes a LOCK where there is none */
    bool was_sound = is_sound(looked_at);
    io_mem_free(looked_at);
    struct repair *repair = survey(mem, false, what);
    const struct repair_report *report = repair_report_of(repair);
    enum repair_mode mode = report->mode;
    if (!io_mem_is_equal(mem, damaged, difference, sizeof difference))
        fail_msg("%s: the plan changed the disk: %s", what, difference);
    if (was_sound != (mode == REPAIR_NOTHING))
        fail_msg("%s: the database is %s, the plan is %d", what, was_sound ? "sound" : "refused or damaged", mode);
    must(repair_apply(repair), what);
    check_originals(damaged, mem, report, what);
    expect_sound_and_told(base, mem, DAMAGE_FOLDER, report, what);
    check_originals(damaged, mem, report, what);
    repair_free(repair);
    repair = survey(mem, false, what);
    assert_int_equal(repair_report_of(repair)->mode, REPAIR_NOTHING);
    repair_free(repair);
    salvage_and_check(base, other, what);
    assert_int_equal(io_mem_open_count(mem), 0);
    io_mem_free(mem);
    io_mem_free(other);
    return mode;
}

/* ---- Many damages ---- */

typedef void damage_one(const struct damage_base *base, const struct damage_file *file, unsigned *modes);

static void for_all_files(const char *kind, damage_one *damage)
{
    for (size_t i = 0; i < damage_shape_count; i++) {
        unsigned modes[3] = {0};
        struct damage_base *base = damage_base_new(&damage_shapes[i]);
        struct damage_files *files = damage_files_new(base->mem);
        for (size_t j = 0; j < files->count; j++)
            damage(base, &files->files[j], modes);
        print_message("%-27s %-8s: nothing to repair %u, patched %u, rebuilt %u\n", base->shape.name, kind, modes[0],
                      modes[1], modes[2]);
        damage_files_free(files);
        damage_base_free(base);
    }
}

static void flip_some(const struct damage_base *base, const struct damage_file *file, unsigned *modes)
{
    for (size_t at = 0; at < file->data_bytes; at += FLIP_STRIDE) {
        char what[160];
        uint8_t flipped = file->bytes[at] ^ 0x10;
        snprintf(what, sizeof what, "%s: a flipped bit at %zu of %s", base->shape.name, at, file->name);
        assert_true(io_mem_damage(base->mem, file->path, &flipped, 1, at));
        modes[repair_and_check(base, base->mem, what)]++;
        assert_true(io_mem_damage(base->mem, file->path, file->bytes + at, 1, at));
    }
}

static void cut_some(const struct damage_base *base, const struct damage_file *file, unsigned *modes)
{
    for (size_t at = 0; at < file->data_bytes; at += CUT_STRIDE) {
        char what[160];
        snprintf(what, sizeof what, "%s: %s cut at %zu", base->shape.name, file->name, at);
        assert_true(io_mem_resize(base->mem, file->path, at));
        modes[repair_and_check(base, base->mem, what)]++;
        assert_true(io_mem_resize(base->mem, file->path, file->size));
        assert_true(io_mem_damage(base->mem, file->path, file->bytes + at, file->size - at, at));
    }
}

static void remove_it(const struct damage_base *base, const struct damage_file *file, unsigned *modes)
{
    char what[160];
    struct io_mem *mem = io_mem_clone_after_kill(base->mem);
    snprintf(what, sizeof what, "%s: %s is missing", base->shape.name, file->name);
    must(io_unlink(io_mem_as_io(mem), file->path), what);
    modes[repair_and_check(base, mem, what)]++;
    io_mem_free(mem);
}

/* A repair would lose, or bring back, what the plan did not tell. */
static void repair_of_flipped_bytes_loses_what_the_plan_said(void **state)
{
    (void)state;
    for_all_files("flipped", flip_some);
}

static void repair_of_truncated_files_loses_what_the_plan_said(void **state)
{
    (void)state;
    for_all_files("cut", cut_some);
}

static void repair_of_missing_files_loses_what_the_plan_said(void **state)
{
    (void)state;
    for_all_files("missing", remove_it);
}

/* ---- Crashes ---- */

/* A folder that a crashed repair left is repaired again, and has the same contents and all originals. */
static void repair_again(const struct damage_base *base, struct io_mem *damaged, struct io_mem *crashed,
                         const struct repair_report *report, const char *what)
{
    check_originals(damaged, crashed, report, what);
    struct repair *repair = survey(crashed, false, what);
    must(repair_apply(repair), what);
    repair_free(repair);
    expect_sound_and_told(base, crashed, DAMAGE_FOLDER, report, what);
    check_originals(damaged, crashed, report, what);
}

/* Cut the power before and after every call of a repair. Returns the number of calls. */
static uint64_t crash_everywhere(const struct damage_base *base, struct io_mem *damaged, const char *what)
{
    for (uint64_t call = 1;; call += CRASH_STRIDE) {
        bool has_crashed = false;
        for (enum io_mem_moment moment = IO_MEM_BEFORE; moment <= IO_MEM_AFTER; moment++) {
            struct io_mem *mem = io_mem_clone_after_kill(damaged);
            struct repair *repair = survey(mem, false, what);
            io_mem_crash_at(mem, io_mem_call_count(mem) + call, moment);
            struct kvs_status status = repair_apply(repair);
            has_crashed = io_mem_has_crashed(mem);
            assert_true(has_crashed || status_is_ok(status));
            for (unsigned keep = 0; has_crashed && keep < 2; keep++) {
                struct io_mem *after =
                    io_mem_clone_after_power_cut(mem, call, keep == 0 ? IO_MEM_KEEP_NONE : IO_MEM_KEEP_ALL);
                repair_again(base, damaged, after, repair_report_of(repair), what);
                io_mem_free(after);
            }
            repair_free(repair);
            io_mem_free(mem);
        }
        if (!has_crashed)
            return call - 1;
    }
}

/* A power cut inside a repair would cost more than the damage did. */
static void repair_crash_at_any_call_leaves_what_a_second_repair_finishes(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[4]);
    struct damage_files *files = damage_files_new(base->mem);
    bool has_segment = false, has_log = false;
    for (size_t i = 0; i < files->count; i++) {
        const struct damage_file *file = &files->files[i];
        bool is_segment = strstr(file->name, ".seg") != NULL, is_log = strstr(file->name, ".log") != NULL;
        if ((is_segment && has_segment) || (is_log && (has_log || file->data_bytes < 200)) ||
            strcmp(file->name, "LOCK") == 0)
            continue;
        has_segment |= is_segment;
        has_log |= is_log;
        char what[160];
        uint8_t flipped = file->bytes[70] ^ 0x10;
        snprintf(what, sizeof what, "a repair of %s that crashes", file->name);
        flipped = is_log ? file->bytes[150] ^ 0x10 : flipped;
        assert_true(io_mem_damage(base->mem, file->path, &flipped, 1, is_log ? 150 : 70));
        uint64_t calls = crash_everywhere(base, base->mem, what);
        print_message("%s: %d calls\n", what, (int)calls);
        assert_true(calls > 10);
        assert_true(io_mem_damage(base->mem, file->path, file->bytes, file->size, 0));
    }
    damage_files_free(files);
    damage_base_free(base);
}

/* ---- Failing calls ---- */

/* Fail one call of a kind after the survey; what that leaves is repaired again. Returns whether there was such a call. */
static bool fail_one(const struct damage_base *base, enum io_call call, uint64_t nth, int sys_errno)
{
    char what[100];
    struct repair *repair;
    struct io_mem *mem = io_mem_clone_after_kill(base->mem);
    struct io_fault *fault = io_fault_new(io_mem_as_io(mem));
    snprintf(what, sizeof what, "a repair whose %s %d fails", io_call_name(call), (int)nth);
    must(repair_survey(&repair, io_fault_as_io(fault), DAMAGE_FOLDER, false), what);
    io_fault_fail(fault, call, nth, sys_errno, false);
    struct kvs_status status = repair_apply(repair);
    bool was_reached = io_fault_fired_count(fault) > 0;
    assert_true(was_reached || status_is_ok(status));
    /* What fails after the new manifest is current is only tidying up. */
    if (was_reached && call != IO_CALL_UNLINK)
        assert_false(status_is_ok(status));
    io_fault_clear(fault);
    repair_again(base, base->mem, mem, repair_report_of(repair), what);
    repair_free(repair);
    io_fault_free(fault);
    assert_int_equal(io_mem_open_count(mem), 0);
    io_mem_free(mem);
    return was_reached;
}

/* A full or failing disk in the middle of a repair would cost more than the damage did. */
static void repair_failing_call_leaves_what_a_second_repair_finishes(void **state)
{
    (void)state;
    static const enum io_call calls[] = {
        IO_CALL_OPEN, IO_CALL_READ,           IO_CALL_WRITE,  IO_CALL_SYNC,   IO_CALL_PREALLOCATE,
        IO_CALL_LINK, IO_CALL_MAKE_DIRECTORY, IO_CALL_RENAME, IO_CALL_UNLINK, IO_CALL_DIRECTORY_SYNC};
    struct damage_base *base = damage_base_new(&damage_shapes[5]);
    struct damage_files *files = damage_files_new(base->mem);
    for (size_t i = 0; i < files->count; i++) {
        if (strstr(files->files[i].name, ".seg") == NULL)
            continue;
        uint8_t flipped = files->files[i].bytes[70] ^ 0x10;
        assert_true(io_mem_damage(base->mem, files->files[i].path, &flipped, 1, 70));
    }
    uint64_t failed = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (uint64_t nth = 1; fail_one(base, calls[i], nth, nth % 2 == 0 ? 5 : 28); nth++)
            failed++;
    }
    print_message("%d failing calls\n", (int)failed);
    assert_true(failed > 20);
    damage_files_free(files);
    damage_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repair_of_flipped_bytes_loses_what_the_plan_said),
        cmocka_unit_test(repair_of_truncated_files_loses_what_the_plan_said),
        cmocka_unit_test(repair_of_missing_files_loses_what_the_plan_said),
        cmocka_unit_test(repair_crash_at_any_call_leaves_what_a_second_repair_finishes),
        cmocka_unit_test(repair_failing_call_leaves_what_a_second_repair_finishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
