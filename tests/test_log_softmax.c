/* The arithmetic of a language model that is ours: softmax over the vocabulary, products of BF16 weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "predict/lm_gemm.h"
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

static float half(uint16_t d)
{
    return ldexpf((float)(1024 + (d & 1023)), (d >> 10) - 25);
}

static float next_sum(const mn_q8 *a, const mn_q8 *b, float sum)
{
    int32_t dot = 0;
    for (int i = 0; i < 32; i++) dot += a->q[i] * b->q[i];
    return fmaf((float)dot, half(a->d) * half(b->d), sum);
}

static void check_q8(size_t m, size_t n, size_t k)
{
    size_t ldc = m + 3, lda = k + 1, ldb = k + 2;
    mn_q8 *a = malloc(m * lda * sizeof *a), *b = malloc(n * ldb * sizeof *b);
    float *c = malloc(n * ldc * sizeof *c);
    assert_true(a && b && c);
    mn_rng rng = mn_rng_split(m, n, (uint32_t)(2000 + k));
    for (size_t i = 0; i < m * lda; i++) set_block(&a[i], &rng);
    for (size_t i = 0; i < n * ldb; i++) set_block(&b[i], &rng);
    for (size_t i = 0; i < n * ldc; i++) c[i] = 7;
    mn_lm_gemm_q8(c, a, b, m, n, k, ldc, lda, ldb);
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
    for (size_t n = 1; n < 36; n++) check_q8(37, n, 5);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) check_q8(sizes[s][0], sizes[s][1], sizes[s][2] / 16 + 1);
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
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
