/* compact_size.c -- kvstore_compact_size DIR: compacts a database whole, and prints what it holds before and after.
 *
 * One line of words NAME=VALUE: segment bytes and entries before, after the memtable's flush, and after full compaction, when each key is there
 * exactly once.
 */
#include <inttypes.h>
#include <kvstore.h>
#include <stdio.h>
#include <stdlib.h>

static struct kvs_status measure(struct kvs_db *db)
{
    struct kvs_stats before, flushed, after;
    kvs_stats(db, &before);
    struct kvs_status status = kvs_flush(db);
    if (!kvs_ok(status))
        return status;
    kvs_stats(db, &flushed);
    status = kvs_compact(db);
    if (!kvs_ok(status))
        return status;
    kvs_stats(db, &after);
    printf("before_bytes=%" PRIu64 " before_entries=%" PRIu64 " flushed_bytes=%" PRIu64 " flushed_entries=%" PRIu64
           " after_bytes=%" PRIu64 " after_entries=%" PRIu64 "\n",
           before.segment_bytes, before.segment_entries, flushed.segment_bytes, flushed.segment_entries,
           after.segment_bytes, after.segment_entries);
    return status;
}

static int fail(struct kvs_status status)
{
    fprintf(stderr, "kvstore_compact_size: %s\n", kvs_status_text(status));
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: kvstore_compact_size DIR\n");
        return EXIT_FAILURE;
    }
    struct kvs_options options;
    kvs_options_default(&options);
    options.create_if_missing = false;
    struct kvs_db *db;
    struct kvs_status status = kvs_open(&db, argv[1], &options);
    if (!kvs_ok(status))
        return fail(status);
    int exit_status = EXIT_SUCCESS;
    status = measure(db);
    if (!kvs_ok(status))
        exit_status = fail(status);
    status = kvs_close(db);
    return kvs_ok(status) ? exit_status : fail(status);
}
