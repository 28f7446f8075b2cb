#include "memtable/tree.h"

#include "base/assert.h"

/* The number of keys with a smaller hint. All slots are looked at, without a branch that depends on data: a
 * mispredicted one costs as much as the whole loop. */
static inline unsigned count_smaller_hints(const struct node *node, unsigned count, uint32_t hint)
{
    unsigned smaller = 0;
#pragma GCC unroll 14
    for (unsigned slot = 0; slot < NODE_WIDTH; slot++)
        smaller += (atomic_load_explicit(&node->hints[slot], memory_order_relaxed) < hint) & (slot < count);
    return smaller;
}

static inline uint32_t hint_at(const struct node *node, uint64_t order, unsigned position)
{
    return atomic_load_explicit(&node->hints[order_slot(order, position)], memory_order_relaxed);
}

/* Compare an entry with a key with which it shares prefix bytes. */
static inline int compare_entry(const struct entry *entry, struct key key, size_t prefix)
{
    struct kvs_slice rest = slice_of(entry->bytes + prefix, entry->key_bytes - prefix);
    if (prefix != 0)
        key.user = slice_of((const uint8_t *)key.user.data + prefix, key.user.size - prefix);
    return key_compare(key_of(rest, entry->trailer), key);
}

/* As node_rank, for keys whose hint is that of key, the first of which is at rank. */
static unsigned rank_among_equal_hints(const struct tree *tree, const struct node *node, uint64_t order, bool *equal,
                                       struct key key, unsigned rank, uint32_t hint)
{
    unsigned end = rank + 1;
    int sign = compare_entry(tree_entry(tree, node->keys[order_slot(order, rank)]), key, node->prefix);
    if (sign >= 0) {
        *equal = sign == 0;
        return rank;
    }
    rank++;
    while (end < order_count(order) && hint_at(node, order, end) == hint)
        end++;
    while (rank < end) {
        unsigned middle = (rank + end) / 2;
        sign = compare_entry(tree_entry(tree, node->keys[order_slot(order, middle)]), key, node->prefix);
        if (sign < 0) {
            rank = middle + 1;
        } else {
            *equal |= sign == 0;
            end = middle;
        }
    }
    return rank;
}

static inline unsigned rank_of(const struct tree *tree, const struct node *node, uint64_t order, bool *equal,
                               struct key key)
{
    uint32_t hint = key_hint(key.user, node->prefix);
    unsigned count = order_count(order);
    unsigned rank = count_smaller_hints(node, count, hint);
    *equal = false;
    if (__builtin_expect((rank < count) & (hint_at(node, order, rank) == hint), 0))
        return rank_among_equal_hints(tree, node, order, equal, key, rank, hint);
    return rank;
}

unsigned node_rank(const struct tree *tree, const struct node *node, uint64_t order, bool *equal, struct key key)
{
    return rank_of(tree, node, order, equal, key);
}

static inline const struct node *root_of(const struct tree *tree, unsigned *height)
{
    uint64_t root = atomic_load_explicit(&tree->root, memory_order_acquire);
    *height = (unsigned)(root >> 32);
    return tree_at(tree, (uint32_t)root);
}

static inline const struct node *child_of(const struct tree *tree, const struct node *node, unsigned index)
{
    const struct inner_node *inner = (const struct inner_node *)node;
    return tree_at(tree, atomic_load_explicit(&inner->children[index], memory_order_acquire));
}

/* How a search left an inner node: by the child at rank, in the order that it read. */
struct step {
    uint64_t order;
    unsigned rank;
    const struct node *child;
};

/* Whether a child was found by an order that is still the node's. Else the child may have been split in between and the
 * one found be only the left part of what the order says it is. The acquire load of such a child makes the order that
 * was stored before it visible here. The order changes no more often than a node has slots, nor do attempts fail. */
static inline bool step_is_valid(const struct node *node, const struct step *step)
{
    return atomic_load_explicit(&node->order, memory_order_relaxed) == step->order;
}

/* Find the child to which key belongs: whose separator is at or below it, or with before strictly below it. */
static inline void step_down(const struct tree *tree, struct step *step, const struct node *node, struct key key,
                             bool before)
{
    do {
        bool equal;
        step->order = node_order(node);
        unsigned rank = rank_of(tree, node, step->order, &equal, key);
        step->rank = rank + (equal & !before);
        step->child = child_of(tree, node, inner_child_index(step->order, step->rank));
    } while (__builtin_expect(!step_is_valid(node, step), 0));
}

/* Find the first or last child. */
static void step_down_edge(const struct tree *tree, struct step *step, const struct node *node, bool last)
{
    do {
        step->order = node_order(node);
        step->rank = last ? order_count(step->order) : 0;
        step->child = child_of(tree, node, inner_child_index(step->order, step->rank));
    } while (!step_is_valid(node, step));
}

