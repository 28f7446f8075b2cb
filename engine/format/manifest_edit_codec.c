#include "format/manifest_edit.h"

#include "base/coding.h"

#include <inttypes.h>

/* Tags are part of the format. An odd one may be ignored by who does not know it. */
enum {
    TAG_OWNER = 2,
    TAG_NEXT_FILE_NUMBER = 4,
    TAG_PUBLISHED_SEQUENCE = 6,
    TAG_DURABLE_RECORD = 8,
    TAG_LAST_SEQUENCE = 10,
    TAG_LARGEST_NOW = 12,
    TAG_SEGMENT_REMOVED = 14,
    TAG_SEGMENT_ADDED = 16,
    TAG_LOG_ADDED = 18,
    TAG_LOG_ENDED = 20,
    TAG_LOG_DROPPED = 22,
    TAG_MAY_IGNORE = 1,
};

/* ---- Encoding ---- */

/* Where the encoding goes; at == NULL measures it. */
struct sink {
    uint8_t *at;
    size_t size;
};

static void put_varint(struct sink *sink, uint64_t value)
{
    sink->size += coding_varint_size(value);
    if (sink->at != NULL)
        sink->at = coding_put_varint(sink->at, value);
}

static void put_u64(struct sink *sink, uint64_t value)
{
    sink->size += sizeof value;
    if (sink->at != NULL) {
        coding_put_u64(sink->at, value);
        sink->at += sizeof value;
    }
}

static void put_bytes(struct sink *sink, struct kvs_slice bytes)
{
    sink->size += bytes.size;
    if (sink->at != NULL && bytes.size != 0) {
        memcpy(sink->at, bytes.data, bytes.size);
        sink->at += bytes.size;
    }
}

static void put_key(struct sink *sink, struct key key)
{
    put_varint(sink, key.user.size);
    put_bytes(sink, key.user);
    put_u64(sink, key.trailer);
}

static void put_added_body(struct sink *sink, const struct manifest_added *added)
{
    const struct segment_meta *meta = &added->meta;
    put_varint(sink, added->level);
    put_varint(sink, added->run);
    put_varint(sink, meta->number);
    put_u64(sink, meta->file_id);
    put_varint(sink, meta->size_bytes);
    put_u64(sink, meta->file_hash);
    put_varint(sink, meta->min_sequence);
    put_varint(sink, meta->max_sequence);
    put_varint(sink, meta->entry_count);
    put_varint(sink, meta->tombstone_count);
    put_varint(sink, meta->raw_key_bytes);
    put_varint(sink, meta->raw_value_bytes);
    put_key(sink, meta->smallest);
    put_key(sink, meta->largest);
}

static void put_added(struct sink *sink, const struct manifest_added *added)
{
    struct sink measure = {NULL, 0};
    put_added_body(&measure, added);
    put_varint(sink, TAG_SEGMENT_ADDED);
    put_varint(sink, measure.size);
    put_added_body(sink, added);
}

/* A field whose body is count varints. */
static void put_numbers(struct sink *sink, unsigned tag, const uint64_t *values, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += coding_varint_size(values[i]);
    put_varint(sink, tag);
    put_varint(sink, size);
    for (size_t i = 0; i < count; i++)
        put_varint(sink, values[i]);
}

static void put_number(struct sink *sink, unsigned tag, uint64_t value)
{
    if (value != 0)
        put_numbers(sink, tag, &value, 1);
}

static void put_logs(struct sink *sink, const struct manifest_edit *edit)
{
    for (size_t i = 0; i < edit->logs_added_count; i++) {
        const struct manifest_log *log = &edit->logs_added[i];
        put_numbers(sink, TAG_LOG_ADDED, (uint64_t[]){log->number, log->first_record}, 2);
    }
    for (size_t i = 0; i < edit->logs_ended_count; i++) {
        const struct manifest_log *log = &edit->logs_ended[i];
        put_numbers(sink, TAG_LOG_ENDED, (uint64_t[]){log->number, log->size_bytes, log->last_record}, 3);
    }
    for (size_t i = 0; i < edit->logs_dropped_count; i++)
        put_numbers(sink, TAG_LOG_DROPPED, &edit->logs_dropped[i], 1);
}

