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

/* An edit is in the manifest file, where a kill of the process leaves it, and its sync has not begun. Under the set's edit_mutex. */
typedef void version_written_hook(void *context);

/* opened   referenced; those of the added segments that no version has yet
 * written  called with its context when the edit is installed; NULL: nobody */
struct version_edit {
    struct manifest_edit manifest;
    struct version_segment **opened;
    size_t opened_count;
    version_written_hook *written;
    void *written_context;
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
