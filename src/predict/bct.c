/* Bayesian context trees: a model, how it learns, what it says. */
#include "predict/bct_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LN2 0.69314718055994530942

enum { CHUNK = 4096 }; /* symbols at a time */

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
    mn_bct_unmap(b);
    free(b->names);
    free(b->name_at);
    free(b->window);
    free(b->path);
    free(b->before);
    free(b->entry);
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
    MN_ALLOC_OR_FAIL(b->window, b->D + CHUNK, err);
    MN_ALLOC_OR_FAIL(b->path, b->D + 1, err);
    MN_ALLOC_OR_FAIL(b->before, b->D + 1, err);
    MN_ALLOC_OR_FAIL(b->entry, b->D + 1, err);
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

/* at points behind the context: its symbols are at[-1], at[-2], ... */

static void begin(mn_bct *b)
{
    b->known = b->start < 0 ? 0 : b->D;
    b->linked = false;
    for (size_t k = 0; k < b->known; k++) b->window[k] = b->start;
    memset(b->path, 0, (b->D + 1) * sizeof *b->path);
}

/* Completes the path downwards as far as there are nodes; how many there are. */
static size_t find_path(mn_bct *b, const int32_t *at)
{
    for (size_t d = 0; d < b->known; d++) {
        if (b->path[d + 1]) continue;
        uint32_t child = mn_bct_child(&b->store, b->path[d], (uint32_t)at[-1 - (ptrdiff_t)d]);
        if (!child) return d + 1;
        b->path[d + 1] = child;
    }
    return b->known + 1;
}

/* Makes the nodes that are missing. */
static mn_status make_path(mn_bct *b, size_t found, const int32_t *at, mn_err *err)
{
    for (size_t d = found; d <= b->D; d++)
        MN_TRY(mn_bct_child_at(&b->path[d], &b->store, b->path[d - 1], (uint32_t)at[-(ptrdiff_t)d], b->fresh, err));
    return MN_OK;
}

/* The probability of x in the present context, then x counts. Upwards from the leaf: p = (r p_e + p_child)/(r + 1), r <- r p_e/p_child.
 * In nodes that have seen nothing p = p_e = 1/A. */
static double update(mn_bct *b, size_t found)
{
    double half = .5 * (double)b->model.A, p = 1 / (double)b->model.A;
    for (size_t d = b->D; d >= found; d--) {
        b->store.nodes[b->path[d]].total = 1;
        b->store.entries[b->entry[d]].count = 1;
    }
    for (size_t d = found; d-- > 0;) {
        mn_bct_node *v = &b->store.nodes[b->path[d]];
        mn_bct_entry *e = &b->store.entries[b->entry[d]];
        double estimate = (e->count++ + .5) / (v->total++ + half), odds = mn_bct_odds(v), below = p;
        if (d == b->D) {
            p = estimate;
        } else {
            p = (odds * estimate + below) / (odds + 1);
            mn_bct_raise(v, estimate / below);
        }
    }
    return p;
}

/* The nodes of the next context, as far as they are known. */
static void follow(mn_bct *b)
{
    uint32_t *path = b->path;
    b->path = b->before;
    b->before = path;
    for (size_t d = 0; d < b->D; d++) b->path[d + 1] = b->store.entries[b->entry[d]].link;
    b->linked = true;
}

static void set_links(mn_bct *b, uint32_t x)
{
    for (size_t d = b->D; d-- > 0;) {
        mn_bct_entry *e = (mn_bct_entry *)mn_bct_find(&b->store, b->before[d], x);
        if (e->link) return;
        e->link = b->path[d + 1];
    }
}

static mn_status learn_one(double *p, mn_bct *b, size_t found, const int32_t *at, mn_err *err)
{
    MN_TRY(make_path(b, found, at, err));
    if (b->linked && b->D) set_links(b, (uint32_t)at[-1]);
    for (size_t d = 0; d <= b->D; d++)
        MN_TRY(mn_bct_entry_at(&b->entry[d], &b->store, b->path[d], (uint32_t)at[0], err));
    *p = update(b, found);
    follow(b);
    return MN_OK;
}

