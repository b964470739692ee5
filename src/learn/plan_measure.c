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

static double reward_of(const mn_plan_graph *g, const double *pi, size_t s)
{
    double asked = mn_plan_helps(g, s) ? pi[g->M] : 0, sum = 0;
    for (size_t a = 0; a < g->M; a++) {
        size_t move = s * g->M + a;
        sum += pi[a] * g->reward[g->row[g->edge[move]]];
        if (asked > 0) sum += asked * g->mu[move] * g->reward[g->row[g->helped[move]]];
    }
    return sum;
}

static void add(mn_plan_figures *f, double *step, const mn_plan_graph *g, const mn_plan_policy *policy, size_t at, size_t s,
                double weight, double *made)
{
    const double *pi = policy->pi + at * g->W;
    bool helps = mn_plan_helps(g, s);
    moves_made(made, g, pi, s);
    double figures[4] = {policy->kl[at], kl_to_demonstrator(g, made, s), reward_of(g, pi, s), helps ? pi[g->M] : 0};
    f->kl_base += weight * figures[0];
    f->kl_demonstrator += weight * figures[1];
    f->value += weight * figures[2];
    f->help += weight * figures[3];
    if (helps) f->slack += weight * log1p(exp(g->lp_base[s * g->W + g->M]));
    for (size_t k = 0; step && k < 4; k++) step[k] += weight * figures[k];
}

/* What comes to each edge of the step. */
static void add_flow(double *flow, const mn_plan_graph *g, const double *pi, size_t s, double weight, size_t first)
{
    double asked = mn_plan_helps(g, s) ? pi[g->M] : 0;
    for (size_t a = 0; a < g->M; a++) {
        flow[g->edge[s * g->M + a] - first] += weight * pi[a];
        if (asked > 0) flow[g->helped[s * g->M + a] - first] += weight * asked * g->mu[s * g->M + a];
    }
}

static void pass_on(double *after, const mn_plan_graph *g, const double *flow, size_t t)
{
    for (size_t e = g->edge_from[t]; e < g->edge_to[t]; e++) {
        double here = flow[e - g->edge_from[t]];
        for (size_t o = 0; here > 0 && o < g->O; o++)
            after[g->next[e * g->O + o] - g->from[t + 1]] += here * g->p[g->row[e] * g->O + o];
    }
}

typedef struct arrays {
    double *here, *after; /* [most states of a step] */
    double *edges;        /* [most edges of a step] */
    double *made;         /* [M] */
} arrays;

static void swap(arrays *x)
{
    double *here = x->here;
    x->here = x->after;
    x->after = here;
}

static void forward(mn_plan_figures *f, double *per_step, double *reached, const mn_plan_graph *g, const mn_plan_policy *policy,
                    arrays x)
{
    x.here[0] = 1;
    for (size_t t = 0; t < g->T; t++) {
        size_t n = g->to[t] - g->from[t], first = g->edge_from[t];
        memset(x.edges, 0, (g->edge_to[t] - first) * sizeof *x.edges);
        for (size_t i = 0; i < n; i++) {
            size_t s = g->from[t] + i, at = policy->first[t] + i;
            if (reached) reached[at] = x.here[i];
            if (!(x.here[i] > 0)) continue;
            add(f, per_step ? per_step + 4 * t : NULL, g, policy, at, s, x.here[i], x.made);
            add_flow(x.edges, g, policy->pi + at * g->W, s, x.here[i], first);
        }
        if (t + 1 == g->T) break;
        memset(x.after, 0, (g->to[t + 1] - g->from[t + 1]) * sizeof *x.after);
        pass_on(x.after, g, x.edges, t);
        swap(&x);
    }
}

/* Of each edge of the step, the costliest of its outcomes. */
static void costliest(double *most, const mn_plan_graph *g, const double *after, size_t t)
{
    for (size_t e = g->edge_from[t]; e < g->edge_to[t]; e++) {
        double cost = 0; /* none is negative */
        for (size_t o = 0; o < g->O; o++) {
            double here = after[g->next[e * g->O + o] - g->from[t + 1]];
            if (g->p[g->row[e] * g->O + o] > 0 && here > cost) cost = here;
        }
        most[e - g->edge_from[t]] = cost;
    }
}

static double worst_of_state(const mn_plan_graph *g, const double *pi, size_t s, const double *most, size_t first)
{
    double asked = mn_plan_helps(g, s) ? pi[g->M] : 0, sum = 0;
    for (size_t a = 0; a < g->M; a++) {
        if (pi[a] > 0) sum += pi[a] * most[g->edge[s * g->M + a] - first];
        if (asked > 0) sum += asked * g->mu[s * g->M + a] * most[g->helped[s * g->M + a] - first];
    }
    return sum;
}

/* W_t = KL_t + sum_a made(a) max_o W_{t+1}. */
static double worst(const mn_plan_graph *g, const mn_plan_policy *policy, arrays x)
{
    for (size_t t = g->T; t-- > 0;) {
        bool last = t + 1 == g->T;
        swap(&x);
        if (!last) costliest(x.edges, g, x.after, t);
        for (size_t i = 0; i < g->to[t] - g->from[t]; i++) {
            size_t at = policy->first[t] + i;
            x.here[i] = policy->kl[at];
            if (!last) x.here[i] += worst_of_state(g, policy->pi + at * g->W, g->from[t] + i, x.edges, g->edge_from[t]);
        }
    }
    return x.here[0];
}

mn_status mn_plan_measure(mn_plan_figures *out, double *per_step, double *reached, const mn_plan_graph *graph,
                          const mn_plan_policy *policy, mn_err *err)
{
    size_t states = 0, edges = 0;
    double *memory;
    for (size_t t = 0; t < graph->T; t++) {
        if (graph->to[t] - graph->from[t] > states) states = graph->to[t] - graph->from[t];
        if (graph->edge_to[t] - graph->edge_from[t] > edges) edges = graph->edge_to[t] - graph->edge_from[t];
    }
    MN_ALLOC_OR_FAIL(memory, 2 * states + edges + graph->M, err);
    arrays x = {memory, memory + states, memory + 2 * states, memory + 2 * states + edges};
    *out = (mn_plan_figures){0};
    if (per_step) memset(per_step, 0, 4 * graph->T * sizeof *per_step);
    forward(out, per_step, reached, graph, policy, x);
    out->worst = worst(graph, policy, x);
    free(memory);
    return MN_OK;
}
