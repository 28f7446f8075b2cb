#include "memtable/tree_split.h"

/* The bytes of an entry, up to the next place. */
static size_t entry_size(size_t key_bytes, size_t value_bytes)
{
    size_t bytes = sizeof(struct entry) + key_bytes + value_bytes;
    return (bytes + PLACE_BYTES - 1) & ~(size_t)(PLACE_BYTES - 1);
}

/* An insertion takes an entry and, where its leaf is full, at most two leaves, with the padding before the first of
 * them. A split of a leaf adds a separator to an inner node; that may split it, and so on to the root. This chain is
 * paid for as it builds up: a separator that is added to an inner node is charged INNER_CHARGE, an inner node, and one
 * charge is held in the arena for each separator that a node has of its last INNER_SLACK, three. A split leaves no node
 * with any of those. So a separator
 *   where there is room     takes nothing, and at most one charge more is held: 1 node;
 *   in a full node          takes two nodes, frees three charges and is charged in the parent: 2 - 3 + 1 = 0 nodes;
 *   in a full root          takes three nodes and frees three charges: 0 nodes;
 *   above a leaf, the root  takes one node;
 * which its own charge covers each time. So tree_room, what is neither taken nor held, shrinks by tree_cost at most.
 * Copies of the edges are held from the start, in addition to the capacity. */
size_t tree_cost(size_t key_bytes, size_t value_bytes)
{
    return entry_size(key_bytes, value_bytes) + NODE_PADDING + 2 * sizeof(struct node) + INNER_CHARGE;
}

size_t tree_room(const struct tree *tree)
{
    size_t rest = arena_rest(&tree->arena);
    size_t held = atomic_load_explicit(&tree->held, memory_order_relaxed);
    return held < rest ? rest - held : 0;
}

static void path_find(const struct tree *tree, struct path *path, struct key key)
{
    uint64_t root = atomic_load_explicit(&tree->root, memory_order_relaxed);
    uint32_t place = (uint32_t)root;
    path->height = (unsigned)(root >> 32);
    path->lower[0] = path->upper[0] = PLACE_NONE;
    for (unsigned level = 0; level < path->height; level++) {
        struct inner_node *inner = tree_at(tree, place);
        uint64_t order = node_order(&inner->node);
        bool equal;
        unsigned rank = node_rank(tree, &inner->node, order, &equal, key) + equal;
        path->inner[level] = inner;
        path->ranks[level] = rank;
        path->lower[level + 1] = rank == 0 ? path->lower[level] : inner->node.keys[order_slot(order, rank - 1)];
        path->upper[level + 1] =
            rank == order_count(order) ? path->upper[level] : inner->node.keys[order_slot(order, rank)];
        place = atomic_load_explicit(&inner->children[inner_child_index(order, rank)], memory_order_relaxed);
    }
    path->leaf = tree_at(tree, place);
}

static uint32_t entry_new(struct tree *tree, struct key key, struct kvs_slice value)
{
    KVS_ASSERT(key.user.size <= UINT32_MAX && value.size <= UINT32_MAX);
    struct entry *entry = arena_alloc(&tree->arena, entry_size(key.user.size, value.size));
    entry->trailer = key.trailer;
    entry->key_bytes = (uint32_t)key.user.size;
    entry->value_bytes = (uint32_t)value.size;
    if (key.user.size != 0)
        memcpy(entry->bytes, key.user.data, key.user.size);
    if (value.size != 0)
        memcpy(entry->bytes + key.user.size, value.data, value.size);
    return tree_place(tree, entry);
}

/* Whether key sorts after everything in the tree. */
static bool is_greatest(const struct tree *tree, struct key key)
{
    uint64_t order = node_order(tree->rightmost);
    unsigned count = order_count(order);
    if (count == 0)
        return true;
    const struct entry *last = tree_entry(tree, tree->rightmost->keys[order_slot(order, count - 1)]);
    return key_compare(entry_key(last), key) < 0;
}

static void insert_at_path(struct tree *tree, struct key key, uint32_t entry)
{
    struct path path;
    bool equal;
    path_find(tree, &path, key);
    uint64_t order = node_order(path.leaf);
    unsigned position = node_rank(tree, path.leaf, order, &equal, key);
    KVS_ASSERT(!equal);
    if (order_count(order) < NODE_WIDTH)
        node_add(tree, path.leaf, position, entry);
    else
        leaf_split(tree, &path, position, entry);
}

static const struct node *writer_root(const struct tree *tree)
{
    return tree_at(tree, (uint32_t)atomic_load_explicit(&tree->root, memory_order_relaxed));
}

void tree_insert(struct tree *tree, struct key key, struct kvs_slice value)
{
    uint32_t entry = entry_new(tree, key, value);
    if (tree->prefix != 0 && root_compare_prefix(tree, writer_root(tree), key.user) != 0)
        edges_shorten_prefix(tree, key.user);
    unsigned count = order_count(node_order(tree->rightmost));
    if (count < NODE_WIDTH && is_greatest(tree, key))
        node_add(tree, tree->rightmost, count, entry);
    else
        insert_at_path(tree, key, entry);
}

struct kvs_status tree_init(struct tree *tree, size_t capacity_bytes)
{
    size_t held_bytes = (EDGE_COPIES_MAX + 1) * (size_t)EDGES_BYTES;
    size_t arena_bytes = capacity_bytes + sizeof(struct node) + held_bytes;
    if (arena_bytes < capacity_bytes || arena_bytes > TREE_ARENA_MAX)
        return STATUS(KVS_NO_MEMORY, "a memtable of %zu bytes is more than %zu", capacity_bytes, TREE_ARENA_MAX);
    STATUS_RETURN_IF_ERROR(arena_init(&tree->arena, arena_bytes));
    tree->prefix = 0;
    tree->edge_copies_left = EDGE_COPIES_MAX;
    tree->rightmost = leaf_new_empty(tree);
    atomic_init(&tree->held, held_bytes);
    atomic_init(&tree->root, tree_place(tree, tree->rightmost));
    return status_ok();
}

void tree_fini(struct tree *tree)
{
    arena_fini(&tree->arena);
}
