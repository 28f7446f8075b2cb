#include "merge/visible_iterator.h"

#include "base/assert.h"
#include "base/buffer.h"

/* After this many steps over versions of one key the rest is skipped by a seek. */
enum { STEPS_BEFORE_SEEK = 8 };

/* Where the inner iterator stands while an entry is shown:
 *
 *     FORWARD   on the entry itself, which key and value borrow
 *     BACKWARD  before every version of the user key shown (or not valid): key and value are copies
 */
enum direction { FORWARD, BACKWARD };

struct visible_iterator {
    struct visible_entry entry;
    struct iterator *inner;
    uint64_t horizon;
    enum direction direction;
    struct buffer key;
    struct buffer value;
    struct buffer lower;
    struct buffer upper;
};

static struct kvs_status buffer_set(struct buffer *buffer, struct kvs_slice bytes)
{
    buffer_clear(buffer);
    return buffer_append(buffer, bytes.data, bytes.size);
}

/* ---- Bounds ---- */

static bool is_at_or_beyond_upper(const struct visible_iterator *iterator, struct kvs_slice user)
{
    return iterator->upper.size != 0 && slice_compare(user, buffer_slice(&iterator->upper)) >= 0;
}

static bool is_below_lower(const struct visible_iterator *iterator, struct kvs_slice user)
{
    return iterator->lower.size != 0 && slice_compare(user, buffer_slice(&iterator->lower)) < 0;
}

/* Before, and after, every version of a user key. */
static struct key key_before(struct kvs_slice user)
{
    return key_of(user, UINT64_MAX);
}

static struct key key_behind(struct kvs_slice user)
{
    return key_of(user, 0);
}

/* ---- Forward ---- */

/* Move to the first entry at or after target, which is a version of the key that the inner iterator stands on. */
static struct kvs_status skip_versions(struct visible_iterator *iterator, struct key target)
{
    struct iterator *inner = iterator->inner;
    for (int steps = 0; inner->valid && key_compare(inner->key, target) < 0; steps++) {
        if (steps == STEPS_BEFORE_SEEK)
            return iterator_seek(inner, target);
        STATUS_RETURN_IF_ERROR(iterator_next(inner));
    }
    return status_ok();
}

static struct kvs_status skip_to(struct visible_iterator *iterator, uint64_t trailer)
{
    STATUS_RETURN_IF_ERROR(buffer_set(&iterator->key, iterator->inner->key.user));
    return skip_versions(iterator, key_of(buffer_slice(&iterator->key), trailer));
}

/* From where the inner iterator stands, before all versions or on the newest that counts of some key, on to the first visible entry. */
static struct kvs_status settle_forward(struct visible_iterator *iterator)
{
    struct iterator *inner = iterator->inner;
    while (inner->valid && !is_at_or_beyond_upper(iterator, inner->key.user)) {
        uint64_t trailer = inner->key.trailer;
        if (key_sequence(trailer) > iterator->horizon) {
            STATUS_RETURN_IF_ERROR(skip_to(iterator, key_seek_trailer(iterator->horizon)));
        } else if (key_kind(trailer) == KEY_DELETE) {
            STATUS_RETURN_IF_ERROR(skip_to(iterator, 0));
        } else {
            iterator->entry = (struct visible_entry){true, inner->key.user, inner->value};
            return status_ok();
        }
    }
    return status_ok();
}

static struct kvs_status seek_forward(struct visible_iterator *iterator, struct kvs_slice user)
{
    iterator->entry.valid = false;
    iterator->direction = FORWARD;
    STATUS_RETURN_IF_ERROR(iterator_seek(iterator->inner, key_of(user, key_seek_trailer(iterator->horizon))));
    return settle_forward(iterator);
}

/* ---- Backward ---- */

/* Many versions: go to the newest at or below the horizon, of which the inner iterator stands on an older one. */
static struct kvs_status jump_to_newest(struct visible_iterator *iterator)
{
    struct iterator *inner = iterator->inner;
    struct kvs_slice user = buffer_slice(&iterator->key);
    STATUS_RETURN_IF_ERROR(iterator_seek(inner, key_of(user, key_seek_trailer(iterator->horizon))));
    if (!inner->valid || !slice_equal(inner->key.user, user))
        return STATUS(KVS_CORRUPT, "entries are out of order: a version that was just read is not found again");
    return status_ok();
}

static struct kvs_status keep_version(struct visible_iterator *iterator, bool *found)
{
    struct iterator *inner = iterator->inner;
    *found = key_kind(inner->key.trailer) != KEY_DELETE;
    return *found ? buffer_set(&iterator->value, inner->value) : status_ok();
}

/* Read the versions of one user key, oldest first, and keep the newest at or below the horizon. found: out, whether there is one, and it is
 * no delete. The inner iterator ends before them all. */
