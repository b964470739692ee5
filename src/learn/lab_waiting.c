/* The best agent under a budget bides its time until something unprecedented happens. */
#include <math.h>
#include <stdio.h>

#include "learn/lab.h"
#include "learn/lab_tree.h"

enum { BITS, BUDGET, PRECEDENT }; /* settings */
enum { T = 14, TRANSCRIPTS = 1000, LENGTHS = 4 };

static const size_t lengths[LENGTHS] = {2, 4, 6, 8};
static const char demonstrator[] = "mix 7 1";

typedef struct outcome {
    double per_step[T][4]; /* kl_base, kl_demonstrator, reward, help */
    mn_plan_figures figures;
    double before, after; /* KL to mu of a turn: the most before the event, the least from it on */
} outcome;

static mn_status plan(outcome *out, const mn_lab_tree *tree, double budget, mn_err *err)
{
    mn_plan_solver *solver;
    mn_plan_policy policy = {0};
    double lambda;
    size_t sweeps;
    MN_TRY(mn_plan_solver_new(&solver, &tree->graph, tree->threads, err));
    mn_status status = mn_plan_policy_new(&policy, &tree->graph, err);
    if (status == MN_OK) status = mn_plan_budget(solver, &policy, budget, &lambda, &sweeps, err);
    if (status == MN_OK) status = mn_plan_measure(&out->figures, out->per_step[0], NULL, &tree->graph, &policy, err);
    mn_plan_policy_free(&policy);
    mn_plan_solver_free(solver);
    return status;
}

static mn_status one(outcome *out, mn_lab_run_of *run, mn_lab_class *c, uint32_t mu, size_t length, mn_err *err)
{
    mn_lab_world echo = {.A = 2, .O = 1, .says = {{0}, {1}}, .p = {{1}, {1}}, .reward = {{0}, {1}}};
    mn_lab_tree tree = {.c = c, .world = &echo, .T = T, .threads = run->threads, .mu = mu, .learns = true};
    size_t learnt = run->set[PRECEDENT] > 0 ? T : length;
    char label[64];
    MN_TRY(mn_lab_class_learn(c, mu, &echo, TRANSCRIPTS, learnt, 1, err));
    mn_status status = mn_lab_tree_grow(&tree, err);
    if (status == MN_OK) status = plan(out, &tree, run->set[BUDGET], err);
    mn_lab_tree_free(&tree);
    if (status != MN_OK) return status;
    snprintf(label, sizeof label, "transcripts of %zu turns", length);
    double sums[3] = {0};
    out->before = 0;
    out->after = INFINITY;
    for (size_t t = 0; t < T; t++) {
        const double *step = out->per_step[t];
        for (size_t k = 0; k < 3; k++) sums[k] += step[k];
        if (t < length)
            out->before = fmax(out->before, step[1]);
        else
            out->after = fmin(out->after, step[1]);
        MN_TRY(mn_lab_add_row(run->lab, label, (const double[]){(double)t + 1, step[0], step[1], step[2] * T, sums[0], sums[1]},
                              err));
    }
    return MN_OK;
}

static mn_status conclude(mn_lab_run_of *run, const outcome *out, mn_err *err)
{
    mn_lab *lab = run->lab;
    for (size_t i = 0; i < LENGTHS; i++) {
        const mn_plan_figures *f = &out[i].figures;
        MN_TRY(mn_lab_add_check(lab, f->kl_base, MN_LAB_AT_MOST, run->set[BUDGET] + 1e-9, err,
                                "transcripts of %zu turns: KL(pi||xi)", lengths[i]));
        MN_TRY(mn_lab_add_check(
            lab, out[i].after, MN_LAB_AT_LEAST, out[i].before * (1 + 1e-6), err,
            "transcripts of %zu turns: the least KL to mu of a turn from the event on, against the most before", lengths[i]));
        MN_TRY(mn_lab_add_check(lab, f->kl_demonstrator, MN_LAB_AT_LEAST, f->kl_base, err,
                                "transcripts of %zu turns: KL(pi||mu), against KL(pi||xi)", lengths[i]));
    }
    return mn_lab_find(
        lab, err,
        "With %g nats the agent is %.1f, %.1f, %.1f and %.1f nats from the demonstrator, for transcripts of 2, 4, 6 and 8 "
        "turns: no turn before the event is "
        "more than %.2f nats from it, and none after less than %.2f, in the second case. It pays the imitator once.",
        run->set[BUDGET], out[0].figures.kl_demonstrator, out[1].figures.kl_demonstrator, out[2].figures.kl_demonstrator,
        out[3].figures.kl_demonstrator, out[1].before, out[1].after);
}

static mn_status waiting(mn_lab_run_of *run, mn_err *err)
{
    mn_lab *lab = run->lab;
    mn_lab_class c = {0};
    outcome out[LENGTHS];
    uint32_t mu = 0;
    size_t bits;
    if (!(run->set[BITS] >= 6 && run->set[BITS] <= 26)) return mn_fail(err, MN_ERR_NUM, "waiting.bits: expected 6 to 26");
    if (!(run->set[BUDGET] >= 0)) return mn_fail(err, MN_ERR_NUM, "waiting.budget: expected a number from 0");
    mn_lab_headings(
        lab, "imitator",
        (const char *const[]){"turn", "KL to xi nats", "KL to mu nats", "reward", "KL to xi, sum", "KL to mu, sum", NULL});
    lab->lines[0] = 2;
    lab->n_lines = 1;
    lab->x_title = "turn";
    lab->y_title = "KL to the demonstrator in that turn, nats";
    mn_status status = mn_lab_class_open(&c, 2, (size_t)run->set[BITS], err);
    if (status == MN_OK) status = mn_lab_class_root(&c, &mu, &bits, demonstrator, true, err);
    for (size_t i = 0; status == MN_OK && i < LENGTHS; i++) status = one(&out[i], run, &c, mu, lengths[i], err);
    if (status == MN_OK) status = conclude(run, out, err);
    mn_lab_class_close(&c);
    return status;
}

const mn_lab_experiment mn_lab_waiting = {
    .kind = {.name = "waiting",
             .title = "The agent waits",
             .claim = "The best agent under a KL budget to a Bayesian imitator behaves until something happens that no "
                      "transcript contains, here that the episode lasts "
                      "longer than they do, and then no more: its KL to the demonstrator is spent after the event and exceeds "
                      "what the imitator charged.",
             .formula = "max E reward subject to KL(pi||xi) <= B; KL(pi_t||mu_t) for every turn t",
             .settings = {{"bits", 22, "all programs of at most so many bits"},
                          {"budget", 8, "B, nats"},
                          {"precedent", 0, "1: transcripts as long as the episode"}}},
    .run = waiting};
