/* The planner on random graphs: against the recursion over all paths, its own optimality, threads, instruction sets, rules,
 * hard budgets, failing allocations. (test_plan.py has the verb against an independent program.) */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "learn/plan_hard.h"
#include "failing_memory.h"

#define TRY(call) assert_int_equal((call), MN_OK)

static double uniform(mn_rng *rng)
{
    return mn_rng_uniform(rng);
}

/* n probabilities, some of them 0 if sparse. */
static void simplex(double *p, size_t n, bool sparse, mn_rng *rng)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += p[i] = sparse && i && uniform(rng) < .3 ? 0 : -log1p(-uniform(rng)) + 1e-6;
    for (size_t i = 0; i < n; i++) p[i] /= sum;
}

/* sizes [T] states of each step, any to any of the next; help where wanted, of its own edges. */
static void random_graph(mn_plan_graph *g, const size_t *sizes, size_t T, size_t M, size_t O, bool help, uint64_t seed)
{
    mn_rng rng = mn_rng_split(seed, 0, 1000);
    size_t S = 0, e = 0, first = 0;
    for (size_t t = 0; t < T; t++) S += sizes[t];
    *g = (mn_plan_graph){.T = T, .S = S, .M = M, .O = O, .E = S * M * (1 + help), .R = 7};
    TRY(mn_plan_graph_allocate(g, help, NULL));
    if (help) assert_non_null(g->helped = malloc(S * M * sizeof *g->helped));
    for (size_t r = 0; r < g->R; r++) {
        simplex(g->p + r * O, O, true, &rng);
        g->reward[r] = uniform(&rng) / (double)T;
    }
    for (size_t t = 0, s = 0; t < T; t++, first = s)
        for (size_t end = s + sizes[t]; s < end; s++) {
            double p[64];
            simplex(p, M + help, true, &rng);
            for (size_t a = 0; a < M + help; a++) g->lp_base[s * g->W + a] = log(p[a]);
            if (help) simplex(g->mu + s * M, M, false, &rng);
            for (size_t k = 0; k < M * (1 + help); k++, e++) {
                (k < M ? g->edge : g->helped)[s * M + k % M] = (uint32_t)e;
                g->row[e] = (uint32_t)mn_rng_below(&rng, g->R);
                for (size_t o = 0; o < O && t + 1 < T; o++)
                    g->next[e * O + o] = (uint32_t)(first + sizes[t] +
                                                    (o + e < O ? o + e : mn_rng_below(&rng, sizes[t + 1])) % sizes[t + 1]);
            }
        }
    mn_plan_graph_steps(g);
}

static const size_t layers[] = {1, 4, 6, 5};
enum { T = 4, M = 5, O = 3 };

/* ---- the recursion, one path after another ------------------------------------------------------------------------ */

typedef struct point {
    double u, k; /* U and the KL to go */
} point;

static point by_paths(const mn_plan_graph *g, size_t t, size_t s, double lambda, double *pi);

static point by_edge(const mn_plan_graph *g, size_t t, size_t edge, double lambda)
{
    point sum = {lambda * g->reward[g->row[edge]], 0};
    for (size_t o = 0; t + 1 < g->T && o < g->O; o++) {
        double p = g->p[g->row[edge] * g->O + o];
        point next = by_paths(g, t + 1, g->next[edge * g->O + o], lambda, NULL);
        sum.u += p * next.u;
        sum.k += p * next.k;
    }
    return sum;
}

/* pi: [W] or NULL. */
static point by_paths(const mn_plan_graph *g, size_t t, size_t s, double lambda, double *pi)
{
    point move[64] = {{0, 0}}, out = {0, 0};
    double sum = 0;
    size_t n = g->M + mn_plan_helps(g, s);
    for (size_t a = 0; a < g->M; a++) move[a] = by_edge(g, t, g->edge[s * g->M + a], lambda);
    for (size_t a = 0; n > g->M && a < g->M; a++) {
        point helped = by_edge(g, t, g->helped[s * g->M + a], lambda);
        move[g->M].u += g->mu[s * g->M + a] * helped.u;
        move[g->M].k += g->mu[s * g->M + a] * helped.k;
    }
    for (size_t a = 0; a < n; a++) sum += exp(g->lp_base[s * g->W + a] + move[a].u);
    out.u = log(sum);
    for (size_t a = 0; a < n; a++) {
        double p = exp(g->lp_base[s * g->W + a] + move[a].u - out.u);
        if (p > 0) out.k += p * (move[a].u - out.u + move[a].k);
        if (pi) pi[a] = p;
    }
    return out;
}

