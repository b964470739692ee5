/* The byte model: probabilities, learning in place and in sessions, rewinding and forking, bad options, failing allocations. */
#include <math.h>
#include <pthread.h>
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

enum { N = 3000, STREAM = 1000 };
static unsigned char text[N];
static int32_t ids[N];
static const mn_bytes_opts modes[] = {{.depth = 5}, {.depth = 5, .switching = true}, {.depth = 0},
                                      {.depth = 1, .switching = true}};
enum { MODES = sizeof modes / sizeof *modes };

/* Words that come back, with rare bytes of all values and runs. */
static int make_text(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(1, 0, STREAM);
    for (size_t n = 0; n < N;) {
        const char *words[] = {"teacher ", "student ", "the ", "aaaaaaaaaa", "\n"};
        const char *word = words[mn_rng_below(&rng, 5)];
        if (mn_rng_below(&rng, 10) == 0)
            text[n++] = (unsigned char)mn_rng_below(&rng, 256);
        else
            for (; *word && n < N; word++) text[n++] = (unsigned char)*word;
    }
    for (size_t n = 0; n < N; n++) ids[n] = text[n];
    return 0;
}

static mn_model *new_model(const mn_bytes_opts *opts)
{
    mn_model *model = NULL;
    TRY(mn_bytes_new(&model, opts, NULL));
    return model;
}

static mn_session *new_session(mn_worker **worker, mn_model *model)
{
    mn_session *s;
    TRY(mn_worker_new(worker, model, 3, N, NULL));
    TRY(mn_session_begin(&s, *worker, NULL));
    return s;
}

static void assert_predicts(mn_session *s, const double *expected)
{
    double lp[256];
    TRY(mn_session_predict(s, lp, NULL));
    assert_memory_equal(lp, expected, sizeof lp);
}

/* ---- probabilities ---- */

static void what_a_session_predicts_is_what_learning_finds(void **state)
{
    (void)state;
    static double lp[N];
    for (size_t m = 0; m < MODES; m++) {
        mn_model *learner = new_model(&modes[m]), *empty = new_model(&modes[m]);
        mn_worker *worker;
        mn_session *s = new_session(&worker, empty);
        TRY(mn_bytes_learn(learner, lp, text, N, true, NULL));
        for (size_t t = 0; t < N; t++) {
            double p[256], sum = 0;
            TRY(mn_session_predict(s, p, NULL));
            for (size_t a = 0; a < 256; a++) sum += exp(p[a]);
            assert_true(fabs(sum - 1) < 1e-12);
            assert_memory_equal(&p[text[t]], &lp[t], sizeof *lp);
            TRY(mn_session_learn(s, &ids[t], 1, NULL));
        }
        mn_worker_free(worker);
        mn_model_free(empty);
        mn_model_free(learner);
    }
}

static void an_empty_model_is_uniform(void **state)
{
    (void)state;
    for (size_t m = 0; m < MODES; m++) {
        mn_model *model = new_model(&modes[m]);
        mn_worker *worker;
        mn_session *s = new_session(&worker, model);
        double lp[256];
        TRY(mn_session_predict(s, lp, NULL));
        for (size_t a = 0; a < 256; a++) assert_true(lp[a] == log(1. / 256));
        TRY(mn_session_append(s, ids, 20, NULL));
        TRY(mn_session_predict(s, lp, NULL));
        for (size_t a = 0; a < 256; a++) assert_true(lp[a] == log(1. / 256));
        mn_worker_free(worker);
        mn_model_free(model);
    }
}

static void the_unheard_of_stays_possible(void **state)
{
    (void)state;
    enum { LONG = 400000 };
    unsigned char *zeros = calloc(LONG, 1);
    const unsigned char other[] = {255, 0, 1};
    double lp[3];
    assert_non_null(zeros);
    for (size_t m = 0; m < MODES; m++) {
        mn_model *model = new_model(&modes[m]);
        TRY(mn_bytes_learn(model, NULL, zeros, LONG, true, NULL));
        TRY(mn_bytes_learn(model, lp, other, 3, false, NULL));
        for (size_t i = 0; i < 3; i++) assert_true(isfinite(lp[i]));
        mn_model_free(model);
    }
    free(zeros);
}

