/* Gradients through the operator, row by row. With g, h the gradients of the loss by policy and nats, G = sum g, d = z - E z:
 *   by z at constant l:  l (g_j - G pi_j) + h l^2 pi_j d_j        by l:  sum g d + h l Var z
 * and where 0 < l < 1 the constraint f(l, z) = limit makes l follow; up to one factor, with weights q that depend on the measure,
 *   df/dz_j = l (q_j - Q pi_j), Q = sum q,    df/dl = sum (q - Q pi) d = sum q d.
 * KL: q = pi d, factor l.  Total variation: q = pi where pi > p, factor 1.  Chi-squared: q = pi^2/p, factor 2. */
#include <math.h>
#include <string.h>

#include "regularize/tilt.h"

typedef struct gradient_row {
    mn_reg_kind kind;
    double *out;                           /* [V] pi first, then the gradient by z */
    const double *g, *lp_policy, *lp, *z;  /* [V] */
    double h, l;
    size_t V;
} gradient_row;

/* Scores are taken relative to that of the likeliest entry, so that its own distance from the mean keeps its digits when it has
 * nearly all the mass, and in a unit that lets nothing overflow. */
typedef struct context {
    size_t likeliest;
    double center, unit, base_sum;
    double mean, var;       /* of (z - center)/unit */
    double g, slope;        /* sum g, sum g d/unit */
    double q, q_slope;      /* sum q, sum q d/unit */
} context;

static double distance(const context *c, double z)
{
    return (z / 2 - c->center / 2) / (c->unit / 2) - c->mean;
}

static double weight(const gradient_row *r, const context *c, size_t i, double pi, double d)
{
    switch (r->kind) {
    case MN_REG_TVD: return pi > exp(r->lp[i]) / c->base_sum ? pi : 0;
    case MN_REG_CHI2: return pi * exp(r->lp_policy[i] - r->lp[i]) * c->base_sum;
    default: return pi * d;
    }
}

/* Writes pi; entries of probability 0 count nowhere. */
static context summarise(const gradient_row *r)
{
    context c = {0};
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < r->V; i++) {
        double pi = r->out[i] = exp(r->lp_policy[i]);
        c.base_sum += exp(r->lp[i]);
        if (r->lp_policy[i] > r->lp_policy[c.likeliest]) c.likeliest = i;
        if (pi > 0) least = fmin(least, r->z[i]), most = fmax(most, r->z[i]);
    }
    c.center = r->z[c.likeliest];
    c.unit = most > least ? fmax(most / 2 - least / 2, 0x1p-1000) : 1;
    double mean = 0;
    for (size_t i = 0; i < r->V; i++)
        if (r->out[i] > 0) mean += r->out[i] * distance(&c, r->z[i]);
    c.mean = mean;
    for (size_t i = 0; i < r->V; i++) {
        double pi = r->out[i];
        if (!(pi > 0)) continue;
        double d = distance(&c, r->z[i]), q = weight(r, &c, i, pi, d);
        c.var += pi * d * d;
        c.g += r->g[i];
        c.slope += r->g[i] * d;
        c.q += q;
        c.q_slope += q * d;
    }
    return c;
}

/* Writes the gradient by z, returns that by the limit. */
static double row_backward(const gradient_row *r)
{
    context c = summarise(r);
    bool bound = r->l < 1 && c.q_slope > 0;
    double l = r->l, by_l = (c.slope + r->h * l * c.var * c.unit) / (bound ? c.q_slope : 1), rest = 0;
    double Q = r->kind == MN_REG_BUDGET ? 0 : c.q;
    double factor = r->kind == MN_REG_BUDGET ? l * c.unit : r->kind == MN_REG_CHI2 ? 2 : 1;
    for (size_t i = 0; i < r->V; i++) {
        double pi = r->out[i];
        if (!(pi > 0)) continue;
        double d = distance(&c, r->z[i]), follow = bound ? weight(r, &c, i, pi, d) - Q * pi : 0;
        r->out[i] = l * (r->g[i] - c.g * pi + r->h * l * c.unit * pi * d - by_l * follow);
        if (i != c.likeliest) rest += r->out[i];
    }
    /* A common shift of all scores changes nothing: the likeliest entry's share is what the others leave, without
     * cancellation. */
    r->out[c.likeliest] = -rest;
    return bound ? by_l / factor : 0;
}

/* The same in lanes where the constraint is the KL, or none, and nothing overflows. */
static bool row_backward_fast(double *by_limit, const gradient_row *r)
{
    const mn_tilt_passes *passes = mn_tilt();
    double top = passes->policy(r->out, r->lp_policy, r->V), sums[4], l = r->l;
    int32_t likeliest = 0;
    bool nan, bound = l < 1;
    passes->gather(&likeliest, 1, r->lp_policy, r->V, top, &nan);
    double center = r->z[likeliest];
    passes->slopes(sums, r->out, r->z, r->g, center, r->V);
    double mean = sums[0], var = sums[1] - mean * mean, slope = sums[3] - mean * sums[2],
           by_l = bound ? (slope + r->h * l * var) / var : 0;
    double a = r->h * l - by_l;
    if (nan || !isfinite(a * mean) || (bound && !(var > 1e-10 * sums[1] && var > 1e-200 && var < 1e200))) return false;
    r->out[likeliest] -= passes->gradient(r->out, r->z, r->g, center, l, a, -a * mean - sums[2], r->V);
    *by_limit = bound ? by_l / l : 0;
    return true;
}

mn_status mn_regularize_backward(mn_reg_kind kind, double *d_scores, double *d_limit, const double *d_lp_policy,
                                 const double *d_nats, const double *lp_policy, const double *lambda, const double *lp_base,
                                 const double *scores, const double *limit, size_t B, size_t V, mn_err *err)
{
    (void)limit;
    for (size_t b = 0; b < B; b++) {
        gradient_row r = {.kind = kind, .out = d_scores + b * V, .g = d_lp_policy + b * V, .lp_policy = lp_policy + b * V,
                          .lp = lp_base + b * V, .z = scores + b * V, .h = d_nats ? d_nats[b] : 0, .l = lambda[b], .V = V};
        if (!(r.l >= 0 && r.l <= 1)) return mn_fail(err, MN_ERR_NUM, "row %zu: lambda is %g, expected 0 to 1", b, r.l);
        if (r.l == 0) memset(r.out, 0, V * sizeof *r.out);
        double by_limit = 0;
        if (r.l > 0 && (kind == MN_REG_TVD || kind == MN_REG_CHI2 || !row_backward_fast(&by_limit, &r)))
            by_limit = row_backward(&r);
        if (d_limit) d_limit[b] = by_limit;
    }
    return MN_OK;
}