static void close_to(double a, double b, double within)
{
    if (!(fabs(a - b) <= within)) fail_msg("%.17g is not within %g of %.17g", a, within, b);
}

static void soft_plans_are_the_recursion_over_paths(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        mn_plan_graph g;
        mn_plan_policy policy;
        mn_plan_solver *solver;
        random_graph(&g, layers, T, M, O, seed % 2, seed);
        TRY(mn_plan_policy_new(&policy, &g, NULL));
        TRY(mn_plan_solver_new(&solver, &g, 1, NULL));
        for (double lambda = .25; lambda < 1000; lambda *= 8) {
            double kl, slope, below, above, h = 1e-5;
            TRY(mn_plan_soft(solver, NULL, lambda * exp(-h), &below, NULL, NULL));
            TRY(mn_plan_soft(solver, NULL, lambda * exp(h), &above, NULL, NULL));
            TRY(mn_plan_soft(solver, &policy, lambda, &kl, &slope, NULL));
            close_to(kl, by_paths(&g, 0, 0, lambda, NULL).k, 1e-13 * lambda + 1e-12);
            close_to(slope, (above - below) / (2 * h), 1e-6 * fmax(1, slope));
            for (size_t t = 0; t < T; t++)
                for (size_t i = 0; i < (size_t)(g.to[t] - g.from[t]); i++) {
                    double pi[64] = {0};
                    by_paths(&g, t, g.from[t] + i, lambda, pi);
                    for (size_t a = 0; a < g.W; a++) close_to(policy.pi[(policy.first[t] + i) * g.W + a], pi[a], 1e-12);
                }
        }
        mn_plan_solver_free(solver);
        mn_plan_policy_free(&policy);
        mn_plan_graph_free(&g);
    }
}

/* ---- figures, by drawing no number but going through all paths ----------------------------------------------------- */

static double row_kl(const double *pi, const double *lp, size_t n)
{
    double kl = 0;
    for (size_t a = 0; a < n; a++)
        if (pi[a] > 0) kl += pi[a] * (log(pi[a]) - lp[a]);
    return kl;
}

typedef struct sums {
    double value, kl, to_mu, worst, help, slack;
} sums;

static sums follow(const mn_plan_graph *g, const mn_plan_policy *policy, size_t t, size_t s)
{
    const double *pi = policy->pi + (policy->first[t] + s - g->from[t]) * g->W, *lp = g->lp_base + s * g->W;
    bool helps = mn_plan_helps(g, s);
    sums f = {.kl = row_kl(pi, lp, g->M + 1), .help = helps ? pi[g->M] : 0, .slack = helps ? log1p(exp(lp[g->M])) : 0};
    double asked = f.help;
    f.worst = f.kl;
    for (size_t k = 0; k < 2 * g->M; k++) {
        size_t a = k % g->M, edge = (k < g->M ? g->edge : g->helped)[s * g->M + a];
        double weight = k < g->M ? pi[a] : asked * g->mu[s * g->M + a], most = 0;
        if (k < g->M) {
            double made = pi[a] + asked * g->mu[s * g->M + a];
            if (made > 0) f.to_mu += made * log(made / g->mu[s * g->M + a]);
        }
        f.value += weight * g->reward[g->row[edge]];
        for (size_t o = 0; t + 1 < g->T && o < g->O; o++) {
            double p = g->p[g->row[edge] * g->O + o];
            sums next = follow(g, policy, t + 1, g->next[edge * g->O + o]);
            f.value += weight * p * next.value;
            f.kl += weight * p * next.kl;
            f.to_mu += weight * p * next.to_mu;
            f.help += weight * p * next.help;
            f.slack += weight * p * next.slack;
            if (p > 0) most = fmax(most, next.worst);
        }
        f.worst += weight * most;
    }
    return f;
}

