/* pace.h -- how fast writers may go while flush and compaction are behind.
 *
 * Role      Turns debt into a rate, so that writers are slowed smoothly long before there is no room left, and no write ever meets a stall. Two debts, each with its
 *           own rate; the smaller one holds:
 *             memory  memtables that wait for their flush. The drain is measured: from twice its speed at the comfortable mark the rate falls in a straight
 *                     line to a little less than its speed at the full mark, so that it settles between them. The room that is left is spread over the time
 *                     that the flush under way will need yet: where it stands still it is expected to stand as long again, so that the room shrinks as 1/t and
 *                     is never used up, and no write pays for the whole of a slow sync.
 *             merge   what compaction owes. Each quarter of the full mark halves the rate, from twice the flush speed at the comfortable mark on. What compaction
 *                     can do depends on the data, and shows only when one ends, seconds later: so the rate follows the debt itself and is not stepped down
 *                     for as long as the debt is high, which would end far below what is needed. The debt settles where the rate is what compaction can do.
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
 * left_ns        how long the flush under way will last yet, of
 * whole_ns       all in all; 0: none is under way */
struct pace_debt {
    double memory;
    double merge;
    uint64_t drain_rate;
    uint64_t room_bytes;
    uint64_t left_ns, whole_ns;
};

#define PACE_COMFORT 0.5

/* The full mark of memory, a part of all that memtables may take: what is above it is for a flush whose last sync is slow. */
#define PACE_MEMORY_FULL 0.65

/* rate         bytes a second; 0: no limit
 * next_ns      when the bytes admitted so far have been paid for
 * updated_ns   time of the last update */
struct pace {
    uint64_t rate;
    uint64_t next_ns;
    uint64_t updated_ns;
};

/* Tell the controller how things stand; call some twenty times a second while there are writes. */
void pace_update(struct pace *pace, const struct pace_debt *debt, uint64_t now_ns);

/* Ask to write bytes at now_ns. Returns 0 if they are admitted (and accounted), else the time at which to ask again. */
uint64_t pace_admit(struct pace *pace, uint64_t bytes, uint64_t now_ns);

#endif
