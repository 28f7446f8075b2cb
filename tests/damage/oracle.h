/* oracle.h -- the replay rules once more, from format/README.md alone.
 *
 * Role      Says of a disk, from the bytes of its logs, whether it must be refused, by which rule, and otherwise which state must be read. Written for
 *           clarity and not for speed: every log is read whole, every eighth byte is tried as a header.
 */
#ifndef KVS_TESTS_DAMAGE_ORACLE_H
#define KVS_TESTS_DAMAGE_ORACLE_H

#include "io/io_mem.h"

/* rule      0: it must open; 2 or 3 of the replay rules; ORACLE_MANIFEST: manifest or CURRENT refuse
 * sequence  where it opens: the state to be read
 * durable   D */
enum { ORACLE_MANIFEST = -1 };

struct oracle_verdict {
    int rule;
    uint64_t sequence;
    uint64_t durable;
};

struct oracle_verdict oracle_judge(struct io_mem *mem, const char *folder);

/* Where a log ends, as the manifest lists it: 0 where it does not list the log, UINT64_MAX where it lists no end. The manifest is sound. */
uint64_t oracle_listed_end(struct io_mem *mem, const char *folder, uint64_t number);

#endif
