/* A limit on total variation instead of KL: the best policy puts all it may on the best actions, likely or not. */
#include <math.h>
#include <stdio.h>

#include "learn/lab.h"
#include "learn/lab_tree.h"

enum { BITS, KIND }; /* settings */
enum { T = 5, LEARNT = 5, TRANSCRIPTS = 200, LIMITS = 4 };

static const double limits[LIMITS] = {.01, .05, .2, .5};
static const char demonstrator[] = "mix 1 3 0"; /* never 2 */

typedef struct study {
    mn_lab_run_of *run;
    const mn_lab_tree *tree;
    mn_plan_solver *solver;
    mn_plan_policy policy;
    double *value, *reached; /* [S] */
} study;

/* The expected value of move a, and what follows under the policy. */
static double value_of(const study *s, size_t state, size_t a)
{
    const mn_plan_graph *g = &s->tree->graph;
    size_t edge = g->edge[state * g->M + a];
    double q = g->reward[g->row[edge]];
    for (size_t o = 0; state < g->from[g->T - 1] && o < g->O; o++)
        q += g->p[g->row[edge] * g->O + o] * s->value[g->next[edge * g->O + o]];
    return q;
}

/* How much worse than the best the actions are that the policy raises, at most, and lowers, at least those not best; what
 * the base gives to the least likely action that is played with probability 1/100 or more where the policy comes. */
typedef struct shift {
    double raised_by, least_base, least_mu, moved;
} shift;

static shift compare(const study *s)
{
    const mn_plan_graph *g = &s->tree->graph;
    shift out = {.least_base = 1, .least_mu = 1};
    for (size_t state = g->S; state-- > 0;) {
        const double *pi = s->policy.pi + state * g->W, *base = g->lp_base + state * g->W;
        double q[MN_PROGRAM_SYMBOLS], best = -INFINITY, moved = 0;
        s->value[state] = 0;
        for (size_t a = 0; a < g->M; a++) {
            q[a] = value_of(s, state, a);
            best = fmax(best, q[a]);
            s->value[state] += pi[a] * q[a];
        }
        for (size_t a = 0; a < g->M; a++) {
            double b = exp(base[a]);
            moved += fabs(pi[a] - b) / 2;
            if (pi[a] > b + 1e-12) out.raised_by = fmax(out.raised_by, best - q[a]);
            if (pi[a] < .01 || !(s->reached[state] > 0)) continue;
            out.least_base = fmin(out.least_base, b);
            out.least_mu = fmin(out.least_mu, g->mu[state * g->M + a]);
        }
        out.moved = fmax(out.moved, moved);
    }
    return out;
}

static mn_status tell(study *s, const char *label, double limit, shift *out, mn_plan_figures *f, mn_err *err)
{
    MN_TRY(mn_plan_measure(f, NULL, s->reached, &s->tree->graph, &s->policy, err));
    *out = compare(s);
    return mn_lab_add_row(s->run->lab, label,
                          (const double[]){limit, out->moved, f->kl_base, f->value, out->raised_by, out->least_base,
                                           out->least_mu, f->kl_demonstrator},
                          err);
}

/* The best within a limit on each turn's total variation, and the best at the KL that it comes to. */
static mn_status one(study *s, double limit, mn_err *err)
{
    shift tvd, kl;
    mn_plan_figures f, g;
    double lambda;
    size_t sweeps;
    if (s->run->set[KIND] > 0)
        MN_TRY(mn_plan_limited(s->solver, &s->policy, MN_REG_TVD, limit, err));
    else
        MN_TRY(mn_plan_budget(s->solver, &s->policy, limit, &lambda, &sweeps, err));
    MN_TRY(tell(s, "total variation", limit, &tvd, &f, err));
    MN_TRY(mn_plan_budget(s->solver, &s->policy, f.kl_base, &lambda, &sweeps, err));
    MN_TRY(tell(s, "KL, of the same nats", f.kl_base, &kl, &g, err));
    MN_TRY(mn_lab_add_check(s->run->lab, tvd.moved, MN_LAB_AT_MOST, limit + 1e-12, err, "total variation at most %g", limit));
    MN_TRY(mn_lab_add_check(s->run->lab, tvd.raised_by, MN_LAB_AT_MOST, 1e-12, err,
                            "limit %g: how much worse than the best an action is that is raised, at most", limit));
    return mn_lab_add_check(s->run->lab, tvd.least_base, MN_LAB_AT_MOST, kl.least_base, err,
                            "limit %g: what xi gives to the least likely action that is played, against that under KL", limit);
}

