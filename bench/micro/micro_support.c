#include "bench/micro/micro_support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void micro_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

void micro_check(struct kvs_status status)
{
    if (!status_is_ok(status))
        micro_fail("kvstore_micro: %s", status_text(status));
}

void *micro_alloc(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        micro_fail("kvstore_micro: no memory");
    return memory;
}

struct kvs_slice micro_key(char *key, uint64_t index)
{
    for (char *at = key + MICRO_KEY_BYTES; at != key; index /= 10)
        *--at = (char)('0' + index % 10);
    return slice_of(key, MICRO_KEY_BYTES);
}

struct kvs_slice micro_value(void)
{
    static const char value[MICRO_VALUE_BYTES] = "a value of one hundred bytes, of which the rest is zeros";
    return slice_of(value, sizeof value);
}
