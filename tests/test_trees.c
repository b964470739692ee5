/* Trees of a context tree: the likeliest ones, judged, drawn, generated from, as members of sessions; and memory that ends
 * anywhere. Brute force over all trees is in test_imitate.py. */
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
#include "predict/credible.h"
#include "failing_memory.h"

#define TRY(call) assert_int_equal((call), MN_OK)
#define LENGTH(array) (sizeof(array) / sizeof *(array))

enum { MOST = 1000 };

static mn_model *make(size_t A, size_t D, double beta, const int32_t *ids, size_t n)
{
    mn_model *bct;
    const mn_bct_opts opts = {.A = A, .D = D, .beta = beta, .start = -1, .members = MOST};
    TRY(mn_bct_new(&bct, &opts, NULL));
    TRY(mn_bct_learn(bct, ids, n, true, NULL));
    return bct;
}

/* Skewed symbols, so that contexts differ. */
static void draw_symbols(int32_t *ids, size_t n, size_t A, uint64_t seed)
{
    mn_rng rng = mn_rng_split(seed, 0, 1000);
    for (size_t i = 0; i < n; i++) {
        bool again = i && mn_rng_uniform(&rng) < .4;
        ids[i] = again ? ids[i - 1] : (int32_t)mn_rng_below(&rng, A);
    }
}

static void free_all(mn_tree *trees, size_t n)
{
    for (size_t i = 0; i < n; i++) mn_tree_free(&trees[i]);
}

static bool same_tree(const mn_tree *x, const mn_tree *y)
{
    size_t symbols = 0;
    for (size_t i = 0; i < x->leaves; i++) symbols += x->lengths[i];
    return x->leaves == y->leaves && memcmp(x->lengths, y->lengths, x->leaves * sizeof *x->lengths) == 0 &&
           (!symbols || memcmp(x->contexts, y->contexts, symbols * sizeof *x->contexts) == 0);
}

/* ---- the likeliest ------------------------------------------------------------------------------------------------- */

static const int32_t known[] = {1, 0, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0};

static void known_posteriors(void **state)
{
    (void)state;
    const double expected[] = {77. / 141, 7. / 47, 49. / 423, 5. / 47, 35. / 423}; /* R's package BCT 1.2 */
    const size_t leaves[] = {1, 3, 2, 4, 3};
    mn_model *bct = make(2, 2, .5, known, LENGTH(known));
    mn_tree trees[9];
    size_t n;
    TRY(mn_bct_best(trees, &n, bct, 9, NULL));
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs(exp(trees[i].log_posterior) - expected[i]) < 1e-12);
        assert_int_equal(trees[i].leaves, leaves[i]);
        assert_null(trees[i].parameters);
    }
    free_all(trees, n);
    TRY(mn_bct_best(trees, &n, bct, 0, NULL));
    assert_int_equal(n, 0);
    mn_model_free(bct);
}

/* All posteriors fall, are those of the judged leaves, no tree comes twice, and fewer are the first of more. */
static void check_best(const mn_model *bct, size_t k)
{
    mn_tree *trees = calloc(k, sizeof *trees), *fewer = calloc(k, sizeof *fewer);
    size_t n, m;
    double sum = 0, above = INFINITY;
    TRY(mn_bct_best(trees, &n, bct, k, NULL));
    for (size_t i = 0; i < n; i++) {
        double listed = trees[i].log_posterior;
        sum += exp(listed);
        assert_true(listed <= above);
        above = listed;
        for (size_t j = 0; j < i; j++) assert_false(same_tree(&trees[i], &trees[j]));
        TRY(mn_bct_judge(&trees[i], bct, NULL));
        assert_true(fabs(trees[i].log_posterior - listed) <= 1e-9 * (1 + fabs(listed)));
    }
    assert_true(sum <= 1 + 1e-9);
    for (size_t some = 1; some < k; some = some * 2 + 1) {
        TRY(mn_bct_best(fewer, &m, bct, some, NULL));
        assert_int_equal(m, some < n ? some : n);
        for (size_t i = 0; i < m; i++) assert_true(same_tree(&fewer[i], &trees[i]));
        free_all(fewer, m);
    }
    free_all(trees, n);
    free(trees);
    free(fewer);
}

