/* "From the n-th turn on always a": against every member written out, each with the product of its probabilities. */
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

/* The speaker says x, y or z, the other u or v. */
enum { A = 5, M = 3, N = 4, ALL = 1 + N * M, T = 12 };
static const char *const texts[A] = {"x", "u", "y", "v", "z"};
static const bool allowed[A] = {true, false, true, false, true};
static const int32_t says[M] = {0, 2, 4}, hears[2] = {1, 3};
static double rows[A + 1][A]; /* of the table, linear */
static mn_model *table;

static void assert_near(double x, double y, double tolerance)
{
    if (!(x == y || fabs(x - y) <= tolerance)) fail_msg("%.17g and %.17g differ by more than %g", x, y, tolerance);
}

/* Never z after u. */
static int make_table(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(11, 0, 1000);
    double lp[(A + 1) * A];
    for (size_t s = 0; s <= A; s++) {
        double sum = 0;
        for (size_t a = 0; a < A; a++) sum += rows[s][a] = s == 2 && a == 4 ? 0 : .1 + mn_rng_uniform(&rng);
        for (size_t a = 0; a < A; a++) lp[s * A + a] = log(rows[s][a] /= sum);
    }
    return mn_table_new(&table, A, 1, lp, texts, NULL) != MN_OK;
}

static int free_table(void **state)
{
    (void)state;
    mn_model_free(table);
    return 0;
}

static mn_model *new_switch(size_t turns)
{
    mn_model *model;
    const mn_switch_opts opts = {.model = table, .allowed = allowed, .turns = turns};
    TRY(mn_switch_new(&model, &opts, NULL));
    return model;
}

static mn_session *session_of(mn_model *model, mn_worker **worker)
{
    mn_session *s;
    TRY(mn_worker_new(worker, model, 2, 2 * T, NULL));
    TRY(mn_session_begin(&s, *worker, NULL));
    return s;
}

/* ---- the members by hand ---- */

typedef struct history {
    size_t n;
    int32_t ids[2 * T];
    bool learnt[2 * T];
} history;

/* What member (n, a) says in a turn after a symbol (A: at the beginning); n = 0: the table, confined. */
static double says_member(size_t n, int32_t a, size_t turn, size_t last, int32_t symbol)
{
    const double *row = rows[last == A ? 0 : last + 1];
    if (!allowed[symbol]) return 0;
    if (n && turn >= n) return symbol == a;
    return row[symbol] / (row[0] + row[2] + row[4]);
}

/* Multiplies the member's weight by what it said of the learnt turns; *turns, *last: where it ends. */
static long double product(size_t n, int32_t a, const history *h, size_t *turns, size_t *last)
{
    long double p = 1;
    *turns = 0;
    *last = A;
    for (size_t t = 0; t < h->n; t++) {
        if (allowed[h->ids[t]] && ++*turns && h->learnt[t]) p *= says_member(n, a, *turns, *last, h->ids[t]);
        *last = (size_t)h->ids[t];
    }
    return p;
}

/* Weights w: [ALL], and p: [ALL,A] what each says next; transcripts first, then the session's history. */
static void enumerate(long double *w, double p[ALL][A], size_t turns, const history *transcripts, size_t n_transcripts,
                      const history *h)
{
    size_t turn, last;
    long double sum = 0;
    for (size_t i = 0; i <= turns * M; i++) {
        size_t n = i ? (i - 1) / M + 1 : 0;
        int32_t a = i ? says[(i - 1) % M] : 0;
        w[i] = n ? 1.L / (2 * M * n * (n + 1)) : .5L + .5L / (turns + 1);
        for (size_t k = 0; k < n_transcripts; k++) w[i] *= product(n, a, &transcripts[k], &turn, &last);
        w[i] *= product(n, a, h, &turn, &last);
        for (int32_t b = 0; b < A; b++) p[i][b] = says_member(n, a, turn + 1, last, b);
        sum += w[i];
    }
    for (size_t i = 0; i <= turns * M && sum > 0; i++) w[i] /= sum;
}

