/* After something unprecedented, an imitator that knows programs hardly resists a simple policy. */
#include <math.h>
#include <stdio.h>

#include "learn/lab_tree.h"
#include "learn/lab.h"

enum { BITS, PRECEDENT, UNTIL }; /* settings */
enum { T = 5, LEARNT = 3, EVENTS = 3, TARGETS = 3, PAIRS = EVENTS * TARGETS, SIZES = 5 };

static const char *const events[EVENTS] = {"time >= 3", "seen 2", "seen 2 0"};
static const char *const targets[TARGETS] = {"always 2", "copy", "count 2"};
static const char demonstrator[] = "mix 3 1 0";

typedef struct pair {
    uint32_t once, target;
    size_t event_bits, target_bits, left; /* left: for programs under `until` */
} pair;

typedef struct study {
    mn_lab_run_of *run;
    mn_lab_class c;
    mn_lab_world before, now; /* in the transcripts; in the episode, where 2 is said as well */
    uint32_t mu;
    pair pairs[PAIRS];
    double *share;                                             /* [PAIRS,n] */
    double kl[PAIRS][SIZES], limit[PAIRS][SIZES], over[PAIRS]; /* over: the most above the bound, of all sizes */
} study;

/* ---- the policy "as xi until the event, then the target", in one tree ------------------------------------------ */

typedef struct construction {
    mn_lab_tree *tree;
    const pair *pair;
    const double *mass;        /* [S] */
    uint32_t *happened, *leaf; /* [S] */
    bool *like_mu;             /* [S] histories in which the demonstrator may have made every move */
    double *worst;             /* [S] KL from there on, under the costliest answers */
    mn_plan_policy policy;
} construction;

static void build_policy(construction *k)
{
    const mn_plan_graph *g = &k->tree->graph;
    const mn_diagrams *d = &k->tree->c->u.d;
    for (size_t s = 0; s < g->S; s++) {
        double *pi = k->policy.pi + s * g->W;
        if (k->happened[s] == MN_TRUE)
            mn_leaf_say(pi, d, k->leaf[s], &(mn_past){.n = 2 * (uint32_t)mn_lab_tree_time(k->tree, s)});
        else
            for (size_t a = 0; a < g->M; a++) pi[a] = exp(g->lp_base[s * g->W + a]);
    }
    mn_lab_policy_kl(&k->policy, g);
}

static void find_worst(construction *k)
{
    const mn_plan_graph *g = &k->tree->graph;
    for (size_t t = g->T; t-- > 0;)
        for (size_t s = g->from[t]; s < g->to[t]; s++) {
            k->worst[s] = k->policy.kl[s];
            for (size_t a = 0; t + 1 < g->T && a < g->M; a++) {
                double most = 0, pi = k->policy.pi[s * g->W + a];
                for (size_t o = 0; pi > 0 && o < g->O; o++)
                    most = fmax(most, k->worst[g->next[g->edge[s * g->M + a] * g->O + o]]);
                k->worst[s] += pi * most;
            }
        }
}

static void find_like_mu(construction *k)
{
    const mn_plan_graph *g = &k->tree->graph;
    k->like_mu[0] = true;
    for (size_t t = 0; t + 1 < g->T; t++)
        for (size_t s = g->from[t]; s < g->to[t]; s++)
            for (size_t a = 0; a < g->M; a++)
                for (size_t o = 0; o < g->O; o++)
                    k->like_mu[g->next[g->edge[s * g->M + a] * g->O + o]] = k->like_mu[s] && g->mu[s * g->M + a] > 0;
}

/* Histories at which the event has just happened: *over, the KL from there on above its bound, at most; the most of both
 * after what the demonstrator may have done. */
static void compare(const construction *k, double until, double *kl, double *limit, double *over)
{
    const mn_plan_graph *g = &k->tree->graph;
    size_t B = g->M * g->O;
    *over = *kl = *limit = -INFINITY;
    for (size_t t = 1; t < g->T; t++)
        for (size_t s = g->from[t]; s < g->to[t]; s++) {
            size_t parent = g->from[t - 1] + (s - g->from[t]) / B;
            if (k->happened[s] != MN_TRUE || k->happened[parent] == MN_TRUE || !(k->mass[s] > 0)) continue;
            double bound = (until + (double)(k->pair->event_bits + k->pair->target_bits)) * log(2) - log(k->mass[s]);
            *over = fmax(*over, k->worst[s] - bound);
            if (!k->like_mu[s]) continue;
            *limit = fmax(*limit, bound);
            *kl = fmax(*kl, k->worst[s]);
        }
}

