/* reply_tree.h -- from the nodes of reply_reader.h to the tree that callers get.
 *
 * Threads   Pure function.
 * Failure   Exhausted memory.
 */
#ifndef KVS_CLIENT_REPLY_TREE_H
#define KVS_CLIENT_REPLY_TREE_H

#include "protocol/reply_reader.h"

#include <kvstore_client.h>

/* Copy the reply that reader has completed. reply_out: owned by the caller; data: what reply_reader_next was given. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status reply_tree_build(struct kvc_reply **reply_out, const struct reply_reader *reader,
                                                const void *data);

#endif
