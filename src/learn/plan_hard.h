/* The agent whose budget no path may exceed: the state carries what is left, in multiples of a grid step, and each move says
 * how much it may spend. Exact on that grid:
 *   V_t(s, i) = max over j <= i and pi with KL(pi || base) <= (i - j) step of sum_a pi(a) (r(a) + E V_{t+1}(s', j)). */
#ifndef MN_PLAN_HARD_H
#define MN_PLAN_HARD_H

#include "learn/plan.h"

typedef struct mn_plan_hard mn_plan_hard;

/* Solves for all budgets up to `most`, and T steps of the grid more. O(T S n (n + moves evaluated)), n = most / step + T;
 * memory 12 bytes a state, step and grid point. MN_ERR_LIMIT, MN_ERR_MEMORY, MN_ERR_INTERRUPTED (stop may be NULL). */
MN_CHECKED mn_status mn_plan_hard_new(mn_plan_hard **out, const mn_plan_graph *graph, double step, double most, size_t threads,
                                      bool (*stop)(void *arg), void *arg, mn_err *err);
void mn_plan_hard_free(mn_plan_hard *hard);
/* The best policy on the grid for a budget up to `most`, as a policy on a graph of its own: its states are those of the first
 * with what is left. Every row's KL is at most what it may spend (mn_regularize), so that no path exceeds the budget. *above:
 * V_t(s, i + T), which no policy within the budget exceeds, off the grid neither: round what it spends at each step up to the
 * grid. Free both. */
MN_CHECKED mn_status mn_plan_hard_policy(const mn_plan_hard *hard, double budget, mn_plan_graph *graph, mn_plan_policy *policy,
                                         double *above, mn_err *err);

#endif
