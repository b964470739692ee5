/* Context trees: evidence and predictions, sums to 1, sessions that learn and forget, refusals. test_bct.py has the oracle. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "predict/bct.h"
#include "failing_memory.h"

#define TRY(call) assert_int_equal((call), MN_OK)

static mn_model *new_tree(size_t A, size_t D, double beta, int32_t start)
{
    mn_model *m;
    TRY(mn_bct_new(&m, &(mn_bct_opts){.A = A, .D = D, .beta = beta, .start = start}, NULL));
    return m;
}

static bool near(double a, double b, double relative)
{
    return fabs(a - b) <= relative * fmax(fabs(a), fabs(b));
}

/* Uniform symbols, or (order) each with probability 3/4 the one after the last but one, modulo A. */
static void make_symbols(int32_t *x, size_t n, size_t A, bool order, uint64_t seed)
{
    mn_rng rng = mn_rng_split(seed, 0, MN_STREAM_USER);
    for (size_t i = 0; i < n; i++)
        x[i] = order && i > 1 && mn_rng_below(&rng, 4) ? (int32_t)(((size_t)x[i - 2] + 1) % A) : (int32_t)mn_rng_below(&rng, A);
}

/* ---- values ---- */

/* As the R package BCT 1.2 has them. */
static void known_values(void **state)
{
    (void)state;
    const int32_t x[] = {1, 0, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0};
    double lp[14], next[2], sum = 0;
    uint64_t counts[2];
    mn_model *m = new_tree(2, 2, .5, -1);
    TRY(mn_bct_predict_all(m, lp, NULL, next, x, 8, true, NULL));
    assert_true(near(exp(next[0]), 33. / 70, 1e-14) && near(exp(next[1]), 37. / 70, 1e-14));
    TRY(mn_bct_predict_all(m, lp + 8, NULL, NULL, x + 8, 6, false, NULL));
    for (size_t i = 2; i < 14; i++) sum += lp[i];
    assert_true(near(sum, -9.89501297383246, 1e-14));
    assert_true(near(mn_bct_log_evidence(m), -9.89501297383246, 1e-14));
    assert_true(mn_bct_symbols(m) == 14 && mn_bct_predicted(m) == 12 && mn_bct_contexts(m) == 7);
    assert_true(mn_bct_depth(m) == 2 && near(mn_bct_beta(m), .5, 1e-15));
    TRY(mn_bct_counts(m, counts, (int32_t[]){0, 1}, 2, NULL)); /* after 1 and then 0: 10|1, 10|0, 10|0, 10|1 */
    assert_true(counts[0] == 2 && counts[1] == 2);
    TRY(mn_bct_counts(m, counts, NULL, 0, NULL));
    assert_true(counts[0] == 6 && counts[1] == 6);
    mn_model_free(m);
}

/* ln P_w of a context from counts alone, by the recursion as it is defined. */
static double log_weighted(const mn_model *m, int32_t *context, size_t depth, double log_beta, double log_rest)
{
    size_t A = mn_model_alphabet(m);
    uint64_t *counts = malloc(A * sizeof *counts), n = 0;
    TRY(mn_bct_counts(m, counts, context, depth, NULL));
    double estimate = 0, below = 0;
    for (size_t a = 0; a < A; a++) {
        estimate += lgamma((double)counts[a] + .5) - lgamma(.5);
        n += counts[a];
    }
    estimate -= lgamma((double)n + .5 * (double)A) - lgamma(.5 * (double)A);
    free(counts);
    if (!n || depth == mn_bct_depth(m)) return n ? estimate : 0;
    for (context[depth] = 0; (size_t)context[depth] < A; context[depth]++)
        below += log_weighted(m, context, depth + 1, log_beta, log_rest);
    double terms[] = {log_beta + estimate, log_rest + below}, most = fmax(terms[0], terms[1]);
    return most + log(exp(terms[0] - most) + exp(terms[1] - most));
}

