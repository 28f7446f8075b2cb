/* log_set_aside.h -- keeping a copy of what replay cuts off.
 *
 * Role      A torn tail is normal and holds nothing acknowledged, but nothing is thrown away on the word of one program run: it is copied to the
 *           folder lost before the manifest lists the log's end.
 * Format    The bytes as they stand in the log, in lost/NUMBER.log.OFFSET.tail.
 * Threads   One.
 * Failure   The copy is made again from the start when tried again; the log itself is never changed.
 */
#ifndef KVS_WAL_LOG_SET_ASIDE_H
#define KVS_WAL_LOG_SET_ASIDE_H

#include "base/status.h"
#include "io/io.h"

/* Copy tail_bytes at tail_offset of log number to the folder lost, which is made if it is not there. The copy (SYNC_LOST), its name and the folder's
 * own name (SYNC_LOST_DIRECTORY) are durable on return. 0 bytes: does nothing.
 *
 * Errors: NO_SPACE, NO_MEMORY, IO, NOT_FOUND (the log), TOO_LARGE (the folder's name). */
KVS_MUST_USE struct kvs_status log_set_aside(struct io *io, const char *folder, uint64_t number, uint64_t tail_offset,
                                             uint64_t tail_bytes);

#endif
