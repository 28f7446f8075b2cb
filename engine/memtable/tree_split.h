/* tree_split.h -- what the writer does to a tree's nodes: making, filling, splitting and copying them.
 *
 * Role      Private to the room; between tree_insert.c, which finds where an entry belongs, and the layout in tree.h.
 * Threads   The writer only; the stores by which readers see a change are described in tree.h.
 */
#ifndef KVS_MEMTABLE_TREE_SPLIT_H
#define KVS_MEMTABLE_TREE_SPLIT_H

#include "memtable/tree.h"

/* The way of the writer from the root to a leaf.
 *
 * inner, ranks  the inner nodes, root first, and which child of each the way takes
 * lower, upper  the fences of each, and at index height those of the leaf */
struct path {
    unsigned height;
    struct node *leaf;
    struct inner_node *inner[TREE_MAX_HEIGHT];
    unsigned ranks[TREE_MAX_HEIGHT];
    uint32_t lower[TREE_MAX_HEIGHT + 1];
    uint32_t upper[TREE_MAX_HEIGHT + 1];
};

/* A leaf without entries. */
struct node *leaf_new_empty(struct tree *tree);

/* Add a key to a node with a free slot, and publish it. */
void node_add(const struct tree *tree, struct node *node, unsigned position, uint32_t key);

/* Split the full leaf at the end of path and the full nodes above it, with an entry added at position. */
void leaf_split(struct tree *tree, const struct path *path, unsigned position, uint32_t entry);

/* Give the nodes at the edges of the tree a prefix that user has too: it is about to be inserted and does not begin
 * with the tree's. After EDGE_COPIES_MAX times the prefix is given up, lest every insertion copies the edges. */
void edges_shorten_prefix(struct tree *tree, struct kvs_slice user);

#endif
