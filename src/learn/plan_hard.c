#include "learn/plan_hard.h"

#include <string.h>

#include "base/threads.h"

struct mn_plan_hard {
    const mn_plan_graph *graph;
    double step;
    size_t n;        /* grid points besides 0 */
    size_t *first;   /* [T] row of the first state of each step */
    double *value;   /* [rows,n + 1] */
    uint32_t *left;  /* [rows,n + 1] the j that is best */
    double *scratch; /* [threads, room] */
    size_t room;
    size_t t; /* the step being solved */
    bool (*stop)(void *arg);
    void *arg;
};

/* One j of a state: the best there is for c (n - j) steps of the grid, and how it rises from there. g is concave in c: the
 * tangent bounds it. */
typedef struct branch {
    double base, most;   /* value of the base and of the best moves; all moves' values lie in between them or below */
    double kl_most;      /* what the best moves cost */
    double c, g, lambda; /* the last that was solved; d g/d KL = 1/lambda */
} branch;

/* What one state needs while it is solved: base [m], values of moves [n + 1,m], branches [n + 1], weights [m]. */
typedef struct bench {
    size_t m;
    double *base, *q, *w;
    branch *branches;
} bench;

static bench bench_at(const mn_plan_hard *h, size_t thread)
{
    size_t m = h->graph->M + 1;
    bench b = {.m = m, .base = h->scratch + thread * h->room};
    b.w = b.base + m;
    b.q = b.w + m;
    b.branches = (branch *)(b.q + (h->n + 1) * m);
    return b;
}

/* ---- one tilt ------------------------------------------------------------------------------------------------------- */

typedef struct tilted {
    double mean, variance, kl;
} tilted;

static tilted tilt(const bench *b, const double *q, double top, double lambda)
{
    double sum = 0, mean = 0, square = 0;
    for (size_t a = 0; a < b->m; a++) {
        if (!(b->base[a] > 0)) continue;
        double d = q[a] - top, w = b->base[a] * exp(lambda * d);
        sum += w;
        mean += w * d;
        square += w * d * d;
    }
    mean /= sum;
    return (tilted){mean, square / sum - mean * mean, lambda * mean - log(sum)};
}

/* The branch at KL = nats: lambda by Newton's steps on the root of the KL, which is nearly a line in lambda, within a
 * bracket. */
static void solve_branch(branch *r, const bench *b, const double *q, double c, double nats)
{
    r->c = c;
    if (nats >= r->kl_most * (1 - 1e-12)) {
        r->g = r->most;
        r->lambda = INFINITY;
        return;
    }
    double low = 0, high = INFINITY, x = r->lambda;
    tilted t = {0};
    for (int i = 0; i < 100; i++) {
        t = tilt(b, q, r->most, x);
        if (fabs(t.kl - nats) <= 1e-11 * nats) break;
        if (t.kl < nats)
            low = x;
        else
            high = x;
        double next = t.kl > 0 ? x - 2 * (t.kl - sqrt(t.kl * nats)) / (x * t.variance) : 2 * x;
        if (!(next > low && next < high)) next = high < INFINITY ? (low + high) / 2 : 2 * x;
        if (next == x) break;
        x = next;
    }
    r->lambda = x;
    r->g = r->most + t.mean + (nats - t.kl) / x;
}

static void begin_branch(branch *r, const bench *b, const double *q)
{
    double mean = 0, square = 0, held = 0;
    *r = (branch){.most = -INFINITY};
    for (size_t a = 0; a < b->m; a++)
        if (b->base[a] > 0 && q[a] > r->most) r->most = q[a];
    for (size_t a = 0; a < b->m; a++) {
        if (!(b->base[a] > 0)) continue;
        double d = q[a] - r->most;
        mean += b->base[a] * d;
        square += b->base[a] * d * d;
        if (d >= -1e-14 * fabs(r->most)) held += b->base[a];
    }
    r->base = r->g = r->most + mean;
    r->kl_most = held < 1 ? -log(held) : 0;
    double variance = square - mean * mean;
    r->lambda = variance > 0 ? 1e-2 / sqrt(variance) : 1; /* where the first solution is looked for */
}

/* No solution for c is above it. */
static double bound(const branch *r, double c, double step)
{
    double tangent = r->c > 0 ? r->g + (c - r->c) * step / r->lambda : r->most;
    return fmin(tangent, r->most);
}

/* ---- one state --------------------------------------------------------------------------------------------------------- */

static double expect(const mn_plan_hard *h, size_t t, size_t edge, size_t j)
{
    const mn_plan_graph *g = h->graph;
    size_t row = g->row[edge];
    double sum = g->reward[row];
    if (t + 1 == g->T) return sum;
    const double *value = h->value + h->first[t + 1] * (h->n + 1) + j;
    for (size_t o = 0; o < g->O; o++)
        sum += g->p[row * g->O + o] * value[(g->next[edge * g->O + o] - g->from[t + 1]) * (h->n + 1)];
    return sum;
}

