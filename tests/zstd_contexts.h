/* zstd_contexts.h -- contexts of zstd that outlive a run.
 *
 * Role      Making a context asks the processor what it can do, for which a virtual machine traps to its host, up to a millisecond each time. A database that stays open
 *           makes few; simulator and fuzzers open several in each run. So those that the engine frees serve again, reset: the linker puts this between the engine and
 *           zstd (kvs_keep_zstd_contexts in cmake/rooms.cmake). A context that is freed twice ends the process; one that is never freed is a leak as before.
 * Threads   One.
 */
#ifndef KVS_TESTS_ZSTD_CONTEXTS_H
#define KVS_TESTS_ZSTD_CONTEXTS_H

#include <stddef.h>

/* What the contexts that wait for the next user take. */
size_t zstd_contexts_idle_bytes(void);

#endif
