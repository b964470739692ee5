/* Pessimists: who is kept, what is then the least, what is missing; credible floors; sessions of all kinds; memory that ends.
 * */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mightnt.h"
#include "failing_memory.h"

#define TRY(call) assert_int_equal((call), MN_OK)

enum { A = 4, T = 24, MOST = 16 };
static const char *const texts[A] = {"p", "q", "r", "s"};

static void assert_near(double x, double y, double tolerance)
{
    if (!(x == y || fabs(x - y) <= tolerance)) fail_msg("%.17g and %.17g differ by more than %g", x, y, tolerance);
}

static mn_model *random_table(mn_rng *rng, size_t D)
{
    double lp[(A + 1) * A];
    for (size_t s = 0; s < (D ? A + 1 : 1); s++) {
        double p[A], sum = 0;
        for (size_t a = 0; a < A; a++) sum += p[a] = .02 + mn_rng_uniform(rng);
        for (size_t a = 0; a < A; a++) lp[s * A + a] = log(p[a] / sum);
    }
    mn_model *model;
    TRY(mn_table_new(&model, A, D, lp, texts, NULL));
    return model;
}

static mn_session *session_of(mn_model *model, mn_worker **worker)
{
    mn_session *s;
    TRY(mn_worker_new(worker, model, 3, T, NULL));
    TRY(mn_session_begin(&s, *worker, NULL));
    return s;
}

/* ---- the kept ---- */

/* By the words of the rule, from the members in the order they come in. */
static size_t kept_by_hand(const double *lp_weights, size_t n, double alpha)
{
    size_t kept = 0;
    long double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += expl(lp_weights[i]);
        if (expl(lp_weights[i]) >= alpha * sum) kept++;
    }
    return kept;
}

static void check_kept(mn_session *s, double alpha)
{
    double lp_weights[MOST], rows[MOST * A], own_weights[MOST], own[MOST * A], lp[A];
    size_t n, kept, own_n;
    TRY(mn_session_members(mn_session_inner(s), lp_weights, rows, MOST, &n, NULL));
    kept = kept_by_hand(lp_weights, n, alpha);
    assert_true((double)kept <= 1 / alpha && kept > 0);
    TRY(mn_session_members(s, own_weights, own, MOST, &own_n, NULL)); /* why help is asked */
    assert_int_equal(own_n, kept);
    assert_memory_equal(own_weights, lp_weights, kept * sizeof *own_weights);
    assert_memory_equal(own, rows, kept * A * sizeof *own);
    TRY(mn_session_predict(s, lp, NULL));
    for (size_t a = 0; a < A; a++) {
        double least = 0;
        for (size_t i = 0; i < kept; i++) least = rows[i * A + a] < least ? rows[i * A + a] : least;
        assert_true(lp[a] == least);
    }
}

static void kept_by_weight_and_the_least_of_them(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(1, 0, 1000);
    for (int repeat = 0; repeat < 60; repeat++) {
        mn_model *models[MOST], *mixture, *pessimist;
        double lp_prior[MOST], alpha = pow(10, -3 * mn_rng_uniform(&rng));
        size_t n = 1 + mn_rng_below(&rng, MOST);
        for (size_t i = 0; i < n; i++) {
            models[i] = random_table(&rng, i % 2);
            lp_prior[i] = 3 * mn_rng_uniform(&rng);
        }
        TRY(mn_mixture_new(&mixture, models, lp_prior, n, 0, NULL));
        TRY(mn_pessimist_new(&pessimist, mixture, alpha, 0, NULL));
        mn_worker *worker;
        mn_session *s = session_of(pessimist, &worker);
        for (size_t t = 0; t < 16; t++) {
            check_kept(s, alpha);
            int32_t id = (int32_t)mn_rng_below(&rng, A);
            TRY(mn_session_learn(s, &id, 1, NULL));
        }
        mn_worker_free(worker);
        mn_model_free(pessimist);
        mn_model_free(mixture);
        for (size_t i = 0; i < n; i++) mn_model_free(models[i]);
    }
}

