/* log_write_again.h -- making bytes of a file durable that only the page cache may hold.
 *
 * Role      Where there is no room for a copy, what was read and is to be shown is written again where it stands, the same bytes, which takes no room: after a sync that
 *           failed in another process its pages may be clean without being on the disk. Then it is synced.
 * Crash     Before the sync has returned: the range as it was, or in part written again.
 * Threads   None of its own.
 * Failure   What the file holds is as unknown as before; the sync is not tried again.
 */
#ifndef KVS_WAL_LOG_WRITE_AGAIN_H
#define KVS_WAL_LOG_WRITE_AGAIN_H

#include "io/io.h"

/* Write the bytes from begin to end of the file at path again, and sync it with tag. Errors: IO, NOT_FOUND. */
KVS_MUST_USE struct kvs_status log_write_again(struct io *io, const char *path, uint64_t begin, uint64_t end,
                                               enum io_sync_tag tag);

#endif
