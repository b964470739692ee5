/* The arithmetic of a language model that is ours: softmax over the vocabulary, products, attention. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "predict/lm_attention.h"
#include "predict/lm_gemm.h"
#include "predict/lm_panels.h"
#include "predict/log_softmax.h"

/* ---- softmax ---- */

static void softmax_is_the_definition(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 2, 7, 8, 9, 511, 512, 513, 5000};
    mn_rng rng = mn_rng_split(1, 0, 1000);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        float x[5000];
        double lp[5000], sharpness = s % 2 ? 1 : 1 / .7;
        for (size_t i = 0; i < sizes[s]; i++) x[i] = (float)(20 * mn_rng_normal(&rng));
        assert_int_equal(mn_log_softmax(lp, x, sizes[s], sharpness), MN_OK);
        long double sum = 0;
        for (size_t i = 0; i < sizes[s]; i++) sum += expl((long double)x[i] * sharpness);
        for (size_t i = 0; i < sizes[s]; i++) assert_true(fabsl(lp[i] - ((long double)x[i] * sharpness - logl(sum))) < 1e-13);
    }
}

static void softmax_has_the_same_bits_everywhere(void **state)
{
    (void)state;
    enum { N = 1003 };
    float x[N];
    double lp[N], plain[N];
    mn_rng rng = mn_rng_split(2, 0, 1000);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < N; i++) x[i] = (float)(exp((double)round) * mn_rng_normal(&rng));
        x[5] = -INFINITY;
        assert_int_equal(mn_log_softmax(lp, x, N, 1.25), MN_OK);
        float most = mn_log_softmax_plain.most(x, N);
        double top = (double)most * 1.25;
        mn_log_softmax_plain.write(plain, x, N, 1.25, top + log(mn_log_softmax_plain.sum(x, N, 1.25, top)));
        assert_memory_equal(lp, plain, sizeof lp);
        assert_true(lp[5] == -INFINITY);
    }
}

static void softmax_refuses_what_is_no_number(void **state)
{
    (void)state;
    for (size_t at = 0; at < 19; at++) {
        float x[19] = {0};
        double lp[19];
        x[at] = NAN;
        assert_int_equal(mn_log_softmax(lp, x, 19, 1), MN_ERR_NUM);
        x[at] = INFINITY;
        assert_int_equal(mn_log_softmax(lp, x, 19, 1), MN_ERR_NUM);
        for (size_t i = 0; i < 19; i++) x[i] = -INFINITY;
        assert_int_equal(mn_log_softmax(lp, x, 19, 1), MN_ERR_NUM);
        x[at] = -3e38f;
        assert_int_equal(mn_log_softmax(lp, x, 19, 1), MN_OK);
        assert_true(lp[at] == 0 && lp[(at + 1) % 19] == -INFINITY);
    }
}

/* ---- products ---- */

#if defined(__x86_64__)

static float wide(uint16_t bf16)
{
    uint32_t bits = (uint32_t)bf16 << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* c against a chain of fused multiply-adds for each entry; what lies between the rows of c stays. */
static void check_bf16(size_t m, size_t n, size_t k)
{
    size_t ldc = m + 3, lda = k + 5, ldb = k + 2;
    uint16_t *a = malloc(m * lda * sizeof *a);
    float *b = malloc(n * ldb * sizeof *b), *c = malloc(n * ldc * sizeof *c);
    assert_true(a && b && c);
    mn_rng rng = mn_rng_split(m, n, (uint32_t)(1000 + k));
    for (size_t i = 0; i < m * lda; i++) a[i] = (uint16_t)((0x3f00 | mn_rng_below(&rng, 256)) ^ mn_rng_below(&rng, 2) << 15);
    for (size_t i = 0; i < n * ldb; i++) b[i] = (float)mn_rng_normal(&rng);
    for (size_t i = 0; i < n * ldc; i++) c[i] = 7;
    mn_lm_gemm_bf16(c, a, b, m, n, k, ldc, lda, ldb);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < ldc; i++) {
            float sum = i < m ? 0 : 7;
            for (size_t l = 0; i < m && l < k; l++) sum = fmaf(wide(a[i * lda + l]), b[j * ldb + l], sum);
            if (c[j * ldc + i] != sum) fail_msg("%zu x %zu x %zu: entry %zu, %zu", m, n, k, j, i);
        }
    free(a);
    free(b);
    free(c);
}

