/* The language model: the same bits in any company, sessions that fork and rewind, text to symbols and back, bad files. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

#define TRY(call) assert_int_equal((call), MN_OK)

enum { LONG = 300, MARKS = 7 };
static const size_t marks[MARKS] = {2, 3, 62, 65, 255, 258, LONG}; /* lengths at which predictions are compared */

static mn_model *model;
static char model_path[4096];
static size_t A, F;
static int32_t ids[LONG];
static double *expected[MARKS]; /* [A] */
static float *expected_x[MARKS]; /* [F] */

/* ---- what everything is compared with: one session, prefilled anew to each mark ---- */

static void compare(mn_session *s, size_t mark, const char *how)
{
    double *lp = malloc(A * sizeof *lp);
    float *x = malloc(F * sizeof *x);
    assert_true(lp && x);
    TRY(mn_session_predict(s, lp, NULL));
    TRY(mn_session_features(s, x, NULL));
    for (size_t m = 0; m < MARKS; m++) {
        if (marks[m] != mark) continue;
        size_t wrong = 0;
        for (size_t a = 0; a < A; a++) wrong += lp[a] != expected[m][a];
        if (wrong) fail_msg("%s: %zu of %zu probabilities differ after %zu symbols", how, wrong, A, mark);
        assert_memory_equal(x, expected_x[m], F * sizeof *x);
    }
    free(lp);
    free(x);
}

