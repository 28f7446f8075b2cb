#include "version/version_set_internal.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>

enum { RENEW_BYTES_DEFAULT = 4 * 1024 * 1024, RENEW_FACTOR = 4 };

/* ---- Life ---- */

static struct kvs_status set_new(struct version_set **set, const struct version_set_options *options)
{
    size_t folder_size = strlen(options->folder) + 1;
    struct version_set *made = calloc(1, sizeof *made + folder_size);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a version set");
    struct kvs_status status = version_new_empty(&made->current);
    if (!status_is_ok(status)) {
        free(made);
        return status;
    }
    made->io = options->io;
    made->folder = memcpy(made + 1, options->folder, folder_size);
    made->segments = options->segments;
    made->log = options->log;
    made->log_context = options->log_context;
    made->manifest_bytes = options->manifest_bytes == 0 ? RENEW_BYTES_DEFAULT : options->manifest_bytes;
    atomic_init(&made->next_number, 1);
    io_mutex_init(&made->edit_mutex, made->io);
    io_mutex_init(&made->mutex, made->io);
    *set = made;
    return status_ok();
}

void version_set_close(struct version_set *set)
{
    if (set == NULL)
        return;
    version_unref(set->current);
    version_set_forget_files(set);
    manifest_close(set->manifest);
    manifest_logs_fini(&set->logs);
    io_mutex_fini(&set->edit_mutex);
    io_mutex_fini(&set->mutex);
    free(set);
}

struct kvs_status version_set_find(bool *found, struct io *io, const char *folder)
{
    struct manifest_current current;
    return manifest_current_read(io, &current, found, folder);
}

/* ---- Writing the state whole ---- */

static void free_edits(struct manifest_edit *edits, size_t count)
{
    while (count > 0)
        manifest_edit_fini(&edits[--count]);
    free(edits);
}

/* The edits that make the present state of nothing; edit_mutex held, or the set to oneself. */
static struct kvs_status whole_state(struct version_set *set, struct manifest_edit **edits, size_t *count)
{
    STATUS_RETURN_IF_ERROR(version_to_edits(set->current, edits, count, MANIFEST_RECORD_BYTES));
    struct manifest_edit *first = &(*edits)[0];
    manifest_edit_set_owner(first, set->owner);
    first->numbers = set->numbers;
    first->numbers.next_file_number = atomic_load_explicit(&set->next_number, memory_order_relaxed);
    struct kvs_status status = manifest_logs_to_edit(&set->logs, first);
    if (!status_is_ok(status))
        free_edits(*edits, *count);
    return status;
}

/* Write a new manifest whole and make it current. manifest: out. first_record: its first. */
static struct kvs_status write_new_manifest(struct version_set *set, struct manifest **manifest, uint64_t first_record)
{
    struct manifest_edit *edits;
    size_t count;
    uint64_t number = version_set_new_number(set);
    STATUS_RETURN_IF_ERROR(whole_state(set, &edits, &count));
    struct kvs_status status =
        manifest_create(set->io, manifest, set->folder, set->uuid, number, first_record, edits, count);
    free_edits(edits, count);
    return status;
}

static void mark_poisoned(struct version_set *set)
{
    io_mutex_lock(&set->mutex);
    set->is_poisoned = true;
    io_mutex_unlock(&set->mutex);
}

static void plan_renewal(struct version_set *set)
{
    uint64_t by_state = manifest_whole_size(set->manifest) * RENEW_FACTOR;
    set->renew_bytes = by_state > set->manifest_bytes ? by_state : set->manifest_bytes;
}

/* The manifest has grown: write it anew, beside the running database. What fails without harm is tried again when it has grown further. */
static void renew_manifest_locked(struct version_set *set)
{
    struct manifest *renewed, *old = set->manifest;
    struct version_file *file = malloc(sizeof *file);
    struct kvs_status status = file == NULL ? STATUS(KVS_NO_MEMORY, "cannot allocate a file's record") : status_ok();
    if (status_is_ok(status))
        status = write_new_manifest(set, &renewed, manifest_last_record(old) + 1);
    if (status_is_ok(status)) {
        *file = (struct version_file){.type = FILE_MANIFEST, .number = manifest_number(old)};
        version_set_take_obsolete(set, file);
        manifest_close(old);
        set->manifest = renewed;
        plan_renewal(set);
        return;
    }
    free(file);
    set->renew_bytes = manifest_size(old) + set->manifest_bytes;
    if (status.code == KVS_POISONED) {
        manifest_poison(old, status);
        mark_poisoned(set);
    }
    version_set_tell(set, status, "the manifest was not written anew: %s", status_text(status));
}

