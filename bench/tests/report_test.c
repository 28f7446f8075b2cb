#include "test_support.h"

#include "bench/json.h"
#include "bench/library.h"
#include "bench/metric.h"
#include "bench/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A median over rounds would count rounds that failed, or not be the median. */
static void report_spread_of_rounds_leaves_out_what_is_missing(void **state)
{
    (void)state;
    struct report reports[5];
    const double ops[] = {50, NAN, 10, 40, 20};
    for (size_t i = 0; i < 5; i++) {
        reports[i] = report_empty();
        reports[i].values[METRIC_OPS] = ops[i];
    }
    struct spread spread = report_spread(reports, 5, METRIC_OPS);
    assert_true(spread.median == 30 && spread.min == 10 && spread.max == 50);
    spread = report_spread(reports, 3, METRIC_OPS);
    assert_true(spread.median == 30);
    spread = report_spread(reports, 1, METRIC_OPS);
    assert_true(spread.median == 50 && spread.min == 50);
    assert_true(isnan(report_spread(reports, 5, METRIC_P99).median));
}

static void check_format(double value, int decimals, const char *expected)
{
    char text[METRIC_NUMBER_BYTES];
    metric_format(text, value, decimals);
    assert_string_equal(text, expected);
}

/* A figure would be misread by a factor of a thousand. */
static void metric_format_puts_commas_between_thousands(void **state)
{
    (void)state;
    check_format(0, 0, "0");
    check_format(999, 0, "999");
    check_format(1000, 0, "1,000");
    check_format(1234567.891, 2, "1,234,567.89");
    check_format(123456, 1, "123,456.0");
    check_format(-1234, 0, "-1,234");
    check_format(-123, 0, "-123");
    check_format(NAN, 2, "-");
}

/* Returns what was written; free it. */
static char *table_text(const struct table *table, enum table_style style)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    table_print(table, out, style);
    fclose(out);
    return text;
}

/* The report could not be read, or not be pasted. */
static void table_print_aligns_text_and_markdown(void **state)
{
    (void)state;
    struct table table = table_of(2, 1);
    const char *const cells[] = {"name", "ops", "a", "1,000", "longer", "5"};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        table_add(&table, cells[i]);
    char *text = table_text(&table, TABLE_TEXT);
    assert_string_equal(text, "name      ops\n"
                              "------  -----\n"
                              "a       1,000\n"
                              "longer      5\n");
    free(text);
    text = table_text(&table, TABLE_MARKDOWN);
    assert_string_equal(text, "| name   |   ops |\n"
                              "| ------ | ----: |\n"
                              "| a      | 1,000 |\n"
                              "| longer |     5 |\n");
    free(text);
    table_fini(&table);
}

/* A program that reads the JSON lines would stop at a quote in a processor's name, or at a NaN. */
static void json_line_with_odd_text_and_nan_is_valid(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    struct json json = json_begin(out);
    json_text(&json, "text", "a \"b\" \\ \t");
    json_number(&json, "number", 0.5);
    json_number(&json, "unknown", NAN);
    json_bool(&json, "ok", true);
    json_end(&json);
    fclose(out);
    assert_string_equal(text, "{\"text\":\"a \\\"b\\\" \\\\ \\u0009\",\"number\":0.5,\"unknown\":null,\"ok\":true}\n");
    free(text);
}

/* A peer with assertions would be shown as one without. */
static void library_imports_of_this_program_are_found(void **state)
{
    (void)state;
    char path[LIBRARY_PATH_BYTES];
    library_path(path, (const void *)table_of);
    assert_true(path[0] == '/');
    assert_int_equal(library_imports(path, "_cmocka_run_group_tests"), LIBRARY_IMPORTS);
    assert_int_equal(library_imports(path, "__no_such_function"), LIBRARY_IMPORTS_NOT);
}

/* The benchmark would crash on a library that it cannot read. */
static void library_imports_of_another_file_are_unknown(void **state)
{
    (void)state;
    assert_int_equal(library_imports("/proc/self/cmdline", "x"), LIBRARY_IMPORTS_UNKNOWN);
    assert_int_equal(library_imports("/etc/passwd", "x"), LIBRARY_IMPORTS_UNKNOWN);
    assert_int_equal(library_imports("/nonexistent", "x"), LIBRARY_IMPORTS_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_spread_of_rounds_leaves_out_what_is_missing),
        cmocka_unit_test(metric_format_puts_commas_between_thousands),
        cmocka_unit_test(table_print_aligns_text_and_markdown),
        cmocka_unit_test(json_line_with_odd_text_and_nan_is_valid),
        cmocka_unit_test(library_imports_of_this_program_are_found),
        cmocka_unit_test(library_imports_of_another_file_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
