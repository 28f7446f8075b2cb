#include "repair/manifest_survey.h"

#include "version/manifest_current.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Manifests of a folder: a running database has two at most, crashes leave a few more. The newest are kept. */
enum { MANIFESTS_MAX = 16 };

/* Names in the folder. */
struct names {
    uint64_t manifests[MANIFESTS_MAX];
    size_t manifest_count;
    uint64_t largest;
    uint64_t data_files;
};

static void add_manifest(struct names *names, uint64_t number)
{
    if (names->manifest_count == MANIFESTS_MAX) {
        size_t oldest = 0;
        for (size_t i = 1; i < MANIFESTS_MAX; i++)
            oldest = names->manifests[i] < names->manifests[oldest] ? i : oldest;
        names->manifests[oldest] = names->manifests[--names->manifest_count];
    }
    names->manifests[names->manifest_count++] = number;
}

static bool note_name(void *context, const char *name)
{
    struct names *names = context;
    uint64_t number;
    enum file_type type = file_name_parse(&number, name);
    if (type == FILE_UNKNOWN)
        return true;
    if (number > names->largest)
        names->largest = number;
    if (type == FILE_MANIFEST)
        add_manifest(names, number);
    names->data_files += type == FILE_LOG || type == FILE_SEGMENT;
    return true;
}

static bool note_lost_name(void *context, const char *name)
{
    struct names *names = context;
    uint64_t number;
    if (file_name_parse(&number, name) != FILE_UNKNOWN && number > names->largest)
        names->largest = number;
    return true;
}

static struct kvs_status visit(void *context, const struct manifest_edit *edit, const char *path, uint64_t offset)
{
    return manifest_state_apply(context, edit, path, offset);
}

/* Read one manifest; what was read stays in the state, whatever comes. */
static struct kvs_status replay(struct io *io, struct manifest_survey *survey, const char *folder,
                                const struct manifest_current *current)
{
    struct manifest_replay_result result = {.records = 0};
    manifest_state_fini(&survey->state);
    struct kvs_status status = manifest_replay(io, &result, folder, current, visit, &survey->state);
    memcpy(survey->uuid, current->uuid, sizeof survey->uuid);
    survey->has_uuid = true;
    if (current->number > survey->number)
        survey->number = current->number;
    survey->last_record = result.last_record > current->last_record ? result.last_record : current->last_record;
    if (status_is_ok(status) && !survey->state.has_owner)
        return STATUS(KVS_CORRUPT, "%s/MANIFEST-%06llu: offset %d: expected an edit, found none that verifies", folder,
                      (unsigned long long)current->number, FILE_HEADER_BYTES);
    return status;
}

/* The place in a sentence, as in "...: offset 256: ..."; 0 where it has none. */
static uint64_t offset_of(const char *sentence)
{
    static const char word[] = "offset ";
    const char *at = strstr(sentence, word);
    return at == NULL ? 0 : strtoull(at + sizeof word - 1, NULL, 10);
}

static struct kvs_status note(struct repair_report *report, enum repair_part part, uint64_t number, const char *what)
{
    struct repair_finding finding = {.part = part, .offset = offset_of(what), .is_lost = false};
    file_name_print(finding.file, part == REPAIR_CURRENT ? FILE_CURRENT : FILE_MANIFEST, number);
    snprintf(finding.what, sizeof finding.what, "%s", what);
    return repair_report_add(report, &finding);
}

/* The newest manifest above a number whose header verifies: a creation that was cut short leaves one without. An older one is never taken for a newer one that is
 * damaged. Errors: CORRUPT (there is none, or it does not replay). */
