/* How a context tree learns: each symbol is predicted, then counts. */
#include <math.h>
#include <string.h>

#include "predict/bct_file.h"

/* at points behind the context: its symbols are at[-1], at[-2], ... */

/* ---- one symbol ---- */

/* Completes the path downwards as far as there are nodes; how many there are. */
static size_t find_path(mn_bct *b, const int32_t *at, size_t length)
{
    if (b->path[length]) return length + 1; /* then all above are known too */
    for (size_t d = 0; d < length; d++) {
        if (b->path[d + 1]) continue;
        uint32_t child = mn_bct_child(&b->store, b->path[d], (uint32_t)at[-1 - (ptrdiff_t)d]);
        if (!child) return d + 1;
        b->path[d + 1] = child;
    }
    return length + 1;
}

static mn_status make_path(mn_bct *b, size_t found, const int32_t *at, mn_err *err)
{
    for (size_t d = found; d <= b->D; d++)
        MN_TRY(mn_bct_child_at(&b->path[d], &b->store, b->path[d - 1], (uint32_t)at[-(ptrdiff_t)d], b->fresh, err));
    return MN_OK;
}

/* From the context before, where it was learnt from. */
static void set_links(mn_bct *b, uint32_t x)
{
    for (size_t d = b->D; d-- > 0;) {
        mn_bct_entry *e = (mn_bct_entry *)mn_bct_find(&b->store, b->before[d], x);
        if (e->link) return;
        e->link = b->path[d + 1];
    }
}

/* The probability of a symbol in the present context; then it counts, and the path becomes that of the next context, as far as links
 * tell. Upwards from the leaf: p = (r p_e + p_child)/(r + 1), r <- r p_e/p_child. In nodes that have seen nothing p = p_e = 1/A. */
static double update(mn_bct *b, size_t found, size_t following)
{
    const size_t A = b->model.A, stride = b->store.dense ? A : 0;
    const uint32_t *path = b->path, *entry = b->entry;
    uint32_t *next = b->before;
    mn_bct_node *nodes = b->store.nodes;
    mn_bct_entry *entries = b->store.entries;
    double half = .5 * (double)A, p = 1 / (double)A;
    for (size_t d = b->D + 1; d-- > 0;) {
        mn_bct_node *v = &nodes[path[d]];
        mn_bct_entry *e = &entries[entry[d]];
        double up = e->count++ + .5, down = v->total++ + half;
        if (d == b->D) {
            p = up / down;
            continue;
        }
        __builtin_prefetch(&nodes[next[d + 1] = e->link]);
        __builtin_prefetch(&entries[next[d + 1] * stride + following]);
        if (d >= found) continue;
        double odds = mn_bct_odds(v), below = p, part = 1 / (down * (odds + 1));
        p = part * down * below + part * (odds * up); /* on the way from leaf to root one product and one sum a node */
        mn_bct_raise(v, up / (down * below));
    }
    next[0] = 0;
    b->before = b->path;
    b->path = next;
    return p;
}

static mn_status learn_one(double *p, mn_bct *b, size_t found, bool linked, const int32_t *at, size_t following, mn_err *err)
{
    MN_TRY(make_path(b, found, at, err));
    if (linked) set_links(b, (uint32_t)at[-1]);
    for (size_t d = 0; d <= b->D; d++) MN_TRY(mn_bct_entry_at(&b->entry[d], &b->store, b->path[d], (uint32_t)at[0], err));
    *p = update(b, found, following);
    b->predicted++;
    return MN_OK;
}

static bool beaten(const double *p, size_t A, int32_t x)
{
    for (size_t a = 0; a < A; a++)
        if (p[a] > p[x] || (p[a] == p[x] && a < (size_t)x)) return true;
    return false;
}

static void forget_path(mn_bct *b)
{
    memset(b->path, 0, (b->D + 1) * sizeof *b->path);
}

/* Those that only condition: predicted from what there is of a context, not learnt. p: [A], a scratch. */
static void predict_first(mn_bct *b, double *lp, bool *lost, double *p, const int32_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        forget_path(b);
        mn_bct_mix(p, b, b->path, find_path(b, at + i, b->known + i), NULL, NULL, 0, b->known + i);
        if (lp) lp[i] = log(p[at[i]]);
        if (lost) lost[i] = beaten(p, b->model.A, at[i]);
    }
}

