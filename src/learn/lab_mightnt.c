/* What the pessimist's base policy guarantees, against every policy there is: optimal, random, adversarial. */
#include <math.h>
#include <stdio.h>

#include "learn/lab.h"
#include "learn/lab_tree.h"

enum { ALPHA, IN_CLASS, BITS }; /* settings */
enum { T = 8, LEARNT = 2, RANDOM = 20, ASCENTS = 100 };

static const char inside[] = "mix 7 1", outside[] = "if last is 0 then if seen 1 then mix 2 6 else mix 7 1 else mix 5 3";

typedef struct setting {
    const char *name;
    size_t transcripts;
    bool in_class, learns, no_help, binds; /* binds: the statement is about it, while mu is kept */
} setting;

typedef struct trial {
    mn_lab_run_of *run;
    const setting *setting;
    mn_lab_tree tree;
    mn_plan_policy policy;
    double *value; /* [S] */
    double worst;  /* the greatest excess of KL(pi||mu) over its bound */
} trial;

/* ---- the worst policy ------------------------------------------------------------------------------------------ */

/* What a state's move a brings later: expected value after it, made by the agent or, helped, by the demonstrator. */
static double later(const trial *r, size_t s, size_t a, const uint32_t *edges)
{
    const mn_plan_graph *g = &r->tree.graph;
    size_t edge = edges[s * g->M + a];
    double sum = 0;
    for (size_t o = 0; s < g->from[g->T - 1] && o < g->O; o++)
        sum += g->p[g->row[edge] * g->O + o] * r->value[g->next[edge * g->O + o]];
    return sum;
}

/* Excess of one state's row: KL(made||mu) - KL(pi||nu) - ln(1 + theta), where the statement is about it, and what comes later;
 * its gradient, up to a constant. */
static double excess(double *gradient, const trial *r, const double *pi, size_t s)
{
    const mn_plan_graph *g = &r->tree.graph;
    const double *base = g->lp_base + s * g->W, *mu = g->mu + s * g->M;
    bool helps = mn_plan_helps(g, s), counts = !r->setting->binds || r->tree.kept[s];
    double sum = helps && counts ? -log1p(exp(base[g->M])) : 0;
    gradient[g->M] = 0;
    for (size_t a = 0; a < g->M; a++) {
        double made = pi[a] + (helps ? pi[g->M] * mu[a] : 0), ratio = counts && made > 0 ? log(made / mu[a]) : 0;
        double own = later(r, s, a, g->edge), helped = helps ? later(r, s, a, g->helped) : 0;
        gradient[a] = ratio + own;
        gradient[g->M] += mu[a] > 0 ? mu[a] * (ratio + helped) : 0;
        sum += made > 0 ? made * ratio : 0;
        sum += pi[a] > 0 ? pi[a] * own : 0;
        sum += helps ? pi[g->M] * mu[a] * helped : 0;
    }
    for (size_t a = 0; a <= g->M; a++) {
        if (!counts || !(pi[a] > 0)) continue;
        gradient[a] -= log(pi[a]) - base[a];
        sum -= pi[a] * (log(pi[a]) - base[a]);
    }
    return sum;
}

/* Exponentiated gradient ascent, from the base, keeping the best: a row of the worst policy. */
static void ascend(trial *r, size_t s)
{
    const mn_plan_graph *g = &r->tree.graph;
    double *best = r->policy.pi + s * g->W, pi[MN_PROGRAM_SYMBOLS + 1], gradient[MN_PROGRAM_SYMBOLS + 1], sum = 0;
    for (size_t a = 0; a <= g->M; a++) sum += pi[a] = exp(g->lp_base[s * g->W + a]);
    for (size_t a = 0; a <= g->M; a++) pi[a] /= sum;
    r->value[s] = -INFINITY;
    for (int i = 0; i < ASCENTS; i++) {
        double value = excess(gradient, r, pi, s), all = 0, top = -INFINITY;
        if (value > r->value[s]) {
            r->value[s] = value;
            for (size_t a = 0; a <= g->M; a++) best[a] = pi[a];
        }
        for (size_t a = 0; a <= g->M; a++)
            if (pi[a] > 0) top = fmax(top, gradient[a]);
        for (size_t a = 0; a <= g->M; a++) all += pi[a] = pi[a] > 0 ? pi[a] * exp(.5 * (gradient[a] - top)) : 0;
        for (size_t a = 0; a <= g->M; a++) pi[a] /= all;
    }
}

