/* Online imitation by the pessimist: how much help it asks for, and whether it ever loses the demonstrator. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "learn/lab.h"
#include "predict/diagram.h"

enum { WEIGHT, SCALE, RUNS, STEPS }; /* settings */
enum { MEMBERS = 8, ALPHAS = 5, DECADES = 5 };

/* The first is the demonstrator. The others differ from it where the world rarely goes, later on, or a little; the second
 * has most of the weight that is left, so that a large alpha keeps it too. */
static const char *const texts[MEMBERS] = {
    "if last is 1 then mix 6 2 else mix 3 5",
    "if last is 1 then mix 2 6 else mix 3 5",
    "mix 3 5",
    "if last is 1 then mix 6 2 else mix 4 4",
    "if last is 1 then mix 6 2 else mix 2 6",
    "until time >= 1000 do if last is 1 then mix 6 2 else mix 3 5 then mix 5 3",
    "until time >= 20000 do if last is 1 then mix 6 2 else mix 3 5 then mix 1 7",
    "if last is 1 then mix 7 1 else mix 3 5",
};
static const double alphas[ALPHAS] = {.4, .2, .1, .05, .01};

typedef struct imitation {
    double cubes, asked[DECADES]; /* sum of theta^3; of theta over the steps from 10^k on */
    bool lost;
} imitation;

typedef struct study {
    mn_lab_run_of *run;
    mn_diagrams d;
    uint32_t root[MEMBERS];
    size_t runs;
    uint64_t steps;
    imitation *of; /* [ALPHAS,runs] */
} study;

typedef struct imitator {
    const study *s;
    double alpha, lw[MEMBERS], p[MEMBERS][2];
    size_t order[MEMBERS], kept;
    mn_past past;
    uint8_t answers[32];
} imitator;

static void rank_members(imitator *m)
{
    double sum = 0;
    for (size_t i = 0; i < MEMBERS; i++) {
        size_t at = i;
        for (; at && m->lw[m->order[at - 1]] < m->lw[i]; at--) m->order[at] = m->order[at - 1];
        m->order[at] = i;
    }
    for (m->kept = 0; m->kept < MEMBERS; m->kept++) {
        double w = exp(m->lw[m->order[m->kept]] - m->lw[m->order[0]]);
        sum += w;
        if (w < m->alpha * sum) break;
    }
}

/* The least of the kept, and help. */
static double least(double nu[2], imitator *m)
{
    mn_diagram_answer(m->answers, &m->s->d, &m->past);
    for (size_t i = 0; i < MEMBERS; i++)
        mn_leaf_say(m->p[i], &m->s->d, mn_diagram_leaf(&m->s->d, m->answers, m->s->root[i]), &m->past);
    for (size_t a = 0; a < 2; a++) {
        nu[a] = 1;
        for (size_t i = 0; i < m->kept; i++) nu[a] = fmin(nu[a], m->p[m->order[i]][a]);
    }
    return 1 - nu[0] - nu[1];
}

static void learn(imitator *m, int32_t move)
{
    for (size_t i = 0; i < MEMBERS; i++) m->lw[i] += log(m->p[i][move]);
    rank_members(m);
}

static bool has_mu(const imitator *m)
{
    for (size_t i = 0; i < m->kept; i++)
        if (m->order[i] == 0) return true;
    return false;
}

/* Until the steps are over or one is kept alone: then nothing is asked and nothing learnt any more. */
static void imitate(imitation *out, imitator *m, uint64_t steps, mn_rng rng)
{
    rank_members(m);
    out->lost = !has_mu(m);
    for (uint64_t t = 0; t < steps && m->kept > 1; t++) {
        double nu[2], theta = least(nu, m), u = mn_rng_uniform(&rng);
        size_t decade = 0;
        for (uint64_t n = 10; t >= n && decade + 1 < DECADES; n *= 10) decade++;
        out->cubes += theta * theta * theta;
        out->asked[decade] += theta;
        int32_t move = u < nu[0] ? 0 : 1;
        if (u >= 1 - theta) { /* asks */
            move = mn_rng_uniform(&rng) < m->p[0][0] ? 0 : 1;
            learn(m, move);
            out->lost |= !has_mu(m);
        }
        mn_past_add(&m->past, move);
        mn_past_add(&m->past, mn_rng_uniform(&rng) < .02);
    }
}

static mn_status one_run(void *arg, size_t task, size_t thread, mn_err *err)
{
    study *s = arg;
    imitator m = {.s = s, .alpha = alphas[task / s->runs]};
    double weight = s->run->set[WEIGHT];
    (void)thread, (void)err;
    for (size_t i = 0; i < MEMBERS; i++)
        m.lw[i] = log(i == 0 ? weight : i == 1 ? .8 * (1 - weight) : .2 * (1 - weight) / (MEMBERS - 2));
    imitate(&s->of[task], &m, s->steps, mn_rng_split(1, task, MN_STREAM_USER));
    return MN_OK;
}

/* ---- what it comes to ------------------------------------------------------------------------------------------ */

