#include "db/view.h"

#include "base/assert.h"
#include "base/rcu.h"

#include <stdlib.h>

struct view *view_new(uint32_t capacity)
{
    struct view *view = calloc(1, sizeof *view + capacity * sizeof(struct memtable *));
    if (view == NULL)
        return NULL;
    atomic_init(&view->references, 1);
    view->capacity = capacity;
    return view;
}

void view_add_table(struct view *view, struct memtable *table)
{
    KVS_ASSERT(view->count < view->capacity);
    view->tables[view->count++] = memtable_ref(table);
}

void view_set_version(struct view *view, struct version *version)
{
    KVS_ASSERT(view->version == NULL);
    view->version = version_ref(version);
}

void view_ref(struct view *view)
{
    /* Relaxed: who takes a reference already has, or is protected by, another. */
    atomic_fetch_add_explicit(&view->references, 1, memory_order_relaxed);
}

void view_unref(struct view *view)
{
    if (view == NULL || atomic_fetch_sub_explicit(&view->references, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < view->count; i++)
        memtable_unref(view->tables[i]);
    version_unref(view->version);
    free(view);
}

struct view *views_acquire(struct views *views)
{
    rcu_enter();
    struct view *view = views_current(views);
    view_ref(view);
    rcu_leave();
    return view;
}

void views_publish(struct views *views, struct view *view)
{
    struct view *old = atomic_exchange_explicit(&views->current, view, memory_order_acq_rel);
    if (old != NULL) {
        old->next_retired = views->retired;
        views->retired = old;
    }
}

struct view *views_take_retired(struct views *views)
{
    struct view *retired = views->retired;
    views->retired = NULL;
    return retired;
}

void views_reclaim(struct view *retired)
{
    if (retired == NULL)
        return;
    rcu_wait();
    while (retired != NULL) {
        struct view *next = retired->next_retired;
        view_unref(retired);
        retired = next;
    }
}
