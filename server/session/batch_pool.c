#include "session/batch_pool.h"

void batch_pool_init(struct batch_pool *pool)
{
    pool->count = 0;
}

void batch_pool_fini(struct batch_pool *pool)
{
    while (pool->count != 0)
        kvs_batch_free(pool->batches[--pool->count]);
}

struct kvs_status batch_pool_get(struct batch_pool *pool, struct kvs_batch **batch)
{
    if (pool->count == 0)
        return kvs_batch_new(batch);
    *batch = pool->batches[--pool->count];
    return (struct kvs_status){.code = KVS_OK};
}

void batch_pool_put(struct batch_pool *pool, struct kvs_batch *batch)
{
    if (batch == NULL)
        return;
    if (pool->count == BATCH_POOL_KEPT || kvs_batch_bytes(batch) > BATCH_POOL_KEPT_BYTES) {
        kvs_batch_free(batch);
        return;
    }
    kvs_batch_clear(batch);
    pool->batches[pool->count++] = batch;
}
