#include "memtable/tree_split.h"

/* LEAF_SPLIT   entries that stay left when a leaf is split
 * INNER_SPLIT  separators that stay left when an inner node is split, or
 * INNER_PACK   where they were added in ascending order: what is left of them will not grow */
enum { LEAF_SPLIT = 7, INNER_SPLIT = 7, INNER_PACK = 11 };

/* A node that was split: what takes its place, and what goes right of that, from the separator on. */
struct split {
    uint32_t left;
    uint32_t separator;
    uint32_t right;
};

_Static_assert(NODE_WIDTH - INNER_PACK == INNER_SLACK && INNER_SPLIT <= INNER_PACK &&
                   NODE_WIDTH - INNER_SPLIT <= INNER_PACK,
               "what a split leaves has the slack that tree_cost counts on");

static void held_add(struct tree *tree, size_t bytes)
{
    atomic_store_explicit(&tree->held, atomic_load_explicit(&tree->held, memory_order_relaxed) + bytes,
                          memory_order_relaxed);
}

static void held_subtract(struct tree *tree, size_t bytes)
{
    atomic_store_explicit(&tree->held, atomic_load_explicit(&tree->held, memory_order_relaxed) - bytes,
                          memory_order_relaxed);
}

static struct kvs_slice key_at(const struct tree *tree, uint32_t place)
{
    return entry_user_key(tree_entry(tree, place));
}

/* The number of bytes with which everything between two fences begins. */
static uint32_t fences_prefix(const struct tree *tree, uint32_t lower, uint32_t upper)
{
    if (lower == PLACE_NONE || upper == PLACE_NONE)
        return tree->prefix;
    return (uint32_t)slice_shared_prefix(key_at(tree, lower), key_at(tree, upper));
}

static uint32_t hint_of(const struct tree *tree, uint32_t key, uint32_t prefix)
{
    return key_hint(key_at(tree, key), prefix);
}

static void slot_write(struct node *node, unsigned slot, uint32_t key, uint32_t hint)
{
    atomic_store_explicit(&node->hints[slot], hint, memory_order_relaxed);
    node->keys[slot] = key;
}

void node_add(const struct tree *tree, struct node *node, unsigned position, uint32_t key)
{
    uint64_t order = node_order(node);
    slot_write(node, order_count(order), key, hint_of(tree, key, node->prefix));
    atomic_store_explicit(&node->order, order_insert(order, position), memory_order_release);
}

/* Sorted keys on the way from one node to others. Their hints come along: a key lies far away in memory, and most often
 * the prefix stays the same. */
struct run {
    unsigned count;
    uint32_t prefix;
    uint32_t keys[NODE_WIDTH + 1];
    uint32_t hints[NODE_WIDTH + 1];
};

static void run_of(struct run *run, const struct node *node)
{
    uint64_t order = node_order(node);
    run->count = order_count(order);
    run->prefix = node->prefix;
    for (unsigned i = 0; i < run->count; i++) {
        run->keys[i] = node->keys[order_slot(order, i)];
        run->hints[i] = atomic_load_explicit(&node->hints[order_slot(order, i)], memory_order_relaxed);
    }
}

static void words_insert(uint32_t *words, unsigned count, unsigned position, uint32_t word)
{
    memmove(words + position + 1, words + position, (count - position) * sizeof *words);
    words[position] = word;
}

static void run_insert(const struct tree *tree, struct run *run, unsigned position, uint32_t key)
{
    words_insert(run->keys, run->count, position, key);
    words_insert(run->hints, run->count, position, hint_of(tree, key, run->prefix));
    run->count++;
}

static bool run_has_equal_hints(const struct run *run)
{
    for (unsigned i = 1; i < run->count; i++) {
        if (run->hints[i - 1] == run->hints[i])
            return true;
    }
    return false;
}

/* Fill a node that nobody sees yet with a part of a run. */
static void node_init(const struct tree *tree, struct node *node, const struct run *run, unsigned from, unsigned count,
                      uint32_t prefix)
{
    node->prefix = prefix;
    node->ended = false;
    for (unsigned i = 0; i < count; i++) {
        uint32_t key = run->keys[from + i];
        slot_write(node, i, key, prefix == run->prefix ? run->hints[from + i] : hint_of(tree, key, prefix));
    }
    for (unsigned i = count; i < NODE_WIDTH; i++)
        atomic_store_explicit(&node->hints[i], 0, memory_order_relaxed);
    atomic_store_explicit(&node->order, order_of_sorted(count), memory_order_relaxed);
}

static struct node *leaf_new(struct tree *tree, const struct run *run, unsigned from, unsigned count, uint32_t prefix)
{
    struct node *leaf = arena_alloc_aligned(&tree->arena, sizeof *leaf, CACHE_LINE_BYTES);
    node_init(tree, leaf, run, from, count, prefix);
    return leaf;
}

