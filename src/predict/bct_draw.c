/* Exact draws from the posterior: of trees, from the root down (Papageorgiou and Kontoyiannis 2022), and of parameters at
 * their leaves. */
#include <math.h>

#include "predict/bct_file.h"
#include "predict/tree.h"

/* A node of depth < D branches with probability (1-beta) prod P_w,child / P_w; one never seen with 1-beta. */
static bool branches(const mn_bct *bct, uint32_t node, size_t depth, mn_rng *rng)
{
    double log_leaf_odds = node || !depth ? mn_bct_log_odds(&bct->store.nodes[node]) : bct->log_beta - bct->log_rest;
    return mn_rng_uniform(rng) < 1 / (1 + exp(log_leaf_odds));
}

static mn_status draw_tree(mn_tree_writer *w, const mn_bct *bct, uint32_t node, size_t depth, mn_rng *rng, mn_err *err)
{
    mn_bct_entry *seen;
    size_t n, i = 0;
    MN_TRY(mn_bct_check(bct, w->path, depth, err));
    if (depth == bct->D || !branches(bct, node, depth, rng)) return mn_tree_put(w, depth, err);
    MN_TRY(mn_bct_children(&seen, &n, bct, node, depth, err));
    mn_status status = MN_OK;
    for (uint32_t a = 0; status == MN_OK && a < bct->model.A; a++) {
        bool is_seen = i < n && seen[i].key == a + 1;
        w->path[depth] = (int32_t)a;
        status = draw_tree(w, bct, is_seen ? seen[i++].child : 0, depth + 1, rng, err);
    }
    free(seen);
    return status;
}

/* Gamma(c + 1/2): half a squared normal, else by Marsaglia and Tsang (2000). */
static double gamma_half(uint64_t c, mn_rng *rng)
{
    if (!c) {
        double z = mn_rng_normal(rng);
        return z * z / 2;
    }
    double d = (double)c + .5 - 1. / 3, x, v;
    do {
        x = mn_rng_normal(rng);
        v = 1 + x / sqrt(9 * d);
        v = v * v * v;
    } while (v <= 0 || log1p(-mn_rng_uniform(rng)) >= x * x / 2 + d * (1 - v + log(v)));
    return d * v;
}

/* Dirichlet(counts + 1/2). */
static void draw_parameters(double *p, const uint64_t *counts, size_t A, mn_rng *rng)
{
    double sum;
    do {
        sum = 0;
        for (size_t a = 0; a < A; a++) sum += p[a] = gamma_half(counts[a], rng);
    } while (!(sum > 0));
    for (size_t a = 0; a < A; a++) p[a] /= sum;
}

static mn_status draw_leaves(mn_tree *tree, const mn_model *bct, uint64_t *counts, mn_rng *rng, mn_err *err)
{
    size_t A = bct->A, n;
    const int32_t *context = tree->contexts;
    if (!mn_mul_size(&n, tree->leaves, A) || n > MN_TREE_MOST)
        return mn_fail(err, MN_ERR_LIMIT, "a tree of %zu leaves with %zu parameters each is too large", tree->leaves, A);
    MN_ALLOC_OR_FAIL(tree->parameters, n, err);
    for (size_t i = 0; i < tree->leaves; context += tree->lengths[i++]) {
        MN_TRY(mn_bct_counts(bct, counts, context, tree->lengths[i], err));
        draw_parameters(tree->parameters + i * A, counts, A, rng);
    }
    return MN_OK;
}

static mn_status draw(mn_tree *tree, const mn_model *model, int32_t *path, uint64_t *counts, mn_rng *rng, mn_err *err)
{
    size_t left = MN_TREE_MOST;
    mn_tree_writer w = {.tree = tree, .path = path, .left = &left};
    MN_TRY(draw_tree(&w, (const mn_bct *)model, 0, 0, rng, err));
    MN_TRY(draw_leaves(tree, model, counts, rng, err));
    return mn_bct_judge(tree, model, err);
}

mn_status mn_bct_draw(mn_tree *tree, const mn_model *bct, mn_rng *rng, mn_err *err)
{
    int32_t *path = mn_alloc(mn_bct_depth(bct), sizeof *path);
    uint64_t *counts = mn_alloc(bct->A, sizeof *counts);
    *tree = (mn_tree){0};
    mn_status status = path && counts ? draw(tree, bct, path, counts, rng, err) : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status != MN_OK) mn_tree_free(tree);
    free(path);
    free(counts);
    return status;
}
