#include "protocol/reply_reader.h"

#include "base/status.h"
#include "protocol/number.h"

#include <stdlib.h>

/* A list of nodes that grew beyond this is freed when the next reply is read. */
enum { NODES_KEPT = 4096, FIRST_NODES = 16 };

/* The longest floating-point number that is read. */
enum { DOUBLE_MAX_BYTES = 63 };

void reply_reader_limits_default(struct reply_reader_limits *limits_out)
{
    *limits_out = (struct reply_reader_limits){
        .value_bytes = (size_t)512 << 20,
        .reply_bytes = (size_t)2 << 30,
        .nodes = (size_t)16 << 20,
    };
}

void reply_reader_init(struct reply_reader *reader, const struct reply_reader_limits *limits)
{
    *reader = (struct reply_reader){.limits = *limits};
}

void reply_reader_fini(struct reply_reader *reader)
{
    free(reader->nodes);
    reader->nodes = NULL;
    reader->node_capacity = reader->node_count = 0;
}

/* ---- Errors ---- */

static struct kvs_status corrupt(const struct reply_reader *reader, size_t offset, const char *expected,
                                 const char *found)
{
    return STATUS(KVS_CORRUPT, "reply stream, byte %llu: expected %s, found %s",
                  (unsigned long long)(reader->stream_offset + offset), expected, found);
}

/* What stands at a place, as a sentence shows it: `at` as a quoted, shortened piece. */
static struct kvs_status corrupt_bytes(const struct reply_reader *reader, size_t offset, const char *expected,
                                       struct kvs_slice bytes)
{
    char found[32];
    const uint8_t *at = bytes.data;
    size_t length = 0;
    found[length++] = '\'';
    for (size_t i = 0; i < bytes.size && length < sizeof found - 2; i++)
        found[length++] = at[i] >= 0x20 && at[i] < 0x7F ? (char)at[i] : '?';
    found[length++] = '\'';
    found[length] = '\0';
    return corrupt(reader, offset, expected, found);
}

/* ---- Nodes and levels ---- */

static struct kvs_status add_node(struct reply_reader *reader, const struct reply_node *node)
{
    if (reader->node_count == reader->limits.nodes)
        return STATUS(KVS_TOO_LARGE, "reply has more than %zu items", reader->limits.nodes);
    if (reader->node_count == reader->node_capacity) {
        size_t capacity = reader->node_capacity == 0 ? FIRST_NODES : reader->node_capacity * 2;
        struct reply_node *nodes = realloc(reader->nodes, capacity * sizeof *nodes);
        if (nodes == NULL)
            return STATUS(KVS_NO_MEMORY, "no memory for a reply of %zu items", capacity);
        reader->nodes = nodes;
        reader->node_capacity = capacity;
    }
    reader->nodes[reader->node_count] = *node;
    reader->nodes[reader->node_count++].depth = reader->depth;
    return status_ok();
}

/* An item is whole. The aggregates that it completes are whole, too; an attribute that it completes is dropped and is no item itself. */
static void end_item(struct reply_reader *reader)
{
    while (reader->depth > 0) {
        unsigned top = reader->depth - 1;
        if (--reader->levels[top].missing > 0)
            return;
        reader->depth--;
        if (reader->levels[top].is_attribute) {
            reader->node_count = reader->levels[top].node;
            return;
        }
    }
    reader->is_complete = true;
}

static struct kvs_status add_leaf(struct reply_reader *reader, struct reply_node node)
{
    STATUS_RETURN_IF_ERROR(add_node(reader, &node));
    end_item(reader);
    return status_ok();
}

/* count children are to come. */
static struct kvs_status add_aggregate(struct reply_reader *reader, enum reply_type type, uint64_t count,
                                       bool is_attribute)
{
    if (reader->depth == REPLY_READER_MAX_DEPTH)
        return STATUS(KVS_TOO_LARGE, "reply is nested more than %d deep", REPLY_READER_MAX_DEPTH);
    size_t first = reader->node_count;
    STATUS_RETURN_IF_ERROR(add_node(reader, &(struct reply_node){.type = type, .count = count}));
    if (count == 0 && is_attribute) {
        reader->node_count = first;
    } else if (count == 0) {
        end_item(reader);
    } else {
        reader->levels[reader->depth].missing = count;
        reader->levels[reader->depth].node = first;
        reader->levels[reader->depth].is_attribute = is_attribute;
        reader->depth++;
    }
    return status_ok();
}

/* ---- Items ---- */

/* The line of an item, without its marker and its end. */
struct item {
    uint8_t marker;
    size_t offset; /* of the text, from the start of the reply */
    struct kvs_slice text;
};

static struct kvs_status read_number(const struct reply_reader *reader, int64_t *value_out, const struct item *item)
{
    if (!number_parse(value_out, item->text))
        return corrupt_bytes(reader, item->offset, "a number", item->text);
    return status_ok();
}

