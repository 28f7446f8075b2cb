/* repair_internal.h -- inside the room: a survey (repair.c, and what it takes stock of: repair_files.c, repair_segments.c, repair_logs.c), and what it needs to be
 * carried out (repair_apply.c). */
#ifndef KVS_REPAIR_REPAIR_INTERNAL_H
#define KVS_REPAIR_REPAIR_INTERNAL_H

#include "repair/entry_stream.h"
#include "repair/manifest_survey.h"
#include "repair/repair.h"
#include "repair/segment_salvage.h"

/* A segment of the state to be: as it is, or written anew from what is left of it.
 *
 * listed   where the manifest has it, borrowed from the survey; NULL in a REBUILD of one that it does not list
 * salvage  what is left of it; NULL where it stays as it is, or where nothing is left (is_gone) */
struct repair_segment {
    uint64_t number;
    const struct manifest_added *listed;
    struct segment_salvage *salvage;
    bool is_gone;
};

/* entries  of the logs that are replaced
 * numbers  as the new manifest has them */
struct repair {
    struct io *io;
    char folder[IO_PATH_BYTES];
    bool for_salvage;
    struct repair_report report;
    struct manifest_survey manifest;
    struct repair_segment *segments;
    size_t segment_count, segment_capacity;
    uint64_t *logs; /* numbers of all logs in the folder, ascending */
    size_t log_count;
    struct entry_list entries;
    struct manifest_numbers numbers;
    char owner[MANIFEST_OWNER_BYTES + 1];
    char refusal[STATUS_TEXT_BYTES]; /* why a start would refuse the logs; empty where it would not */
};

static inline void repair_raise(uint64_t *value, uint64_t other)
{
    if (other > *value)
        *value = other;
}

/* ---- The folder: repair_files.c ---- */

/* The numbers of all files of a type, ascending. numbers: out, the caller frees it; NULL where there are none. Errors: IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status repair_list_numbers(const struct repair *repair, uint64_t **numbers, size_t *count,
                                                   enum file_type type);

/* Report that a file, if there is one, goes to lost/. Errors: IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status repair_move_file(struct repair *repair, enum file_type type, uint64_t number);

/* Segments that the manifest lists are missing while newer ones are there that it does not list: it is an older copy. Errors: IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status repair_is_older_copy(const struct repair *repair, bool *is_older);

/* ---- Segments: repair_segments.c ---- */

/* Take every segment that the manifest lists: as it is, or what is left of it. Errors: IO, NO_MEMORY, UNSUPPORTED. */
KVS_MUST_USE struct kvs_status repair_take_listed(struct repair *repair);

/* REBUILD: take what is left of every segment in the folder, but for those of which an edit says that they are not used any more. Errors: as above. */
KVS_MUST_USE struct kvs_status repair_take_found(struct repair *repair);

/* ---- Logs: repair_logs.c ---- */

/* Whether the listed logs replay as a start would replay them; with_unlisted: and no other log speaks against it. Errors: IO, NO_MEMORY, UNSUPPORTED. */
KVS_MUST_USE struct kvs_status repair_check_logs(struct repair *repair, bool *is_sound, bool with_unlisted);

/* Read the entries of all listed logs, or of all that there are. flushed_sequence: entries up to it are in segments. Errors: IO, NO_MEMORY, UNSUPPORTED. */
KVS_MUST_USE struct kvs_status repair_survey_logs(struct repair *repair, bool only_listed, uint64_t flushed_sequence);

#endif