static struct kvs_status take_newest(struct io *io, struct manifest_survey *survey, const char *folder,
                                     const struct names *names, uint64_t above)
{
    struct kvs_status status = STATUS(KVS_CORRUPT, "%s: there is no manifest that could be read instead", folder);
    uint64_t below = UINT64_MAX;
    for (size_t tried = 0; tried < names->manifest_count; tried++) {
        struct manifest_current current = {.number = 0};
        struct file_header header;
        struct io_file *file = NULL;
        char path[IO_PATH_BYTES];
        for (size_t i = 0; i < names->manifest_count; i++) {
            if (names->manifests[i] < below && names->manifests[i] > current.number)
                current.number = names->manifests[i];
        }
        below = current.number;
        if (below <= above)
            break;
        STATUS_RETURN_IF_ERROR(file_name_path(path, folder, FILE_MANIFEST, current.number));
        status = manifest_file_open(io, &file, &header, path);
        io_file_close(file);
        if (status.code == KVS_CORRUPT)
            continue;
        STATUS_RETURN_IF_ERROR(status);
        current.file_id = header.file_id;
        memcpy(current.uuid, header.uuid, sizeof current.uuid);
        return replay(io, survey, folder, &current);
    }
    return status;
}

/* Without CURRENT, or with a bad one. */
static struct kvs_status survey_without_current(struct io *io, struct manifest_survey *survey, const char *folder,
                                                const struct names *names, struct repair_report *report)
{
    struct kvs_status status = take_newest(io, survey, folder, names, 0);
    survey->is_sound = status_is_ok(status);
    if (status.code != KVS_CORRUPT)
        return status;
    return note(report, REPAIR_MANIFEST, survey->number, status_text(status));
}

/* CURRENT is sound, but may be an older copy, of which a newer manifest tells. */
static struct kvs_status survey_current(struct io *io, struct manifest_survey *survey, const char *folder,
                                        const struct names *names, const struct manifest_current *current,
                                        struct repair_report *report)
{
    char what[STATUS_TEXT_BYTES];
    struct kvs_status status = replay(io, survey, folder, current);
    survey->is_sound = status_is_ok(status);
    if (status.code != KVS_CORRUPT)
        return status;
    status_save_text(status, what);
    status = take_newest(io, survey, folder, names, current->number);
    survey->is_sound = status_is_ok(status);
    if (survey->is_sound)
        return note(report, REPAIR_CURRENT, 0, what);
    if (status.code != KVS_CORRUPT)
        return status;
    return note(report, REPAIR_MANIFEST, current->number, what);
}

static struct kvs_status scan_names(struct io *io, struct names *names, const char *folder)
{
    char lost[IO_PATH_BYTES];
    STATUS_RETURN_IF_ERROR(file_name_path(lost, folder, FILE_LOST, 0));
    STATUS_RETURN_IF_ERROR(io_list(io, folder, note_name, names));
    struct kvs_status status = io_list(io, lost, note_lost_name, names);
    if (!status_is_ok(status) && status.code != KVS_NOT_FOUND)
        return status;
    return file_name_check_number(names->largest, folder);
}

struct kvs_status manifest_survey(struct io *io, struct manifest_survey *survey, const char *folder,
                                  struct repair_report *report)
{
    struct manifest_current current;
    struct names names = {.manifest_count = 0};
    bool found = false;
    *survey = (struct manifest_survey){.is_sound = false};
    manifest_state_init(&survey->state);
    STATUS_RETURN_IF_ERROR(scan_names(io, &names, folder));
    survey->next_number = names.largest + 1;
    struct kvs_status status = manifest_current_read(io, &current, &found, folder);
    if (status_is_ok(status) && !found && names.data_files == 0)
        return STATUS(KVS_NOT_FOUND, "there is no database in %s", folder);
    if (status.code == KVS_CORRUPT || (status_is_ok(status) && !found)) {
        STATUS_RETURN_IF_ERROR(
            note(report, REPAIR_CURRENT, 0, status_is_ok(status) ? "it is missing" : status_text(status)));
        return survey_without_current(io, survey, folder, &names, report);
    }
    STATUS_RETURN_IF_ERROR(status);
    return survey_current(io, survey, folder, &names, &current, report);
}

void manifest_survey_fini(struct manifest_survey *survey)
{
    manifest_state_fini(&survey->state);
}
