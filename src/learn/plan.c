#include "learn/plan.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"

/* ---- graphs and policies ---- */

static mn_status too_large(const mn_plan_graph *g, mn_err *err)
{
    return mn_fail(err, MN_ERR_LIMIT, "a plan of %zu states with %zu moves and %zu outcomes is too large", g->S, g->M, g->O);
}

mn_status mn_plan_graph_allocate(mn_plan_graph *g, bool known, mn_err *err)
{
    size_t bases, moves, outcomes, rows;
    g->W = mn_plan_width(g->M);
    if (g->S > UINT32_MAX / 2 || g->E > UINT32_MAX / 2 || g->R > UINT32_MAX / 2 || !mn_mul_size(&bases, g->S, g->W) ||
        !mn_mul_size(&moves, g->S, g->M) || !mn_mul_size(&outcomes, g->E, g->O) || !mn_mul_size(&rows, g->R, g->O))
        return too_large(g, err);
    MN_ALLOC_OR_FAIL(g->from, g->T, err);
    MN_ALLOC_OR_FAIL(g->to, g->T, err);
    MN_ALLOC_OR_FAIL(g->edge_from, g->T, err);
    MN_ALLOC_OR_FAIL(g->edge_to, g->T, err);
    MN_ALLOC_OR_FAIL(g->lp_base, bases, err);
    MN_ALLOC_OR_FAIL(g->edge, moves, err);
    g->helped = g->edge;
    MN_ALLOC_OR_FAIL(g->row, g->E, err);
    MN_ALLOC_OR_FAIL(g->next, outcomes, err);
    MN_ALLOC_OR_FAIL(g->reward, g->R, err);
    MN_ALLOC_OR_FAIL(g->p, rows, err);
    if (known) MN_ALLOC_OR_FAIL(g->mu, moves, err);
    for (size_t i = 0; i < bases; i++) g->lp_base[i] = -INFINITY;
    return MN_OK;
}

void mn_plan_graph_free(mn_plan_graph *g)
{
    if (g->helped != g->edge) free(g->helped);
    void *all[] = {g->from, g->to, g->edge_from, g->edge_to, g->lp_base, g->mu, g->edge, g->row, g->next, g->reward, g->p};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    *g = (mn_plan_graph){0};
}

/* The least and the greatest of ids [n], the latter + 1. */
static void span(uint32_t *from, uint32_t *to, const uint32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < *from) *from = ids[i];
        if (ids[i] >= *to) *to = ids[i] + 1;
    }
}

void mn_plan_graph_steps(mn_plan_graph *g)
{
    uint32_t from = 0, to = 1;
    for (size_t t = 0; t < g->T; t++) {
        size_t at = from * g->M, n = (to - from) * g->M;
        uint32_t edge_from = UINT32_MAX, edge_to = 0;
        span(&edge_from, &edge_to, g->edge + at, n);
        span(&edge_from, &edge_to, g->helped + at, n);
        g->from[t] = from;
        g->to[t] = to;
        g->edge_from[t] = edge_from;
        g->edge_to[t] = edge_to;
        from = UINT32_MAX, to = 0;
        if (t + 1 < g->T) span(&from, &to, g->next + edge_from * g->O, (edge_to - edge_from) * g->O);
    }
}

mn_status mn_plan_policy_new(mn_plan_policy *policy, const mn_plan_graph *graph, mn_err *err)
{
    size_t entries;
    *policy = (mn_plan_policy){0};
    MN_ALLOC_OR_FAIL(policy->first, graph->T, err);
    for (size_t t = 0; t < graph->T; t++) {
        policy->first[t] = policy->N;
        policy->N += graph->to[t] - graph->from[t];
    }
    mn_status status = mn_mul_size(&entries, policy->N, graph->W) ? MN_OK : too_large(graph, err);
    if (status == MN_OK) {
        policy->pi = mn_alloc(entries, sizeof *policy->pi);
        policy->kl = mn_alloc(policy->N, sizeof *policy->kl);
        if (!policy->pi || !policy->kl) status = mn_fail(err, MN_ERR_MEMORY, "out of memory");
    }
    if (status != MN_OK) mn_plan_policy_free(policy);
    return status;
}

void mn_plan_policy_free(mn_plan_policy *policy)
{
    free(policy->first);
    free(policy->pi);
    free(policy->kl);
    *policy = (mn_plan_policy){0};
}

/* ---- solver ---- */

