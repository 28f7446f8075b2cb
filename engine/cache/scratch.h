/* scratch.h -- working memory for readers that miss, kept for the next one.
 *
 * Role      A read from disk needs a buffer for the stored bytes and a decompressor, both costly to make for each block. A few stay in a pool.
 * Threads   Any: the pool has a mutex, taken on misses only. A scratch has one owner at a time.
 */
#ifndef KVS_CACHE_SCRATCH_H
#define KVS_CACHE_SCRATCH_H

#include "base/buffer.h"
#include "io/io_thread.h"

/* buffer     free for use, contents undefined
 * tool       what the user keeps besides, NULL at first; freed by tool_free, which is set with it */
struct scratch {
    struct buffer buffer;
    void *tool;
    void (*tool_free)(void *tool);
    struct scratch *next;
};

struct scratch_pool {
    struct io_mutex mutex;
    struct scratch *idle; /* under mutex, as the count */
    int idle_count;
};

void scratch_pool_init(struct scratch_pool *pool, struct io *io);

/* Free what is idle. Nothing is taken. */
void scratch_pool_fini(struct scratch_pool *pool);

/* Take an idle scratch, or a new one. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status scratch_take(struct scratch_pool *pool, struct scratch **scratch);

/* Give it back; it stays if few are idle and its buffer is of a common size. */
void scratch_give(struct scratch_pool *pool, struct scratch *scratch);

#endif