static void figures_are_sums_over_paths(void **state)
{
    (void)state;
    mn_plan_graph g;
    mn_plan_policy policy;
    mn_plan_figures f;
    double per_step[4 * T], reached[16], total = 0, kl = 0;
    mn_rng rng = mn_rng_split(3, 0, 1000);
    random_graph(&g, layers, T, M, O, true, 5);
    TRY(mn_plan_policy_new(&policy, &g, NULL));
    for (size_t t = 0; t < T; t++)
        for (size_t s = g.from[t]; s < g.to[t]; s++) {
            size_t at = policy.first[t] + s - g.from[t];
            double *pi = policy.pi + at * g.W, sum = 0;
            for (size_t a = 0; a <= M; a++) sum += pi[a] = g.lp_base[s * g.W + a] > -INFINITY ? uniform(&rng) : 0;
            for (size_t a = 0; a <= M; a++) pi[a] /= sum;
            policy.kl[at] = row_kl(pi, g.lp_base + s * g.W, M + 1);
        }
    TRY(mn_plan_measure(&f, per_step, reached, &g, &policy, NULL));
    sums want = follow(&g, &policy, 0, 0);
    close_to(f.value, want.value, 1e-14);
    close_to(f.kl_base, want.kl, 1e-12);
    close_to(f.kl_demonstrator, want.to_mu, 1e-12);
    close_to(f.worst, want.worst, 1e-12);
    close_to(f.help, want.help, 1e-13);
    close_to(f.slack, want.slack, 1e-13);
    for (size_t t = 0; t < T; t++) kl += per_step[4 * t];
    close_to(kl, f.kl_base, 1e-13);
    for (size_t i = 0; i < policy.N; i++) total += reached[i];
    close_to(total, T, 1e-12);
    mn_plan_policy_free(&policy);
    mn_plan_graph_free(&g);
}

/* ---- budgets --------------------------------------------------------------------------------------------------------- */

/* A policy of the base's support, between the given one and a random one. */
static void stir(mn_plan_policy *out, const mn_plan_policy *from, const mn_plan_graph *g, double by, mn_rng *rng)
{
    for (size_t t = 0; t < g->T; t++)
        for (size_t s = g->from[t]; s < g->to[t]; s++) {
            size_t at = out->first[t] + s - g->from[t];
            double *pi = out->pi + at * g->W, sum = 0;
            for (size_t a = 0; a < g->W; a++) sum += pi[a] = from->pi[at * g->W + a] * exp(by * mn_rng_normal(rng));
            for (size_t a = 0; a < g->W; a++) pi[a] /= sum;
            out->kl[at] = row_kl(pi, g->lp_base + s * g->W, g->M + 1);
        }
}

static void budgets_are_met_and_no_policy_does_better(void **state)
{
    (void)state;
    const double budgets[] = {1e-9, 1e-3, .1, .1, .7, .3, 1.1};
    for (uint64_t seed = 11; seed <= 16; seed++) {
        mn_plan_graph g;
        mn_plan_policy policy, other;
        mn_plan_solver *solver;
        mn_plan_figures f, h;
        mn_rng rng = mn_rng_split(seed, 1, 1000);
        random_graph(&g, layers, T, M, O, seed % 2, seed);
        TRY(mn_plan_policy_new(&policy, &g, NULL));
        TRY(mn_plan_policy_new(&other, &g, NULL));
        TRY(mn_plan_solver_new(&solver, &g, 1, NULL));
        for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
            double lambda;
            size_t sweeps;
            TRY(mn_plan_budget(solver, &policy, budgets[i], &lambda, &sweeps, NULL));
            TRY(mn_plan_measure(&f, NULL, NULL, &g, &policy, NULL));
            if (sweeps >= 20) fail_msg("%d %g: %zu", (int)seed, budgets[i], sweeps);
            if (lambda == INFINITY) {
                assert_true(f.kl_base <= budgets[i]);
            } else { /* the budget is small beside the terms that make it up: rounding is of theirs */
                close_to(f.kl_base, budgets[i], 1e-12 * budgets[i] + 1e-15);
            }
            for (int k = 0; k < 20; k++) {
                stir(&other, &policy, &g, pow(10, -4 * uniform(&rng)), &rng);
                TRY(mn_plan_measure(&h, NULL, NULL, &g, &other, NULL));
                assert_true(h.value - h.kl_base / lambda <= f.value - f.kl_base / lambda + 1e-14);
            }
        }
        mn_plan_solver_free(solver);
        mn_plan_policy_free(&policy);
        mn_plan_policy_free(&other);
        mn_plan_graph_free(&g);
    }
}

