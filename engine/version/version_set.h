/* version_set.h -- the current version of a database, and the bookkeeping of its files.
 *
 * Role      Recovers the state from the manifest, installs edits one at a time, gives out file numbers, lists the live logs, and deletes the
 *           files that nothing needs any more.
 * Format    The manifest's: version/manifest.h.
 * Threads   Any, except create, recover, begin, sweep and close, which have the set to themselves.
 * Locks     edit_mutex, held for a whole install (with its write and sync, and the publish hook): taken first.
 *           mutex, held for moments, never during I/O: the current version, the logs and numbers, the unused files. A leaf.
 * Failure   A poisoned manifest (manifest.h) poisons the set: installs return POISONED and nothing is deleted any more.
 *
 * When a file goes. The edit in record k drops a file. It is unlinked when (1) nothing in memory uses it and (2) a record after k, or a
 * whole manifest that was written after it, has been synced. Before that, record k might be the last one: were it damaged later, it
 * would look like a torn tail, the state before it would be taken, and that state lists the file. With a later record synced, whose
 * watermark is at least k, damage to k is recognised as damage. If no later record comes by itself, version_set_delete_obsolete
 * appends an empty one.
 */
#ifndef KVS_VERSION_VERSION_SET_H
#define KVS_VERSION_VERSION_SET_H

#include "io/io_thread.h"
#include "version/manifest.h"
#include "version/version.h"
#include "version/version_edit.h"

struct version_set;

/* Receives one line of text. Under no lock of the set but edit_mutex. */
typedef void version_log_function(void *context, struct kvs_status status, const char *line);

/* io            of the folder; borrowed for the set's life, as is all below
 * folder        the database's; copied
 * segments      what segments are opened with
 * log           told of files that could not be deleted or were set aside; may be NULL. status is OK for what is no failure
 * manifest_bytes  a manifest larger than this, and than four times its whole state, is written anew; 0: 4 MiB */
struct version_set_options {
    struct io *io;
    const char *folder;
    const struct segment_context *segments;
    version_log_function *log;
    void *log_context;
    uint64_t manifest_bytes;
};

/* What version_set_recover found, beside the version.
 *
 * records          edits that were replayed
 * cut_bytes        the torn tail of the manifest: what it does not list may have been listed there, so that it is set aside and never unlinked
 * numbers          the largest of each, over all edits */
struct version_recovery {
    uint64_t records;
    uint64_t cut_bytes;
    struct manifest_numbers numbers;
};

/* ---- Life ---- */

/* Whether folder holds a database. found: out; false for a folder that is absent, empty, or left by a creation that was cut short.
 * Errors: CORRUPT (files of a database without a CURRENT, or a bad one), UNSUPPORTED, IO. */
KVS_MUST_USE struct kvs_status version_set_find(bool *found, struct io *io, const char *folder);

/* Make a new, empty database in an existing folder where version_set_find found none: its first manifest and CURRENT, durable on return.
 * The first log is made after this. The set is ready for edits; no version_set_begin.
 *
 * owner  at most MANIFEST_OWNER_BYTES bytes
 * Errors: NO_SPACE, IO, NO_MEMORY, POISONED; the folder is then one where nothing is found, or an empty database. */
KVS_MUST_USE struct kvs_status version_set_create(struct version_set **set, const struct version_set_options *options,
                                                  const char *owner);

/* Read the state that CURRENT and its manifest describe, and open every segment. Changes nothing on disk; until version_set_begin the set
 * is for reading.
 *
 * Errors: NOT_FOUND (no database), CORRUPT (damage, or a listed segment that is missing or is not the one listed), UNSUPPORTED, IO,
 * NO_MEMORY. */
KVS_MUST_USE struct kvs_status version_set_recover(struct version_set **set, struct version_recovery *recovery,
                                                   const struct version_set_options *options);

/* Begin to write: raise the next file number past every file in the folder and in lost/, write the state whole into a new manifest, and
 * make that current. Unlinks nothing. If recovery cut anything from the manifest, files with our names that nothing lists (segments, logs, manifests, a
 * temporary CURRENT) are set aside in lost/ before.
 *
 * numbers  raised to in the new manifest; may be NULL
 * Errors: NO_SPACE, IO, NO_MEMORY, UNSUPPORTED (a file's number is too large to go on from): nothing changed and it may be tried again; POISONED. */
KVS_MUST_USE struct kvs_status version_set_begin(struct version_set *set, const struct manifest_numbers *numbers);

/* In the place of version_set_begin where that has no room: make the state that was read durable, so that it may be shown. Errors: IO, and it may not be shown. */
KVS_MUST_USE struct kvs_status version_set_prove(struct version_set *set);

/* Remove what a crash left: files with our names that nothing lists. After version_set_begin; before new files are made. What cannot be removed is
 * logged and left for the next open.
 *
 * Errors: IO (the folder cannot be listed), POISONED (nothing was removed). */
KVS_MUST_USE struct kvs_status version_set_sweep(struct version_set *set);

/* Free the set. Versions and segments taken from it must have been let go. Deletes no file. NULL is allowed. */
void version_set_close(struct version_set *set);

/* ---- Reading ---- */

/* The current version, with a reference for the caller. */
struct version *version_set_current(struct version_set *set);

/* The database's uuid and owner, borrowed for the set's life. */
const uint8_t *version_set_uuid(const struct version_set *set);
const char *version_set_owner(const struct version_set *set);

/* What segments are opened with, as given in the options. */
const struct segment_context *version_set_segments(const struct version_set *set);

/* The largest numbers of all edits so far. */
struct manifest_numbers version_set_numbers(struct version_set *set);

/* A copy of the list of live logs, by number. logs: out, the caller frees it (NULL for none). Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status version_set_logs(struct version_set *set, struct manifest_log **logs, size_t *count);

/* ---- Changing ---- */

/* A file number (or run id: they share the counter) never given out before. The next edit makes it durable; should a crash come first,
 * the file, if it is there, raises the counter at the next open. Any thread; never waits. */
uint64_t version_set_new_number(struct version_set *set);

/* Called when an edit is durable and its version is current, before the next edit can be. version is borrowed. Under edit_mutex. */
typedef void version_publish_hook(void *context, struct version *version);

/* Make an edit durable and its version current: build the version, append to the manifest (edit->written), sync, swap, call publish (may be NULL).
 * next_file_number is filled in here. The edit is the caller's to fini, on success and failure alike. Waits for other installs. May write
 * the manifest anew when it has grown.
 *
 * Errors: NO_SPACE, NO_MEMORY, CORRUPT, TOO_LARGE, IO: nothing was changed, on disk or in memory (version_edit_discard is allowed).
 * POISONED: whether the edit is on disk is unknown: its files must stay. */
KVS_MUST_USE struct kvs_status version_set_install(struct version_set *set, struct version_edit *edit,
                                                   version_publish_hook *publish, void *context);

/* Unlink what may go (see above), each file by itself; failures are logged and tried again at the next call. Segments whose last reference is
 * gone are closed here. For a background thread.
 *
 * Errors: POISONED, or that of the empty edit; nothing is lost by trying later. */
KVS_MUST_USE struct kvs_status version_set_delete_obsolete(struct version_set *set);

/* Files, and segments that nobody uses, that wait for version_set_delete_obsolete. Any thread; a moment old. */
uint64_t version_set_obsolete_count(struct version_set *set);

bool version_set_is_poisoned(struct version_set *set);

#endif