static void the_best_of_many(void **state)
{
    (void)state;
    const struct {
        size_t A, D, n;
        double beta;
    } cases[] = {{2, 0, 20, .5}, {2, 8, 300, .5}, {2, 5, 9, .05},  {3, 4, 50, .2},   {5, 3, 400, .999}, {7, 3, 900, .01},
                 {7, 3, 900, 0}, {9, 2, 40, .4},  {60, 2, 200, 0}, {300, 2, 90, .5}, {300, 1, 90, .02}, {4, 40, 30, .9}};
    int32_t ids[MOST];
    for (size_t c = 0; c < LENGTH(cases); c++) {
        draw_symbols(ids, cases[c].n, cases[c].A, c);
        mn_model *bct = make(cases[c].A, cases[c].D, cases[c].beta, ids, cases[c].n);
        check_best(bct, 60);
        mn_model_free(bct);
    }
}

/* Where beta is small and nothing was seen, the likeliest tree is the full one. */
static void unseen_contexts_branch_below_one_half(void **state)
{
    (void)state;
    mn_model *bct = make(3, 4, .01, NULL, 0);
    mn_tree tree;
    size_t n;
    TRY(mn_bct_best(&tree, &n, bct, 1, NULL));
    assert_int_equal(tree.leaves, 81);
    assert_true(fabs(tree.log_posterior - 40 * log(.99)) < 1e-12);
    assert_true(tree.log_likelihood_nats == 0 && tree.bic == 0 && fabs(tree.log_prior - 40 * log(.99)) < 1e-12);
    mn_tree_free(&tree);
    mn_model_free(bct);
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    mn_model *bct = make(7, 10, 1e-9, NULL, 0);
    mn_rng rng = mn_rng_split(1, 0, 1000);
    mn_tree tree;
    mn_err err;
    size_t n;
    assert_int_equal(mn_bct_best(&tree, &n, bct, 1, &err), MN_ERR_LIMIT);
    assert_int_equal(n, 0);
    assert_int_equal(mn_bct_draw(&tree, bct, &rng, &err), MN_ERR_LIMIT);
    assert_null(tree.lengths);
    assert_int_equal(mn_bct_best(&tree, &n, bct, SIZE_MAX, &err), MN_ERR_LIMIT); /* more choices than memory */
    assert_non_null(strstr(err.message, "ask for fewer"));
    mn_model_free(bct);
}

/* ---- judged -------------------------------------------------------------------------------------------------------- */

static void what_is_no_tree_is_refused(void **state)
{
    (void)state;
    const struct {
        size_t leaves, lengths[5];
        int32_t contexts[8];
        mn_status status;
        const char *says;
    } trees[] = {
        {1, {0}, {0}, MN_OK, NULL},
        {2, {1, 1}, {0, 1}, MN_OK, NULL},
        {3, {1, 2, 2}, {0, 1, 0, 1, 1}, MN_OK, NULL},
        {4, {2, 2, 2, 2}, {0, 0, 0, 1, 1, 0, 1, 1}, MN_OK, NULL},
        {0, {0}, {0}, MN_ERR_INPUT, "missing"},
        {1, {1}, {0}, MN_ERR_INPUT, "missing"},
        {2, {1, 2}, {0, 1, 0}, MN_ERR_INPUT, "missing"},
        {2, {1, 1}, {1, 0}, MN_ERR_INPUT, "leaf 0"},
        {2, {1, 1}, {0, 0}, MN_ERR_INPUT, "leaf 1"},
        {2, {0, 1}, {0}, MN_ERR_INPUT, "leaf 1"},
        {3, {1, 1, 1}, {0, 1, 1}, MN_ERR_INPUT, "leaf 2"},
        {2, {1, 1}, {0, 2}, MN_ERR_INPUT, "leaf 1"},
        {2, {1, 1}, {0, -1}, MN_ERR_INPUT, "leaf 1"},
        {2, {2, 1}, {0, 0, 1}, MN_ERR_INPUT, "leaf 1"},
        {2, {3, 1}, {0, 0, 0, 1}, MN_ERR_INPUT, "leaf 0"},
    };
    mn_model *bct = make(2, 2, .5, known, LENGTH(known));
    for (size_t i = 0; i < LENGTH(trees); i++) {
        size_t lengths[5];
        int32_t contexts[8];
        mn_err err;
        memcpy(lengths, trees[i].lengths, sizeof lengths);
        memcpy(contexts, trees[i].contexts, sizeof contexts);
        mn_tree tree = {.leaves = trees[i].leaves, .lengths = lengths, .contexts = contexts};
        assert_int_equal(mn_bct_judge(&tree, bct, &err), trees[i].status);
        if (trees[i].says) assert_non_null(strstr(err.message, trees[i].says));
    }
    mn_model_free(bct);
}