struct node *leaf_new_empty(struct tree *tree)
{
    return leaf_new(tree, &(struct run){0}, 0, 0, 0);
}

/* children are those of the whole run: before the first key, and after each. */
static struct inner_node *inner_new(struct tree *tree, const struct run *run, unsigned from, unsigned count,
                                    const uint32_t *children, uint32_t prefix)
{
    struct inner_node *inner = arena_alloc_aligned(&tree->arena, sizeof *inner, CACHE_LINE_BYTES);
    node_init(tree, &inner->node, run, from, count, prefix);
    atomic_store_explicit(&inner->children[NODE_WIDTH], children[from], memory_order_relaxed);
    for (unsigned i = 0; i < count; i++)
        atomic_store_explicit(&inner->children[i], children[from + i + 1], memory_order_relaxed);
    for (unsigned i = count; i < NODE_WIDTH; i++)
        atomic_store_explicit(&inner->children[i], 0, memory_order_relaxed);
    return inner;
}

static unsigned node_count(const struct node *node)
{
    return order_count(node_order(node));
}

/* The inner node's children in order, of which there is one more than keys. */
static void inner_children(const struct inner_node *inner, uint32_t *children)
{
    uint64_t order = node_order(&inner->node);
    for (unsigned i = 0; i <= order_count(order); i++)
        children[i] = atomic_load_explicit(&inner->children[inner_child_index(order, i)], memory_order_relaxed);
}

/* Whether a full node was filled in ascending order of late, and so may be again: its last slots sort last. */
static bool node_ascends(const struct node *node)
{
    unsigned shift = 4 + 4 * (NODE_WIDTH - 4);
    return node_order(node) >> shift == order_of_sorted(NODE_WIDTH) >> shift;
}

/* Leave a leaf full and begin the next with the new entry alone. Where the leaf's hints do not tell its entries apart
 * it is replaced by a copy: now that it has an upper fence, its prefix may be longer. */
static struct split leaf_split_end(struct tree *tree, const struct path *path, uint32_t entry)
{
    struct node *leaf = path->leaf;
    struct run run;
    run_of(&run, leaf);
    uint32_t prefix = fences_prefix(tree, path->lower[path->height], entry);
    if (leaf->prefix < prefix && run_has_equal_hints(&run))
        leaf = leaf_new(tree, &run, 0, NODE_WIDTH, prefix);
    leaf->ended = true;
    run_insert(tree, &run, NODE_WIDTH, entry);
    struct node *right = leaf_new(tree, &run, NODE_WIDTH, 1, fences_prefix(tree, entry, path->upper[path->height]));
    return (struct split){tree_place(tree, leaf), entry, tree_place(tree, right)};
}

static struct split leaf_split_middle(struct tree *tree, const struct path *path, unsigned position, uint32_t entry)
{
    struct run run;
    run_of(&run, path->leaf);
    run_insert(tree, &run, position, entry);
    uint32_t separator = run.keys[LEAF_SPLIT];
    uint32_t left_prefix = fences_prefix(tree, path->lower[path->height], separator);
    uint32_t right_prefix = fences_prefix(tree, separator, path->upper[path->height]);
    struct node *left = leaf_new(tree, &run, 0, LEAF_SPLIT, left_prefix);
    struct node *right = leaf_new(tree, &run, LEAF_SPLIT, run.count - LEAF_SPLIT, right_prefix);
    return (struct split){tree_place(tree, left), separator, tree_place(tree, right)};
}

/* Split a full inner node, one of whose children was split. */
static struct split inner_split(struct tree *tree, const struct path *path, unsigned level, struct split below)
{
    const struct inner_node *inner = path->inner[level];
    unsigned rank = path->ranks[level];
    struct run run;
    uint32_t children[NODE_WIDTH + 2];
    run_of(&run, &inner->node);
    run_insert(tree, &run, rank, below.separator);
    inner_children(inner, children);
    words_insert(children, NODE_WIDTH + 1, rank, below.left);
    children[rank + 1] = below.right;

    unsigned middle = rank == NODE_WIDTH && node_ascends(&inner->node) ? INNER_PACK : INNER_SPLIT;
    uint32_t separator = run.keys[middle];
    uint32_t left_prefix = fences_prefix(tree, path->lower[level], separator);
    uint32_t right_prefix = fences_prefix(tree, separator, path->upper[level]);
    struct inner_node *left = inner_new(tree, &run, 0, middle, children, left_prefix);
    struct inner_node *right = inner_new(tree, &run, middle + 1, NODE_WIDTH - middle, children, right_prefix);
    held_subtract(tree, INNER_SLACK * INNER_CHARGE);
    return (struct split){tree_place(tree, left), separator, tree_place(tree, right)};
}

