/* The exact agent. States in layers of time, moves with outcomes; the policy that is best under a regulariser, and all that is
 * reported of a policy. Knows nothing of where the numbers come from (plan_graph.c) nor of files (plan_run.c). */
#ifndef MN_PLAN_H
#define MN_PLAN_H

#include <math.h>

#include "base/base.h"

/* Every state has M moves and one more, help, the last: the demonstrator then makes the move. A move leads to an edge: a row
 * of O outcomes (of probability 0 where there are fewer) and the states that follow each. What states share, an edge or a
 * row, is there once. */
typedef struct mn_plan_graph {
    size_t T, S, M, O;
    size_t W;    /* M + 1 rounded up to 8: the width of a row of moves, help and padding */
    size_t E, R; /* edges, rows of outcomes */
    /* The states of step t: from[t] <= s < to[t]. Their edges lie in edge_from[t] <= e < edge_to[t], and what follows all of
     * these lies among the states of step t + 1. [T] each, by mn_plan_graph_steps. */
    uint32_t *from, *to, *edge_from, *edge_to;
    double *lp_base;  /* [S,W] -INFINITY for what the base never does, and in the padding */
    double *mu;       /* [S,M] probabilities of the demonstrator's moves; NULL: not known, and then there is no help */
    uint32_t *edge;   /* [S,M] of the agent's moves */
    uint32_t *helped; /* [S,M] of the demonstrator's; the same array where that makes no difference */
    uint32_t *row;    /* [E] */
    uint32_t *next;   /* [E,O] states; of no meaning at the last step */
    double *reward;   /* [R] expected, in parts of the episode's value */
    double *p;        /* [R,O] */
} mn_plan_graph;

/* Allocates all arrays of a graph with T, S, M, O, E, R set, helped not apart, and mu only where the demonstrator is known. 0
 * everywhere, lp_base -INFINITY. Free it also after a failure. */
MN_CHECKED mn_status mn_plan_graph_allocate(mn_plan_graph *graph, bool known, mn_err *err);
void mn_plan_graph_free(mn_plan_graph *graph);
static inline size_t mn_plan_width(size_t M)
{
    return (M + 8) & ~(size_t)7;
}
/* Fills from, to, edge_from, edge_to, from state 0 on. */
void mn_plan_graph_steps(mn_plan_graph *graph);
static inline bool mn_plan_helps(const mn_plan_graph *g, size_t s)
{
    return g->mu && g->lp_base[s * g->W + g->M] > -INFINITY;
}

/* A policy for every step and state of it: N rows, those of step t from first[t] on. */
typedef struct mn_plan_policy {
    size_t N;
    size_t *first; /* [T] */
    double *pi;    /* [N,W] */
    double *kl;    /* [N] KL(pi || base) of the row, help one of the moves */
} mn_plan_policy;
MN_CHECKED mn_status mn_plan_policy_new(mn_plan_policy *policy, const mn_plan_graph *graph, mn_err *err);
void mn_plan_policy_free(mn_plan_policy *policy);

typedef struct mn_plan_solver mn_plan_solver;
/* Borrows the graph. threads: never changes a bit of what comes out. */
MN_CHECKED mn_status mn_plan_solver_new(mn_plan_solver **out, const mn_plan_graph *graph, size_t threads, mn_err *err);
void mn_plan_solver_free(mn_plan_solver *solver);

/* The policy that is best for value - KL/lambda, KL the expected sum over the episode of KL(pi || base):
 *   U_t(s) = ln sum_a base(a) exp(lambda r(a) + E U_{t+1}), pi ∝ base exp(lambda r + E U_{t+1}),
 * V = U / lambda (Todorov 2007; docs/planning.md: V = eta ln sum base exp(Q/eta), eta = 1/lambda). 0 <= lambda < INFINITY.
 * *kl: that sum; *slope: d kl / d ln lambda = E sum_t Var_pi(ln pi/base + E KL_{t+1}); either may be NULL. One sweep: O(T S M
 * O). */
