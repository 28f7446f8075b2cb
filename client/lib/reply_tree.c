#include "client/reply_tree.h"

#include "base/assert.h"
#include "base/status.h"

#include <stdlib.h>

static const enum kvc_type types[] = {
    [REPLY_TYPE_STATUS] = KVC_STATUS, [REPLY_TYPE_ERROR] = KVC_ERROR,   [REPLY_TYPE_INTEGER] = KVC_INTEGER,
    [REPLY_TYPE_NIL] = KVC_NIL,       [REPLY_TYPE_VALUE] = KVC_VALUE,   [REPLY_TYPE_VERBATIM] = KVC_VERBATIM,
    [REPLY_TYPE_BOOL] = KVC_BOOL,     [REPLY_TYPE_DOUBLE] = KVC_DOUBLE, [REPLY_TYPE_BIG_NUMBER] = KVC_BIG_NUMBER,
    [REPLY_TYPE_ARRAY] = KVC_ARRAY,   [REPLY_TYPE_MAP] = KVC_MAP,       [REPLY_TYPE_SET] = KVC_SET,
    [REPLY_TYPE_PUSH] = KVC_PUSH,
};

/* Memory of one reply: all nodes, then all texts with their zero bytes. */
struct layout {
    struct kvc_reply *next_node;
    char *next_text;
    struct kvc_reply *next_child[REPLY_READER_MAX_DEPTH + 1]; /* by depth: where the next node of that depth belongs */
};

static void fill_node(struct kvc_reply *out, struct layout *layout, const struct reply_node *node, const char *data)
{
    *out = (struct kvc_reply){.type = types[node->type], .text = ""};
    if (reply_type_is_aggregate(node->type)) {
        out->count = node->count;
        out->elements = layout->next_node;
        layout->next_child[node->depth + 1] = layout->next_node;
        layout->next_node += node->count;
    } else if (node->type == REPLY_TYPE_INTEGER || node->type == REPLY_TYPE_BOOL) {
        out->integer = node->integer;
    } else if (node->type != REPLY_TYPE_NIL) {
        if (node->type == REPLY_TYPE_DOUBLE)
            out->number = node->number;
        memcpy(layout->next_text, data + node->offset, node->size);
        layout->next_text[node->size] = '\0';
        out->text = layout->next_text;
        out->text_size = node->size;
        layout->next_text += node->size + 1;
    }
}

static size_t text_bytes(const struct reply_reader *reader)
{
    size_t bytes = 0;
    for (size_t i = 0; i < reader->node_count; i++)
        bytes += reader->nodes[i].size + 1;
    return bytes;
}

struct kvs_status reply_tree_build(struct kvc_reply **reply_out, const struct reply_reader *reader, const void *data)
{
    KVS_ASSERT(reader->is_complete && reader->node_count > 0);
    size_t bytes = reader->node_count * sizeof(struct kvc_reply) + text_bytes(reader);
    struct kvc_reply *root = malloc(bytes);
    if (root == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory for a reply of %zu bytes", bytes);
    struct layout layout = {
        .next_node = root + 1, .next_text = (char *)(root + reader->node_count), .next_child[0] = root};
    for (size_t i = 0; i < reader->node_count; i++) {
        const struct reply_node *node = &reader->nodes[i];
        fill_node(layout.next_child[node->depth]++, &layout, node, data);
    }
    KVS_ASSERT(layout.next_node == root + reader->node_count);
    *reply_out = root;
    return status_ok();
}

void kvc_reply_free(struct kvc_reply *reply)
{
    free(reply);
}
