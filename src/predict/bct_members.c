#include "predict/bct_members.h"

#include <math.h>
#include <string.h>

#include "predict/credible.h"
#include "predict/tree.h"

/* ---- making and freeing -------------------------------------------------------------------------------------------- */

mn_status mn_bct_members_open(mn_bct_members *out, const mn_bct *bct, mn_err *err)
{
    *out = (mn_bct_members){0};
    if (!bct->members) return MN_OK;
    MN_ALLOC_OR_FAIL(out->trees, bct->members, err);
    MN_TRY(mn_bct_best(out->trees, &out->n, &bct->model, bct->members, err));
    MN_ALLOC_OR_FAIL(out->offsets, out->n, err);
    for (size_t i = 0; i < out->n; i++) MN_TRY(mn_tree_offsets(&out->offsets[i], &out->trees[i], err));
    MN_ALLOC_OR_FAIL(out->lp_weights, out->n, err);
    MN_ALLOC_OR_FAIL(out->order, out->n, err);
    MN_ALLOC_OR_FAIL(out->counts, bct->model.A, err);
    return MN_OK;
}

void mn_bct_members_free(mn_bct_members *members)
{
    for (size_t i = 0; i < members->n; i++) {
        mn_tree_free(&members->trees[i]);
        if (members->offsets) free(members->offsets[i]);
    }
    free(members->trees);
    free(members->offsets);
    free(members->lp_weights);
    free(members->order);
    free(members->counts);
    *members = (mn_bct_members){0};
}

/* ---- weights ------------------------------------------------------------------------------------------------------- */

/* What a session has learnt, node by node beside the model's. */
typedef struct lesson {
    const mn_bct *bct;
    const mn_bct_store *own;
    const mn_tree *tree;
    const size_t *offsets;
} lesson;

/* ln G(x + n) / G(x) */
static double log_rising(double x, double n)
{
    int sign;
    return lgamma_r(x + n, &sign) - lgamma_r(x, &sign);
}

/* ln P_e of the model's counts and the session's together, over that of the model's alone. node: the model's, if it is
 * known. */
static double learnt_at(const lesson *l, uint32_t own_node, uint32_t node, bool known)
{
    size_t n;
    const mn_bct_entry *e = mn_bct_entries(l->own, own_node, &n);
    double before = known ? l->bct->store.nodes[node].total : 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!e[i].count) continue;
        const mn_bct_entry *old = known ? mn_bct_find(&l->bct->store, node, e[i].key - 1) : NULL;
        sum += log_rising((old ? old->count : 0) + .5, e[i].count);
    }
    return sum - log_rising(before + .5 * (double)l->bct->model.A, l->own->nodes[own_node].total);
}

/* The sum of learnt_at over the tree's leaves. */
static double learnt_below(const lesson *l, uint32_t own_node, uint32_t node, bool known, mn_tree_way way)
{
    size_t n;
    double sum = 0;
    if (mn_tree_ended(l->tree, way)) return learnt_at(l, own_node, node, known);
    const mn_bct_entry *e = mn_bct_entries(l->own, own_node, &n);
    for (size_t i = 0; i < n; i++) {
        if (!e[i].child || !l->own->nodes[e[i].child].total) continue;
        uint32_t symbol = e[i].key - 1, child = known ? mn_bct_child(&l->bct->store, node, symbol) : 0;
        sum += learnt_below(l, e[i].child, child, child != 0, mn_tree_step(l->tree, l->offsets, way, (int32_t)symbol));
    }
    return sum;
}

/* ln P_w at the root over ln(beta P_e): 1 + 1/odds. */
static double log_all_over_leaf(const mn_bct_node *root)
{
    double odds = mn_bct_log_odds(root);
    return odds > 0 ? log1p(exp(-odds)) : log1p(exp(odds)) - odds;
}

static void weigh(mn_bct_members *m, const mn_bct *bct, const mn_bct_store *own)
{
    double evidence = 0;
    if (own) {
        evidence = learnt_at(&(lesson){.bct = bct, .own = own}, 0, 0, true);
        if (bct->D) evidence += log_all_over_leaf(&own->nodes[0]) - log_all_over_leaf(&bct->store.nodes[0]);
    }
    for (size_t i = 0; i < m->n; i++) {
        lesson l = {bct, own, &m->trees[i], m->offsets[i]};
        double learnt = own ? learnt_below(&l, 0, 0, true, (mn_tree_way){0, m->trees[i].leaves, 0}) : 0;
        m->lp_weights[i] = m->trees[i].log_posterior + learnt - evidence;
        size_t at = i;
        for (; at && m->lp_weights[m->order[at - 1]] < m->lp_weights[i]; at--) m->order[at] = m->order[at - 1];
        m->order[at] = i;
    }
}

/* ---- what they say ------------------------------------------------------------------------------------------------- */

static void add_counts(uint64_t *counts, const mn_bct_store *store, const int32_t *context, size_t depth)
{
    uint32_t node = 0;
    size_t n;
    for (size_t d = 0; d < depth; d++)
        if (!(node = mn_bct_child(store, node, (uint32_t)context[d]))) return;
    const mn_bct_entry *e = mn_bct_entries(store, node, &n);
    for (size_t i = 0; i < n; i++)
        if (e[i].key) counts[e[i].key - 1] += e[i].count;
}

static void say(double *lp, mn_bct_members *m, size_t which, const mn_bct *bct, const mn_bct_store *own, const int32_t *context,
                size_t length, double leaf_alpha)
{
    size_t A = bct->model.A;
    double total = .5 * (double)A;
    mn_tree_way way = {0, m->trees[which].leaves, 0};
    while (way.depth < length && !mn_tree_ended(&m->trees[which], way))
        way = mn_tree_step(&m->trees[which], m->offsets[which], way, context[way.depth]);
    memset(m->counts, 0, A * sizeof *m->counts);
    add_counts(m->counts, &bct->store, context, way.depth);
    if (own) add_counts(m->counts, own, context, way.depth);
    for (size_t a = 0; a < A; a++) total += (double)m->counts[a];
    for (size_t a = 0; a < A; a++) lp[a] = log(((double)m->counts[a] + .5) / total);
    if (leaf_alpha > 0) mn_credible_floor(lp, m->counts, A, leaf_alpha);
}

void mn_bct_members_say(mn_bct_members *m, const mn_bct *bct, const mn_bct_store *own, const int32_t *context, size_t length,
                        double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n)
{
    *n = m->n;
    weigh(m, bct, own);
    for (size_t i = 0; i < m->n && i < cap; i++) {
        lp_weights[i] = m->lp_weights[m->order[i]];
        say(lp + i * bct->model.A, m, m->order[i], bct, own, context, length, leaf_alpha);
    }
}
