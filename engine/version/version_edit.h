/* version_edit.h -- a change to install: a manifest edit, and the segments that it adds, open.
 *
 * Role      What a flush or a compaction results in. Holding the segments open across the install means that nothing is read for it, and
 *           that the blocks which were just written are resident.
 * Threads   A plain value; one owner at a time.
 */
#ifndef KVS_VERSION_VERSION_EDIT_H
#define KVS_VERSION_VERSION_EDIT_H

#include "format/manifest_edit.h"
#include "version/version_segment.h"

/* opened  referenced; those of the added segments that no version has yet */
struct version_edit {
    struct manifest_edit manifest;
    struct version_segment **opened;
    size_t opened_count;
};

void version_edit_init(struct version_edit *edit);

/* Drop what the edit holds; no file is deleted. The edit is then empty. */
void version_edit_fini(struct version_edit *edit);

/* Add a new segment to a run; the edit takes over the caller's reference on success. Errors: NO_MEMORY; the edit is then as before. */
KVS_MUST_USE struct kvs_status version_edit_add(struct version_edit *edit, unsigned level, uint64_t run,
                                                struct version_segment *segment);

/* Drop the edit and unlink the files that it would have added: only for an edit that was never given to version_set_install, or that came
 * back from it with another error than POISONED. Files that cannot be unlinked are left for the next open. */
void version_edit_discard(struct version_edit *edit);

#endif
