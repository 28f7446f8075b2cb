/* rules_test.c -- each replay rule of format/README.md by itself, on a whole database. */
#include "damage.h"
#include "oracle.h"

#include "format/log_header.h"
#include "io/io_fault.h"

enum { KILLED_ONE_LOG = 1, CLOSED_THREE_LOGS = 3, KILLED_THREE_LOGS = 4 }; /* in damage_shapes */

/* The first log of the folder that has records. */
static const struct damage_file *first_log(const struct damage_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strstr(files->files[i].name, ".log") != NULL && files->files[i].data_bytes > LOG_HEADER_BYTES)
            return &files->files[i];
    }
    fail_msg("no log has records");
    return NULL;
}

static const struct damage_file *last_log(const struct damage_files *files)
{
    const struct damage_file *last = first_log(files);
    for (size_t i = 0; i < files->count; i++) {
        if (strstr(files->files[i].name, ".log") != NULL && files->files[i].data_bytes > LOG_HEADER_BYTES)
            last = &files->files[i];
    }
    return last;
}

static void flip(struct io_mem *mem, const struct damage_file *file, size_t at)
{
    uint8_t flipped = file->bytes[at] ^ 0x40;
    assert_true(io_mem_damage(mem, file->path, &flipped, 1, at));
}

/* Opening for writing is refused by the rule, with all that a refusal has to say, and changes nothing. */
static void expect_refusal(struct io_mem *mem, struct io *io, enum kvs_code code, const char *rule, const char *name)
{
    struct kvs_db *db;
    struct io_mem *before = io_mem_clone_after_kill(mem);
    char difference[200];
    struct kvs_status status = db_open(&db, io, DAMAGE_FOLDER, NULL);
    assert_int_equal(status.code, code);
    const char *parts[] = {rule,
                           name,
                           "expected record",
                           "at risk",
                           "nothing was changed",
                           "next: kvstore_tool repair --plan " DAMAGE_FOLDER};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strstr(status_text(status), parts[i]) == NULL)
            fail_msg("the refusal does not say \"%s\": %s", parts[i], status_text(status));
    }
    if (!io_mem_is_equal(mem, before, difference, sizeof difference))
        fail_msg("a refusal changed the disk: %s", difference);
    assert_int_equal(io_mem_open_count(mem), 0);
    io_mem_free(before);
}

/* Rule 1. A disk that cannot be read for a moment would be taken for the end of a log, and what follows thrown away. */
static void damage_rule_1_a_failed_read_of_a_log_is_no_end(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[KILLED_THREE_LOGS]);
    struct damage_expectation whole = {.may_open = true, .sequence = base->last_sequence};
    bool was_reached = true;
    for (uint64_t nth = 1; was_reached; nth++) {
        struct io_fault *fault = io_fault_new(io_mem_as_io(base->mem));
        assert_non_null(fault);
        io_fault_add(
            fault, &(struct io_fault_rule){
                       .call = IO_CALL_READ, .nth = nth, .action = IO_FAULT_FAIL, .sys_errno = 5, .name_part = ".log"});
        struct kvs_db *db;
        struct kvs_options options;
        kvs_options_default(&options);
        options.read_only = true;
        struct kvs_status status = db_open(&db, io_fault_as_io(fault), DAMAGE_FOLDER, &options);
        was_reached = io_fault_fired_count(fault) > 0;
        assert_int_equal(status.code, was_reached ? KVS_IO : KVS_OK);
        if (!was_reached)
            assert_true(status_is_ok(kvs_close(db)));
        else if (strstr(status_text(status), "replay rule 1") == NULL)
            fail_msg("read %d of a log failed: %s", (int)nth, status_text(status));
        io_fault_free(fault);
        assert_true(nth > 1 || was_reached);
    }
    damage_open_for_writing(base, base->mem, "after failed reads", "", &whole);
    damage_base_free(base);
}

/* Rule 2, missing. Without it the records of a lost file would be skipped. */
static void damage_rule_2_a_missing_log_is_refused(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[KILLED_ONE_LOG]);
    struct damage_files *files = damage_files_new(base->mem);
    assert_true(status_is_ok(io_unlink(io_mem_as_io(base->mem), first_log(files)->path)));
    expect_refusal(base->mem, io_mem_as_io(base->mem), KVS_CORRUPT, "replay rule 2", first_log(files)->name);
    damage_files_free(files);
    damage_base_free(base);
}

/* Rule 2, too short. A log that lost its end would be taken for one that never had it. */
static void damage_rule_2_a_log_shorter_than_preallocated_is_refused(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[KILLED_ONE_LOG]);
    struct damage_files *files = damage_files_new(base->mem);
    const struct damage_file *log = first_log(files);
    assert_true(io_mem_resize(base->mem, log->path, log->size - 1));
    expect_refusal(base->mem, io_mem_as_io(base->mem), KVS_CORRUPT, "replay rule 2", log->name);
    damage_files_free(files);
    damage_base_free(base);
}

/* Rule 2, damaged before the listed end: even the last record of a closed log, which no later one vouches for. */
static void damage_rule_2_a_log_damaged_before_its_listed_end_is_refused(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[CLOSED_THREE_LOGS]);
    struct damage_files *files = damage_files_new(base->mem);
    const struct damage_file *log = last_log(files);
    flip(base->mem, log, log->data_bytes - 1);
    expect_refusal(base->mem, io_mem_as_io(base->mem), KVS_CORRUPT, "replay rule 2", log->name);
    damage_files_free(files);
    damage_base_free(base);
}