static void check_members(mn_session *s, size_t all, const long double *w, double p[ALL][A])
{
    double lp_weights[ALL], lp[ALL * A];
    size_t n, listed = 0;
    TRY(mn_session_members(s, lp_weights, lp, ALL, &n, NULL));
    for (size_t i = 0; i < all; i++) listed += w[i] > 0;
    assert_int_equal(n, listed);
    for (size_t k = 0; k < n; k++) {
        size_t best = ALL; /* the likeliest of those not yet met; of equals the first */
        for (size_t i = 0; i < all; i++)
            if (w[i] > 0 && (best == ALL || w[i] > w[best] * (1 + 1e-15L))) best = i;
        assert_near(exp(lp_weights[k]), (double)w[best], 1e-13);
        for (size_t a = 0; a < A; a++) assert_near(exp(lp[k * A + a]), p[best][a], 1e-14);
        ((long double *)w)[best] = 0;
    }
}

static void check(mn_session *s, size_t turns, const history *transcripts, size_t n_transcripts, const history *h)
{
    long double w[ALL];
    double p[ALL][A], lp[A];
    enumerate(w, p, turns, transcripts, n_transcripts, h);
    TRY(mn_session_predict(s, lp, NULL));
    for (size_t a = 0; a < A; a++) {
        long double sum = 0;
        for (size_t i = 0; i <= turns * M; i++) sum += w[i] * p[i][a];
        assert_near(exp(lp[a]), (double)sum, 1e-13);
    }
    check_members(s, 1 + turns * M, w, p);
}

static void extend(mn_session *s, history *h, int32_t id, bool learn)
{
    h->ids[h->n] = id;
    h->learnt[h->n++] = learn;
    TRY((learn ? mn_session_learn : mn_session_append)(s, &id, 1, NULL));
}

/* A turn of the speaker, who often repeats himself, and an answer. */
static int32_t random_symbol(mn_rng *rng, size_t t)
{
    if (t % 2) return hears[mn_rng_below(rng, 2)];
    return says[mn_rng_below(rng, 4) ? 1 : mn_rng_below(rng, M)];
}

/* ---- tests ---- */

static void prior_is_by_description_length(void **state)
{
    (void)state;
    mn_model *model = new_switch(N);
    mn_worker *worker;
    mn_session *s = session_of(model, &worker);
    double lp_weights[ALL], lp[ALL * A];
    size_t n;
    check(s, N, NULL, 0, &(history){0});
    TRY(mn_session_members(s, lp_weights, lp, ALL, &n, NULL));
    assert_int_equal(n, ALL);
    assert_near(exp(lp_weights[0]), .6, 1e-15);
    for (size_t i = 1; i < ALL; i++) {
        size_t turn = (i - 1) / M + 1;
        assert_near(exp(lp_weights[i]), 1. / (double)(2 * M * turn * (turn + 1)), 1e-15);
        if (turn == 1) assert_true(lp[i * A + (size_t)says[i - 1]] == 0); /* ties in the order of symbols */
    }
    TRY(mn_session_members(s, lp_weights, lp, 2, &n, NULL)); /* says how many there are */
    assert_int_equal(n, ALL);
    mn_worker_free(worker);
    mn_model_free(model);
    model = new_switch(0); /* the model alone */
    s = session_of(model, &worker);
    check(s, 0, NULL, 0, &(history){0});
    mn_worker_free(worker);
    mn_model_free(model);
}

static void histories_against_all_members(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(5, 0, 1000);
    mn_model *model = new_switch(N);
    for (int repeat = 0; repeat < 300; repeat++) {
        mn_worker *worker;
        mn_session *s = session_of(model, &worker);
        history h = {0};
        uint64_t often = mn_rng_below(&rng, 3); /* 0: everything is learnt */
        for (size_t t = 0; t < T; t++) {
            extend(s, &h, random_symbol(&rng, t), !often || !mn_rng_below(&rng, often + 1));
            check(s, N, NULL, 0, &h);
        }
        mn_worker_free(worker);
    }
    mn_model_free(model);
}

static void transcripts_are_evidence(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(6, 0, 1000);
    for (int repeat = 0; repeat < 100; repeat++) {
        mn_model *model = new_switch(N);
        mn_worker *worker;
        history transcripts[3] = {0}, h = {0};
        size_t n = 1 + mn_rng_below(&rng, 3);
        for (size_t k = 0; k < n; k++) {
            size_t length = mn_rng_below(&rng, 8);
            for (size_t t = 0; t < length; t++) {
                transcripts[k].ids[t] = random_symbol(&rng, t);
                transcripts[k].learnt[t] = true;
            }
            transcripts[k].n = length;
            TRY(mn_switch_learn(model, transcripts[k].ids, length, NULL));
        }
        mn_session *s = session_of(model, &worker);
        for (size_t t = 0; t < T; t++) {
            check(s, N, transcripts, n, &h);
            extend(s, &h, random_symbol(&rng, t), true);
        }
        mn_worker_free(worker);
        mn_model_free(model);
    }
}