struct mn_plan_solver {
    const mn_plan_graph *graph;
    size_t threads;
    const mn_plan_sweep_fn *sweep;
    double *values[2];              /* [most states of a step, 4], of this step and the next */
    double *edges;                  /* [most edges of a step, 4] */
    double *scratch;                /* [threads, 4 W] */
    double ln_lambda, ln_kl, slope; /* of the last budget's root; slope 0: none */
    double most;                    /* KL of the best policy of all; negative: not known yet */
    double tie;                     /* values that differ by less may differ by rounding alone */
};

enum {
    CHUNK = 256,
    WORTH_A_THREAD = 300000
}; /* states or edges of a task; operations of a pass that outweigh starting threads */

static const mn_plan_sweep_fn *sweep_here(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return &mn_plan_sweep_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &mn_plan_sweep_avx2;
#endif
    return &mn_plan_sweep_plain;
}

/* What sums over the steps may be off by. */
static double rounding(const mn_plan_graph *g)
{
    double most = 0;
    for (size_t r = 0; r < g->R; r++) most = fmax(most, fabs(g->reward[r]));
    return 1e-14 * most * (double)g->T;
}

static mn_status allocate_solver(mn_plan_solver *s, mn_err *err)
{
    const mn_plan_graph *g = s->graph;
    size_t states = 0, edges = 0;
    for (size_t t = 0; t < g->T; t++) {
        if (g->to[t] - g->from[t] > states) states = g->to[t] - g->from[t];
        if (g->edge_to[t] - g->edge_from[t] > edges) edges = g->edge_to[t] - g->edge_from[t];
    }
    MN_ALLOC_OR_FAIL(s->values[0], 4 * states, err);
    MN_ALLOC_OR_FAIL(s->values[1], 4 * states, err);
    MN_ALLOC_OR_FAIL(s->edges, 4 * edges, err);
    MN_ALLOC_OR_FAIL(s->scratch, s->threads * 4 * g->W, err);
    return MN_OK;
}

mn_status mn_plan_solver_new(mn_plan_solver **out, const mn_plan_graph *graph, size_t threads, mn_err *err)
{
    mn_plan_solver *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    *s = (mn_plan_solver){
        .graph = graph, .threads = threads ? threads : 1, .sweep = sweep_here(), .most = -1, .tie = rounding(graph)};
    mn_status status = allocate_solver(s, err);
    if (status != MN_OK) return mn_plan_solver_free(s), status;
    *out = s;
    return MN_OK;
}

void mn_plan_solver_free(mn_plan_solver *solver)
{
    if (!solver) return;
    free(solver->values[0]);
    free(solver->values[1]);
    free(solver->edges);
    free(solver->scratch);
    free(solver);
}

/* ---- backward over the steps ---- */

/* One sweep: every step has two passes, one over the edges and one over the states. */
typedef struct step {
    const mn_plan_solver *solver;
    mn_plan_sweep sweep;
    size_t n;         /* edges or states of the pass */
    mn_reg_kind kind; /* of rules */
    double limit;
} step;

static size_t end_of(const step *st, size_t task)
{
    return st->n - task * CHUNK < CHUNK ? st->n : (task + 1) * CHUNK;
}

static mn_status edge_task(void *arg, size_t task, size_t thread, mn_err *err)
{
    const step *st = arg;
    (void)thread, (void)err;
    st->solver->sweep->edges(&st->sweep, task * CHUNK, end_of(st, task));
    return MN_OK;
}

static mn_status soft_task(void *arg, size_t task, size_t thread, mn_err *err)
{
    const step *st = arg;
    (void)err;
    st->solver->sweep->states(&st->sweep, task * CHUNK, end_of(st, task),
                              st->solver->scratch + thread * 4 * st->solver->graph->W);
    return MN_OK;
}

static mn_status pass(step *st, mn_task task, size_t n, size_t work, mn_err *err)
{
    size_t tasks = (n + CHUNK - 1) / CHUNK;
    st->n = n;
    if (st->solver->threads > 1 && (double)n * (double)work > WORTH_A_THREAD)
        return mn_parallel(st->solver->threads, tasks, task, st, err);
    for (size_t i = 0; i < tasks; i++) MN_TRY(task(st, i, 0, err));
    return MN_OK;
}

/* From the last step to the first. The first state's four numbers are then where *root points. */
static mn_status backward(const mn_plan_solver *s, step *st, mn_task task, mn_plan_policy *policy, const double **root,
                          mn_err *err)
{
    const mn_plan_graph *g = s->graph;
    mn_plan_sweep *w = &st->sweep;
    st->solver = s;
    w->graph = g;
    w->edges = s->edges;
    for (w->t = g->T; w->t-- > 0;) {
        size_t t = w->t;
        w->after = t + 1 < g->T ? s->values[(t + 1) % 2] : NULL;
        w->now = s->values[t % 2];
        w->pi = policy ? policy->pi + policy->first[t] * g->W : NULL;
        w->kl = policy ? policy->kl + policy->first[t] : NULL;
        MN_TRY(pass(st, edge_task, g->edge_to[t] - g->edge_from[t], g->O + 4, err));
        MN_TRY(pass(st, task, g->to[t] - g->from[t], 4 * g->W + 64, err));
    }
    *root = s->values[0];
    return MN_OK;
}