static void parts_make_the_whole(void **state)
{
    (void)state;
    static double whole[N], parts[N];
    for (size_t m = 0; m < MODES; m++) {
        mn_model *a = new_model(&modes[m]), *b = new_model(&modes[m]);
        mn_rng rng = mn_rng_split(2, m, STREAM);
        TRY(mn_bytes_learn(a, whole, text, N, true, NULL));
        for (size_t t = 0, n; t < N; t += n) {
            n = 1 + mn_rng_below(&rng, N - t < 50 ? N - t : 50);
            TRY(mn_bytes_learn(b, parts + t, text + t, n, t == 0, NULL));
        }
        assert_memory_equal(whole, parts, sizeof whole);
        TRY(mn_bytes_learn(a, whole, text, 100, true, NULL)); /* begins anew, and is known by now */
        TRY(mn_bytes_learn(b, parts, text, 100, false, NULL));
        if (modes[m].depth) assert_true(whole[0] != parts[0]);
        mn_model_free(a);
        mn_model_free(b);
    }
}

/* ---- sessions ---- */

static void rewinding_restores_the_bits(void **state)
{
    (void)state;
    static double before[N + 1][256];
    for (size_t m = 0; m < MODES; m++) {
        mn_model *model = new_model(&modes[m]);
        mn_worker *worker;
        mn_rng rng = mn_rng_split(3, m, STREAM);
        TRY(mn_bytes_learn(model, NULL, text, N / 2, true, NULL));
        mn_session *s = new_session(&worker, model);
        TRY(mn_session_predict(s, before[0], NULL));
        for (size_t round = 0, n = 0; round < 400; round++) {
            size_t more = mn_rng_below(&rng, 12), length = mn_session_length(s);
            for (size_t i = 0; i < more && n < N; i++) {
                n = mn_session_length(s);
                bool learn = mn_rng_below(&rng, 2);
                int32_t id = ids[mn_rng_below(&rng, N)];
                TRY(learn ? mn_session_learn(s, &id, 1, NULL) : mn_session_append(s, &id, 1, NULL));
                TRY(mn_session_predict(s, before[n + 1], NULL));
            }
            n = mn_session_length(s);
            assert_true(n >= length);
            TRY(mn_session_rewind(s, n -= mn_rng_below(&rng, n < 10 ? n + 1 : 10), NULL));
            assert_predicts(s, before[n]);
        }
        TRY(mn_session_rewind(s, 0, NULL));
        assert_predicts(s, before[0]);
        mn_worker_free(worker);
        mn_model_free(model);
    }
}

static void forks_go_their_own_ways(void **state)
{
    (void)state;
    double both[256], lp[256];
    for (size_t m = 0; m < MODES; m++) {
        mn_model *model = new_model(&modes[m]);
        mn_worker *worker;
        mn_session *s = new_session(&worker, model), *fork, *fresh;
        TRY(mn_session_learn(s, ids, 500, NULL));
        TRY(mn_session_append(s, ids, 9, NULL));
        TRY(mn_session_predict(s, both, NULL));
        TRY(mn_session_fork(&fork, s, NULL));
        assert_predicts(fork, both);
        TRY(mn_session_learn(s, ids + 500, 500, NULL));
        assert_predicts(fork, both);
        TRY(mn_session_learn(fork, ids + 500, 500, NULL));
        TRY(mn_session_predict(s, lp, NULL));
        assert_predicts(fork, lp);
        TRY(mn_session_rewind(fork, 509, NULL));
        assert_predicts(fork, both);
        assert_predicts(s, lp);
        TRY(mn_session_begin(&fresh, worker, NULL)); /* the model has learnt nothing of it */
        TRY(mn_session_predict(fresh, lp, NULL));
        assert_true(lp[0] == log(1. / 256));
        mn_worker_free(worker);
        mn_model_free(model);
    }
}

/* Learning the same on top of a model in a session, and in the model itself. */
static void sessions_go_on_from_the_model(void **state)
{
    (void)state;
    static double lp[N];
    for (size_t m = 0; m < MODES; m++) {
        mn_model *a = new_model(&modes[m]), *b = new_model(&modes[m]);
        mn_worker *worker;
        TRY(mn_bytes_learn(a, NULL, text, N / 2, true, NULL));
        TRY(mn_bytes_learn(b, NULL, text, N / 2, true, NULL));
        TRY(mn_bytes_learn(b, lp, text + N / 2, 500, true, NULL));
        mn_session *s = new_session(&worker, a);
        for (size_t t = 0; t < 500; t++) {
            double p[256];
            TRY(mn_session_predict(s, p, NULL));
            assert_memory_equal(&p[text[N / 2 + t]], &lp[t], sizeof *lp);
            TRY(mn_session_learn(s, &ids[N / 2 + t], 1, NULL));
        }
        mn_worker_free(worker);
        mn_model_free(a);
        mn_model_free(b);
    }
}

