/* Explicit tables: rows by context, help mass, sessions, texts, files good and bad. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mightnt.h"

#define TRY(call) assert_int_equal((call), MN_OK)

enum { A = 3, D = 2, S = 16 };
static const char *const texts[A] = {"a", "ab", "\n"};
static mn_model *model;
static double table[S * A];

static int make_table(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(1, 0, 1000);
    for (size_t s = 0; s < S; s++) {
        double p[A], sum = 0, mass = s % 3 ? 1 : .75; /* every third row keeps a quarter for help */
        for (size_t a = 0; a < A; a++) sum += p[a] = s % 5 || a ? mn_rng_uniform(&rng) : 0;
        for (size_t a = 0; a < A; a++) table[s * A + a] = log(mass * p[a] / sum);
    }
    return mn_table_new(&model, A, D, table, texts, NULL) != MN_OK;
}

static int free_table(void **state)
{
    (void)state;
    mn_model_free(model);
    return 0;
}

/* ---- predictions ---- */

static void check(mn_session *s, const int32_t *ids, size_t n)
{
    double lp[A];
    float x[S];
    size_t row = 0;
    for (size_t k = 0; k < D && k < n; k++) row += ((size_t)ids[n - 1 - k] + 1) * (k ? A + 1 : 1);
    assert_int_equal(mn_session_length(s), n);
    TRY(mn_session_predict(s, lp, NULL));
    assert_memory_equal(lp, table + row * A, sizeof lp);
    TRY(mn_session_features(s, x, NULL));
    for (size_t i = 0; i < S; i++) assert_true(x[i] == (i == row ? 1 : 0));
}

