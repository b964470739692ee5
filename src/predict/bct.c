/* Bayesian context trees: a model, how it learns, what it says. */
#include "predict/bct.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

#define LN2 0.69314718055994530942

/* ---- figures of a node ---- */

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

double mn_bct_log_estimate(const mn_bct *bct, uint32_t node)
{
    size_t n;
    const mn_bct_entry *e = mn_bct_entries(&bct->store, node, &n);
    double half = .5 * (double)bct->model.A, none = log_gamma(.5), sum = 0;
    for (size_t i = 0; i < n; i++)
        if (e[i].count) sum += log_gamma(e[i].count + .5) - none;
    return sum - (log_gamma(bct->store.nodes[node].total + half) - log_gamma(half));
}

double mn_bct_log_odds(const mn_bct_node *node)
{
    return log(node->odds) + 512 * LN2 * node->scale;
}

double mn_bct_log_weighted(const mn_bct *bct, uint32_t node, size_t depth)
{
    double estimate = mn_bct_log_estimate(bct, node);
    if (depth == bct->D) return estimate;
    double odds = mn_bct_log_odds(&bct->store.nodes[node]);
    return bct->log_beta + estimate + (odds > 0 ? log1p(exp(-odds)) : log1p(exp(odds)) - odds);
}

/* ---- making one ---- */

void mn_bct_free(mn_model *model)
{
    mn_bct *b = (mn_bct *)model;
    mn_bct_store_free(&b->store);
    if (b->mapping) munmap(b->mapping, b->mapping_size);
    free(b->names);
    free(b->name_at);
    free(b->recent);
    free(b->path);
    free(b->next);
    free(b->model.weights);
    free(b);
}

static mn_status set_names(mn_bct *b, const char *const *names, mn_err *err)
{
    size_t bytes = 0, at = 0;
    MN_ALLOC_OR_FAIL(b->name_at, b->model.A, err);
    for (size_t a = 0; a < b->model.A; a++) bytes += names ? strlen(names[a]) + 1 : 6;
    MN_ALLOC_OR_FAIL(b->names, bytes, err);
    for (size_t a = 0; a < b->model.A; a++) {
        b->name_at[a] = at;
        if (names)
            at += strlen(strcpy(b->names + at, names[a])) + 1;
        else
            at += (size_t)snprintf(b->names + at, 6, "%zu", a) + 1;
    }
    return MN_OK;
}

/* beta, and the odds of a node that has seen nothing: beta/(1-beta). */
static void set_prior(mn_bct *b, double beta)
{
    b->log_rest = beta > 0 ? log1p(-beta) : -((double)b->model.A - 1) * LN2;
    b->beta = beta > 0 ? beta : -expm1(b->log_rest);
    b->log_beta = beta > 0 ? log(beta) : log1p(-exp(b->log_rest));
    double odds = b->log_beta - b->log_rest, scale = rint(odds / (512 * LN2));
    b->fresh = (mn_bct_node){.odds = exp(odds - scale * (512 * LN2)), .scale = (int32_t)scale};
}

static mn_status fill(mn_bct *b, const mn_bct_opts *opts, mn_err *err)
{
    MN_TRY(set_names(b, opts->names, err));
    MN_ALLOC_OR_FAIL(b->recent, b->D, err);
    MN_ALLOC_OR_FAIL(b->path, b->D + 1, err);
    MN_ALLOC_OR_FAIL(b->next, b->D + 1, err);
    return mn_bct_store_init(&b->store, b->model.A, b->model.A <= 8, b->fresh, err);
}

