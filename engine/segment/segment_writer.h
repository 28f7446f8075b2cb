/* segment_writer.h -- writes a segment file, entry by entry in order.
 *
 * Role      The output of flushes and compactions.
 * Format    format/README.md, "Segment".
 * Threads   One owner at a time; blocks in write calls of a quarter of a MiB, and in one sync at the end.
 * Failure   After any failure the writer is of no more use: segment_writer_abandon it. Nothing refers to the file before the caller lists it.
 */
#ifndef KVS_SEGMENT_SEGMENT_WRITER_H
#define KVS_SEGMENT_SEGMENT_WRITER_H

#include "base/key.h"
#include "format/file_header.h"
#include "format/segment_format.h"
#include "io/io.h"
#include "segment/segment_blocks.h"

/* number               names the file, which must not exist
 * uuid                 of the database
 * codec, level         level as zstd's; 1 is a good default
 * block_bytes          raw size at which a data block ends, 256 to SEGMENT_BLOCK_BYTES_MAX; an entry larger than that gets its own block
 * filter_bits_per_key  0 (no filter) to 32
 * keep                 where finished blocks are kept in memory for segment_adopt_blocks, as long as the budget has room; NULL for none */
struct segment_writer_options {
    uint64_t number;
    uint8_t uuid[FILE_UUID_BYTES];
    enum segment_codec codec;
    int level;
    size_t block_bytes;
    unsigned filter_bits_per_key;
    struct segment_blocks *keep;
};

struct segment_writer;

/* Create the file and its header. Errors: IO, NO_SPACE, NO_MEMORY, INVALID (an option), TOO_LARGE (the path). */
KVS_MUST_USE struct kvs_status segment_writer_new(struct segment_writer **writer, struct io *io, const char *folder,
                                                  const struct segment_writer_options *options);

/* Append an entry that sorts after the one before (asserted), with a key and value within the limits of base/key.h (asserted). Both are copied.
 * Errors: IO, NO_SPACE, NO_MEMORY, TOO_LARGE (the index). */
KVS_MUST_USE struct kvs_status segment_writer_add(struct segment_writer *writer, struct key key,
                                                  struct kvs_slice value);

/* The number of entries so far, and about how large the file would be if it were finished now, bytes. */
uint64_t segment_writer_count(const struct segment_writer *writer);
uint64_t segment_writer_size(const struct segment_writer *writer);

/* Write what is still missing, sync the file (SYNC_SEGMENT) and close it. meta: out, initialised by this call, the caller's to fini. There is at least one
 * entry. On success the writer is freed; the file's name is durable after the caller's io_directory_sync (SYNC_SEGMENT_DIRECTORY).
 *
 * Errors: IO, NO_SPACE, NO_MEMORY, TOO_LARGE; the writer is still there, to be abandoned. */
KVS_MUST_USE struct kvs_status segment_writer_finish(struct segment_writer *writer, struct segment_meta *meta);

/* Close and unlink the file and free the writer. If unlinking fails, the file is found as an unknown one at the next open. NULL is allowed. */
void segment_writer_abandon(struct segment_writer *writer);

#endif