/* Values of the moves, help the last, when j is left after them. */
static void values_of_moves(double *q, const mn_plan_hard *h, size_t t, size_t s, size_t j)
{
    const mn_plan_graph *g = h->graph;
    bool helps = mn_plan_helps(g, s);
    for (size_t a = 0; a < g->M; a++) q[a] = expect(h, t, g->edge[s * g->M + a], j);
    q[g->M] = 0;
    for (size_t a = 0; helps && a < g->M; a++)
        q[g->M] += g->mu[s * g->M + a] * (g->helped == g->edge ? q[a] : expect(h, t, g->helped[s * g->M + a], j));
}

/* Row i of a state: every j that could still be best is solved, the last row's first. */
static size_t best_branch(const mn_plan_hard *h, const bench *b, size_t i, size_t guess, double *value)
{
    size_t best = i;
    *value = b->branches[i].base;
    for (size_t k = 0; k <= i; k++) {
        size_t j = k == 0 ? guess : k <= guess ? k - 1 : k;
        branch *r = &b->branches[j];
        double c = (double)(i - j);
        if (j == i || !(bound(r, c, h->step) > *value + 1e-15)) continue;
        solve_branch(r, b, b->q + j * b->m, c, c * h->step);
        if (r->g <= *value) continue;
        *value = r->g;
        best = j;
    }
    return best;
}

static mn_status solve_state(void *arg, size_t task, size_t thread, mn_err *err)
{
    const mn_plan_hard *h = arg;
    const mn_plan_graph *g = h->graph;
    size_t s = g->from[h->t] + task, at = (h->first[h->t] + task) * (h->n + 1), guess = 0;
    bench b = bench_at(h, thread);
    if (h->stop && h->stop(h->arg)) return mn_fail(err, MN_ERR_INTERRUPTED, "interrupted");
    for (size_t a = 0; a < b.m; a++) b.base[a] = exp(g->lp_base[s * g->W + a]);
    for (size_t i = 0; i <= h->n; i++) {
        values_of_moves(b.q + i * b.m, h, h->t, s, i);
        begin_branch(&b.branches[i], &b, b.q + i * b.m);
        h->left[at + i] = (uint32_t)(guess = best_branch(h, &b, i, guess, &h->value[at + i]));
    }
    return MN_OK;
}

/* ---- all states ---------------------------------------------------------------------------------------------------------- */

/* The most grid steps that a budget has room for; their sum is taken a little less than they are (see spend). */
static double shorten(double nats)
{
    return nats * (1 - 1e-15);
}

static size_t points(double budget, double step)
{
    double n = floor(budget / step);
    return (size_t)(shorten((n + 1) * step) <= budget ? n + 1 : n);
}

static mn_status allocate(mn_plan_hard *h, size_t threads, mn_err *err)
{
    const mn_plan_graph *g = h->graph;
    size_t rows = 0, entries, branches;
    MN_ALLOC_OR_FAIL(h->first, g->T, err);
    for (size_t t = 0; t < g->T; t++) {
        h->first[t] = rows;
        rows += g->to[t] - g->from[t];
    }
    h->room = (h->n + 1) * (g->M + 1 + sizeof(branch) / sizeof(double)) + 2 * (g->M + 1);
    if (!mn_mul_size(&entries, rows, h->n + 1) || !mn_mul_size(&branches, h->room, threads))
        return mn_fail(err, MN_ERR_LIMIT, "%zu states by %zu grid points are too many", rows, h->n + 1);
    MN_ALLOC_OR_FAIL(h->value, entries, err);
    MN_ALLOC_OR_FAIL(h->left, entries, err);
    MN_ALLOC_OR_FAIL(h->scratch, branches, err);
    return MN_OK;
}

static mn_status solve(mn_plan_hard *h, size_t threads, mn_err *err)
{
    const mn_plan_graph *g = h->graph;
    for (h->t = g->T; h->t-- > 0;) MN_TRY(mn_parallel(threads, g->to[h->t] - g->from[h->t], solve_state, h, err));
    return MN_OK;
}

mn_status mn_plan_hard_new(mn_plan_hard **out, const mn_plan_graph *graph, double step, double most, size_t threads,
                           bool (*stop)(void *arg), void *arg, mn_err *err)
{
    mn_plan_hard *h;
    if (!(most / step < 1e6))
        return mn_fail(err, MN_ERR_LIMIT, "a budget of %g nats by steps of %g: expected at most 1000000 steps", most, step);
    MN_ALLOC_OR_FAIL(h, 1, err);
    *h = (mn_plan_hard){.graph = graph, .step = step, .n = points(most, step) + graph->T, .stop = stop, .arg = arg};
    mn_status status = allocate(h, threads, err);
    if (status == MN_OK) status = solve(h, threads, err);
    if (status != MN_OK) return mn_plan_hard_free(h), status;
    *out = h;
    return MN_OK;
}

