#include "predict/tree.h"

#include <math.h>
#include <string.h>

#include "predict/bct_file.h"

void mn_tree_free(mn_tree *tree)
{
    if (!tree) return;
    free(tree->lengths);
    free(tree->contexts);
    free(tree->parameters);
    *tree = (mn_tree){0};
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static mn_status grow(void **array, size_t *room, size_t need, size_t size, mn_err *err)
{
    if (need <= *room) return MN_OK;
    size_t more = *room * 2 > need ? *room * 2 : need < 64 ? 64 : need; /* MN_TREE_MOST keeps the product small */
    void *moved = realloc(*array, more * size);
    if (!moved) return mn_fail(err, MN_ERR_MEMORY, "out of memory (%zu x %zu bytes)", more, size);
    *array = moved;
    *room = more;
    return MN_OK;
}

mn_status mn_tree_put(mn_tree_writer *w, size_t depth, mn_err *err)
{
    mn_tree *tree = w->tree;
    void *lengths = tree->lengths, *contexts = tree->contexts;
    if (depth + 1 > *w->left)
        return mn_fail(err, MN_ERR_LIMIT, "trees too large to be written out: over %d leaves and symbols in them",
                       MN_TREE_MOST);
    *w->left -= depth + 1;
    mn_status status = grow(&lengths, &w->room_leaves, tree->leaves + 1, sizeof *tree->lengths, err);
    tree->lengths = lengths;
    if (status == MN_OK) status = grow(&contexts, &w->room_symbols, w->symbols + depth + 1, sizeof *tree->contexts, err);
    tree->contexts = contexts;
    if (status != MN_OK) return status;
    if (depth) memcpy(tree->contexts + w->symbols, w->path, depth * sizeof *w->path);
    tree->lengths[tree->leaves++] = depth;
    w->symbols += depth;
    return MN_OK;
}

static int by_key(const void *x, const void *y)
{
    uint32_t a = ((const mn_bct_entry *)x)->key, b = ((const mn_bct_entry *)y)->key;
    return (a > b) - (a < b);
}

mn_status mn_bct_children(mn_bct_entry **out, size_t *n, const mn_bct *bct, uint32_t node, size_t depth, mn_err *err)
{
    size_t size = 0;
    const mn_bct_entry *entries = node || !depth ? mn_bct_entries(&bct->store, node, &size) : NULL;
    *n = 0;
    MN_ALLOC_OR_FAIL(*out, size, err);
    for (size_t i = 0; i < size; i++)
        if (entries[i].child) (*out)[(*n)++] = entries[i];
    if (!bct->store.dense && *n) qsort(*out, *n, sizeof **out, by_key);
    return MN_OK;
}

/* ---- figures ------------------------------------------------------------------------------------------------------- */

static mn_status not_a_tree(mn_err *err, size_t leaf, const char *what)
{
    return mn_fail(err, MN_ERR_INPUT, "leaf %zu: %s", leaf, what);
}

/* In a proper and complete tree whose leaves stand in symbol order, a leaf goes on from where the one before it ended, with
 * first symbols all the way down; the last one ends where nothing is left. path: [D]. */
static mn_status check_leaves(const mn_tree *tree, size_t A, size_t D, int32_t *path, mn_err *err)
{
    const int32_t *context = tree->contexts;
    size_t at = 0; /* symbols of path that the next leaf begins with */
    for (size_t i = 0; i < tree->leaves; context += tree->lengths[i++]) {
        size_t length = tree->lengths[i];
        if (i && !at) return not_a_tree(err, i, "the tree is complete without it");
        if (length > D || length < at) return not_a_tree(err, i, "too deep, or not as deep as it has to be here");
        for (size_t d = 0; d < length; d++) {
            if (context[d] != (d < at ? path[d] : 0)) return not_a_tree(err, i, "not the next one in symbol order");
            path[d] = context[d];
        }
        for (at = length; at && (size_t)path[at - 1] + 1 == A;) at--;
        if (at) path[at - 1]++;
    }
    return at || !tree->leaves ? mn_fail(err, MN_ERR_INPUT, "a tree with leaves missing at its end") : MN_OK;
}

/* sum c ln(c/n) of a node. */
static double log_likelihood(const mn_bct *bct, uint32_t node)
{
    size_t size;
    const mn_bct_entry *entries = mn_bct_entries(&bct->store, node, &size);
    double sum = 0, total = bct->store.nodes[node].total;
    for (size_t i = 0; i < size; i++)
        if (entries[i].count) sum += entries[i].count * log(entries[i].count / total);
    return sum;
}

static mn_status add_up(mn_tree *tree, const mn_bct *bct, uint32_t *nodes, mn_err *err)
{
    double log_alpha = bct->log_rest / (double)(bct->model.A - 1), log_e = 0, above = 0;
    const int32_t *context = tree->contexts;
    tree->log_likelihood_nats = 0;
    for (size_t i = 0; i < tree->leaves; context += tree->lengths[i++]) {
        size_t length = tree->lengths[i];
        above += length < bct->D;
        MN_TRY(mn_bct_check(bct, context, length, err));
        if (mn_bct_walk(&bct->store, nodes, context, length) <= length) continue; /* never seen */
        log_e += mn_bct_log_estimate(bct, nodes[length]);
        tree->log_likelihood_nats += log_likelihood(bct, nodes[length]);
    }
    double free_parameters = (double)tree->leaves * (double)(bct->model.A - 1);
    tree->log_prior = (double)(tree->leaves - 1) * log_alpha + above * bct->log_beta;
    tree->log_posterior = tree->log_prior + log_e - mn_bct_log_weighted(bct, 0, 0);
    tree->bic = -2 * tree->log_likelihood_nats + (bct->predicted ? free_parameters * log((double)bct->predicted) : 0);
    tree->aic = -2 * tree->log_likelihood_nats + 2 * free_parameters;
    return MN_OK;
}

mn_status mn_bct_judge(mn_tree *tree, const mn_model *model, mn_err *err)
{
    const mn_bct *bct = (const mn_bct *)model;
    int32_t *path;
    uint32_t *nodes;
    MN_ALLOC_OR_FAIL(path, bct->D, err);
    mn_status status = check_leaves(tree, model->A, bct->D, path, err);
    free(path);
    if (status != MN_OK) return status;
    MN_ALLOC_OR_FAIL(nodes, bct->D + 1, err);
    status = add_up(tree, bct, nodes, err);
    free(nodes);
    return status;
}

/* ---- searching ----------------------------------------------------------------------------------------------------- */

mn_status mn_tree_offsets(size_t **out, const mn_tree *tree, mn_err *err)
{
    size_t at = 0;
    MN_ALLOC_OR_FAIL(*out, tree->leaves, err);
    for (size_t i = 0; i < tree->leaves; at += tree->lengths[i++]) (*out)[i] = at;
    return MN_OK;
}

/* The first leaf of the way whose next symbol is not below `symbol`: leaves are in symbol order. */
static size_t lower_bound(const mn_tree *tree, const size_t *offsets, mn_tree_way way, int64_t symbol)
{
    while (way.first < way.end) {
        size_t middle = way.first + (way.end - way.first) / 2;
        if (tree->contexts[offsets[middle] + way.depth] < symbol)
            way.first = middle + 1;
        else
            way.end = middle;
    }
    return way.first;
}

mn_tree_way mn_tree_step(const mn_tree *tree, const size_t *offsets, mn_tree_way way, int32_t symbol)
{
    size_t first = lower_bound(tree, offsets, way, symbol), end = lower_bound(tree, offsets, way, (int64_t)symbol + 1);
    return (mn_tree_way){first, end, way.depth + 1};
}

/* ---- generation ---------------------------------------------------------------------------------------------------- */

/* The leaf that the past ids[0..n) is in; tree->leaves where it is too short to tell. */
static size_t leaf_of(const mn_tree *tree, const size_t *offsets, const int32_t *ids, size_t n)
{
    mn_tree_way way = {0, tree->leaves, 0};
    while (!mn_tree_ended(tree, way)) {
        if (way.depth == n) return tree->leaves;
        way = mn_tree_step(tree, offsets, way, ids[n - 1 - way.depth]);
    }
    return way.first;
}

mn_status mn_tree_generate(int32_t *ids, size_t n, size_t given, const mn_tree *tree, size_t A, mn_rng *rng, mn_err *err)
{
    size_t *offsets;
    if (!tree->parameters) return mn_fail(err, MN_ERR_INPUT, "a tree without parameters generates nothing");
    for (size_t t = 0; t < given; t++)
        if (ids[t] < 0 || (size_t)ids[t] >= A) return mn_fail(err, MN_ERR_INPUT, "symbol %d: the alphabet has %zu", ids[t], A);
    MN_TRY(mn_tree_offsets(&offsets, tree, err));
    for (size_t t = given; t < n; t++) {
        size_t leaf = leaf_of(tree, offsets, ids, t);
        if (leaf == tree->leaves)
            ids[t] = (int32_t)mn_rng_below(rng, A);
        else
            ids[t] = (int32_t)mn_draw(tree->parameters + leaf * A, A, mn_rng_uniform(rng));
    }
    free(offsets);
    return MN_OK;
}
