/* manifest_survey.h -- what the manifests of a folder still tell.
 *
 * Role      Follows CURRENT, or, where that is damaged or missing, takes the newest manifest that can be replayed; keeps what was read before the damage.
 * Format    format/README.md, "Manifest".
 * Threads   One.
 * Failure   Damage is a finding, not an error.
 */
#ifndef KVS_REPAIR_MANIFEST_SURVEY_H
#define KVS_REPAIR_MANIFEST_SURVEY_H

#include "format/file_header.h"
#include "io/io.h"
#include "repair/repair_report.h"
#include "version/manifest_state.h"

/* is_sound     state is that of a manifest that replays to its end
 * has_uuid     uuid is known, from CURRENT, a manifest or a log; else it is zero
 * state        the sum of the edits that were read, all of them if is_sound
 * number, last_record   of the manifest that was read; 0: none
 * next_number  above every number in the folder and in lost/ */
struct manifest_survey {
    bool is_sound;
    bool has_uuid;
    uint8_t uuid[FILE_UUID_BYTES];
    struct manifest_state state;
    uint64_t number;
    uint64_t last_record;
    uint64_t next_number;
};

/* Look. survey: out, initialised also on failure; manifest_survey_fini. report: a finding for CURRENT or the manifest, if damaged.
 *
 * Errors: NOT_FOUND (nothing in the folder is a database's), UNSUPPORTED (another version's, or a file whose number is too large to go on from), IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status manifest_survey(struct io *io, struct manifest_survey *survey, const char *folder,
                                               struct repair_report *report);
void manifest_survey_fini(struct manifest_survey *survey);

#endif
