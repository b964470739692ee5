/* Programs: their code is prefix-free, their text reads back, diagrams do what a direct interpreter does, and the class is
 * the sum over all its programs, one by one. */
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
#include "predict/program.h"

#define TRY(call) assert_int_equal((call), MN_OK)

/* ---- a direct interpreter: everything from the whole history, every time ---- */

typedef struct reader {
    const mn_terms *terms;
    size_t i, A;
} reader;

static void pass_over(reader *r)
{
    const char *code = mn_op_code[r->terms->at[r->i++].op];
    for (; *code; code++)
        if (*code == 'P' || *code == 'E') pass_over(r);
}

static size_t count(const int32_t *h, size_t n, int32_t x)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += h[i] == x;
    return sum;
}

static bool pair(const int32_t *h, size_t n, int32_t x, int32_t y)
{
    for (size_t i = 1; i < n; i++)
        if (h[i - 1] == x && h[i] == y) return true;
    return false;
}

static bool holds(reader *r, const int32_t *h, size_t n)
{
    const mn_term *t = &r->terms->at[r->i++];
    switch (t->op) {
    case MN_LAST: return n && h[n - 1] == t->x;
    case MN_SEEN: return count(h, n, t->x) >= 1;
    case MN_PAIR: return pair(h, n, t->x, t->y);
    case MN_TIMES: return count(h, n, t->x) >= t->n;
    case MN_TIME: return n / 2 >= t->n;
    case MN_NOT: return !holds(r, h, n);
    default: break;
    }
    bool first = holds(r, h, n), second = holds(r, h, n);
    return first && second;
}

static void say(double *p, reader *r, const int32_t *h, size_t n)
{
    const mn_term *t = &r->terms->at[r->i++];
    uint8_t weights[MN_PROGRAM_SYMBOLS];
    bool chosen = false;
    memset(p, 0, r->A * sizeof *p);
    switch (t->op) {
    case MN_ALWAYS: p[t->x] = 1; return;
    case MN_ROTATE: p[n ? ((size_t)h[n - 1] + t->x) % r->A : t->x] = 1; return;
    case MN_COUNT: p[n / 2 % t->n % r->A] = 1; return;
    case MN_MIX:
        mn_grid_weights(weights, r->A, t->n);
        for (size_t a = 0; a < r->A; a++) p[a] = weights[a] / (r->A == 2 ? 8. : 4.);
        return;
    default: break;
    }
    size_t event = r->i;
    for (size_t m = t->op == MN_UNTIL ? 0 : n; m <= n; m += 2) {
        r->i = event;
        chosen |= holds(r, h, m);
    }
    if (chosen == (t->op == MN_UNTIL)) pass_over(r); /* the first policy is not the one */
    say(p, r, h, n);
    if (chosen != (t->op == MN_UNTIL)) pass_over(r);
}

/* ---- the class, bit string by bit string ---- */

typedef struct listed {
    char code[64];
    mn_terms terms;
} listed;

enum { MOST = 4096 };

/* All programs of at most `bits`: every bit string is tried. */
static size_t list_all(listed *list, size_t A, size_t bits)
{
    size_t n = 0;
    for (size_t len = 1; len <= bits; len++)
        for (uint32_t value = 0; value < 1u << len; value++) {
            char code[64];
            size_t used;
            mn_terms terms = {.A = A};
            for (size_t k = 0; k < len; k++) code[k] = (char)('0' + (value >> (len - 1 - k) & 1));
            code[len] = 0;
            if (mn_terms_decode(&terms, &used, code, NULL) == MN_OK && used == len) {
                assert_true(n < MOST);
                memcpy(list[n].code, code, sizeof code);
                list[n++].terms = terms;
            } else
                free(terms.at);
        }
    return n;
}

static void free_all(listed *list, size_t n)
{
    for (size_t i = 0; i < n; i++) free(list[i].terms.at);
    free(list);
}