/* Odds of what lies behind the end of every transcript stay as they were. */
static void more_transcripts_are_no_cure(void **state)
{
    (void)state;
    mn_model *model = new_switch(N);
    mn_worker *worker;
    const int32_t transcript[] = {0, 3, 2, 3, 0, 1};
    double lp_weights[ALL], lp[ALL * A];
    size_t n;
    for (int k = 0; k < 20000; k++) TRY(mn_switch_learn(model, transcript, 6, NULL));
    mn_session *s = session_of(model, &worker);
    TRY(mn_session_members(s, lp_weights, lp, ALL, &n, NULL));
    assert_int_equal(n, 1 + M + 1); /* the model, n = 4, and "x from the third turn on" */
    assert_true(lp_weights[2] == lp_weights[3]);
    const double *row = rows[4];
    double odds = -20000 * log(row[0] / (row[0] + row[2] + row[4])) - log(2. * M * 3 * 4 * .6);
    assert_near((lp_weights[0] - lp_weights[1]) / odds, 1, 1e-12); /* here the evidence is for the switch */
    assert_near(exp(lp_weights[2] - lp_weights[1]), 1 / (2. * M * 4 * 5 * .6), 1e-13); /* both are near -2e4 nats */
    mn_worker_free(worker);
    mn_model_free(model);
}

static void demonstrations_only_move_the_weights(void **state)
{
    (void)state;
    mn_model *model = new_switch(N);
    mn_worker *worker;
    mn_session *s = session_of(model, &worker);
    double before[ALL], after[ALL], lp[ALL * A];
    size_t n;
    TRY(mn_session_members(s, before, lp, ALL, &n, NULL));
    TRY(mn_session_append(s, (const int32_t[]){2, 1, 2, 1, 2}, 5, NULL));
    TRY(mn_session_members(s, after, lp, ALL, &n, NULL));
    assert_memory_equal(before, after, sizeof before);
    TRY(mn_session_learn(s, (const int32_t[]){3}, 1, NULL)); /* no turn of the speaker's */
    TRY(mn_session_members(s, after, lp, ALL, &n, NULL));
    assert_memory_equal(before, after, sizeof before);
    TRY(mn_session_learn(s, (const int32_t[]){2}, 1, NULL)); /* the fourth turn: all have switched */
    TRY(mn_session_members(s, after, lp, ALL, &n, NULL));
    assert_int_equal(n, 1 + N);
    mn_worker_free(worker);
    mn_model_free(model);
}

/* ---- keys ---- */

typedef struct state_key {
    size_t n;
    unsigned char bytes[512];
} state_key;

static void key_of(state_key *key, mn_session *s)
{
    memset(key, 0, sizeof *key);
    TRY(mn_session_key(s, key->bytes, sizeof key->bytes, &key->n, NULL));
    assert_in_range(key->n, 1, sizeof key->bytes);
}

/* lp and the members' weights after every continuation by two exchanges. */
static size_t future(double *out, mn_session *s, size_t depth)
{
    double lp_weights[ALL], lp[ALL * A];
    size_t n, length = mn_session_length(s), written = A + 1;
    TRY(mn_session_predict(s, out, NULL));
    TRY(mn_session_members(s, lp_weights, lp, ALL, &n, NULL));
    out[A] = 0;
    for (size_t k = 0; k < n; k++) out[A] += lp_weights[k] * (double)(k + 1);
    for (size_t i = 0; depth && i < 2 * M; i++) {
        TRY(mn_session_learn(s, (const int32_t[]){says[i / 2], hears[i % 2]}, 2, NULL));
        written += future(out + written, s, depth - 1);
        TRY(mn_session_rewind(s, length, NULL));
    }
    return written;
}

enum { FUTURE = (1 + 6 + 36) * (A + 1) };
typedef struct seen {
    state_key key;
    double future[FUTURE];
} seen;

