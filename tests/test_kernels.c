/* Arithmetic of the heads. The source itself is included, to compare its variants for the vector widths of this processor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "learn/kernels.c"

static float *normals(mn_rng *rng, size_t n)
{
    float *x = malloc((n ? n : 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = (float)mn_rng_normal(rng);
    return x;
}

static float ulps(float got, double want)
{
    float nearest = (float)want, unit = nextafterf(fabsf(nearest), INFINITY) - fabsf(nearest);
    return (float)(fabs((double)got - want) / (double)unit);
}

/* ---- products ---- */

typedef void run_strip(strip *s);

static size_t variants(run_strip *of[3])
{
    size_t n = 0;
    of[n++] = strip_plain;
#if MN_X86
    if (level() >= AVX2) of[n++] = strip_avx2;
    if (level() >= AVX512) of[n++] = strip_avx512;
#endif
    return n;
}

/* Any shape, any strides; what lies beside the tile stays as it was. */
static void every_width_gives_the_same_strip(void **state)
{
    (void)state;
    run_strip *of[3];
    size_t n = variants(of);
    mn_rng rng = mn_rng_split(1, 0, MN_STREAM_USER);
    for (int trial = 0; trial < 400; trial++) {
        size_t m = 1 + mn_rng_below(&rng, 20), nr = 1 + mn_rng_below(&rng, MN_PANEL), k = mn_rng_below(&rng, 40),
               c_stride = nr + 3;
        bool turned = trial & 1;
        float *a = normals(&rng, m * k), *b = normals(&rng, k * nr), *bias = normals(&rng, nr),
              *c = normals(&rng, m * c_stride);
        float *want = malloc(m * c_stride * sizeof *want), *got = malloc(m * c_stride * sizeof *got);
        memcpy(want, c, m * c_stride * sizeof *c);
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < nr; j++) {
                float sum = trial & 2 ? bias[j] : c[i * c_stride + j];
                for (size_t l = 0; l < k; l++) sum = fmaf(a[turned ? l * m + i : i * k + l], b[l * nr + j], sum);
                want[i * c_stride + j] = sum;
            }
        for (size_t v = 0; v < n; v++) {
            memcpy(got, c, m * c_stride * sizeof *c);
            of[v](&(strip){.c = got,
                           .a = a,
                           .b = b,
                           .bias = trial & 2 ? bias : NULL,
                           .c_stride = c_stride,
                           .m_stride = turned ? 1 : k,
                           .k_stride = turned ? m : 1,
                           .b_stride = nr,
                           .m = m,
                           .nr = nr,
                           .k = k});
            assert_memory_equal(got, want, m * c_stride * sizeof *got);
        }
        free(a), free(b), free(bias), free(c), free(want), free(got);
    }
}

/* Sizes beyond one panel and one depth, b as it is and transposed; a row alone gives the same. */
static void product_is_one_chain_of_fused_additions(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{1, 1, 1}, {9, 33, 129}, {8, 64, 128}, {17, 66, 256}, {3, 130, 300}, {128, 5, 7}};
    mn_rng rng = mn_rng_split(2, 0, MN_STREAM_USER);
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        size_t m = sizes[t][0], n = sizes[t][1], k = sizes[t][2];
        float *a = normals(&rng, m * k), *b = normals(&rng, k * n), *turned = malloc(k * n * sizeof *turned),
              *bias = normals(&rng, n);
        float *packed = malloc(mn_packed(k, n) * sizeof *packed), *c = malloc(m * n * sizeof *c),
              *row = malloc(n * sizeof *row);
        for (size_t l = 0; l < k; l++)
            for (size_t j = 0; j < n; j++) turned[j * k + l] = b[l * n + j];
        for (int way = 0; way < 2; way++) {
            memset(c, 0xFF, m * n * sizeof *c);
            mn_pack(packed, way ? turned : b, way ? 1 : n, way ? k : 1, k, n);
            mn_product(c, n, a, k, 1, packed, bias, m, n, k);
            for (size_t i = 0; i < m; i++) {
                mn_product_row(row, a + i * k, b, bias, n, k);
                assert_memory_equal(row, c + i * n, n * sizeof *row);
                for (size_t j = 0; j < n; j++) {
                    float sum = bias[j];
                    for (size_t l = 0; l < k; l++) sum = fmaf(a[i * k + l], b[l * n + j], sum);
                    assert_true(sum == row[j]);
                }
            }
        }
        mn_product(c, n, a, k, 1, packed, NULL, m, n, k); /* on top of itself: twice the product, once the bias */
        assert_true(fabsf(c[0] - (2 * row[0] - bias[0])) < 1e-4f || m > 1);
        free(a), free(b), free(turned), free(bias), free(packed), free(c), free(row);
    }
}

