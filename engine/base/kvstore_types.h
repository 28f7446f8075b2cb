/* kvstore_types.h -- the few types that every part of kvstore shares: slices and statuses.
 *
 * Role      Owned by engine/base, installed beside kvstore.h, which includes it.
 * Threads   Plain values; safe to copy anywhere.
 */
#ifndef KVSTORE_TYPES_H
#define KVSTORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KVS_API __attribute__((visibility("default")))
#define KVS_MUST_USE __attribute__((warn_unused_result))

/* Borrowed bytes. Who owns them and for how long is said where the slice is passed. data may be NULL when size is 0. */
struct kvs_slice {
    const void *data;
    size_t size;
};

/* What went wrong, coarsely enough to act on. The sentence is in kvs_status_text. */
enum kvs_code {
    KVS_OK = 0,
    KVS_INVALID,     /* an argument or option is outside its range; nothing was done */
    KVS_TOO_LARGE,   /* a key, value or batch passes its limit; nothing was done */
    KVS_NO_MEMORY,   /* an allocation failed; nothing was done */
    KVS_NO_SPACE,    /* the disk or a quota is full; reads go on, writes return by themselves when there is room */
    KVS_IO,          /* a system call failed; sys_errno says how */
    KVS_CORRUPT,     /* bytes on disk do not verify */
    KVS_BUSY,        /* not now: handles are open, or a write was not admitted; try again */
    KVS_LOCKED,      /* another process or handle has the folder */
    KVS_NOT_FOUND,   /* the folder, file or database that was named is not there */
    KVS_UNSUPPORTED, /* made by another version or for another purpose; refused unharmed */
    KVS_POISONED,    /* an earlier write or sync failed: reads go on, writes need a reopen */
    KVS_UNKNOWN,     /* this write's sync failed: after a reopen it is there whole, or not at all */
    KVS_CONFLICT,    /* a precondition of the batch does not hold; nothing was written */
    KVS_CODE_COUNT
};

/* The result of a call that can fail; passed by value, in two registers.
 *
 * sys_errno  the errno of the failed system call, 0 where none was involved
 * file,line  the place in kvstore's source where the error was born; file is a string literal, NULL when code is KVS_OK */
struct kvs_status {
    uint16_t code;
    uint16_t sys_errno;
    uint32_t line;
    const char *file;
};

#ifdef __cplusplus
}
#endif

#endif