void mn_plan_hard_free(mn_plan_hard *hard)
{
    if (!hard) return;
    free(hard->first);
    free(hard->value);
    free(hard->left);
    free(hard->scratch);
    free(hard);
}

/* ---- the policy -----------------------------------------------------------------------------------------------------------
 * */

/* A state of the policy's graph: one of the first, and what is left. */
typedef struct pair {
    uint32_t state, left;
} pair;

typedef struct walk {
    const mn_plan_hard *hard;
    pair *pairs; /* [n] */
    size_t n, cap;
    size_t *ends;     /* [T + 1] where those of each step end */
    uint32_t *number; /* [states of the next step, n + 1] pair + 1, 0: not met */
} walk;

static mn_status meet(walk *w, uint32_t state, uint32_t left, uint32_t *slot, mn_err *err)
{
    if (*slot) return MN_OK;
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 256;
        pair *pairs = cap < UINT32_MAX / 2 ? reallocarray(w->pairs, cap, sizeof *pairs) : NULL;
        if (!pairs) return mn_fail(err, MN_ERR_MEMORY, "out of memory for %zu states", cap);
        w->pairs = pairs;
        w->cap = cap;
    }
    w->pairs[w->n++] = (pair){state, left};
    *slot = (uint32_t)w->n;
    return MN_OK;
}

static uint32_t left_after(const mn_plan_hard *h, size_t t, pair p)
{
    return h->left[(h->first[t] + p.state - h->graph->from[t]) * (h->n + 1) + p.left];
}

/* All that follows the pairs of step t. */
static mn_status step_on(walk *w, size_t t, mn_err *err)
{
    const mn_plan_hard *h = w->hard;
    const mn_plan_graph *g = h->graph;
    memset(w->number, 0, (g->to[t + 1] - g->from[t + 1]) * (h->n + 1) * sizeof *w->number);
    for (size_t i = t ? w->ends[t - 1] : 0; i < w->ends[t]; i++) {
        uint32_t left = left_after(h, t, w->pairs[i]);
        for (size_t k = 0; k < 2 * g->M * g->O; k++) {
            size_t move = w->pairs[i].state * g->M + k / 2 / g->O;
            uint32_t next = g->next[(k % 2 ? g->helped : g->edge)[move] * g->O + k / 2 % g->O];
            MN_TRY(meet(w, next, left, &w->number[(next - g->from[t + 1]) * (h->n + 1) + left], err));
        }
    }
    w->ends[t + 1] = w->n;
    return MN_OK;
}

/* Where pairs of step t + 1 are, to be looked up by state and what is left. */
static void number_pairs(walk *w, size_t t)
{
    const mn_plan_hard *h = w->hard;
    for (size_t i = w->ends[t]; i < w->ends[t + 1]; i++)
        w->number[(w->pairs[i].state - h->graph->from[t + 1]) * (h->n + 1) + w->pairs[i].left] = (uint32_t)i;
}

/* The edge of a pair's move: its own, pairs of different states and what is left share none. */
static void link_edge(mn_plan_graph *out, const walk *w, size_t t, size_t to, size_t edge, uint32_t left)
{
    const mn_plan_graph *g = w->hard->graph;
    out->row[to] = g->row[edge];
    for (size_t o = 0; t + 1 < g->T && o < g->O; o++)
        out->next[to * g->O + o] = w->number[(g->next[edge * g->O + o] - g->from[t + 1]) * (w->hard->n + 1) + left];
}

static void copy_state(mn_plan_graph *out, const walk *w, size_t t, size_t at)
{
    const mn_plan_graph *g = w->hard->graph;
    size_t s = w->pairs[at].state, copies = g->helped == g->edge ? 1 : 2;
    uint32_t left = left_after(w->hard, t, w->pairs[at]);
    memcpy(out->lp_base + at * g->W, g->lp_base + s * g->W, g->W * sizeof *g->lp_base);
    if (g->mu) memcpy(out->mu + at * g->M, g->mu + s * g->M, g->M * sizeof *g->mu);
    for (size_t a = 0; a < g->M; a++) {
        size_t to = (at * g->M + a) * copies;
        out->edge[at * g->M + a] = (uint32_t)to;
        link_edge(out, w, t, to, g->edge[s * g->M + a], left);
        if (copies == 1) continue;
        out->helped[at * g->M + a] = (uint32_t)to + 1;
        link_edge(out, w, t, to + 1, g->helped[s * g->M + a], left);
    }
}

