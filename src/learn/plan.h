/* The exact agent. States in layers of time, moves with outcomes; the policy that is best under a regulariser, and all that is
 * reported of a policy. Knows nothing of where the numbers come from (plan_graph.c) nor of files (plan_run.c). */
#ifndef MN_PLAN_H
#define MN_PLAN_H

#include <math.h>

#include "base/base.h"

/* Every state has M moves and every move O outcomes (of probability 0 where there are fewer). One more move, help, the last: the
 * demonstrator then makes the move. */
typedef struct mn_plan_graph {
    size_t T, S, M, O;
    size_t W;              /* M + 1 rounded up to 8: the width of a row of moves, help and padding */
    size_t R;              /* rows of outcomes */
    uint32_t *from, *to;   /* [T] the states of step t: from <= s < to; what follows from them lies among those of step t + 1 */
    double *lp_base;       /* [S,W] -INFINITY for what the base never does, and in the padding */
    double *mu;            /* [S,M] probabilities of the demonstrator's moves; NULL: not known, and then there is no help */
    uint32_t *row;         /* [S,M] of outcomes */
    double *reward;        /* [R] expected, in parts of the episode's value */
    double *p;             /* [R,O] */
    uint32_t *next;        /* [S,M,O] states; of no meaning at the last step */
    uint32_t *next_helped; /* [S,M,O] after the demonstrator's move; the same array where that makes no difference */
} mn_plan_graph;

/* Allocates all arrays but next_helped, which is next, and mu unless known. 0 everywhere, lp_base -INFINITY. */
MN_CHECKED mn_status mn_plan_graph_new(mn_plan_graph *graph, size_t T, size_t S, size_t M, size_t O, size_t R, bool known,
                                       mn_err *err);
void mn_plan_graph_free(mn_plan_graph *graph);
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
 * V = U / lambda (Todorov 2007; CLASSROOM: V = eta ln sum base exp(Q/eta), eta = 1/lambda). 0 <= lambda < INFINITY.
 * *kl: that sum; *slope: d kl / d ln lambda = E sum_t Var_pi(ln pi/base + E KL_{t+1}); either may be NULL. One sweep: O(T S M O). */
MN_CHECKED mn_status mn_plan_soft(mn_plan_solver *solver, mn_plan_policy *policy, double lambda, double *kl, double *slope,
                                  mn_err *err);
/* The best policy among those whose expected KL over the episode is at most `budget`: lambda by safeguarded Newton steps on
 * ln KL over ln lambda, from the last budget's root on, until the KL is within 1e-12 of the budget. A budget that the best policy of
 * all does not use up: that one (lambda = INFINITY), of equals the base's proportions. budget >= 0. Some 6 sweeps; *sweeps: how many. */
MN_CHECKED mn_status mn_plan_budget(mn_plan_solver *solver, mn_plan_policy *policy, double budget, double *lambda, size_t *sweeps,
                                    mn_err *err);
/* The best policy for value - eta KL, eta >= 0; at 0 the best of all, of equals the base's proportions. */
MN_CHECKED mn_status mn_plan_penalty(mn_plan_solver *solver, mn_plan_policy *policy, double eta, mn_err *err);
/* The best policy under a limit on every step's divergence from the base: MN_REG_TVD, MN_REG_CHI2, or MN_REG_NONE (limit ignored).
 * Exact by backward induction: the episode's best policy is at each state the best given what follows. */
MN_CHECKED mn_status mn_plan_limited(mn_plan_solver *solver, mn_plan_policy *policy, mn_reg_kind kind, double limit, mn_err *err);

/* What a policy comes to, from the first state. Infinite where a policy does what the other never does. */
typedef struct mn_plan_figures {
    double value;          /* E sum of rewards */
    double kl_base;        /* E sum of KL(pi || base) */
    double kl_demonstrator;/* E sum of KL(made || mu), made = pi with help replaced by mu; NAN where mu is not known */
    double worst;          /* the same sum as kl_base where each outcome is the costliest of those possible */
    double help;           /* E number of times that help is asked for */
    double slack;          /* E sum of ln(1 + base's help): kl_demonstrator <= kl_base + slack wherever base <= mu */
} mn_plan_figures;
/* per_step: [T,4] kl_base, kl_demonstrator, reward, help of each step; reached: [N] probability of each row of the policy; either may be
 * NULL. O(T S M O). */
MN_CHECKED mn_status mn_plan_measure(mn_plan_figures *out, double *per_step, double *reached, const mn_plan_graph *graph,
                                     const mn_plan_policy *policy, mn_err *err);

/* ---- inside the planner ---- */

/* One backward step of the soft recursion. Four numbers a state: U, KL to go, its slope, 0. */
typedef struct mn_plan_sweep {
    const mn_plan_graph *graph;
    double lambda;
    const double *after;   /* [.,4] of the next step's states; NULL at the last step */
    size_t now_from, after_from;
    double *now;           /* [.,4] */
    double *pi, *kl;       /* [.,W], [.] or NULL */
} mn_plan_sweep;
/* States from..to-1; scratch: [4 W]. The same bits in all instruction sets. */
typedef void mn_plan_sweep_fn(const mn_plan_sweep *sweep, size_t from, size_t to, double *scratch);
extern mn_plan_sweep_fn mn_plan_sweep_plain, mn_plan_sweep_avx2, mn_plan_sweep_avx512;

/* One row under a rule: pi [M+1] from q, the value of each of the n moves, and base (probabilities). */
void mn_plan_rule(double *pi, const double *q, const double *base, size_t n, mn_reg_kind kind, double limit, double tie);

#endif
