/* The regularisers: what must hold to the bit, errors, comparisons, cells. Accuracy against oracles: test_budget.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "regularize/cells.h"
#include "regularize/tilt.h"

static void normalise(double *lp, size_t V)
{
    double sum = 0;
    for (size_t i = 0; i < V; i++) sum += exp(lp[i]);
    for (size_t i = 0; i < V; i++) lp[i] -= log(sum);
}

static void random_row(double *lp, double *z, size_t V, mn_rng *rng)
{
    for (size_t i = 0; i < V; i++) lp[i] = 2.5 * mn_rng_normal(rng), z[i] = 2 * mn_rng_normal(rng);
    normalise(lp, V);
}

static mn_status one(mn_reg_kind kind, double *out, double *l, double *nats, const double *lp, const double *z, double limit,
                     size_t V)
{
    mn_err err;
    return mn_regularize(kind, out, l, nats, lp, z, &limit, 1, V, &err);
}

/* ---- the base to the bit ---- */

static void assert_base(const double *lp, const double *z, double limit, size_t V, double lambda)
{
    double out[64], l, nats;
    assert_int_equal(one(MN_REG_BUDGET, out, &l, &nats, lp, z, limit, V), MN_OK);
    assert_memory_equal(out, lp, V * sizeof *out);
    assert_true(l == lambda && nats == 0);
}

static void no_budget_no_scores_or_one_symbol_give_the_base(void **state)
{
    (void)state;
    double lp[50], z[50], flat[50];
    mn_rng rng = mn_rng_split(1, 0, MN_STREAM_USER);
    for (int k = 0; k < 20; k++) {
        random_row(lp, z, 50, &rng);
        for (size_t i = 0; i < 50; i++) flat[i] = z[0];
        assert_base(lp, z, 0, 50, 0);
        assert_base(lp, flat, 1, 50, 1);
        assert_base(lp, flat, INFINITY, 50, 1);
    }
    /* Equal on the support only. */
    assert_base((double[]){log(.5), -INFINITY, log(.5)}, (double[]){3, 1e300, 3}, 1, 3, 1);
    assert_base((double[]){log(.5), -INFINITY, log(.5)}, (double[]){3, -INFINITY, 3}, 1, 3, 1);
    assert_base((double[]){-INFINITY, 0}, (double[]){-INFINITY, 1e300}, .5, 2, 1);
    assert_base((double[]){0}, (double[]){-1e300}, INFINITY, 1, 1);
    assert_base((double[]){1e-12}, (double[]){5}, .1, 1, 1);
    /* A budget too small for the smallest double l. */
    assert_base((double[]){log(.5), log(.5)}, (double[]){1e300, -1e300}, 1e-300, 2, 0);
}

/* ---- masks ---- */

static void masks_are_all_or_nothing(void **state)
{
    (void)state;
    double out[3], l, nats;
    const double lp[] = {log(.5), log(.25), log(.25)}, z[] = {1, 1, -INFINITY};
    double cost = -log(.75);
    assert_int_equal(one(MN_REG_BUDGET, out, &l, &nats, lp, z, cost * (1 - 1e-12), 3), MN_OK);
    assert_true(l == 0 && nats == 0 && out[2] == lp[2]);
    assert_int_equal(one(MN_REG_BUDGET, out, &l, &nats, lp, z, cost * (1 + 1e-12), 3), MN_OK);
    assert_true(l == 1 && fabs(nats - cost) < 1e-15 && out[2] == -INFINITY && fabs(out[0] - log(2. / 3)) < 1e-15);
    /* What is left after the mask tilts the others. */
    const double up[] = {1, 2, -INFINITY};
    assert_int_equal(one(MN_REG_BUDGET, out, &l, &nats, lp, up, cost + .01, 3), MN_OK);
    assert_true(l > 0 && l < 1 && out[2] == -INFINITY && fabs(nats - cost - .01) < 1e-12);
    for (int kind = MN_REG_TVD; kind <= MN_REG_CHI2; kind++) {
        double masked = kind == MN_REG_TVD ? .25 : 1 / .75 - 1;
        assert_int_equal(one((mn_reg_kind)kind, out, &l, &nats, lp, z, masked - 1e-9, 3), MN_OK);
        assert_true(l == 0 && out[2] == lp[2]);
        assert_int_equal(one((mn_reg_kind)kind, out, &l, &nats, lp, z, masked + 1e-9, 3), MN_OK);
        assert_true(l == 1 && out[2] == -INFINITY && fabs(nats - cost) < 1e-15);
    }
}