/* Equal weights: the n-th has a share of 1/n of those up to it. */
static void on_the_border_they_are_kept(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(2, 0, 1000);
    mn_model *models[10], *mixture, *pessimist;
    const double even[10] = {0};
    double lp_weights[10], lp[10 * A];
    for (size_t i = 0; i < 10; i++) models[i] = random_table(&rng, 0);
    TRY(mn_mixture_new(&mixture, models, even, 10, 0, NULL));
    for (size_t n = 2; n <= 10; n++)
        for (int above = 0; above < 2; above++) {
            mn_worker *worker;
            size_t kept;
            TRY(mn_pessimist_new(&pessimist, mixture, (1 + 1e-9 * above) / (double)n, 0, NULL));
            mn_session *s = session_of(pessimist, &worker);
            TRY(mn_session_members(s, lp_weights, lp, 10, &kept, NULL));
            assert_int_equal(kept, n - (size_t)above);
            mn_worker_free(worker);
            mn_model_free(pessimist);
        }
    for (size_t i = 0; i < 10; i++) mn_model_free(models[i]);
    mn_model_free(mixture);
}

/* The classroom's point: one turn in which the pessimist does what only the model and "from now on always a" can say. */
static void switches_that_are_kept_ask_for_help(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(3, 0, 1000);
    const bool all[A] = {true, true, true, true};
    mn_model *table = random_table(&rng, 0), *closed, *pessimist;
    mn_worker *worker;
    double p[A], lp[A];
    TRY(mn_switch_new(&closed, &(mn_switch_opts){table, all, 2}, NULL));
    TRY(mn_pessimist_new(&pessimist, closed, .01, 0, NULL));
    mn_session *s = session_of(pessimist, &worker);
    TRY(mn_session_predict(mn_session_inner(mn_session_inner(s)), p, NULL));
    TRY(mn_session_predict(s, lp, NULL)); /* n = 1, prior 1/16 each, for every symbol: nothing is left */
    for (size_t a = 0; a < A; a++) assert_true(lp[a] == -INFINITY);
    TRY(mn_session_learn(s, (const int32_t[]){2, 1}, 2, NULL)); /* no switch has done that, none is to come */
    TRY(mn_session_predict(s, lp, NULL));
    for (size_t a = 0; a < A; a++) assert_near(exp(lp[a]), a == 1 ? exp(p[a]) : 0, 1e-15); /* "always 1 from turn 2" is kept */
    TRY(mn_session_learn(s, (const int32_t[]){0}, 1, NULL));
    TRY(mn_session_predict(s, lp, NULL));
    for (size_t a = 0; a < A; a++) assert_near(lp[a], p[a], 1e-15);
    mn_worker_free(worker);
    mn_model_free(pessimist);
    mn_model_free(closed);
    mn_model_free(table);
}

/* ---- credible floors ---- */

static double log_kt(const uint64_t *c, size_t M)
{
    double n = 0, sum = lgamma((double)M / 2);
    for (size_t a = 0; a < M; a++) {
        n += (double)c[a];
        sum += lgamma((double)c[a] + .5) - lgamma(.5);
    }
    return sum - lgamma(n + (double)M / 2);
}

/* The least theta_0 of two symbols, by walking a fine grid. */
static double floor_on_a_grid(const uint64_t *c, double leaf_alpha, double step)
{
    double least = log_kt(c, 2) + log(leaf_alpha);
    for (double theta = step; theta < 1; theta += step)
        if ((double)c[0] * log(theta) + (double)c[1] * log1p(-theta) >= least) return theta;
    return 1;
}

static void learn_counts(mn_session *s, const uint64_t *counts, size_t M)
{
    for (size_t a = 0; a < M; a++)
        for (uint64_t k = 0; k < counts[a]; k++) TRY(mn_session_learn(s, &(int32_t){(int32_t)a}, 1, NULL));
}