static void set_block(mn_q8 *block, mn_rng *rng)
{
    block->d = (uint16_t)(0x2000 + mn_rng_below(rng, 4096)); /* half floats of 2^-7 and more */
    for (int i = 0; i < 32; i++) block->q[i] = (int8_t)((int)mn_rng_below(rng, 255) - 127);
}

/* Of a half float. */
static double value_of(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double x = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return h >> 15 ? -x : x;
}

static float next_sum(const mn_q8 *a, const mn_q8 *b, float sum)
{
    int32_t dot = 0;
    for (int i = 0; i < 32; i++) dot += a->q[i] * b->q[i];
    return fmaf((float)dot, (float)value_of(a->d) * (float)value_of(b->d), sum);
}

static void check_q8(size_t m, size_t n, size_t k, bool laid_out)
{
    size_t ldc = m + 3, lda = k + 1, ldb = k + 2;
    mn_q8 *a = malloc(m * lda * sizeof *a), *b = malloc(n * ldb * sizeof *b);
    float *c = malloc(n * ldc * sizeof *c);
    assert_true(a && b && c);
    mn_rng rng = mn_rng_split(m, n, (uint32_t)(2000 + k));
    for (size_t i = 0; i < m * lda; i++) set_block(&a[i], &rng);
    for (size_t i = 0; i < n * ldb; i++) set_block(&b[i], &rng);
    for (size_t i = 0; i < n * ldc; i++) c[i] = 7;
    mn_lm_panels *panels = laid_out ? mn_lm_panels_new() : NULL;
    mn_lm_panels_use(panels);
    const mn_q8_panel *found = mn_lm_panels_find(a, m, k, lda);
    assert_true(laid_out == (found != NULL) && mn_lm_panels_find(a, m, k, lda) == found);
    mn_lm_gemm_q8(c, a, found, b, m, n, k, ldc, lda, ldb);
    mn_lm_panels_use(NULL);
    mn_lm_panels_free(panels);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < ldc; i++) {
            float sum = i < m ? 0 : 7;
            for (size_t l = 0; i < m && l < k; l++) sum = next_sum(&a[i * lda + l], &b[j * ldb + l], sum);
            if (c[j * ldc + i] != sum) fail_msg("%zu x %zu x %zu: entry %zu, %zu", m, n, k, j, i);
        }
    free(a);
    free(b);
    free(c);
}

static const size_t sizes[][3] = {{1, 1, 1},     {16, 14, 32},  {17, 15, 33}, {32, 70, 575},
                                  {33, 71, 577}, {64, 141, 16}, {5, 3, 1800}};

static void products_of_bf16_are_the_chain(void **state)
{
    (void)state;
    if (!mn_lm_gemm_bf16_fits()) return; /* never called there */
    for (size_t n = 1; n < 32; n++) check_bf16(37, n, 41);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) check_bf16(sizes[s][0], sizes[s][1], sizes[s][2]);
}

static void products_of_q8_are_the_chain(void **state)
{
    (void)state;
    if (!mn_lm_gemm_q8_fits()) return; /* never called there */
    for (size_t n = 1; n < 36; n++) check_q8(37, n, 5, n % 2);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) for (int laid_out = 0; laid_out < 2; laid_out++)
            check_q8(sizes[s][0], sizes[s][1], sizes[s][2] / 16 + 1, laid_out);
}

/* ---- attention ---- */

/* A half float between -2 and 2. */
static uint16_t any_half(mn_rng *rng)
{
    return (uint16_t)(mn_rng_below(rng, 0x4000) | mn_rng_below(rng, 2) << 15);
}

