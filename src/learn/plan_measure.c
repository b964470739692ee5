/* What a policy comes to: forward over the distribution of states, backward for the costliest outcomes. */
#include <math.h>
#include <string.h>

#include "learn/plan.h"

/* made: [M], the moves that the agent or, for it, the demonstrator makes. */
static void moves_made(double *made, const mn_plan_graph *g, const double *pi, size_t s)
{
    double asked = mn_plan_helps(g, s) ? pi[g->M] : 0;
    for (size_t a = 0; a < g->M; a++) made[a] = pi[a] + (asked > 0 ? asked * g->mu[s * g->M + a] : 0);
}

static double kl_to_demonstrator(const mn_plan_graph *g, const double *made, size_t s)
{
    double kl = 0;
    if (!g->mu) return NAN;
    for (size_t a = 0; a < g->M; a++)
        if (made[a] > 0) kl += made[a] * log(made[a] / g->mu[s * g->M + a]);
    return kl > 0 ? kl : 0;
}

static void add(mn_plan_figures *f, double *step, const mn_plan_graph *g, const mn_plan_policy *policy, size_t at, size_t s,
                double weight, const double *made)
{
    const double *pi = policy->pi + at * g->W;
    bool helps = mn_plan_helps(g, s);
    double reward = 0, figures[4];
    for (size_t a = 0; a < g->M; a++) reward += made[a] * g->reward[g->row[s * g->M + a]];
    figures[0] = policy->kl[at];
    figures[1] = kl_to_demonstrator(g, made, s);
    figures[2] = reward;
    figures[3] = helps ? pi[g->M] : 0;
    f->kl_base += weight * figures[0];
    f->kl_demonstrator += weight * figures[1];
    f->value += weight * figures[2];
    f->help += weight * figures[3];
    if (helps) f->slack += weight * log1p(exp(g->lp_base[s * g->W + g->M]));
    for (size_t k = 0; step && k < 4; k++) step[k] += weight * figures[k];
}

static void pass_on(double *after, const mn_plan_graph *g, const double *pi, size_t s, double weight, size_t after_from)
{
    double asked = mn_plan_helps(g, s) ? pi[g->M] : 0;
    for (size_t a = 0; a < g->M; a++) {
        size_t move = s * g->M + a;
        const double *p = g->p + g->row[move] * g->O;
        for (size_t o = 0; pi[a] > 0 && o < g->O; o++) after[g->next[move * g->O + o] - after_from] += weight * pi[a] * p[o];
        if (!(asked > 0)) continue;
        double helped = weight * asked * g->mu[move];
        for (size_t o = 0; o < g->O; o++) after[g->next_helped[move * g->O + o] - after_from] += helped * p[o];
    }
}

static void forward(mn_plan_figures *f, double *per_step, double *reached, const mn_plan_graph *g, const mn_plan_policy *policy,
                    double *here, double *after, double *made)
{
    here[0] = 1;
    for (size_t t = 0; t < g->T; t++) {
        bool last = t + 1 == g->T;
        size_t n = g->to[t] - g->from[t];
        if (!last) memset(after, 0, (g->to[t + 1] - g->from[t + 1]) * sizeof *after);
        for (size_t i = 0; i < n; i++) {
            size_t s = g->from[t] + i, at = policy->first[t] + i;
            if (reached) reached[at] = here[i];
            if (!(here[i] > 0)) continue;
            moves_made(made, g, policy->pi + at * g->W, s);
            add(f, per_step ? per_step + 4 * t : NULL, g, policy, at, s, here[i], made);
            if (!last) pass_on(after, g, policy->pi + at * g->W, s, here[i], g->from[t + 1]);
        }
        double *swap = here;
        here = after;
        after = swap;
    }
}

static double costliest(const mn_plan_graph *g, size_t row, const uint32_t *next, const double *after, size_t after_from)
{
    double most = 0; /* no cost is negative */
    for (size_t o = 0; o < g->O; o++)
        if (g->p[row * g->O + o] > 0 && after[next[o] - after_from] > most) most = after[next[o] - after_from];
    return most;
}

static double worst_of_state(const mn_plan_graph *g, const double *pi, size_t s, const double *after, size_t after_from)
{
    double asked = mn_plan_helps(g, s) ? pi[g->M] : 0, sum = 0;
    for (size_t a = 0; a < g->M; a++) {
        size_t move = s * g->M + a, row = g->row[move];
        if (pi[a] > 0) sum += pi[a] * costliest(g, row, g->next + move * g->O, after, after_from);
        if (asked > 0) sum += asked * g->mu[move] * costliest(g, row, g->next_helped + move * g->O, after, after_from);
    }
    return sum;
}

/* The recursion of CLASSROOM.md: W_t = KL_t + sum_a made(a) max_o W_{t+1}. */
static double worst(const mn_plan_graph *g, const mn_plan_policy *policy, double *here, double *after)
{
    for (size_t t = g->T; t-- > 0;) {
        double *swap = here;
        here = after;
        after = swap;
        for (size_t i = 0; i < g->to[t] - g->from[t]; i++) {
            size_t at = policy->first[t] + i, s = g->from[t] + i;
            here[i] = policy->kl[at];
            if (t + 1 < g->T) here[i] += worst_of_state(g, policy->pi + at * g->W, s, after, g->from[t + 1]);
        }
    }
    return here[0];
}

mn_status mn_plan_measure(mn_plan_figures *out, double *per_step, double *reached, const mn_plan_graph *graph, const mn_plan_policy *policy,
                          mn_err *err)
{
    size_t most = 0;
    double *memory;
    for (size_t t = 0; t < graph->T; t++)
        if (graph->to[t] - graph->from[t] > most) most = graph->to[t] - graph->from[t];
    MN_ALLOC_OR_FAIL(memory, 2 * most + graph->M, err);
    *out = (mn_plan_figures){0};
    if (per_step) memset(per_step, 0, 4 * graph->T * sizeof *per_step);
    forward(out, per_step, reached, graph, policy, memory, memory + most, memory + 2 * most);
    out->worst = worst(graph, policy, memory, memory + most);
    free(memory);
    return MN_OK;
}