static void codes_are_prefix_free_and_counted(void **state)
{
    (void)state;
    const size_t bits[] = {0, 0, 16, 16, 16};
    for (size_t A = 2; A <= 4; A++) {
        listed *list = calloc(MOST, sizeof *list);
        mn_model *model;
        double kraft = 0;
        size_t n = list_all(list, A, bits[A]);
        for (size_t i = 0; i < n; i++) {
            kraft += exp2(-(double)strlen(list[i].code));
            for (size_t k = 0; k < n; k++) /* no code begins with another */
                assert_true(i == k || strncmp(list[i].code, list[k].code, strlen(list[i].code)) != 0);
        }
        assert_true(kraft <= 1);
        TRY(mn_program_new(&model, A, bits[A], NULL));
        assert_int_equal(mn_program_count(model), n);
        assert_true(mn_program_members(model) < n);
        assert_true(fabs(exp(mn_program_log_evidence(model)) - kraft) < 1e-12); /* of nothing: the mass of all */
        mn_model_free(model);
        free_all(list, n);
    }
}

static void text_and_code_read_back(void **state)
{
    (void)state;
    for (size_t A = 2; A <= 4; A++) {
        listed *list = calloc(MOST, sizeof *list);
        size_t n = list_all(list, A, 15);
        for (size_t i = 0; i < n; i++) {
            mn_model *model, *again;
            char *text, *code, *same;
            TRY(mn_program_decode(&model, list[i].code, A, NULL));
            TRY(mn_program_text(&text, &code, model, NULL));
            assert_string_equal(code, list[i].code);
            free(code);
            TRY(mn_program_read(&again, text, A, NULL));
            TRY(mn_program_text(&same, &code, again, NULL));
            assert_string_equal(code, list[i].code);
            assert_string_equal(same, text);
            assert_true(fabs(mn_program_log_evidence(again) + (double)strlen(code) * log(2)) < 1e-12);
            free(text), free(same), free(code);
            mn_model_free(model), mn_model_free(again);
        }
        free_all(list, n);
    }
}

/* A history with long runs, so that counts and pairs come late. */
static void draw(int32_t *h, size_t n, size_t A, uint64_t seed)
{
    mn_rng rng = mn_rng_split(seed, A, 1000);
    for (size_t i = 0; i < n; i++) h[i] = i && mn_rng_uniform(&rng) < .6 ? h[i - 1] : (int32_t)mn_rng_below(&rng, A);
}

enum { LONG = 24 };