static mn_status all(study *s, mn_err *err)
{
    const mn_plan_graph *g = &s->tree->graph;
    MN_TRY(mn_plan_solver_new(&s->solver, g, 1, err));
    MN_TRY(mn_plan_policy_new(&s->policy, g, err));
    MN_ALLOC_OR_FAIL(s->value, g->S, err);
    MN_ALLOC_OR_FAIL(s->reached, g->S, err);
    for (size_t i = 0; i < LIMITS; i++) MN_TRY(one(s, limits[i], err));
    return mn_lab_find(s->run->lab, err,
                       "However small the limit, all that it allows goes to the action that pays best, which the demonstrator "
                       "never takes: KL(pi||mu) is infinite, and "
                       "how little the imitator gives to the action does not matter. A KL of the same nats spreads over all "
                       "actions as exp(value).");
}

static mn_status tvd(mn_lab_run_of *run, mn_err *err)
{
    mn_lab *lab = run->lab;
    mn_lab_class c = {0};
    mn_lab_world world = {.A = 3,
                          .O = 2,
                          .says = {{0, 1}, {0, 1}, {0, 1}},
                          .p = {{.6, .4}, {.3, .7}, {.5, .5}},
                          .reward = {{0, .5}, {.1, .4}, {.9, 1}}};
    mn_lab_tree tree = {.c = &c, .world = &world, .T = T, .threads = run->threads, .learns = true};
    study s = {.run = run, .tree = &tree};
    size_t bits;
    if (!(run->set[BITS] >= 6 && run->set[BITS] <= 24)) return mn_fail(err, MN_ERR_NUM, "tvd.bits: expected 6 to 24");
    mn_lab_headings(lab, "limit on",
                    (const char *const[]){"limit", "most moved a turn", "KL(pi||xi) nats", "value", "raised, worse by",
                                          "least xi played", "least mu played", "KL(pi||mu) nats", NULL});
    lab->x = 2;
    lab->lines[0] = 5;
    lab->n_lines = 1;
    lab->log_x = lab->log_y = true;
    lab->x_title = "KL(pi || xi), nats";
    lab->y_title = "least xi played";
    mn_status status = mn_lab_class_open(&c, 3, (size_t)run->set[BITS], err);
    if (status == MN_OK) status = mn_lab_class_root(&c, &tree.mu, &bits, demonstrator, true, err);
    if (status == MN_OK) status = mn_lab_class_learn(&c, tree.mu, &world, TRANSCRIPTS, LEARNT, 1, err);
    if (status == MN_OK) status = mn_lab_tree_grow(&tree, err);
    if (status == MN_OK) status = all(&s, err);
    free(s.value);
    free(s.reached);
    mn_plan_policy_free(&s.policy);
    mn_plan_solver_free(s.solver);
    mn_lab_tree_free(&tree);
    mn_lab_class_close(&c);
    return status;
}

const mn_lab_experiment mn_lab_tvd = {
    .kind = {.name = "tvd",
             .title = "Total variation is worse",
             .claim = "Under a limit on total variation the best policy raises only actions that are best of all, however "
                      "unlikely the demonstrator finds them; under a "
                      "limit on KL every action is raised or lowered by what it is worth.",
             .formula = "pi(a|h) > xi(a|h) only if a maximises value, for the best pi with TV(pi(.|h), xi(.|h)) <= c",
             .settings = {{"bits", 20, "all programs of at most so many bits"},
                          {"kind", 1, "0: the policy that is best under KL, in its place"}}},
    .run = tvd};
