/* The soft recursion of plan.h over the states of one step. Included by the files that define LANES and PLAN_SWEEP. */
#include "base/lanes.h"
#include "learn/plan.h"

/* What is expected of four numbers side by side. Products and sums are rounded apart, so that all instruction sets agree. */
typedef double quad __attribute__((vector_size(32), aligned(8), may_alias));

LANE void expect(quad *out, const double *p, const uint32_t *next, const mn_plan_sweep *w, size_t O)
{
    const double *after = w->after;
    quad even = {0, 0, 0, 0}, odd = {0, 0, 0, 0};
    size_t o = 0;
    for (; o + 2 <= O; o += 2) {
        even += p[o] * *(const quad *)(after + 4 * (next[o] - w->after_from));
        odd += p[o + 1] * *(const quad *)(after + 4 * (next[o + 1] - w->after_from));
    }
    if (o < O) even += p[o] * *(const quad *)(after + 4 * (next[o] - w->after_from));
    *out = even + odd;
}

/* z: lambda r + E U; ek, eg: E of the others, for each move. */
LANE void expect_moves(double *z, double *ek, double *eg, const mn_plan_sweep *w, const uint32_t *next, size_t s)
{
    const mn_plan_graph *g = w->graph;
    for (size_t a = 0; a < g->M; a++) {
        size_t row = g->row[s * g->M + a];
        quad e = {0, 0, 0, 0};
        if (w->after) expect(&e, g->p + row * g->O, next + (s * g->M + a) * g->O, w, g->O);
        z[a] = w->lambda * g->reward[row] + e[0];
        ek[a] = e[1];
        eg[a] = e[2];
    }
}

/* Help is the demonstrator's mean over what its moves come to. */
LANE void expect_help(double *z, double *ek, double *eg, const mn_plan_sweep *w, size_t s)
{
    const mn_plan_graph *g = w->graph;
    const double *mu = g->mu + s * g->M;
    quad sum = {0, 0, 0, 0};
    for (size_t a = 0; a < g->M; a++) {
        size_t row = g->row[s * g->M + a];
        quad e = {0, 0, 0, 0};
        if (w->after) expect(&e, g->p + row * g->O, g->next_helped + (s * g->M + a) * g->O, w, g->O);
        e[0] += w->lambda * g->reward[row];
        sum += mu[a] * e;
    }
    z[g->M] = sum[0];
    ek[g->M] = sum[1];
    eg[g->M] = sum[2];
}

/* Weights base exp(z - top) into out, and the four numbers of the state. Returns the sum of the weights; *kl: KL of this step. */
LANE double tilt(double *out, double *now, double *kl, const double *lp, const double *z, const double *ek, const double *eg, size_t W)
{
    const lanes zero = all(0), lowest = all(-708);
    lanes minus_top = all(INFINITY), total = zero, first = zero, second = zero, slope = zero, here = zero;
    for (size_t i = 0; i < W; i += 8) minus_top = least(minus_top, sub(zero, add(load(lp + i), load(z + i))));
    double top = -lanes_least(minus_top);
    for (size_t i = 0; i < W; i += 8) {
        lanes zi = sub(load(z + i), all(top)), y = add(load(lp + i), zi), x = add(zi, load(ek + i));
        lanes p = if_less(y, lowest, zero, exp_of(most(y, lowest))), px = mul(p, x);
        total = add(total, p);
        here = fmadd(p, zi, here);
        first = add(first, px);
        second = fmadd(px, x, second);
        slope = fmadd(p, load(eg + i), slope);
        store(out + i, p);
    }
    double sum = lanes_total(total), lnz = log(sum), mean = lanes_total(first) / sum, variance = lanes_total(second) / sum - mean * mean;
    now[0] = lnz + top;
    now[1] = mean - lnz;
    now[2] = (variance > 0 ? variance : 0) + lanes_total(slope) / sum;
    now[3] = 0;
    *kl = lanes_total(here) / sum - lnz;
    return sum;
}

LANES_TARGET void PLAN_SWEEP(const mn_plan_sweep *w, size_t from, size_t to, double *scratch)
{
    const mn_plan_graph *g = w->graph;
    double *z = scratch, *ek = z + g->W, *eg = ek + g->W, *weights = eg + g->W, kl;
    memset(scratch, 0, 4 * g->W * sizeof *scratch);
    for (size_t s = from; s < to; s++) {
        size_t at = s - w->now_from;
        expect_moves(z, ek, eg, w, g->next, s);
        z[g->M] = ek[g->M] = eg[g->M] = 0;
        if (mn_plan_helps(g, s)) expect_help(z, ek, eg, w, s);
        double sum = tilt(weights, w->now + 4 * at, &kl, g->lp_base + s * g->W, z, ek, eg, g->W);
        if (!w->pi) continue;
        for (size_t i = 0; i < g->W; i += 8) {
            for (size_t k = 0; k < 8; k++) w->pi[at * g->W + i + k] = weights[i + k] / sum;
        }
        w->kl[at] = w->lambda > 0 && kl > 0 ? kl : 0; /* at 0 it is the base, whatever rounding says */
    }
}