/* ---- errors ---- */

static void assert_refused(const double *lp, const double *z, double limit, const char *message)
{
    double out[6], l[3], nats[3], limits[3] = {1, 1, limit};
    const double good_lp[] = {log(.5), log(.5)}, good_z[] = {0, 1};
    double all_lp[6], all_z[6];
    mn_err err = {0};
    for (size_t b = 0; b < 3; b++) {
        memcpy(all_lp + 2 * b, b < 2 ? good_lp : lp, sizeof good_lp);
        memcpy(all_z + 2 * b, b < 2 ? good_z : z, sizeof good_z);
    }
    assert_int_equal(mn_regularize(MN_REG_BUDGET, out, l, nats, all_lp, all_z, limits, 3, 2, &err), MN_ERR_NUM);
    assert_string_equal(err.message, message);
    assert_true(l[1] == 1 && nats[1] > 0);
}

static void bad_rows_are_named(void **state)
{
    (void)state;
    const double lp[] = {log(.5), log(.5)}, z[] = {0, 1};
    assert_refused((double[]){NAN, 0}, z, 1, "row 2, entry 0: the base is NaN");
    assert_refused(lp, (double[]){0, NAN}, 1, "row 2, entry 1: the score is NaN");
    assert_refused(lp, (double[]){INFINITY, 0}, 1, "row 2, entry 0: the score is +inf");
    assert_refused((double[]){-INFINITY, 0}, (double[]){INFINITY, 0}, 1, "row 2, entry 0: the score is +inf");
    assert_refused((double[]){-INFINITY, 0}, (double[]){NAN, 0}, 1, "row 2, entry 0: the score is NaN");
    assert_refused((double[]){-1, -1}, z, 1, "row 2: the base sums to 0.735758882343, expected 1");
    assert_refused((double[]){3, -1}, z, 1, "row 2, entry 0: the base is more than 1");
    assert_refused((double[]){-INFINITY, -INFINITY}, z, 1, "row 2: the base sums to 0, expected 1");
    assert_refused((double[]){0, -INFINITY}, (double[]){-INFINITY, 1}, 1, "row 2: every score on the support is -inf");
    assert_refused(lp, z, -1e-300, "row 2: the limit is -1e-300, expected at least 0");
    assert_refused(lp, z, NAN, "row 2: the limit is nan, expected at least 0");
    double out[2], l, nats;
    assert_int_equal(one(MN_REG_BUDGET, out, &l, &nats, (double[]){log(.5), log(.5 + 9e-10)}, z, 1, 2), MN_OK);
}

/* ---- the same bits everywhere ---- */

