/* drain.h -- how fast flushes free memory, and how long the one that is under way will last.
 *
 * Role      What the pace is told of flushes: their speed, smoothed over the last ones, and for the one under way the time it is expected to need yet. That follows
 *           from how far it is: what took so long for one half will take as long for the other. One that stands still, in the sync at its end or on a device
 *           that hangs, is taken to stand as long again as it has by now.
 * Threads   Under the commit lock, except for `done`, which the flush counts up by itself.
 */
#ifndef KVS_DB_DRAIN_H
#define KVS_DB_DRAIN_H

#include <stdatomic.h>
#include <stdint.h>

/* rate           bytes a second that flushes free in memory while they run, smoothed; 0: not known yet
 * begun_ns       when the flush under way began; 0: none is
 * bytes, entries what it frees in the end, and has to write
 * done           entries that it has written
 * seen, seen_ns  done at the last look, and since when it has stood there */
struct drain {
    uint64_t rate;
    uint64_t begun_ns;
    uint64_t bytes, entries;
    _Atomic uint64_t done;
    uint64_t seen, seen_ns;
};

/* A flush begins. */
void drain_begin(struct drain *drain, uint64_t bytes, uint64_t entries, uint64_t now_ns);

/* It has ended, if one was under way; freed_bytes: 0 if it failed. */
void drain_end(struct drain *drain, uint64_t freed_bytes, uint64_t now_ns);

/* How long the flush under way is expected to last yet, in all of whole_ns; 0 and 0 if none is. */
uint64_t drain_left_ns(struct drain *drain, uint64_t now_ns, uint64_t *whole_ns);

#endif
