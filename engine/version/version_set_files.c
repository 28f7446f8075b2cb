#include "version/version_set_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void version_set_tell(const struct version_set *set, struct kvs_status status, const char *format, ...)
{
    char line[STATUS_TEXT_BYTES + 128];
    va_list arguments;
    if (set->log == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    set->log(set->log_context, status, line);
}

static struct kvs_status path_of(const struct version_set *set, char path[IO_PATH_BYTES],
                                 const struct version_file *file)
{
    return file_name_path(path, set->folder, file->type, file->number);
}

/* ---- Lists ---- */

static void push(struct version_file **list, struct version_file *file)
{
    file->next = *list;
    *list = file;
}

static struct version_file *pop(struct version_file **list)
{
    struct version_file *file = *list;
    if (file != NULL)
        *list = file->next;
    return file;
}

void version_set_take_unused(struct version_set *set, struct version_segment *segment)
{
    io_mutex_lock(&set->mutex);
    push(&set->unused, &segment->file);
    set->waiting_count++;
    io_mutex_unlock(&set->mutex);
}

void version_set_take_obsolete(struct version_set *set, struct version_file *file)
{
    io_mutex_lock(&set->mutex);
    push(&set->obsolete, file);
    set->waiting_count++;
    io_mutex_unlock(&set->mutex);
}

uint64_t version_set_obsolete_count(struct version_set *set)
{
    io_mutex_lock(&set->mutex);
    uint64_t count = set->waiting_count;
    io_mutex_unlock(&set->mutex);
    return count;
}

/* Take both lists. */
static void take_lists(struct version_set *set, struct version_file **unused, struct version_file **obsolete)
{
    io_mutex_lock(&set->mutex);
    *unused = set->unused;
    *obsolete = set->obsolete;
    set->unused = NULL;
    set->obsolete = NULL;
    set->waiting_count = 0;
    io_mutex_unlock(&set->mutex);
}

/* Close a segment that nobody uses. What is left of it is a file to delete, or nothing. */
static void close_unused(struct version_file *file, struct version_file **obsolete)
{
    struct version_segment *segment = (struct version_segment *)file;
    segment_unref(segment->segment);
    segment_meta_fini(&segment->meta);
    if (file->dropped_record > 0)
        push(obsolete, file);
    else
        free(segment);
}

void version_set_forget_files(struct version_set *set)
{
    struct version_file *unused, *obsolete, *file;
    take_lists(set, &unused, &obsolete);
    while ((file = pop(&unused)) != NULL)
        close_unused(file, &obsolete);
    while ((file = pop(&obsolete)) != NULL)
        free(file);
}

/* ---- Deleting ---- */

/* The record such that what earlier records dropped may go: the last one, after an empty one if there is a file that only that would free.
 * Errors: POISONED and those of an append; *covered is then what it was without. */
static struct kvs_status cover_drops(struct version_set *set, uint64_t *covered, const struct version_file *files)
{
    struct kvs_status status = status_ok();
    io_mutex_lock(&set->edit_mutex);
    if (manifest_is_poisoned(set->manifest)) {
        status = STATUS(KVS_POISONED, "database poisoned: nothing is deleted any more");
    } else {
        *covered = manifest_last_record(set->manifest);
        for (; files != NULL && status_is_ok(status); files = files->next) {
            if (files->dropped_record == *covered) {
                status = version_set_append_empty_locked(set);
                *covered = manifest_last_record(set->manifest);
            }
        }
    }
    io_mutex_unlock(&set->edit_mutex);
    return status;
}

static bool delete_file(struct version_set *set, const struct version_file *file)
{
    char path[IO_PATH_BYTES];
    struct kvs_status status = path_of(set, path, file);
    if (status_is_ok(status))
        status = io_unlink(set->io, path);
    if (status_is_ok(status) || status.code == KVS_NOT_FOUND)
        return true;
    version_set_tell(set, status, "an obsolete %s is deleted later: %s", file_type_name(file->type),
                     status_text(status));
    return false;
}

struct kvs_status version_set_delete_obsolete(struct version_set *set)
{
    struct version_file *unused, *obsolete, *file;
    uint64_t covered = 0;
    take_lists(set, &unused, &obsolete);
    while ((file = pop(&unused)) != NULL)
        close_unused(file, &obsolete);
    if (obsolete == NULL)
        return status_ok();
    struct kvs_status status = cover_drops(set, &covered, obsolete);
    while ((file = pop(&obsolete)) != NULL) {
        if (file->dropped_record < covered && delete_file(set, file))
            free(file);
        else
            version_set_take_obsolete(set, file);
    }
    return status;
}

/* ---- What a crash left ---- */

struct number_scan {
    uint64_t largest;
};

static bool note_number(void *context, const char *name)
{
    struct number_scan *scan = context;
    uint64_t number = 0;
    if (file_name_parse(&number, name) != FILE_UNKNOWN && number > scan->largest)
        scan->largest = number;
    return true;
}

struct kvs_status version_set_scan_numbers(struct version_set *set)
{
    struct number_scan scan = {.largest = 0};
    char lost[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(lost, set->folder, FILE_LOST, 0));
    STATUS_RETURN_IF_ERROR(io_list(set->io, set->folder, note_number, &scan));
    struct kvs_status status = io_list(set->io, lost, note_number, &scan);
    if (!status_is_ok(status) && status.code != KVS_NOT_FOUND)
        return status;
    STATUS_RETURN_IF_ERROR(file_name_check_number(scan.largest, set->folder));
    uint64_t next = atomic_load_explicit(&set->next_number, memory_order_relaxed);
    if (scan.largest >= next)
        atomic_store_explicit(&set->next_number, scan.largest + 1, memory_order_relaxed);
    return status_ok();
}

/* live  numbers of live segments, ascending
 * found files that nothing lists */
struct sweep {
    struct version_set *set;
    uint64_t *live;
    size_t live_count;
    struct version_file *found;
    bool is_out_of_memory;
};

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool is_live_log(const struct version_set *set, uint64_t number)
{
    for (size_t i = 0; i < set->logs.count; i++) {
        if (set->logs.logs[i].number == number)
            return true;
    }
    return false;
}

static bool is_listed(const struct sweep *sweep, enum file_type type, uint64_t number)
{
    switch (type) {
    case FILE_LOG:
        return is_live_log(sweep->set, number);
    case FILE_SEGMENT:
        return bsearch(&number, sweep->live, sweep->live_count, sizeof number, compare_numbers) != NULL;
    case FILE_MANIFEST:
        return sweep->set->manifest != NULL && number == manifest_number(sweep->set->manifest);
    case FILE_CURRENT_TEMPORARY:
        return false;
    default:
        return true; /* not ours to delete */
    }
}

static bool note_unlisted(void *context, const char *name)
{
    struct sweep *sweep = context;
    uint64_t number = 0;
    enum file_type type = file_name_parse(&number, name);
    if (is_listed(sweep, type, number))
        return true;
    struct version_file *file = malloc(sizeof *file);
    if (file == NULL) {
        sweep->is_out_of_memory = true;
        return false;
    }
    *file = (struct version_file){.type = type, .number = number};
    push(&sweep->found, file);
    return true;
}

static struct kvs_status list_live(struct sweep *sweep)
{
    const struct version *version = sweep->set->current;
    size_t count = 0;
    for (size_t i = 0; i < version->run_count; i++)
        count += version->runs[i]->count;
    sweep->live = malloc((count + 1) * sizeof *sweep->live);
    if (sweep->live == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a list of %zu segments", count);
    for (size_t i = 0; i < version->run_count; i++) {
        for (size_t s = 0; s < version->runs[i]->count; s++)
            sweep->live[sweep->live_count++] = version->runs[i]->segments[s]->meta.number;
    }
    qsort(sweep->live, sweep->live_count, sizeof *sweep->live, compare_numbers);
    return status_ok();
}

/* Give the file a second name in lost/. It loses the first one when this, and a manifest that was read to its end, are durable. */
static struct kvs_status link_into_lost(const struct version_set *set, const struct version_file *file,
                                        const char *lost)
{
    char from[IO_PATH_BYTES], to[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(path_of(set, from, file));
    STATUS_RETURN_IF_ERROR(file_name_path(to, lost, file->type, file->number));
    struct kvs_status status = io_link(set->io, from, to);
    return status.sys_errno == EEXIST ? status_ok() : status;
}

/* lost/ exists, and its name is durable. */
static struct kvs_status make_lost(const struct version_set *set, const char *lost)
{
    struct kvs_status status = io_make_directory(set->io, lost);
    if (!status_is_ok(status) && status.sys_errno != EEXIST)
        return status;
    return io_directory_sync(set->io, set->folder, SYNC_LOST_DIRECTORY);
}

static struct kvs_status set_aside(struct version_set *set, const struct version_file *files)
{
    char lost[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(lost, set->folder, FILE_LOST, 0));
    STATUS_RETURN_IF_ERROR(make_lost(set, lost));
    for (const struct version_file *file = files; file != NULL; file = file->next) {
        STATUS_RETURN_IF_ERROR(link_into_lost(set, file, lost));
        version_set_tell(set, status_ok(),
                         "%s %" PRIu64 " is set aside in %s: the manifest lost its end, which may have listed it",
                         file_type_name(file->type), file->number, lost);
    }
    return io_directory_sync(set->io, lost, SYNC_LOST_DIRECTORY);
}

/* List the files that nothing lists; sweep_fini frees them, also after a failure. */
static struct kvs_status sweep_init(struct sweep *sweep, struct version_set *set)
{
    *sweep = (struct sweep){.set = set};
    STATUS_RETURN_IF_ERROR(list_live(sweep));
    STATUS_RETURN_IF_ERROR(io_list(set->io, set->folder, note_unlisted, sweep));
    return sweep->is_out_of_memory ? STATUS(KVS_NO_MEMORY, "cannot allocate a list of files") : status_ok();
}

static void sweep_fini(struct sweep *sweep)
{
    struct version_file *file;
    while ((file = pop(&sweep->found)) != NULL)
        free(file);
    free(sweep->live);
}

struct kvs_status version_set_set_aside(struct version_set *set)
{
    struct sweep sweep;
    struct kvs_status status = sweep_init(&sweep, set);
    if (status_is_ok(status) && sweep.found != NULL)
        status = set_aside(set, sweep.found);
    sweep_fini(&sweep);
    return status;
}

struct kvs_status version_set_sweep(struct version_set *set)
{
    struct sweep sweep;
    struct version_file *file;
    if (version_set_is_poisoned(set))
        return STATUS(KVS_POISONED, "database poisoned: nothing is deleted any more");
    struct kvs_status status = sweep_init(&sweep, set);
    while (status_is_ok(status) && (file = pop(&sweep.found)) != NULL) {
        if (delete_file(set, file))
            free(file);
        else
            version_set_take_obsolete(set, file);
    }
    sweep_fini(&sweep);
    return status;
}
