#include "cache/scratch.h"

#include "base/assert.h"

enum { IDLE_MAX = 16, IDLE_BUFFER_MAX_BYTES = 64 * 1024 };

void scratch_pool_init(struct scratch_pool *pool, struct io *io)
{
    io_mutex_init(&pool->mutex, io);
    pool->idle = NULL;
    pool->idle_count = 0;
}

static void scratch_free(struct scratch *scratch)
{
    if (scratch->tool != NULL)
        scratch->tool_free(scratch->tool);
    buffer_fini(&scratch->buffer);
    free(scratch);
}

void scratch_pool_fini(struct scratch_pool *pool)
{
    while (pool->idle != NULL) {
        struct scratch *scratch = pool->idle;
        pool->idle = scratch->next;
        scratch_free(scratch);
    }
    io_mutex_fini(&pool->mutex);
}

struct kvs_status scratch_take(struct scratch_pool *pool, struct scratch **scratch)
{
    io_mutex_lock(&pool->mutex);
    struct scratch *taken = pool->idle;
    if (taken != NULL) {
        pool->idle = taken->next;
        pool->idle_count--;
    }
    io_mutex_unlock(&pool->mutex);
    if (taken == NULL)
        taken = calloc(1, sizeof *taken);
    if (taken == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate working memory for a read");
    buffer_clear(&taken->buffer);
    *scratch = taken;
    return status_ok();
}

void scratch_give(struct scratch_pool *pool, struct scratch *scratch)
{
    KVS_ASSERT(scratch->tool == NULL || scratch->tool_free != NULL);
    if (scratch->buffer.capacity > IDLE_BUFFER_MAX_BYTES)
        buffer_fini(&scratch->buffer);
    io_mutex_lock(&pool->mutex);
    bool is_kept = pool->idle_count < IDLE_MAX;
    if (is_kept) {
        scratch->next = pool->idle;
        pool->idle = scratch;
        pool->idle_count++;
    }
    io_mutex_unlock(&pool->mutex);
    if (!is_kept)
        scratch_free(scratch);
}