static mn_status predict_rest(mn_bct *b, double *lp, bool *lost, double *p, const int32_t *at, size_t n, mn_err *err)
{
    forget_path(b);
    for (size_t i = 0; i < n; i++, at++) {
        size_t found = find_path(b, at, b->D);
        double px;
        if (lost) {
            mn_bct_mix(p, b, b->path, found, NULL, NULL, 0, b->D);
            lost[i] = beaten(p, b->model.A, at[0]);
        }
        MN_TRY(learn_one(&px, b, found, i > 0, at, i + 1 < n ? (size_t)at[1] : 0, err));
        if (lp) lp[i] = log(px);
    }
    return MN_OK;
}

/* ---- sequences ---- */

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

/* Where the n <= MN_BCT_CHUNK symbols that come now are in the window, what is known of the context before them. */
static const int32_t *window(mn_bct *b, const int32_t *ids, size_t n)
{
    int32_t *at = b->window + b->known;
    for (size_t k = 0; k < b->known; k++) at[-1 - (ptrdiff_t)k] = b->recent[k];
    memcpy(at, ids, n * sizeof *ids);
    return at;
}

static void begin(mn_bct *b)
{
    b->known = b->start < 0 ? 0 : b->D;
    for (size_t k = 0; k < b->known; k++) b->recent[k] = b->start;
}

/* The context after n symbols of the window. */
static void pass(mn_bct *b, const int32_t *at, size_t n)
{
    if (b->known + n < b->D)
        b->known += n;
    else
        b->known = b->D;
    for (size_t k = 0; k < b->known; k++) b->recent[k] = at[(ptrdiff_t)(n - 1) - (ptrdiff_t)k];
    b->symbols += n;
}

/* Learns n <= MN_BCT_CHUNK symbols; those that only condition come first. lp, lost: NULL where not wanted. p: [A], a scratch. */
static mn_status learn_chunk(mn_bct *b, double *lp, bool *lost, double *p, const int32_t *ids, size_t n, mn_err *err)
{
    const int32_t *at = window(b, ids, n);
    size_t first = b->D - b->known < n ? b->D - b->known : n;
    uint64_t before = b->predicted;
    if (lp || lost) predict_first(b, lp, lost, p, at, first);
    mn_status status = predict_rest(b, lp ? lp + first : NULL, lost ? lost + first : NULL, p, at + first, n - first, err);
    pass(b, at, first + (size_t)(b->predicted - before));
    return status;
}

static mn_status learn(mn_bct *b, double *lp, bool *lost, double *p, const int32_t *ids, size_t n, mn_err *err)
{
    mn_status status = MN_OK;
    for (size_t i = 0, m; i < n && status == MN_OK; i += m) {
        m = n - i < MN_BCT_CHUNK ? n - i : MN_BCT_CHUNK;
        status = learn_chunk(b, lp ? lp + i : NULL, lost ? lost + i : NULL, p, ids + i, m, err);
    }
    return status;
}

static void predict_next(mn_bct *b, double *lp)
{
    mn_bct_mix(lp, b, b->path, mn_bct_walk(&b->store, b->path, b->recent, b->known), NULL, NULL, 0, b->known);
    for (size_t a = 0; a < b->model.A; a++) lp[a] = log(lp[a]);
}

mn_status mn_bct_predict_all(mn_model *bct, double *lp, bool *lost, double *next, const int32_t *ids, size_t n, bool begins,
                             mn_err *err)
{
    mn_bct *b = (mn_bct *)bct;
    double *p = NULL;
    MN_TRY(mn_bct_check_symbols(b, ids, n, err));
    if (n > UINT32_MAX - b->predicted)
        return mn_fail(err, MN_ERR_LIMIT, "a context tree counts up to %u symbols", UINT32_MAX);
    MN_TRY(writable(b, err));
    if (lp || lost) MN_ALLOC_OR_FAIL(p, b->model.A, err);
    if (begins) begin(b);
    mn_status status = learn(b, lp, lost, p, ids, n, err);
    free(p);
    if (status == MN_OK && next) predict_next(b, next);
    return status;
}

mn_status mn_bct_learn(mn_model *bct, const int32_t *ids, size_t n, bool begins, mn_err *err)
{
    return mn_bct_predict_all(bct, NULL, NULL, NULL, ids, n, begins, err);
}