struct kvs_status version_set_begin(struct version_set *set, const struct manifest_numbers *numbers)
{
    KVS_ASSERT(set->manifest == NULL);
    if (numbers != NULL)
        manifest_numbers_raise(&set->numbers, numbers);
    STATUS_RETURN_IF_ERROR(version_set_scan_numbers(set));
    /* First, for the new manifest does not tell that the old one was torn: after a crash between the two nobody would know. */
    if (set->recovered.cut_bytes > 0)
        STATUS_RETURN_IF_ERROR(version_set_set_aside(set));
    struct kvs_status status = write_new_manifest(set, &set->manifest, set->recovered.last_record + 1);
    if (status_is_ok(status))
        plan_renewal(set);
    else if (status.code == KVS_POISONED)
        mark_poisoned(set);
    return status;
}

struct kvs_status version_set_prove(struct version_set *set)
{
    KVS_ASSERT(set->manifest == NULL);
    return manifest_prove(set->io, set->folder, set->recovered_number, &set->recovered);
}

struct kvs_status version_set_create(struct version_set **set, const struct version_set_options *options,
                                     const char *owner)
{
    struct version_set *made;
    KVS_ASSERT(strlen(owner) <= MANIFEST_OWNER_BYTES);
    STATUS_RETURN_IF_ERROR(set_new(&made, options));
    memcpy(made->owner, owner, strlen(owner) + 1);
    struct kvs_status status = io_random(made->io, made->uuid, sizeof made->uuid);
    if (status_is_ok(status))
        status = version_set_begin(made, NULL);
    if (status_is_ok(status))
        status = version_set_sweep(made); /* what a creation that was cut short left */
    if (status_is_ok(status))
        *set = made;
    else
        version_set_close(made);
    return status;
}

/* ---- Recovery ---- */

static struct kvs_status visit_edit(void *context, const struct manifest_edit *edit, const char *path, uint64_t offset)
{
    return manifest_state_apply(context, edit, path, offset);
}

static struct kvs_status open_listed(struct version_set *set, struct version_edit *edit,
                                     const struct manifest_added *added)
{
    struct version_segment *segment;
    struct kvs_status status = version_segment_open(&segment, set, &added->meta);
    if (status.code == KVS_NOT_FOUND)
        return STATUS(KVS_CORRUPT,
                      "%s/%06" PRIu64
                      ".seg: expected the segment that the manifest lists, found no such file; nothing was changed",
                      set->folder, added->meta.number);
    STATUS_RETURN_IF_ERROR(status);
    status = version_edit_add(edit, added->level, added->run, segment);
    if (!status_is_ok(status))
        version_segment_unref(segment);
    return status;
}

/* Open all live segments and make a version of them. */
static struct kvs_status build_version(struct version_set *set, const struct manifest_state *state)
{
    struct version_edit edit;
    struct version *version = NULL;
    struct kvs_status status = status_ok();
    version_edit_init(&edit);
    for (size_t i = 0; i < state->slot_count && status_is_ok(status); i++) {
        if (state->slots[i].is_live)
            status = open_listed(set, &edit, &state->slots[i].added);
    }
    if (status_is_ok(status))
        status = version_apply(&version, set->current, &edit.manifest, edit.opened, edit.opened_count);
    if (status_is_ok(status)) {
        version_unref(set->current);
        set->current = version;
    }
    version_edit_fini(&edit);
    return status;
}

static struct kvs_status recover_state(struct version_set *set, struct version_recovery *recovery,
                                       struct manifest_state *state)
{
    struct manifest_current current;
    bool found;
    STATUS_RETURN_IF_ERROR(manifest_current_read(set->io, &current, &found, set->folder));
    if (!found)
        return STATUS(KVS_NOT_FOUND, "there is no database in %s", set->folder);
    STATUS_RETURN_IF_ERROR(manifest_replay(set->io, &set->recovered, set->folder, &current, visit_edit, state));
    memcpy(set->uuid, current.uuid, sizeof set->uuid);
    memcpy(set->owner, state->owner, sizeof set->owner);
    set->numbers = state->numbers;
    set->recovered_number = current.number;
    if (state->numbers.next_file_number > 0)
        atomic_store_explicit(&set->next_number, state->numbers.next_file_number, memory_order_relaxed);
    STATUS_RETURN_IF_ERROR(build_version(set, state));
    set->logs = state->logs;
    state->logs = (struct manifest_logs){.logs = NULL};
    *recovery = (struct version_recovery){
        .records = set->recovered.records, .cut_bytes = set->recovered.cut_bytes, .numbers = state->numbers};
    return status_ok();
}