/* ---- drawn --------------------------------------------------------------------------------------------------------- */

/* The counts of n draws lie within five standard errors of what they should be. */
static void check_share(size_t count, size_t n, double p)
{
    assert_true(fabs((double)count - (double)n * p) <= 5 * sqrt((double)n * p * (1 - p)) + 1e-9);
}

static void check_draws(size_t A, size_t D, double beta, const int32_t *ids, size_t length, size_t draws)
{
    mn_model *bct = make(A, D, beta, ids, length);
    mn_tree trees[MOST], drawn;
    size_t n, counts[MOST] = {0};
    TRY(mn_bct_best(trees, &n, bct, MOST, NULL));
    assert_true(n < MOST);
    for (size_t i = 0; i < draws; i++) {
        mn_rng rng = mn_rng_split(5, i, 1000);
        size_t which = 0;
        TRY(mn_bct_draw(&drawn, bct, &rng, NULL));
        while (which < n && !same_tree(&drawn, &trees[which])) which++;
        assert_true(which < n);
        assert_true(fabs(drawn.log_posterior - trees[which].log_posterior) < 1e-9);
        counts[which]++;
        mn_tree_free(&drawn);
    }
    for (size_t i = 0; i < n; i++) check_share(counts[i], draws, exp(trees[i].log_posterior));
    free_all(trees, n);
    mn_model_free(bct);
}

static void trees_are_drawn_as_likely_as_they_are(void **state)
{
    (void)state;
    int32_t ids[40];
    check_draws(2, 2, .5, known, LENGTH(known), 20000);
    check_draws(2, 3, .2, known, 6, 20000);
    draw_symbols(ids, 40, 3, 3);
    check_draws(3, 2, .3, ids, 40, 20000);
    check_draws(3, 2, .9, ids, 0, 5000);
}

/* At depth 0 the posterior is Dirichlet(counts + 1/2): mean and variance of each probability, and that they sum to 1. */
static void parameters_are_drawn_from_their_posterior(void **state)
{
    (void)state;
    enum { A = 4, DRAWS = 20000 };
    const size_t counts[A] = {0, 1, 7, 300};
    int32_t ids[308];
    double mean[A] = {0}, square[A] = {0}, total = 308 + .5 * A;
    for (size_t a = 0, n = 0; a < A; a++)
        for (size_t i = 0; i < counts[a]; i++) ids[n++] = (int32_t)a;
    mn_model *bct = make(A, 0, .5, ids, 308);
    mn_rng rng = mn_rng_split(9, 0, 1000);
    for (size_t i = 0; i < DRAWS; i++) {
        mn_tree tree;
        double sum = 0;
        TRY(mn_bct_draw(&tree, bct, &rng, NULL));
        for (size_t a = 0; a < A; a++) {
            sum += tree.parameters[a];
            mean[a] += tree.parameters[a] / DRAWS;
            square[a] += tree.parameters[a] * tree.parameters[a] / DRAWS;
        }
        assert_true(fabs(sum - 1) < 1e-12);
        mn_tree_free(&tree);
    }
    for (size_t a = 0; a < A; a++) {
        double p = ((double)counts[a] + .5) / total, variance = p * (1 - p) / (total + 1);
        assert_true(fabs(mean[a] - p) < 5 * sqrt(variance / DRAWS));
        assert_true(fabs((square[a] - mean[a] * mean[a]) / variance - 1) < .1);
    }
    mn_model_free(bct);
}