static void put_edit(struct sink *sink, const struct manifest_edit *edit)
{
    if (edit->has_owner) {
        struct kvs_slice owner = slice_of_text(edit->owner);
        put_varint(sink, TAG_OWNER);
        put_varint(sink, owner.size);
        put_bytes(sink, owner);
    }
    put_number(sink, TAG_NEXT_FILE_NUMBER, edit->numbers.next_file_number);
    put_number(sink, TAG_PUBLISHED_SEQUENCE, edit->numbers.published_sequence);
    put_number(sink, TAG_DURABLE_RECORD, edit->numbers.durable_record);
    put_number(sink, TAG_LAST_SEQUENCE, edit->numbers.last_sequence);
    put_number(sink, TAG_LARGEST_NOW, edit->numbers.largest_now_ms);
    for (size_t i = 0; i < edit->removed_count; i++) {
        const struct manifest_removed *removed = &edit->removed[i];
        put_numbers(sink, TAG_SEGMENT_REMOVED, (uint64_t[]){removed->level, removed->run, removed->number}, 3);
    }
    for (size_t i = 0; i < edit->added_count; i++)
        put_added(sink, &edit->added[i]);
    put_logs(sink, edit);
}

size_t manifest_edit_size(const struct manifest_edit *edit)
{
    struct sink sink = {NULL, 0};
    put_edit(&sink, edit);
    return sink.size;
}

uint8_t *manifest_edit_encode(uint8_t *at, const struct manifest_edit *edit)
{
    struct sink sink = {at, 0};
    put_edit(&sink, edit);
    return sink.at;
}

/* ---- Decoding ---- */

/* Readers of bodies return false for what cannot have been written, with *why saying what; a status that is not OK is NO_MEMORY. */
struct decoding {
    struct manifest_edit edit;
    struct kvs_status status;
    const char *why;
};

static bool refuse(struct decoding *decoding, const char *why)
{
    decoding->why = why;
    return false;
}

static bool appended(struct decoding *decoding, struct kvs_status status)
{
    decoding->status = status;
    return status_is_ok(status);
}

static struct key take_key(struct cursor *body)
{
    struct kvs_slice user = cursor_sized_bytes(body, KEY_MAX_BYTES);
    return key_of(user, cursor_u64(body));
}

static bool sequence_is_in(uint64_t trailer, const struct segment_meta *meta)
{
    return key_sequence(trailer) >= meta->min_sequence && key_sequence(trailer) <= meta->max_sequence;
}

static const char *meta_fault(const struct segment_meta *meta)
{
    if (meta->number == 0 || meta->size_bytes == 0)
        return "a segment has a number and bytes";
    if (meta->entry_count == 0 || meta->tombstone_count > meta->entry_count)
        return "a segment has entries, of which some are tombstones";
    if (meta->min_sequence > meta->max_sequence || meta->max_sequence > SEQUENCE_MAX)
        return "a segment's sequence range";
    if (key_compare(meta->smallest, meta->largest) > 0 || !sequence_is_in(meta->smallest.trailer, meta) ||
        !sequence_is_in(meta->largest.trailer, meta))
        return "a segment's key range";
    return NULL;
}

static bool take_added(struct decoding *decoding, struct cursor *body)
{
    uint64_t level = cursor_varint(body);
    uint64_t run = cursor_varint(body);
    struct segment_meta meta = {.number = cursor_varint(body)};
    meta.file_id = cursor_u64(body);
    meta.size_bytes = cursor_varint(body);
    meta.file_hash = cursor_u64(body);
    meta.min_sequence = cursor_varint(body);
    meta.max_sequence = cursor_varint(body);
    meta.entry_count = cursor_varint(body);
    meta.tombstone_count = cursor_varint(body);
    meta.raw_key_bytes = cursor_varint(body);
    meta.raw_value_bytes = cursor_varint(body);
    meta.smallest = take_key(body);
    meta.largest = take_key(body);
    if (!cursor_is_done(body))
        return refuse(decoding, "an added segment's fields");
    if (level >= MANIFEST_LEVELS)
        return refuse(decoding, "a level below the limit");
    const char *fault = meta_fault(&meta);
    if (fault != NULL)
        return refuse(decoding, fault);
    return appended(decoding, manifest_edit_add_segment(&decoding->edit, (unsigned)level, run, &meta));
}

static bool take_removed(struct decoding *decoding, struct cursor *body)
{
    uint64_t level = cursor_varint(body);
    uint64_t run = cursor_varint(body);
    uint64_t number = cursor_varint(body);
    if (!cursor_is_done(body) || level >= MANIFEST_LEVELS || number == 0)
        return refuse(decoding, "a removed segment's level, run and number");
    return appended(decoding, manifest_edit_remove_segment(&decoding->edit, (unsigned)level, run, number));
}