/* ---- elementwise ---- */

typedef void run_tanh(float *x, size_t n);

static void tanh_is_close_and_keeps_signs_and_nan(void **state)
{
    (void)state;
    float x[] = {0.0f, -0.0f, 1e-45f, -1e-30f, 1e-8f, 1e-4f, .1f,    -.35f,    .3466f,    1,
                 -2,   5,     9,      -9.02f,  19,    20.5f, -1e10f, INFINITY, -INFINITY, NAN};
    size_t n = sizeof x / sizeof *x;
    float y[sizeof x / sizeof *x];
    memcpy(y, x, sizeof x);
    mn_tanh(y, n);
    for (size_t i = 0; i + 1 < n; i++) {
        assert_true(ulps(y[i], tanh((double)x[i])) <= 4);
        assert_true(signbit(y[i]) == signbit(x[i]));
    }
    assert_true(isnan(y[n - 1]));
    mn_rng rng = mn_rng_split(3, 0, MN_STREAM_USER);
    for (int trial = 0; trial < 20000; trial++) {
        float from = (float)(mn_rng_normal(&rng) * exp(4 * mn_rng_normal(&rng) - 4)), to = from;
        mn_tanh(&to, 1);
        assert_true(ulps(to, tanh((double)from)) <= 4);
        assert_true(fabsf(to) <= 1);
    }
}

/* Bits do not depend on the vector width, nor on where in the array an element is. */
static void elementwise_functions_have_the_same_bits_everywhere(void **state)
{
    (void)state;
    enum { N = 101 };
    mn_rng rng = mn_rng_split(4, 0, MN_STREAM_USER);
    float *x = normals(&rng, N), *h = normals(&rng, N), a[N], b[N], one;
    run_tanh *of[] = {
        mn_tanh,
#if MN_X86
        tanh_plain, level() >= AVX2 ? tanh_avx2 : tanh_plain,
#endif
    };
    memcpy(a, x, sizeof a);
    mn_tanh(a, N);
    for (size_t v = 0; v < sizeof of / sizeof *of; v++) {
        memcpy(b, x, sizeof b);
        of[v](b, N);
        assert_memory_equal(a, b, sizeof a);
    }
    for (size_t i = 0; i < N; i++) {
        one = x[i];
        mn_tanh(&one, 1);
        assert_memory_equal(&one, &a[i], sizeof one);
    }
    memcpy(b, x, sizeof b);
    mn_tanh_back(b, h, N);
    for (size_t i = 0; i < N; i++) assert_true(b[i] == x[i] * (1.0f - h[i] * h[i]));
    free(x), free(h);
}

/* ---- scores and softmax ---- */

