/* io_fault.h -- an io that fails when told to.
 *
 * Role      Passes every call on to another io, except those that a rule picks: the Nth of a kind, once or for good from then on, perhaps only of
 *           files with some name or of one row of the durability ledger. Counts the calls, so that a test can fail each in turn.
 * Threads   Any thread; one lock, not held while a call is passed on.
 * Failure   An injected error says so in its sentence.
 */
#ifndef KVS_IO_IO_FAULT_H
#define KVS_IO_IO_FAULT_H

#include "io/io.h"
#include "io/io_call.h"

struct io_fault;

enum { IO_FAULT_RULE_LIMIT = 16, IO_FAULT_NAME_BYTES = 64 };

enum io_fault_action {
    IO_FAULT_FAIL, /* report sys_errno and do nothing; a failed file sync on a mem disk loses what it should have made durable */
    IO_FAULT_SHORT, /* writes only: the first landed_bytes are written, then as FAIL */
    IO_FAULT_DROP,  /* report success and do nothing: a disk that lies; for calls without a result only */
    IO_FAULT_DELAY  /* wait delay_ns on the io's clock, then pass the call on */
};

/* call       which kind; all but CLOSE and UNLOCK, which cannot fail
 * nth        which of the calls that match, counted from when the rule was added; the next is 1
 * for_good   that one and all after it, else only that one
 * tag        of syncs: 0 for any
 * name_part  what the path contains; NULL for any */
struct io_fault_rule {
    enum io_call call;
    uint64_t nth;
    bool for_good;
    enum io_fault_action action;
    int sys_errno;
    size_t landed_bytes;
    uint64_t delay_ns;
    enum io_sync_tag tag;
    const char *name_part;
};

/* Wrap inner, which is borrowed; no rules. The caller frees it. NULL where there is no memory. */
struct io_fault *io_fault_new(struct io *inner);

/* Its files and locks must have been closed. NULL is allowed. */
void io_fault_free(struct io_fault *fault);

struct io *io_fault_as_io(struct io_fault *fault);

/* Add a rule, which is copied; at most IO_FAULT_RULE_LIMIT. Where several pick one call, the oldest decides. */
void io_fault_add(struct io_fault *fault, const struct io_fault_rule *rule);

/* Fail the nth call of a kind from now with an errno. */
void io_fault_fail(struct io_fault *fault, enum io_call call, uint64_t nth, int sys_errno, bool for_good);

/* Report success for syncs of a ledger row, of files or of folders, and do nothing. */
void io_fault_drop_syncs(struct io_fault *fault, enum io_sync_tag tag);

/* Forget all rules. The counts stay. */
void io_fault_clear(struct io_fault *fault);

/* How many calls of a kind were made, failed ones too. */
uint64_t io_fault_count(struct io_fault *fault, enum io_call call);

/* How many calls a rule has picked. */
uint64_t io_fault_fired_count(struct io_fault *fault);

#endif
