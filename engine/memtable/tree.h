/* tree.h -- the sorted structure of a memtable: a B+tree of entries and nodes in one arena.
 *
 * Role      Private to the room. tree_search.c reads, tree_insert.c and tree_split.c write.
 * Format    Everything in the arena is named by its place, its distance from the arena's start in units of 8 bytes, so
 *           that a node of the width below fits two cache lines.
 *
 *           An entry is a trailer, two sizes, the key's bytes and the value's bytes. It is written once, before it is
 *           published.
 *
 *           A node is a set of slots, a hint and a key in each, and one order word that says how many slots are taken
 *           and how they sort. In a leaf a key is an entry. In an inner node it is a separator: the first entry of the
 *           child at its right, as of the split that made that child. Slots are taken from the first on and never given
 *           up or reused.
 *
 *           What may be routed to a node lies between its fences, the separators at either side of it on the way from
 *           the root (none on the outer edges). All of that begins with the bytes that the two fences share: the node's
 *           prefix. A hint is the 4 bytes of a key after the prefix. Unequal hints decide a comparison without a look
 *           at the entry.
 * Threads   One writer, any number of readers that never wait. Three kinds of words change after a node is published:
 *             order     release store by the writer once the slot that it adds is written; readers load it with
 *                       acquire, so all plain fields of the slots it names are seen, and are never written again;
 *             children  release store when a child has been replaced by a copy, and of the root word likewise: the copy
 *                       is complete before it is reachable, which the acquire load of the reader pairs with;
 *             hints     relaxed on both sides: a search looks at the hints of all slots at once and masks those that
 *                       the order word it has read does not name. For those it names, the order word's acquire makes
 *                       the value visible.
 *           A full leaf is not changed but replaced by two: first the parent gets the right one, by an order store,
 *           then its pointer to the old leaf is swung to the left one. Between the two stores the old leaf still serves
 *           for the left. A full inner node is replaced likewise, in its parent or as the root. A reader that comes to
 *           an old node finds there all that was inserted before it came, for nothing is removed from a node. It must
 *           not combine an order from before the first store with a pointer from after the second: so it reads the
 *           order again after the pointer, and starts over in that node if it has changed (14 times at most). No node
 *           is freed before the tree.
 */
#ifndef KVS_MEMTABLE_TREE_H
#define KVS_MEMTABLE_TREE_H

#include "base/arena.h"
#include "base/key.h"

/* NODE_WIDTH       slots of a node; 4 bits each and 4 for their number make the order word
 * TREE_MAX_HEIGHT  levels of inner nodes; each of them but the root has four children or more, and an arena has room
 *                  for fewer than 4 to the 15th leaves */
enum { NODE_WIDTH = 14, TREE_MAX_HEIGHT = 16, PLACE_BYTES = 8, CACHE_LINE_BYTES = 64 };

/* No entry is there: the arena begins with a leaf. */
enum { PLACE_NONE = 0 };

struct entry {
    uint64_t trailer;
    uint32_t key_bytes;
    uint32_t value_bytes;
    uint8_t bytes[];
};

/* order   bits 0-3: slots taken; then 4 bits for each, the slots in ascending order of their keys
 * prefix  bytes that all keys routed here share; fixed
 * ended   a leaf that was split at its end and is full for good; of concern to the writer only */
struct node {
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t order;
    uint32_t prefix;
    bool ended;
    _Atomic uint32_t hints[NODE_WIDTH];
    uint32_t keys[NODE_WIDTH];
};

/* children  of each slot, the child with the keys at or above its separator; in the last, the child below all
 *           separators */
struct inner_node {
    struct node node;
    _Atomic uint32_t children[NODE_WIDTH + 1];
};

_Static_assert(sizeof(struct node) == 2 * CACHE_LINE_BYTES, "a search touches two lines a node");
_Static_assert(sizeof(struct inner_node) == 3 * CACHE_LINE_BYTES, "and its child pointers are in a third");
_Static_assert(4 + 4 * NODE_WIDTH <= 64, "the order of a node is one word");

/* root               place of the root in the low half, levels of inner nodes above the leaves in the high half
 * held               bytes of the arena that are kept for splits of inner nodes and copies of the edges, see
 *                    tree_insert.c; relaxed
 * prefix             bytes that all entries share, as known at the edges; the writer's
 * edge_copies_left   how often the prefix may still be shortened; the writer's
 * rightmost          the leaf of the greatest keys; the writer's */
struct tree {
    struct arena arena;
    _Atomic uint64_t root;
    _Atomic size_t held;
    uint32_t prefix;
    unsigned edge_copies_left;
    struct node *rightmost;
};

/* INNER_SLACK      separators for which a split leaves room in both halves at least
 * INNER_CHARGE     bytes that are charged for a separator
 * NODE_PADDING     bytes that the alignment of a node may waste
 * EDGE_COPIES_MAX  how often the edges are copied with a shorter prefix, before the last copy without one
 * EDGES_BYTES      bytes that such a copy takes at most */
enum {
    INNER_SLACK = 3,
    INNER_CHARGE = sizeof(struct inner_node),
    NODE_PADDING = CACHE_LINE_BYTES - PLACE_BYTES,
    EDGE_COPIES_MAX = 8,
    EDGES_BYTES = 2 * (TREE_MAX_HEIGHT * sizeof(struct inner_node) + sizeof(struct node)) + NODE_PADDING,
};

#define TREE_ARENA_MAX ((size_t)PLACE_BYTES << 32)

struct memtable;

/* The tree of a memtable, for its iterators. */
const struct tree *memtable_tree(const struct memtable *memtable);