/* That of a whole policy. */
static double excess_of(trial *r)
{
    double gradient[MN_PROGRAM_SYMBOLS + 1];
    for (size_t s = r->tree.graph.S; s-- > 0;) r->value[s] = excess(gradient, r, r->policy.pi + s * r->tree.graph.W, s);
    return r->value[0];
}

static void make_worst(trial *r)
{
    for (size_t s = r->tree.graph.S; s-- > 0;) ascend(r, s);
    mn_lab_policy_kl(&r->policy, &r->tree.graph);
}

/* ---- other policies -------------------------------------------------------------------------------------------- */

/* Uniform on the simplex of what the base ever does. */
static void make_random(trial *r, uint64_t seed)
{
    const mn_plan_graph *g = &r->tree.graph;
    mn_rng rng = mn_rng_split(seed, 0, MN_STREAM_USER);
    for (size_t s = 0; s < g->S; s++) {
        double sum = 0, *pi = r->policy.pi + s * g->W;
        for (size_t a = 0; a <= g->M; a++)
            sum += pi[a] = g->lp_base[s * g->W + a] > -INFINITY ? -log1p(-mn_rng_uniform(&rng)) : 0;
        for (size_t a = 0; a <= g->M; a++) pi[a] /= sum;
    }
    mn_lab_policy_kl(&r->policy, g);
}

static mn_status tell(trial *r, const char *name, mn_err *err)
{
    const mn_plan_graph *g = &r->tree.graph;
    mn_plan_figures f;
    size_t kept = 0;
    char label[120];
    MN_TRY(mn_plan_measure(&f, NULL, NULL, g, &r->policy, err));
    for (size_t s = 0; s < g->S; s++) kept += r->tree.kept[s];
    double excess_nats = excess_of(r);
    r->worst = fmax(r->worst, excess_nats);
    snprintf(label, sizeof label, "%s: %s", r->setting->name, name);
    return mn_lab_add_row(r->run->lab, label,
                          (const double[]){f.kl_base, f.slack, f.kl_base + f.slack, f.kl_demonstrator, -excess_nats, f.value,
                                           f.help, (double)kept / (double)g->S},
                          err);
}

static mn_status try_optimal(trial *r, mn_err *err)
{
    /* A base that sums to less than 1 puts every policy at some distance, and small budgets out of reach: prices instead. */
    static const double budgets[] = {0, 1, 4, 10, 100}, prices[] = {10, .1, .05, .02, 0};
    mn_plan_solver *solver;
    char name[32];
    MN_TRY(mn_plan_solver_new(&solver, &r->tree.graph, 1, err));
    mn_status status = MN_OK;
    for (size_t i = 0; status == MN_OK && i < sizeof budgets / sizeof *budgets; i++) {
        double lambda;
        size_t sweeps;
        snprintf(name, sizeof name, r->setting->no_help ? "optimal, %g a nat" : "optimal, %g nats",
                 r->setting->no_help ? prices[i] : budgets[i]);
        status = r->setting->no_help ? mn_plan_penalty(solver, &r->policy, prices[i], err)
                                     : mn_plan_budget(solver, &r->policy, budgets[i], &lambda, &sweeps, err);
        mn_lab_policy_kl(&r->policy, &r->tree.graph);
        if (status == MN_OK) status = tell(r, name, err);
    }
    mn_plan_solver_free(solver);
    return status;
}

/* The random policy that comes nearest to the bound, of RANDOM. */
static mn_status try_random(trial *r, mn_err *err)
{
    double most = -INFINITY;
    uint64_t seed = 0;
    for (uint64_t i = 0; i < RANDOM; i++) {
        make_random(r, i);
        double own = excess_of(r);
        if (own > most) most = own, seed = i;
    }
    make_random(r, seed);
    return tell(r, "random, the worst of 20", err);
}

/* ---- settings -------------------------------------------------------------------------------------------------- */

static mn_status try_all(trial *r, mn_err *err)
{
    MN_TRY(mn_plan_policy_new(&r->policy, &r->tree.graph, err));
    MN_ALLOC_OR_FAIL(r->value, r->tree.graph.S, err);
    MN_TRY(try_optimal(r, err));
    MN_TRY(try_random(r, err));
    make_worst(r);
    MN_TRY(tell(r, "adversarial", err));
    if (!r->setting->binds) return MN_OK;
    double kept = 1;
    for (size_t s = 0; s < r->tree.graph.S; s++) kept = fmin(kept, r->tree.kept[s]);
    if (r->setting->no_help) /* then what is kept never changes */
        MN_TRY(mn_lab_add_check(r->run->lab, kept, MN_LAB_AT_LEAST, 1, err, "%s: the demonstrator is kept after every history",
                                r->setting->name));
    return mn_lab_add_check(r->run->lab, r->worst, MN_LAB_AT_MOST, 1e-9, err,
                            "%s: KL(pi||mu) above its bound, the most of all policies", r->setting->name);
}

