/* Times the exact planner on dense random problems, beside bench/peers/plan_numpy.py: 2,000 states, 27 moves, 64 steps, and the
 * multiplier found so that the episode's KL is 10 nats. One outcome a move (a deterministic world), then 16. CPU seconds of
 * one thread and wall seconds of two: median of 5.
 *   bench_plan [threads] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "learn/plan.h"

enum { STATES = 2000, MOVES = 27, STEPS = 64, ROUNDS = 5 };

static void must(mn_status status, const mn_err *err)
{
    if (status == MN_OK) return;
    fprintf(stderr, "%s\n", err->message);
    exit(mn_exit_status(status));
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Scores 1.5 N, rewards uniform, outcomes anywhere with exponential weights. */
static void fill(mn_plan_graph *g, size_t outcomes)
{
    mn_err err = {0};
    mn_rng rng = mn_rng_split(1, outcomes, 1000);
    *g = (mn_plan_graph){.T = STEPS, .S = STATES, .M = MOVES, .O = outcomes, .E = STATES * MOVES, .R = STATES * MOVES};
    must(mn_plan_graph_allocate(g, false, &err), &err);
    for (size_t s = 0; s < STATES; s++) {
        double sum = 0;
        for (size_t a = 0; a < MOVES; a++) sum += exp(g->lp_base[s * g->W + a] = 1.5 * mn_rng_normal(&rng));
        for (size_t a = 0; a < MOVES; a++) g->lp_base[s * g->W + a] -= log(sum);
    }
    for (size_t r = 0; r < g->R; r++) {
        double sum = 0;
        g->edge[r] = g->row[r] = (uint32_t)r;
        g->reward[r] = mn_rng_uniform(&rng);
        for (size_t o = 0; o < outcomes; o++) {
            g->next[r * outcomes + o] = (uint32_t)mn_rng_below(&rng, STATES);
            sum += g->p[r * outcomes + o] = -log1p(-mn_rng_uniform(&rng));
        }
        for (size_t o = 0; o < outcomes; o++) g->p[r * outcomes + o] /= sum;
    }
    mn_plan_graph_steps(g);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_one(size_t outcomes, size_t threads)
{
    clockid_t clock = threads > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
    double sweep[ROUNDS], solve[ROUNDS], lambda = 0;
    size_t sweeps = 0;
    mn_err err = {0};
    mn_plan_graph g;
    mn_plan_policy policy;
    mn_plan_figures figures;
    fill(&g, outcomes);
    must(mn_plan_policy_new(&policy, &g, &err), &err);
    for (size_t i = 0; i < ROUNDS; i++) {
        mn_plan_solver *solver;
        must(mn_plan_solver_new(&solver, &g, threads, &err), &err);
        double begun = seconds(clock);
        must(mn_plan_soft(solver, NULL, 10, NULL, NULL, &err), &err);
        sweep[i] = seconds(clock) - begun;
        begun = seconds(clock);
        must(mn_plan_budget(solver, &policy, 10, &lambda, &sweeps, &err), &err);
        solve[i] = seconds(clock) - begun;
        mn_plan_solver_free(solver);
    }
    must(mn_plan_measure(&figures, NULL, NULL, &g, &policy, &err), &err);
    qsort(sweep, ROUNDS, sizeof *sweep, by_size);
    qsort(solve, ROUNDS, sizeof *solve, by_size);
    printf("%zu\t%zu\t%.2f\t%.4f\t%zu\t%.12f\t%.12f\t%.12f\n", outcomes, threads, 1e3 * sweep[ROUNDS / 2], solve[ROUNDS / 2],
           sweeps, 1 / lambda, figures.value, figures.kl_base);
    mn_plan_policy_free(&policy);
    mn_plan_graph_free(&g);
}

int main(int argc, char **argv)
{
    size_t threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    printf("outcomes\tthreads\tsweep_ms\tsolve_s\tsweeps\teta\treward\tkl_nats\n");
    time_one(1, threads);
    time_one(16, threads);
    return 0;
}