/* The least KL with which any policy comes to `value`. */
static mn_status cheapest(double *kl, const mn_lab_tree *tree, double value, double most, mn_err *err)
{
    mn_plan_solver *solver = NULL;
    mn_plan_policy policy = {0};
    double low = 0, high = most, lambda;
    mn_status status = mn_plan_solver_new(&solver, &tree->graph, 1, err);
    if (status == MN_OK) status = mn_plan_policy_new(&policy, &tree->graph, err);
    for (int i = 0; status == MN_OK && i < 30; i++) {
        mn_plan_figures figures;
        double middle = (low + high) / 2;
        size_t sweeps;
        status = mn_plan_budget(solver, &policy, middle, &lambda, &sweeps, err);
        if (status == MN_OK) status = mn_plan_measure(&figures, NULL, NULL, &tree->graph, &policy, err);
        if (status == MN_OK && figures.value >= value)
            high = middle;
        else
            low = middle;
    }
    *kl = high;
    mn_plan_policy_free(&policy);
    mn_plan_solver_free(solver);
    return status;
}

static mn_status report(construction *k, study *s, size_t i, size_t size, double transcripts, mn_err *err)
{
    mn_plan_figures figures;
    double over, cheap = NAN, best = NAN, value = NAN;
    char label[120];
    build_policy(k);
    find_worst(k);
    find_like_mu(k);
    compare(k, s->run->set[UNTIL], &s->kl[i][size], &s->limit[i][size], &over);
    MN_TRY(mn_plan_measure(&figures, NULL, NULL, &k->tree->graph, &k->policy, err));
    if (i % TARGETS == 0) { /* the one that the reward is for */
        value = figures.value;
        best = 1; /* saying 2 at every turn */
        MN_TRY(cheapest(&cheap, k->tree, value, figures.kl_base, err));
    }
    snprintf(label, sizeof label, "until %s then %s", events[i / TARGETS], targets[i % TARGETS]);
    if (!(over <= s->over[i])) s->over[i] = over; /* a NaN stays, and fails */
    return mn_lab_add_row(s->run->lab, label,
                          (const double[]){transcripts, s->kl[i][size], s->limit[i][size], over, figures.kl_base,
                                           figures.kl_demonstrator, value, best, cheap},
                          err);
}

static mn_status construct(study *s, mn_lab_tree *tree, size_t i, size_t size, double transcripts, mn_err *err)
{
    construction k = {.tree = tree, .pair = &s->pairs[i], .mass = tree->mass + i * tree->graph.S};
    mn_status status = mn_plan_policy_new(&k.policy, &tree->graph, err);
    k.happened = mn_alloc(tree->graph.S, sizeof *k.happened);
    k.leaf = mn_alloc(tree->graph.S, sizeof *k.leaf);
    k.worst = mn_alloc(tree->graph.S, sizeof *k.worst);
    k.like_mu = mn_alloc(tree->graph.S, sizeof *k.like_mu);
    if (status == MN_OK && (!k.happened || !k.leaf || !k.worst || !k.like_mu))
        status = mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) status = mn_lab_tree_ask(k.happened, tree, k.pair->once, err);
    if (status == MN_OK) status = mn_lab_tree_ask(k.leaf, tree, k.pair->target, err);
    if (status == MN_OK) status = report(&k, s, i, size, transcripts, err);
    free(k.happened);
    free(k.leaf);
    free(k.worst);
    free(k.like_mu);
    mn_plan_policy_free(&k.policy);
    return status;
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

static mn_status one_size(study *s, size_t size, double transcripts, mn_err *err)
{
    bool precedent = s->run->set[PRECEDENT] > 0;
    mn_lab_tree tree = {.c = &s->c,
                        .world = &s->now,
                        .T = T,
                        .threads = s->run->threads,
                        .mu = s->mu,
                        .learns = true,
                        .shares = PAIRS,
                        .share = s->share};
    MN_TRY(mn_lab_class_learn(&s->c, s->mu, precedent ? &s->now : &s->before, (size_t)transcripts, precedent ? T : LEARNT, 1,
                              err));
    mn_status status = mn_lab_tree_grow(&tree, err);
    for (size_t i = 0; status == MN_OK && i < PAIRS; i++) status = construct(s, &tree, i, size, transcripts, err);
    mn_lab_tree_free(&tree);
    return status;
}

