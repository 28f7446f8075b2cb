#include "base/assert.h"
#include "repair/rebuild.h"
#include "repair/repair_internal.h"
#include "version/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CURRENT has no number: a few repairs of one folder each keep theirs. */
enum { SAME_NAME_MAX = 1000 };

/* Where the new state is being written.
 *
 * edit         what the new manifest begins with
 * next_number  of the next file */
struct target {
    struct io *io;
    const char *folder;
    uint8_t uuid[FILE_UUID_BYTES];
    struct manifest_edit edit;
    uint64_t next_number;
};

/* ---- Originals ---- */

static struct kvs_status join(char path[IO_PATH_BYTES], const char *folder, const char *name, unsigned copy)
{
    int size = copy == 1 ? snprintf(path, IO_PATH_BYTES, "%s/%s", folder, name)
                         : snprintf(path, IO_PATH_BYTES, "%s/%s.%u", folder, name, copy);
    if (size < 0 || size >= IO_PATH_BYTES)
        return STATUS(KVS_TOO_LARGE, "the path of %s in %s is too long", name, folder);
    return status_ok();
}

static struct kvs_status read_start(struct io *io, uint8_t bytes[FILE_HEADER_BYTES + 64], size_t *size,
                                    const char *path)
{
    struct io_file *file;
    STATUS_RETURN_IF_ERROR(io_file_open(io, &file, path, IO_OPEN_READ));
    struct kvs_status status = io_file_read(file, bytes, size, FILE_HEADER_BYTES + 64, 0);
    io_file_close(file);
    return status;
}

/* Whether two files begin the same; CURRENT is no longer than that. */
static struct kvs_status are_equal(struct io *io, bool *equal, const char *a, const char *b)
{
    uint8_t first[FILE_HEADER_BYTES + 64], second[FILE_HEADER_BYTES + 64];
    size_t first_size = 0, second_size = 0;
    STATUS_RETURN_IF_ERROR(read_start(io, first, &first_size, a));
    STATUS_RETURN_IF_ERROR(read_start(io, second, &second_size, b));
    *equal = first_size == second_size && memcmp(first, second, first_size) == 0;
    return status_ok();
}

/* Give an original a second name in lost/. One that has it already, from a repair that was cut short, keeps it: a numbered name stands for one file for ever. */
static struct kvs_status keep_original(struct repair *repair, const char *lost, const char *name)
{
    char from[IO_PATH_BYTES], to[IO_PATH_BYTES];
    bool is_current = strcmp(name, "CURRENT") == 0;
    STATUS_RETURN_IF_ERROR(join(from, repair->folder, name, 1));
    for (unsigned copy = 1; copy <= SAME_NAME_MAX; copy++) {
        bool equal = !is_current;
        STATUS_RETURN_IF_ERROR(join(to, lost, name, copy));
        struct kvs_status status = io_link(repair->io, from, to);
        if (status.sys_errno != EEXIST)
            return status;
        if (is_current)
            STATUS_RETURN_IF_ERROR(are_equal(repair->io, &equal, from, to));
        if (equal)
            return status_ok();
    }
    return STATUS(KVS_IO, "%s has a thousand copies of %s already: move some away", lost, name);
}

static struct kvs_status keep_originals(struct repair *repair)
{
    char lost[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(lost, repair->folder, FILE_LOST, 0));
    struct kvs_status status = io_make_directory(repair->io, lost);
    if (!status_is_ok(status) && status.sys_errno != EEXIST)
        return status;
    for (size_t i = 0; i < repair->report.original_count; i++)
        STATUS_RETURN_IF_ERROR(keep_original(repair, lost, repair->report.originals[i].name));
    STATUS_RETURN_IF_ERROR(io_directory_sync(repair->io, lost, SYNC_LOST_DIRECTORY));
    return io_directory_sync(repair->io, repair->folder, SYNC_LOST_DIRECTORY);
}

/* The new state refers to none of them. */
static struct kvs_status remove_first_names(struct repair *repair)
{
    for (size_t i = 0; i < repair->report.original_count; i++) {
        char path[IO_PATH_BYTES];
        if (strcmp(repair->report.originals[i].name, "CURRENT") == 0)
            continue;
        STATUS_RETURN_IF_ERROR(join(path, repair->folder, repair->report.originals[i].name, 1));
        struct kvs_status status = io_unlink(repair->io, path);
        if (!status_is_ok(status) && status.code != KVS_NOT_FOUND)
            return status;
    }
    return status_ok();
}

/* ---- Segments ---- */

/* Write streams as a run of the new state. */
static struct kvs_status write_run(struct target *target, struct entry_stream **streams, size_t count,
                                   enum rebuild_keep keep, unsigned level, uint64_t run)
{
    struct rebuilt_run made;
    struct rebuild_options options = {.io = target->io,
                                      .folder = target->folder,
                                      .uuid = target->uuid,
                                      .keep = keep,
                                      .next_number = &target->next_number};
    STATUS_RETURN_IF_ERROR(rebuild_write(&made, streams, count, &options));
    struct kvs_status status = status_ok();
    for (size_t i = 0; i < made.count && status_is_ok(status); i++)
        status = manifest_edit_add_segment(&target->edit, level, run, &made.metas[i]);
    rebuilt_run_fini(&made);
    return status;
}

/* What is left of one segment takes its place. */
static struct kvs_status write_in_place(struct target *target, const struct repair_segment *segment)
{
    struct entry_stream *stream;
    STATUS_RETURN_IF_ERROR(segment_salvage_stream(&stream, segment->salvage));
    struct kvs_status status = write_run(target, &stream, 1, REBUILD_ALL, segment->listed->level, segment->listed->run);
    entry_stream_free(stream);
    return status;
}