/* One program against the interpreter at every turn of a history. */
static void compare_one(const char *text, size_t A, const int32_t *h)
{
    mn_terms terms = {.A = A};
    mn_model *model;
    mn_worker *worker;
    mn_session *s;
    TRY(mn_terms_parse(&terms, text, true, NULL));
    TRY(mn_program_read(&model, text, A, NULL));
    TRY(mn_worker_new(&worker, model, 1, LONG, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    for (size_t n = 0; n < LONG; n += 2) {
        double p[4], lp[4];
        reader r = {.terms = &terms, .A = A};
        say(p, &r, h, n);
        assert_int_equal(r.i, terms.n);
        TRY(mn_session_predict(s, lp, NULL));
        for (size_t a = 0; a < A; a++) assert_true(fabs(exp(lp[a]) - p[a]) < 1e-12);
        TRY(mn_session_append(s, h + n, 2, NULL));
    }
    mn_worker_free(worker);
    mn_model_free(model);
    free(terms.at);
}

static void programs_do_what_they_say(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "until last is 1 and not seen 0 3 times do mix 3 5 then if time >= 5 then count 3 else copy",
        "until not (seen 0 and seen 1) do always 1 then copy",
        "if last is 0 then if last is 1 then always 0 else mix 1 7 else rotate 1",
        "until last is 0 do until last is 1 do mix 2 6 then rotate 1 then count 5",
        "if not seen 1 1 and not last is 0 then mix 4 4 else until seen 0 4 times and last is 1 do copy then always 0",
        "if time >= 3 and not time >= 6 then mix 1 7 else (until (seen 1 0) do count 4 then copy)",
        "if seen 1 2 times and seen 1 5 times then always 1 else if seen 1 5 times then always 0 else mix 6 2",
    };
    int32_t h[LONG];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (uint64_t seed = 0; seed < 40; seed++) {
            draw(h, LONG, 2, seed);
            compare_one(texts[i], 2, h);
        }
    for (uint64_t seed = 0; seed < 40; seed++) {
        draw(h, LONG, 3, seed);
        compare_one("if last is 2 then rotate 2 else until seen 0 2 and last is 1 do mix 1 1 2 then count 7", 3, h);
        draw(h, LONG, 4, seed);
        compare_one("until seen 3 2 and not last is 0 do mix 0 1 2 1 then if seen 2 6 times then rotate 3 else count 6", 4, h);
    }
}

/* ---- the mixture ---- */

/* Sum over the list of 2^-bits times what each gave to the actor's symbols of h, and to each symbol next: p: [A]. */
static double sum_over(double *p, const listed *list, size_t n, size_t A, const int32_t *h, size_t len)
{
    double all = 0;
    memset(p, 0, A * sizeof *p);
    for (size_t i = 0; i < n; i++) {
        double w = exp2(-(double)strlen(list[i].code)), own[4];
        for (size_t t = 0; t <= len; t += 2) {
            reader r = {.terms = &list[i].terms, .A = A};
            say(own, &r, h, t);
            if (t < len) w *= own[h[t]];
        }
        for (size_t a = 0; a < A; a++) p[a] += w * own[a];
        all += w;
    }
    return all;
}

static void check_prediction(mn_session *s, const listed *list, size_t n, size_t A, const int32_t *h, size_t len)
{
    double p[4], lp[4], all = sum_over(p, list, n, A, h, len);
    TRY(mn_session_predict(s, lp, NULL));
    for (size_t a = 0; a < A; a++) assert_true(fabs(exp(lp[a]) - p[a] / all) < 1e-11);
}

static void the_class_is_the_sum_over_its_programs(void **state)
{
    (void)state;
    for (size_t A = 2; A <= 4; A++) {
        listed *list = calloc(MOST, sizeof *list);
        size_t n = list_all(list, A, 16);
        int32_t h[LONG];
        mn_model *model;
        mn_worker *worker;
        mn_session *s, *fork;
        TRY(mn_program_new(&model, A, 16, NULL));
        TRY(mn_worker_new(&worker, model, 2, LONG, NULL));
        TRY(mn_session_begin(&s, worker, NULL));
        draw(h, LONG, A, 7);
        for (size_t t = 0; t < 16; t += 2) {
            check_prediction(s, list, n, A, h, t);
            TRY(mn_session_learn(s, h + t, 2, NULL));
        }
        TRY(mn_session_fork(&fork, s, NULL));
        TRY(mn_session_rewind(s, 6, NULL));
        check_prediction(s, list, n, A, h, 6);
        check_prediction(fork, list, n, A, h, 16);
        mn_worker_free(worker);
        double p[4], before = mn_program_log_evidence(model), two = 0;
        TRY(mn_program_learn(model, h, 12, 1, NULL)); /* a transcript begins anew: no two of them are one */
        assert_true(fabs(mn_program_log_evidence(model) - log(sum_over(p, list, n, A, h, 12))) < 1e-10);
        TRY(mn_program_learn(model, h, 12, 1, NULL));
        two = mn_program_log_evidence(model);
        mn_model_free(model);
        TRY(mn_program_new(&model, A, 16, NULL));
        TRY(mn_program_learn(model, h, 12, 2, NULL));
        assert_true(fabs(mn_program_log_evidence(model) - two) < 1e-10 && two < before);
        mn_model_free(model);
        free_all(list, n);
    }
}

static void members_make_up_the_mixture(void **state)
{
    (void)state;
    enum { CAP = 2000 };
    static double lp_weights[CAP], lp[CAP * 2];
    double mixed[2], sum[2] = {0}, mass = 0, few_weights[3], few[6];
    unsigned char key[8], other[8];
    size_t n, k;
    const int32_t h[] = {0, 1, 1, 1, 0, 0};
    mn_model *model, *nu;
    mn_worker *worker;
    mn_session *s;
    TRY(mn_program_new(&model, 2, 16, NULL));
    TRY(mn_worker_new(&worker, model, 2, 8, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    TRY(mn_session_learn(s, h, 6, NULL));
    TRY(mn_session_predict(s, mixed, NULL));
    TRY(mn_session_members(s, lp_weights, lp, CAP, &n, NULL));
    assert_true(n > 10 && n < mn_program_members(model)); /* some are refuted */
    for (size_t i = 0; i < n; i++) {
        assert_true(!i || lp_weights[i] <= lp_weights[i - 1]);
        mass += exp(lp_weights[i]);
        for (size_t a = 0; a < 2; a++) sum[a] += exp(lp_weights[i] + lp[2 * i + a]);
    }
    assert_true(fabs(mass - 1) < 1e-12 && fabs(sum[0] - exp(mixed[0])) < 1e-12 && fabs(sum[1] - exp(mixed[1])) < 1e-12);
    TRY(mn_session_members(s, few_weights, few, 3, &k, NULL));
    assert_true(k == n && memcmp(few_weights, lp_weights, sizeof few_weights) == 0 && memcmp(few, lp, sizeof few) == 0);
    TRY(mn_session_key(s, key, sizeof key, &k, NULL));
    assert_true(k > sizeof key);
    TRY(mn_session_append(s, h, 2, NULL));
    TRY(mn_session_key(s, other, sizeof other, &k, NULL));
    assert_memory_not_equal(key, other, sizeof key); /* n is the first that programs see */
    mn_worker_free(worker);
    /* the least of the kept */
    double least[2] = {0, 0}, nu_lp[2], weight = 0;
    for (size_t i = 0; i < n && exp(lp_weights[i]) >= .05 * (weight + exp(lp_weights[i])); i++) {
        weight += exp(lp_weights[i]);
        for (size_t a = 0; a < 2; a++) least[a] = i ? fmin(least[a], lp[2 * i + a]) : lp[a];
    }
    TRY(mn_pessimist_new(&nu, model, .05, 0, NULL));
    TRY(mn_worker_new(&worker, nu, 1, 8, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    TRY(mn_session_learn(s, h, 6, NULL));
    TRY(mn_session_predict(s, nu_lp, NULL));
    assert_true(nu_lp[0] == least[0] && nu_lp[1] == least[1]);
    mn_worker_free(worker);
    mn_model_free(nu);
    mn_model_free(model);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *text;
        size_t A, column;
    } bad[] = {
        {"", 2, 1},
        {"always", 2, 7},
        {"always 2", 2, 8},
        {"always 0 1", 2, 10},
        {"mix 4 5", 2, 5},
        {"mix 8 0", 2, 5},
        {"mix 4", 2, 6},
        {"count 1", 2, 7},
        {"if last 1 then", 2, 9},
        {"(copy", 2, 6},
        {"until seen 1 1 times do copy then copy", 2, 14},
        {"until time >= 0 do copy then copy", 2, 15},
        {"if not copy then copy else copy", 2, 8},
        {"count 99999999999", 2, 7},
        {"rotate 3", 3, 8},
        {"if seen 0 9 do", 2, 11},
    };
    mn_model *model = NULL;
    mn_err err;
    char *text, *code;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(mn_program_read(&model, bad[i].text, bad[i].A, &err), MN_ERR_INPUT);
        assert_int_equal(err.column, bad[i].column);
    }
    char deep[20000];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_int_equal(mn_program_read(&model, deep, 2, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_program_decode(&model, "01", 2, &err), MN_ERR_INPUT);
    assert_int_equal(mn_program_decode(&model, "00010", 2, &err), MN_ERR_INPUT); /* always 1, and a bit too many */
    assert_int_equal(mn_program_decode(&model, "111000000000000000000000000000000000000000001", 2, &err), MN_ERR_INPUT);
    assert_int_equal(mn_program_new(&model, 5, 16, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_program_new(&model, 1, 16, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_program_new(&model, 2, 41, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_program_new(&model, 2, 0, &err), MN_ERR_LIMIT);
    TRY(mn_program_new(&model, 2, 8, &err));
    assert_int_equal(mn_program_text(&text, &code, model, &err), MN_ERR_INPUT);
    assert_int_equal(mn_program_learn(model, (const int32_t[]){2}, 1, 1, &err), MN_ERR_INPUT);
    assert_int_equal(mn_program_learn(model, (const int32_t[]){1}, 1, -1, &err), MN_ERR_NUM);
    mn_worker *worker;
    mn_session *s;
    double lp[2];
    TRY(mn_worker_new(&worker, model, 1, 3, &err));
    TRY(mn_session_begin(&s, worker, &err));
    TRY(mn_session_append(s, (const int32_t[]){1}, 1, &err));
    assert_int_equal(mn_session_predict(s, lp, &err), MN_ERR_INPUT); /* the world's turn */
    mn_worker_free(worker);
    mn_model_free(model);
}

/* ---- memory ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
static long left = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

static mn_status work(void)
{
    mn_model *class = NULL, *one = NULL;
    mn_worker *worker = NULL;
    mn_session *s, *fork;
    double lp[2], lp_weights[300], members[600];
    size_t n;
    char *text = NULL, *code = NULL;
    const int32_t h[] = {0, 1};
    mn_status status = mn_program_new(&class, 2, 16, NULL);
    if (status == MN_OK) status = mn_program_learn(class, h, 2, 1, NULL);
    if (status == MN_OK) status = mn_worker_new(&worker, class, 2, 4, NULL);
    if (status == MN_OK) status = mn_session_begin(&s, worker, NULL);
    if (status == MN_OK) status = mn_session_fork(&fork, s, NULL);
    if (status == MN_OK) status = mn_session_predict(fork, lp, NULL);
    if (status == MN_OK) status = mn_session_members(s, lp_weights, members, 300, &n, NULL);
    if (status == MN_OK) status = mn_program_read(&one, "until seen 1 and last is 0 do mix 3 5 then count 3", 2, NULL);
    if (status == MN_OK) status = mn_program_text(&text, &code, one, NULL);
    free(text), free(code);
    mn_worker_free(worker);
    mn_model_free(class);
    mn_model_free(one);
    return status;
}

static mn_status experiment(const char *name)
{
    const char *const sets[] = {"unprecedented.bits=6", "unprecedented.symbols=1000",
                                "tvd.bits=8",           "help.runs=1",
                                "help.steps=10001",     "waiting.bits=8",
                                "simple.worlds=1",      "simple.bits=8"};
    mn_lab *lab = NULL;
    mn_status status = mn_lab_run(&lab, name, &(mn_lab_opts){sets, sizeof sets / sizeof *sets, 1}, NULL);
    mn_lab_free(lab);
    return status;
}

static void experiments_without_memory_are_a_status(void **state)
{
    (void)state;
    static const char *const names[] = {"triangle", "unprecedented", "tvd", "help", "simple"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (long n = 0;; n++) {
            left = n;
            mn_status status = experiment(names[i]);
            bool failed = left < 0;
            left = -1;
            assert_int_equal(status, failed ? MN_ERR_MEMORY : MN_OK);
            if (!failed) break;
        }
}

static void memory_that_runs_out_is_a_status(void **state)
{
    (void)state;
    long n = 0;
    for (;; n++) {
        left = n;
        mn_status status = work();
        bool failed = left < 0;
        left = -1;
        if (!failed) break;
        assert_int_equal(status, MN_ERR_MEMORY);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_prefix_free_and_counted), cmocka_unit_test(text_and_code_read_back),
        cmocka_unit_test(programs_do_what_they_say),         cmocka_unit_test(the_class_is_the_sum_over_its_programs),
        cmocka_unit_test(members_make_up_the_mixture),       cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(memory_that_runs_out_is_a_status),  cmocka_unit_test(experiments_without_memory_are_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