/* The sum of the predictions, the odds at the root and the counts: three ways to the evidence. */
static void evidence_three_ways(void **state)
{
    (void)state;
    const struct {
        size_t A, D;
        double beta;
        int32_t start;
        bool order;
    } cases[] = {{2, 0, .5, -1, true},  {2, 10, .5, -1, false}, {2, 10, .01, 1, true},   {3, 5, .99, -1, true},
                 {4, 6, 0, -1, true},   {7, 3, 0, 6, false},    {9, 3, .3, -1, true},    {12, 2, 0, 0, true},
                 {40, 2, 0, -1, false}, {256, 1, 0, -1, true},  {1000, 1, .5, 3, false}, {4096, 1, 0, -1, true}};
    enum { N = 30000 };
    static int32_t x[N];
    static double lp[N];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t A = cases[i].A;
        double beta = cases[i].beta, sum = 0, log_rest = beta > 0 ? log1p(-beta) : -((double)A - 1) * log(2);
        double log_beta = beta > 0 ? log(beta) : log1p(-exp(log_rest));
        int32_t context[16];
        mn_model *m = new_tree(A, cases[i].D, beta, cases[i].start);
        make_symbols(x, N, A, cases[i].order, i);
        TRY(mn_bct_predict_all(m, lp, NULL, NULL, x, N / 3, true, NULL)); /* two sequences, the second in two parts */
        TRY(mn_bct_predict_all(m, lp + N / 3, NULL, NULL, x + N / 3, 1, true, NULL));
        TRY(mn_bct_predict_all(m, lp + N / 3 + 1, NULL, NULL, x + N / 3 + 1, N - N / 3 - 1, false, NULL));
        for (size_t k = 0; k < N; k++)
            if (cases[i].start >= 0 || (k >= cases[i].D && (k < N / 3 || k >= N / 3 + cases[i].D))) sum += lp[k];
        double evidence = mn_bct_log_evidence(m);
        assert_true(near(sum, evidence, 1e-11));
        assert_true(near(log_weighted(m, context, 0, log_beta, log_rest), evidence, 1e-10));
        assert_int_equal(mn_bct_predicted(m), cases[i].start >= 0 ? N : N - 2 * cases[i].D);
        mn_model_free(m);
    }
}

static double sum_at_hand(const mn_bct *b, double *p, uint32_t *path)
{
    double sum = 0, low = 0;
    mn_bct_mix(p, b, path, mn_bct_walk(&b->store, path, b->recent, b->known), NULL, NULL, 0, b->known);
    for (size_t a = 0; a < b->model.A; a++) { /* compensated: the sum's own rounding is not in question */
        double y = p[a] - low, t = sum + y;
        assert_true(p[a] > 0);
        low = (t - sum) - y;
        sum = t;
    }
    return sum;
}

/* Steps for which every probability is looked at; bench_bct takes 10^6 with every alphabet. */
static void probabilities_sum_to_one(void **state)
{
    (void)state;
    const struct {
        size_t A, D, steps;
    } cases[] = {{2, 12, 1000000}, {4, 8, 1000000}, {12, 3, 1000000}, {256, 2, 100000}, {4096, 1, 10000}, {65536, 2, 500}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double *p = malloc(cases[i].A * sizeof *p), worst = 0;
        uint32_t path[16];
        mn_model *m = new_tree(cases[i].A, cases[i].D, 0, -1);
        mn_rng rng = mn_rng_split(7, i, MN_STREAM_USER);
        for (size_t k = 0; k < cases[i].steps; k++) {
            int32_t x = (int32_t)mn_rng_below(&rng, cases[i].A);
            worst = fmax(worst, fabs(sum_at_hand((const mn_bct *)m, p, path) - 1));
            TRY(mn_bct_learn(m, &x, 1, k == 0, NULL));
        }
        assert_true(worst < 1e-12);
        free(p);
        mn_model_free(m);
    }
}