static struct kvs_status read_integer(struct reply_reader *reader, const struct item *item)
{
    struct reply_node node = {.type = REPLY_TYPE_INTEGER};
    STATUS_RETURN_IF_ERROR(read_number(reader, &node.integer, item));
    return add_leaf(reader, node);
}

static struct kvs_status read_line(struct reply_reader *reader, enum reply_type type, const struct item *item)
{
    return add_leaf(reader, (struct reply_node){.type = type, .offset = item->offset, .size = item->text.size});
}

static struct kvs_status read_nil(struct reply_reader *reader, const struct item *item)
{
    if (item->text.size != 0)
        return corrupt_bytes(reader, item->offset, "the end of a null", item->text);
    return add_leaf(reader, (struct reply_node){.type = REPLY_TYPE_NIL});
}

static struct kvs_status read_bool(struct reply_reader *reader, const struct item *item)
{
    bool is_true = slice_equal(item->text, slice_of_text("t"));
    if (!is_true && !slice_equal(item->text, slice_of_text("f")))
        return corrupt_bytes(reader, item->offset, "t or f", item->text);
    return add_leaf(reader, (struct reply_node){.type = REPLY_TYPE_BOOL, .integer = is_true});
}

/* Digits, sign, point and exponent, or inf or nan: strtod alone reads hexadecimal and more. */
static bool parse_double(double *value_out, struct kvs_slice text)
{
    char copy[DOUBLE_MAX_BYTES + 1];
    if (text.size == 0 || text.size > DOUBLE_MAX_BYTES)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    bool is_named = strcmp(copy, "inf") == 0 || strcmp(copy, "-inf") == 0 || strcmp(copy, "nan") == 0;
    if (!is_named && strspn(copy, "+-.0123456789eE") != text.size)
        return false;
    char *end;
    *value_out = strtod(copy, &end);
    return end == copy + text.size;
}

static struct kvs_status read_double(struct reply_reader *reader, const struct item *item)
{
    struct reply_node node = {.type = REPLY_TYPE_DOUBLE, .offset = item->offset, .size = item->text.size};
    if (!parse_double(&node.number, item->text))
        return corrupt_bytes(reader, item->offset, "a floating-point number", item->text);
    return add_leaf(reader, node);
}

static struct kvs_status read_big_number(struct reply_reader *reader, const struct item *item)
{
    const char *digits = item->text.data;
    size_t sign = item->text.size > 0 && digits[0] == '-';
    bool valid = item->text.size > sign;
    for (size_t i = sign; i < item->text.size; i++)
        valid = valid && digits[i] >= '0' && digits[i] <= '9';
    if (!valid)
        return corrupt_bytes(reader, item->offset, "a big number", item->text);
    return read_line(reader, REPLY_TYPE_BIG_NUMBER, item);
}

/* The count line of a string; its bytes follow. */
static struct kvs_status read_bulk_start(struct reply_reader *reader, const struct item *item)
{
    int64_t size;
    STATUS_RETURN_IF_ERROR(read_number(reader, &size, item));
    if (size == -1 && item->marker == '$')
        return add_leaf(reader, (struct reply_node){.type = REPLY_TYPE_NIL});
    if (size < 0 || (item->marker == '=' && size < 4))
        return corrupt_bytes(reader, item->offset, "the size of a string", item->text);
    if ((uint64_t)size > reader->limits.value_bytes)
        return STATUS(KVS_TOO_LARGE, "reply has a string of %lld bytes; the limit is %zu", (long long)size,
                      reader->limits.value_bytes);
    reader->in_bulk = true;
    reader->bulk_marker = item->marker;
    reader->bulk_size = (uint64_t)size;
    return status_ok();
}

static struct kvs_status read_aggregate(struct reply_reader *reader, const struct item *item)
{
    int64_t count;
    STATUS_RETURN_IF_ERROR(read_number(reader, &count, item));
    if (count == -1 && item->marker == '*')
        return add_leaf(reader, (struct reply_node){.type = REPLY_TYPE_NIL});
    if (count < 0)
        return corrupt_bytes(reader, item->offset, "a number of items", item->text);
    if ((uint64_t)count > reader->limits.nodes)
        return STATUS(KVS_TOO_LARGE, "reply announces %lld items; the limit is %zu", (long long)count,
                      reader->limits.nodes);
    switch (item->marker) {
    case '*':
        return add_aggregate(reader, REPLY_TYPE_ARRAY, (uint64_t)count, false);
    case '~':
        return add_aggregate(reader, REPLY_TYPE_SET, (uint64_t)count, false);
    case '>':
        return add_aggregate(reader, REPLY_TYPE_PUSH, (uint64_t)count, false);
    default:
        return add_aggregate(reader, REPLY_TYPE_MAP, 2 * (uint64_t)count, item->marker == '|');
    }
}

