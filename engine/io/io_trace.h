/* io_trace.h -- an io that records its calls as text, so that a test can pin the exact sequence of writes and syncs of an operation.
 *
 * Role      Passes every call on to another io and then adds a line, names without their folder:
 *             open 000003.log create          read 000003.log 0+4096        write 000003.log 0+4096      sync 000003.log SYNC-3
 *             preallocate 000003.log 0+65536  truncate 000003.log 100       size 000003.log              close 000003.log
 *             rename CURRENT.tmp CURRENT      unlink 000003.log             link 000003.log copy.log     directory_sync db SYNC-6
 *             make_directory db               remove_directory db           list db                      exists CURRENT
 *             lock LOCK exclusive             unlock LOCK                   free_space db                random 16
 *           A call that fails has its code at the end: "write 000003.log 0+4096 -> NO_SPACE". The words after open are read, write, create, temporary.
 * Threads   Any thread; lines are in the order in which the calls returned.
 * Failure   The text has a fixed room; lines that do not fit are counted, not kept.
 */
#ifndef KVS_IO_IO_TRACE_H
#define KVS_IO_IO_TRACE_H

#include "io/io.h"
#include "io/io_call.h"

struct io_trace;

/* Wrap inner, which is borrowed, with room for capacity_bytes of text. Records IO_CALLS_THAT_CHANGE. The caller frees it. NULL where there is no
 * memory. */
struct io_trace *io_trace_new(struct io *inner, size_t capacity_bytes);

/* Its files and locks must have been closed. NULL is allowed. */
void io_trace_free(struct io_trace *trace);

struct io *io_trace_as_io(struct io_trace *trace);

/* Record these kinds (a sum of IO_CALL_BITs) from now on. */
void io_trace_set_calls(struct io_trace *trace, uint32_t calls);

/* The lines so far, each ended by a LF; valid as long as the trace, growing with it. Not beside calls of other threads. */
const char *io_trace_text(const struct io_trace *trace);

/* How many lines did not fit. */
uint64_t io_trace_lost_count(const struct io_trace *trace);

/* Forget the lines. */
void io_trace_clear(struct io_trace *trace);

#endif
