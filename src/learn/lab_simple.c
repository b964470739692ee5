/* Are near-optimal policies simple? Counted in the bits of this language, over small worlds drawn at random. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "learn/lab.h"
#include "predict/universe.h"

enum { WORLDS, BITS, DEMONSTRATOR, SHARE }; /* settings */
enum { T = 6, A = 2, B = A * A, STATES = 1365 /* (4^6 - 1)/3 histories of fewer than T turns */, LEVELS = 3 };

static const double levels[LEVELS] = {0, .01, .05}; /* of what there is to gain */
static const char *const names[LEVELS + 2] = {"optimal", "within 1%", "within 5%", "demonstrator, by 2^-length",
                                              "demonstrator, any behaviour"};

/* After symbol l (0: none yet, else symbol + 1) move a is rewarded by reward[l][a], and answered by 1 with probability
 * p[l][a]. */
typedef struct world {
    double reward[3][A], p[3][A];
} world;

typedef struct study {
    mn_lab_run_of *run;
    mn_universe u;
    uint8_t *answers; /* [STATES,atoms] */
    uint32_t *order;  /* [n] behaviours by their shortest programs */
    size_t from[T + 1], worlds;
    double *bits; /* [worlds,LEVELS + 2] */
} study;

static world draw_world(uint64_t seed)
{
    world w;
    mn_rng rng = mn_rng_split(1, seed, MN_STREAM_USER);
    for (size_t l = 0; l < 3; l++)
        for (size_t a = 0; a < A; a++) {
            w.reward[l][a] = mn_rng_uniform(&rng);
            w.p[l][a] = mn_rng_uniform(&rng);
        }
    return w;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

/* The best value, and the worst, over T turns: last symbols are all that matters, besides time. */
static void extremes(double *best, double *worst, const world *w)
{
    double high[3] = {0}, low[3] = {0};
    for (size_t t = 0; t < T; t++) {
        double h[3], b[3];
        for (size_t l = 0; l < 3; l++) {
            h[l] = -INFINITY;
            b[l] = INFINITY;
            for (size_t a = 0; a < A; a++) {
                h[l] = fmax(h[l], w->reward[l][a] + (1 - w->p[l][a]) * high[1] + w->p[l][a] * high[2]);
                b[l] = fmin(b[l], w->reward[l][a] + (1 - w->p[l][a]) * low[1] + w->p[l][a] * low[2]);
            }
        }
        memcpy(high, h, sizeof h);
        memcpy(low, b, sizeof b);
    }
    *best = high[0];
    *worst = low[0];
}

static double value_of(const study *s, uint32_t root, const world *w, size_t t, size_t code, size_t last)
{
    const mn_diagrams *d = &s->u.d;
    double p[A], value = 0;
    if (t == T) return 0;
    mn_leaf_say(p, d, mn_diagram_leaf(d, s->answers + (s->from[t] + code) * d->n_atoms, root),
                &(mn_past){.n = (uint32_t)(2 * t)});
    for (size_t a = 0; a < A; a++) {
        if (!(p[a] > 0)) continue;
        double q = w->reward[last][a];
        for (size_t o = 0; o < A; o++)
            q += (o ? w->p[last][a] : 1 - w->p[last][a]) * value_of(s, root, w, t + 1, code * B + a * A + o, o + 1);
        value += p[a] * q;
    }
    return value;
}

/* ---- programs -------------------------------------------------------------------------------------------------- */

static double draw_by_weight(const study *s, double u)
{
    double sum = 0;
    for (size_t i = 0; i < s->u.n; i++) sum += s->u.weight[i];
    u *= sum;
    size_t i = 0;
    for (; i + 1 < s->u.n && u >= s->u.weight[i]; i++) u -= s->u.weight[i];
    return s->u.shortest[i];
}

/* The shortest program of each level; one bit more than the class has where there is none in it. */
static mn_status one_world(void *arg, size_t i, size_t thread, mn_err *err)
{
    study *s = arg;
    world w = draw_world(i);
    double *bits = s->bits + i * (LEVELS + 2), best, worst, fixed = s->run->set[DEMONSTRATOR];
    mn_rng rng = mn_rng_split(2, i, MN_STREAM_USER);
    (void)thread, (void)err;
    extremes(&best, &worst, &w);
    for (size_t k = 0; k < LEVELS; k++) bits[k] = s->run->set[BITS] + 1;
    for (size_t n = 0; n < s->u.n && bits[0] > s->run->set[BITS]; n++) {
        double value = value_of(s, s->u.root[s->order[n]], &w, 0, 0, 0);
        for (size_t k = 0; k < LEVELS; k++)
            if (value >= best - levels[k] * (best - worst) - 1e-9) bits[k] = fmin(bits[k], s->u.shortest[s->order[n]]);
    }
    bits[LEVELS] = draw_by_weight(s, mn_rng_uniform(&rng));
    bits[LEVELS + 1] = s->u.shortest[mn_rng_below(&rng, s->u.n)];
    for (size_t k = 0; fixed > 0 && k < 2; k++) bits[LEVELS + k] = fixed;
    return MN_OK;
}

/* ---- what comes out -------------------------------------------------------------------------------------------- */

static double share_up_to(const study *s, size_t k, double bits)
{
    size_t n = 0;
    for (size_t i = 0; i < s->worlds; i++) n += s->bits[i * (LEVELS + 2) + k] <= bits;
    return (double)n / (double)s->worlds;
}

static double median_of(const study *s, size_t k)
{
    double bits = 0;
    while (share_up_to(s, k, bits) < .5) bits++;
    return bits;
}

/* Share of worlds in which k's program is not longer than that of the other. */
static double not_longer(const study *s, size_t k, size_t other)
{
    size_t n = 0;
    for (size_t i = 0; i < s->worlds; i++) n += s->bits[i * (LEVELS + 2) + k] <= s->bits[i * (LEVELS + 2) + other];
    return (double)n / (double)s->worlds;
}

static mn_status report(const study *s, mn_err *err)
{
    mn_lab *lab = s->run->lab;
    for (size_t k = 0; k < LEVELS + 2; k++)
        for (double bits = 4; bits <= s->run->set[BITS] + 1; bits++)
            MN_TRY(mn_lab_add_row(lab, names[k], (const double[]){bits, share_up_to(s, k, bits), median_of(s, k)}, err));
    for (size_t k = LEVELS; k < LEVELS + 2; k++)
        MN_TRY(mn_lab_add_check(lab, not_longer(s, LEVELS - 1, k), MN_LAB_AT_LEAST, s->run->set[SHARE], err,
                                "%s: share of worlds in which a program within 5%% of the best is not longer", names[k]));
    return mn_lab_find(lab, err,
                       "Over %zu worlds the median length is %g bits for an optimal policy (%.0f%% have one of at most %g "
                       "bits), %g within 1%% and %g within 5%% of it; %g for a "
                       "demonstrator drawn by 2^-length and %g for one drawn from all behaviours. Against the former, the "
                       "simplest demonstrators there are, it holds in %.1f%% of the worlds "
                       "within 5%%, but only in %.1f%% within 1%% and in %.1f%% for an optimal policy.",
                       s->worlds, median_of(s, 0), 100 * share_up_to(s, 0, s->run->set[BITS]), s->run->set[BITS],
                       median_of(s, 1), median_of(s, 2), median_of(s, LEVELS), median_of(s, LEVELS + 1),
                       100 * not_longer(s, 2, LEVELS), 100 * not_longer(s, 1, LEVELS), 100 * not_longer(s, 0, LEVELS));
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static void fill_answers(study *s, mn_past past, size_t t, size_t code)
{
    size_t n = s->u.d.n_atoms;
    uint8_t *answers = s->answers + (s->from[t] + code) * n;
    if (t) memcpy(answers, s->answers + (s->from[t - 1] + code / B) * n, n);
    mn_diagram_answer(answers, &s->u.d, &past);
    for (size_t way = 0; t + 1 < T && way < B; way++) {
        mn_past next = past;
        mn_past_add(&next, (int32_t)(way / A));
        mn_past_add(&next, (int32_t)(way % A));
        fill_answers(s, next, t + 1, code * B + way);
    }
}

static mn_status prepare(study *s, mn_err *err)
{
    size_t n = 0;
    MN_TRY(mn_universe_open(&s->u, A, (size_t)s->run->set[BITS], err));
    MN_ALLOC_OR_FAIL(s->answers, STATES * s->u.d.n_atoms, err);
    MN_ALLOC_OR_FAIL(s->order, s->u.n, err);
    MN_ALLOC_OR_FAIL(s->bits, s->worlds * (LEVELS + 2), err);
    for (size_t t = 0, layer = 1; t < T; t++, layer *= B) s->from[t + 1] = s->from[t] + layer;
    for (size_t bits = 1; bits <= s->u.bits; bits++)
        for (uint32_t i = 0; i < s->u.n; i++)
            if (s->u.shortest[i] == bits) s->order[n++] = i;
    fill_answers(s, (mn_past){0}, 0, 0);
    return MN_OK;
}

static mn_status simple(mn_lab_run_of *run, mn_err *err)
{
    mn_lab *lab = run->lab;
    study s = {.run = run, .worlds = 0};
    if (!(run->set[WORLDS] >= 1 && run->set[WORLDS] <= 1e5))
        return mn_fail(err, MN_ERR_NUM, "simple.worlds: expected 1 to 1e5");
    if (!(run->set[BITS] >= 4 && run->set[BITS] <= 24)) return mn_fail(err, MN_ERR_NUM, "simple.bits: expected 4 to 24");
    s.worlds = (size_t)run->set[WORLDS];
    mn_lab_headings(lab, "policy", (const char *const[]){"bits", "share of worlds", "median bits", NULL});
    lab->lines[0] = 1;
    lab->n_lines = 1;
    lab->x_title = "bits of the shortest program";
    lab->y_title = "share of worlds";
    mn_status status = prepare(&s, err);
    if (status == MN_OK) status = mn_parallel(run->threads, s.worlds, one_world, &s, err);
    if (status == MN_OK) status = report(&s, err);
    free(s.answers);
    free(s.order);
    free(s.bits);
    mn_universe_close(&s.u);
    return status;
}

const mn_lab_experiment mn_lab_simple = {
    .kind = {.name = "simple",
             .title = "Near-optimal policies are simple",
             .claim = "In most small worlds drawn at random some policy that is nearly optimal has a program that is not "
                      "longer than the demonstrator's: what the paper "
                      "argues, counted. (Worlds: two symbols, six turns, rewards and answers by the last symbol and the move, "
                      "uniform in [0,1].)",
             .formula = "min { |p| : V(p) >= V* - e (V* - V_min) } <= |demonstrator| in at least half of the worlds, e = .05",
             .settings = {{"worlds", 200, "worlds drawn"},
                          {"bits", 20, "all programs of at most so many bits"},
                          {"demonstrator", 0, "its length in bits; 0: drawn"},
                          {"share", .5, "of the worlds in which it must be so"}}},
    .run = simple};
