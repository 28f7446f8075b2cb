#include "record.h"

#include "base64.h"
#include "protocol/quote.h"

#include <jansson.h>

/* ---- TSV ---- */

static const char *parse_tsv(struct record *record_out, char *line, size_t size)
{
    char *tab = memchr(line, '\t', size);
    if (tab == NULL)
        return "no tab between key and value";
    size_t key_size = (size_t)(tab - line), value_size = size - key_size - 1;
    if (memchr(tab + 1, '\t', value_size) != NULL)
        return "more than one tab (write one inside of a key or value as \\t)";
    if (!quote_decode_tsv(&key_size, (uint8_t *)line, key_size) ||
        !quote_decode_tsv(&value_size, (uint8_t *)tab + 1, value_size))
        return "bad escape (known are \\t \\n \\r \\\\ \\\" \\xHH)";
    *record_out = (struct record){slice_of(line, key_size), slice_of(tab + 1, value_size)};
    return NULL;
}

static bool append_tsv(struct byte_buffer *out, const struct record *record)
{
    return quote_append_tsv(out, record->key) && byte_buffer_append(out, "\t", 1) &&
           quote_append_tsv(out, record->value) && byte_buffer_append(out, "\n", 1);
}

/* ---- JSON ---- */

/* A member as bytes appended to storage. Returns NULL or what is wrong. */
static const char *read_member(struct byte_buffer *storage, const json_t *object, const char *name,
                               const char *name_b64, const char *absent)
{
    const json_t *plain = json_object_get(object, name), *encoded = json_object_get(object, name_b64);
    const json_t *member = plain != NULL ? plain : encoded;
    if (member == NULL)
        return absent;
    if (plain != NULL && encoded != NULL)
        return "a member is there both plain and as base64";
    if (!json_is_string(member))
        return "a member is no string";
    struct kvs_slice text = slice_of(json_string_value(member), json_string_length(member));
    if (plain == NULL)
        return base64_append_decoded(storage, text) ? NULL : "bad base64";
    return byte_buffer_append(storage, text.data, text.size) ? NULL : "out of memory";
}

static const char *read_object(struct record *record_out, struct byte_buffer *storage, const json_t *object)
{
    if (!json_is_object(object))
        return "no JSON object";
    const char *problem = read_member(storage, object, "key", "key_b64", "no member \"key\" or \"key_b64\"");
    size_t key_size = byte_buffer_size(storage);
    if (problem == NULL)
        problem = read_member(storage, object, "value", "value_b64", "no member \"value\" or \"value_b64\"");
    if (problem != NULL)
        return problem;
    /* An empty key and an empty value have taken no memory, and nothing can be added to no address. */
    if (!byte_buffer_reserve(storage, 1))
        return "out of memory";
    const uint8_t *data = byte_buffer_data(storage);
    *record_out =
        (struct record){slice_of(data, key_size), slice_of(data + key_size, byte_buffer_size(storage) - key_size)};
    return NULL;
}

static const char *parse_json(struct record *record_out, struct byte_buffer *storage, const char *line, size_t size)
{
    json_error_t error;
    json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (object == NULL)
        return "no valid JSON";
    byte_buffer_consume(storage, byte_buffer_size(storage));
    const char *problem = read_object(record_out, storage, object);
    json_decref(object);
    return problem;
}

static bool set_member(json_t *object, const char *name, const char *name_b64, struct kvs_slice bytes)
{
    if (quote_is_utf8(bytes))
        return json_object_set_new(object, name, json_stringn_nocheck(bytes.size > 0 ? bytes.data : "", bytes.size)) ==
               0;
    struct byte_buffer encoded;
    byte_buffer_init(&encoded);
    bool ok = base64_append(&encoded, bytes) &&
              json_object_set_new(
                  object, name_b64,
                  json_stringn_nocheck((const char *)byte_buffer_data(&encoded), byte_buffer_size(&encoded))) == 0;
    byte_buffer_fini(&encoded);
    return ok;
}

static int append_json_piece(const char *piece, size_t size, void *context)
{
    return byte_buffer_append(context, piece, size) ? 0 : -1;
}

static bool append_json(struct byte_buffer *out, const struct record *record)
{
    json_t *object = json_object();
    bool ok = object != NULL && set_member(object, "key", "key_b64", record->key) &&
              set_member(object, "value", "value_b64", record->value) &&
              json_dump_callback(object, append_json_piece, out, JSON_COMPACT) == 0 && byte_buffer_append(out, "\n", 1);
    json_decref(object);
    return ok;
}

/* ---- Both ---- */

const char *record_parse(struct record *record_out, struct byte_buffer *storage, enum record_format format, char *line,
                         size_t size)
{
    return format == RECORD_TSV ? parse_tsv(record_out, line, size) : parse_json(record_out, storage, line, size);
}

bool record_append(struct byte_buffer *out, enum record_format format, const struct record *record)
{
    return format == RECORD_TSV ? append_tsv(out, record) : append_json(out, record);
}