static mn_status report(study *s, size_t i, double *lost, double *cubes, mn_err *err)
{
    mn_lab *lab = s->run->lab;
    double weight = s->run->set[WEIGHT], alpha = alphas[i],
           bound = s->run->set[SCALE] * 2 * pow(alpha, -3) * (24 / weight + 12);
    double asked[DECADES] = {0}, most = 0, rate[DECADES], n = (double)s->runs;
    *lost = *cubes = 0;
    for (size_t r = 0; r < s->runs; r++) {
        const imitation *of = &s->of[i * s->runs + r];
        *cubes += of->cubes / n;
        *lost += of->lost / n;
        most = fmax(most, of->cubes);
        for (size_t k = 0; k < DECADES; k++) asked[k] += of->asked[k] / n;
    }
    char label[32];
    snprintf(label, sizeof label, "alpha %g", alpha);
    for (size_t k = 0; k < DECADES; k++) {
        double from = k ? pow(10, (double)k) : 0, to = k + 1 < DECADES ? pow(10, (double)k + 1) : (double)s->steps;
        rate[k] = asked[k] / (to - from);
        MN_TRY(mn_lab_add_row(
            lab, label, (const double[]){to, rate[k], asked[k], *cubes, most, bound, *lost, fmin(1, alpha / weight)}, err));
    }
    MN_TRY(mn_lab_add_check(lab, *cubes, MN_LAB_AT_MOST, bound, err,
                            "alpha %g: mean sum of theta^3, against the published bound", alpha));
    MN_TRY(mn_lab_add_check(lab, *lost, MN_LAB_AT_MOST, alpha / weight, err,
                            "alpha %g: share of runs in which the demonstrator was lost, against Ville's bound", alpha));
    return mn_lab_add_check(lab, rate[DECADES - 1], MN_LAB_AT_MOST, .1 * rate[0], err,
                            "alpha %g: help a step in the last decade, against a tenth of the first", alpha);
}

static mn_status report_all(study *s, mn_err *err)
{
    double lost[ALPHAS], cubes[ALPHAS];
    for (size_t i = 0; i < ALPHAS; i++) MN_TRY(report(s, i, &lost[i], &cubes[i], err));
    return mn_lab_find(
        s->run->lab, err,
        "Over %g steps the sum of theta^3 is %.2f at alpha %g and %.2f at alpha %g, of bounds in the thousands and millions; "
        "the demonstrator was lost in "
        "%.0f%% and %.1f%% of the runs. The smaller alpha is, the more help is asked and the safer the demonstrator.",
        (double)s->steps, cubes[0], alphas[0], cubes[ALPHAS - 1], alphas[ALPHAS - 1], 100 * lost[0], 100 * lost[ALPHAS - 1]);
}

static mn_status build(study *s, mn_err *err)
{
    MN_TRY(mn_diagrams_open(&s->d, 2, err));
    for (size_t i = 0; i < MEMBERS; i++) {
        mn_terms terms = {.A = 2};
        mn_status status = mn_terms_parse(&terms, texts[i], true, err);
        if (status == MN_OK) status = mn_diagram_build(&s->d, &s->root[i], &terms, err);
        free(terms.at);
        if (status != MN_OK) return status;
    }
    return MN_OK;
}

static mn_status help(mn_lab_run_of *run, mn_err *err)
{
    mn_lab *lab = run->lab;
    study s = {.run = run};
    if (!(run->set[WEIGHT] > 0 && run->set[WEIGHT] < 1))
        return mn_fail(err, MN_ERR_NUM, "help.weight: expected a number between 0 and 1");
    if (!(run->set[RUNS] >= 1 && run->set[RUNS] <= 1e5)) return mn_fail(err, MN_ERR_NUM, "help.runs: expected 1 to 1e5");
    if (!(run->set[STEPS] > 1e4 && run->set[STEPS] <= 1e7))
        return mn_fail(err, MN_ERR_NUM, "help.steps: expected more than 1e4, at most 1e7");
    s.runs = (size_t)run->set[RUNS];
    s.steps = (uint64_t)run->set[STEPS];
    mn_lab_headings(lab, "pessimist",
                    (const char *const[]){"steps up to", "help a step", "help, expected", "sum theta^3", "most in a run",
                                          "bound", "lost mu, share", "alpha / w(mu)", NULL});
    lab->lines[0] = 1;
    lab->n_lines = 1;
    lab->log_x = lab->log_y = true;
    lab->x_title = "steps";
    lab->y_title = "help a step";
    mn_status status = build(&s, err);
    if (status == MN_OK && !(s.of = mn_alloc(ALPHAS * s.runs, sizeof *s.of)))
        status = mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) status = mn_parallel(run->threads, ALPHAS * s.runs, one_run, &s, err);
    if (status == MN_OK) status = report_all(&s, err);
    free(s.of);
    mn_diagrams_close(&s.d);
    return status;
}

const mn_lab_experiment mn_lab_help = {
    .kind = {.name = "help",
             .title = "Help fades, and the demonstrator is kept",
             .claim = "An imitator that underestimates by the least of what its kept models say, and asks the demonstrator "
                      "with the probability left over, asks ever less: "
                      "the expected sum of the cubes of that probability is bounded for ever; and the demonstrator ever leaves "
                      "the kept set with probability at most "
                      "alpha / w(mu) (Cohen, Hutter, Nanda 2022; Ville 1939).",
             .formula = "E sum theta_t^3 <= |A| alpha^-3 (24 / w(mu) + 12);  P(mu ever lost) <= alpha / w(mu)",
             .settings = {{"weight", .5, "prior weight of the demonstrator"},
                          {"scale", 1, "factor of the published bound"},
                          {"runs", 100, "runs for each alpha"},
                          {"steps", 1e5, "steps of a run"}}},
    .run = help};
