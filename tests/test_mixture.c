/* Counts, mixtures and models confined to some symbols, against sums written out. */
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

#define TRY(call) assert_int_equal((call), MN_OK)

enum { A = 3, T = 40 };
static const char *const texts[A] = {"a", "b", "c"};

static void assert_near(double x, double y, double tolerance)
{
    if (!(x == y || fabs(x - y) <= tolerance)) fail_msg("%.17g and %.17g differ by more than %g", x, y, tolerance);
}

/* Random rows; about one probability in `holes` is 0, symbol 0 never. */
static mn_model *random_table(uint64_t seed, size_t D, uint64_t holes)
{
    mn_rng rng = mn_rng_split(seed, D, 1000);
    double lp[16 * A];
    size_t S = D == 0 ? 1 : D == 1 ? A + 1 : 16;
    for (size_t s = 0; s < S; s++) {
        double p[A], sum = 0;
        for (size_t a = 0; a < A; a++) sum += p[a] = a && holes && !mn_rng_below(&rng, holes) ? 0 : .05 + mn_rng_uniform(&rng);
        for (size_t a = 0; a < A; a++) lp[s * A + a] = log(p[a] / sum);
    }
    mn_model *model;
    TRY(mn_table_new(&model, A, D, lp, texts, NULL));
    return model;
}

static mn_session *session_of(mn_model *model, mn_worker **worker)
{
    mn_session *s;
    TRY(mn_worker_new(worker, model, 2, T, NULL));
    TRY(mn_session_begin(&s, *worker, NULL));
    return s;
}

/* p of the next symbol after ids, learnt from the beginning, by a session of its own. */
static void predict_after(double *p, mn_model *model, const int32_t *ids, size_t n)
{
    mn_worker *worker;
    mn_session *s = session_of(model, &worker);
    TRY(mn_session_learn(s, ids, n, NULL));
    TRY(mn_session_predict(s, p, NULL));
    for (size_t a = 0; a < A; a++) p[a] = exp(p[a]);
    mn_worker_free(worker);
}

/* ---- counts ---- */

static void kt_counts_what_is_learnt(void **state)
{
    (void)state;
    mn_model *kt;
    mn_worker *worker;
    double lp[A], p[A];
    size_t len;
    const int32_t ids[] = {0, 2, 2, 1, 2};
    TRY(mn_kt_new(&kt, A, 0, NULL, NULL));
    mn_session *s = session_of(kt, &worker);
    TRY(mn_session_learn(s, ids, 3, NULL));
    TRY(mn_session_append(s, ids, 3, NULL)); /* not learnt */
    TRY(mn_session_learn(s, ids + 3, 2, NULL));
    TRY(mn_session_predict(s, lp, NULL));
    const double expected[] = {1.5 / 6.5, 1.5 / 6.5, 3.5 / 6.5};
    for (size_t a = 0; a < A; a++) assert_near(exp(lp[a]), expected[a], 1e-15);
    TRY(mn_session_rewind(s, 2, NULL));
    TRY(mn_session_predict(s, lp, NULL));
    predict_after(p, kt, ids, 2);
    for (size_t a = 0; a < A; a++) assert_true(exp(lp[a]) == p[a]);
    assert_string_equal(mn_model_piece(kt, 2, &len), "2");
    int32_t cut[4];
    TRY(mn_model_tokenize(kt, cut, 4, &len, "0221", 4, true, NULL));
    assert_true(len == 4 && cut[0] == 0 && cut[1] == 2 && cut[3] == 1);
    mn_worker_free(worker);
    mn_model_free(kt);
}

static void kt_takes_any_prior_above_zero(void **state)
{
    (void)state;
    mn_model *kt;
    double p[A];
    const int32_t ids[] = {1};
    TRY(mn_kt_new(&kt, A, 2, texts, NULL));
    predict_after(p, kt, ids, 1);
    assert_near(p[1], 3. / 7, 1e-15);
    assert_string_equal(mn_model_piece(kt, 1, NULL), "b");
    assert_string_equal(mn_model_name(kt), "kt");
    mn_model_free(kt);
    assert_int_equal(mn_kt_new(&kt, A, -1, NULL, NULL), MN_ERR_NUM);
    assert_int_equal(mn_kt_new(&kt, A, NAN, NULL, NULL), MN_ERR_NUM);
    assert_int_equal(mn_kt_new(&kt, A, INFINITY, NULL, NULL), MN_ERR_NUM);
    assert_int_equal(mn_kt_new(&kt, 0, 0, NULL, NULL), MN_ERR_LIMIT);
}

/* ---- mixtures ---- */

enum { N = 5 };
static mn_model *models[N];
static const double prior[N] = {.1, .3, .2, .3, .1};

static int make_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) models[i] = random_table(i, i, 0);
    models[3] = random_table(7, 1, 3);
    return mn_kt_new(&models[4], A, 0, texts, NULL) != MN_OK;
}