mn_status mn_plan_soft(mn_plan_solver *solver, mn_plan_policy *policy, double lambda, double *kl, double *slope, mn_err *err)
{
    step st = {.sweep.lambda = lambda};
    const double *root;
    MN_TRY(backward(solver, &st, soft_task, policy, &root, err));
    if (kl) *kl = root[1] > 0 ? root[1] : 0;
    if (slope) *slope = root[2];
    return MN_OK;
}

/* ---- rules for each step ---- */

/* Values of the moves, which the first of an edge's four numbers are at lambda = 1, and the base's probabilities; how many
 * there are. */
static size_t values_of_moves(double *q, double *base, const mn_plan_sweep *w, size_t s)
{
    const mn_plan_graph *g = w->graph;
    size_t first = g->edge_from[w->t], n = g->M + mn_plan_helps(g, s);
    for (size_t a = 0; a < n; a++) base[a] = exp(g->lp_base[s * g->W + a]);
    for (size_t a = 0; a < g->M; a++) q[a] = w->edges[4 * (g->edge[s * g->M + a] - first)];
    if (n == g->M) return n;
    q[g->M] = 0;
    for (size_t a = 0; a < g->M; a++) q[g->M] += g->mu[s * g->M + a] * w->edges[4 * (g->helped[s * g->M + a] - first)];
    return n;
}

static double row_kl(const double *pi, const double *lp_base, size_t n)
{
    double kl = 0;
    for (size_t a = 0; a < n; a++)
        if (pi[a] > 0) kl += pi[a] * (log(pi[a]) - lp_base[a]);
    return kl > 0 ? kl : 0;
}

static mn_status rule_task(void *arg, size_t task, size_t thread, mn_err *err)
{
    const step *st = arg;
    const mn_plan_sweep *w = &st->sweep;
    const mn_plan_graph *g = w->graph;
    double *q = st->solver->scratch + thread * 4 * g->W, *base = q + g->W;
    (void)err;
    for (size_t i = task * CHUNK; i < end_of(st, task); i++) {
        size_t s = g->from[w->t] + i, n = values_of_moves(q, base, w, s);
        double *pi = w->pi + i * g->W, *now = w->now + 4 * i;
        memset(pi, 0, g->W * sizeof *pi);
        memset(now, 0, 4 * sizeof *now);
        mn_plan_rule(pi, q, base, n, st->kind, st->limit, st->solver->tie);
        for (size_t a = 0; a < n; a++) now[0] += pi[a] * q[a];
        w->kl[i] = row_kl(pi, g->lp_base + s * g->W, n);
    }
    return MN_OK;
}

mn_status mn_plan_limited(mn_plan_solver *solver, mn_plan_policy *policy, mn_reg_kind kind, double limit, mn_err *err)
{
    step st = {.sweep.lambda = 1, .kind = kind, .limit = limit};
    const double *root;
    return backward(solver, &st, rule_task, policy, &root, err);
}

/* ---- the multiplier ---- */

/* A first guess: what the KL would be if every step's reward were spread as at the states here, independently. */
static double first_guess(const mn_plan_graph *g, double budget)
{
    double sum = 0;
    size_t n = 0;
    for (size_t s = 0; s < g->S; s += 1 + g->S / 256, n++) {
        double mean = 0, square = 0;
        for (size_t a = 0; a < g->M; a++) {
            double p = exp(g->lp_base[s * g->W + a]), r = g->reward[g->row[g->edge[s * g->M + a]]];
            mean += p * r;
            square += p * r * r;
        }
        sum += square - mean * mean;
    }
    double variance = sum / (double)n * (double)g->T;
    return variance > 0 ? .5 * log(2 * budget / variance) : 0;
}

/* A bracket around the root of f(x) = ln KL - ln budget over x = ln lambda, and the last two points on the curve. */
typedef struct search {
    double low, high;
    double x[2], f[2], slope[2]; /* the last point first; slope 0: no such point */
} search;

static void search_add(search *r, double x, double f, double slope)
{
    r->x[1] = r->x[0], r->f[1] = r->f[0], r->slope[1] = r->slope[0];
    r->x[0] = x, r->f[0] = f, r->slope[0] = slope;
    if (f < 0)
        r->low = x;
    else
        r->high = x;
}

