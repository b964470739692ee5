#include "report/tree_rows.h"

#include "predict/bct_file.h"
#include "predict/tree.h"

typedef struct maker {
    mn_tree_rows *out;
    size_t most;
    const mn_tree *tree;
    const size_t *offsets; /* [leaves] */
    const mn_bct *bct;
    uint32_t *nodes; /* [D+1] */
} maker;

static uint64_t followed(const maker *m, size_t leaf, size_t depth)
{
    const mn_bct_store *store = &m->bct->store;
    bool seen = mn_bct_walk(store, m->nodes, m->tree->contexts + m->offsets[leaf], depth) > depth;
    return seen ? store->nodes[m->nodes[depth]].total : 0;
}

/* Leaves [leaf, end) share their first `depth` symbols: where those end that also share the next with the first. */
static size_t group_end(const maker *m, size_t leaf, size_t end, size_t depth)
{
    int32_t symbol = m->tree->contexts[m->offsets[leaf] + depth];
    while (leaf < end && m->tree->contexts[m->offsets[leaf] + depth] == symbol) leaf++;
    return leaf;
}

static bool never_seen(const maker *m, size_t leaf, size_t end, size_t depth)
{
    return end - leaf == 1 && !followed(m, leaf, depth);
}

static void add_row(maker *m, size_t parent, size_t leaf, size_t depth, size_t leaves, bool last)
{
    if (m->out->n == m->most) return;
    m->out->rows[m->out->n++] = (mn_tree_row){.parent = parent,
                                              .depth = depth,
                                              .context = m->tree->contexts + m->offsets[leaf],
                                              .leaves = leaves,
                                              .n = followed(m, leaf, depth),
                                              .last = last};
    m->out->leaves += leaves;
}

static void add_subtree(maker *m, size_t parent, size_t leaf, size_t end, size_t depth, bool last);

static void add_children(maker *m, size_t parent, size_t first, size_t end, size_t depth)
{
    size_t groups = 0, unseen = 0, one_unseen = end;
    for (size_t leaf = first, next; leaf < end; leaf = next, groups++) {
        next = group_end(m, leaf, end, depth);
        if (!never_seen(m, leaf, next, depth + 1)) continue;
        if (!unseen++) one_unseen = leaf;
    }
    bool merge = unseen > 1;
    size_t rows = merge ? groups - unseen : groups;
    for (size_t leaf = first, next; leaf < end && m->out->n < m->most; leaf = next) {
        next = group_end(m, leaf, end, depth);
        if (!merge || !never_seen(m, leaf, next, depth + 1)) add_subtree(m, parent, leaf, next, depth + 1, !--rows && !merge);
    }
    if (merge) add_row(m, parent, one_unseen, depth + 1, unseen, true);
}

static void add_subtree(maker *m, size_t parent, size_t leaf, size_t end, size_t depth, bool last)
{
    bool is_leaf = end - leaf == 1 && m->tree->lengths[leaf] == depth;
    size_t row = m->out->n;
    add_row(m, parent, leaf, depth, is_leaf, last);
    if (!is_leaf) add_children(m, row, leaf, end, depth);
}

mn_status mn_tree_rows_of(mn_tree_rows *out, const mn_tree *tree, const mn_model *bct, size_t most, mn_err *err)
{
    size_t *offsets, D = mn_bct_depth(bct);
    MN_TRY(mn_bct_check_all((const mn_bct *)bct, err));
    if (most > tree->leaves * 2) most = tree->leaves * 2; /* every branching has two children or more */
    MN_TRY(mn_tree_offsets(&offsets, tree, err));
    *out = (mn_tree_rows){.rows = mn_alloc(most, sizeof *out->rows)};
    maker m = {out, most, tree, offsets, (const mn_bct *)bct, mn_alloc(D + 1, sizeof *m.nodes)};
    mn_status status = out->rows && m.nodes ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) add_subtree(&m, 0, 0, tree->leaves, 0, true);
    if (status != MN_OK) free(out->rows);
    free(m.nodes);
    free(offsets);
    return status;
}

mn_status mn_tree_predictions(double *p, const mn_model *bct, const int32_t *context, size_t length, mn_err *err)
{
    size_t A = mn_model_alphabet(bct);
    double total = .5 * (double)A;
    uint64_t *counts;
    MN_ALLOC_OR_FAIL(counts, A, err);
    mn_status status = mn_bct_counts(bct, counts, context, length, err);
    for (size_t a = 0; a < A; a++) total += (double)counts[a];
    for (size_t a = 0; a < A; a++) p[a] = ((double)counts[a] + .5) / total;
    free(counts);
    return status;
}

void mn_tree_likeliest(int32_t *ids, size_t k, const double *p, size_t A)
{
    size_t n = 0;
    for (size_t a = 0; a < A; a++) {
        size_t at = n < k ? n++ : k;
        for (; at && p[ids[at - 1]] < p[a]; at--)
            if (at < k) ids[at] = ids[at - 1];
        if (at < k) ids[at] = (int32_t)a;
    }
}