/* Publish the split of a child in an inner node with a free slot. The first store makes the right node reachable, the
 * second the left; between them the old child still serves for the left. */
static void inner_publish(struct tree *tree, struct inner_node *inner, unsigned rank, struct split split)
{
    uint64_t order = node_order(&inner->node);
    unsigned count = order_count(order);
    atomic_store_explicit(&inner->children[count], split.right, memory_order_relaxed);
    node_add(tree, &inner->node, rank, split.separator);
    atomic_store_explicit(&inner->children[inner_child_index(order, rank)], split.left, memory_order_release);
    if (count >= INNER_PACK)
        held_add(tree, INNER_CHARGE);
}

static void root_publish(struct tree *tree, unsigned height, uint32_t place)
{
    KVS_ASSERT(height <= TREE_MAX_HEIGHT);
    atomic_store_explicit(&tree->root, (uint64_t)height << 32 | place, memory_order_release);
}

/* Publish the split of a leaf: in its parent, or, as long as that is full, in a split of it. */
static void split_publish(struct tree *tree, const struct path *path, struct split split)
{
    for (unsigned level = path->height; level-- > 0;) {
        if (node_count(&path->inner[level]->node) < NODE_WIDTH) {
            inner_publish(tree, path->inner[level], path->ranks[level], split);
            return;
        }
        split = inner_split(tree, path, level, split);
    }
    struct run run = {.prefix = tree->prefix};
    uint32_t children[] = {split.left, split.right};
    run_insert(tree, &run, 0, split.separator);
    struct inner_node *root = inner_new(tree, &run, 0, 1, children, tree->prefix);
    root_publish(tree, path->height + 1, tree_place(tree, root));
}

/* What all entries of a full leaf, the only one so far, and a new one begin with. */
static uint32_t first_prefix(const struct tree *tree, const struct node *leaf, unsigned position, uint32_t entry)
{
    uint64_t order = node_order(leaf);
    uint32_t least = position == 0 ? entry : leaf->keys[order_slot(order, 0)];
    uint32_t greatest = position == NODE_WIDTH ? entry : leaf->keys[order_slot(order, NODE_WIDTH - 1)];
    return (uint32_t)slice_shared_prefix(key_at(tree, least), key_at(tree, greatest));
}

/* Leave full leaves behind where entries come in ascending order, but not twice the same one: descending entries
 * between it and the next would get a leaf each. */
void leaf_split(struct tree *tree, const struct path *path, unsigned position, uint32_t entry)
{
    const struct node *leaf = path->leaf;
    bool at_end = position == NODE_WIDTH && !leaf->ended && node_ascends(leaf);
    if (path->height == 0)
        tree->prefix = first_prefix(tree, leaf, position, entry);
    struct split split = at_end ? leaf_split_end(tree, path, entry) : leaf_split_middle(tree, path, position, entry);
    split_publish(tree, path, split);
    if (path->upper[path->height] == PLACE_NONE)
        tree->rightmost = tree_at(tree, split.right);
}

/* Copy the nodes of one or both edges below a place, with the tree's prefix. */
static uint32_t edges_copy(struct tree *tree, uint32_t place, unsigned height, bool left, bool right)
{
    const struct node *node = tree_at(tree, place);
    struct run run;
    run_of(&run, node);
    if (height == 0) {
        struct node *leaf = leaf_new(tree, &run, 0, run.count, tree->prefix);
        leaf->ended = node->ended;
        tree->rightmost = right ? leaf : tree->rightmost;
        return tree_place(tree, leaf);
    }
    uint32_t children[NODE_WIDTH + 1] = {0};
    inner_children((const struct inner_node *)node, children);
    if (left)
        children[0] = edges_copy(tree, children[0], height - 1, true, false);
    if (right)
        children[run.count] = edges_copy(tree, children[run.count], height - 1, false, true);
    return tree_place(tree, inner_new(tree, &run, 0, run.count, children, tree->prefix));
}

void edges_shorten_prefix(struct tree *tree, struct kvs_slice user)
{
    uint64_t root = atomic_load_explicit(&tree->root, memory_order_relaxed);
    const struct node *node = tree_at(tree, (uint32_t)root);
    unsigned height = (unsigned)(root >> 32);
    size_t shared = slice_shared_prefix(key_at(tree, node->keys[0]), user);
    tree->prefix = tree->edge_copies_left > 0 ? (uint32_t)shared : 0;
    tree->edge_copies_left -= tree->edge_copies_left > 0;
    held_subtract(tree, EDGES_BYTES);
    root_publish(tree, height, edges_copy(tree, (uint32_t)root, height, true, true));
}