static int free_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++) mn_model_free(models[i]);
    return 0;
}

static mn_model *mixture_of(double share)
{
    double lp_prior[N];
    mn_model *mixture;
    for (size_t i = 0; i < N; i++) lp_prior[i] = log(prior[i]) + 5; /* a constant in common changes nothing */
    TRY(mn_mixture_new(&mixture, models, lp_prior, N, share, NULL));
    return mixture;
}

/* Weights and what they are weights of, by products of probabilities in long double. */
static void weigh(long double *w, double p[N][A], const int32_t *ids, size_t n, double share)
{
    for (size_t i = 0; i < N; i++) w[i] = prior[i];
    for (size_t t = 0; t <= n; t++) {
        long double sum = 0;
        for (size_t i = 0; i < N; i++) {
            predict_after(p[i], models[i], ids, t);
            if (t < n) w[i] *= p[i][ids[t]];
            sum += w[i];
        }
        for (size_t i = 0; i < N; i++) w[i] = t < n ? (1 - share) * (w[i] / sum) + share / N : w[i] / sum;
    }
}

static void check_mixture(mn_session *s, const int32_t *ids, size_t n, double share)
{
    long double w[N];
    double p[N][A], lp[A], lp_weights[N], rows[N * A];
    size_t members, listed = 0;
    weigh(w, p, ids, n, share);
    TRY(mn_session_predict(s, lp, NULL));
    for (size_t a = 0; a < A; a++) {
        long double sum = 0;
        for (size_t i = 0; i < N; i++) sum += w[i] * p[i][a];
        assert_near(exp(lp[a]), (double)sum, 1e-13);
    }
    TRY(mn_session_members(s, lp_weights, rows, N, &members, NULL));
    for (size_t k = 0; k < members; k++) assert_true(!k || lp_weights[k] <= lp_weights[k - 1]);
    for (size_t i = 0; i < N; i++) {
        size_t k = 0;
        while (k < members && fabs(exp(rows[k * A + 1]) - p[i][1]) > 1e-14) k++; /* its row tells which member this is */
        assert_int_equal(k == members, w[i] == 0);
        if (k == members) continue;
        listed++;
        assert_near(exp(lp_weights[k]), (double)w[i], 1e-13);
    }
    assert_int_equal(listed, members);
}

static void compare_with_products(double share)
{
    mn_rng rng = mn_rng_split(3, 0, 1000);
    mn_model *mixture = mixture_of(share);
    mn_worker *worker;
    mn_session *s = session_of(mixture, &worker);
    int32_t ids[T];
    for (size_t t = 0; t < 12; t++) {
        check_mixture(s, ids, t, share);
        ids[t] = (int32_t)mn_rng_below(&rng, A);
        TRY(mn_session_learn(s, ids + t, 1, NULL));
    }
    mn_worker_free(worker);
    mn_model_free(mixture);
}

static void posterior_is_that_of_bayes(void **state)
{
    (void)state;
    compare_with_products(0);
}

static void share_goes_round_equally(void **state)
{
    (void)state;
    compare_with_products(.05);
    compare_with_products(1);
}

/* The probabilities of all sequences of 4 symbols sum to 1, and each is the prior mean of the members' products. */
static void chain_rule(void **state)
{
    (void)state;
    mn_model *mixture = mixture_of(0);
    double all = 0;
    for (int code = 0; code < 81; code++) {
        const int32_t ids[] = {code % 3, code / 3 % 3, code / 9 % 3, code / 27};
        double product = 1, mean = 0, p[A];
        for (size_t t = 0; t < 4 && product > 0; t++) {
            predict_after(p, mixture, ids, t);
            product *= p[ids[t]];
        }
        for (size_t i = 0; i < N; i++) {
            double own = prior[i];
            for (size_t t = 0; t < 4; t++) {
                predict_after(p, models[i], ids, t);
                own *= p[ids[t]];
            }
            mean += own;
        }
        assert_near(product, mean, 1e-15);
        all += product;
    }
    assert_near(all, 1, 1e-13);
    mn_model_free(mixture);
}

