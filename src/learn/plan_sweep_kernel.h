/* The soft recursion of plan.h over the states of one step. Included by the files that define LANES and PLAN_SWEEP. */
#include "base/lanes.h"
#include "learn/plan.h"

/* Four numbers side by side. Products and sums are rounded apart, so that all instruction sets agree. */
typedef double quad __attribute__((vector_size(32), aligned(8), may_alias));

LANES_TARGET static void edges(const mn_plan_sweep *w, size_t from, size_t to)
{
    const mn_plan_graph *g = w->graph;
    const size_t O = g->O, first = w->after ? g->from[w->t + 1] : 0;
    for (size_t i = from; i < to; i++) {
        size_t e = g->edge_from[w->t] + i, row = g->row[e], o = 0;
        const double *p = g->p + row * O;
        const uint32_t *next = g->next + e * O;
        quad even = {w->lambda * g->reward[row], 0, 0, 0}, odd = {0, 0, 0, 0};
        for (; w->after && o + 2 <= O; o += 2) {
            even += p[o] * *(const quad *)(w->after + 4 * (next[o] - first));
            odd += p[o + 1] * *(const quad *)(w->after + 4 * (next[o + 1] - first));
        }
        if (w->after && o < O) even += p[o] * *(const quad *)(w->after + 4 * (next[o] - first));
        *(quad *)(w->edges + 4 * i) = even + odd;
    }
}

/* z: lambda r + E U; ek, eg: E of the others, for each move. Help is the demonstrator's mean over what its moves come to. */
LANE void gather(double *z, double *ek, double *eg, const mn_plan_sweep *w, size_t s)
{
    const mn_plan_graph *g = w->graph;
    const uint32_t *edge = g->edge + s * g->M, *helped = g->helped + s * g->M, first = g->edge_from[w->t];
    quad help = {0, 0, 0, 0};
    for (size_t a = 0; a < g->M; a++) {
        quad e = *(const quad *)(w->edges + 4 * (size_t)(edge[a] - first));
        z[a] = e[0];
        ek[a] = e[1];
        eg[a] = e[2];
    }
    for (size_t a = 0; mn_plan_helps(g, s) && a < g->M; a++)
        help += g->mu[s * g->M + a] * *(const quad *)(w->edges + 4 * (size_t)(helped[a] - first));
    z[g->M] = help[0];
    ek[g->M] = help[1];
    eg[g->M] = help[2];
}

/* Weights base exp(z - top) into out, and the four numbers of the state. Returns 1 / the sum of the weights; *kl: KL of this
 * step. */
LANE double tilt(double *out, double *now, double *kl, const double *lp, const double *z, const double *ek, const double *eg,
                 size_t W)
{
    const lanes zero = all(0), lowest = all(-708);
    lanes minus_top = all(INFINITY), total = zero, first = zero, second = zero, slope = zero, here = zero;
    for (size_t i = 0; i < W; i += 8) minus_top = least(minus_top, sub(zero, add(load(lp + i), load(z + i))));
    double top = -lanes_least(minus_top);
    for (size_t i = 0; i < W; i += 8) {
        lanes zi = sub(load(z + i), all(top)), y = add(load(lp + i), zi), x = add(zi, load(ek + i));
        lanes cut = most(y, lowest), p, px;
        exp_of(&p, &cut, 1);
        p = if_less(y, lowest, zero, p), px = mul(p, x);
        total = add(total, p);
        here = fmadd(p, zi, here);
        first = add(first, px);
        second = fmadd(px, x, second);
        slope = fmadd(p, load(eg + i), slope);
        store(out + i, p);
    }
    double inverse = 1 / lanes_total(total), lnz = -log(inverse), mean = lanes_total(first) * inverse;
    double variance = lanes_total(second) * inverse - mean * mean;
    now[0] = lnz + top;
    now[1] = mean - lnz;
    now[2] = (variance > 0 ? variance : 0) + lanes_total(slope) * inverse;
    now[3] = 0;
    *kl = lanes_total(here) * inverse - lnz;
    return inverse;
}

LANES_TARGET static void states(const mn_plan_sweep *w, size_t from, size_t to, double *scratch)
{
    const mn_plan_graph *g = w->graph;
    const size_t W = g->W;
    double *z = scratch, *ek = z + W, *eg = ek + W, *weights = eg + W, kl;
    memset(scratch, 0, 4 * W * sizeof *scratch);
    for (size_t i = from; i < to; i++) {
        size_t s = g->from[w->t] + i;
        gather(z, ek, eg, w, s);
        lanes inverse = all(tilt(weights, w->now + 4 * i, &kl, g->lp_base + s * W, z, ek, eg, W));
        if (!w->pi) continue;
        for (size_t a = 0; a < W; a += 8) store(w->pi + i * W + a, mul(load(weights + a), inverse));
        w->kl[i] = w->lambda > 0 && kl > 0 ? kl : 0; /* at 0 it is the base, whatever rounding says */
    }
}

const mn_plan_sweep_fn PLAN_SWEEP = {edges, states};