static void dots_and_their_gradient_are_those_of_the_table(void **state)
{
    (void)state;
    enum { A = 50, M = 19 };
    static const size_t widths[] = {1, 15, 16, 64, 70, 131};
    mn_rng rng = mn_rng_split(5, 0, MN_STREAM_USER);
    for (size_t t = 0; t < sizeof widths / sizeof *widths; t++) {
        size_t E = widths[t];
        float *table = normals(&rng, A * E), *u = normals(&rng, E), *dz = normals(&rng, M), z[M], *du = malloc(E * sizeof *du);
        int32_t ids[M];
        for (size_t j = 0; j < M; j++) ids[j] = (int32_t)mn_rng_below(&rng, A);
        mn_dots(z, u, table, ids, M, E);
        mn_dots_back(du, dz, table, ids, M, E);
        for (size_t j = 0; j < M; j++) {
            double sum = 0;
            for (size_t e = 0; e < E; e++) sum += (double)u[e] * (double)table[(size_t)ids[j] * E + e];
            assert_true(fabs((double)z[j] - sum) < 1e-5 * sqrt((double)E) * 4);
        }
        for (size_t e = 0; e < E; e++) {
            double sum = 0;
            for (size_t j = 0; j < M; j++) sum += (double)dz[j] * (double)table[(size_t)ids[j] * E + e];
            assert_true(fabs((double)du[e] - sum) < 1e-5);
        }
        free(table), free(u), free(dz), free(du);
    }
}

static void softmax_matches_double(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 15, 16, 17, 128, 513};
    mn_rng rng = mn_rng_split(6, 0, MN_STREAM_USER);
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        size_t V = sizes[t];
        float *base = normals(&rng, V), *z = normals(&rng, V), *p = malloc(V * sizeof *p), *back = malloc(V * sizeof *back);
        double mass = 0, total = 0, kl = 0, sum, log_sum, nats;
        if (V > 2) base[1] = -INFINITY;
        for (size_t i = 0; i < V; i++) mass += exp(3 * (double)base[i]);
        for (size_t i = 0; i < V; i++) base[i] = (float)(3 * (double)base[i] - log(mass));
        for (size_t i = 0; i < V; i++) total += exp((double)base[i] + (double)z[i]);
        for (size_t i = 0; i < V; i++) kl += exp((double)base[i] + (double)z[i]) / total * ((double)z[i] - log(total));
        mn_softmax(p, &sum, &log_sum, &nats, base, z, V);
        assert_true(fabs(log_sum - log(total)) < 1e-6 && fabs(nats - kl) < 1e-6);
        mn_softmax_back(back, p, z, .5f, 2.0f, V);
        for (size_t i = 0; i < V; i++) {
            double want = exp((double)base[i] + (double)z[i]) / total;
            assert_true(fabs((double)p[i] / sum - want) <= 2e-6 * want);
            assert_true(back[i] == p[i] * (z[i] * 2.0f + .5f));
        }
        free(base), free(z), free(p), free(back);
    }
}

/* ---- optimiser ---- */

static void adam_follows_its_definition(void **state)
{
    (void)state;
    enum { N = 21 };
    mn_rng rng = mn_rng_split(7, 0, MN_STREAM_USER);
    float *params = normals(&rng, N), m[N] = {0}, v[N] = {0};
    double want[N], first[N] = {0}, second[N] = {0};
    for (size_t i = 0; i < N; i++) want[i] = (double)params[i];
    for (size_t step = 1; step <= 50; step++) {
        float *gradient = normals(&rng, N);
        mn_adam_step(params, m, v, gradient, .5f, .01, step, N);
        for (size_t i = 0; i < N; i++) {
            double g = .5 * (double)gradient[i];
            first[i] = .9 * first[i] + .1 * g;
            second[i] = .999 * second[i] + .001 * g * g;
            want[i] -= .01 * first[i] / (1 - pow(.9, (double)step)) / (sqrt(second[i] / (1 - pow(.999, (double)step))) + 1e-8);
            assert_true(fabs((double)params[i] - want[i]) < 2e-5);
        }
        free(gradient);
    }
    assert_true(fabs(mn_sum_squares(m, N) - mn_sum_squares(m, 4) - mn_sum_squares(m + 4, N - 4)) < 1e-12);
    free(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width_gives_the_same_strip),
        cmocka_unit_test(product_is_one_chain_of_fused_additions),
        cmocka_unit_test(tanh_is_close_and_keeps_signs_and_nan),
        cmocka_unit_test(elementwise_functions_have_the_same_bits_everywhere),
        cmocka_unit_test(dots_and_their_gradient_are_those_of_the_table),
        cmocka_unit_test(softmax_matches_double),
        cmocka_unit_test(adam_follows_its_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
