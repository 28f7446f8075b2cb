#include "repair/repair_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void repair_report_init(struct repair_report *report)
{
    *report = (struct repair_report){.mode = REPAIR_NOTHING};
}

void repair_report_cut(struct repair_report *report, size_t count)
{
    while (report->finding_count > count) {
        struct repair_finding *finding = &report->findings[--report->finding_count];
        free((void *)finding->first_key.data);
        free((void *)finding->last_key.data);
    }
}

void repair_report_fini(struct repair_report *report)
{
    repair_report_cut(report, 0);
    free(report->findings);
    free(report->originals);
    repair_report_init(report);
}

/* Make room for one more. Errors: NO_MEMORY. */
static struct kvs_status grow(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return status_ok();
    size_t larger = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = realloc(*array, larger * size);
    if (grown == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a report of %zu lines", larger);
    *array = grown;
    *capacity = larger;
    return status_ok();
}

static struct kvs_status copy_key(struct kvs_slice *key)
{
    void *copy = malloc(key->size + 1);
    if (copy == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a key of %zu bytes", key->size);
    if (key->size > 0)
        memcpy(copy, key->data, key->size);
    key->data = copy;
    return status_ok();
}

struct kvs_status repair_report_add(struct repair_report *report, const struct repair_finding *finding)
{
    struct repair_finding made = *finding;
    void *findings = report->findings;
    STATUS_RETURN_IF_ERROR(grow(&findings, &report->finding_capacity, report->finding_count, sizeof *report->findings));
    report->findings = findings;
    if (!made.has_keys) {
        made.first_key = made.last_key = slice_of(NULL, 0);
    } else {
        STATUS_RETURN_IF_ERROR(copy_key(&made.first_key));
        struct kvs_status status = copy_key(&made.last_key);
        if (!status_is_ok(status)) {
            free((void *)made.first_key.data);
            return status;
        }
    }
    report->findings[report->finding_count++] = made;
    return status_ok();
}

struct kvs_status repair_report_move(struct repair_report *report, const char *name)
{
    void *originals = report->originals;
    STATUS_RETURN_IF_ERROR(
        grow(&originals, &report->original_capacity, report->original_count, sizeof *report->originals));
    report->originals = originals;
    snprintf(report->originals[report->original_count++].name, FILE_NAME_BYTES, "%s", name);
    return status_ok();
}

bool repair_report_has_loss(const struct repair_report *report)
{
    for (size_t i = 0; i < report->finding_count; i++) {
        if (report->findings[i].is_lost)
            return true;
    }
    return false;
}