/* A position between two entries of a leaf, as a search left it: it keeps the order that it read, so that entries which
 * are inserted later do not move it.
 *
 * position      entries of the leaf that sort before what was searched
 * lower, upper  the leaf's fences, PLACE_NONE at the edges of the tree */
struct tree_spot {
    const struct node *leaf;
    uint64_t order;
    unsigned position;
    uint32_t lower;
    uint32_t upper;
};

static inline void *tree_at(const struct tree *tree, uint32_t place)
{
    return tree->arena.memory + (size_t)place * PLACE_BYTES;
}

static inline uint32_t tree_place(const struct tree *tree, const void *at)
{
    return (uint32_t)((size_t)((const uint8_t *)at - tree->arena.memory) / PLACE_BYTES);
}

static inline const struct entry *tree_entry(const struct tree *tree, uint32_t place)
{
    return tree_at(tree, place);
}

static inline struct kvs_slice entry_user_key(const struct entry *entry)
{
    return slice_of(entry->bytes, entry->key_bytes);
}

static inline struct key entry_key(const struct entry *entry)
{
    return key_of(entry_user_key(entry), entry->trailer);
}

static inline struct kvs_slice entry_value(const struct entry *entry)
{
    return slice_of(entry->bytes + entry->key_bytes, entry->value_bytes);
}

static inline unsigned order_count(uint64_t order)
{
    return (unsigned)order & 15;
}

/* The slot whose key is at position. */
static inline unsigned order_slot(uint64_t order, unsigned position)
{
    return (unsigned)(order >> (4 + 4 * position)) & 15;
}

/* The order with the next free slot put in at position. */
static inline uint64_t order_insert(uint64_t order, unsigned position)
{
    unsigned shift = 4 + 4 * position;
    uint64_t before = (UINT64_C(1) << shift) - 1;
    uint64_t slot = order_count(order);
    return ((order & before) | slot << shift | (order & ~before) << 4) + 1;
}

/* The order of count slots that sort as they lie. */
static inline uint64_t order_of_sorted(unsigned count)
{
    uint64_t identity = UINT64_C(0xFEDCBA9876543210);
    return (identity & ((UINT64_C(1) << (4 * count)) - 1)) << 4 | count;
}

static inline uint64_t node_order(const struct node *node)
{
    return atomic_load_explicit(&node->order, memory_order_acquire);
}

/* Four bytes of the user key after prefix as a big-endian number, zeros where it ends: if a sorts before b, the hint of
 * a is at most that of b. */
static inline uint32_t key_hint(struct kvs_slice user, size_t prefix)
{
    uint32_t raw = 0;
    const uint8_t *bytes = user.data;
    if (__builtin_expect(prefix + sizeof raw <= user.size, 1)) {
        memcpy(&raw, bytes + prefix, sizeof raw);
        return __builtin_bswap32(raw);
    }
    for (size_t i = prefix; i < prefix + sizeof raw; i++)
        raw = raw << 8 | (i < user.size ? bytes[i] : 0);
    return raw;
}

/* The child of an inner node at a rank of 0 to count: the number of its separators at or below what is searched. */
static inline unsigned inner_child_index(uint64_t order, unsigned rank)
{
    uint64_t children = (order & ~UINT64_C(15)) | NODE_WIDTH;
    return (unsigned)(children >> (4 * rank)) & 15;
}

/* Whether a user key sorts before (negative) or after (positive) all that begins with the prefix of a root above
 * leaves, or begins with it (0). */
static inline int root_compare_prefix(const struct tree *tree, const struct node *root, struct kvs_slice user)
{
    size_t shorter = user.size < root->prefix ? user.size : root->prefix;
    int sign = shorter == 0 ? 0 : memcmp(user.data, tree_entry(tree, root->keys[0])->bytes, shorter);
    return sign != 0 ? sign : -(user.size < root->prefix);
}

/* The number of the node's keys, as far as order names them, that sort before key; equal says whether the next one is
 * key itself. */
unsigned node_rank(const struct tree *tree, const struct node *node, uint64_t order, bool *equal, struct key key);

/* Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status tree_init(struct tree *tree, size_t capacity_bytes);

void tree_fini(struct tree *tree);

/* Bytes of the arena that an insertion takes at most, and bytes that are left for such costs. */
size_t tree_cost(size_t key_bytes, size_t value_bytes);
size_t tree_room(const struct tree *tree);

/* Insert an entry that is not there yet; the caller has compared tree_room with tree_cost. The writer only. */
void tree_insert(struct tree *tree, struct key key, struct kvs_slice value);

/* Begin to bring the leaves where count keys belong, and the nodes above them, into the cache, all ways at once: a miss on one does not wait for that on
 * another. For insertions that follow; at most TREE_PREFETCH_MAX keys. The writer only. */
enum { TREE_PREFETCH_MAX = 16 };
void tree_prefetch(const struct tree *tree, const struct kvs_slice *keys, size_t count);

/* The first entry at or after key that has the same user key, or NULL. */
const struct entry *tree_find(const struct tree *tree, struct key key);

/* The spot before the first entry at or after key: in the leaf where key belongs, so it may be at the leaf's end with
 * the entry being the upper fence. */
void tree_seek(const struct tree *tree, struct tree_spot *spot, struct key key);

/* The spot after the last entry before key, in the leaf that has it; at position 0 only where there is none. */
void tree_seek_before(const struct tree *tree, struct tree_spot *spot, struct key key);

/* The spot after the last entry. */
void tree_seek_end(const struct tree *tree, struct tree_spot *spot);

#endif