static bool take_log(struct decoding *decoding, unsigned tag, struct cursor *body)
{
    uint64_t number = cursor_varint(body);
    uint64_t second = tag == TAG_LOG_DROPPED ? 0 : cursor_varint(body);
    uint64_t third = tag == TAG_LOG_ENDED ? cursor_varint(body) : 0;
    if (!cursor_is_done(body) || number == 0)
        return refuse(decoding, "a log's number and extent");
    if (tag == TAG_LOG_ADDED)
        return second == 0 ? refuse(decoding, "a log's first record")
                           : appended(decoding, manifest_edit_add_log(&decoding->edit, number, second));
    if (tag == TAG_LOG_ENDED)
        return appended(decoding, manifest_edit_end_log(&decoding->edit, number, second, third));
    return appended(decoding, manifest_edit_drop_log(&decoding->edit, number));
}

static bool take_owner(struct decoding *decoding, struct cursor *body)
{
    size_t size = cursor_rest(body);
    if (decoding->edit.has_owner || size > MANIFEST_OWNER_BYTES || memchr(body->at, 0, size) != NULL)
        return refuse(decoding, "one owner of at most 31 bytes");
    memcpy(decoding->edit.owner, body->at, size);
    decoding->edit.owner[size] = '\0';
    decoding->edit.has_owner = true;
    return true;
}

static bool take_number(struct decoding *decoding, uint64_t *number, struct cursor *body)
{
    uint64_t value = cursor_varint(body);
    if (!cursor_is_done(body))
        return refuse(decoding, "a number");
    if (*number < value)
        *number = value;
    return true;
}

/* known: out, whether the tag is one of ours. */
static bool take_field(struct decoding *decoding, bool *known, uint64_t tag, struct cursor *body)
{
    struct manifest_numbers *numbers = &decoding->edit.numbers;
    *known = true;
    switch (tag) {
    case TAG_OWNER:
        return take_owner(decoding, body);
    case TAG_NEXT_FILE_NUMBER:
        return take_number(decoding, &numbers->next_file_number, body);
    case TAG_PUBLISHED_SEQUENCE:
        return take_number(decoding, &numbers->published_sequence, body);
    case TAG_DURABLE_RECORD:
        return take_number(decoding, &numbers->durable_record, body);
    case TAG_LAST_SEQUENCE:
        return take_number(decoding, &numbers->last_sequence, body);
    case TAG_LARGEST_NOW:
        return take_number(decoding, &numbers->largest_now_ms, body);
    case TAG_SEGMENT_REMOVED:
        return take_removed(decoding, body);
    case TAG_SEGMENT_ADDED:
        return take_added(decoding, body);
    case TAG_LOG_ADDED:
    case TAG_LOG_ENDED:
    case TAG_LOG_DROPPED:
        return take_log(decoding, (unsigned)tag, body);
    default:
        *known = false;
        return true;
    }
}

struct kvs_status manifest_edit_decode(struct manifest_edit *edit, const void *data, size_t size, const char *path,
                                       uint64_t offset)
{
    struct decoding decoding = {.status = status_ok(), .why = "fields of a tag, a size and as many bytes"};
    struct cursor fields = cursor_of(data, size);
    const uint8_t *field = data;
    uint64_t tag = 0;
    bool known = true;
    manifest_edit_init(&decoding.edit);
    while (cursor_rest(&fields) > 0) {
        field = fields.at;
        tag = cursor_varint(&fields);
        struct kvs_slice body = cursor_sized_bytes(&fields, MANIFEST_EDIT_BYTES);
        if (fields.failed)
            goto corrupt;
        struct cursor cursor = cursor_of(body.data, body.size);
        if (!take_field(&decoding, &known, tag, &cursor))
            goto corrupt;
        if (!known && (tag & TAG_MAY_IGNORE) == 0) {
            decoding.status = STATUS(KVS_UNSUPPORTED,
                                     "%s: offset %" PRIu64 ": a version edit has a field (tag %" PRIu64
                                     ") that this version of kvstore does not know; open it with a newer one",
                                     path, offset + (uint64_t)(field - (const uint8_t *)data), tag);
            goto failed;
        }
    }
    *edit = decoding.edit;
    return status_ok();

corrupt:
    if (status_is_ok(decoding.status))
        decoding.status = STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": version edit: expected %s, found tag %" PRIu64,
                                 path, offset + (uint64_t)(field - (const uint8_t *)data), decoding.why, tag);
failed:
    manifest_edit_fini(&decoding.edit);
    return decoding.status;
}
