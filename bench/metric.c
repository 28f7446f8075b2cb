#include "bench/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRIC_TEXT(constant, key, heading, decimals, meaning) {key, heading, decimals, meaning},
const struct metric_text metric_texts[METRIC_COUNT] = {METRICS(METRIC_TEXT)};

struct report report_empty(void)
{
    struct report report;
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        report.values[metric] = NAN;
    return report;
}

static int compare_numbers(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct spread report_spread(const struct report *reports, size_t count, enum metric metric)
{
    double *values = malloc((count + 1) * sizeof *values);
    struct spread spread = {NAN, NAN, NAN};
    size_t known = 0;
    if (values == NULL)
        return spread;
    for (size_t i = 0; i < count; i++) {
        if (!isnan(reports[i].values[metric]))
            values[known++] = reports[i].values[metric];
    }
    if (known != 0) {
        qsort(values, known, sizeof *values, compare_numbers);
        spread = (struct spread){(values[(known - 1) / 2] + values[known / 2]) / 2, values[0], values[known - 1]};
    }
    free(values);
    return spread;
}

void metric_format(char *text, double value, int decimals)
{
    char plain[METRIC_NUMBER_BYTES];
    if (isnan(value)) {
        strcpy(text, "-");
        return;
    }
    snprintf(plain, sizeof plain, "%.*f", decimals, value);
    size_t digits = strcspn(plain, ".");
    char *at = text, *end = text + METRIC_NUMBER_BYTES - 1;
    for (size_t i = 0; plain[i] != '\0' && at < end - 1; i++) {
        if (i != 0 && i < digits && (digits - i) % 3 == 0 && plain[i - 1] != '-')
            *at++ = ',';
        *at++ = plain[i];
    }
    *at = '\0';
}