static mn_status make_graph(mn_plan_graph *out, walk *w, mn_err *err)
{
    const mn_plan_graph *g = w->hard->graph;
    bool apart = g->helped != g->edge;
    *out = (mn_plan_graph){.T = g->T, .S = w->n, .M = g->M, .O = g->O, .R = g->R};
    if (!mn_mul_size(&out->E, w->n, g->M * (1 + apart))) return mn_fail(err, MN_ERR_LIMIT, "%zu states are too many", w->n);
    MN_TRY(mn_plan_graph_allocate(out, g->mu != NULL, err));
    if (apart) {
        out->helped = NULL;
        MN_ALLOC_OR_FAIL(out->helped, w->n * g->M, err); /* as many as edge has */
    }
    memcpy(out->reward, g->reward, g->R * sizeof *g->reward);
    memcpy(out->p, g->p, g->R * g->O * sizeof *g->p);
    for (size_t t = 0; t < g->T; t++) {
        if (t + 1 < g->T) number_pairs(w, t);
        for (size_t at = t ? w->ends[t - 1] : 0; at < w->ends[t]; at++) copy_state(out, w, t, at);
    }
    mn_plan_graph_steps(out);
    return MN_OK;
}

/* pi ∝ base exp(lambda q) with KL <= limit by the budget operator: with scores so large that its l reaches every lambda of
 * use. */
static mn_status spend(double *pi, double *kl, const double *lp_base, double *q, size_t m, double limit, double *lp,
                       mn_err *err)
{
    double least = INFINITY, most = -INFINITY, l;
    for (size_t a = 0; a < m; a++) {
        if (lp_base[a] == -INFINITY) continue;
        least = fmin(least, q[a]);
        most = fmax(most, q[a]);
    }
    for (size_t a = 0; a < m; a++) q[a] = lp_base[a] > -INFINITY && most > least ? (q[a] - most) / (most - least) * 1e9 : 0;
    MN_TRY(mn_regularize(MN_REG_BUDGET, lp, &l, kl, lp_base, q, &limit, 1, m, err));
    for (size_t a = 0; a < m; a++) pi[a] = exp(lp[a]);
    return MN_OK;
}

static mn_status fill_policy(mn_plan_policy *policy, const walk *w, double *scratch, mn_err *err)
{
    const mn_plan_hard *h = w->hard;
    const mn_plan_graph *g = h->graph;
    double *q = scratch, *lp = q + g->M + 1;
    for (size_t t = 0; t < g->T; t++)
        for (size_t i = t ? w->ends[t - 1] : 0; i < w->ends[t]; i++) {
            pair p = w->pairs[i];
            uint32_t left = left_after(h, t, p);
            size_t m = g->M + mn_plan_helps(g, p.state);
            values_of_moves(q, h, t, p.state, left);
            MN_TRY(spend(policy->pi + i * g->W, &policy->kl[i], g->lp_base + p.state * g->W, q, m,
                         shorten((double)(p.left - left) * h->step), lp, err));
        }
    return MN_OK;
}

static mn_status walk_all(walk *w, uint32_t left, mn_err *err)
{
    const mn_plan_graph *g = w->hard->graph;
    size_t most = 1, entries;
    uint32_t slot = 0;
    for (size_t t = 0; t < g->T; t++)
        if (g->to[t] - g->from[t] > most) most = g->to[t] - g->from[t];
    if (!mn_mul_size(&entries, most, w->hard->n + 1)) return mn_fail(err, MN_ERR_LIMIT, "%zu states are too many", most);
    MN_ALLOC_OR_FAIL(w->ends, g->T + 1, err);
    MN_ALLOC_OR_FAIL(w->number, entries, err);
    MN_TRY(meet(w, g->from[0], left, &slot, err));
    w->ends[0] = 1;
    for (size_t t = 0; t + 1 < g->T; t++) MN_TRY(step_on(w, t, err));
    return MN_OK;
}

mn_status mn_plan_hard_policy(const mn_plan_hard *hard, double budget, mn_plan_graph *graph, mn_plan_policy *policy,
                              double *above, mn_err *err)
{
    walk w = {.hard = hard};
    size_t n = points(budget, hard->step);
    double *scratch = mn_alloc(2 * (hard->graph->M + 1), sizeof *scratch);
    *graph = (mn_plan_graph){0};
    *policy = (mn_plan_policy){0};
    *above = hard->value[n + hard->graph->T];
    mn_status status = scratch ? walk_all(&w, (uint32_t)n, err) : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) status = make_graph(graph, &w, err);
    if (status == MN_OK) status = mn_plan_policy_new(policy, graph, err);
    if (status == MN_OK) status = fill_policy(policy, &w, scratch, err);
    if (status != MN_OK) mn_plan_policy_free(policy), mn_plan_graph_free(graph);
    free(scratch);
    free(w.pairs);
    free(w.ends);
    free(w.number);
    return status;
}