/* Rule 2, header. A log whose identity is gone cannot be verified at all. */
static void damage_rule_2_a_log_without_its_header_is_refused(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[KILLED_ONE_LOG]);
    struct damage_files *files = damage_files_new(base->mem);
    flip(base->mem, first_log(files), 33);
    expect_refusal(base->mem, io_mem_as_io(base->mem), KVS_CORRUPT, "replay rule 2", first_log(files)->name);
    damage_files_free(files);
    damage_base_free(base);
}

/* Rule 3. A record that a later one vouches for is damaged: the rest of the log would be taken for a torn tail. */
static void damage_rule_3_a_missing_durable_record_is_refused(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[KILLED_ONE_LOG]);
    struct damage_files *files = damage_files_new(base->mem);
    flip(base->mem, first_log(files), LOG_HEADER_BYTES + LOG_RECORD_HEADER_BYTES + 3);
    expect_refusal(base->mem, io_mem_as_io(base->mem), KVS_CORRUPT, "replay rule 3", first_log(files)->name);
    damage_files_free(files);
    damage_base_free(base);
}

/* Rule 3, by a log that the manifest forgot. The edit that listed a log is damaged: the log would be unlinked with all that was acknowledged in it. (It is rule 2
 * where the log that was listed before has been unlinked already, which is a matter of time; wal_replay_unlisted_log_proves_that_a_listing_was_lost is not.) */
static void damage_rule_3_a_log_that_the_manifest_lost_is_refused(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[KILLED_ONE_LOG]);
    struct damage_files *files = damage_files_new(base->mem);
    const struct damage_file *manifest = NULL;
    for (size_t i = 0; i < files->count; i++)
        manifest = strncmp(files->files[i].name, "MANIFEST", 8) == 0 ? &files->files[i] : manifest;
    assert_non_null(manifest);
    struct oracle_verdict verdict = {.rule = 0};
    for (size_t at = manifest->data_bytes - 1; at > FILE_HEADER_BYTES && verdict.rule == 0; at--) {
        assert_true(io_mem_damage(base->mem, manifest->path, "", 1, at));
        verdict = oracle_judge(base->mem, DAMAGE_FOLDER);
    }
    assert_true(verdict.rule == 2 || verdict.rule == 3);
    expect_refusal(base->mem, io_mem_as_io(base->mem), KVS_CORRUPT,
                   verdict.rule == 3 ? "replay rule 3" : "replay rule 2", ".log");
    damage_files_free(files);
    damage_base_free(base);
}

/* Rule 4. A write that a crash cut short is normal: it would keep a user out, or be thrown away without a copy. */
static void damage_rule_4_a_torn_tail_is_cut_and_kept_aside(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[KILLED_ONE_LOG]);
    struct damage_files *files = damage_files_new(base->mem);
    const struct damage_file *log = first_log(files);
    flip(base->mem, log, log->data_bytes - 1);
    struct oracle_verdict verdict = oracle_judge(base->mem, DAMAGE_FOLDER);
    assert_int_equal(verdict.rule, 0);
    assert_int_equal(verdict.sequence, base->before_last);
    struct kvs_db *db;
    struct kvs_stats stats;
    assert_true(status_is_ok(db_open(&db, io_mem_as_io(base->mem), DAMAGE_FOLDER, NULL)));
    kvs_stats(db, &stats);
    assert_true(stats.set_aside_bytes > 0);
    assert_int_equal(kvs_published_sequence(db) >= base->before_last, 1);
    assert_true(status_is_ok(kvs_close(db)));
    /* Byte for byte, where it began. */
    char path[128];
    size_t size;
    snprintf(path, sizeof path, DAMAGE_FOLDER "/lost/%s.%zu.tail", log->name,
             (size_t)(log->data_bytes - stats.set_aside_bytes));
    uint8_t *tail = io_mem_copy_file(base->mem, &size, path);
    if (tail == NULL)
        fail_msg("%s is not there", path);
    assert_int_equal(size, stats.set_aside_bytes);
    uint8_t flipped = log->bytes[log->data_bytes - 1] ^ 0x40;
    assert_memory_equal(tail, log->bytes + log->data_bytes - size, size - 1);
    assert_int_equal(tail[size - 1], flipped);
    free(tail);
    damage_files_free(files);
    damage_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_rule_1_a_failed_read_of_a_log_is_no_end),
        cmocka_unit_test(damage_rule_2_a_missing_log_is_refused),
        cmocka_unit_test(damage_rule_2_a_log_shorter_than_preallocated_is_refused),
        cmocka_unit_test(damage_rule_2_a_log_damaged_before_its_listed_end_is_refused),
        cmocka_unit_test(damage_rule_2_a_log_without_its_header_is_refused),
        cmocka_unit_test(damage_rule_3_a_missing_durable_record_is_refused),
        cmocka_unit_test(damage_rule_3_a_log_that_the_manifest_lost_is_refused),
        cmocka_unit_test(damage_rule_4_a_torn_tail_is_cut_and_kept_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