/* x as a cubic of f through two points with their slopes, at f = 0; with one point Newton's step. */
static double search_step(const search *r)
{
    double newton = r->x[0] - r->f[0] / r->slope[0];
    if (!(r->slope[1] > 0) || r->f[0] == r->f[1]) return newton;
    double h = r->f[1] - r->f[0], t = -r->f[0] / h, d0 = h / r->slope[0], d1 = h / r->slope[1], rise = r->x[1] - r->x[0];
    double cubic = r->x[0] + t * (d0 + t * ((3 * rise - 2 * d0 - d1) + t * (d0 + d1 - 2 * rise)));
    return isfinite(cubic) ? cubic : newton;
}

static double search_next(const search *r)
{
    enum { FAR = 6 }; /* e^6: no step is longer while there is no bracket */
    double x = search_step(r), at = r->x[0];
    if (!(x >= at - FAR)) x = at - FAR;
    if (x > at + FAR) x = at + FAR;
    if (x > r->low && x < r->high) return x;
    if (isfinite(r->low) && isfinite(r->high)) return .5 * (r->low + r->high);
    return at + (r->f[0] < 0 ? FAR : -FAR);
}

/* The best of all, and what it costs. */
static mn_status best_of_all(mn_plan_solver *s, mn_plan_policy *policy, mn_err *err)
{
    mn_plan_figures figures;
    step st = {.sweep.lambda = 1, .kind = MN_REG_PENALTY};
    const double *root;
    MN_TRY(backward(s, &st, rule_task, policy, &root, err));
    MN_TRY(mn_plan_measure(&figures, NULL, NULL, s->graph, policy, err));
    s->most = figures.kl_base;
    return MN_OK;
}

/* Whether the budget is more than the best policy costs; asked only where the KL has begun to level off below the budget. */
static mn_status is_ample(bool *ample, mn_plan_solver *s, mn_plan_policy *policy, double budget, mn_err *err)
{
    if (s->most < 0) MN_TRY(best_of_all(s, policy, err));
    *ample = budget >= s->most * (1 - 1e-13);
    return MN_OK;
}

/* The policy is that of the last sweep. *ln_lambda: INFINITY where the budget is ample. */
static mn_status find_lambda(mn_plan_solver *s, mn_plan_policy *policy, double budget, double *ln_lambda, size_t *sweeps,
                             mn_err *err)
{
    enum { MOST = 200 };
    /* Where e^high times the smallest difference that is none of rounding's is hundreds: nothing changes beyond. */
    const double highest = s->tie > 0 ? 6 - log(s->tie) : 0;
    search r = {.low = -INFINITY, .high = INFINITY};
    double x = s->slope > 0 ? s->ln_lambda + (log(budget) - s->ln_kl) / s->slope : first_guess(s->graph, budget), kl = 0,
           slope = 0;
    bool ample = false, asked = false;
    for (; *sweeps < MOST; x = search_next(&r)) {
        x = fmin(x, highest);
        MN_TRY(mn_plan_soft(s, policy, exp(x), &kl, &slope, err));
        ++*sweeps;
        if (fabs(kl - budget) <= 1e-12 * budget + 1e-15) break; /* the KL is no more exact than that */
        if (kl < budget && (slope < .5 * kl || !(kl > 0)) && !asked) {
            asked = true;
            MN_TRY(is_ample(&ample, s, policy, budget, err));
        }
        if (ample || x >= highest) break;
        search_add(&r, x, log(kl) - log(budget), slope / kl);
        if (r.high - r.low <= 1e-15 * fmax(1, fabs(x))) break;
    }
    *ln_lambda = ample ? INFINITY : x;
    if (ample) return MN_OK;
    s->ln_lambda = x;
    s->ln_kl = log(kl);
    s->slope = slope / kl;
    return MN_OK;
}

mn_status mn_plan_budget(mn_plan_solver *solver, mn_plan_policy *policy, double budget, double *lambda, size_t *sweeps,
                         mn_err *err)
{
    double ln_lambda;
    *sweeps = 0;
    *lambda = 0;
    if (budget == 0) return mn_plan_soft(solver, policy, 0, NULL, NULL, err);
    if (budget < INFINITY) MN_TRY(find_lambda(solver, policy, budget, &ln_lambda, sweeps, err));
    *lambda = budget < INFINITY ? exp(ln_lambda) : INFINITY;
    return *lambda == INFINITY ? best_of_all(solver, policy, err) : MN_OK;
}

mn_status mn_plan_penalty(mn_plan_solver *solver, mn_plan_policy *policy, double eta, mn_err *err)
{
    return eta > 0 ? mn_plan_soft(solver, policy, 1 / eta, NULL, NULL, err) : best_of_all(solver, policy, err);
}