static mn_model *shared;

static void *learn_and_predict(void *out)
{
    mn_worker *worker;
    mn_session *s;
    double *lp = out;
    if (mn_worker_new(&worker, shared, 1, N, NULL) != MN_OK) return NULL;
    if (mn_session_begin(&s, worker, NULL) == MN_OK)
        for (size_t t = 0; t < 500; t++)
            if (mn_session_predict(s, lp + 256 * t, NULL) != MN_OK || mn_session_learn(s, &ids[t], 1, NULL) != MN_OK) break;
    mn_worker_free(worker);
    return NULL;
}

static void two_threads_share_a_model(void **state)
{
    (void)state;
    static double one[500][256], two[500][256], alone[500][256];
    shared = new_model(&modes[1]);
    TRY(mn_bytes_learn(shared, NULL, text, N, true, NULL));
    pthread_t thread;
    learn_and_predict(alone);
    assert_int_equal(pthread_create(&thread, NULL, learn_and_predict, one), 0);
    learn_and_predict(two);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(alone[499][0] < 0);
    assert_memory_equal(one, alone, sizeof one);
    assert_memory_equal(two, alone, sizeof two);
    mn_model_free(shared);
}

static void keys_tell_states_apart(void **state)
{
    (void)state;
    unsigned char a[8], b[8];
    size_t n;
    mn_worker *worker;
    mn_model *model = new_model(&modes[0]);
    mn_session *s = new_session(&worker, model), *t;
    TRY(mn_session_begin(&t, worker, NULL));
    TRY(mn_session_append(s, ids, 3, NULL));
    TRY(mn_session_key(s, a, sizeof a, &n, NULL));
    assert_int_equal(n, 3); /* since the start */
    TRY(mn_session_append(s, ids + 3, 10, NULL));
    TRY(mn_session_append(t, ids + 6, 7, NULL));
    TRY(mn_session_key(s, a, sizeof a, &n, NULL));
    assert_int_equal(n, 5);
    TRY(mn_session_key(t, b, 2, &n, NULL)); /* only so much is written */
    assert_int_equal(n, 5);
    assert_memory_equal(a, b, 2);
    TRY(mn_session_key(t, b, sizeof b, &n, NULL));
    assert_memory_equal(a, b, 5);
    assert_memory_equal(a, text + 8, 5);
    TRY(mn_session_learn(t, ids, 1, NULL));
    assert_int_equal(mn_session_key(t, b, sizeof b, &n, NULL), MN_ERR_INPUT);
    TRY(mn_session_rewind(t, 7, NULL));
    TRY(mn_session_key(t, b, sizeof b, &n, NULL));
    mn_worker_free(worker);
    mn_model_free(model);
}

/* ---- what it is ---- */

static void bytes_are_their_own_text(void **state)
{
    (void)state;
    mn_model *model = new_model(&modes[0]);
    int32_t got[4] = {0};
    size_t n, len;
    assert_true(mn_model_alphabet(model) == 256 && mn_model_features(model) == 0 && mn_model_embedding_width(model) == 0);
    assert_string_equal(mn_model_name(model), "bytes");
    assert_false(mn_model_ends_generation(model, 10));
    for (int32_t a = 0; a < 256; a++) {
        const char *piece = mn_model_piece(model, a, &len);
        assert_true(len == 1 && (unsigned char)piece[0] == a && piece[1] == 0);
    }
    TRY(mn_model_tokenize(model, got, 3, &n, "a\xff\0b", 4, true, NULL));
    assert_true(n == 4 && got[0] == 'a' && got[1] == 255 && got[2] == 0 && got[3] == 0);
    mn_model_free(model);
}

static void options_have_bounds(void **state)
{
    (void)state;
    const struct {
        mn_bytes_opts opts;
        mn_status status;
    } known[] = {
        {{.depth = 1024, .switching = true}, MN_OK},    {{.depth = 1025}, MN_ERR_LIMIT},
        {{.depth = SIZE_MAX}, MN_ERR_LIMIT},            {{.depth = 1, .discount = 1.01}, MN_ERR_NUM},
        {{.depth = 1, .discount = -1}, MN_ERR_NUM},     {{.depth = 1, .discount = NAN}, MN_ERR_NUM},
        {{.depth = 1, .discount = 1e-9}, MN_OK},        {{.depth = 1, .discount = INFINITY}, MN_ERR_NUM},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        mn_model *model = NULL;
        mn_err err = {0};
        assert_int_equal(mn_bytes_new(&model, &known[i].opts, &err), known[i].status);
        if (known[i].status != MN_OK) {
            assert_non_null(strstr(err.message, "expected"));
            continue;
        }
        double lp[100];
        TRY(mn_bytes_learn(model, lp, text, 100, true, NULL));
        for (size_t t = 0; t < 100; t++) assert_true(isfinite(lp[t]));
        mn_model_free(model);
    }
}

