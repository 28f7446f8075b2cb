/* failure.h -- what went wrong first in a run.
 *
 * Role      A run that meets an error is worth nothing: whoever meets it says so here, everyone leaves, and the run's outcome is this sentence.
 * Threads   Any; the first sentence stays.
 */
#ifndef KVS_BENCH_FAILURE_H
#define KVS_BENCH_FAILURE_H

#include <stdbool.h>

enum { FAILURE_TEXT_BYTES = 512 };

/* printf style; ignored if there is a failure already. */
__attribute__((format(printf, 1, 2))) void failure_set(const char *format, ...);

bool failure_is_set(void);

/* The sentence; empty where nothing failed. Stable once all threads of the run have ended. */
const char *failure_text(void);

#endif