/* Two moves of equal value in every state, one of them the likelier, and a worse one. */
static void equals_keep_the_bases_proportions(void **state)
{
    (void)state;
    const size_t one[] = {1, 1};
    const double base[] = {.6, .2, .2}, reward[] = {.25, .25, .125}, budgets[] = {1, INFINITY, 2 * -log(.8), -log(.8)};
    mn_plan_graph g;
    mn_plan_policy policy;
    mn_plan_solver *solver;
    double lambda;
    size_t sweeps;
    random_graph(&g, one, 2, 3, 1, false, 1);
    for (size_t s = 0; s < 2; s++)
        for (size_t a = 0; a < 3; a++) {
            g.lp_base[s * g.W + a] = log(base[a]);
            g.row[g.edge[s * 3 + a]] = (uint32_t)a;
            g.reward[a] = reward[a];
            g.p[a] = 1;
        }
    TRY(mn_plan_policy_new(&policy, &g, NULL));
    TRY(mn_plan_solver_new(&solver, &g, 1, NULL));
    for (size_t i = 0; i < 4; i++) {
        TRY(mn_plan_budget(solver, &policy, budgets[i], &lambda, &sweeps, NULL));
        assert_true((lambda == INFINITY) == (i < 3));
        close_to(policy.pi[0] / policy.pi[1], 3, 1e-14);
        if (i < 3) assert_true(policy.pi[2] == 0);
    }
    TRY(mn_plan_penalty(solver, &policy, 0, NULL));
    assert_true(policy.pi[2] == 0);
    TRY(mn_plan_budget(solver, &policy, 0, &lambda, &sweeps, NULL));
    assert_true(lambda == 0 && policy.kl[0] == 0);
    close_to(policy.pi[0], .6, 2e-16);
    mn_plan_solver_free(solver);
    mn_plan_policy_free(&policy);
    mn_plan_graph_free(&g);
}

/* ---- the same bits ----------------------------------------------------------------------------------------------------- */

static void threads_change_no_bit(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 3000, 3000, 3000};
    mn_plan_graph g;
    mn_plan_policy policy[2];
    double lambda[2];
    size_t sweeps, bytes;
    random_graph(&g, sizes, 4, 27, 16, true, 21);
    for (size_t k = 0; k < 2; k++) {
        mn_plan_solver *solver;
        TRY(mn_plan_solver_new(&solver, &g, 1 + k, NULL));
        TRY(mn_plan_policy_new(&policy[k], &g, NULL));
        TRY(mn_plan_budget(solver, &policy[k], .5, &lambda[k], &sweeps, NULL));
        mn_plan_solver_free(solver);
    }
    bytes = policy[0].N * g.W * sizeof(double);
    assert_true(lambda[0] == lambda[1]);
    assert_memory_equal(policy[0].pi, policy[1].pi, bytes);
    assert_memory_equal(policy[0].kl, policy[1].kl, policy[0].N * sizeof(double));
    mn_plan_policy_free(&policy[0]);
    mn_plan_policy_free(&policy[1]);
    mn_plan_graph_free(&g);
}

/* Step 2 of a graph, by one instruction set. */
static void sweep_once(const mn_plan_sweep_fn *fn, const mn_plan_graph *g, const double *after, double *now, double *pi,
                       double *kl)
{
    double edges[1024], scratch[4 * 64];
    mn_plan_sweep w = {.graph = g, .lambda = 3, .t = 2, .after = after, .edges = edges, .now = now, .pi = pi, .kl = kl};
    assert_true((g->edge_to[2] - g->edge_from[2]) * 4 <= 1024);
    fn->edges(&w, 0, g->edge_to[2] - g->edge_from[2]);
    fn->states(&w, 0, g->to[2] - g->from[2], scratch);
}

static void instruction_sets_agree_to_the_bit(void **state)
{
    (void)state;
    const mn_plan_sweep_fn *sets[3] = {&mn_plan_sweep_plain};
    size_t n = 1;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets[n++] = &mn_plan_sweep_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) sets[n++] = &mn_plan_sweep_avx512;
#endif
    mn_plan_graph g;
    mn_rng rng = mn_rng_split(8, 0, 1000);
    double after[4 * 5], now[3][4 * 6], pi[3][6 * 16], kl[3][6];
    random_graph(&g, layers, T, 13, O, true, 4);
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) after[i] = i % 4 < 3 ? uniform(&rng) : 0;
    for (size_t k = 0; k < n; k++) {
        sweep_once(sets[k], &g, after, now[k], pi[k], kl[k]);
        assert_memory_equal(now[k], now[0], sizeof now[0]);
        assert_memory_equal(pi[k], pi[0], sizeof pi[0]);
        assert_memory_equal(kl[k], kl[0], sizeof kl[0]);
    }
    mn_plan_graph_free(&g);
}

/* ---- rules
 * ----------------------------------------------------------------------------------------------------------------- */

