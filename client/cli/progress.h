/* progress.h -- what an import or export tells on stderr: a bar while it runs, on a terminal; a line when it ends, always.
 *
 * Threads   One.
 */
#ifndef KVS_CLI_PROGRESS_H
#define KVS_CLI_PROGRESS_H

#include "base/kvstore_types.h"

struct progress {
    const char *verb;     /* "imported" */
    uint64_t total_bytes; /* of the input, 0 where it is not known */
    uint64_t records;
    uint64_t bytes;
    uint64_t errors;
    int64_t started_ms;
    int64_t shown_ms;
    bool is_terminal;
};

/* Start the clock. total_bytes: 0 for unknown. */
void progress_start(struct progress *progress, const char *verb, uint64_t total_bytes);

/* Count a record of this many bytes (of the file), and draw the bar if it is time. */
void progress_add(struct progress *progress, uint64_t bytes);

/* Take the bar off the line, so that a message can be printed. */
void progress_clear(struct progress *progress);

/* The last line: records, size, time, rate, errors. */
void progress_finish(struct progress *progress);

#endif
