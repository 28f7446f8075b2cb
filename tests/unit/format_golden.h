/* format_golden.h -- comparing bytes with a hex dump that is kept beside the tests.
 *
 * Role      Binds each byte layout: a change of the format shows as a changed file in review. With KVS_GOLDEN_WRITE in the environment the
 *           files are written anew instead.
 * Failure   Fails the running cmocka test. */
#ifndef KVS_TESTS_FORMAT_GOLDEN_H
#define KVS_TESTS_FORMAT_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The path of a file under the source tree. */
static inline void golden_path(char *path, size_t capacity, const char *name)
{
    const char *root = getenv("KVS_SOURCE_DIR");
    snprintf(path, capacity, "%s/%s", root != NULL ? root : ".", name);
}

static inline void golden_write(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++)
        fprintf(file, "%02x%c", bytes[i], i % 16 == 15 || i + 1 == size ? '\n' : ' ');
    assert_int_equal(fclose(file), 0);
}

/* The bytes are those of the dump tests/unit/NAME.hex. */
static inline void golden_check(const char *name, const uint8_t *bytes, size_t size)
{
    char relative[256];
    char path[1024];
    snprintf(relative, sizeof relative, "tests/unit/%s.hex", name);
    golden_path(path, sizeof path, relative);
    if (getenv("KVS_GOLDEN_WRITE") != NULL)
        golden_write(path, bytes, size);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is missing; KVS_GOLDEN_WRITE=1 makes it", path);
    size_t count = 0;
    unsigned byte;
    for (; fscanf(file, "%2x", &byte) == 1; count++) {
        if (count < size && byte != bytes[count])
            fail_msg("%s: byte %zu: expected %02x, found %02x", name, count, byte, bytes[count]);
    }
    fclose(file);
    assert_int_equal(count, size);
}

#endif
