#include "tool.h"

#include "format/file_name.h"
#include "io/io_posix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a key that a line shows. */
enum { SHOWN_KEY_BYTES = 64 };

/* ---- As text ---- */

static void print_place(const struct repair_finding *finding)
{
    printf("  %s", finding->file);
    if (finding->end > 0)
        printf(", bytes %" PRIu64 " to %" PRIu64, finding->offset, finding->end);
    else if (finding->offset > 0)
        printf(", offset %" PRIu64, finding->offset);
    printf(": %s\n", finding->what);
}

static void print_lost_records(const struct repair_finding *finding)
{
    if (finding->first_record == 0)
        printf("    lost: what it held, which nothing tells");
    else if (finding->last_record == 0)
        printf("    lost: record %" PRIu64 " and what may have followed it", finding->first_record);
    else if (finding->last_record == finding->first_record)
        printf("    lost: record %" PRIu64, finding->first_record);
    else
        printf("    lost: records %" PRIu64 " to %" PRIu64, finding->first_record, finding->last_record);
    if (finding->first_sequence > 0 && finding->last_sequence > 0)
        printf(", sequence numbers %" PRIu64 " to %" PRIu64, finding->first_sequence, finding->last_sequence);
    else if (finding->first_sequence > 0)
        printf(", sequence numbers from %" PRIu64 " on", finding->first_sequence);
    putchar('\n');
}

static void print_lost_entries(const struct repair_finding *finding)
{
    printf("    lost: ");
    if (finding->entries > 0)
        printf("%" PRIu64 " entries", finding->entries);
    else
        printf("entries");
    if (finding->has_keys) {
        printf(" with keys from ");
        print_bytes(finding->first_key, SHOWN_KEY_BYTES);
        printf(" to ");
        print_bytes(finding->last_key, SHOWN_KEY_BYTES);
    }
    printf("; an older version of a lost key may show in its place\n");
}

static void print_finding(const struct repair_finding *finding)
{
    print_place(finding);
    if (!finding->is_lost)
        printf("    nothing is lost here\n");
    else if (finding->part == REPAIR_SEGMENT)
        print_lost_entries(finding);
    else
        print_lost_records(finding);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_report(const struct repair_report *report)
{
    printf("damage:\n");
    for (size_t i = 0; i < report->finding_count; i++)
        print_finding(&report->findings[i]);
    if (report->mode == REPAIR_REBUILD)
        printf(
            "rebuild: which files were still in use is not known, so every version that can be read is merged and the newest of each\n"
            "key wins; a key whose delete a compaction had dropped already may come back\n");
    printf("kept: %" PRIu64 " segment%s unchanged", report->kept_segments, plural(report->kept_segments));
    if (report->logs_stay)
        printf(", the logs unchanged");
    else
        printf(", %" PRIu64 " change%s from logs", report->log_entries, plural(report->log_entries));
    if (report->salvaged_segments > 0)
        printf(", %" PRIu64 " entr%s of %" PRIu64 " segment%s, written anew", report->salvaged_entries,
               report->salvaged_entries == 1 ? "y" : "ies", report->salvaged_segments,
               plural(report->salvaged_segments));
    printf("\n%s\n", repair_report_has_loss(report) ? "something is lost: see above" : "nothing is lost");
}

static void print_originals(const struct repair_report *report)
{
    printf("originals, kept in lost/:");
    for (size_t i = 0; i < report->original_count; i++)
        printf(" %s", report->originals[i].name);
    putchar('\n');
}

/* ---- Commands ---- */

/* Lock the folder: exclusively to change it, else shared, and then without making the file. lock: out, NULL where there is none to lock. */
static struct kvs_status lock_folder(struct io *io, struct io_lock **lock, const char *folder, bool changes)
{
    char path[IO_PATH_BYTES];
    bool exists;
    *lock = NULL;
    STATUS_RETURN_IF_ERROR(io_exists(io, &exists, folder));
    if (!exists)
        return STATUS(KVS_NOT_FOUND, "there is no folder %s", folder);
    STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_LOCK, 0));
    STATUS_RETURN_IF_ERROR(io_exists(io, &exists, path));
    return exists || changes ? io_lock(io, lock, path, !changes) : status_ok();
}

