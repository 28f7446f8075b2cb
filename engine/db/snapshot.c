#include "db/snapshot.h"

void snapshots_init(struct snapshots *snapshots, struct io *io)
{
    io_mutex_init(&snapshots->lock, io);
    snapshots->oldest = snapshots->newest = NULL;
    snapshots->count = 0;
}

void snapshots_fini(struct snapshots *snapshots)
{
    io_mutex_fini(&snapshots->lock);
}

void snapshots_add(struct snapshots *snapshots, struct kvs_snapshot *snapshot, const _Atomic uint64_t *published)
{
    io_mutex_lock(&snapshots->lock);
    /* The published number never goes back, so the list stays ascending. */
    snapshot->sequence = atomic_load_explicit(published, memory_order_acquire);
    snapshot->newer = NULL;
    snapshot->older = snapshots->newest;
    if (snapshots->newest != NULL)
        snapshots->newest->newer = snapshot;
    else
        snapshots->oldest = snapshot;
    snapshots->newest = snapshot;
    snapshots->count++;
    io_mutex_unlock(&snapshots->lock);
}

void snapshots_remove(struct snapshots *snapshots, struct kvs_snapshot *snapshot)
{
    io_mutex_lock(&snapshots->lock);
    if (snapshot->older != NULL)
        snapshot->older->newer = snapshot->newer;
    else
        snapshots->oldest = snapshot->newer;
    if (snapshot->newer != NULL)
        snapshot->newer->older = snapshot->older;
    else
        snapshots->newest = snapshot->older;
    snapshots->count--;
    io_mutex_unlock(&snapshots->lock);
}

uint64_t snapshots_horizon(struct snapshots *snapshots, const _Atomic uint64_t *published)
{
    io_mutex_lock(&snapshots->lock);
    uint64_t horizon = atomic_load_explicit(published, memory_order_acquire);
    if (snapshots->oldest != NULL)
        horizon = snapshots->oldest->sequence;
    io_mutex_unlock(&snapshots->lock);
    return horizon;
}

uint64_t snapshots_count(struct snapshots *snapshots)
{
    io_mutex_lock(&snapshots->lock);
    uint64_t count = snapshots->count;
    io_mutex_unlock(&snapshots->lock);
    return count;
}