mn_status mn_bct_new(mn_model **out, const mn_bct_opts *opts, mn_err *err)
{
    mn_bct *b;
    if (opts->A < 2 || opts->A > 65536)
        return mn_fail(err, MN_ERR_INPUT, "an alphabet of %zu symbols: a context tree needs 2 to 65536", opts->A);
    if (opts->D > 1024) return mn_fail(err, MN_ERR_LIMIT, "depth %zu: expected 0 to 1024", opts->D);
    if (!(opts->beta >= 0 && opts->beta < 1)) return mn_fail(err, MN_ERR_INPUT, "beta %g: expected 0 < beta < 1", opts->beta);
    if (opts->start < -1 || opts->start >= (int64_t)opts->A)
        return mn_fail(err, MN_ERR_INPUT, "start symbol %d: the alphabet has %zu", opts->start, opts->A);
    MN_ALLOC_OR_FAIL(b, 1, err);
    b->model = (mn_model){.kind = &mn_bct_kind, .A = opts->A, .F = opts->D * (opts->A + 1), .longest = SIZE_MAX / 64};
    b->D = opts->D;
    b->start = opts->start;
    b->members = opts->members;
    set_prior(b, opts->beta);
    mn_status status = fill(b, opts, err);
    if (status != MN_OK) return mn_bct_free(&b->model), status;
    *out = &b->model;
    return MN_OK;
}

/* ---- learning ---- */

/* The context's symbols are recent[0..known), most recent first. */
static void push(mn_bct *b, int32_t x)
{
    if (!b->D) return;
    memmove(b->recent + 1, b->recent, (b->D - 1) * sizeof *b->recent);
    b->recent[0] = x;
    if (b->known < b->D) b->known++;
}

static void begin(mn_bct *b)
{
    b->known = 0;
    b->on_path = false;
    if (b->start < 0) return;
    for (size_t k = 0; k < b->D; k++) b->recent[k] = b->start;
    b->known = b->D;
}

/* All nodes of the context, those not there yet made. */
static mn_status make_path(mn_bct *b, mn_err *err)
{
    for (size_t d = 0; d < b->D; d++)
        MN_TRY(mn_bct_child_at(&b->path[d + 1], &b->store, b->path[d], (uint32_t)b->recent[d], b->fresh, err));
    return MN_OK;
}

static void count(mn_bct_store *store, uint32_t node, mn_bct_entry *e)
{
    store->nodes[node].total++;
    e->count++;
}

/* The probability of x in the present context, then x counts. Upwards from the leaf: p = (r p_e + p_child)/(r + 1), r <- r p_e/p_child. */
static double update(mn_bct *b, const uint32_t *entries)
{
    double half = .5 * (double)b->model.A, p = 1;
    for (size_t d = b->D + 1; d-- > 0;) {
        mn_bct_node *v = &b->store.nodes[b->path[d]];
        mn_bct_entry *e = &b->store.entries[entries[d]];
        double estimate = (e->count + .5) / (v->total + half), odds = mn_bct_odds(v), below = p;
        p = d == b->D ? estimate : (odds * estimate + below) / (odds + 1);
        if (d < b->D) mn_bct_raise(v, estimate / below);
        count(&b->store, b->path[d], e);
    }
    return p;
}

static mn_status learn_one(double *p, mn_bct *b, int32_t x, mn_err *err)
{
    MN_TRY(make_path(b, err));
    for (size_t d = 0; d <= b->D; d++)
        MN_TRY(mn_bct_entry_at(&b->next[d], &b->store, b->path[d], (uint32_t)x, err));
    *p = update(b, b->next);
    return MN_OK;
}

static mn_status writable(mn_bct *b, mn_err *err)
{
    mn_bct_store copy;
    if (!b->store.mapped) return MN_OK;
    MN_TRY(mn_bct_store_copy(&copy, &b->store, err));
    b->store = copy;
    return MN_OK;
}

static mn_status check_symbols(const mn_bct *b, const int32_t *ids, size_t n, mn_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= b->model.A)
            return mn_fail(err, MN_ERR_INPUT, "symbol %d: the model has %zu", ids[i], b->model.A);
    if (n > UINT32_MAX - b->predicted)
        return mn_fail(err, MN_ERR_LIMIT, "a context tree counts up to %u symbols", UINT32_MAX);
    return MN_OK;
}