static struct kvs_status read_key_backward(struct visible_iterator *iterator, bool *found)
{
    struct iterator *inner = iterator->inner;
    *found = false;
    STATUS_RETURN_IF_ERROR(buffer_set(&iterator->key, inner->key.user));
    struct kvs_slice user = buffer_slice(&iterator->key);
    for (int steps = 0; inner->valid && slice_equal(inner->key.user, user); steps++) {
        bool is_hidden = key_sequence(inner->key.trailer) > iterator->horizon;
        if (steps == STEPS_BEFORE_SEEK && !is_hidden)
            STATUS_RETURN_IF_ERROR(jump_to_newest(iterator));
        if (!is_hidden)
            STATUS_RETURN_IF_ERROR(keep_version(iterator, found));
        if (steps == STEPS_BEFORE_SEEK)
            return iterator_seek_before(inner, key_before(user));
        STATUS_RETURN_IF_ERROR(iterator_prev(inner));
    }
    return status_ok();
}

static struct kvs_status settle_backward(struct visible_iterator *iterator)
{
    struct iterator *inner = iterator->inner;
    bool found = false;
    while (!found && inner->valid && !is_below_lower(iterator, inner->key.user))
        STATUS_RETURN_IF_ERROR(read_key_backward(iterator, &found));
    if (found)
        iterator->entry = (struct visible_entry){true, buffer_slice(&iterator->key), buffer_slice(&iterator->value)};
    return status_ok();
}

static struct kvs_status seek_backward(struct visible_iterator *iterator, struct kvs_slice user)
{
    iterator->entry.valid = false;
    iterator->direction = BACKWARD;
    STATUS_RETURN_IF_ERROR(iterator_seek_before(iterator->inner, key_before(user)));
    return settle_backward(iterator);
}

/* ---- Interface ---- */

struct kvs_status visible_iterator_first(struct visible_iterator *iterator)
{
    return visible_iterator_seek(iterator, slice_of(NULL, 0));
}

struct kvs_status visible_iterator_last(struct visible_iterator *iterator)
{
    if (iterator->upper.size != 0)
        return seek_backward(iterator, buffer_slice(&iterator->upper));
    iterator->entry.valid = false;
    iterator->direction = BACKWARD;
    STATUS_RETURN_IF_ERROR(iterator_last(iterator->inner));
    return settle_backward(iterator);
}

struct kvs_status visible_iterator_seek(struct visible_iterator *iterator, struct kvs_slice key)
{
    return seek_forward(iterator, is_below_lower(iterator, key) ? buffer_slice(&iterator->lower) : key);
}

struct kvs_status visible_iterator_seek_before(struct visible_iterator *iterator, struct kvs_slice key)
{
    return seek_backward(iterator, is_at_or_beyond_upper(iterator, key) ? buffer_slice(&iterator->upper) : key);
}

struct kvs_status visible_iterator_next(struct visible_iterator *iterator)
{
    KVS_ASSERT(iterator->entry.valid);
    iterator->entry.valid = false;
    if (iterator->direction == FORWARD) {
        STATUS_RETURN_IF_ERROR(skip_to(iterator, 0));
    } else {
        iterator->direction = FORWARD;
        STATUS_RETURN_IF_ERROR(iterator_seek(iterator->inner, key_behind(buffer_slice(&iterator->key))));
    }
    return settle_forward(iterator);
}

struct kvs_status visible_iterator_prev(struct visible_iterator *iterator)
{
    KVS_ASSERT(iterator->entry.valid);
    iterator->entry.valid = false;
    if (iterator->direction == FORWARD) {
        STATUS_RETURN_IF_ERROR(buffer_set(&iterator->key, iterator->entry.key));
        return seek_backward(iterator, buffer_slice(&iterator->key));
    }
    return settle_backward(iterator);
}

const struct visible_entry *visible_iterator_entry(const struct visible_iterator *iterator)
{
    return &iterator->entry;
}

struct kvs_status visible_iterator_new(struct visible_iterator **iterator, struct iterator *inner, uint64_t horizon,
                                       struct kvs_slice lower, struct kvs_slice upper)
{
    struct visible_iterator *made = malloc(sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate an iterator");
    *made = (struct visible_iterator){.inner = NULL, .horizon = horizon};
    struct kvs_status status = buffer_set(&made->lower, lower);
    if (status_is_ok(status))
        status = buffer_set(&made->upper, upper);
    if (!status_is_ok(status)) {
        visible_iterator_free(made);
        return status;
    }
    made->inner = inner;
    *iterator = made;
    return status_ok();
}

void visible_iterator_free(struct visible_iterator *iterator)
{
    if (iterator == NULL)
        return;
    iterator_free(iterator->inner);
    buffer_fini(&iterator->key);
    buffer_fini(&iterator->value);
    buffer_fini(&iterator->lower);
    buffer_fini(&iterator->upper);
    free(iterator);
}