/* Symbol by symbol or all at once, learnt or predicted: the same bits. */
static void parts_make_no_difference(void **state)
{
    (void)state;
    enum { N = 20000 };
    static int32_t x[N];
    static double lp[N], again[N];
    const size_t alphabets[] = {2, 4, 12, 300};
    for (size_t i = 0; i < 4; i++) {
        double next[300], same[300];
        static bool lost[N];
        mn_model *whole = new_tree(alphabets[i], 5, 0, -1), *parts = new_tree(alphabets[i], 5, 0, -1);
        make_symbols(x, N, alphabets[i], true, 20 + i);
        TRY(mn_bct_predict_all(whole, lp, lost, next, x, N, true, NULL));
        for (size_t at = 0, n; at < N; at += n) {
            n = at % 3 == 0 ? 1 : at % 7 == 0 ? 5000 : 13;
            if (n > N - at) n = N - at;
            TRY(mn_bct_predict_all(parts, again + at, NULL, same, x + at, n, at == 0, NULL));
        }
        assert_memory_equal(lp, again, sizeof lp);
        assert_memory_equal(next, same, alphabets[i] * sizeof *next);
        assert_true(mn_bct_log_evidence(whole) == mn_bct_log_evidence(parts));
        mn_model_free(parts);
        parts = new_tree(alphabets[i], 5, 0, -1);
        TRY(mn_bct_learn(parts, x, N, true, NULL));
        assert_true(mn_bct_log_evidence(whole) == mn_bct_log_evidence(parts));
        mn_model_free(parts);
        mn_model_free(whole);
    }
}

/* The likeliest symbol, of equals the lowest. */
static void losses(void **state)
{
    (void)state;
    const int32_t x[] = {0, 1, 1, 2, 1, 0, 0};
    bool lost[7];
    mn_model *m = new_tree(3, 0, .5, -1); /* counts before each: 000 100 110 120 121 131 231 */
    TRY(mn_bct_predict_all(m, NULL, lost, NULL, x, 7, true, NULL));
    const bool expected[] = {false, true, true, true, false, true, true};
    assert_memory_equal(lost, expected, sizeof lost);
    mn_model_free(m);
}

/* ---- extremes ---- */

static void nothing_overflows(void **state)
{
    (void)state;
    enum { N = 300000 };
    static int32_t x[N];
    static double lp[N];
    const size_t alphabets[] = {2, 4, 65536};
    for (size_t i = 0; i < 3; i++)
        for (size_t far = 0; far < 2; far++) { /* ever the same; then two ever in turn: odds of e^100000 and more, both ways */
            double sum = 0, next;
            size_t D = 3;
            mn_model *m = new_tree(alphabets[i], D, 0, -1);
            for (size_t k = 0; k < N; k++) x[k] = far ? (int32_t)((k % 2) * (alphabets[i] - 1)) : 0;
            TRY(mn_bct_predict_all(m, lp, NULL, NULL, x, N, true, NULL));
            for (size_t k = D; k < N; k++) sum += lp[k];
            assert_true(isfinite(sum) && near(sum, mn_bct_log_evidence(m), 1e-11));
            TRY(mn_bct_predict_all(m, &next, NULL, NULL, x + N % 2, 1, false, NULL));
            assert_true(exp(next) > .999 - (double)alphabets[i] / N);
            mn_model_free(m);
        }
    mn_model *m = new_tree(65536, 1024, 0, -1);
    make_symbols(x, 1100, 65536, false, 9);
    TRY(mn_bct_predict_all(m, lp, NULL, NULL, x, 1100, true, NULL));
    double expected = 0; /* beta is 1 to the last bit: the root is a leaf, and its 76 symbols all differ */
    for (size_t k = 0; k < 76; k++) expected -= log(65536 + 2 * (double)k);
    assert_true(mn_bct_beta(m) == 1 && near(mn_bct_log_evidence(m), expected, 1e-12));
    mn_model_free(m);
}

/* ---- sessions ---- */

enum { LONG = 400 };

