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

static size_t larger(size_t capacity)
{
    return capacity == 0 ? 16 : capacity * 2;
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

static struct kvs_status copy_keys(struct repair_finding *finding)
{
    STATUS_RETURN_IF_ERROR(copy_key(&finding->first_key));
    struct kvs_status status = copy_key(&finding->last_key);
    if (!status_is_ok(status))
        free((void *)finding->first_key.data);
    return status;
}

struct kvs_status repair_report_add(struct repair_report *report, const struct repair_finding *finding)
{
    if (report->finding_count == report->finding_capacity) {
        size_t capacity = larger(report->finding_capacity);
        struct repair_finding *grown = realloc(report->findings, capacity * sizeof *grown);
        if (grown == NULL)
            return STATUS(KVS_NO_MEMORY, "no memory for a report of %zu findings", capacity);
        report->findings = grown;
        report->finding_capacity = capacity;
    }
    struct repair_finding *made = &report->findings[report->finding_count];
    *made = *finding;
    if (finding->has_keys)
        STATUS_RETURN_IF_ERROR(copy_keys(made));
    else
        made->first_key = made->last_key = slice_of(NULL, 0);
    report->finding_count++;
    return status_ok();
}

struct kvs_status repair_report_move(struct repair_report *report, const char *name)
{
    if (report->original_count == report->original_capacity) {
        size_t capacity = larger(report->original_capacity);
        struct repair_name *grown = realloc(report->originals, capacity * sizeof *grown);
        if (grown == NULL)
            return STATUS(KVS_NO_MEMORY, "no memory for a list of %zu files", capacity);
        report->originals = grown;
        report->original_capacity = capacity;
    }
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