static void every_instruction_set_gives_the_same_bits(void **state)
{
    (void)state;
    enum { V = 1003 };
    const mn_tilt_passes *here = mn_tilt(), *plain = &mn_tilt_plain;
#if defined(__x86_64__)
    const mn_tilt_passes *others[] = {plain,
                                      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &mn_tilt_avx2 : plain};
#else
    const mn_tilt_passes *others[] = {plain, plain};
#endif
    static double lp[V], z[V], g[V], p[V], q[V], a[V], b[V];
    int32_t ids[2][V];
    bool nan;
    mn_rng rng = mn_rng_split(2, 0, MN_STREAM_USER);
    for (int k = 0; k < 40; k++) {
        size_t n = k < 20 ? (size_t)k + 1 : V - (size_t)k, other = k & 1;
        random_row(lp, z, n, &rng);
        for (size_t i = 0; i < n; i++) g[i] = mn_rng_normal(&rng);
        if (k % 3 == 0) lp[n / 2] = -INFINITY, z[n / 3] = -INFINITY;
        mn_tilt_base x = here->base(p, lp, z, n), y = others[other]->base(q, lp, z, n);
        assert_true(x.kept == y.kept && x.masked == y.masked && x.least == y.least && x.most == y.most && x.z1 == y.z1 &&
                    x.z2 == y.z2 && x.plain == y.plain && x.masks == y.masks && x.bad == y.bad);
        assert_memory_equal(p, q, n * sizeof *p);
        mn_tilt_sums s = here->weigh(p, z, .1, .6, true, n), t = others[other]->weigh(p, z, .1, .6, true, n);
        assert_true(s.phi == t.phi && s.gain == t.gain && s.x1 == t.x1 && s.x2 == t.x2 && s.x3 == t.x3 && s.x4 == t.x4);
        double direct[2][5], moments[2][2], slopes[2][4];
        for (int rough = 0; rough < 2 && x.plain; rough++) {
            here->weigh_directly(direct[0], p, z, .1, .6, rough, n),
                others[other]->weigh_directly(direct[1], p, z, .1, .6, rough, n);
            assert_memory_equal(direct[0], direct[1], sizeof direct[0]);
        }
        here->moments(moments[0], p, z, .1, .5, n), others[other]->moments(moments[1], p, z, .1, .5, n);
        assert_memory_equal(moments[0], moments[1], sizeof moments[0]);
        size_t chosen = here->gather(ids[0], V, lp, n, -5, &nan);
        assert_int_equal(chosen, others[other]->gather(ids[1], V, lp, n, -5, &nan));
        assert_memory_equal(ids[0], ids[1], chosen * sizeof *ids[0]);
        for (size_t most = 0; most <= chosen; most += chosen < 8 ? 1 : chosen / 8)
            assert_true(here->rest(lp, n / 3, n, ids[0], most, -3) == others[other]->rest(lp, n / 3, n, ids[0], most, -3));
        double some = 0;
        for (size_t i = 0, next = 0; i < n; i++) {
            bool is = next < chosen && (size_t)ids[0][next] == i;
            next += is;
            if (!is) some += exp(lp[i] + 3);
        }
        assert_true(fabs(here->rest(lp, 0, n, ids[0], chosen, -3) - some) <= 1e-13 * some);
        here->write(a, lp, z, .1, .6, .3, n), others[other]->write(b, lp, z, .1, .6, .3, n);
        assert_memory_equal(a, b, n * sizeof *a);
        memcpy(lp, a, n * sizeof *lp);
        assert_true(here->policy(a, lp, n) == others[other]->policy(b, lp, n));
        here->slopes(slopes[0], a, z, g, .1, n), others[other]->slopes(slopes[1], a, z, g, .1, n);
        assert_memory_equal(slopes[0], slopes[1], sizeof slopes[0]);
        assert_true(here->gradient(a, z, g, .1, .6, .2, .3, n) == others[other]->gradient(b, z, g, .1, .6, .2, .3, n));
        assert_memory_equal(a, b, n * sizeof *a);
    }
}

static void a_row_is_the_same_in_any_batch(void **state)
{
    (void)state;
    enum { B = 9, V = 77 };
    double lp[B * V], z[B * V], limit[B], out[B * V], l[B], nats[B], alone[V], l1, nats1;
    mn_rng rng = mn_rng_split(3, 0, MN_STREAM_USER);
    for (size_t b = 0; b < B; b++) random_row(lp + b * V, z + b * V, V, &rng), limit[b] = .1 * (double)b;
    assert_int_equal(mn_regularize(MN_REG_BUDGET, out, l, nats, lp, z, limit, B, V, NULL), MN_OK);
    for (size_t b = 0; b < B; b++) {
        assert_int_equal(one(MN_REG_BUDGET, alone, &l1, &nats1, lp + b * V, z + b * V, limit[b], V), MN_OK);
        assert_memory_equal(alone, out + b * V, sizeof alone);
        assert_true(l1 == l[b] && nats1 == nats[b]);
    }
}