static double divergence(const double *pi, const double *base, size_t n, mn_reg_kind kind)
{
    double sum = 0;
    for (size_t a = 0; a < n; a++) {
        if (kind == MN_REG_TVD) sum += fabs(pi[a] - base[a]) / 2;
        if (kind == MN_REG_CHI2 && pi[a] > 0) sum += base[a] > 0 ? (pi[a] - base[a]) * (pi[a] - base[a]) / base[a] : INFINITY;
        if (kind == MN_REG_CHI2 && pi[a] == 0) sum += base[a];
    }
    return sum;
}

static double mean_of(const double *pi, const double *q, size_t n)
{
    double sum = 0;
    for (size_t a = 0; a < n; a++) sum += pi[a] * q[a];
    return sum;
}

/* Feasible, and no mixture of it with anything feasible is better. */
static void check_rule(mn_reg_kind kind, double limit, const double *q, const double *base, size_t n, mn_rng *rng)
{
    double pi[9], other[9], sum = 0;
    mn_plan_rule(pi, q, base, n, kind, limit, 1e-14);
    for (size_t a = 0; a < n; a++) {
        assert_true(pi[a] >= 0);
        sum += pi[a];
    }
    close_to(sum, 1, 1e-14);
    assert_true(divergence(pi, base, n, kind) <= limit * (1 + 1e-12) + 1e-14);
    for (int k = 0; k < 300; k++) {
        double far[9], step = pow(10, -5 * uniform(rng));
        simplex(far, n, true, rng);
        for (size_t a = 0; a < n; a++) other[a] = (1 - step) * pi[a] + step * (k % 2 ? far[a] : 0);
        if (k % 2 == 0) other[(size_t)k / 2 % n] += step;
        for (size_t a = 0; a < n; a++) sum += other[a];
        while (step > 1e-9 && divergence(other, base, n, kind) > limit) { /* back to what is allowed, towards the base */
            for (size_t a = 0; a < n; a++) other[a] = .9 * other[a] + .1 * base[a];
            step *= .9;
        }
        if (divergence(other, base, n, kind) <= limit) assert_true(mean_of(other, q, n) <= mean_of(pi, q, n) + 1e-12);
    }
}

static void rules_give_the_best_that_the_limit_allows(void **state)
{
    (void)state;
    const double limits[] = {0, 1e-6, .03, .3, 1, 5, 1e4};
    mn_rng rng = mn_rng_split(9, 0, 1000);
    for (int k = 0; k < 60; k++) {
        double base[9], q[9], pi[9];
        size_t n = 2 + mn_rng_below(&rng, 8);
        simplex(base, n, k % 2, &rng);
        for (size_t a = 0; a < n; a++) q[a] = k % 3 ? uniform(&rng) : floor(3 * uniform(&rng)); /* with ties */
        for (size_t i = 0; i < 7; i++) {
            check_rule(MN_REG_TVD, limits[i], q, base, n, &rng);
            check_rule(MN_REG_CHI2, limits[i], q, base, n, &rng);
            mn_plan_rule(pi, q, base, n, MN_REG_TVD, limits[i], 0); /* only the best gain */
            for (size_t a = 0; a < n; a++)
                for (size_t b = 0; b < n; b++) assert_false(pi[a] > base[a] && q[b] > q[a]);
        }
        mn_plan_rule(pi, q, base, n, MN_REG_NONE, 0, 0);
        for (size_t a = 0; a < n; a++) assert_true(mean_of(pi, q, n) >= q[a] - 1e-15);
    }
}

/* ---- hard budgets
 * ------------------------------------------------------------------------------------------------------------ */

/* The most that any path can spend, whatever moves and outcomes come. */
static double costliest_path(const mn_plan_graph *g, const mn_plan_policy *policy, size_t t, size_t s)
{
    size_t at = policy->first[t] + s - g->from[t];
    double most = 0;
    for (size_t k = 0; k < 2 * g->M && t + 1 < g->T; k++) {
        size_t edge = (k < g->M ? g->edge : g->helped)[s * g->M + k % g->M];
        for (size_t o = 0; o < g->O; o++) most = fmax(most, costliest_path(g, policy, t + 1, g->next[edge * g->O + o]));
    }
    return policy->kl[at] + most;
}