static void contexts_choose_the_row(void **state)
{
    (void)state;
    const int32_t ids[] = {2, 0, 1, 1, 0, 2, 2};
    mn_worker *worker;
    mn_session *s, *fork;
    TRY(mn_worker_new(&worker, model, 2, 7, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    check(s, ids, 0);
    for (size_t n = 1; n <= 7; n++) {
        TRY(mn_session_append(s, &ids[n - 1], 1, NULL));
        TRY(mn_advance(&s, 1, NULL));
        check(s, ids, n);
    }
    TRY(mn_session_fork(&fork, s, NULL));
    TRY(mn_session_rewind(s, 4, NULL));
    check(s, ids, 4);
    check(fork, ids, 7);
    TRY(mn_session_learn(s, ids + 4, 2, NULL));
    check(s, ids, 6);
    mn_session_free(fork);
    TRY(mn_session_begin(&fork, worker, NULL)); /* its place is free again */
    check(fork, ids, 0);
    mn_worker_free(worker);
}

static void limits_and_wrong_ids_are_refused(void **state)
{
    (void)state;
    mn_worker *worker;
    mn_session *s, *more;
    mn_err err;
    const int32_t ids[] = {0, 3, -1};
    assert_int_equal(mn_worker_new(&worker, model, 0, 4, &err), MN_ERR_LIMIT);
    TRY(mn_worker_new(&worker, model, 1, 2, &err));
    TRY(mn_session_begin(&s, worker, &err));
    assert_int_equal(mn_session_begin(&more, worker, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_session_fork(&more, s, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_session_append(s, ids, 3, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_session_append(s, ids, 2, &err), MN_ERR_INPUT);
    assert_int_equal(mn_session_append(s, ids + 2, 1, &err), MN_ERR_INPUT);
    assert_int_equal(mn_session_length(s), 0); /* nothing of them was taken */
    assert_int_equal(mn_session_rewind(s, 1, &err), MN_ERR_LIMIT);
    mn_worker_free(worker);
    mn_worker_free(NULL);
    mn_session_free(NULL);
    mn_model_free(NULL);
}

static void model_says_what_it_is(void **state)
{
    (void)state;
    double weights, lp[A];
    size_t n = 9;
    mn_worker *worker;
    mn_session *s;
    assert_true(mn_model_alphabet(model) == A && mn_model_features(model) == S && mn_model_embedding_width(model) == 0);
    assert_string_equal(mn_model_name(model), "table");
    assert_string_equal(mn_model_weights(model), "");
    assert_string_equal(mn_model_sha256(model), "");
    assert_false(mn_model_ends_generation(model, 2));
    assert_int_equal(mn_model_embeddings(model, NULL, NULL), MN_ERR_INPUT);
    TRY(mn_worker_new(&worker, model, 1, 1, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    TRY(mn_session_members(s, &weights, lp, 1, &n, NULL));
    assert_int_equal(n, 0);
    mn_worker_free(worker);
}

static void texts_match_the_longest(void **state)
{
    (void)state;
    int32_t ids[8];
    size_t n, len;
    mn_err err;
    TRY(mn_model_tokenize(model, ids, 8, &n, "aabab\na", 7, true, &err));
    const int32_t expected[] = {0, 1, 1, 2, 0};
    assert_int_equal(n, 5);
    assert_memory_equal(ids, expected, sizeof expected);
    ids[2] = 7;
    TRY(mn_model_tokenize(model, ids, 2, &n, "aabab\na", 7, false, &err)); /* says what it needs */
    assert_true(n == 5 && ids[2] == 7);
    TRY(mn_model_tokenize(model, NULL, 0, &n, "", 0, false, &err));
    assert_int_equal(n, 0);
    assert_int_equal(mn_model_tokenize(model, ids, 8, &n, "ac", 2, false, &err), MN_ERR_INPUT);
    assert_string_equal(mn_model_piece(model, 1, &len), "ab");
    assert_int_equal(len, 2);
    assert_string_equal(mn_model_piece(model, 3, &len), "");
    assert_string_equal(mn_model_piece(model, -1, NULL), "");
}

static void rows_must_be_probabilities(void **state)
{
    (void)state;
    const char *const names[] = {"x", "y"};
    const struct {
        double p[2];
        mn_status status;
    } rows[] = {{{.5, .5}, MN_OK},          {{.1, .2}, MN_OK},      {{0, 0}, MN_OK},
                {{.5, .5 + 1e-10}, MN_OK},  {{.5, .6}, MN_ERR_NUM}, {{NAN, .5}, MN_ERR_NUM},
                {{INFINITY, 0}, MN_ERR_NUM}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double lp[6] = {0, -INFINITY, log(rows[i].p[0]), log(rows[i].p[1]), log(.5), log(.5)};
        mn_model *m = NULL;
        mn_err err;
        assert_int_equal(mn_table_new(&m, 2, 1, lp, names, &err), rows[i].status);
        if (rows[i].status == MN_OK)
            mn_model_free(m);
        else
            assert_non_null(strstr(err.message, "row 1"));
    }
    mn_model *m;
    assert_int_equal(mn_table_new(&m, 2, 60, table, names, NULL), MN_ERR_LIMIT);
    assert_int_equal(mn_table_new(&m, 0, 1, table, names, NULL), MN_ERR_LIMIT);
}

/* ---- files ---- */

static void files(void **state)
{
    (void)state;
    const struct {
        const char *json;
        mn_status status;
    } known[] = {
        {"{\"symbols\": [\"yes\", \"\\n\"], \"depth\": 1, \"rows\": [[1, 0], [0.25, 0.5], [0, 0]]}", MN_OK},
        {"{\"symbols\": [\"yes\", \"\\n\"], \"depth\": 0, \"rows\": [[0.5, 0.25]]}", MN_OK},
        {"{\"symbols\": [\"yes\", \"\\n\"], \"depth\": 1, \"rows\": [[1, 0], [0.25, 0.5]]}", MN_ERR_INPUT},
        {"{\"symbols\": [\"yes\", \"\\n\"], \"depth\": 0, \"rows\": [[0.5, 0.25, 0.1]]}", MN_ERR_INPUT},
        {"{\"symbols\": [\"yes\", \"\\n\"], \"depth\": 0, \"rows\": [[0.5, -0.25]]}", MN_ERR_INPUT},
        {"{\"symbols\": [\"yes\", \"\\n\"], \"depth\": 0, \"rows\": [[0.5, 0.75]]}", MN_ERR_NUM},
        {"{\"symbols\": [\"yes\", 1], \"depth\": 0, \"rows\": [[0.5, 0.25]]}", MN_ERR_INPUT},
        {"{\"symbols\": [], \"depth\": 0, \"rows\": [[]]}", MN_ERR_INPUT},
        {"{\"symbols\": [\"yes\"], \"depth\": -1, \"rows\": [[1]]}", MN_ERR_INPUT},
        {"{\"symbols\": [\"yes\"], \"depth\": 64, \"rows\": [[1]]}", MN_ERR_LIMIT},
        {"{\"symbols\": [\"yes\"], \"rows\": [[1]]}", MN_ERR_INPUT},
        {"{\"symbols\": [\"yes\"], \"depth\": 0, \"rows\": [[1]]", MN_ERR_INPUT},
        {"", MN_ERR_INPUT},
    };
    char path[] = "/tmp/mightnt-table-XXXXXX";
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        mn_model *m = NULL;
        mn_err err;
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(known[i].json, f);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(mn_table_open(&m, path, &err), known[i].status);
        if (known[i].status != MN_OK) {
            if (known[i].status != MN_ERR_LIMIT) assert_string_equal(err.file, path);
            continue;
        }
        assert_int_equal(strlen(mn_model_sha256(m)), 64);
        assert_string_equal(mn_model_weights(m), path);
        assert_int_equal(mn_model_alphabet(m), 2);
        mn_model_free(m);
    }
    unlink(path);
    mn_model *m;
    assert_int_equal(mn_table_open(&m, path, NULL), MN_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_choose_the_row),    cmocka_unit_test(limits_and_wrong_ids_are_refused),
        cmocka_unit_test(model_says_what_it_is),      cmocka_unit_test(texts_match_the_longest),
        cmocka_unit_test(rows_must_be_probabilities), cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, make_table, free_table);
}