/* ---- generated ----------------------------------------------------------------------------------------------------- */

static void symbols_follow_the_tree(void **state)
{
    (void)state;
    enum { N = 60000 };
    size_t lengths[] = {1, 2, 2};
    int32_t contexts[] = {0, 1, 0, 1, 1};
    double parameters[] = {.9, .1, .3, .7, 0, 1};
    mn_tree tree = {.leaves = 3, .lengths = lengths, .contexts = contexts, .parameters = parameters};
    mn_rng rng = mn_rng_split(2, 0, 1000);
    int32_t *ids = calloc(N, sizeof *ids);
    size_t seen[3] = {0}, zeros[3] = {0};
    mn_err err;
    ids[0] = 1;
    ids[1] = 0;
    TRY(mn_tree_generate(ids, N, 2, &tree, 2, &rng, NULL));
    assert_true(ids[0] == 1 && ids[1] == 0);
    for (size_t t = 2; t < N; t++) {
        size_t leaf = ids[t - 1] == 0 ? 0 : ids[t - 2] == 0 ? 1 : 2;
        seen[leaf]++;
        zeros[leaf] += ids[t] == 0;
    }
    check_share(zeros[0], seen[0], .9);
    check_share(zeros[1], seen[1], .3);
    assert_int_equal(zeros[2], 0);
    size_t first = 0, second = 0; /* before there is a context, symbols are uniform */
    for (size_t i = 0; i < 4000; i++) {
        TRY(mn_tree_generate(ids, 2, 0, &tree, 2, &rng, NULL));
        first += ids[0] == 1;
        second += ids[0] == 1 && ids[1] == 1;
    }
    check_share(first, 4000, .5);
    check_share(second, first, .5);
    ids[0] = 2;
    assert_int_equal(mn_tree_generate(ids, N, 1, &tree, 2, &rng, &err), MN_ERR_INPUT);
    tree.parameters = NULL;
    assert_int_equal(mn_tree_generate(ids, N, 0, &tree, 2, &rng, &err), MN_ERR_INPUT);
    free(ids);
}

/* What a drawn tree generates brings the posterior back to that tree. */
static void data_of_a_tree_give_the_tree_back(void **state)
{
    (void)state;
    enum { N = 20000 };
    size_t lengths[] = {1, 2, 2, 2, 1}, n;
    int32_t contexts[] = {0, 1, 0, 1, 1, 1, 2, 2}, *ids = calloc(N, sizeof *ids);
    double parameters[] = {.8, .1, .1, .1, .8, .1, .1, .1, .8, .5, .5, 0, .2, .4, .4};
    mn_tree tree = {.leaves = 5, .lengths = lengths, .contexts = contexts, .parameters = parameters}, found;
    mn_rng rng = mn_rng_split(3, 0, 1000);
    TRY(mn_tree_generate(ids, N, 0, &tree, 3, &rng, NULL));
    mn_model *bct = make(3, 5, 0, ids, N);
    TRY(mn_bct_best(&found, &n, bct, 1, NULL));
    assert_true(same_tree(&found, &tree) && found.log_posterior > log(.9));
    mn_tree_free(&found);
    mn_model_free(bct);
    free(ids);
}

/* ---- members of sessions ------------------------------------------------------------------------------------------- */

/* The members are the trees of `all`, a model that has learnt the same, with their posteriors and what they predict after
 * ids. */
