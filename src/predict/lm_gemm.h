/* Matrix products of a language model with several rows of activations, where the processor has AVX-512: BF16 weights in
 * two thirds of llama.cpp's time without BF16 instructions, Q8_0 in half. Every entry is one chain of operations in the order
 * of the sum, so a row of the result has the same bits whatever n is. */
#ifndef MN_LM_GEMM_H
#define MN_LM_GEMM_H

#include "base/base.h"

/* llama.cpp's Q8_0: 32 values q times d, a half-precision float. */
typedef struct mn_q8 {
    uint16_t d;
    int8_t q[32];
} mn_q8;

/* A block of 16 rows: bytes q[g][4 i + j] = value 4 g + j of row i, + 128, because one side of a byte product has no sign. */
typedef struct mn_q8_panel {
    _Alignas(64) uint8_t q[8][64];
    float d[16];
} mn_q8_panel;

/* This processor runs the product, has nothing better, and llama.cpp is linked so that it is used. */
bool mn_lm_gemm_bf16_fits(void);
bool mn_lm_gemm_q8_fits(void);

/* c[j,i] = sum_l a[i,l] b[j,l]. c: [n,m] in rows of ldc; a: [m,k] in rows of lda; b: [n,k] in rows of ldb. Nothing may alias.
 * Any sizes; no allocation, up to 270 KB of stack; O(mnk). bf16: a in BF16, s = fma(a, b, s) for each l. */
void mn_lm_gemm_bf16(float *c, const uint16_t *a, const float *b, size_t m, size_t n, size_t k, size_t ldc, size_t lda,
                     size_t ldb);
/* The same in blocks: k, lda and ldb count blocks; s = fma(exact integer product of two blocks, d_a d_b, s) for each. panels: a
 * laid out by mn_lm_gemm_q8_pack, or NULL. */
void mn_lm_gemm_q8(float *c, const mn_q8 *a, const mn_q8_panel *panels, const mn_q8 *b, size_t m, size_t n, size_t k,
                   size_t ldc, size_t lda, size_t ldb);
/* panels: [ceil(m/16),k]. */
void mn_lm_gemm_q8_pack(mn_q8_panel *panels, const mn_q8 *a, size_t m, size_t k, size_t lda);

#endif
