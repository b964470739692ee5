/* Products of BF16 weights with float activations, faster than llama.cpp's own where the processor has AVX-512 but does not multiply
 * BF16 itself: there they take two thirds of its time. */
#ifndef MN_LM_GEMM_H
#define MN_LM_GEMM_H

#include "base/base.h"

/* This processor runs mn_lm_gemm and has nothing better, and llama.cpp is linked so that it uses it. */
bool mn_lm_gemm_fits(void);
/* c[j,i] = sum_l a[i,l] b[j,l]. c: [n,m] in rows of ldc; a: [m,k] BF16 in rows of lda; b: [n,k] in rows of ldb. Nothing may alias.
 * Every sum is one chain of fused multiply-adds in the order of l, so a row of c has the same bits whatever n is. Any sizes; no allocation,
 * about 270 KB of stack; O(mnk). */
void mn_lm_gemm(float *c, const uint16_t *a, const float *b, size_t m, size_t n, size_t k, size_t ldc, size_t lda, size_t ldb);

#endif