static mn_status writable(mn_bct *b, mn_err *err)
{
    mn_bct_store copy;
    if (!b->store.mapped) return MN_OK;
    MN_TRY(mn_bct_check_all(b, err));
    MN_TRY(mn_bct_store_copy(&copy, &b->store, err));
    b->store = copy;
    mn_bct_unmap(b);
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

static bool beaten(const double *p, size_t A, int32_t x)
{
    for (size_t a = 0; a < A; a++)
        if (p[a] > p[x] || (p[a] == p[x] && a < (size_t)x)) return true;
    return false;
}

/* One symbol, at[0]. p: [A], a scratch. */
static mn_status step(mn_bct *b, double *lp, bool *lost, double *p, const int32_t *at, mn_err *err)
{
    bool whole = b->known == b->D;
    size_t found = find_path(b, at);
    double px = 1;
    if (lost || (lp && !whole)) mn_bct_mix(p, b, b->path, found, NULL, NULL, 0, b->known);
    if (lost) *lost = beaten(p, b->model.A, at[0]);
    if (whole) {
        MN_TRY(learn_one(&px, b, found, at, err));
    } else {
        if (lp) px = p[at[0]];
        memset(b->path, 0, (b->D + 1) * sizeof *b->path);
        b->known++;
    }
    if (lp) *lp = log(px);
    b->predicted += whole;
    b->symbols++;
    return MN_OK;
}

/* The same for n <= CHUNK of them; window holds the context, then them. */
static mn_status run(mn_bct *b, double *lp, bool *lost, double *p, const int32_t *ids, size_t n, mn_err *err)
{
    int32_t *at = b->window + b->known;
    size_t before = b->known;
    memcpy(at, ids, n * sizeof *ids);
    for (size_t i = 0; i < n; i++) MN_TRY(step(b, lp ? lp + i : NULL, lost ? lost + i : NULL, p, at + i, err));
    memmove(b->window, b->window + before + n - b->known, b->known * sizeof *b->window);
    return MN_OK;
}

mn_status mn_bct_predict_all(mn_model *bct, double *lp, bool *lost, double *next, const int32_t *ids, size_t n, bool begins,
                             mn_err *err)
{
    mn_bct *b = (mn_bct *)bct;
    double *p;
    mn_status status = MN_OK;
    MN_TRY(check_symbols(b, ids, n, err));
    MN_TRY(writable(b, err));
    MN_ALLOC_OR_FAIL(p, b->model.A, err);
    if (begins) begin(b);
    for (size_t i = 0, m; i < n && status == MN_OK; i += m) {
        m = n - i < CHUNK ? n - i : CHUNK;
        status = run(b, lp ? lp + i : NULL, lost ? lost + i : NULL, p, ids + i, m, err);
    }
    free(p);
    if (status != MN_OK || !next) return status;
    mn_bct_mix(next, b, b->path, find_path(b, b->window + b->known), NULL, NULL, 0, b->known);
    for (size_t a = 0; a < b->model.A; a++) next[a] = log(next[a]);
    return MN_OK;
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

int32_t mn_bct_start(const mn_model *bct)
{
    return ((const mn_bct *)bct)->start;
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
    MN_TRY(mn_bct_check(b, context, length, err));
    memset(counts, 0, b->model.A * sizeof *counts);
    for (size_t d = 0; d < length; d++)
        if (!(node = mn_bct_child(&b->store, node, (uint32_t)context[d]))) return MN_OK;
    const mn_bct_entry *e = mn_bct_entries(&b->store, node, &n);
    for (size_t i = 0; i < n; i++)
        if (e[i].key) counts[e[i].key - 1] = e[i].count;
    return MN_OK;
}
