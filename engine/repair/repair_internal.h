/* repair_internal.h -- inside the room: a survey (repair.c), and what it needs to be carried out (repair_apply.c). */
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

#endif
