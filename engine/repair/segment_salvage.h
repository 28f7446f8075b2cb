/* segment_salvage.h -- what can be read of a damaged segment.
 *
 * Role      Finds every data block that verifies, by the blocks' own frames: footer, index and filter are not needed. Then reads the entries of those blocks.
 * Format    format/README.md, "Segment".
 * Threads   One.
 * Failure   Damage is a finding, not an error. A read that fails is an error: a disk that cannot be read is copied first. The search holds the file in memory.
 */
#ifndef KVS_REPAIR_SEGMENT_SALVAGE_H
#define KVS_REPAIR_SEGMENT_SALVAGE_H

#include "format/segment_meta.h"
#include "io/io.h"
#include "repair/entry_stream.h"
#include "repair/repair_report.h"

struct segment_salvage;

/* Search a segment. salvage: out; NULL where the file is missing or its id is not known, so that nothing can be read; free with segment_salvage_free.
 *
 * meta    what the manifest says of it, or, where that is lost, NULL: the file speaks for itself
 * report  a finding for each place where entries are missing, or one that says that none are
 *
 * Errors: IO, NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_salvage_new(struct segment_salvage **salvage, struct io *io, const char *folder,
                                                   uint64_t number, const struct segment_meta *meta,
                                                   struct repair_report *report);
void segment_salvage_free(struct segment_salvage *salvage);

/* What was found: entries, and the largest sequence number among them. */
uint64_t segment_salvage_entries(const struct segment_salvage *salvage);
uint64_t segment_salvage_largest_sequence(const struct segment_salvage *salvage);

/* A stream of the entries that were found, in order. It borrows the salvage. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status segment_salvage_stream(struct entry_stream **stream, struct segment_salvage *salvage);

#endif