static void floors_are_the_least_credible(void **state)
{
    (void)state;
    const uint64_t counts[][2] = {{1, 0}, {5, 0}, {1, 1}, {3, 9}, {20, 1}, {200, 300}, {1, 400}};
    const double alphas[] = {.5, .05, 1e-6};
    mn_model *kt, *credible;
    TRY(mn_kt_new(&kt, 2, 0, NULL, NULL));
    for (size_t k = 0; k < 3; k++) {
        TRY(mn_credible_new(&credible, kt, alphas[k], NULL));
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            mn_worker *worker;
            mn_session *s;
            double lp[2];
            TRY(mn_worker_new(&worker, credible, 1, 600, NULL));
            TRY(mn_session_begin(&s, worker, NULL));
            learn_counts(s, counts[i], 2);
            TRY(mn_session_predict(s, lp, NULL));
            double grid = floor_on_a_grid(counts[i], alphas[k], 1e-6);
            if (!counts[i][1]) assert_near(lp[0], (log_kt(counts[i], 2) + log(alphas[k])) / (double)counts[i][0], 1e-13);
            assert_true(exp(lp[0]) <= grid && exp(lp[0]) > grid - 1.001e-6);
            if (!counts[i][1]) assert_true(lp[1] == -INFINITY);
            mn_worker_free(worker);
        }
        mn_model_free(credible);
    }
    mn_model_free(kt);
}