static mn_status one(mn_lab_run_of *run, mn_lab_class *c, const setting *how, double *worst, mn_err *err)
{
    mn_lab_world echo = {.A = 2, .O = 1, .says = {{0}, {1}}, .p = {{1}, {1}}, .reward = {{0}, {1}}};
    trial r = {.run = run,
               .setting = how,
               .worst = -INFINITY,
               .tree = {.c = c,
                        .world = &echo,
                        .T = T,
                        .threads = run->threads,
                        .alpha = run->set[ALPHA],
                        .learns = how->learns,
                        .no_help = how->no_help}};
    size_t bits;
    bool in_class = how->in_class && run->set[IN_CLASS] > 0;
    MN_TRY(mn_lab_class_root(c, &r.tree.mu, &bits, in_class ? inside : outside, true, err));
    MN_TRY(mn_lab_class_learn(c, r.tree.mu, &echo, how->transcripts, LEARNT, 1, err));
    mn_status status = mn_lab_tree_grow(&r.tree, err);
    if (status == MN_OK) status = try_all(&r, err);
    *worst = r.worst;
    free(r.value);
    mn_plan_policy_free(&r.policy);
    mn_lab_tree_free(&r.tree);
    return status;
}

static mn_status mightnt(mn_lab_run_of *run, mn_err *err)
{
    static const setting settings[] = {{"learns from help", 5, true, false, false, true},
                                       {"cannot ask", 5, true, false, true, true},
                                       {"learns from all", 5, true, true, false, false},
                                       {"mu not in the class", 500, false, false, false, false}};
    mn_lab *lab = run->lab;
    mn_lab_class c = {0};
    double worst[4];
    if (!(run->set[ALPHA] >= 1e-6 && run->set[ALPHA] < 1))
        return mn_fail(err, MN_ERR_NUM, "mightnt.alpha: expected 1e-6 to below 1");
    if (!(run->set[BITS] >= 6 && run->set[BITS] <= 22)) return mn_fail(err, MN_ERR_NUM, "mightnt.bits: expected 6 to 22");
    mn_lab_headings(lab, "setting: policy",
                    (const char *const[]){"KL(pi||nu) nats", "sum ln(1+theta)", "bound nats", "KL(pi||mu) nats", "margin, kept",
                                          "value", "help asked", "mu kept, share", NULL});
    lab->x = 2;
    lab->lines[0] = 3;
    lab->n_lines = 1;
    lab->dots = true;
    lab->x_title = "bound, nats";
    lab->y_title = "KL(pi || mu), nats";
    mn_status status = mn_lab_class_open(&c, 2, (size_t)run->set[BITS], err);
    for (size_t i = 0; status == MN_OK && i < 4; i++) status = one(run, &c, &settings[i], &worst[i], err);
    mn_lab_class_close(&c);
    if (status != MN_OK) return status;
    return mn_lab_find(lab, err,
                       "While the demonstrator is kept no policy, not even one made to, gets past the bound: the nearest stays "
                       "%.3g nats below. Where the agent's own "
                       "moves are learnt from it can talk the demonstrator out of the kept set, and exceeds it by up to %.3g "
                       "nats; where the demonstrator is "
                       "not in the class, by up to %.3g.",
                       -worst[0], worst[2], worst[3]);
}

const mn_lab_experiment mn_lab_mightnt = {
    .kind = {.name = "mightnt",
             .title = "Do not do anything I mightn't do",
             .claim = "A policy's KL to the demonstrator is at most its KL to the pessimistic base policy, while the "
                      "demonstrator is in the class and among those "
                      "kept; where help is a move, at most that plus the expected sum of ln(1 + theta).",
             .formula = "KL(pi||mu) <= KL(pi||nu_alpha) + E sum ln(1 + theta_t)",
             .settings = {{"alpha", .05, "the pessimist's"},
                          {"in_class", 1, "0: the demonstrator is a program that is not in the class"},
                          {"bits", 18, "all programs of at most so many bits"}}},
    .run = mightnt};
