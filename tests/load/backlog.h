/* backlog.h -- which places of a load are still to be written, and which were acknowledged.
 *
 * Role      Places are taken in order. Those whose reply did not come are put back and taken first; kept in a file, they let another run go on
 *           where this one was cut off, without writing again what was acknowledged, so that the loss of any acknowledged record shows.
 * Format    Text. First line: what identifies the load. Then "next N": no place from N on was ever taken; then "again FIRST END" for each
 *           range [FIRST, END) below N that was taken and not acknowledged.
 * Threads   One owner.
 * Failure   false, with the reason on stderr.
 */
#ifndef KVS_LOAD_BACKLOG_H
#define KVS_LOAD_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* [first, end) */
struct range {
    uint64_t first, end;
};

/* A zeroed one with count set is a load that has not begun. Free with backlog_fini.
 *
 * count   places of the whole load
 * next    the first place that was never taken
 * again   ranges that were put back; owned */
struct backlog {
    uint64_t count;
    uint64_t next;
    struct range *again;
    size_t again_count, again_capacity;
};

void backlog_fini(struct backlog *backlog);

/* Take up to most places. An empty range: there are none. */
struct range backlog_take(struct backlog *backlog, uint64_t most);

/* Return places that were taken and not acknowledged; an empty range is allowed. */
bool backlog_put_back(struct backlog *backlog, struct range range);

/* Whether a place was acknowledged, while none is in flight. */
bool backlog_is_done(const struct backlog *backlog, uint64_t place);

/* The number of places still to be acknowledged, while none is in flight. */
uint64_t backlog_left(const struct backlog *backlog);

/* Write and read the file. load: what identifies the load, one line without its end. Reading leaves a backlog unchanged where there is no file, and
 * refuses that of another load. */
bool backlog_save(const struct backlog *backlog, const char *path, const char *load);
bool backlog_restore(struct backlog *backlog, const char *path, const char *load);

#endif