static void check_members(mn_session *s, const mn_model *all, const int32_t *ids, size_t n)
{
    size_t A = mn_model_alphabet(all), members, trees_n, D = mn_bct_depth(all);
    double *weights = calloc(MOST, sizeof *weights), *lp = calloc(MOST * A, sizeof *lp);
    mn_tree *trees = calloc(MOST, sizeof *trees);
    uint64_t counts[8];
    TRY(mn_session_members(s, weights, lp, MOST, &members, NULL));
    TRY(mn_bct_best(trees, &trees_n, all, MOST, NULL));
    assert_int_equal(members, trees_n);
    assert_true(n >= D);
    double sum = 0, mixed = 0, next[8];
    for (size_t i = 0; i < members; i++) {
        sum += exp(weights[i]);
        mixed += exp(weights[i] + lp[i * A]);
        assert_true(fabs(weights[i] - trees[i].log_posterior) < 1e-9);
        const int32_t *context = trees[i].contexts;
        for (size_t leaf = 0; leaf < trees[i].leaves; context += trees[i].lengths[leaf++]) {
            size_t d = 0, length = trees[i].lengths[leaf];
            while (d < length && context[d] == ids[n - 1 - d]) d++;
            if (d < length) continue;
            double total = .5 * (double)A;
            TRY(mn_bct_counts(all, counts, context, length, NULL));
            for (size_t a = 0; a < A; a++) total += (double)counts[a];
            for (size_t a = 0; a < A; a++) assert_true(fabs(exp(lp[i * A + a]) - ((double)counts[a] + .5) / total) < 1e-12);
        }
        mn_tree_free(&trees[i]);
    }
    TRY(mn_session_predict(s, next, NULL));
    assert_true(fabs(sum - 1) < 1e-9);
    assert_true(fabs(mixed - exp(next[0])) < 1e-9); /* their mixture is the model */
    free(weights);
    free(lp);
    free(trees);
}