/* One head in double, by the definition. */
static void expect_head(double *out, const float *q, const uint16_t *k, const uint16_t *v, size_t cell, const uint16_t *mask,
                        size_t cells, size_t D, float scale)
{
    double sum = 0;
    for (size_t d = 0; d < D; d++) out[d] = 0;
    for (size_t c = 0; c < cells; c++) {
        double score = 0;
        if (mask[c] == 0xfc00) continue;
        for (size_t d = 0; d < D; d++) score += (double)q[d] * value_of(k[c * cell + d]);
        double weight = exp(score * scale + value_of(mask[c]));
        for (size_t d = 0; d < D; d++) out[d] += weight * value_of(v[c * cell + d]);
        sum += weight;
    }
    for (size_t d = 0; d < D; d++) out[d] = sum > 0 ? out[d] / sum : 0;
}

static void check_attention(size_t heads, size_t kv_heads, size_t D, size_t cells, uint32_t seen)
{
    size_t cell = kv_heads * D + 6, group = heads / kv_heads;
    float *q = malloc(heads * (D + 3) * sizeof *q), *out = malloc((heads * D + 1) * sizeof *out);
    uint16_t *k = malloc(cells * cell * sizeof *k), *v = malloc(cells * cell * sizeof *v), *mask = malloc(cells * sizeof *mask);
    double *expected = malloc(D * sizeof *expected);
    mn_rng rng = mn_rng_split(heads, D, (uint32_t)(3000 + cells));
    assert_true(q && out && k && v && mask && expected);
    for (size_t i = 0; i < heads * (D + 3); i++) q[i] = (float)mn_rng_normal(&rng);
    for (size_t i = 0; i < cells * cell; i++) k[i] = any_half(&rng), v[i] = any_half(&rng);
    for (size_t c = 0; c < cells; c++)
        mask[c] = mn_rng_below(&rng, 100) >= seen ? 0xfc00 : mn_rng_below(&rng, 5) ? 0 : any_half(&rng);
    mn_attention a = {.q = q, .k = k, .v = v, .mask = mask, .q_head = (D + 3) * sizeof *q, .k_cell = 2 * cell, .k_head = 2 * D,
                      .v_cell = 2 * cell, .v_head = 2 * D, .cells = cells, .heads = heads, .kv_heads = kv_heads, .D = D,
                      .scale = .5f};
    out[heads * D] = 7;
    mn_lm_attention(out, &a);
    assert_true(out[heads * D] == 7);
    for (size_t h = 0; h < heads; h++) {
        expect_head(expected, q + h * (D + 3), k + h / group * D, v + h / group * D, cell, mask, cells, D, a.scale);
        for (size_t d = 0; d < D; d++)
            if (!(fabs(out[h * D + d] - expected[d]) < 5e-6))
                fail_msg("%zu/%zu heads of %zu, %zu cells: %g, not %g", heads, kv_heads, D, cells, out[h * D + d], expected[d]);
    }
    free(q), free(out), free(k), free(v), free(mask), free(expected);
}

static void attention_is_the_definition(void **state)
{
    (void)state;
    static const size_t cells[] = {1, 2, 15, 16, 17, 31, 63, 64, 65, 129, 300};
    if (!mn_lm_gemm_q8_fits()) return; /* never called there */
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        check_attention(9, 3, 64, cells[i], 100);
        check_attention(9, 3, 64, cells[i], 60);
        check_attention(8, 4, 8, cells[i], 60);
        check_attention(4, 1, 80, cells[i], 60);
        check_attention(3, 3, 256, cells[i], 60);
        check_attention(32, 8, 128, cells[i], 5);
    }
    check_attention(2, 1, 64, 40, 0);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_is_the_definition),
        cmocka_unit_test(softmax_has_the_same_bits_everywhere),
        cmocka_unit_test(softmax_refuses_what_is_no_number),
#if defined(__x86_64__)
        cmocka_unit_test(products_of_bf16_are_the_chain),
        cmocka_unit_test(products_of_q8_are_the_chain),
        cmocka_unit_test(attention_is_the_definition),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