/* ---- more budget, more tilt; the other constraints ---- */

static void lambda_and_nats_rise_with_the_limit(void **state)
{
    (void)state;
    enum { V = 300 };
    double lp[V], z[V], out[V], l, nats, before = 0, kl;
    mn_rng rng = mn_rng_split(4, 0, MN_STREAM_USER);
    random_row(lp, z, V, &rng);
    for (double limit = 1e-12; limit < 20; limit *= 1.7) {
        assert_int_equal(one(MN_REG_BUDGET, out, &l, &nats, lp, z, limit, V), MN_OK);
        assert_true(l > before || l == 1);
        before = l;
        assert_int_equal(mn_kl_nats(&kl, out, lp, V), MN_OK);
        assert_true(nats <= limit && fabs(kl - nats) < 1e-14 && (l == 1 || nats >= limit * (1 - 1e-12)));
    }
    assert_true(before == 1);
}

static double distance_of(mn_reg_kind kind, const double *out, const double *lp, size_t V)
{
    double f = 0;
    for (size_t i = 0; i < V; i++) {
        double pi = exp(out[i]), p = exp(lp[i]);
        f += kind == MN_REG_TVD ? fabs(pi - p) / 2 : (pi - p) * (pi - p) / p;
    }
    return f;
}

static void other_constraints_bind_exactly(void **state)
{
    (void)state;
    enum { V = 60 };
    double lp[V], z[V], out[V], l, nats, kl;
    mn_rng rng = mn_rng_split(5, 0, MN_STREAM_USER);
    for (int k = 0; k < 200; k++) {
        mn_reg_kind kind = k & 1 ? MN_REG_TVD : MN_REG_CHI2;
        double limit = mn_rng_uniform(&rng) * .4;
        random_row(lp, z, V, &rng);
        for (size_t i = 0; i < V; i++) z[i] *= k % 5 ? 1 : 1e200;
        assert_int_equal(one(kind, out, &l, &nats, lp, z, limit, V), MN_OK);
        assert_int_equal(mn_kl_nats(&kl, out, lp, V), MN_OK);
        assert_true(fabs(kl - nats) < 1e-13);
        double f = distance_of(kind, out, lp, V);
        assert_true(l == 1 ? f <= limit : fabs(f - limit) < 1e-11 * limit);
    }
    assert_int_equal(one(MN_REG_TVD, out, &l, &nats, lp, z, 1, V), MN_OK);
    assert_true(l == 1);
    assert_int_equal(one(MN_REG_NONE, out, &l, &nats, lp, z, 0, V), MN_OK);
    assert_true(l == 1);
    assert_int_equal(one(MN_REG_PENALTY, out, &l, &nats, lp, lp, NAN, V), MN_OK);
    assert_true(l == 1 && nats > 0);
}

static void kl_knows_lost_support(void **state)
{
    (void)state;
    double kl;
    const double p[] = {log(.5), log(.5), -INFINITY}, q[] = {log(.25), log(.5), log(.25)};
    assert_int_equal(mn_kl_nats(&kl, p, q, 3), MN_OK);
    assert_true(fabs(kl - .5 * log(2)) < 1e-15);
    assert_int_equal(mn_kl_nats(&kl, q, p, 3), MN_OK);
    assert_true(kl == INFINITY);
    assert_int_equal(mn_kl_nats(&kl, (double[]){-800, 0}, (double[]){-INFINITY, 0}, 2), MN_OK);
    assert_true(kl == INFINITY);
    assert_int_equal(mn_kl_nats(&kl, (double[]){NAN}, q, 1), MN_ERR_NUM);
}