/* The newest run: what was in logs. */
static struct kvs_status write_log_entries(struct target *target, struct entry_list *entries)
{
    struct entry_stream *stream;
    uint64_t run = target->next_number++;
    STATUS_RETURN_IF_ERROR(entry_list_stream(&stream, entries));
    struct kvs_status status = write_run(target, &stream, 1, REBUILD_NEWEST, 0, run);
    entry_stream_free(stream);
    return status;
}

static struct kvs_status write_patches(struct repair *repair, struct target *target)
{
    for (size_t i = 0; i < repair->segment_count; i++) {
        const struct repair_segment *segment = &repair->segments[i];
        const struct manifest_added *listed = segment->listed;
        if (segment->salvage != NULL)
            STATUS_RETURN_IF_ERROR(write_in_place(target, segment));
        else if (!segment->is_gone)
            STATUS_RETURN_IF_ERROR(manifest_edit_add_segment(&target->edit, listed->level, listed->run, &listed->meta));
    }
    return repair->report.logs_stay ? status_ok() : write_log_entries(target, &repair->entries);
}

/* Everything that can be read, as one run. */
static struct kvs_status write_everything(struct repair *repair, struct target *target)
{
    struct entry_stream **streams = calloc(repair->segment_count + 1, sizeof(struct entry_stream *));
    size_t count = 0;
    uint64_t run = target->next_number++;
    if (streams == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory to merge %zu segments", repair->segment_count);
    struct kvs_status status = entry_list_stream(&streams[count], &repair->entries);
    count += status_is_ok(status);
    for (size_t i = 0; i < repair->segment_count && status_is_ok(status); i++) {
        if (repair->segments[i].salvage == NULL)
            continue;
        status = segment_salvage_stream(&streams[count], repair->segments[i].salvage);
        count += status_is_ok(status);
    }
    if (status_is_ok(status))
        status = write_run(target, streams, count, REBUILD_SHOWN, 0, run);
    for (size_t i = 0; i < count; i++)
        entry_stream_free(streams[i]);
    free(streams);
    return status;
}

/* ---- The manifest ---- */

/* The names of the segments, then the manifest that lists them. */
static struct kvs_status make_current(struct target *target, uint64_t first_record)
{
    struct manifest *manifest;
    uint64_t number = target->next_number++;
    target->edit.numbers.next_file_number = target->next_number;
    STATUS_RETURN_IF_ERROR(io_directory_sync(target->io, target->folder, SYNC_SEGMENT_DIRECTORY));
    STATUS_RETURN_IF_ERROR(
        manifest_create(target->io, &manifest, target->folder, target->uuid, number, first_record, &target->edit, 1));
    manifest_close(manifest);
    return status_ok();
}

static void begin_target(struct target *target, struct repair *repair, const char *folder)
{
    *target = (struct target){.io = repair->io, .folder = folder, .next_number = 1};
    manifest_edit_init(&target->edit);
    manifest_edit_set_owner(&target->edit, repair->owner);
    target->edit.numbers = repair->numbers;
}

static struct kvs_status write_repaired(struct repair *repair, struct target *target)
{
    const struct manifest_survey *found = &repair->manifest;
    target->next_number =
        found->next_number > repair->numbers.next_file_number ? found->next_number : repair->numbers.next_file_number;
    memcpy(target->uuid, found->uuid, sizeof target->uuid);
    if (!found->has_uuid)
        STATUS_RETURN_IF_ERROR(io_random(repair->io, target->uuid, sizeof target->uuid));
    if (repair->report.mode == REPAIR_PATCH)
        STATUS_RETURN_IF_ERROR(write_patches(repair, target));
    else
        STATUS_RETURN_IF_ERROR(write_everything(repair, target));
    if (repair->report.logs_stay)
        STATUS_RETURN_IF_ERROR(manifest_logs_to_edit(&repair->manifest.state.logs, &target->edit));
    return make_current(target, found->last_record + 1);
}

struct kvs_status repair_apply(struct repair *repair)
{
    struct target target;
    KVS_ASSERT(!repair->for_salvage);
    if (repair->report.mode == REPAIR_NOTHING)
        return status_ok();
    STATUS_RETURN_IF_ERROR(keep_originals(repair));
    begin_target(&target, repair, repair->folder);
    struct kvs_status status = write_repaired(repair, &target);
    manifest_edit_fini(&target.edit);
    return status_is_ok(status) ? remove_first_names(repair) : status;
}

/* ---- A new folder ---- */

static struct kvs_status sync_parent(struct io *io, const char *folder)
{
    char parent[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_parent_path(parent, folder));
    return io_directory_sync(io, parent, SYNC_DATABASE_DIRECTORY);
}

struct kvs_status repair_salvage(struct repair *repair, const char *new_folder)
{
    struct target target;
    KVS_ASSERT(repair->for_salvage);
    STATUS_RETURN_IF_ERROR(io_make_directory(repair->io, new_folder));
    STATUS_RETURN_IF_ERROR(sync_parent(repair->io, new_folder));
    begin_target(&target, repair, new_folder);
    target.edit.numbers.durable_record = 0; /* it has no logs yet */
    struct kvs_status status = io_random(repair->io, target.uuid, sizeof target.uuid);
    if (status_is_ok(status))
        status = write_everything(repair, &target);
    if (status_is_ok(status))
        status = make_current(&target, 1);
    manifest_edit_fini(&target.edit);
    return status;
}
