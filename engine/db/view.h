/* view.h -- what a reader searches: the memtables and the version of one moment, found without a lock.
 *
 * Role      A view is immutable: the active memtable, the immutable ones from new to old, and a version. Rotation, flush and compaction make a new
 *           view and publish it; readers take the current one inside a read-side section, and their horizon after it.
 * Threads   views_current inside a read-side section, on any thread. views_publish and views_take_retired under the commit lock. A replaced view
 *           keeps its references until a grace period has passed (views_reclaim).
 */
#ifndef KVS_DB_VIEW_H
#define KVS_DB_VIEW_H

#include "memtable/memtable.h"
#include "version/version.h"

#include <stdatomic.h>

/* tables  newest first; tables[0] takes insertions; the view holds a reference on each, and on version */
struct view {
    _Atomic uint32_t references;
    uint32_t count;
    uint32_t capacity;
    struct view *next_retired;
    struct version *version;
    struct memtable *tables[];
};

struct views {
    _Atomic(struct view *)
        current;          /* published with release, read with acquire: what the view points to is seen whole */
    struct view *retired; /* commit lock */
};

/* Make an empty view with room for capacity memtables. NULL where memory is short. The caller has the one reference. */
struct view *view_new(uint32_t capacity);

/* Append a memtable (older than those before), or set the version; takes a reference. Before publication only. */
void view_add_table(struct view *view, struct memtable *table);
void view_set_version(struct view *view, struct version *version);

void view_ref(struct view *view);

/* Drop a reference; the last drops the memtables and the version. NULL is allowed. */
void view_unref(struct view *view);

/* The current view; inside a read-side section, or under the commit lock. */
static inline struct view *views_current(struct views *views)
{
    return atomic_load_explicit(&views->current, memory_order_acquire);
}

/* A reference on the current view, for use outside of sections. Takes no lock. */
struct view *views_acquire(struct views *views);

/* Make view current, taking over the caller's reference; the replaced one is retired. Under the commit lock. */
void views_publish(struct views *views, struct view *view);

/* Take the list of retired views. Under the commit lock. */
struct view *views_take_retired(struct views *views);

/* Wait for a grace period and drop the references of a list of retired views. Under no lock, outside sections. */
void views_reclaim(struct view *retired);

#endif