/* ---- gradients: identities; values are test_budget.py's ---- */

static void gradients_of_scores_sum_to_nothing(void **state)
{
    (void)state;
    enum { V = 40 };
    double lp[V], z[V], g[V], out[V], d[V], l, nats, h, limit, by_limit;
    mn_rng rng = mn_rng_split(6, 0, MN_STREAM_USER);
    for (int k = 0; k < 300; k++) {
        mn_reg_kind kind = (mn_reg_kind)(k % 5);
        random_row(lp, z, V, &rng);
        if (k % 3 == 0) z[3] = -INFINITY, lp[4] = -INFINITY, normalise(lp, V);
        for (size_t i = 0; i < V; i++) g[i] = mn_rng_normal(&rng);
        h = mn_rng_normal(&rng), limit = mn_rng_uniform(&rng);
        assert_int_equal(one(kind, out, &l, &nats, lp, z, limit, V), MN_OK);
        assert_int_equal(mn_regularize_backward(kind, d, &by_limit, g, &h, out, &l, lp, z, &limit, 1, V, NULL), MN_OK);
        double sum = 0, size = 0, along = 0;
        for (size_t i = 0; i < V; i++) sum += d[i], size += fabs(d[i]), along += d[i] != 0 ? d[i] * z[i] : 0;
        assert_true(fabs(sum) <= 1e-13 * size && isfinite(by_limit));
        /* Where the limit binds, scores in another unit give the same policy. */
        if (l > 0 && l < 1) assert_true(fabs(along) <= 1e-9 * size * 10);
        if (l == 1 || l == 0) assert_true(by_limit == 0);
        if (k % 3 == 0 && l > 0) assert_true(d[3] == 0 && d[4] == 0);
        if (l == 0) assert_true(size == 0);
    }
    l = NAN;
    assert_int_equal(mn_regularize_backward(MN_REG_BUDGET, d, NULL, g, NULL, out, &l, lp, z, NULL, 1, V, NULL), MN_ERR_NUM);
}

/* Scores of 1e300 take the careful way; their gradients are those of scores of 1, scaled. */
static void gradients_do_not_overflow(void **state)
{
    (void)state;
    enum { V = 12 };
    double lp[V], z[V], big[V], g[V], out[2][V], d[2][V], l[2], nats, h = .3, limit = .05, by_limit[2];
    mn_rng rng = mn_rng_split(7, 0, MN_STREAM_USER);
    random_row(lp, z, V, &rng);
    for (size_t i = 0; i < V; i++) g[i] = mn_rng_normal(&rng), big[i] = z[i] * 0x1p996;
    for (int k = 0; k < 2; k++) {
        const double *scores = k ? big : z;
        assert_int_equal(one(MN_REG_BUDGET, out[k], &l[k], &nats, lp, scores, limit, V), MN_OK);
        assert_int_equal(
            mn_regularize_backward(MN_REG_BUDGET, d[k], &by_limit[k], g, &h, out[k], &l[k], lp, scores, &limit, 1, V, NULL),
            MN_OK);
    }
    assert_true(fabs(by_limit[1] / by_limit[0] - 1) < 1e-9 && fabs(l[1] * 0x1p996 / l[0] - 1) < 1e-11);
    for (size_t i = 0; i < V; i++) assert_true(fabs(d[1][i] * 0x1p996 - d[0][i]) < 1e-9);
}

/* ---- cells ---- */

typedef struct ranked {
    double lp;
    int32_t id;
} ranked;

static int likelier(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->lp != y->lp ? (x->lp < y->lp) - (x->lp > y->lp) : (x->id > y->id) - (x->id < y->id);
}

static bool contains(const int32_t *ids, size_t n, int32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id) return true;
    return false;
}