static int open_model(void **state)
{
    (void)state;
    mn_err err;
    char path[4096];
    const char *other = getenv("MIGHTNT_TEST_MODEL");
    if (!other && mn_cache_path(path, sizeof path, "models/SmolLM2-135M-Instruct.Q4_1.gguf", &err) != MN_OK) return 1;
    snprintf(model_path, sizeof model_path, "%s", other ? other : path);
    mn_lm_opts opts = {.path = model_path};
    if (mn_lm_open(&model, &opts, &err) != MN_OK) return fprintf(stderr, "%s: %s\n", err.file, err.message), 1;
    A = mn_model_alphabet(model);
    F = mn_model_features(model);
    mn_rng rng = mn_rng_split(1, 0, 1000);
    for (size_t i = 0; i < LONG; i++) ids[i] = (int32_t)(mn_rng_below(&rng, A < 2000 ? A - 10 : 2000) + 5);
    mn_worker *worker;
    mn_session *s;
    TRY(mn_worker_new(&worker, model, 1, LONG, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    for (size_t m = 0; m < MARKS; m++) {
        expected[m] = malloc(A * sizeof(double));
        expected_x[m] = malloc(F * sizeof(float));
        TRY(mn_session_append(s, ids + mn_session_length(s), marks[m] - mn_session_length(s), NULL));
        TRY(mn_session_predict(s, expected[m], NULL));
        TRY(mn_session_features(s, expected_x[m], NULL));
    }
    mn_worker_free(worker);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    for (size_t m = 0; m < MARKS; m++) free(expected[m]), free(expected_x[m]);
    mn_model_free(model);
    return 0;
}

/* ---- bits ---- */

static void predictions_are_normalised(void **state)
{
    (void)state;
    for (size_t m = 0; m < MARKS; m++) {
        double sum = 0;
        for (size_t a = 0; a < A; a++) sum += exp(expected[m][a]);
        assert_true(fabs(sum - 1) < 1e-12);
        for (size_t f = 0; f < F; f++) assert_true(isfinite(expected_x[m][f]));
    }
}

/* n sessions that lag behind one another by a few symbols, one symbol each a decode; every one is compared at the short marks, the
 * first at all up to `until`. */
static void in_company(size_t n, size_t until, const char *how)
{
    mn_worker *worker;
    mn_session *s[64];
    size_t lag[64];
    TRY(mn_worker_new(&worker, model, n, LONG, NULL));
    for (size_t i = 0; i < n; i++) {
        TRY(mn_session_begin(&s[i], worker, NULL));
        lag[i] = i * 5 % 7;
    }
    for (size_t t = 0; t < until + 7; t++) {
        mn_session *active[64];
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            size_t at = t - lag[i];
            if (t < lag[i] || at >= until || (i && at >= 66)) continue;
            TRY(mn_session_append(s[i], &ids[at], 1, NULL));
            active[k++] = s[i];
        }
        if (k) TRY(mn_advance(active, k, NULL));
        for (size_t i = 0; i < k; i++) {
            size_t length = mn_session_length(active[i]);
            if (length < 66 || active[i] == s[0])
                for (size_t m = 0; m < MARKS; m++)
                    if (marks[m] == length) compare(active[i], length, how);
        }
    }
    mn_worker_free(worker);
}

static void bits_in_any_company(void **state)
{
    (void)state;
    in_company(1, 66, "alone");
    in_company(2, 66, "two");
    in_company(17, 66, "seventeen");
}

static void bits_of_long_sessions(void **state)
{
    (void)state;
    mn_worker *worker;
    mn_session *s, *other, *both[2];
    TRY(mn_worker_new(&worker, model, 5, LONG, NULL));
    TRY(mn_session_begin(&other, worker, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    TRY(mn_session_append(s, ids, 250, NULL)); /* chunks that end elsewhere */
    TRY(mn_session_append(other, ids, 20, NULL));
    both[0] = other;
    both[1] = s;
    for (size_t at = 250; at < LONG; at++) {
        TRY(mn_session_append(s, &ids[at], 1, NULL));
        if (at % 3) TRY(mn_session_append(other, &ids[at], 1, NULL));
        TRY(mn_advance(both, 2, NULL));
        for (size_t m = 0; m < MARKS; m++)
            if (marks[m] == at + 1) compare(s, at + 1, "long");
    }
    mn_worker_free(worker);
}

static void bits_after_fork_and_rewind(void **state)
{
    (void)state;
    mn_worker *worker;
    mn_session *root, *a, *b, *c;
    TRY(mn_worker_new(&worker, model, 30, LONG, NULL));
    TRY(mn_session_begin(&root, worker, NULL));
    TRY(mn_session_append(root, ids, 40, NULL));
    TRY(mn_advance(&root, 1, NULL));
    TRY(mn_session_fork(&a, root, NULL));
    TRY(mn_session_fork(&b, a, NULL));
    TRY(mn_session_append(a, ids + 40, 22, NULL));
    compare(a, 62, "forked");
    TRY(mn_session_append(b, ids + 200, 30, NULL)); /* goes astray, and returns */
    TRY(mn_advance(&b, 1, NULL));
    TRY(mn_session_rewind(b, 2, NULL));
    compare(b, 2, "rewound");
    TRY(mn_session_append(b, ids + 2, 1, NULL));
    compare(b, 3, "gone on");
    mn_session_free(a);
    for (int i = 0; i < 20; i++) TRY(mn_session_fork(&c, root, NULL)); /* the last is far from b: a gap between them */
    mn_session *far[2] = {b, c};
    TRY(mn_session_append(b, ids + 3, 59, NULL));
    TRY(mn_session_append(c, ids + 40, 22, NULL));
    TRY(mn_advance(far, 2, NULL));
    compare(b, 62, "beside a gap");
    compare(c, 62, "beyond a gap");
    assert_int_equal(mn_session_length(root), 40);
    assert_int_equal(mn_session_rewind(root, 41, NULL), MN_ERR_LIMIT);
    mn_worker_free(worker);
}

/* Every second one ends; those that stay go on in the freed places, and so again until two are left. */
static void bits_after_moving_up(void **state)
{
    (void)state;
    enum { N = 24, AT = 40 };
    mn_worker *worker;
    mn_session *root, *s[N];
    size_t n = N, length = AT;
    TRY(mn_worker_new(&worker, model, N + 1, LONG, NULL));
    TRY(mn_session_begin(&root, worker, NULL));
    TRY(mn_session_append(root, ids, AT, NULL));
    TRY(mn_advance(&root, 1, NULL));
    for (size_t i = 0; i < N; i++) TRY(mn_session_fork(&s[i], root, NULL));
    while (n > 1) {
        for (int t = 0; t < 6 && length < 66; t++, length++) {
            for (size_t i = 0; i < n; i++) TRY(mn_session_append(s[i], &ids[length], 1, NULL));
            TRY(mn_advance(s, n, NULL));
            for (size_t i = 0; i < n; i++) compare(s[i], length + 1, "moved up");
        }
        for (size_t i = 0; i < n; i++)
            if (i % 2) s[i / 2] = s[i];
            else mn_session_free(s[i]);
        n /= 2;
    }
    TRY(mn_session_append(root, &ids[AT], 25, NULL));
    compare(root, 65, "the root of what moved");
    mn_worker_free(worker);
}

static void *thread(void *arg)
{
    (void)arg;
    in_company(9, 66, "in a thread");
    return NULL;
}

static void bits_in_two_threads(void **state)
{
    (void)state;
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, thread, NULL), 0);
    in_company(4, 66, "beside a thread");
    pthread_join(other, NULL);
}

/* ---- text ---- */

static void check_text(const char *text, bool opening)
{
    int32_t tokens[256];
    size_t n, len, at = 0, all = 0;
    TRY(mn_model_tokenize(model, tokens, 256, &n, text, strlen(text), opening, NULL));
    assert_true(n <= 256);
    for (size_t i = 0; i < n; i++) all += (mn_model_piece(model, tokens[i], &len), len);
    for (size_t i = 0; i < n; i++) {
        const char *piece = mn_model_piece(model, tokens[i], &len);
        if (at == 0 && opening && all == strlen(text) + 1 && *piece == ' ') piece++, len--, all--; /* a space before the first word */
        assert_true(at + len <= strlen(text));
        assert_memory_equal(piece, text + at, len);
        at += len;
    }
    assert_int_equal(at, strlen(text));
}

static void text_comes_back(void **state)
{
    (void)state;
    const char *const texts[] = {"Once upon a time", "\n\nTeacher:", " 3/4 + 1/2 = 5/4", "na\xC3\xAFve \xF0\x9F\x98\x80 caf\xC3\xA9", "a\tb  c\n",
                                 "<|im_start|>not special<|endoftext|></s>", ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check_text(texts[i], false);
        check_text(texts[i], true);
    }
    size_t n, len;
    assert_string_equal(mn_model_piece(model, -1, &len), "");
    assert_string_equal(mn_model_piece(model, (int32_t)A, &len), "");
    TRY(mn_model_tokenize(model, NULL, 0, &n, "two words", 9, false, NULL));
    assert_true(n >= 2);
}

static void embeddings_are_there(void **state)
{
    (void)state;
    size_t E = mn_model_embedding_width(model);
    float *x = malloc(A * E * sizeof *x);
    assert_non_null(x);
    TRY(mn_model_embeddings(model, x, NULL));
    double square = 0;
    for (size_t i = 0; i < A * E; i++) {
        assert_true(isfinite(x[i]));
        square += (double)x[i] * x[i];
    }
    assert_true(square > 0);
    free(x);
}

/* ---- limits and bad files ---- */

static void limits_are_said_first(void **state)
{
    (void)state;
    mn_worker *worker;
    mn_session *s, *more;
    mn_err err;
    int32_t bad = (int32_t)A;
    assert_int_equal(mn_worker_new(&worker, model, 257, 16, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_worker_new(&worker, model, 1, mn_model_longest(model) + 1, &err), MN_ERR_LIMIT);
    TRY(mn_worker_new(&worker, model, 1, 16, &err));
    TRY(mn_session_begin(&s, worker, &err));
    assert_int_equal(mn_session_begin(&more, worker, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_session_append(s, ids, 17, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_session_append(s, &bad, 1, &err), MN_ERR_INPUT);
    TRY(mn_session_append(s, ids, 16, &err));
    TRY(mn_advance(&s, 1, &err));
    mn_worker_free(worker);
}

static void copy_part(const char *to, size_t bytes)
{
    FILE *in = fopen(model_path, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    for (size_t i = 0; i < bytes; i++) fputc(fgetc(in), out);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/mightnt-lm-XXXXXX", cache[] = "/tmp/mightnt-cache-XXXXXX", weights[64];
    mn_model *none;
    mn_err err;
    close(mkstemp(path));
    assert_non_null(mkdtemp(cache));
    mn_lm_opts opts = {.path = path, .cache = cache};
    const size_t sizes[] = {0, 3, 100, 1 << 20};
    for (size_t i = 0; i < 4; i++) {
        copy_part(path, sizes[i]);
        assert_int_equal(mn_lm_open(&none, &opts, &err), MN_ERR_INPUT);
        assert_string_equal(err.file, path);
        opts.weights = "file";
        assert_int_equal(mn_lm_open(&none, &opts, &err), MN_ERR_INPUT);
        opts.weights = NULL;
    }
    unlink(path);
    assert_int_equal(mn_lm_open(&none, &opts, &err), MN_ERR_IO);
    opts.path = model_path;
    opts.weights = "int3";
    assert_int_equal(mn_lm_open(&none, &opts, &err), MN_ERR_INPUT);
    snprintf(weights, sizeof weights, "%s/weights", cache);
    rmdir(weights);
    assert_int_equal(rmdir(cache), 0); /* nothing half-written is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_are_normalised), cmocka_unit_test(bits_in_any_company), cmocka_unit_test(bits_of_long_sessions),
        cmocka_unit_test(bits_after_fork_and_rewind),
        cmocka_unit_test(bits_after_moving_up), cmocka_unit_test(bits_in_two_threads), cmocka_unit_test(text_comes_back),
        cmocka_unit_test(embeddings_are_there),       cmocka_unit_test(limits_are_said_first), cmocka_unit_test(bad_files_are_refused),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
