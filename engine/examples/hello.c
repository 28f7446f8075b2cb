/* hello.c -- the smallest program on libkvstore: open, put, get, delete, get. */
#include <kvstore.h>

#include <stdio.h>
#include <stdlib.h>

static const struct kvs_slice hello = {"hello", 5};
static const struct kvs_slice world = {"world", 5};

static void check(struct kvs_status status)
{
    if (!kvs_ok(status)) {
        fprintf(stderr, "hello: %s\n", kvs_status_text(status));
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "hello.db";
    struct kvs_db *db;
    struct kvs_value value;
    bool found;

    check(kvs_open(&db, folder, NULL));
    check(kvs_put(db, hello, world, NULL));

    check(kvs_get(db, &value, &found, hello, NULL));
    if (found) {
        printf("GET hello: %.*s\n", (int)value.bytes.size, (const char *)value.bytes.data);
        kvs_value_release(&value);
    }

    check(kvs_delete(db, hello, NULL));
    printf("deleted hello\n");

    check(kvs_get(db, &value, &found, hello, NULL));
    printf("hello %s after deletion\n", found ? "still there" : "not found");

    check(kvs_close(db));
    return EXIT_SUCCESS;
}