/* By sorting everything. */
static void assert_selection(const double *lp, size_t A, size_t M, const int32_t *always, size_t n_always)
{
    int32_t *ids = calloc(M + 1, sizeof *ids);
    double *cells = calloc(M + 1, sizeof *cells), rest = 0;
    ranked *order = calloc(A, sizeof *order);
    assert_true(ids && cells && order);
    assert_int_equal(mn_cells_select(ids, cells, lp, A, M, always, n_always, NULL), MN_OK);
    for (size_t i = 0; i < A; i++) order[i] = (ranked){contains(always, n_always, (int32_t)i) ? INFINITY : lp[i], (int32_t)i};
    qsort(order, A, sizeof *order, likelier);
    for (size_t c = 0; c < M; c++) {
        assert_true(contains(ids, M, order[c].id));
        assert_true(c == 0 || ids[c] > ids[c - 1]);
        assert_true(cells[c] == lp[ids[c]]);
    }
    for (size_t i = A; i > M; i--) rest += exp(order[i - 1].lp - order[M].lp);
    double want = M < A && order[M].lp > -INFINITY ? order[M].lp + log(rest) : -INFINITY;
    assert_true(cells[M] == want || fabs(cells[M] - want) < 1e-12 * (1 + fabs(want)));
    free(ids), free(cells), free(order);
}

static void cells_are_the_likeliest(void **state)
{
    (void)state;
    enum { A = 3000 };
    static double lp[A], z[A];
    const int32_t always[] = {0, 1, 700, 2999};
    mn_rng rng = mn_rng_split(8, 0, MN_STREAM_USER);
    for (int k = 0; k < 60; k++) {
        size_t n = k < 20 ? (size_t)k + 1 : A, n_always = n == A ? (size_t)(k % 5) : 0,
               M = n == A ? 5 + mn_rng_below(&rng, k % 3 ? 300 : n - 4) : 1 + mn_rng_below(&rng, n);
        random_row(lp, z, n, &rng);
        if (k % 4 == 1) /* ties */
            for (size_t i = 0; i < n; i++) lp[i] = round(lp[i]);
        if (k % 4 == 2) /* holes */
            for (size_t i = 1; i < n; i++) lp[i] = i % 3 ? lp[i] : -INFINITY;
        if (k % 4 == 3) /* a rest that is tiny */
            for (size_t i = 0; i < n; i++) lp[i] -= i >= 3 ? 900 : 0;
        normalise(lp, n);
        assert_selection(lp, n, M, always, n_always);
    }
    assert_selection(lp, A, A, always, 4);
    assert_selection(lp, A, 4, always, 4);
    lp[1000] = NAN;
    int32_t ids[8];
    double cells[9];
    assert_int_equal(mn_cells_select(ids, cells, lp, A, 8, NULL, 0, NULL), MN_ERR_NUM);
}

/* More candidates than there is room for: a large vocabulary, all equal. */
static void cells_of_a_flat_row_are_the_lowest_ids(void **state)
{
    (void)state;
    enum { A = 40000, M = 500 };
    double *lp = malloc(A * sizeof *lp), cells[M + 1];
    int32_t ids[M];
    const int32_t always[] = {39999};
    assert_non_null(lp);
    for (size_t i = 0; i < A; i++) lp[i] = -log(A);
    assert_int_equal(mn_cells_select(ids, cells, lp, A, M, always, 1, NULL), MN_OK);
    for (int32_t c = 0; c < M - 1; c++) assert_int_equal(ids[c], c);
    assert_int_equal(ids[M - 1], 39999);
    assert_true(fabs(cells[M] - log(1 - (double)M / A)) < 1e-13);
    free(lp);
}

