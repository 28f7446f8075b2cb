/* sim_zstd.h -- contexts of zstd that outlive a round.
 *
 * Role      Making a context asks the processor what it can do, which a virtual machine answers a thousand times slower than a real one. A database that stays open makes
 *           few; rounds make dozens each. So those that the engine frees serve again, reset: the linker puts sim_zstd.c between the engine and zstd, except in builds with
 *           a sanitizer, which is to see what is used after it was freed.
 * Threads   One.
 */
#ifndef KVS_TESTS_SIM_SIM_ZSTD_H
#define KVS_TESTS_SIM_SIM_ZSTD_H

#include <stddef.h>

/* What the contexts that wait for the next user take; one that is never freed is not among them. */
size_t sim_zstd_idle_bytes(void);

#endif
