/* tool.h -- kvstore_tool: looking at a database, and bringing back what can be read of a damaged one.
 *
 * Role      verify checks everything, stats sums it up, dump shows a file as text, a plan of a repair and a salvage read it: all of these take the folder's lock
 *           shared, beside other readers, never beside a server, and change nothing. Only repair --apply changes a folder, alone.
 * Threads   One.
 * Failure   A failure is one sentence on stderr. Exit status: 0 fine, 1 damage or another failure, 2 bad usage.
 */
#ifndef KVS_TOOL_TOOL_H
#define KVS_TOOL_TOOL_H

#include "base/slice.h"
#include "base/status.h"
#include "io/io.h"
#include "repair/repair.h"

/* Check every checksum and invariant of the database in folder and print what was checked. show_progress: a line on stderr that is written over. */
KVS_MUST_USE struct kvs_status tool_verify(const char *folder, bool show_progress);

/* Print levels, counters and options. */
KVS_MUST_USE struct kvs_status tool_stats(const char *folder);

/* Print the contents of a file of the database, by name: a log, a manifest or a segment; NULL: the edits of the current manifest. What precedes damage is
 * printed before the error is returned. */
KVS_MUST_USE struct kvs_status tool_dump(const char *folder, const char *name);

/* apply    change the folder; else only say what would be done
 * as_json  the report as one JSON object
 * owner    of the database, where the manifest has lost it; NULL: not given */
struct tool_repair_options {
    bool apply;
    bool as_json;
    const char *owner;
};

/* Print what is damaged and lost, and repair it if asked to. is_damaged: out, whether there is something left to repair. */
KVS_MUST_USE struct kvs_status tool_repair(bool *is_damaged, const char *folder,
                                           const struct tool_repair_options *options);

/* Write what can be read of folder into a new database in new_folder, and print what could not. */
KVS_MUST_USE struct kvs_status tool_salvage(const char *folder, const char *new_folder,
                                            const struct tool_repair_options *options);

/* Print a report as JSON. */
KVS_MUST_USE struct kvs_status print_report_json(const struct repair_report *report, const char *folder,
                                                 const char *outcome);

/* The parts of tool_dump. */
KVS_MUST_USE struct kvs_status dump_log(struct io *io, const char *folder, uint64_t number);
KVS_MUST_USE struct kvs_status dump_manifest(struct io *io, const char *folder);
KVS_MUST_USE struct kvs_status dump_segment(struct io *io, const char *folder, uint64_t number);

/* Print bytes in quotes, \xHH where they are not printable ASCII, cut after limit bytes (with the whole size then). */
void print_bytes(struct kvs_slice bytes, size_t limit);

/* Print a change or entry on one line. */
void print_entry(uint64_t sequence, unsigned kind_byte, struct kvs_slice key, struct kvs_slice value);

#endif