/* The chain rule: the KL over the cells is that over the whole vocabulary, the rest following the base. */
static void cells_keep_the_whole_kl(void **state)
{
    (void)state;
    enum { A = 5000, M = 63 };
    static double lp[A], z[A], whole[A];
    double cells[M + 1], scores[M + 1], out[M + 1], l, nats, kl;
    int32_t ids[M];
    mn_rng rng = mn_rng_split(9, 0, MN_STREAM_USER);
    random_row(lp, z, A, &rng);
    assert_int_equal(mn_cells_select(ids, cells, lp, A, M, NULL, 0, NULL), MN_OK);
    for (size_t c = 0; c <= M; c++) scores[c] = mn_rng_normal(&rng);
    assert_int_equal(one(MN_REG_BUDGET, out, &l, &nats, cells, scores, .2, M + 1), MN_OK);
    for (int32_t i = 0; i < A; i++) {
        mn_sampled s;
        mn_cells_find(&s, i, out, cells, ids, M, lp);
        whole[i] = s.lp_policy;
        assert_true(s.lp_base == lp[i] && s.id == i && (s.cell == M) == !contains(ids, M, i));
    }
    assert_int_equal(mn_kl_nats(&kl, whole, lp, A), MN_OK);
    assert_true(l < 1 && fabs(kl - nats) < 1e-13);
}

static void cells_are_sampled_as_they_say(void **state)
{
    (void)state;
    enum { A = 700, M = 5, N = 40000 };
    double lp[A], z[A], cells[M + 1], out[M + 1];
    int32_t ids[M];
    size_t count[A] = {0};
    mn_rng rng = mn_rng_split(10, 0, MN_STREAM_USER);
    random_row(lp, z, A, &rng);
    for (size_t i = 600; i < A; i++) lp[i] = -INFINITY;
    normalise(lp, A);
    assert_int_equal(mn_cells_select(ids, cells, lp, A, M, NULL, 0, NULL), MN_OK);
    for (size_t c = 0; c <= M; c++) out[c] = log((double)(c + 1) / 21);
    for (size_t k = 0; k < N; k++) {
        mn_sampled s, again;
        double u = mn_rng_uniform(&rng), v = mn_rng_uniform(&rng);
        mn_cells_sample(&s, out, cells, ids, M, lp, A, u, v);
        mn_cells_find(&again, s.id, out, cells, ids, M, lp);
        assert_true(s.cell == again.cell && s.lp_policy == again.lp_policy && s.lp_base == again.lp_base &&
                    s.lp_base > -INFINITY);
        count[s.id]++;
    }
    double chi2 = 0, degrees = 0;
    for (int32_t i = 0; i < 600; i++) {
        mn_sampled s;
        mn_cells_find(&s, i, out, cells, ids, M, lp);
        double expected = N * exp(s.lp_policy);
        chi2 += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;
        degrees++;
    }
    assert_true(fabs(chi2 - degrees) < 5 * sqrt(2 * degrees));
    mn_sampled s;
    mn_cells_sample(&s, (double[]){-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, 0}, cells, ids, M, lp, A, .5,
                    nextafter(1, 0));
    assert_true(s.cell == M && s.lp_base > -INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_budget_no_scores_or_one_symbol_give_the_base),
        cmocka_unit_test(masks_are_all_or_nothing),
        cmocka_unit_test(bad_rows_are_named),
        cmocka_unit_test(every_instruction_set_gives_the_same_bits),
        cmocka_unit_test(a_row_is_the_same_in_any_batch),
        cmocka_unit_test(lambda_and_nats_rise_with_the_limit),
        cmocka_unit_test(other_constraints_bind_exactly),
        cmocka_unit_test(kl_knows_lost_support),
        cmocka_unit_test(gradients_of_scores_sum_to_nothing),
        cmocka_unit_test(gradients_do_not_overflow),
        cmocka_unit_test(cells_are_the_likeliest),
        cmocka_unit_test(cells_of_a_flat_row_are_the_lowest_ids),
        cmocka_unit_test(cells_keep_the_whole_kl),
        cmocka_unit_test(cells_are_sampled_as_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
