#include "db/db.h"

#include <stdlib.h>

/* Changes up to this size are encoded on the stack. */
enum { STACK_CHANGE_BYTES = 4096 };

const char *kvs_version(void)
{
    return KVSTORE_VERSION;
}

const char *kvs_status_text(struct kvs_status status)
{
    return status_text(status);
}

static struct kvs_status check_writable(struct kvs_db *db)
{
    STATUS_RETURN_IF_ERROR(db_check_process(db));
    if (db->options.read_only)
        return STATUS(KVS_INVALID, "%s is open read-only", db->path);
    return waiting_shortage(db);
}

struct kvs_status kvs_write(struct kvs_db *db, const struct kvs_batch *batch, const struct kvs_write_options *options)
{
    STATUS_RETURN_IF_ERROR(check_writable(db));
    return commit_write(&db->commit, batch, options != NULL && options->sync);
}

/* One change, as a batch on the stack where it fits. */
static struct kvs_status write_one(struct kvs_db *db, struct kvs_slice key, const struct kvs_slice *value,
                                   const struct kvs_write_options *options)
{
    _Alignas(8) uint8_t stack[STACK_CHANGE_BYTES];
    struct kvs_batch batch = {0};
    size_t most =
        key.size > KVS_KEY_MAX_BYTES ? SIZE_MAX : batch_change_bytes(key, value == NULL ? slice_of(NULL, 0) : *value);
    if (most <= sizeof stack)
        batch = batch_on(stack, sizeof stack);
    struct kvs_status status = value == NULL ? kvs_batch_delete(&batch, key) : kvs_batch_put(&batch, key, *value);
    if (status_is_ok(status))
        status = kvs_write(db, &batch, options);
    if (!batch.borrowed)
        free(batch.payload);
    return status;
}

struct kvs_status kvs_put(struct kvs_db *db, struct kvs_slice key, struct kvs_slice value,
                          const struct kvs_write_options *options)
{
    return write_one(db, key, &value, options);
}

struct kvs_status kvs_delete(struct kvs_db *db, struct kvs_slice key, const struct kvs_write_options *options)
{
    return write_one(db, key, NULL, options);
}

struct kvs_status kvs_apply(struct kvs_db *db, uint64_t *sequence, size_t *applied,
                            const struct kvs_batch *const *batches, size_t count, kvs_ready_function *ready,
                            void *context)
{
    STATUS_RETURN_IF_ERROR(check_writable(db));
    return commit_apply(&db->commit, sequence, applied, batches, count, ready, context);
}

struct kvs_status kvs_sync(struct kvs_db *db)
{
    STATUS_RETURN_IF_ERROR(check_writable(db));
    return commit_await(&db->commit, kvs_applied_sequence(db), KVS_DURABLE);
}

struct kvs_status kvs_sync_async(struct kvs_db *db, uint64_t sequence, enum kvs_level level,
                                 kvs_sync_function *callback, void *context)
{
    STATUS_RETURN_IF_ERROR(check_writable(db));
    return commit_request(&db->commit, sequence, level, callback, context);
}

uint64_t kvs_published_sequence(const struct kvs_db *db)
{
    return commit_published(&db->commit);
}

uint64_t kvs_applied_sequence(const struct kvs_db *db)
{
    return atomic_load_explicit(&db->commit.applied_sequence, memory_order_acquire);
}

struct kvs_status kvs_flush(struct kvs_db *db)
{
    uint64_t sequence;
    STATUS_RETURN_IF_ERROR(check_writable(db));
    STATUS_RETURN_IF_ERROR(commit_rotate(&db->commit, &sequence));
    return workers_await_flush(db, sequence);
}

struct kvs_status kvs_compact(struct kvs_db *db)
{
    STATUS_RETURN_IF_ERROR(kvs_flush(db));
    return workers_compact_all(db);
}