/* Where hints are equal a way may lead to a neighbour: it is only a guess. */
static const struct node *guess_child(const struct tree *tree, const struct node *node, struct kvs_slice user)
{
    uint64_t order = node_order(node);
    uint32_t hint = key_hint(user, node->prefix);
    unsigned count = order_count(order);
    unsigned rank = count_smaller_hints(node, count, hint);
    rank += (rank < count) & (hint_at(node, order, rank) == hint);
    return child_of(tree, node, inner_child_index(order, rank));
}

void tree_prefetch(const struct tree *tree, const struct kvs_slice *keys, size_t count)
{
    const struct node *nodes[TREE_PREFETCH_MAX];
    unsigned height;
    const struct node *root = root_of(tree, &height);
    KVS_ASSERT(count <= TREE_PREFETCH_MAX);
    for (size_t i = 0; i < count; i++)
        nodes[i] = root;
    for (; height > 0; height--) {
        for (size_t i = 0; i < count; i++) {
            nodes[i] = guess_child(tree, nodes[i], keys[i]);
            __builtin_prefetch(nodes[i]);
            __builtin_prefetch((const uint8_t *)nodes[i] + CACHE_LINE_BYTES);
            if (height > 1)
                __builtin_prefetch(((const struct inner_node *)nodes[i])->children);
        }
    }
}

const struct entry *tree_find(const struct tree *tree, struct key key)
{
    unsigned height;
    bool equal;
    uint32_t found = PLACE_NONE;
    const struct node *node = root_of(tree, &height);
    if (height > 0 && root_compare_prefix(tree, node, key.user) != 0)
        return NULL;
    for (; height > 0; height--) {
        struct step step;
        __builtin_prefetch(((const struct inner_node *)node)->children);
        step_down(tree, &step, node, key, false);
        uint32_t upper = node->keys[order_slot(step.order, step.rank)];
        found = step.rank < order_count(step.order) ? upper : found;
        node = step.child;
    }
    uint64_t order = node_order(node);
    unsigned rank = rank_of(tree, node, order, &equal, key);
    if (rank < order_count(order))
        found = node->keys[order_slot(order, rank)];
    if (found == PLACE_NONE || !slice_equal(entry_user_key(tree_entry(tree, found)), key.user))
        return NULL;
    return tree_entry(tree, found);
}

/* Narrow the spot's fences to those of the child at which a step arrives. */
static void spot_narrow(struct tree_spot *spot, const struct node *node, const struct step *step)
{
    if (step->rank > 0)
        spot->lower = node->keys[order_slot(step->order, step->rank - 1)];
    if (step->rank < order_count(step->order))
        spot->upper = node->keys[order_slot(step->order, step->rank)];
}

/* Go from the root to the first leaf, or the last, and stand before or after all of its entries. */
static void spot_at_edge(const struct tree *tree, struct tree_spot *spot, const struct node *node, unsigned height,
                         bool last)
{
    for (; height > 0; height--) {
        struct step step;
        step_down_edge(tree, &step, node, last);
        spot_narrow(spot, node, &step);
        node = step.child;
    }
    spot->leaf = node;
    spot->order = node_order(node);
    spot->position = last ? order_count(spot->order) : 0;
}

/* Go to the leaf where key belongs: at or above its lower fence, or with before strictly above it. */
static void seek(const struct tree *tree, struct tree_spot *spot, struct key key, bool before)
{
    unsigned height;
    bool equal;
    const struct node *node = root_of(tree, &height);
    spot->lower = spot->upper = PLACE_NONE;
    int sign = height > 0 ? root_compare_prefix(tree, node, key.user) : 0;
    if (sign != 0) {
        spot_at_edge(tree, spot, node, height, sign > 0);
        return;
    }
    for (; height > 0; height--) {
        struct step step;
        step_down(tree, &step, node, key, before);
        spot_narrow(spot, node, &step);
        node = step.child;
    }
    spot->leaf = node;
    spot->order = node_order(node);
    spot->position = rank_of(tree, node, spot->order, &equal, key);
}

void tree_seek(const struct tree *tree, struct tree_spot *spot, struct key key)
{
    seek(tree, spot, key, false);
}

void tree_seek_before(const struct tree *tree, struct tree_spot *spot, struct key key)
{
    seek(tree, spot, key, true);
}

void tree_seek_end(const struct tree *tree, struct tree_spot *spot)
{
    unsigned height;
    const struct node *root = root_of(tree, &height);
    spot->lower = spot->upper = PLACE_NONE;
    spot_at_edge(tree, spot, root, height, true);
}
