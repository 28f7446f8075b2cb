#include "merge/retention.h"

void retention_init(struct retention *retention, uint64_t horizon, retention_may_be_older *may_be_older, void *context)
{
    *retention = (struct retention){.horizon = horizon, .may_be_older = may_be_older, .context = context};
}

void retention_fini(struct retention *retention)
{
    buffer_fini(&retention->user_key);
}

/* The fate of an entry that is the newest of its user key at or below the horizon. */
static bool keep_newest(struct retention *retention, struct key key)
{
    if (key_kind(key.trailer) != KEY_DELETE || retention->may_be_older(retention->context, key.user))
        return true;
    retention->dropped_tombstones++;
    return false;
}

/* Note the entry. is_new: out, whether it is the first of its user key; is_double: out, whether it equals the one before. */
static struct kvs_status take(struct retention *retention, bool *is_new, bool *is_double, struct key key)
{
    int order = !retention->has_key ? -1 : slice_compare(buffer_slice(&retention->user_key), key.user);
    if (order > 0 || (order == 0 && key.trailer > retention->trailer))
        return STATUS(KVS_CORRUPT, "the inputs of a flush or compaction are out of order: a key follows a greater one");
    if (order != 0) {
        buffer_clear(&retention->user_key);
        STATUS_RETURN_IF_ERROR(buffer_append(&retention->user_key, key.user.data, key.user.size));
        retention->has_key = true;
        retention->is_settled = false;
    }
    *is_new = order != 0;
    *is_double = order == 0 && key.trailer == retention->trailer;
    retention->trailer = key.trailer;
    return status_ok();
}

struct kvs_status retention_keep(struct retention *retention, bool *keep, bool *is_new_user_key, struct key key)
{
    bool is_new, is_double;
    STATUS_RETURN_IF_ERROR(take(retention, &is_new, &is_double, key));
    if (is_double || retention->is_settled) {
        *keep = false;
        retention->dropped_versions++;
    } else if (key_sequence(key.trailer) > retention->horizon) {
        *keep = true;
    } else {
        retention->is_settled = true;
        *keep = keep_newest(retention, key);
    }
    if (is_new_user_key != NULL)
        *is_new_user_key = is_new;
    return status_ok();
}