static void what_all_rule_out_leaves_only_help(void **state)
{
    (void)state;
    const double sure[2][A] = {{0, -INFINITY, -INFINITY}, {-INFINITY, 0, -INFINITY}}, even[] = {0, 0};
    mn_model *pair[2], *mixture;
    mn_worker *worker;
    double lp[A], lp_weights[2], rows[2 * A];
    size_t n;
    for (size_t i = 0; i < 2; i++) TRY(mn_table_new(&pair[i], A, 0, sure[i], texts, NULL));
    for (int shared = 0; shared < 2; shared++) {
        TRY(mn_mixture_new(&mixture, pair, even, 2, shared * .1, NULL));
        mn_session *s = session_of(mixture, &worker);
        TRY(mn_session_learn(s, &(int32_t){1}, 1, NULL)); /* refutes the first, which share brings back */
        TRY(mn_session_members(s, lp_weights, rows, 2, &n, NULL));
        assert_int_equal(n, 1 + shared);
        assert_near(exp(lp_weights[0]), shared ? .95 : 1, 1e-15);
        TRY(mn_session_learn(s, &(int32_t){2}, 1, NULL)); /* refutes all */
        TRY(mn_session_predict(s, lp, NULL));
        for (size_t a = 0; a < A; a++) assert_true(lp[a] == -INFINITY);
        TRY(mn_session_members(s, lp_weights, rows, 2, &n, NULL));
        assert_int_equal(n, 0);
        TRY(mn_session_rewind(s, 1, NULL));
        TRY(mn_session_predict(s, lp, NULL));
        assert_near(exp(lp[1]), shared ? .95 : 1, 1e-15);
        mn_worker_free(worker);
        mn_model_free(mixture);
    }
    for (size_t i = 0; i < 2; i++) mn_model_free(pair[i]);
}

static void wrong_mixtures_are_refused(void **state)
{
    (void)state;
    mn_model *mixture, *other, *pair[2] = {models[0], NULL};
    mn_err err;
    const double even[] = {0, 0}, none[] = {-INFINITY, -INFINITY}, nan[] = {0, NAN}, inf[] = {INFINITY, 0};
    TRY(mn_kt_new(&other, A + 1, 0, NULL, NULL));
    pair[1] = other;
    assert_int_equal(mn_mixture_new(&mixture, pair, even, 2, 0, &err), MN_ERR_INPUT);
    assert_non_null(strstr(err.message, "model 1 has 4 symbols"));
    pair[1] = models[1];
    assert_int_equal(mn_mixture_new(&mixture, pair, even, 0, 0, &err), MN_ERR_INPUT);
    assert_int_equal(mn_mixture_new(&mixture, pair, none, 2, 0, &err), MN_ERR_NUM);
    assert_int_equal(mn_mixture_new(&mixture, pair, nan, 2, 0, &err), MN_ERR_NUM);
    assert_int_equal(mn_mixture_new(&mixture, pair, inf, 2, 0, &err), MN_ERR_NUM);
    assert_int_equal(mn_mixture_new(&mixture, pair, even, 2, 1.5, &err), MN_ERR_NUM);
    assert_int_equal(mn_mixture_new(&mixture, pair, even, 2, NAN, &err), MN_ERR_NUM);
    mn_model_free(other);
}

/* ---- confined ---- */

static void only_renormalises_what_is_left(void **state)
{
    (void)state;
    const bool allowed[A] = {false, true, true}, nothing[A] = {false};
    mn_model *only, *mixture = mixture_of(0);
    mn_worker *worker;
    double p[A], lp[A], lp_weights[N], rows[N * A], inner_weights[N], inner_rows[N * A];
    size_t n, inner_n;
    TRY(mn_only_new(&only, mixture, allowed, NULL));
    mn_session *s = session_of(only, &worker);
    TRY(mn_session_learn(s, (const int32_t[]){0, 1, 1}, 3, NULL));
    predict_after(p, mixture, (const int32_t[]){0, 1, 1}, 3);
    TRY(mn_session_predict(s, lp, NULL));
    assert_true(lp[0] == -INFINITY);
    assert_near(exp(lp[1]), p[1] / (p[1] + p[2]), 1e-15);
    assert_near(exp(lp[2]), p[2] / (p[1] + p[2]), 1e-15);
    TRY(mn_session_members(s, lp_weights, rows, N, &n, NULL));
    TRY(mn_session_members(mn_session_inner(s), inner_weights, inner_rows, N, &inner_n, NULL));
    assert_int_equal(n, inner_n);
    assert_memory_equal(lp_weights, inner_weights, n * sizeof *lp_weights);
    for (size_t k = 0; k < n; k++) {
        double one = exp(inner_rows[k * A + 1]), two = exp(inner_rows[k * A + 2]);
        assert_near(exp(rows[k * A + 1]), one / (one + two), 1e-15);
    }
    mn_worker_free(worker);
    mn_model_free(only);
    TRY(mn_only_new(&only, mixture, nothing, NULL));
    s = session_of(only, &worker);
    TRY(mn_session_predict(s, lp, NULL));
    for (size_t a = 0; a < A; a++) assert_true(lp[a] == -INFINITY);
    mn_worker_free(worker);
    mn_model_free(only);
    mn_model_free(mixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kt_counts_what_is_learnt),         cmocka_unit_test(kt_takes_any_prior_above_zero),
        cmocka_unit_test(posterior_is_that_of_bayes),       cmocka_unit_test(share_goes_round_equally),
        cmocka_unit_test(chain_rule),                       cmocka_unit_test(what_all_rule_out_leaves_only_help),
        cmocka_unit_test(wrong_mixtures_are_refused),       cmocka_unit_test(only_renormalises_what_is_left),
    };
    return cmocka_run_group_tests(tests, make_models, free_models);
}
