/* manifest.h -- the log of version edits, and CURRENT, which names it.
 *
 * Role      Makes each edit atomic and durable. Every manifest begins with the whole state, and CURRENT says how many of its records that is:
 *           a manifest is named only after all of them, and its name, are synced.
 * Format    format/README.md, "Manifest" and "CURRENT"; frames are those of format/log_record.h.
 * Threads   One thread at a time for everything (the version_set's edit mutex).
 * Failure   A failed write or sync poisons the manifest: whether the edit is on disk is unknown, so it and every later call return POISONED
 *           until the database is reopened, and the engine deletes nothing more. A full disk is met at preallocation, or, where a file system fails a write of
 *           preallocated room all the same, at a write whose record is then taken back: NO_SPACE, and the same or another edit may be tried again.
 *
 * The order of a new manifest, with its rows of the durability ledger:
 *
 *     write MANIFEST-n, sync it (SYNC_MANIFEST_NEW)             a crash here leaves a file that nothing names
 *     sync the directory (SYNC_MANIFEST_DIRECTORY)
 *     write CURRENT.tmp, sync it (SYNC_CURRENT)
 *     rename it to CURRENT, sync the directory (SYNC_CURRENT_DIRECTORY)   either the old or the new manifest is named, and both are whole
 *     only then may the old manifest, or anything that it alone lists, be unlinked
 */
#ifndef KVS_VERSION_MANIFEST_H
#define KVS_VERSION_MANIFEST_H

#include "format/file_header.h"
#include "format/log_record.h"
#include "format/manifest_edit.h"
#include "io/io.h"

struct manifest;

/* The largest payload that the records of a whole state are split into; and the piece in which the file is preallocated, before it is first synced and before
 * an append passes its end: its size is a multiple of it; and what is left behind a whole state at least, so that the edit that ends a recovery has room. */
enum { MANIFEST_RECORD_BYTES = 1024 * 1024, MANIFEST_PIECE_BYTES = 64 * 1024, MANIFEST_NEXT_BYTES = 4096 };

/* What CURRENT says.
 *
 * uuid            the database's
 * number, file_id the manifest's
 * last_record     the number of the last record of its whole state: known durable, because CURRENT names it */
struct manifest_current {
    uint8_t uuid[FILE_UUID_BYTES];
    uint64_t number;
    uint64_t file_id;
    uint64_t last_record;
};

/* Read CURRENT in folder.
 *
 * found  out: false where there is no database: the folder is not there, is empty, or holds only what a creation that was cut short
 *        leaves (LOCK, lost, a temporary CURRENT, one manifest; the first log is made after CURRENT)
 *
 * Errors: CORRUPT (CURRENT does not verify, or is missing beside files of a database), UNSUPPORTED (another format version), IO. */
KVS_MUST_USE struct kvs_status manifest_current_read(struct io *io, struct manifest_current *current, bool *found,
                                                     const char *folder);

/* Called for each edit of a manifest, in order; an error stops the replay and is returned. edit is borrowed. offset: of its payload. */
typedef struct kvs_status manifest_replay_visit(void *context, const struct manifest_edit *edit, const char *path,
                                                uint64_t offset);

/* What a replay found.
 *
 * records      edits that were visited
 * last_record  the number of the last one
 * proven_end   where the last record begins, if nothing shows that it is durable; else end
 * end          where the next record would stand
 * cut_bytes    bytes beyond end that are no record: a torn tail; 0 after a clean end */
struct manifest_replay_result {
    uint64_t records;
    uint64_t last_record;
    uint64_t proven_end;
    uint64_t end;
    uint64_t cut_bytes;
};

/* Replay the manifest that CURRENT names. Reads only.
 *
 * A record that does not verify ends the manifest if no header that verifies, and not CURRENT, says that its number was durable: it is
 * the torn tail of an edit that nobody was told of. Otherwise the manifest was damaged. So it was where the file is shorter than it was when CURRENT was made to
 * name it.
 *
 * Errors: CORRUPT (a missing or foreign file, damage), IO, UNSUPPORTED, NO_MEMORY, and what visit returns. */
KVS_MUST_USE struct kvs_status manifest_replay(struct io *io, struct manifest_replay_result *result, const char *folder,
                                               const struct manifest_current *current, manifest_replay_visit *visit,
                                               void *context);

/* Make durable what a replay has shown, where it stands, in the place of a new manifest that there is no room for: the last edit (SYNC_MANIFEST_EDIT), and that CURRENT
 * names this manifest (SYNC_CURRENT_DIRECTORY). Errors: IO. */
KVS_MUST_USE struct kvs_status manifest_prove(struct io *io, const char *folder, uint64_t number,
                                              const struct manifest_replay_result *result);

/* Write a new manifest whole, in the order above, and make it current.
 *
 * manifest     out: open for appending; untouched on failure
 * number       of the file, never used before
 * first_record the number of its first record: one more than the last of the manifest before it
 * edits        count >= 1 of them, which make the state of nothing
 *
 * Errors: NO_SPACE, NO_MEMORY, IO: the old manifest is still current and the new file is gone, or nothing names it. POISONED: a sync or
 * the rename failed: which of the two is current is unknown. */
KVS_MUST_USE struct kvs_status manifest_create(struct io *io, struct manifest **manifest, const char *folder,
                                               const uint8_t uuid[FILE_UUID_BYTES], uint64_t number,
                                               uint64_t first_record, const struct manifest_edit *edits, size_t count);

/* The two halves of manifest_append: write an edit behind the others, which a kill of the process does not undo; and sync it. Nothing comes in between.
 * Errors: those of manifest_append. */
KVS_MUST_USE struct kvs_status manifest_write(struct manifest *manifest, const struct manifest_edit *edit);
KVS_MUST_USE struct kvs_status manifest_sync(struct manifest *manifest);

/* Append an edit and sync it. Errors: NO_SPACE, NO_MEMORY, IO, TOO_LARGE (no edit is on disk), POISONED. */
KVS_MUST_USE struct kvs_status manifest_append(struct manifest *manifest, const struct manifest_edit *edit);

/* Poison the manifest for a failure of its owner: later appends return POISONED with this sentence. */
void manifest_poison(struct manifest *manifest, struct kvs_status status);

bool manifest_is_poisoned(const struct manifest *manifest);

/* The last record that was appended and synced; the file's number; its bytes, and how many of them the whole state took. */
uint64_t manifest_last_record(const struct manifest *manifest);
uint64_t manifest_number(const struct manifest *manifest);
uint64_t manifest_size(const struct manifest *manifest);
uint64_t manifest_whole_size(const struct manifest *manifest);

/* Close without syncing: every append was synced. NULL is allowed. */
void manifest_close(struct manifest *manifest);

#endif