/* p: [A], for the present context, seen or not. */
static void predict(double *p, const mn_bct *b)
{
    uint32_t *path = b->next; /* a scratch of the right size */
    size_t found = mn_bct_walk(&b->store, path, b->recent, b->known);
    mn_bct_mix(p, b, path, found, NULL, NULL, 0, b->known);
}

static bool beaten(const double *p, size_t A, int32_t x)
{
    for (size_t a = 0; a < A; a++)
        if (p[a] > p[x] || (p[a] == p[x] && a < (size_t)x)) return true;
    return false;
}

static mn_status run(mn_bct *b, double *lp, bool *lost, double *p, const int32_t *ids, size_t n, mn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        double px = 1;
        bool whole = b->known == b->D;
        if (lost || (lp && !whole)) predict(p, b);
        if (lost) lost[i] = beaten(p, b->model.A, ids[i]);
        if (whole)
            MN_TRY(learn_one(&px, b, ids[i], err));
        else if (lp)
            px = p[ids[i]];
        if (lp) lp[i] = log(px);
        b->predicted += whole;
        b->symbols++;
        push(b, ids[i]);
    }
    return MN_OK;
}

mn_status mn_bct_predict_all(mn_model *bct, double *lp, bool *lost, double *next, const int32_t *ids, size_t n, bool begins,
                             mn_err *err)
{
    mn_bct *b = (mn_bct *)bct;
    double *p = NULL;
    MN_TRY(check_symbols(b, ids, n, err));
    MN_TRY(writable(b, err));
    if (lp || lost || next) MN_ALLOC_OR_FAIL(p, b->model.A, err);
    if (begins) begin(b);
    mn_status status = run(b, lp, lost, p, ids, n, err);
    if (status == MN_OK && next) {
        predict(next, b);
        for (size_t a = 0; a < b->model.A; a++) next[a] = log(next[a]);
    }
    free(p);
    return status;
}

mn_status mn_bct_learn(mn_model *bct, const int32_t *ids, size_t n, bool begins, mn_err *err)
{
    return mn_bct_predict_all(bct, NULL, NULL, NULL, ids, n, begins, err);
}

/* ---- what is known ---- */

double mn_bct_log_evidence(const mn_model *bct)
{
    return mn_bct_log_weighted((const mn_bct *)bct, 0, 0);
}

size_t mn_bct_depth(const mn_model *bct)
{
    return ((const mn_bct *)bct)->D;
}

double mn_bct_beta(const mn_model *bct)
{
    return ((const mn_bct *)bct)->beta;
}

uint64_t mn_bct_symbols(const mn_model *bct)
{
    return ((const mn_bct *)bct)->symbols;
}

uint64_t mn_bct_predicted(const mn_model *bct)
{
    return ((const mn_bct *)bct)->predicted;
}

size_t mn_bct_contexts(const mn_model *bct)
{
    return ((const mn_bct *)bct)->store.n_nodes;
}

mn_status mn_bct_counts(const mn_model *bct, uint64_t *counts, const int32_t *context, size_t length, mn_err *err)
{
    const mn_bct *b = (const mn_bct *)bct;
    uint32_t node = 0;
    size_t n;
    MN_TRY(check_symbols(b, context, 0, err));
    if (length > b->D) return mn_fail(err, MN_ERR_INPUT, "a context of %zu symbols: the tree's depth is %zu", length, b->D);
    memset(counts, 0, b->model.A * sizeof *counts);
    for (size_t d = 0; d < length; d++)
        if (!(node = mn_bct_child(&b->store, node, (uint32_t)context[d]))) return MN_OK;
    const mn_bct_entry *e = mn_bct_entries(&b->store, node, &n);
    for (size_t i = 0; i < n; i++)
        if (e[i].key) counts[e[i].key - 1] = e[i].count;
    return MN_OK;
}