/* A session that learns what the model learns predicts what the model does, and features and key say where it is. */
static void sessions_learn_as_models_do(void **state)
{
    (void)state;
    const size_t alphabets[] = {2, 6, 20};
    for (size_t i = 0; i < 3; i++)
        for (int32_t start = -1; start < 1; start++) {
            size_t A = alphabets[i], D = 3, n;
            int32_t x[2 * LONG];
            double lp[20], next[20], one;
            mn_model *half = new_tree(A, D, 0, start), *whole = new_tree(A, D, 0, start);
            mn_worker *worker;
            mn_session *s;
            make_symbols(x, 2 * LONG, A, true, 40 + i);
            TRY(mn_bct_learn(half, x, LONG, true, NULL));
            TRY(mn_bct_learn(whole, x, LONG, true, NULL));
            TRY(mn_worker_new(&worker, half, 1, LONG, NULL));
            TRY(mn_session_begin(&s, worker, NULL));
            for (size_t k = 0; k < LONG; k++) {
                TRY(mn_session_predict(s, lp, NULL));
                TRY(mn_session_learn(s, &x[LONG + k], 1, NULL));
                TRY(mn_bct_predict_all(whole, &one, NULL, next, &x[LONG + k], 1, k == 0, NULL));
                assert_true(near(lp[x[LONG + k]], one, 1e-12));
            }
            TRY(mn_session_predict(s, lp, NULL));
            for (size_t a = 0; a < A; a++) assert_true(near(lp[a], next[a], 1e-12));
            uint64_t counts[20], of_whole[20];
            TRY(mn_bct_session_counts(s, counts, NULL));
            TRY(mn_bct_counts(whole, of_whole, (int32_t[]){x[2 * LONG - 1], x[2 * LONG - 2], x[2 * LONG - 3]}, D, NULL));
            assert_memory_equal(counts, of_whole, A * sizeof *counts);
            assert_int_equal(mn_session_key(s, NULL, 0, &n, NULL), MN_ERR_INPUT);
            mn_worker_free(worker);
            mn_model_free(half);
            mn_model_free(whole);
        }
}

