#include "db/db.h"

/* What verification has done so far, for the caller's progress. */
struct verification {
    kvs_progress_function *progress;
    void *context;
    uint64_t done_bytes, total_bytes;
    bool is_stopped;
};

static bool note_progress(void *context, uint64_t bytes)
{
    struct verification *verification = context;
    verification->done_bytes += bytes;
    if (verification->progress != NULL &&
        !verification->progress(verification->context, verification->done_bytes, verification->total_bytes))
        verification->is_stopped = true;
    return !verification->is_stopped;
}

static struct kvs_status verify_version(struct version *version, struct verification *verification)
{
    for (size_t i = 0; i < version->run_count; i++)
        verification->total_bytes += version->runs[i]->size_bytes;
    for (size_t i = 0; i < version->run_count; i++) {
        const struct version_run *run = version->runs[i];
        for (size_t j = 0; j < run->count && !verification->is_stopped; j++)
            STATUS_RETURN_IF_ERROR(segment_verify(run->segments[j]->segment, note_progress, verification));
    }
    return verification->is_stopped ? STATUS(KVS_BUSY, "verification was stopped") : status_ok();
}

/* Segments are read whole. Manifest and logs were verified when the database was opened, and what has been written to them since is verified by the next open;
 * the version's own invariants (runs sorted, segments apart) are checked whenever one is made. */
struct kvs_status kvs_verify(struct kvs_db *db, kvs_progress_function *progress, void *context)
{
    struct verification verification = {.progress = progress, .context = context};
    STATUS_RETURN_IF_ERROR(db_check_process(db));
    struct view *view = views_acquire(&db->views);
    struct kvs_status status = verify_version(view->version, &verification);
    view_unref(view);
    workers_note_unref(db);
    return status;
}
