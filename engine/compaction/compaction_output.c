#include "compaction/compaction_output.h"

#include <stdatomic.h>
#include <stdlib.h>

/* After so many entries the stop flag is looked at, and progress told. */
enum { ENTRIES_PER_LOOK = 128 };

/* ---- Older runs ---- */

static bool may_be_older(void *context, struct kvs_slice user_key)
{
    struct older_runs *older = context;
    for (size_t i = 0; i < older->count; i++) {
        struct older_run *at = &older->runs[i];
        struct version_segment *const *segments = at->run->segments;
        while (at->at < at->run->count && slice_compare(segments[at->at]->meta.largest.user, user_key) < 0)
            at->at++;
        if (at->at < at->run->count && slice_compare(segments[at->at]->meta.smallest.user, user_key) <= 0)
            return true;
    }
    return false;
}

void compaction_output_add_older(struct compaction_output *output, const struct version_run *run)
{
    output->older.runs[output->older.count++] = (struct older_run){.run = run};
}

/* ---- Life ---- */

struct kvs_status compaction_output_init(struct compaction_output *output,
                                         const struct compaction_environment *environment, unsigned level, uint64_t run,
                                         uint64_t horizon, size_t older_count)
{
    struct older_run *older = malloc((older_count + 1) * sizeof *older);
    if (older == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a compaction");
    *output =
        (struct compaction_output){.environment = environment, .level = level, .run = run, .older = {.runs = older}};
    version_edit_init(&output->result.edit);
    retention_init(&output->retention, horizon, may_be_older, &output->older);
    segment_blocks_init(&output->keep, version_set_segments(environment->set)->cache);
    return status_ok();
}

static void output_fini(struct compaction_output *output)
{
    free(output->older.runs);
    retention_fini(&output->retention);
    segment_blocks_fini(&output->keep);
}

/* ---- Segments ---- */

static struct kvs_status begin_segment(struct compaction_output *output)
{
    const struct compaction_environment *environment = output->environment;
    struct segment_writer_options options = environment->writer;
    options.number = version_set_new_number(environment->set);
    memcpy(options.uuid, version_set_uuid(environment->set), sizeof options.uuid);
    options.keep = &output->keep;
    return segment_writer_new(&output->writer, environment->io, environment->folder, &options);
}

/* The file is there but nothing will list it. Returns status, which says why, with its sentence. */
static struct kvs_status unlink_segment(const struct compaction_output *output, uint64_t number,
                                        struct kvs_status status)
{
    char path[IO_PATH_BYTES], text[STATUS_TEXT_BYTES];
    status_save_text(status, text);
    struct kvs_status unlinked = file_name_path(path, output->environment->folder, FILE_SEGMENT, number);
    if (status_is_ok(unlinked))
        unlinked = io_unlink(output->environment->io, path);
    (void)unlinked; /* if it stays, the next open finds an unknown file */
    return status_restore_text(status, text);
}

/* Open the finished segment and put it in the edit. */
static struct kvs_status collect_segment(struct compaction_output *output, const struct segment_meta *meta)
{
    struct version_segment *segment;
    STATUS_RETURN_IF_ERROR(version_segment_open(&segment, output->environment->set, meta));
    segment_adopt_blocks(segment->segment, &output->keep);
    struct kvs_status status = version_edit_add(&output->result.edit, output->level, output->run, segment);
    if (!status_is_ok(status))
        version_segment_unref(segment);
    return status;
}

static struct kvs_status finish_segment(struct compaction_output *output)
{
    struct segment_meta meta;
    if (output->writer == NULL)
        return status_ok();
    STATUS_RETURN_IF_ERROR(segment_writer_finish(output->writer, &meta));
    output->writer = NULL;
    output->result.written_bytes += meta.size_bytes;
    output->result.written_entries += meta.entry_count;
    struct kvs_status status = collect_segment(output, &meta);
    if (!status_is_ok(status))
        status = unlink_segment(output, meta.number, status);
    segment_meta_fini(&meta);
    return status;
}

/* ---- Entries ---- */

static struct kvs_status write_entry(struct compaction_output *output, const struct iterator *input)
{
    bool keep, is_new_user_key;
    STATUS_RETURN_IF_ERROR(retention_keep(&output->retention, &keep, &is_new_user_key, input->key));
    if (!keep)
        return status_ok();
    bool is_full = output->writer != NULL && segment_writer_size(output->writer) >= output->environment->segment_bytes;
    if (is_full && is_new_user_key)
        STATUS_RETURN_IF_ERROR(finish_segment(output));
    if (output->writer == NULL)
        STATUS_RETURN_IF_ERROR(begin_segment(output));
    return segment_writer_add(output->writer, input->key, input->value);
}

static bool is_stopped(const struct compaction_output *output)
{
    const _Atomic bool *stop = output->environment->stop;
    return stop != NULL && atomic_load_explicit(stop, memory_order_relaxed);
}

static void tell_progress(const struct compaction_output *output, uint64_t entries)
{
    if (output->environment->progress != NULL)
        atomic_fetch_add_explicit(output->environment->progress, entries, memory_order_relaxed);
}

struct kvs_status compaction_output_write(struct compaction_output *output, uint64_t *read_bytes,
                                          struct iterator *input)
{
    STATUS_RETURN_IF_ERROR(iterator_first(input));
    uint64_t entries = 0;
    for (; input->valid; entries++) {
        if (entries % ENTRIES_PER_LOOK == 0 && is_stopped(output))
            return STATUS(KVS_BUSY, "stopped");
        if (entries != 0 && entries % ENTRIES_PER_LOOK == 0)
            tell_progress(output, ENTRIES_PER_LOOK);
        if (read_bytes != NULL)
            *read_bytes += input->key.user.size + input->value.size;
        STATUS_RETURN_IF_ERROR(write_entry(output, input));
        STATUS_RETURN_IF_ERROR(iterator_next(input));
    }
    tell_progress(output, entries % ENTRIES_PER_LOOK);
    return status_ok();
}

/* Unlink what was made. Returns status with its sentence. */
static struct kvs_status discard(struct compaction_output *output, struct kvs_status status)
{
    char text[STATUS_TEXT_BYTES];
    status_save_text(status, text);
    segment_writer_abandon(output->writer);
    output->writer = NULL;
    version_edit_discard(&output->result.edit);
    return status_restore_text(status, text);
}

struct kvs_status compaction_output_finish(struct compaction_output *output, struct compaction_result *result,
                                           struct kvs_status status)
{
    if (status_is_ok(status))
        status = finish_segment(output);
    if (status_is_ok(status) && output->result.edit.opened_count > 0)
        status = io_directory_sync(output->environment->io, output->environment->folder, SYNC_SEGMENT_DIRECTORY);
    if (status_is_ok(status)) {
        output->result.dropped_versions = output->retention.dropped_versions;
        output->result.dropped_tombstones = output->retention.dropped_tombstones;
        *result = output->result;
    } else {
        status = discard(output, status);
    }
    output_fini(output);
    return status;
}