MN_CHECKED mn_status mn_plan_soft(mn_plan_solver *solver, mn_plan_policy *policy, double lambda, double *kl, double *slope,
                                  mn_err *err);
/* The best policy among those whose expected KL over the episode is at most `budget`: lambda by safeguarded steps on ln KL over
 * ln lambda (cubic interpolation with slopes), from the last budget's root on, until the KL is within 1e-12 of the budget. A
 * budget that the best policy of all does not use up: that one (lambda = INFINITY), of equals the base's proportions. budget
 * >= 0. Some 6 sweeps; *sweeps: how many. */
MN_CHECKED mn_status mn_plan_budget(mn_plan_solver *solver, mn_plan_policy *policy, double budget, double *lambda,
                                    size_t *sweeps, mn_err *err);
/* The best policy for value - eta KL, eta >= 0; at 0 the best of all, of equals the base's proportions. */
MN_CHECKED mn_status mn_plan_penalty(mn_plan_solver *solver, mn_plan_policy *policy, double eta, mn_err *err);
/* The best policy under a limit on every step's divergence from the base: MN_REG_TVD, MN_REG_CHI2, or MN_REG_NONE (limit
 * ignored). Exact by backward induction: the episode's best policy is at each state the best given what follows. */
MN_CHECKED mn_status mn_plan_limited(mn_plan_solver *solver, mn_plan_policy *policy, mn_reg_kind kind, double limit,
                                     mn_err *err);

/* What a policy comes to, from the first state. Infinite where a policy does what the other never does. */
typedef struct mn_plan_figures {
    double value;           /* E sum of rewards */
    double kl_base;         /* E sum of KL(pi || base) */
    double kl_demonstrator; /* E sum of KL(made || mu), made = pi with help replaced by mu; NAN where mu is not known */
    double worst;           /* the same sum as kl_base where each outcome is the costliest of those possible */
    double help;            /* E number of times that help is asked for */
    double slack;           /* E sum of ln(1 + base's help): kl_demonstrator <= kl_base + slack wherever base <= mu */
} mn_plan_figures;
/* per_step: [T,4] kl_base, kl_demonstrator, reward, help of each step; reached: [N] probability of each row of the policy;
 * either may be NULL. O(T S M O). */
MN_CHECKED mn_status mn_plan_measure(mn_plan_figures *out, double *per_step, double *reached, const mn_plan_graph *graph,
                                     const mn_plan_policy *policy, mn_err *err);

/* ---- inside the planner ---- */

/* One backward step of the soft recursion, in two passes. Four numbers a state: U, KL to go, its slope, 0. Four an edge:
 * lambda r + E U, and what is expected of the others. */
typedef struct mn_plan_sweep {
    const mn_plan_graph *graph;
    double lambda;
    size_t t;
    const double *after; /* [.,4] of the next step's states; NULL at the last step */
    double *edges;       /* [.,4] of this step's edges */
    double *now;         /* [.,4] of this step's states */
    double *pi, *kl;     /* [.,W], [.] of this step's states, or NULL */
} mn_plan_sweep;
/* Edges, or states, from..to-1 of the step, counted from its first. scratch: [4 W]. The same bits in all instruction sets. */
typedef struct mn_plan_sweep_fn {
    void (*edges)(const mn_plan_sweep *sweep, size_t from, size_t to);
    void (*states)(const mn_plan_sweep *sweep, size_t from, size_t to, double *scratch);
} mn_plan_sweep_fn;
extern const mn_plan_sweep_fn mn_plan_sweep_plain, mn_plan_sweep_avx2, mn_plan_sweep_avx512;

/* One row under a rule: pi [M+1] from q, the value of each of the n moves, and base (probabilities). */
void mn_plan_rule(double *pi, const double *q, const double *base, size_t n, mn_reg_kind kind, double limit, double tie);

#endif