/* After each step of a walk of learning, appending, rewinding and forking, the same timeline gives the same bits. */
static void rewinding_restores_the_bits(void **state)
{
    (void)state;
    enum { A = 5, D = 4 };
    static double before[LONG + 1][A];
    int32_t x[3 * LONG];
    double lp[A];
    mn_model *m = new_tree(A, D, 0, -1);
    mn_worker *worker;
    mn_session *s, *fork;
    make_symbols(x, 3 * LONG, A, true, 50);
    TRY(mn_bct_learn(m, x, LONG, true, NULL));
    TRY(mn_worker_new(&worker, m, 2, LONG, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    mn_rng rng = mn_rng_split(51, 0, MN_STREAM_USER);
    size_t n = 0;
    TRY(mn_session_predict(s, before[0], NULL));
    for (size_t step = 0; step < 4000; step++) {
        if (n == LONG || mn_rng_below(&rng, 3) == 0) {
            n -= mn_rng_below(&rng, n + 1) / (1 + mn_rng_below(&rng, 8));
            TRY(mn_session_rewind(s, n, NULL));
            TRY(mn_session_predict(s, lp, NULL));
            assert_memory_equal(lp, before[n], sizeof lp);
            continue;
        }
        int32_t next = (int32_t)mn_rng_below(&rng, A);
        if (mn_rng_below(&rng, 4))
            TRY(mn_session_learn(s, &next, 1, NULL));
        else
            TRY(mn_session_append(s, &next, 1, NULL));
        TRY(mn_session_predict(s, before[++n], NULL));
        if (step % 50) continue;
        TRY(mn_session_fork(&fork, s, NULL)); /* goes its own way */
        if (n < LONG) TRY(mn_session_learn(fork, x, LONG - n, NULL));
        TRY(mn_session_predict(s, lp, NULL));
        assert_memory_equal(lp, before[n], sizeof lp);
        TRY(mn_session_rewind(fork, n, NULL));
        TRY(mn_session_predict(fork, lp, NULL));
        assert_memory_equal(lp, before[n], sizeof lp);
        mn_session_free(fork);
    }
    mn_worker_free(worker);
    mn_model_free(m);
}

/* A context too short ends at a leaf where it ends. */
static void short_contexts(void **state)
{
    (void)state;
    const int32_t x[] = {0, 1, 1, 0, 1, 1, 1, 0, 1};
    double lp[2];
    float features[9];
    unsigned char key[12];
    size_t n;
    mn_model *m = new_tree(2, 3, .5, -1);
    mn_worker *worker;
    mn_session *s;
    TRY(mn_bct_learn(m, x, 9, true, NULL)); /* predicted: 0 1 1 1 0 1 */
    TRY(mn_worker_new(&worker, m, 1, 5, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    TRY(mn_session_predict(s, lp, NULL));
    assert_true(near(exp(lp[1]), 4.5 / 7, 1e-14)); /* the root is a leaf: 2 and 4 */
    TRY(mn_session_append(s, (int32_t[]){1}, 1, NULL));
    TRY(mn_session_predict(s, lp, NULL)); /* after 1 came 0 1 1 0: as a leaf 2.5/5; the root's odds are the tree's own */
    const mn_bct *b = (const mn_bct *)m;
    double odds = b->store.nodes[0].odds;
    assert_true(near(exp(lp[1]), (odds * 4.5 / 7 + 2.5 / 5) / (odds + 1), 1e-14));
    assert_int_equal(mn_model_features(m), 9);
    TRY(mn_session_features(s, features, NULL));
    const float expected[] = {0, 1, 0, 0, 0, 1, 0, 0, 1};
    assert_memory_equal(features, expected, sizeof features);
    TRY(mn_session_key(s, key, sizeof key, &n, NULL));
    assert_true(n == 4 && memcmp(key, (int32_t[]){1}, 4) == 0);
    TRY(mn_session_append(s, (int32_t[]){0, 1, 1}, 3, NULL));
    TRY(mn_session_key(s, key, sizeof key, &n, NULL));
    assert_true(n == 12 && memcmp(key, (int32_t[]){1, 1, 0}, 12) == 0);
    mn_worker_free(worker);
    mn_model_free(m);
}

/* ---- what is refused; texts ---- */

static void refusals(void **state)
{
    (void)state;
    const mn_bct_opts bad[] = {{.A = 1, .start = -1},
                               {.A = 65537, .start = -1},
                               {.A = 2, .D = 1025, .start = -1},
                               {.A = 2, .beta = 1, .start = -1},
                               {.A = 2, .beta = -.1, .start = -1},
                               {.A = 2, .beta = NAN, .start = -1},
                               {.A = 2, .start = -2},
                               {.A = 2, .start = 2}};
    mn_model *m = NULL;
    mn_err err;
    double lp[2];
    uint64_t counts[2];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(mn_bct_new(&m, &bad[i], &err), i == 2 ? MN_ERR_LIMIT : MN_ERR_INPUT);
    m = new_tree(2, 2, 0, -1);
    assert_int_equal(mn_bct_learn(m, (int32_t[]){0, 1, 2}, 3, true, &err), MN_ERR_INPUT);
    assert_string_equal(err.message, "symbol 2: the model has 2");
    assert_int_equal(mn_bct_predict_all(m, lp, NULL, NULL, (int32_t[]){-1}, 1, true, NULL), MN_ERR_INPUT);
    assert_int_equal(mn_bct_counts(m, counts, (int32_t[]){0, 3}, 2, NULL), MN_ERR_INPUT);
    assert_int_equal(mn_bct_counts(m, counts, (int32_t[]){0, 0, 0}, 3, NULL), MN_ERR_INPUT);
    assert_true(mn_bct_symbols(m) == 0 && mn_bct_log_evidence(m) == 0);
    ((mn_bct *)m)->predicted = UINT32_MAX - 1; /* counts never wrap */
    assert_int_equal(mn_bct_learn(m, (int32_t[]){0, 1}, 2, true, &err), MN_ERR_LIMIT);
    mn_model_free(m);
}

static void texts(void **state)
{
    (void)state;
    const char *const names[] = {"explain", "ask", "as"};
    int32_t ids[4];
    size_t n;
    mn_model *m;
    TRY(mn_bct_new(&m, &(mn_bct_opts){.A = 3, .D = 1, .start = -1, .names = names}, NULL));
    assert_string_equal(mn_model_name(m), "bct");
    assert_string_equal(mn_model_piece(m, 1, &n), "ask");
    assert_int_equal(n, 3);
    TRY(mn_model_tokenize(m, ids, 4, &n, "ask, as\nexplainask", 18, true, NULL));
    const int32_t expected[] = {1, 2, 0, 1};
    assert_int_equal(n, 4);
    assert_memory_equal(ids, expected, sizeof ids);
    assert_int_equal(mn_model_tokenize(m, ids, 4, &n, "asx", 3, true, NULL), MN_ERR_INPUT);
    assert_int_equal(mn_model_embeddings(m, NULL, NULL), MN_ERR_INPUT);
    assert_false(mn_model_ends_generation(m, 0));
    mn_model_free(m);
    m = new_tree(65536, 1, 0, -1);
    assert_string_equal(mn_model_piece(m, 65535, NULL), "65535");
    mn_model_free(m);
}

/* ---- memory ---- */

/* From nothing to a session that has learnt and its fork, with `failures` allocations granted. */
static mn_status a_life(mn_model **m, const int32_t *x, size_t n, size_t A, bool *lost)
{
    mn_worker *worker = NULL;
    mn_session *s, *fork;
    double *lp = malloc(A * sizeof *lp);
    mn_status status = lp ? mn_bct_new(m, &(mn_bct_opts){.A = A, .D = 3, .start = -1}, NULL) : MN_ERR_MEMORY;
    if (status == MN_OK) status = mn_bct_predict_all(*m, NULL, lost, lp, x, n, true, NULL);
    if (status == MN_OK) status = mn_worker_new(&worker, *m, 2, n, NULL);
    if (status == MN_OK) status = mn_session_begin(&s, worker, NULL);
    if (status == MN_OK) status = mn_session_learn(s, x, n, NULL);
    if (status == MN_OK) status = mn_session_fork(&fork, s, NULL);
    if (status == MN_OK) status = mn_session_predict(fork, lp, NULL);
    mn_worker_free(worker);
    free(lp);
    return status;
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    enum { N = 600 };
    int32_t x[N];
    bool lost[N];
    const size_t alphabets[] = {4, 30};
    for (size_t i = 0; i < 2; i++) {
        mn_status status = MN_ERR_MEMORY;
        size_t failures = 0;
        make_symbols(x, N, alphabets[i], true, 60);
        for (; status; failures++) {
            mn_model *m = NULL;
            until_failure = failures;
            status = a_life(&m, x, N, alphabets[i], lost);
            until_failure = SIZE_MAX;
            if (status) assert_int_equal(status, MN_ERR_MEMORY);
            if (m) assert_true(isfinite(mn_bct_log_evidence(m)));
            mn_model_free(m);
        }
        assert_true(failures > 20);
    }
}

/* What was learnt before memory ended stays, and learning can go on with what was not. */
static void learning_goes_on_after_a_failure(void **state)
{
    (void)state;
    enum { N = 3000 };
    int32_t x[N];
    const size_t alphabets[] = {3, 30};
    for (size_t i = 0; i < 2; i++) {
        make_symbols(x, N, alphabets[i], false, 61);
        mn_model *straight = new_tree(alphabets[i], 6, 0, -1), *broken = new_tree(alphabets[i], 6, 0, -1);
        TRY(mn_bct_learn(straight, x, N, true, NULL));
        size_t failures = 0, done = 0;
        while (done < N) { /* one symbol with memory, then as many as go without */
            TRY(mn_bct_learn(broken, x + done, 1, done == 0, NULL));
            until_failure = 0;
            failures += mn_bct_learn(broken, x + done + 1, N - done - 1, false, NULL) == MN_ERR_MEMORY;
            until_failure = SIZE_MAX;
            done = mn_bct_symbols(broken);
        }
        assert_true(failures > 10);
        assert_true(near(mn_bct_log_evidence(broken), mn_bct_log_evidence(straight), 1e-13));
        assert_int_equal(mn_bct_contexts(broken), mn_bct_contexts(straight));
        mn_model_free(straight);
        mn_model_free(broken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(evidence_three_ways),
        cmocka_unit_test(probabilities_sum_to_one),
        cmocka_unit_test(parts_make_no_difference),
        cmocka_unit_test(losses),
        cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(sessions_learn_as_models_do),
        cmocka_unit_test(rewinding_restores_the_bits),
        cmocka_unit_test(short_contexts),
        cmocka_unit_test(refusals),
        cmocka_unit_test(texts),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(learning_goes_on_after_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