static mn_status prepare(study *s, mn_err *err)
{
    size_t bits;
    uint32_t *marks;
    MN_TRY(mn_lab_class_open(&s->c, 3, (size_t)s->run->set[BITS], err));
    MN_TRY(mn_lab_class_root(&s->c, &s->mu, &bits, demonstrator, true, err));
    for (size_t i = 0; i < PAIRS; i++) {
        pair *p = &s->pairs[i];
        MN_TRY(mn_lab_class_root(&s->c, &p->once, &p->event_bits, events[i / TARGETS], false, err));
        MN_TRY(mn_diagram_once(&s->c.u.d, &p->once, p->once, err));
        MN_TRY(mn_lab_class_root(&s->c, &p->target, &p->target_bits, targets[i % TARGETS], true, err));
        p->left = s->c.u.bits - 2 - p->event_bits - p->target_bits;
        s->over[i] = -INFINITY;
        if (p->left < bits || p->left > s->c.u.bits)
            return mn_fail(err, MN_ERR_NUM, "novelty.bits: until, event, target and demonstrator take %zu",
                           s->c.u.bits - p->left + bits);
    }
    MN_ALLOC_OR_FAIL(s->share, PAIRS * s->c.u.n, err);
    MN_ALLOC_OR_FAIL(marks, s->c.u.d.n_nodes, err);
    for (size_t i = 0; i < PAIRS; i++) mn_lab_class_share(s->share + i * s->c.u.n, &s->c, s->pairs[i].left, marks);
    free(marks);
    return MN_OK;
}

static mn_status conclude(study *s, mn_err *err)
{
    double moved = 0, most = 0, least = INFINITY;
    for (size_t i = 0; i < PAIRS; i++)
        MN_TRY(mn_lab_add_check(s->run->lab, s->over[i], MN_LAB_AT_MOST, 1e-9, err,
                                "until %s then %s: KL from the event on, above its bound at most", events[i / TARGETS],
                                targets[i % TARGETS]));
    for (size_t i = 0; i < PAIRS; i++) {
        moved = fmax(moved, fabs(s->kl[i][SIZES - 1] - s->kl[i][1]));
        for (size_t k = 0; k < SIZES; k++) {
            most = fmax(most, s->kl[i][k]);
            least = fmin(least, s->limit[i][k] - s->kl[i][k]);
        }
    }
    MN_TRY(mn_lab_add_check(s->run->lab, moved, MN_LAB_AT_MOST, .1, err,
                            "nats by which a KL moves from 100 to 100000 transcripts"));
    return mn_lab_find(
        s->run->lab, err,
        "From the event on no target costs more than %.2f nats, however many transcripts there are, where the demonstrator "
        "would never say 2; "
        "the bound is at least %.2f nats above. The best policy of the same value is cheaper than the construction.",
        most, least);
}

static mn_status novelty(mn_lab_run_of *run, mn_err *err)
{
    mn_lab *lab = run->lab;
    study s = {
        .run = run,
        .before = {.A = 3, .O = 3, .says = {{0, 1, 2}, {0, 1, 2}, {0, 1, 2}}, .p = {{.5, .5, 0}, {.5, .5, 0}, {.5, .5, 0}}},
        .now = {.A = 3,
                .O = 3,
                .says = {{0, 1, 2}, {0, 1, 2}, {0, 1, 2}},
                .p = {{.4, .4, .2}, {.4, .4, .2}, {.4, .4, .2}},
                .reward = {{0}, {0}, {1, 1, 1}}}};
    if (!(run->set[BITS] >= 10 && run->set[BITS] <= 28)) return mn_fail(err, MN_ERR_NUM, "novelty.bits: expected 10 to 28");
    mn_lab_headings(lab, "policy",
                    (const char *const[]){"transcripts", "KL from E on", "bound nats", "KL - bound", "KL(pi||xi) nats",
                                          "KL(pi||mu) nats", "value", "best value", "least KL, value", NULL});
    lab->n_lines = 2;
    lab->lines[0] = 1;
    lab->lines[1] = 2;
    lab->log_x = true;
    lab->x_title = "transcripts";
    lab->y_title = "nats from the event on, and the bound";
    mn_status status = prepare(&s, err);
    for (size_t k = 0; status == MN_OK && k < SIZES; k++) status = one_size(&s, k, pow(10, (double)k + 1), err);
    if (status == MN_OK) status = conclude(&s, err);
    free(s.share);
    mn_lab_class_close(&s.c);
    return status;
}

const mn_lab_experiment mn_lab_novelty = {
    .kind = {.name = "novelty",
             .title = "Little constraint in novel situations",
             .claim = "When an event that no transcript contains happens, a simple policy can take over at a KL to the "
                      "Bayesian imitator that is bounded by the "
                      "lengths of the event and of the policy, whatever the demonstrator would do and however much it has been "
                      "observed (Theorem 1).",
             .formula = "KL(p || xi, from E on) <= (d + |E| + |p|) ln 2 - ln w(programs of at most L - d - |E| - |p| bits), d "
                        "= |until| = 2",
             .settings = {{"bits", 24, "L: all programs of at most so many bits"},
                          {"precedent", 0, "1: transcripts contain the events"},
                          {"until", 2, "d: the bits of `until` that the bound counts"}}},
    .run = novelty};
