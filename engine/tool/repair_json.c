#include "tool.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const mode_names[] = {
    [REPAIR_NOTHING] = "nothing", [REPAIR_PATCH] = "patch", [REPAIR_REBUILD] = "rebuild"};

static const char *const part_names[] = {
    [REPAIR_CURRENT] = "current", [REPAIR_MANIFEST] = "manifest", [REPAIR_LOG] = "log", [REPAIR_SEGMENT] = "segment"};

/* A key as text, or, where it is not UTF-8, in hexadecimal under another name. */
static void set_key(json_t *object, const char *name, struct kvs_slice key)
{
    static const char digits[] = "0123456789abcdef";
    char hex_name[64];
    json_t *text = json_stringn(key.data, key.size);
    if (text != NULL) {
        json_object_set_new(object, name, text);
        return;
    }
    char *hex = malloc(2 * key.size + 1);
    if (hex == NULL)
        return;
    for (size_t i = 0; i < key.size; i++) {
        unsigned byte = ((const unsigned char *)key.data)[i];
        hex[2 * i] = digits[byte >> 4];
        hex[2 * i + 1] = digits[byte & 15];
    }
    snprintf(hex_name, sizeof hex_name, "%s_hex", name);
    json_object_set_new(object, hex_name, json_stringn(hex, 2 * key.size));
    free(hex);
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
    if (value > 0)
        json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *finding_json(const struct repair_finding *finding)
{
    json_t *object = json_object();
    json_object_set_new(object, "part", json_string(part_names[finding->part]));
    json_object_set_new(object, "file", json_string(finding->file));
    json_object_set_new(object, "offset", json_integer((json_int_t)finding->offset));
    set_number(object, "end", finding->end);
    json_object_set_new(object, "what", json_string(finding->what));
    json_object_set_new(object, "lost", json_boolean(finding->is_lost));
    set_number(object, "first_record", finding->first_record);
    set_number(object, "last_record", finding->last_record);
    set_number(object, "first_sequence", finding->first_sequence);
    set_number(object, "last_sequence", finding->last_sequence);
    set_number(object, "entries", finding->entries);
    if (finding->has_keys) {
        set_key(object, "first_key", finding->first_key);
        set_key(object, "last_key", finding->last_key);
    }
    return object;
}

static json_t *kept_json(const struct repair_report *report)
{
    json_t *kept = json_object();
    json_object_set_new(kept, "segments", json_integer((json_int_t)report->kept_segments));
    json_object_set_new(kept, "logs_as_they_are", json_boolean(report->logs_stay));
    json_object_set_new(kept, "log_records", json_integer((json_int_t)report->log_records));
    json_object_set_new(kept, "log_entries", json_integer((json_int_t)report->log_entries));
    json_object_set_new(kept, "salvaged_segments", json_integer((json_int_t)report->salvaged_segments));
    json_object_set_new(kept, "salvaged_entries", json_integer((json_int_t)report->salvaged_entries));
    return kept;
}

struct kvs_status print_report_json(const struct repair_report *report, const char *folder, const char *outcome)
{
    json_t *root = json_object(), *findings = json_array(), *originals = json_array();
    for (size_t i = 0; i < report->finding_count; i++)
        json_array_append_new(findings, finding_json(&report->findings[i]));
    for (size_t i = 0; i < report->original_count; i++)
        json_array_append_new(originals, json_string(report->originals[i].name));
    json_object_set_new(root, "folder", json_string(folder));
    json_object_set_new(root, "outcome", json_string(outcome));
    json_object_set_new(root, "mode", json_string(mode_names[report->mode]));
    json_object_set_new(root, "lost", json_boolean(repair_report_has_loss(report)));
    json_object_set_new(root, "findings", findings);
    json_object_set_new(root, "kept", kept_json(report));
    json_object_set_new(root, "originals", originals);
    int failed = json_dumpf(root, stdout, JSON_INDENT(2));
    json_decref(root);
    if (failed != 0)
        return STATUS(KVS_NO_MEMORY, "the report could not be written as JSON");
    putchar('\n');
    return status_ok();
}
