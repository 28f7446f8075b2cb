/* tool.h -- kvstore_tool: looking at a database without changing it.
 *
 * Role      verify checks everything, stats sums it up, dump shows a file as text. All take the folder's lock shared: beside other readers, never beside a
 *           server.
 * Threads   One.
 * Failure   A failure is one sentence on stderr. Exit status: 0 fine, 1 damage or another failure, 2 bad usage.
 */
#ifndef KVS_TOOL_TOOL_H
#define KVS_TOOL_TOOL_H

#include "base/slice.h"
#include "base/status.h"
#include "io/io.h"

/* Check every checksum and invariant of the database in folder and print what was checked. show_progress: a line on stderr that is written over. */
KVS_MUST_USE struct kvs_status tool_verify(const char *folder, bool show_progress);

/* Print levels, counters and options. */
KVS_MUST_USE struct kvs_status tool_stats(const char *folder);

/* Print the contents of a file of the database, by name: a log, a manifest or a segment; NULL: the edits of the current manifest. What precedes damage is
 * printed before the error is returned. */
KVS_MUST_USE struct kvs_status tool_dump(const char *folder, const char *name);

/* The parts of tool_dump. */
KVS_MUST_USE struct kvs_status dump_log(struct io *io, const char *folder, uint64_t number);
KVS_MUST_USE struct kvs_status dump_manifest(struct io *io, const char *folder);
KVS_MUST_USE struct kvs_status dump_segment(struct io *io, const char *folder, uint64_t number);

/* Print bytes in quotes, \xHH where they are not printable ASCII, cut after limit bytes (with the whole size then). */
void print_bytes(struct kvs_slice bytes, size_t limit);

/* Print a change or entry on one line. */
void print_entry(uint64_t sequence, unsigned kind_byte, struct kvs_slice key, struct kvs_slice value);

#endif
