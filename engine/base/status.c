#include "base/status.h"

#include "base/assert.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const code_names[KVS_CODE_COUNT] = {
    [KVS_OK] = "OK",
    [KVS_INVALID] = "INVALID",
    [KVS_TOO_LARGE] = "TOO_LARGE",
    [KVS_NO_MEMORY] = "NO_MEMORY",
    [KVS_NO_SPACE] = "NO_SPACE",
    [KVS_IO] = "IO",
    [KVS_CORRUPT] = "CORRUPT",
    [KVS_BUSY] = "BUSY",
    [KVS_LOCKED] = "LOCKED",
    [KVS_NOT_FOUND] = "NOT_FOUND",
    [KVS_UNSUPPORTED] = "UNSUPPORTED",
    [KVS_POISONED] = "POISONED",
    [KVS_UNKNOWN] = "UNKNOWN",
    [KVS_CONFLICT] = "CONFLICT",
};

/* The last failure of this thread, and its sentence. */
static _Thread_local struct kvs_status last_status;
static _Thread_local char last_text[STATUS_TEXT_BYTES];

static bool same_birth(struct kvs_status a, struct kvs_status b)
{
    return a.code == b.code && a.sys_errno == b.sys_errno && a.line == b.line && a.file == b.file;
}

struct kvs_status status_make(enum kvs_code code, int sys_errno, const char *file, int line, const char *format, ...)
{
    KVS_ASSERT(code > KVS_OK && code < KVS_CODE_COUNT);
    int saved_errno = errno;
    char text[STATUS_TEXT_BYTES]; /* the sentence before may be a part of this one */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (sys_errno != 0 && length >= 0 && (size_t)length < sizeof text) {
        char reason[128];
        snprintf(text + length, sizeof text - (size_t)length, ": %s", strerror_r(sys_errno, reason, sizeof reason));
    }
    memcpy(last_text, text, strlen(text) + 1);
    last_status = (struct kvs_status){(uint16_t)code, (uint16_t)sys_errno, (uint32_t)line, file};
    errno = saved_errno;
    return last_status;
}

enum kvs_code status_code_of_errno(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return KVS_NO_SPACE;
    case ENOMEM:
        return KVS_NO_MEMORY;
    case ENOENT:
        return KVS_NOT_FOUND;
    default:
        return KVS_IO;
    }
}

const char *status_text(struct kvs_status status)
{
    if (status.code != KVS_OK && same_birth(status, last_status))
        return last_text;
    return status_code_name((enum kvs_code)status.code);
}

void status_save_text(struct kvs_status status, char *text_out)
{
    snprintf(text_out, STATUS_TEXT_BYTES, "%s", status_text(status));
}

struct kvs_status status_restore_text(struct kvs_status status, const char *text)
{
    if (text != last_text)
        snprintf(last_text, sizeof last_text, "%s", text);
    last_status = status;
    return status;
}

const char *status_code_name(enum kvs_code code)
{
    return (unsigned)code < KVS_CODE_COUNT ? code_names[code] : "?";
}

void assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "kvstore: assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