static size_t find_or_add(seen *all, size_t n, mn_session *s)
{
    key_of(&all[n].key, s);
    assert_int_equal(future(all[n].future, s, 2), FUTURE);
    for (size_t i = 0; i < n; i++)
        if (!memcmp(&all[i].key, &all[n].key, sizeof all[n].key)) {
            assert_memory_equal(all[i].future, all[n].future, sizeof all[n].future);
            return n;
        }
    return n + 1;
}

static void equal_keys_have_equal_futures(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(8, 0, 1000);
    mn_model *model = new_switch(N);
    mn_worker *worker;
    mn_session *s;
    enum { REPEATS = 800 };
    seen *all = calloc(REPEATS + 1, sizeof *all);
    size_t n = 0;
    TRY(mn_switch_learn(model, (const int32_t[]){2, 3, 0, 3}, 4, NULL));
    TRY(mn_worker_new(&worker, model, 1, 2 * T, NULL));
    for (size_t repeat = 0; repeat < REPEATS; repeat++) {
        TRY(mn_session_begin(&s, worker, NULL));
        size_t length = 2 * mn_rng_below(&rng, 5);
        bool learn = mn_rng_below(&rng, 4);
        for (size_t t = 0; t < length; t++) {
            int32_t id = random_symbol(&rng, t);
            TRY((learn ? mn_session_learn : mn_session_append)(s, &id, 1, NULL));
        }
        n = find_or_add(all, n, s);
        mn_session_free(s);
    }
    assert_in_range(n, 20, REPEATS / 2); /* many are merged, and not all */
    free(all);
    mn_worker_free(worker);
    mn_model_free(model);
}

/* Where all switches are refuted only the last symbol counts, whatever the turn. */
static void refuted_switches_do_not_keep_states_apart(void **state)
{
    (void)state;
    mn_model *model = new_switch(2);
    mn_worker *worker;
    state_key keys[3];
    TRY(mn_switch_learn(model, (const int32_t[]){2, 3, 0, 3}, 4, NULL));
    TRY(mn_switch_learn(model, (const int32_t[]){2, 3, 2, 3}, 4, NULL));
    const int32_t histories[3][6] = {{2, 3}, {0, 3, 4, 3}, {4, 1, 0, 1, 2, 3}};
    for (size_t i = 0; i < 3; i++) {
        mn_session *s = session_of(model, &worker);
        TRY(mn_session_learn(s, histories[i], 2 * (i + 1), NULL));
        key_of(&keys[i], s);
        mn_worker_free(worker);
    }
    assert_memory_equal(&keys[0], &keys[1], sizeof keys[0]);
    assert_memory_equal(&keys[0], &keys[2], sizeof keys[0]);
    mn_model_free(model);
}

static void wrong_switches_are_refused(void **state)
{
    (void)state;
    mn_model *model;
    mn_err err;
    const bool none[A] = {false};
    assert_int_equal(mn_switch_new(&model, &(mn_switch_opts){table, none, 3}, &err), MN_ERR_INPUT);
    assert_int_equal(mn_switch_new(&model, &(mn_switch_opts){table, allowed, SIZE_MAX / 2}, &err), MN_ERR_LIMIT);
    model = new_switch(1);
    assert_int_equal(mn_switch_learn(model, (const int32_t[]){0, 7}, 2, &err), MN_ERR_INPUT);
    assert_int_equal(mn_switch_learn(model, (const int32_t[]){-1}, 1, &err), MN_ERR_INPUT);
    mn_worker *worker;
    mn_session *s = session_of(model, &worker);
    check(s, 1, NULL, 0, &(history){0}); /* nothing was learnt of those */
    mn_worker_free(worker);
    mn_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prior_is_by_description_length),
        cmocka_unit_test(histories_against_all_members),
        cmocka_unit_test(transcripts_are_evidence),
        cmocka_unit_test(more_transcripts_are_no_cure),
        cmocka_unit_test(demonstrations_only_move_the_weights),
        cmocka_unit_test(equal_keys_have_equal_futures),
        cmocka_unit_test(refuted_switches_do_not_keep_states_apart),
        cmocka_unit_test(wrong_switches_are_refused),
    };
    return cmocka_run_group_tests(tests, make_table, free_table);
}
