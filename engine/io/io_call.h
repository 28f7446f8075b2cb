/* io_call.h -- the kinds of calls of the seam, for what counts, records or fails them. */
#ifndef KVS_IO_IO_CALL_H
#define KVS_IO_IO_CALL_H

#include <stdint.h>

enum io_call {
    IO_CALL_OPEN,
    IO_CALL_READ,
    IO_CALL_WRITE,
    IO_CALL_SYNC,
    IO_CALL_PREALLOCATE,
    IO_CALL_TRUNCATE,
    IO_CALL_SIZE,
    IO_CALL_CLOSE,
    IO_CALL_RENAME,
    IO_CALL_UNLINK,
    IO_CALL_LINK,
    IO_CALL_MAKE_DIRECTORY,
    IO_CALL_REMOVE_DIRECTORY,
    IO_CALL_LIST,
    IO_CALL_DIRECTORY_SYNC,
    IO_CALL_EXISTS,
    IO_CALL_LOCK,
    IO_CALL_UNLOCK,
    IO_CALL_FREE_SPACE,
    IO_CALL_RANDOM,
    IO_CALL_COUNT
};

/* A set of kinds: the sum of their bits. */
#define IO_CALL_BIT(call) (UINT32_C(1) << (call))

/* What changes a disk or makes a change durable. */
#define IO_CALLS_THAT_CHANGE                                                                          \
    (IO_CALL_BIT(IO_CALL_OPEN) | IO_CALL_BIT(IO_CALL_WRITE) | IO_CALL_BIT(IO_CALL_SYNC) |             \
     IO_CALL_BIT(IO_CALL_PREALLOCATE) | IO_CALL_BIT(IO_CALL_TRUNCATE) | IO_CALL_BIT(IO_CALL_RENAME) | \
     IO_CALL_BIT(IO_CALL_UNLINK) | IO_CALL_BIT(IO_CALL_LINK) | IO_CALL_BIT(IO_CALL_MAKE_DIRECTORY) |  \
     IO_CALL_BIT(IO_CALL_REMOVE_DIRECTORY) | IO_CALL_BIT(IO_CALL_DIRECTORY_SYNC))

#define IO_CALLS_ALL (IO_CALL_BIT(IO_CALL_COUNT) - 1)

_Static_assert(IO_CALL_COUNT < 32, "a set of kinds is 32 bits");

/* The name as traces have it, as in "directory_sync". */
const char *io_call_name(enum io_call call);

#endif
