/* batch_pool.h -- the batches of one loop, kept for the next turn.
 *
 * Threads   One at a time: the loop.
 */
#ifndef KVS_SESSION_BATCH_POOL_H
#define KVS_SESSION_BATCH_POOL_H

#include <kvstore.h>

enum {
    BATCH_POOL_KEPT = 64,
    BATCH_POOL_KEPT_BYTES = 64 * 1024 /* a batch that grew beyond this is freed, not kept */
};

struct batch_pool {
    struct kvs_batch *batches[BATCH_POOL_KEPT];
    size_t count;
};

void batch_pool_init(struct batch_pool *pool);
void batch_pool_fini(struct batch_pool *pool);

/* An empty batch, owned by the caller until batch_pool_put. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status batch_pool_get(struct batch_pool *pool, struct kvs_batch **batch);

/* Give a batch back, whatever it holds. NULL is allowed. */
void batch_pool_put(struct batch_pool *pool, struct kvs_batch *batch);

#endif
