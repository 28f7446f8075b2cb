#include "sim_look.h"

#include "sim.h"

#include "format/log_header.h"
#include "format/log_record.h"
#include "version/manifest.h"
#include "version/manifest_state.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_ID_OFFSET = 32 };

/* The manifest as it is read.
 *
 * edit_offset  of the last record's payload
 * named        the segments that any edit added: the state forgets those that have long been dropped */
struct reading {
    struct sim_look *look;
    struct manifest_state state;
    uint64_t edit_offset;
    uint64_t *named;
    size_t named_count;
};

static struct kvs_status visit_edit(void *context, const struct manifest_edit *edit, const char *path, uint64_t offset)
{
    struct reading *reading = context;
    reading->edit_offset = offset;
    for (size_t i = 0; i < edit->added_count; i++) {
        uint64_t *larger = realloc(reading->named, (reading->named_count + 1) * sizeof *larger);
        if (larger == NULL)
            abort();
        reading->named = larger;
        reading->named[reading->named_count++] = edit->added[i].meta.number;
    }
    return manifest_state_apply(&reading->state, edit, path, offset);
}

/* ---- Files ---- */

static bool is_listed_log(const struct manifest_state *state, uint64_t number)
{
    for (size_t i = 0; i < state->logs.count; i++) {
        if (state->logs.logs[i].number == number)
            return true;
    }
    return false;
}

static const struct manifest_slot *find_slot(const struct manifest_state *state, uint64_t number)
{
    for (size_t i = 0; i < state->slot_count; i++) {
        if (state->slots[i].added.meta.number == number)
            return &state->slots[i];
    }
    return NULL;
}

static bool was_named(const struct reading *reading, uint64_t number)
{
    for (size_t i = 0; i < reading->named_count; i++) {
        if (reading->named[i] == number)
            return true;
    }
    return false;
}

static bool note_name(void *context, const char *name)
{
    struct reading *reading = context;
    struct sim_look *look = reading->look;
    struct look_file file = {.number = 0};
    file.type = file_name_parse(&file.number, name);
    const struct manifest_slot *slot = NULL;
    if (file.type == FILE_SEGMENT)
        slot = find_slot(&reading->state, file.number);
    bool is_unlisted = (file.type == FILE_LOG && !is_listed_log(&reading->state, file.number)) ||
                       (file.type == FILE_SEGMENT && (slot == NULL || !slot->is_live));
    if (is_unlisted && look->unlisted_count < LOOK_FILES_MAX) {
        look->was_named[look->unlisted_count] = was_named(reading, file.number);
        look->unlisted[look->unlisted_count++] = file;
    }
    return true;
}

/* ---- Logs ---- */

static void look_at_log(struct sim *sim, struct sim_look *look, const struct manifest_log *log)
{
    char path[IO_PATH_BYTES];
    size_t size = 0;
    uint64_t file_id;
    if (!kvs_ok(file_name_path(path, SIM_FOLDER, FILE_LOG, log->number)))
        return;
    uint8_t *bytes = io_mem_copy_file(sim->mem, &size, path);
    if (log->is_ended && log->size_bytes < size)
        size = log->size_bytes;
    if (size >= LOG_HEADER_BYTES)
        memcpy(&file_id, bytes + FILE_ID_OFFSET, sizeof file_id);
    for (size_t at = LOG_HEADER_BYTES; at + LOG_RECORD_HEADER_BYTES <= size; at += LOG_RECORD_ALIGNMENT) {
        struct log_record record;
        if (log_record_may_begin(bytes + at) && log_record_decode(&record, bytes + at, file_id, at) &&
            record.kind == LOG_BATCH && log_record_last_sequence(&record) > look->last_sequence)
            look->last_sequence = log_record_last_sequence(&record);
    }
    free(bytes);
}

/* ---- The whole ---- */

static bool read_manifest(struct sim *sim, struct sim_look *look, struct reading *reading)
{
    struct io *io = io_mem_as_io(sim->mem);
    struct manifest_current current;
    struct manifest_replay_result result;
    bool found = false;
    if (!kvs_ok(manifest_current_read(io, &current, &found, SIM_FOLDER)) || !found ||
        !kvs_ok(manifest_replay(io, &result, SIM_FOLDER, &current, visit_edit, reading)))
        return false;
    look->manifest = current.number;
    look->is_torn = result.cut_bytes > 0;
    look->last_edit = result.last_record > current.last_record ? reading->edit_offset - LOG_RECORD_HEADER_BYTES : 0;
    return true;
}

void sim_look_at(struct sim *sim, struct sim_look *look)
{
    struct reading reading = {.look = look};
    *look = (struct sim_look){.is_valid = false};
    manifest_state_init(&reading.state);
    if (read_manifest(sim, look, &reading)) {
        look->is_valid = kvs_ok(io_list(io_mem_as_io(sim->mem), SIM_FOLDER, note_name, &reading));
        for (size_t i = 0; i < reading.state.logs.count; i++)
            look_at_log(sim, look, &reading.state.logs.logs[i]);
    }
    manifest_state_fini(&reading.state);
    free(reading.named);
}

uint64_t sim_look_manifest(struct sim *sim)
{
    struct manifest_current current;
    bool found = false;
    if (!kvs_ok(manifest_current_read(io_mem_as_io(sim->mem), &current, &found, SIM_FOLDER)) || !found)
        return 0;
    return current.number;
}

bool sim_look_tear(struct sim *sim, const struct sim_look *look)
{
    static const uint8_t garbage[8] = "garbage";
    char path[IO_PATH_BYTES];
    return look->is_valid && !look->is_torn && look->last_edit != 0 &&
           kvs_ok(file_name_path(path, SIM_FOLDER, FILE_MANIFEST, look->manifest)) &&
           io_mem_damage(sim->mem, path, garbage, sizeof garbage, look->last_edit);
}
