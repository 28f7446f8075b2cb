/* db_support.h -- what tests of the whole engine share: a temporary folder, slices of text, and checks that print the sentence of a failure. */
#ifndef KVS_TESTS_DB_SUPPORT_H
#define KVS_TESTS_DB_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kvstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Expect success; the sentence of a failure is shown. */
#define ok(expression)                                                                                     \
    do {                                                                                                   \
        struct kvs_status status_ = (expression);                                                          \
        if (!kvs_ok(status_))                                                                              \
            fail_msg("%s: %s (%s:%u)", #expression, kvs_status_text(status_), status_.file, status_.line); \
    } while (0)

/* Expect a code. */
#define fails(expected, expression)                                                              \
    do {                                                                                         \
        struct kvs_status status_ = (expression);                                                \
        if (status_.code != (expected))                                                          \
            fail_msg("%s: code %d, expected %d: %s", #expression, status_.code, (int)(expected), \
                     kvs_status_text(status_));                                                  \
    } while (0)

static inline struct kvs_slice text(const char *bytes)
{
    return (struct kvs_slice){bytes, strlen(bytes)};
}

/* A folder of the test's own; path: out, PATH_BYTES. */
enum { PATH_BYTES = 128 };

static inline int make_folder(void **state)
{
    char *path = malloc(PATH_BYTES);
    snprintf(path, PATH_BYTES, "/tmp/kvstore-test-XXXXXX");
    if (mkdtemp(path) == NULL)
        return -1;
    *state = path;
    return 0;
}

static inline int remove_folder(void **state)
{
    char command[PATH_BYTES + 16];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    int result = system(command);
    free(*state);
    return result;
}

/* Options that make a small database do everything: tiny memtables, blocks, segments and levels. */
static inline struct kvs_options tiny_options(void)
{
    struct kvs_options options;
    kvs_options_default(&options);
    options.memory_bytes = 1 << 20;
    options.memtable_bytes = 16 << 10;
    options.block_bytes = 512;
    options.segment_bytes = 16 << 10;
    options.level_base_bytes = 64 << 10;
    options.sync_mode = KVS_SYNC_OS;
    return options;
}

/* The value of key is expected; NULL: absent. */
static inline void expect_get(struct kvs_db *db, const char *key, const char *expected)
{
    struct kvs_value value;
    bool found;
    ok(kvs_get(db, &value, &found, text(key), NULL));
    if (expected == NULL) {
        if (found)
            fail_msg("%s is there: %.*s", key, (int)value.bytes.size, (const char *)value.bytes.data);
        return;
    }
    if (!found)
        fail_msg("%s is absent, expected %s", key, expected);
    if (value.bytes.size != strlen(expected) || memcmp(value.bytes.data, expected, value.bytes.size) != 0)
        fail_msg("%s is %.*s, expected %s", key, (int)value.bytes.size, (const char *)value.bytes.data, expected);
    kvs_value_release(&value);
}

#endif
