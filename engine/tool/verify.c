#include "tool.h"

#include "kvstore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool show(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    const bool *is_shown = context;
    if (*is_shown && total_bytes != 0)
        fprintf(stderr, "\r%3.0f %%", 100.0 * (double)done_bytes / (double)total_bytes);
    return true;
}

static struct kvs_status open_read_only(struct kvs_db **db, const char *folder)
{
    struct kvs_options options;
    kvs_options_default(&options);
    options.read_only = true;
    options.create_if_missing = false;
    return kvs_open(db, folder, &options);
}

static void print_summary(const struct kvs_db *db)
{
    struct kvs_stats stats;
    unsigned segments = 0;
    kvs_stats(db, &stats);
    for (int level = 0; level < KVS_LEVEL_COUNT; level++)
        segments += stats.level_segments[level];
    printf("ok: manifest, %" PRIu64 " log records (%" PRIu64 " bytes), %u segments (%" PRIu64 " entries, %" PRIu64
           " bytes)\n",
           stats.recovered_records, stats.recovered_bytes, segments, stats.segment_entries, stats.segment_bytes);
    if (stats.set_aside_bytes != 0)
        printf("note: %" PRIu64
               " bytes of torn tail follow the last log record; the next start sets them aside in lost/\n",
               stats.set_aside_bytes);
    if (stats.manifest_cut_bytes != 0)
        printf("note: %" PRIu64
               " bytes that are no edit follow the last one of the manifest; the next start leaves them out\n",
               stats.manifest_cut_bytes);
}

struct kvs_status tool_verify(const char *folder, bool show_progress)
{
    struct kvs_db *db;
    /* Opening replays manifest and logs by the rules of a start, and so verifies them. */
    STATUS_RETURN_IF_ERROR(open_read_only(&db, folder));
    struct kvs_status status = kvs_verify(db, show, &show_progress);
    if (show_progress)
        fprintf(stderr, "\r     \r");
    if (status_is_ok(status))
        print_summary(db);
    char text[STATUS_TEXT_BYTES];
    status_save_text(status, text);
    struct kvs_status closed = kvs_close(db);
    return status_is_ok(status) ? closed : status_restore_text(status, text);
}

struct kvs_status tool_stats(const char *folder)
{
    static const char *const names[] = {"levels", "stats", "options"};
    char text[8192];
    struct kvs_db *db;
    STATUS_RETURN_IF_ERROR(open_read_only(&db, folder));
    struct kvs_status status = status_ok();
    for (size_t i = 0; i < sizeof names / sizeof *names && status_is_ok(status); i++) {
        status = kvs_property(db, text, sizeof text, names[i]);
        if (status_is_ok(status))
            printf("# %s\n%s", names[i], text);
    }
    struct kvs_status closed = kvs_close(db);
    return status_is_ok(status) ? closed : status;
}
