#include "io/io_call.h"

#include "base/assert.h"

static const char *const names[IO_CALL_COUNT] = {
    [IO_CALL_OPEN] = "open",
    [IO_CALL_READ] = "read",
    [IO_CALL_WRITE] = "write",
    [IO_CALL_SYNC] = "sync",
    [IO_CALL_PREALLOCATE] = "preallocate",
    [IO_CALL_TRUNCATE] = "truncate",
    [IO_CALL_SIZE] = "size",
    [IO_CALL_CLOSE] = "close",
    [IO_CALL_RENAME] = "rename",
    [IO_CALL_UNLINK] = "unlink",
    [IO_CALL_LINK] = "link",
    [IO_CALL_MAKE_DIRECTORY] = "make_directory",
    [IO_CALL_REMOVE_DIRECTORY] = "remove_directory",
    [IO_CALL_LIST] = "list",
    [IO_CALL_DIRECTORY_SYNC] = "directory_sync",
    [IO_CALL_EXISTS] = "exists",
    [IO_CALL_LOCK] = "lock",
    [IO_CALL_UNLOCK] = "unlock",
    [IO_CALL_FREE_SPACE] = "free_space",
    [IO_CALL_RANDOM] = "random",
};

const char *io_call_name(enum io_call call)
{
    KVS_ASSERT((unsigned)call < IO_CALL_COUNT);
    return names[call];
}
