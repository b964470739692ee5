/* Bayesian context trees: a model, how it learns, what it says. */
#include "predict/bct_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LN2 0.69314718055994530942
#define PI 3.14159265358979323846

/* ---- figures of a node ---- */

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* ln G(x+1/2) - (x ln x - x + ln(2 pi)/2), x > 0: Stirling's series about the middle. */
static double stirling_rest(double x)
{
    double y = 1 / (x * x);
    if (x < 16) return log_gamma(x + .5) - (x * log(x) - x + .5 * log(2 * PI));
    return (-1. / 24 + y * (7. / 2880 - y * (31. / 40320 - y * (127. / 215040)))) / x;
}

/* With z = n + (A-1)/2 the large parts of the gamma functions meet in c ln(c/z), that of a count near z in log1p: what is left of
 * ten million symbols of which one is rare keeps its digits. */
double mn_bct_log_estimate(const mn_bct *bct, uint32_t node)
{
    size_t size;
    const mn_bct_entry *e = mn_bct_entries(&bct->store, node, &size);
    double more = .5 * ((double)bct->model.A - 1), n = bct->store.nodes[node].total, z = n + more;
    double sum = more - more * log(z) - .5 * log(2 * PI) - stirling_rest(z) + log_gamma(more + .5);
    if (n < 1) return 0;
    for (size_t i = 0; i < size; i++) {
        double c = e[i].count;
        if (c > 0) sum += c * log1p(-(n - c + more) / z) + .5 * LN2 + stirling_rest(c);
    }
    return sum;
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

/* ---- probabilities ---- */

static void add_counts(double *p, const mn_bct_store *store, uint32_t node, double factor)
{
    size_t n;
    const mn_bct_entry *e = mn_bct_entries(store, node, &n);
    for (size_t i = 0; i < n; i++)
        if (e[i].count) p[e[i].key - 1] += factor * e[i].count;
}

/* At depth d a part r/(r+1) of the weight that is left stays; then p(s) = sum over depths of weight (c_s + 1/2)/(n + A/2). */
void mn_bct_mix(double *p, const mn_bct *bct, const uint32_t *path, size_t found, const mn_bct_store *own, const uint32_t *own_path,
                size_t own_found, size_t length)
{
    size_t A = bct->model.A, all = found > own_found ? found : own_found;
    double left = 1, even = 0;
    memset(p, 0, A * sizeof *p);
    for (size_t d = 0; d < all; d++) {
        const mn_bct_node *v = d < found ? &bct->store.nodes[path[d]] : NULL, *mine = d < own_found ? &own->nodes[own_path[d]] : NULL;
        double odds = mn_bct_odds(mine ? mine : v), weight = d == length ? left : left * (odds / (odds + 1));
        double total = (v ? (double)v->total : 0) + (mine ? (double)mine->total : 0);
        double factor = weight / (total + .5 * (double)A);
        left = d == length ? 0 : left / (odds + 1);
        even += .5 * factor;
        if (v) add_counts(p, &bct->store, path[d], factor);
        if (mine) add_counts(p, own, own_path[d], factor);
    }
    even += left / (double)A;
    for (size_t a = 0; a < A; a++) p[a] += even;
}

/* ---- making one ---- */

void mn_bct_free(mn_model *model)
{
    mn_bct *b = (mn_bct *)model;
    mn_bct_store_free(&b->store);
    mn_bct_unmap(b);
    free(b->names);
    free(b->name_at);
    free(b->recent);
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
    MN_ALLOC_OR_FAIL(b->recent, b->D, err);
    MN_ALLOC_OR_FAIL(b->window, b->D + MN_BCT_CHUNK, err);
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

mn_status mn_bct_check_symbols(const mn_bct *bct, const int32_t *ids, size_t n, mn_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= bct->model.A)
            return mn_fail(err, MN_ERR_INPUT, "symbol %d: the model has %zu", ids[i], bct->model.A);
    return MN_OK;
}

mn_status mn_bct_counts(const mn_model *bct, uint64_t *counts, const int32_t *context, size_t length, mn_err *err)
{
    const mn_bct *b = (const mn_bct *)bct;
    uint32_t node = 0;
    size_t n;
    MN_TRY(mn_bct_check_symbols(b, context, length, err));
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