/* Before anything is seen all is help; with more data the floor comes up to the prediction, and never above. */
static void floors_rise_to_the_prediction(void **state)
{
    (void)state;
    mn_model *kt, *credible;
    mn_worker *worker;
    mn_session *s;
    double lp[A], p[A], last = 1;
    TRY(mn_kt_new(&kt, A, 0, texts, NULL));
    TRY(mn_credible_new(&credible, kt, .05, NULL));
    TRY(mn_worker_new(&worker, credible, 1, 40000, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    TRY(mn_session_predict(s, lp, NULL));
    for (size_t a = 0; a < A; a++) assert_true(lp[a] == -INFINITY);
    for (int32_t n = 0; n < 40000; n++) {
        int32_t id = n % 10 < 5 ? 0 : n % 10 < 8 ? 1 : 2;
        TRY(mn_session_learn(s, &id, 1, NULL));
        if (n % 1000 != 999) continue;
        double help = 1;
        TRY(mn_session_predict(s, lp, NULL));
        TRY(mn_session_predict(mn_session_inner(s), p, NULL));
        for (size_t a = 0; a < A; a++) assert_true(lp[a] <= p[a]);
        for (size_t a = 0; a < A; a++) help -= exp(lp[a]);
        assert_true(help < last && lp[3] == -INFINITY);
        last = help;
    }
    assert_true(last < .05);
    mn_worker_free(worker);
    mn_model_free(credible);
    mn_model_free(kt);
}

/* Confined, the alphabet is what is allowed: a kt over those alone. */
static void floors_of_allowed_symbols(void **state)
{
    (void)state;
    const bool allowed[A] = {true, false, true, false};
    mn_model *kt, *two, *only, *credible, *credible_two, *pessimist;
    mn_worker *workers[3];
    double lp[A], lp_two[2], least[A];
    TRY(mn_kt_new(&kt, A, 0, texts, NULL));
    TRY(mn_kt_new(&two, 2, 0, NULL, NULL));
    TRY(mn_only_new(&only, kt, allowed, NULL));
    TRY(mn_credible_new(&credible, only, .1, NULL));
    TRY(mn_credible_new(&credible_two, two, .1, NULL));
    TRY(mn_pessimist_new(&pessimist, only, .5, .1, NULL)); /* its only member speaks with the floor */
    mn_session *s = session_of(credible, &workers[0]), *s_two = session_of(credible_two, &workers[1]),
               *s_least = session_of(pessimist, &workers[2]);
    learn_counts(s, (const uint64_t[]){5, 6, 3, 2}, A);
    learn_counts(s_least, (const uint64_t[]){5, 6, 3, 2}, A);
    learn_counts(s_two, (const uint64_t[]){5, 3}, 2);
    TRY(mn_session_predict(s, lp, NULL));
    TRY(mn_session_predict(s_two, lp_two, NULL));
    TRY(mn_session_predict(s_least, least, NULL));
    assert_near(lp[0], lp_two[0], 1e-15);
    assert_near(lp[2], lp_two[1], 1e-15);
    assert_true(lp[1] == -INFINITY && lp[3] == -INFINITY);
    assert_memory_equal(lp, least, sizeof lp);
    for (size_t i = 0; i < 3; i++) mn_worker_free(workers[i]);
    mn_model *all[] = {pessimist, credible_two, credible, only, two, kt};
    for (size_t i = 0; i < 6; i++) mn_model_free(all[i]);
}

static void wrong_pessimists_are_refused(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(4, 0, 1000);
    const bool all[A] = {true, true, true, true};
    const double wrong[] = {0, 1, 2, -1, NAN, INFINITY}, zero = 0;
    mn_model *table = random_table(&rng, 1), *only, *mixture, *out;
    mn_err err;
    TRY(mn_mixture_new(&mixture, &table, &zero, 1, 0, NULL));
    TRY(mn_only_new(&only, table, all, NULL));
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(mn_pessimist_new(&out, mixture, wrong[i], 0, &err), MN_ERR_NUM);
        if (i) assert_int_equal(mn_pessimist_new(&out, mixture, .5, wrong[i], &err), MN_ERR_NUM);
        assert_int_equal(mn_credible_new(&out, mixture, wrong[i], &err), MN_ERR_NUM);
    }
    assert_int_equal(mn_credible_new(&out, mixture, .1, &err), MN_ERR_INPUT); /* does not count */
    assert_int_equal(mn_credible_new(&out, only, .1, &err), MN_ERR_INPUT);
    assert_int_equal(mn_pessimist_new(&out, table, .1, 0, &err), MN_ERR_INPUT); /* no members */
    assert_int_equal(mn_pessimist_new(&out, only, .1, 0, &err), MN_ERR_INPUT);
    assert_non_null(strstr(err.message, "\"only\""));
    mn_model_free(mixture);
    mn_model_free(only);
    mn_model_free(table);
}

/* ---- sessions ---- */

/* Everything in one another: pessimist of a mixture of a switch over a tree, a kt, and a confined mixture that shares. */
typedef struct tower {
    mn_model *models[9];
    size_t n;
} tower;

static mn_status build(tower *t)
{
    const bool allowed[A] = {true, true, true, false};
    const double even[2] = {0, 0}, three[3] = {0, -1, -2};
    const int32_t data[] = {0, 3, 1, 3, 0, 3, 2, 3, 0, 1, 0, 3};
    mn_model **m = t->models;
    t->n = 0;
    mn_status status = mn_bct_new(&m[0], &(mn_bct_opts){.A = A, .D = 2, .start = 3, .names = texts}, NULL);
    if (status == MN_OK) status = (t->n = 1, mn_bct_learn(m[0], data, 12, true, NULL));
    if (status == MN_OK) status = mn_switch_new(&m[1], &(mn_switch_opts){m[0], allowed, 4}, NULL);
    if (status == MN_OK) status = (t->n = 2, mn_switch_learn(m[1], data, 6, NULL));
    if (status == MN_OK) status = mn_kt_new(&m[2], A, 0, NULL, NULL);
    if (status == MN_OK) status = (t->n = 3, mn_mixture_new(&m[3], (mn_model *[]){m[0], m[2]}, even, 2, .1, NULL));
    if (status == MN_OK) status = (t->n = 4, mn_only_new(&m[4], m[3], allowed, NULL));
    if (status == MN_OK) status = (t->n = 5, mn_credible_new(&m[5], m[2], .1, NULL));
    if (status == MN_OK) status = (t->n = 6, mn_mixture_new(&m[6], (mn_model *[]){m[1], m[4], m[5]}, three, 3, 0, NULL));
    if (status == MN_OK) status = (t->n = 7, mn_pessimist_new(&m[7], m[1], .02, .1, NULL));
    if (status == MN_OK) status = (t->n = 8, mn_pessimist_new(&m[8], m[6], .02, .1, NULL));
    if (status == MN_OK) t->n = 9;
    return status;
}

static void tear_down(tower *t)
{
    while (t->n) mn_model_free(t->models[--t->n]);
}

typedef struct history {
    size_t n;
    int32_t ids[T];
    bool learnt[T];
} history;

static void extend(mn_session *s, history *h, int32_t id, bool learn)
{
    h->ids[h->n] = id;
    h->learnt[h->n++] = learn;
    TRY((learn ? mn_session_learn : mn_session_append)(s, &id, 1, NULL));
}

/* What a session says and shows, to the bits. */
static void assert_same(mn_session *x, mn_session *y)
{
    double lp[2][A], lp_weights[2][MOST] = {{0}}, rows[2][MOST * A] = {{0}};
    size_t n[2];
    mn_session *both[] = {x, y};
    for (size_t i = 0; i < 2; i++) {
        TRY(mn_session_predict(both[i], lp[i], NULL));
        TRY(mn_session_members(both[i], lp_weights[i], rows[i], MOST, &n[i], NULL));
    }
    assert_memory_equal(lp[0], lp[1], sizeof lp[0]);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(lp_weights[0], lp_weights[1], sizeof lp_weights[0]);
    assert_memory_equal(rows[0], rows[1], sizeof rows[0]);
}

static void compare_with_fresh(mn_model *model, mn_session *s, const history *h)
{
    mn_worker *worker;
    mn_session *fresh = session_of(model, &worker);
    for (size_t t = 0; t < h->n; t++) TRY((h->learnt[t] ? mn_session_learn : mn_session_append)(fresh, h->ids + t, 1, NULL));
    assert_same(s, fresh);
    mn_worker_free(worker);
}

static void wander(mn_model *model, mn_rng *rng)
{
    mn_worker *worker;
    mn_session *s = session_of(model, &worker), *fork = NULL;
    history h = {0}, forked = {0};
    for (int step = 0; step < 150; step++) {
        if (h.n == T || !mn_rng_below(rng, 6)) {
            h.n = mn_rng_below(rng, h.n + 1);
            TRY(mn_session_rewind(s, h.n, NULL));
        } else if (!mn_rng_below(rng, 8)) {
            mn_session_free(fork);
            TRY(mn_session_fork(&fork, s, NULL));
            forked = h;
        } else {
            extend(s, &h, (int32_t)mn_rng_below(rng, A), mn_rng_below(rng, 3));
        }
        TRY(mn_advance((mn_session *[]){s, fork}, fork ? 2 : 1, NULL));
        compare_with_fresh(model, s, &h);
        if (fork) compare_with_fresh(model, fork, &forked);
    }
    mn_worker_free(worker);
}

static void every_way_to_a_history_gives_the_same_bits(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(5, 0, 1000);
    tower t;
    TRY(build(&t));
    for (size_t i = 0; i < t.n; i++) wander(t.models[i], &rng);
    tear_down(&t);
}

/* Keys: the same for one history, the length given also where there is no room, different once something else was learnt. */
static void keys_tell_what_was_learnt(void **state)
{
    (void)state;
    tower t;
    TRY(build(&t));
    for (size_t i = 2; i < 9; i++) {
        if (i == 3 || i == 4 || i == 6 || i == 8) continue; /* a tree that learns has none */
        mn_worker *worker;
        unsigned char keys[3][256] = {{0}};
        size_t n[3], short_n;
        const int32_t paths[3][3] = {{1, 1, 2}, {1, 1, 2}, {0, 1, 2}};
        for (size_t k = 0; k < 3; k++) {
            mn_session *s = session_of(t.models[i], &worker);
            TRY(mn_session_learn(s, paths[k], 3, NULL));
            TRY(mn_session_key(s, keys[k], sizeof keys[k], &n[k], NULL));
            unsigned char part[9] = {0};
            TRY(mn_session_key(s, part, 8, &short_n, NULL));
            assert_int_equal(short_n, n[k]);
            assert_memory_equal(part, keys[k], 8);
            assert_int_equal(part[8], 0);
            mn_worker_free(worker);
        }
        assert_in_range(n[0], 8, sizeof keys[0]);
        assert_memory_equal(keys[0], keys[1], sizeof keys[0]);
        assert_true(i == 7 || memcmp(keys[0], keys[2], sizeof keys[0])); /* a switch knows only what was said since */
    }
    tear_down(&t);
}

/* Models inside are seen through, and have the same texts. */
static void inside_can_be_looked_at(void **state)
{
    (void)state;
    tower t;
    TRY(build(&t));
    mn_worker *worker;
    mn_session *s = session_of(t.models[8], &worker);
    double lp_weights[MOST], lp[MOST * A];
    size_t n, len;
    assert_string_equal(mn_model_name(t.models[8]), "pessimist");
    assert_string_equal(mn_model_piece(t.models[8], 2, NULL), "r");
    int32_t ids[2];
    TRY(mn_model_tokenize(t.models[8], ids, 2, &len, "sq", 2, true, NULL));
    assert_true(len == 2 && ids[0] == 3 && ids[1] == 1);
    assert_false(mn_model_ends_generation(t.models[8], 2));
    assert_int_equal(mn_model_features(t.models[7]), mn_model_features(t.models[0]));
    TRY(mn_session_members(mn_session_inner(s), lp_weights, lp, MOST, &n, NULL));
    assert_int_equal(n, 3);
    assert_null(mn_session_inner(mn_session_inner(s))); /* a mixture: several inside */
    mn_worker_free(worker);
    s = session_of(t.models[7], &worker);
    float x[64], expected[64];
    assert_in_range(mn_model_features(t.models[7]), 1, 64);
    TRY(mn_session_append(s, (const int32_t[]){0, 3}, 2, NULL));
    TRY(mn_session_features(s, x, NULL));
    TRY(mn_session_features(mn_session_inner(mn_session_inner(mn_session_inner(s))), expected, NULL));
    assert_memory_equal(x, expected, mn_model_features(t.models[7]) * sizeof *x);
    mn_worker_free(worker);
    tear_down(&t);
}

/* ---- memory that ends: the build routes the allocations of this program through these ---- */

/* Builds all, lives a little, and gives the first failure. */
static mn_status live(void)
{
    tower t;
    mn_worker *worker = NULL;
    mn_session *s, *fork;
    double lp[A];
    const int32_t ids[] = {0, 3, 1, 3, 2};
    mn_status status = build(&t);
    if (status == MN_OK) status = mn_worker_new(&worker, t.models[8], 2, T, NULL);
    if (status == MN_OK) status = mn_session_begin(&s, worker, NULL);
    for (size_t k = 0; status == MN_OK && k < 3; k++) status = mn_session_learn(s, ids, 5, NULL);
    if (status == MN_OK) status = mn_session_predict(s, lp, NULL);
    if (status == MN_OK) status = mn_session_fork(&fork, s, NULL);
    if (status == MN_OK) status = mn_session_learn(fork, ids, 5, NULL);
    mn_worker_free(worker);
    tear_down(&t);
    return status;
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    mn_status status = MN_ERR_MEMORY;
    size_t failures = 0;
    for (; status != MN_OK; failures++) {
        until_failure = failures;
        status = live();
        until_failure = SIZE_MAX;
        if (status != MN_OK) assert_int_equal(status, MN_ERR_MEMORY);
    }
    assert_true(failures > 100);
}

/* A symbol that could not be learnt leaves the session as it was. */
static void a_failure_leaves_the_session_as_it_was(void **state)
{
    (void)state;
    const int32_t ids[] = {0, 3, 1, 3, 2, 1, 0, 2};
    tower t;
    TRY(build(&t));
    for (size_t i = 0; i < t.n; i++) {
        mn_worker *worker, *other;
        mn_session *s = session_of(t.models[i], &worker), *same = session_of(t.models[i], &other);
        double lp[A];
        TRY(mn_session_learn(s, ids, 3, NULL));
        TRY(mn_session_learn(same, ids, 3, NULL));
        mn_status status = MN_ERR_MEMORY;
        for (size_t failures = 0; status != MN_OK; failures++) {
            until_failure = failures;
            status = mn_session_learn(s, ids, 8, NULL);
            until_failure = SIZE_MAX;
            if (status != MN_OK) assert_same(s, same);
        }
        TRY(mn_session_learn(same, ids, 8, NULL));
        assert_same(s, same);
        TRY(mn_session_predict(s, lp, NULL));
        mn_worker_free(worker);
        mn_worker_free(other);
    }
    tear_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_by_weight_and_the_least_of_them),
        cmocka_unit_test(on_the_border_they_are_kept),
        cmocka_unit_test(switches_that_are_kept_ask_for_help),
        cmocka_unit_test(floors_are_the_least_credible),
        cmocka_unit_test(floors_rise_to_the_prediction),
        cmocka_unit_test(floors_of_allowed_symbols),
        cmocka_unit_test(wrong_pessimists_are_refused),
        cmocka_unit_test(every_way_to_a_history_gives_the_same_bits),
        cmocka_unit_test(keys_tell_what_was_learnt),
        cmocka_unit_test(inside_can_be_looked_at),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(a_failure_leaves_the_session_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
