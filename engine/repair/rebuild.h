/* rebuild.h -- writes segments of what the surveys found.
 *
 * Role      Merges streams of entries by internal key and writes them as the segments of one run.
 * Threads   One.
 * Failure   Files that were written stay: nothing lists them, and the next open removes them.
 */
#ifndef KVS_REPAIR_REBUILD_H
#define KVS_REPAIR_REBUILD_H

#include "format/file_header.h"
#include "format/segment_meta.h"
#include "io/io.h"
#include "repair/entry_stream.h"

/* Which entries are written.
 *
 * ALL     every version: a segment written anew in its place
 * NEWEST  the newest version of each key, deletes too: older runs lie below
 * SHOWN   the newest version of each key, unless it is a delete: nothing lies below */
enum rebuild_keep { REBUILD_ALL, REBUILD_NEWEST, REBUILD_SHOWN };

/* next_number  in-out: the file number that is given to the next segment */
struct rebuild_options {
    struct io *io;
    const char *folder;
    const uint8_t *uuid;
    enum rebuild_keep keep;
    uint64_t *next_number;
};

/* Segments that were written: of one run, in the order of their keys. Zeroed it is empty. */
struct rebuilt_run {
    struct segment_meta *metas;
    size_t count;
    uint64_t entries;
};

void rebuilt_run_fini(struct rebuilt_run *run);

/* Merge streams, which have not been stepped yet, and write what is kept. With REBUILD_ALL into one segment. run: out, empty where nothing is kept. The files are
 * synced (SYNC_SEGMENT), their names are not.
 *
 * Errors: IO, NO_SPACE, NO_MEMORY, CORRUPT, TOO_LARGE. */
KVS_MUST_USE struct kvs_status rebuild_write(struct rebuilt_run *run, struct entry_stream **streams, size_t count,
                                             const struct rebuild_options *options);

#endif
