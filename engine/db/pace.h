/* pace.h -- how fast writers may go while flush and compaction are behind.
 *
 * Role      Turns debt into a rate, so that writers are slowed smoothly long before there is no room left, and no write ever meets a stall. Two debts, each with its
 *           own rate; the smaller one holds:
 *             memory  memtables that wait for their flush. The drain is measured: from twice its speed at the comfortable mark the rate falls in a straight
 *                     line to a little less than its speed at the full mark, so that it settles between them. What was measured says nothing of a device that
 *                     stands still, so a flush that has lasted for some time is taken to last as long again, and the room that is left is spread over that: it
 *                     shrinks as 1/t and is never used up, and no write pays for the whole of a slow sync.
 *             merge   what compaction owes. Its drain depends on the data, so the rate starts at what writers were doing and moves by a small step at each
 *                     update, down while the debt is above its mark or growing, up while it shrinks.
 *           (Ideas: the delayed write rate of RocksDB's WriteController; the regulator of Tarantool's vinyl, which measures the disk's own flush speed.)
 * Threads   Pure; the caller holds the commit lock.
 */
#ifndef KVS_DB_PACE_H
#define KVS_DB_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* The longest that one admission is asked to wait, and the least that writers are ever slowed to, bytes a second. */
#define PACE_WAIT_MAX_NS UINT64_C(20000000)
#define PACE_RATE_MIN UINT64_C(1048576)

/* What is admitted at once before the next has to wait: without it each small write would be refused and come back. */
#define PACE_BURST_NS UINT64_C(1000000)

/* How far ahead one admission, however large, is charged. */
#define PACE_AHEAD_MAX_NS UINT64_C(1000000000)

/* memory, merge  debts as parts of what is tolerable: up to PACE_COMFORT there is no limit, 1 is the full mark
 * drain_rate     bytes a second that flushes free in memory while they run; 0: not known yet
 * room_bytes     what memtables can still take before a flush has to free some
 * flushing_ns    how long the flush that is under way has lasted; 0: none is */
struct pace_debt {
    double memory;
    double merge;
    uint64_t drain_rate;
    uint64_t room_bytes;
    uint64_t flushing_ns;
};

#define PACE_COMFORT 0.5

/* rate         bytes a second; 0: no limit
 * merge_rate   the part of it that the merge debt sets; 0: none
 * last_merge   merge debt at the last update
 * next_ns      when the bytes admitted so far have been paid for
 * updated_ns   time of the last update
 * admitted     bytes admitted since the last update */
struct pace {
    uint64_t rate;
    uint64_t merge_rate;
    double last_merge;
    uint64_t next_ns;
    uint64_t updated_ns;
    uint64_t admitted;
};

/* Tell the controller how things stand; call some twenty times a second while there are writes. */
void pace_update(struct pace *pace, const struct pace_debt *debt, uint64_t now_ns);

/* Ask to write bytes at now_ns. Returns 0 if they are admitted (and accounted), else the time at which to ask again. */
uint64_t pace_admit(struct pace *pace, uint64_t bytes, uint64_t now_ns);

#endif
