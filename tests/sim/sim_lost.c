#include "sim_lost.h"

#include "sim.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define LOST_FOLDER SIM_FOLDER "/lost"

/* What a file holds. found: out. */
static uint64_t hash_of(struct sim *sim, bool *found, const char *folder, const char *name)
{
    char path[IO_PATH_BYTES];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    uint8_t *bytes = io_mem_copy_file(sim->mem, &size, path);
    *found = bytes != NULL;
    uint64_t hash = bytes == NULL ? 0 : hash_bytes(bytes, size) | 1;
    free(bytes);
    return hash;
}

static void note(struct sim_lost *lost, const struct lost_file *file)
{
    for (size_t i = 0; i < lost->count; i++) {
        struct lost_file *known = &lost->files[i];
        if (strcmp(known->name, file->name) != 0)
            continue;
        known->is_durable |= file->is_durable;
        known->is_aside |= file->is_aside;
        if (file->hash != 0)
            known->hash = file->hash;
        return;
    }
    if (lost->count < LOST_MAX)
        lost->files[lost->count++] = *file;
}

void sim_lost_note_torn(struct sim *sim, const struct sim_look *look, bool is_durable)
{
    if (!look->is_valid || !look->is_torn)
        return;
    for (size_t i = 0; i < look->unlisted_count; i++) {
        struct lost_file file = {.is_durable = is_durable};
        char name[FILE_NAME_BYTES];
        file_name_print(name, look->unlisted[i].type, look->unlisted[i].number);
        snprintf(file.name, sizeof file.name, "%s", name);
        sim_note(sim, "look: the manifest is torn and does not list %s", file.name);
        note(&sim->lost, &file);
    }
}

static bool note_aside(void *context, const char *name)
{
    struct sim *sim = context;
    struct lost_file file = {.is_aside = true, .is_durable = true};
    uint64_t number;
    bool found;
    snprintf(file.name, sizeof file.name, "%s", name);
    if (file_name_parse(&number, name) == FILE_TAIL)
        file.hash = hash_of(sim, &found, LOST_FOLDER, name);
    note(&sim->lost, &file);
    return true;
}

void sim_lost_note_aside(struct sim *sim)
{
    struct kvs_status status = io_list(io_mem_as_io(sim->mem), LOST_FOLDER, note_aside, sim);
    (void)status; /* mostly there is no such folder */
}

void sim_lost_note_cut(struct sim *sim)
{
    size_t kept = 0;
    for (size_t i = 0; i < sim->lost.count; i++) {
        if (sim->lost.files[i].is_durable)
            sim->lost.files[kept++] = sim->lost.files[i];
    }
    sim->lost.count = kept;
}

void sim_lost_check(struct sim *sim, bool only_durable)
{
    for (size_t i = 0; i < sim->lost.count; i++) {
        const struct lost_file *file = &sim->lost.files[i];
        bool is_aside, is_there = false;
        if (only_durable && !file->is_durable)
            continue;
        uint64_t hash = hash_of(sim, &is_aside, LOST_FOLDER, file->name);
        if (!is_aside && !file->is_aside)
            (void)hash_of(sim, &is_there, SIM_FOLDER, file->name);
        if (!is_aside && !is_there)
            sim_fail(sim, "%s was set aside, or had to be, and is neither in the folder nor in lost/", file->name);
        if (file->hash != 0 && file->hash != hash)
            sim_fail(sim, "lost/%s has changed since it was set aside", file->name);
    }
}