static void members_are_the_trees_of_all_that_was_learnt(void **state)
{
    (void)state;
    enum { A = 3, D = 2, TRAIN = 30, LEARN = 25 };
    int32_t ids[TRAIN + LEARN];
    draw_symbols(ids, TRAIN + LEARN, A, 17);
    mn_model *bct = make(A, D, .4, ids, TRAIN), *all = make(A, D, .4, ids, TRAIN);
    mn_worker *worker;
    mn_session *s;
    TRY(mn_worker_new(&worker, bct, 1, 100, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    TRY(mn_session_append(s, ids + TRAIN, D, NULL));
    check_members(s, all, ids + TRAIN, D);
    double before[MOST], after[MOST], lp[MOST * A];
    size_t n;
    TRY(mn_session_members(s, before, lp, MOST, &n, NULL));
    TRY(mn_session_learn(s, ids + TRAIN + D, LEARN - D, NULL));
    TRY(mn_bct_learn(all, ids + TRAIN, LEARN, true, NULL));
    check_members(s, all, ids + TRAIN, LEARN);
    TRY(mn_session_rewind(s, D, NULL));
    TRY(mn_session_members(s, after, lp, MOST, &n, NULL));
    assert_memory_equal(before, after, n * sizeof *before);
    mn_worker_free(worker);
    mn_model_free(bct);
    mn_model_free(all);
}

static void a_short_past_ends_at_its_deepest_context(void **state)
{
    (void)state;
    mn_model *bct = make(2, 2, .5, known, LENGTH(known));
    mn_worker *worker;
    mn_session *s;
    double weights[2], lp[4];
    size_t n;
    TRY(mn_worker_new(&worker, bct, 1, 10, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    TRY(mn_session_members(s, weights, lp, 2, &n, NULL));
    assert_int_equal(n, 5); /* all there are, though there was room for two */
    assert_true(fabs(exp(weights[0]) - 77. / 141) < 1e-12 && fabs(exp(weights[1]) - 7. / 47) < 1e-12);
    for (size_t i = 0; i < 4; i++) assert_true(fabs(exp(lp[i]) - .5) < 1e-12); /* 6 and 6 of 12 */
    double floor[2] = {lp[0], lp[1]};
    mn_credible_floor(floor, (const uint64_t[]){6, 6}, 2, .05);
    assert_true(exp(floor[0]) < .4 && exp(floor[0]) > .01);
    TRY(mn_session_floors(s, .05, weights, lp, 2, &n, NULL));
    for (size_t i = 0; i < 4; i++) assert_true(fabs(exp(lp[i]) - exp(floor[i % 2])) < 1e-12);
    mn_worker_free(worker);
    mn_model_free(bct);
}

/* ---- allocation failure: the build routes the allocations of this program through these ---------------------------- */

static mn_status best_five(mn_model *bct, const char *path)
{
    mn_tree trees[5];
    size_t n;
    (void)path;
    mn_status status = mn_bct_best(trees, &n, bct, 5, NULL);
    free_all(trees, n);
    return status;
}

static mn_status draw_and_generate(mn_model *bct, const char *path)
{
    mn_tree tree;
    mn_rng rng = mn_rng_split(1, 0, 1000);
    int32_t ids[20];
    (void)path;
    mn_status status = mn_bct_draw(&tree, bct, &rng, NULL);
    if (status == MN_OK) status = mn_tree_generate(ids, 20, 0, &tree, mn_model_alphabet(bct), &rng, NULL);
    mn_tree_free(&tree);
    return status;
}

static mn_status show(mn_model *bct, const char *path)
{
    mn_tree tree = {0};
    mn_rng rng = mn_rng_split(1, 0, 1000);
    char *text = NULL, *json = NULL;
    mn_status status = mn_bct_draw(&tree, bct, &rng, NULL);
    if (status == MN_OK) status = mn_tree_text(&text, &tree, bct, 80, 20, NULL);
    if (status == MN_OK) status = mn_trees_json(&json, bct, &tree, 1, &tree, 1, NULL);
    if (status == MN_OK) status = mn_tree_svg(path, &tree, bct, NULL);
    free(text);
    free(json);
    mn_tree_free(&tree);
    return status;
}

static mn_status members(mn_model *bct, const char *path)
{
    mn_worker *worker = NULL;
    mn_session *s;
    double weights[2], lp[10];
    size_t n;
    (void)path;
    mn_status status = mn_worker_new(&worker, bct, 1, 10, NULL);
    if (status == MN_OK) status = mn_session_begin(&s, worker, NULL);
    if (status == MN_OK) status = mn_session_members(s, weights, lp, 2, &n, NULL);
    mn_worker_free(worker);
    return status;
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    mn_status (*const calls[])(mn_model *, const char *) = {best_five, draw_and_generate, show, members};
    char path[] = "/tmp/mightnt-tree-XXXXXX";
    int32_t ids[300];
    close(mkstemp(path));
    draw_symbols(ids, 300, 5, 4);
    mn_model *bct = make(5, 2, .6, ids, 300);
    for (size_t i = 0; i < LENGTH(calls); i++) {
        mn_status status = MN_ERR_MEMORY;
        size_t failures = 0;
        for (; status; failures++) {
            until_failure = failures;
            status = calls[i](bct, path);
            until_failure = SIZE_MAX;
            if (status) assert_int_equal(status, MN_ERR_MEMORY);
        }
        assert_true(failures > 5);
    }
    unlink(path);
    mn_model_free(bct);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_posteriors),
        cmocka_unit_test(the_best_of_many),
        cmocka_unit_test(unseen_contexts_branch_below_one_half),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(what_is_no_tree_is_refused),
        cmocka_unit_test(trees_are_drawn_as_likely_as_they_are),
        cmocka_unit_test(parameters_are_drawn_from_their_posterior),
        cmocka_unit_test(symbols_follow_the_tree),
        cmocka_unit_test(data_of_a_tree_give_the_tree_back),
        cmocka_unit_test(members_are_the_trees_of_all_that_was_learnt),
        cmocka_unit_test(a_short_past_ends_at_its_deepest_context),
        cmocka_unit_test(memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