struct kvs_status version_set_recover(struct version_set **set, struct version_recovery *recovery,
                                      const struct version_set_options *options)
{
    struct version_set *made;
    struct manifest_state state;
    STATUS_RETURN_IF_ERROR(set_new(&made, options));
    manifest_state_init(&state);
    struct kvs_status status = recover_state(made, recovery, &state);
    manifest_state_fini(&state);
    if (status_is_ok(status))
        *set = made;
    else
        version_set_close(made);
    return status;
}

/* ---- Reading ---- */

struct version *version_set_current(struct version_set *set)
{
    io_mutex_lock(&set->mutex);
    struct version *version = version_ref(set->current);
    io_mutex_unlock(&set->mutex);
    return version;
}

const uint8_t *version_set_uuid(const struct version_set *set)
{
    return set->uuid;
}

const char *version_set_owner(const struct version_set *set)
{
    return set->owner;
}

const struct segment_context *version_set_segments(const struct version_set *set)
{
    return set->segments;
}

struct manifest_numbers version_set_numbers(struct version_set *set)
{
    io_mutex_lock(&set->mutex);
    struct manifest_numbers numbers = set->numbers;
    io_mutex_unlock(&set->mutex);
    return numbers;
}

struct kvs_status version_set_logs(struct version_set *set, struct manifest_log **logs, size_t *count)
{
    struct manifest_log *copy = NULL;
    io_mutex_lock(&set->mutex);
    size_t listed = set->logs.count;
    if (listed > 0)
        copy = malloc(listed * sizeof *copy);
    if (copy != NULL)
        memcpy(copy, set->logs.logs, listed * sizeof *copy);
    io_mutex_unlock(&set->mutex);
    if (listed > 0 && copy == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a list of %zu logs", listed);
    *logs = copy;
    *count = listed;
    return status_ok();
}

uint64_t version_set_new_number(struct version_set *set)
{
    return atomic_fetch_add_explicit(&set->next_number, 1, memory_order_relaxed);
}

bool version_set_is_poisoned(struct version_set *set)
{
    io_mutex_lock(&set->mutex);
    bool is_poisoned = set->is_poisoned;
    io_mutex_unlock(&set->mutex);
    return is_poisoned;
}

/* ---- Installing ---- */

/* All that an install needs, made before anything is written, so that nothing can fail afterwards.
 *
 * version, logs   the state after the edit
 * dropped         the segments that the edit removes, borrowed from the version before; one that it adds elsewhere has a reference in the new
 *                 version, and is marked anew when it is dropped for good
 * log_files       for the logs that it drops */
struct install {
    struct version *version;
    struct manifest_logs logs;
    struct version_segment **dropped;
    size_t dropped_count;
    struct version_file *log_files;
};

/* A segment in the version before. *at: where it may stand in its run, for numbers that come in the order of the run. */
static struct version_segment *find_segment(const struct version *version, size_t *at,
                                            const struct manifest_removed *removed)
{
    for (size_t i = version->level_start[removed->level]; i < version->level_start[removed->level + 1]; i++) {
        const struct version_run *run = version->runs[i];
        if (run->id != removed->run)
            continue;
        for (size_t steps = 0; steps < run->count; steps++) {
            struct version_segment *segment = run->segments[(*at)++ % run->count];
            if (segment->meta.number == removed->number)
                return segment;
        }
    }
    return NULL;
}

static struct kvs_status collect_dropped(struct install *install, const struct version *base,
                                         const struct manifest_edit *edit)
{
    size_t at = 0;
    install->dropped = calloc(edit->removed_count + 1, sizeof(struct version_segment *));
    if (install->dropped == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a list of %zu segments", edit->removed_count);
    for (size_t i = 0; i < edit->removed_count; i++) {
        struct version_segment *segment = find_segment(base, &at, &edit->removed[i]);
        KVS_ASSERT(segment != NULL); /* version_apply found it */
        install->dropped[install->dropped_count++] = segment;
    }
    return status_ok();
}

static struct kvs_status collect_log_files(struct install *install, const struct manifest_edit *edit)
{
    for (size_t i = 0; i < edit->logs_dropped_count; i++) {
        struct version_file *file = malloc(sizeof *file);
        if (file == NULL)
            return STATUS(KVS_NO_MEMORY, "cannot allocate a file's record");
        *file = (struct version_file){.type = FILE_LOG, .number = edit->logs_dropped[i], .next = install->log_files};
        install->log_files = file;
    }
    return status_ok();
}

static struct kvs_status prepare(struct version_set *set, struct install *install, const struct version_edit *edit)
{
    STATUS_RETURN_IF_ERROR(
        version_apply(&install->version, set->current, &edit->manifest, edit->opened, edit->opened_count));
    STATUS_RETURN_IF_ERROR(manifest_logs_apply(&install->logs, &set->logs, &edit->manifest, set->folder, 0));
    STATUS_RETURN_IF_ERROR(collect_dropped(install, set->current, &edit->manifest));
    return collect_log_files(install, &edit->manifest);
}

/* Free what a failed, or finished, install still has. */
static void install_fini(struct install *install)
{
    version_unref(install->version);
    manifest_logs_fini(&install->logs);
    free(install->dropped);
    while (install->log_files != NULL) {
        struct version_file *next = install->log_files->next;
        free(install->log_files);
        install->log_files = next;
    }
}

/* The edit is durable, in record: make it so in memory. What the install then still has is the state before. */
static void switch_to(struct version_set *set, struct install *install, const struct manifest_edit *edit,
                      uint64_t record)
{
    io_mutex_lock(&set->mutex);
    struct version *old = set->current;
    struct manifest_logs old_logs = set->logs;
    set->current = install->version;
    set->logs = install->logs;
    manifest_numbers_raise(&set->numbers, &edit->numbers);
    for (size_t i = 0; i < install->dropped_count; i++) {
        KVS_ASSERT(install->dropped[i] != NULL);
        install->dropped[i]->file.dropped_record = record;
    }
    io_mutex_unlock(&set->mutex);
    install->version = old;
    install->logs = old_logs;
    while (install->log_files != NULL) {
        struct version_file *file = install->log_files;
        install->log_files = file->next;
        file->dropped_record = record;
        version_set_take_obsolete(set, file);
    }
}

/* written  may be NULL */
static struct kvs_status append_locked(struct version_set *set, const struct manifest_edit *edit,
                                       version_written_hook *written, void *context)
{
    struct kvs_status status = manifest_write(set->manifest, edit);
    if (status_is_ok(status) && written != NULL)
        written(context);
    if (status_is_ok(status))
        status = manifest_sync(set->manifest);
    if (status.code == KVS_POISONED)
        mark_poisoned(set);
    return status;
}

static struct kvs_status install_locked(struct version_set *set, struct install *install, struct version_edit *edit,
                                        version_publish_hook *publish, void *context)
{
    STATUS_RETURN_IF_ERROR(prepare(set, install, edit));
    edit->manifest.numbers.next_file_number = atomic_load_explicit(&set->next_number, memory_order_relaxed);
    STATUS_RETURN_IF_ERROR(append_locked(set, &edit->manifest, edit->written, edit->written_context));
    switch_to(set, install, &edit->manifest, manifest_last_record(set->manifest));
    if (publish != NULL)
        publish(context, set->current);
    if (manifest_size(set->manifest) > set->renew_bytes)
        renew_manifest_locked(set);
    return status_ok();
}

struct kvs_status version_set_install(struct version_set *set, struct version_edit *edit, version_publish_hook *publish,
                                      void *context)
{
    struct install install = {.version = NULL};
    io_mutex_lock(&set->edit_mutex);
    KVS_ASSERT(set->manifest != NULL);
    struct kvs_status status = install_locked(set, &install, edit, publish, context);
    io_mutex_unlock(&set->edit_mutex);
    install_fini(&install);
    return status;
}

struct kvs_status version_set_append_empty_locked(struct version_set *set)
{
    struct manifest_edit edit;
    manifest_edit_init(&edit);
    edit.numbers.next_file_number = atomic_load_explicit(&set->next_number, memory_order_relaxed);
    return append_locked(set, &edit, NULL, NULL);
}
