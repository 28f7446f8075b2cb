/* status.h -- making, testing and describing errors.
 *
 * Role      Every error in the engine is born in status_make: it notes code, errno and source place, and keeps the full sentence
 *           (with data file and offset) in a buffer of this thread until the thread's next failure.
 * Threads   The sentence is thread-local; the status itself may travel.
 * Failure   Allocates nothing, cannot fail; a sentence longer than its buffer is cut.
 */
#ifndef KVS_BASE_STATUS_H
#define KVS_BASE_STATUS_H

#include "base/kvstore_types.h"

/* The longest sentence that is kept, terminator included. */
enum { STATUS_TEXT_BYTES = 512 };

static inline struct kvs_status status_ok(void)
{
    return (struct kvs_status){.code = KVS_OK};
}

static inline bool status_is_ok(struct kvs_status status)
{
    return __builtin_expect(status.code == KVS_OK, 1);
}

/* Make an error and its sentence (printf style). Preserves errno. */
__attribute__((format(printf, 5, 6))) KVS_MUST_USE struct kvs_status
status_make(enum kvs_code code, int sys_errno, const char *file, int line, const char *format, ...);

/* Tells compilers and analysers that status is no success, so that they do not follow outputs that a failure left unset. */
static inline struct kvs_status status_as_error(struct kvs_status status)
{
    if (status.code == KVS_OK)
        __builtin_unreachable();
    return status;
}

/* An error of a code, with a sentence. */
#define STATUS(code, ...) status_as_error(status_make((code), 0, __FILE__, __LINE__, __VA_ARGS__))

/* An error of a failed system call: ENOSPC and EDQUOT become NO_SPACE, ENOMEM NO_MEMORY, ENOENT NOT_FOUND, the rest IO.
 * The sentence gets strerror's text appended. */
#define STATUS_ERRNO(error, ...) \
    status_as_error(status_make(status_code_of_errno(error), (error), __FILE__, __LINE__, __VA_ARGS__))

enum kvs_code status_code_of_errno(int error);

/* The sentence of this thread's last failure if it is that of status, else the name of its code. Valid until the thread's next
 * failure. Never NULL. */
const char *status_text(struct kvs_status status);

/* Keep a failure for a later call or another thread: text_out (STATUS_TEXT_BYTES) receives the sentence. */
void status_save_text(struct kvs_status status, char *text_out);

/* Make status the failure of this thread, with a sentence saved earlier by status_save_text. Returns status. */
struct kvs_status status_restore_text(struct kvs_status status, const char *text);

/* A failure that outlives the call and the thread that met it: the status with its sentence. Zeroed it is OK. */
struct kept_status {
    struct kvs_status status;
    char text[STATUS_TEXT_BYTES];
};

/* Keep a status, which may be OK. */
static inline void status_keep(struct kept_status *kept, struct kvs_status status)
{
    if (!status_is_ok(status))
        status_save_text(status, kept->text);
    kept->status = status;
}

/* The kept status, as this thread's last failure if it is one. */
static inline struct kvs_status status_kept(const struct kept_status *kept)
{
    return status_is_ok(kept->status) ? status_ok() : status_restore_text(kept->status, kept->text);
}

/* The fixed name of a code, as in "CORRUPT". */
const char *status_code_name(enum kvs_code code);

/* Leave the function with the error of an expression. For functions that own nothing yet. */
#define STATUS_RETURN_IF_ERROR(expression)                      \
    do {                                                        \
        struct kvs_status status_of_expression_ = (expression); \
        if (!status_is_ok(status_of_expression_))               \
            return status_of_expression_;                       \
    } while (0)

#endif