/* ---- allocation failure: the build routes the allocations of this program through these ---- */

static mn_status everything(const mn_bytes_opts *opts, mn_err *err)
{
    mn_model *model = NULL;
    mn_worker *worker = NULL;
    mn_session *s, *fork;
    mn_status status = mn_bytes_new(&model, opts, err);
    if (status == MN_OK) status = mn_bytes_learn(model, NULL, text, 500, true, err);
    if (status == MN_OK) status = mn_worker_new(&worker, model, 2, N, err);
    if (status == MN_OK) status = mn_session_begin(&s, worker, err);
    if (status == MN_OK) status = mn_session_learn(s, ids + 200, 600, err);
    if (status == MN_OK) status = mn_session_fork(&fork, s, err);
    mn_worker_free(worker);
    mn_model_free(model);
    return status;
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        mn_status status = MN_ERR_MEMORY;
        size_t failures = 0;
        for (; status; failures++) {
            mn_err err = {0};
            until_failure = failures;
            status = everything(&modes[m], &err);
            until_failure = SIZE_MAX;
            if (status) assert_true(status == MN_ERR_MEMORY && strstr(err.message, "out of memory"));
        }
        assert_true(failures > 40);
    }
}

/* What fails for want of memory leaves a session as it was, and a model with all the bytes before it. */
static void failures_leave_what_there_was(void **state)
{
    (void)state;
    static double expected[N], lp[N];
    double before[256], after[256];
    mn_model *whole = new_model(&modes[1]), *model = new_model(&modes[1]);
    mn_worker *worker;
    TRY(mn_bytes_learn(whole, expected, text, N, true, NULL));
    for (size_t t = 0, done; t < N; t += done) {
        for (size_t i = t; i < N; i++) lp[i] = 1;
        until_failure = 0;
        mn_status status = mn_bytes_learn(model, lp + t, text + t, N - t, t == 0, NULL);
        until_failure = SIZE_MAX;
        for (done = 0; t + done < N && lp[t + done] <= 0;) done++;
        assert_int_equal(status, t + done < N ? MN_ERR_MEMORY : MN_OK);
        assert_memory_equal(lp + t, expected + t, done * sizeof *lp);
        if (t + done == N) break;
        TRY(mn_bytes_learn(model, lp + t + done, text + t + done, 1, t + done == 0, NULL));
        done++;
    }
    mn_session *s = new_session(&worker, model);
    TRY(mn_session_learn(s, ids, 100, NULL));
    TRY(mn_session_predict(s, before, NULL));
    until_failure = 0;
    assert_int_equal(mn_session_learn(s, ids, N - 100, NULL), MN_ERR_MEMORY);
    until_failure = SIZE_MAX;
    assert_int_equal(mn_session_length(s), 100);
    assert_predicts(s, before);
    TRY(mn_session_learn(s, ids, N - 100, NULL));
    TRY(mn_session_predict(s, after, NULL));
    TRY(mn_session_rewind(s, 100, NULL));
    assert_predicts(s, before);
    TRY(mn_session_learn(s, ids, N - 100, NULL));
    assert_predicts(s, after);
    mn_worker_free(worker);
    mn_model_free(whole);
    mn_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_session_predicts_is_what_learning_finds),
        cmocka_unit_test(an_empty_model_is_uniform),
        cmocka_unit_test(the_unheard_of_stays_possible),
        cmocka_unit_test(parts_make_the_whole),
        cmocka_unit_test(rewinding_restores_the_bits),
        cmocka_unit_test(forks_go_their_own_ways),
        cmocka_unit_test(sessions_go_on_from_the_model),
        cmocka_unit_test(two_threads_share_a_model),
        cmocka_unit_test(keys_tell_states_apart),
        cmocka_unit_test(bytes_are_their_own_text),
        cmocka_unit_test(options_have_bounds),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(failures_leave_what_there_was),
    };
    return cmocka_run_group_tests(tests, make_text, NULL);
}
