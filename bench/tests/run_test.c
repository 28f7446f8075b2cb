#include "test_support.h"

#include "bench/folder.h"
#include "bench/run.h"
#include "fake_engine.h"

#include <math.h>
#include <string.h>

enum { RECORDS = 2000, KEY_BYTES = 16, VALUE_BYTES = 100 };

static struct dataset dataset;
static char folder[FOLDER_PATH_BYTES];
static const struct workload_size size = {.sync_operations = 10, .threads = 2};

static int make(void **state)
{
    (void)state;
    return dataset_init(&dataset, 7, RECORDS, KEY_BYTES, VALUE_BYTES) && folder_make(folder, ".") ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    dataset_fini(&dataset);
    return folder_remove(folder) ? 0 : -1;
}

static struct outcome execute(const struct workload *workload, enum fake_fault fault)
{
    fake = (struct fake){fault, &dataset, workload_records(workload, &dataset, &size), workload->generation};
    struct run run = {
        .workload = workload,
        .engine = &fake_engine,
        .dataset = &dataset,
        .size = &size,
        .path = folder,
        .memory_bytes = 1 << 20,
        .limit_s = fault == FAKE_HANGS || fault == FAKE_NEVER_SETTLES ? 1 : 60,
    };
    return run_execute(&run);
}

static void check_fails(const char *name, enum fake_fault fault, const char *text)
{
    struct outcome outcome = execute(workload_find(slice_of_text(name)), fault);
    assert_false(outcome.ok);
    if (strstr(outcome.text, text) == NULL)
        fail_msg("%s: \"%s\" is not in \"%s\"", name, text, outcome.text);
}

/* An engine that answers rightly would be refused, or its figures be missing. */
static void run_of_every_workload_on_right_engine_reports(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_count; i++) {
        const struct workload *workload = &workloads[i];
        struct outcome outcome = execute(workload, FAKE_NONE);
        assert_string_equal(outcome.text, "");
        assert_true(outcome.ok);
        const double *values = outcome.report.values;
        bool each_scans_all = strcmp(workload->name, "readseq") == 0 || strcmp(workload->name, "readreverse") == 0;
        double expected = (double)workload_operations(workload, &dataset, &size) * (each_scans_all ? size.threads : 1);
        assert_true(values[METRIC_OPERATIONS] == expected);
        assert_true(values[METRIC_OPS] > 0 && values[METRIC_CPU] > 0 && values[METRIC_PEAK_MIB] > 0);
        assert_true(values[METRIC_P50] <= values[METRIC_P99] && values[METRIC_P99] <= values[METRIC_MAX]);
        assert_int_equal(isnan(values[METRIC_WRITE_AMP]), workload->kind == WORKLOAD_READ);
    }
}

/* Wrong bytes would be measured as fast reads. */
static void run_on_engine_with_wrong_value_fails(void **state)
{
    (void)state;
    check_fails("readrandom", FAKE_WRONG_VALUE, "wrong value");
    check_fails("readseq", FAKE_WRONG_VALUE, "wrong value");
    check_fails("readreverse", FAKE_WRONG_VALUE, "wrong value");
    check_fails("seekrandom", FAKE_WRONG_VALUE, "wrong value");
    check_fails("fillrandom", FAKE_WRONG_VALUE, "wrong value");
}

/* A lost overwrite would go unnoticed. */
static void run_of_overwrite_on_engine_with_old_value_fails(void **state)
{
    (void)state;
    check_fails("overwrite", FAKE_OLD_VALUE, "wrong value");
}

/* A lost record would be measured as a fast miss, or a short scan. */
static void run_on_engine_that_lost_records_fails(void **state)
{
    (void)state;
    check_fails("readrandom", FAKE_MISSING, "stands on another key");
    check_fails("fillseq", FAKE_MISSING, "stands on another key");
    check_fails("seekrandom", FAKE_MISSING, "stands on another key");
}

/* A filter that finds everything would be measured as a fast search. */
static void run_of_readmissing_on_engine_that_finds_all_fails(void **state)
{
    (void)state;
    check_fails("readmissing", FAKE_FOUND, "never written");
}

/* A scan that does not end where it should would be measured as a longer one. */
static void run_on_engine_that_shows_a_record_twice_fails(void **state)
{
    (void)state;
    check_fails("readseq", FAKE_ONE_MORE, "more than 2000 records");
    check_fails("readreverse", FAKE_ONE_MORE, "more than 2000 records");
}

/* The reason would be lost with the child. */
static void run_on_engine_whose_put_fails_tells_why(void **state)
{
    (void)state;
    check_fails("fillrandom", FAKE_PUT_FAILS, "fake put");
}

/* One engine that crashes or hangs would take the figures of the others with it. */
static void run_on_engine_that_dies_or_hangs_is_an_outcome(void **state)
{
    (void)state;
    check_fails("fillseq", FAKE_ABORTS, "signal 6");
    check_fails("fillseq", FAKE_HANGS, "killed after 1 s");
    check_fails("fillseq", FAKE_NEVER_SETTLES, "killed after 1 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_of_every_workload_on_right_engine_reports),
        cmocka_unit_test(run_on_engine_with_wrong_value_fails),
        cmocka_unit_test(run_of_overwrite_on_engine_with_old_value_fails),
        cmocka_unit_test(run_on_engine_that_lost_records_fails),
        cmocka_unit_test(run_of_readmissing_on_engine_that_finds_all_fails),
        cmocka_unit_test(run_on_engine_that_shows_a_record_twice_fails),
        cmocka_unit_test(run_on_engine_whose_put_fails_tells_why),
        cmocka_unit_test(run_on_engine_that_dies_or_hangs_is_an_outcome),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