/* The database is made by an owner that the manifest may have lost. */
static struct kvs_status settle_owner(struct repair *repair, const struct tool_repair_options *options)
{
    if (options->owner == NULL)
        return status_ok();
    if (repair_owner(repair)[0] != '\0' && strcmp(repair_owner(repair), options->owner) != 0)
        return STATUS(KVS_INVALID, "the database was made by \"%s\", not by \"%s\"", repair_owner(repair),
                      options->owner);
    if (strlen(options->owner) > 31)
        return STATUS(KVS_INVALID, "an owner has at most 31 bytes");
    repair_set_owner(repair, options->owner);
    return status_ok();
}

static struct kvs_status print_outcome(const struct repair_report *report, const char *folder, const char *outcome,
                                       bool as_json)
{
    if (as_json)
        return print_report_json(report, folder, outcome);
    printf("%s: %s\n", folder, outcome);
    if (report->finding_count > 0 || report->mode != REPAIR_NOTHING)
        print_report(report);
    return status_ok();
}

static struct kvs_status repair_locked(struct io *io, bool *is_damaged, const char *folder,
                                       const struct tool_repair_options *options)
{
    struct repair *repair;
    STATUS_RETURN_IF_ERROR(repair_survey(&repair, io, folder, false));
    const struct repair_report *report = repair_report_of(repair);
    bool is_sound = report->mode == REPAIR_NOTHING;
    struct kvs_status status = settle_owner(repair, options);
    if (status_is_ok(status) && options->apply)
        status = repair_apply(repair);
    if (status_is_ok(status))
        status = print_outcome(report, folder,
                               is_sound         ? "nothing to repair"
                               : options->apply ? "repaired"
                                                : "a plan; nothing was changed",
                               options->as_json);
    if (status_is_ok(status) && !is_sound && !options->as_json) {
        print_originals(report);
        if (!options->apply)
            printf("next: kvstore_tool repair --apply %s\n", folder);
    }
    *is_damaged = !is_sound && !options->apply;
    repair_free(repair);
    return status;
}

struct kvs_status tool_repair(bool *is_damaged, const char *folder, const struct tool_repair_options *options)
{
    struct io *io = io_posix();
    struct io_lock *lock;
    STATUS_RETURN_IF_ERROR(lock_folder(io, &lock, folder, options->apply));
    struct kvs_status status = repair_locked(io, is_damaged, folder, options);
    io_unlock(lock);
    return status;
}

static struct kvs_status salvage_locked(struct io *io, const char *folder, const char *new_folder,
                                        const struct tool_repair_options *options)
{
    struct repair *repair;
    STATUS_RETURN_IF_ERROR(repair_survey(&repair, io, folder, true));
    struct kvs_status status = settle_owner(repair, options);
    if (status_is_ok(status))
        status = repair_salvage(repair, new_folder);
    if (status_is_ok(status))
        status = print_outcome(repair_report_of(repair), folder, "salvaged; it is as it was", options->as_json);
    repair_free(repair);
    return status;
}

struct kvs_status tool_salvage(const char *folder, const char *new_folder, const struct tool_repair_options *options)
{
    struct io *io = io_posix();
    struct io_lock *lock;
    bool exists;
    STATUS_RETURN_IF_ERROR(io_exists(io, &exists, new_folder));
    if (exists)
        return STATUS(KVS_INVALID, "%s is there already: name a folder that is not", new_folder);
    STATUS_RETURN_IF_ERROR(lock_folder(io, &lock, folder, false));
    struct kvs_status status = salvage_locked(io, folder, new_folder, options);
    io_unlock(lock);
    return status;
}