static void no_path_exceeds_a_hard_budget(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 3, 4};
    const double budgets[] = {0, .3, 1, 2.5};
    for (uint64_t seed = 31; seed <= 34; seed++) {
        mn_plan_graph g, own[2];
        mn_plan_policy policy[2], soft;
        mn_plan_solver *solver;
        mn_plan_figures f, e;
        double above[2], lambda;
        size_t sweeps;
        random_graph(&g, sizes, 3, 4, 2, seed % 2, seed);
        TRY(mn_plan_policy_new(&soft, &g, NULL));
        TRY(mn_plan_solver_new(&solver, &g, 1, NULL));
        for (size_t i = 0; i < 4; i++) {
            for (size_t k = 0; k < 2; k++) {
                mn_plan_hard *hard;
                TRY(mn_plan_hard_new(&hard, &g, .1, 2.5, 1 + k, NULL, NULL, NULL));
                TRY(mn_plan_hard_policy(hard, budgets[i], &own[k], &policy[k], &above[k], NULL));
                mn_plan_hard_free(hard);
            }
            assert_true(policy[0].N == policy[1].N && above[0] == above[1]);
            assert_memory_equal(policy[0].pi, policy[1].pi, policy[0].N * g.W * sizeof(double));
            assert_true(costliest_path(&own[0], &policy[0], 0, 0) <= budgets[i]);
            TRY(mn_plan_measure(&f, NULL, NULL, &own[0], &policy[0], NULL));
            TRY(mn_plan_budget(solver, &soft, budgets[i], &lambda, &sweeps, NULL));
            TRY(mn_plan_measure(&e, NULL, NULL, &g, &soft, NULL));
            assert_true(f.value <= above[0] + 1e-13);
            if (!(f.value <= e.value + 1e-12))
                fail_msg("%d %g: %.17g %.17g  %g %g", (int)seed, budgets[i], f.value, e.value, f.kl_base, e.kl_base);
            for (size_t k = 0; k < 2; k++) mn_plan_policy_free(&policy[k]), mn_plan_graph_free(&own[k]);
        }
        mn_plan_solver_free(solver);
        mn_plan_policy_free(&soft);
        mn_plan_graph_free(&g);
    }
}

/* ---- allocation failures ---- */

/* Every allocation fails once, the first, the second, ...; the sanitizers see that nothing is lost. */
static void fail_each(const char *const *sets, size_t n, const char *dir)
{
    for (size_t k = 0;; k++) {
        mn_err err = {0};
        mn_plan_opts opts = {.sets = sets, .n_sets = n, .dir = dir, .threads = 1, .sampled = 1};
        until_failure = k;
        denied = false;
        mn_status status = mn_plan(&opts, &err);
        until_failure = SIZE_MAX;
        if (!denied) break;
        if (status != MN_ERR_MEMORY) fail_msg("allocation %zu: status %d, %s", k, status, err.message);
    }
}

static void allocations_may_fail(void **state)
{
    (void)state;
    const char *const soft[] = {"turns=2",           "demonstrations=3", "demonstration_turns=1", "depth=1",
                                "switch=true",       "alpha=1e-4",       "leaf_alpha=.1",         "learn_from=demonstrator",
                                "budgets=[1, .inf]", "max_states=200"};
    const char *const hard[] = {"turns=2", "demonstrations=3", "depth=1", "hard=true", "grid_nats=1", "budgets=[1]"};
    const char *const rule[] = {"turns=1", "demonstrations=1", "depth=0", "regularizer=tvd", "budgets=[.1]"};
    char dir[] = "/tmp/mightnt-plan-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    fail_each(soft, sizeof soft / sizeof *soft, NULL);
    fail_each(hard, sizeof hard / sizeof *hard, NULL);
    fail_each(rule, sizeof rule / sizeof *rule, dir);
    const char *const names[] = {"plan.json", "policy.jsonl", "transcripts.jsonl"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
}

static bool at_once(void *arg)
{
    (void)arg;
    return true;
}

static void stops_when_asked(void **state)
{
    (void)state;
    mn_err err;
    mn_plan_opts opts = {.stop = at_once};
    assert_int_equal(mn_plan(&opts, &err), MN_ERR_INTERRUPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soft_plans_are_the_recursion_over_paths),
        cmocka_unit_test(figures_are_sums_over_paths),
        cmocka_unit_test(budgets_are_met_and_no_policy_does_better),
        cmocka_unit_test(equals_keep_the_bases_proportions),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(instruction_sets_agree_to_the_bit),
        cmocka_unit_test(rules_give_the_best_that_the_limit_allows),
        cmocka_unit_test(no_path_exceeds_a_hard_budget),
        cmocka_unit_test(allocations_may_fail),
        cmocka_unit_test(stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
