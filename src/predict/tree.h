/* Trees in full, as lists of leaves: written leaf by leaf, searched. Private to src/predict. */
#ifndef MN_TREE_H
#define MN_TREE_H

#include "predict/bct.h"

/* Leaves and the symbols of their contexts that the trees of one call may have together: beyond it a tree is of no use to
 * anyone. */
enum { MN_TREE_MOST = 1 << 26 };

typedef struct mn_tree_writer {
    mn_tree *tree;
    int32_t *path;  /* [D], the caller's: the context of the leaf that is put next, most recent symbol first */
    size_t symbols; /* in tree->contexts */
    size_t room_leaves, room_symbols;
    size_t *left; /* of MN_TREE_MOST, for all the trees of the call */
} mn_tree_writer;

/* Adds the leaf path[0..depth). MN_ERR_LIMIT where nothing is left, MN_ERR_MEMORY; the tree can be freed. Amortised
 * O(depth). */
MN_CHECKED mn_status mn_tree_put(mn_tree_writer *writer, size_t depth, mn_err *err);

/* Copies of a node's entries that have children, by symbol: *out, released by free. Node 0 is the root at depth 0, else no
 * node at all. */
MN_CHECKED mn_status mn_bct_children(mn_bct_entry **out, size_t *n, const mn_bct *bct, uint32_t node, size_t depth,
                                     mn_err *err);

/* Where each leaf's context begins, [leaves]; released by free. MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_tree_offsets(size_t **out, const mn_tree *tree, mn_err *err);

/* A way down a tree: the leaves [first, end) whose contexts begin with the `depth` symbols taken so far. Starts from {0,
 * leaves, 0}. */
typedef struct mn_tree_way {
    size_t first, end, depth;
} mn_tree_way;

static inline bool mn_tree_ended(const mn_tree *tree, mn_tree_way way)
{
    return tree->lengths[way.first] == way.depth;
}
/* One symbol further, where it has not ended. O(log leaves). */
mn_tree_way mn_tree_step(const mn_tree *tree, const size_t *offsets, mn_tree_way way, int32_t symbol);

#endif
