/* io_test_support.h -- what the tests of the io room share: statuses and small files in one line each. */
#ifndef KVS_TESTS_IO_TEST_SUPPORT_H
#define KVS_TESTS_IO_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/io.h"

#include <stdlib.h>
#include <string.h>

static inline void check_status(struct kvs_status status, enum kvs_code code, const char *file, int line)
{
    if (status.code == code)
        return;
    print_error("expected %s, got %s: %s\n", status_code_name(code), status_code_name((enum kvs_code)status.code),
                status_text(status));
    _fail(file, line);
}

#define assert_status(expression, code) check_status((expression), (code), __FILE__, __LINE__)
#define assert_ok(expression) assert_status((expression), KVS_OK)
#define assert_text_has(status, part) assert_non_null(strstr(status_text(status), (part)))

static inline struct io_file *open_file(struct io *io, const char *path, enum io_open_mode mode)
{
    struct io_file *file = NULL;
    assert_ok(io_file_open(io, &file, path, mode));
    return file;
}

/* A new file that holds text; the caller closes it. */
static inline struct io_file *create_file(struct io *io, const char *path, const char *text)
{
    struct io_file *file = open_file(io, path, IO_OPEN_CREATE);
    assert_ok(io_file_write(file, text, strlen(text), 0));
    return file;
}

/* A new file that holds text, its bytes and its name, in folder, durable. */
static inline void create_durable_file(struct io *io, const char *folder, const char *path, const char *text)
{
    struct io_file *file = create_file(io, path, text);
    assert_ok(io_file_sync(file, SYNC_SEGMENT));
    io_file_close(file);
    assert_ok(io_directory_sync(io, folder, SYNC_SEGMENT_DIRECTORY));
}

static inline bool is_there(struct io *io, const char *path)
{
    bool exists = false;
    assert_ok(io_exists(io, &exists, path));
    return exists;
}

static inline bool holds(struct io *io, const char *path, const void *bytes, size_t size)
{
    uint8_t buffer[8192];
    size_t got = 0;
    assert_true(size < sizeof buffer);
    struct io_file *file = open_file(io, path, IO_OPEN_READ);
    assert_ok(io_file_read(file, buffer, &got, sizeof buffer, 0));
    io_file_close(file);
    return got == size && memcmp(buffer, bytes, size) == 0;
}

static inline bool holds_text(struct io *io, const char *path, const char *text)
{
    return holds(io, path, text, strlen(text));
}

#endif