static struct kvs_status read_item(struct reply_reader *reader, const struct item *item)
{
    switch (item->marker) {
    case '+':
        return read_line(reader, REPLY_TYPE_STATUS, item);
    case '-':
        return read_line(reader, REPLY_TYPE_ERROR, item);
    case ':':
        return read_integer(reader, item);
    case '_':
        return read_nil(reader, item);
    case '#':
        return read_bool(reader, item);
    case ',':
        return read_double(reader, item);
    case '(':
        return read_big_number(reader, item);
    case '$':
    case '!':
    case '=':
        return read_bulk_start(reader, item);
    default:
        return read_aggregate(reader, item);
    }
}

/* ---- Bytes ---- */

/* Read the line of an item at reader->parsed. progress_out: whether it was all there. */
static struct kvs_status parse_line(struct reply_reader *reader, bool *progress_out, const uint8_t *data, size_t size)
{
    static const char markers[] = "+-:_#,($!=*~>%|";
    size_t start = reader->parsed + 1;
    struct item item = {.marker = data[reader->parsed], .offset = start};
    if (item.marker == '\0' || strchr(markers, item.marker) == NULL)
        return corrupt_bytes(reader, reader->parsed, "the start of a reply", slice_of(data + reader->parsed, 1));
    size_t from = reader->scanned > start ? reader->scanned : start;
    const uint8_t *end = from < size ? memchr(data + from, '\r', size - from) : NULL;
    size_t line_size = (end != NULL ? (size_t)(end - data) : size) - start;
    if (line_size > reader->limits.value_bytes)
        return STATUS(KVS_TOO_LARGE, "reply has a line over %zu bytes", reader->limits.value_bytes);
    if (end == NULL || end + 1 == data + size) {
        reader->scanned = start + line_size;
        return status_ok();
    }
    if (end[1] != '\n')
        return corrupt_bytes(reader, start + line_size + 1, "a line feed", slice_of(end + 1, 1));
    item.text = slice_of(data + start, line_size);
    STATUS_RETURN_IF_ERROR(read_item(reader, &item));
    reader->parsed = start + line_size + 2;
    *progress_out = true;
    return status_ok();
}

static struct kvs_status parse_bulk(struct reply_reader *reader, bool *progress_out, const uint8_t *data, size_t size)
{
    if (size - reader->parsed < reader->bulk_size + 2)
        return status_ok();
    const uint8_t *bytes = data + reader->parsed;
    const uint8_t *end = bytes + reader->bulk_size;
    if (end[0] != '\r' || end[1] != '\n')
        return corrupt_bytes(reader, reader->parsed + reader->bulk_size, "the end of a string", slice_of(end, 2));
    struct reply_node node = {.type = REPLY_TYPE_VALUE, .offset = reader->parsed, .size = reader->bulk_size};
    if (reader->bulk_marker == '!')
        node.type = REPLY_TYPE_ERROR;
    if (reader->bulk_marker == '=') {
        if (bytes[3] != ':')
            return corrupt_bytes(reader, reader->parsed, "the format of a verbatim string", slice_of(bytes, 4));
        node.type = REPLY_TYPE_VERBATIM;
        node.offset += 4;
        node.size -= 4;
    }
    STATUS_RETURN_IF_ERROR(add_leaf(reader, node));
    reader->parsed += reader->bulk_size + 2;
    reader->in_bulk = false;
    *progress_out = true;
    return status_ok();
}

/* Read items until the reply is complete or the bytes are used up. */
static struct kvs_status parse(struct reply_reader *reader, const uint8_t *data, size_t size)
{
    bool progress = true;
    while (progress && !reader->is_complete && reader->parsed < size) {
        progress = false;
        if (reader->parsed > reader->limits.reply_bytes)
            return STATUS(KVS_TOO_LARGE, "reply is longer than %zu bytes", reader->limits.reply_bytes);
        if (reader->in_bulk)
            STATUS_RETURN_IF_ERROR(parse_bulk(reader, &progress, data, size));
        else
            STATUS_RETURN_IF_ERROR(parse_line(reader, &progress, data, size));
    }
    return status_ok();
}

static void start_reply(struct reply_reader *reader)
{
    reader->stream_offset += reader->parsed;
    reader->scanned = reader->parsed = 0;
    reader->node_count = 0;
    reader->is_complete = false;
    if (reader->node_capacity > NODES_KEPT)
        reply_reader_fini(reader);
}

struct kvs_status reply_reader_next(struct reply_reader *reader, bool *complete_out, size_t *consumed_out,
                                    const void *data, size_t size)
{
    if (reader->failed)
        return STATUS(KVS_CORRUPT, "reply stream failed before byte %llu", (unsigned long long)reader->stream_offset);
    if (reader->is_complete)
        start_reply(reader);
    struct kvs_status status = parse(reader, data, size);
    if (!status_is_ok(status)) {
        reader->failed = true;
        return status;
    }
    *complete_out = reader->is_complete;
    *consumed_out = reader->is_complete ? reader->parsed : 0;
    return status_ok();
}
