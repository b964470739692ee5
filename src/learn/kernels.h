/* Arithmetic of the heads: matrix products and elementwise functions in float, whose bits are the same on every machine. A
 * product's element is one chain of fused multiply-adds over k in rising order, whatever the blocking and the vector width;
 * elementwise functions and sums over 16 lanes are plain multiplications and additions. The widest vectors that the processor
 * has are chosen at run time. Where it has no fused multiply-add, products are slow. Nothing allocates; all is thread-safe. */
#ifndef MN_KERNELS_H
#define MN_KERNELS_H

#include "base/base.h"

enum { MN_PANEL = 32 }; /* columns that a product's inner loop treats at once */

/* Floats of a packed [k,n] matrix: n rounded up to whole panels. The caller has checked that k * (n + MN_PANEL) fits. */
static inline size_t mn_packed(size_t k, size_t n)
{
    return (n + MN_PANEL - 1) / MN_PANEL * MN_PANEL * k;
}

/* Brings b, whose element (i, j) is b[i * k_stride + j * n_stride], into panels of [k,MN_PANEL], zeros behind the last column.
 * packed: [mn_packed(k, n)]. O(kn). */
void mn_pack(float *packed, const float *b, size_t k_stride, size_t n_stride, size_t k, size_t n);

/* c = bias + a b, or c += a b where bias is NULL. c: [m,n], rows c_stride apart; a: element (i, l) is
 * a[i * m_stride + l * k_stride]; packed: b [k,n] by mn_pack; bias: [n]. No aliasing. O(mnk), near the processor's peak for
 * m >= 8. */
void mn_product(float *c, size_t c_stride, const float *a, size_t m_stride, size_t k_stride, const float *packed,
                const float *bias, size_t m, size_t n, size_t k);

/* y = bias + x b for one row: the bits of mn_product without packing. y, bias: [n]; x: [k]; b: [k,n]. */
void mn_product_row(float *y, const float *x, const float *b, const float *bias, size_t n, size_t k);

/* x = tanh(x) within 4 units in the last place, [n]; NaN stays NaN. */
void mn_tanh(float *x, size_t n);
/* d *= 1 - h^2, [n]: from the gradient by tanh's output h to that by its input. */
void mn_tanh_back(float *d, const float *h, size_t n);

/* z_j = <u, table[ids_j]>. z: [M]; u: [E]; table: [A,E]; ids: [M], each below A. */
void mn_dots(float *z, const float *u, const float *table, const int32_t *ids, size_t M, size_t E);
/* du = sum_j dz_j table[ids_j], the gradient of mn_dots. du: [E]. */
void mn_dots_back(float *du, const float *dz, const float *table, const int32_t *ids, size_t M, size_t E);

/* p ∝ base exp(z): p = exp(lp_base + z - max), not normalised; *sum of p; *log_sum = ln sum_j exp(lp_base_j + z_j);
 * *nats = KL(p/sum || base) for a base that sums to 1. p, lp_base, z: [V], z finite. */
void mn_softmax(float *p, double *sum, double *log_sum, double *nats, const float *lp_base, const float *z, size_t V);
/* dz_j = p_j (constant + slope z_j), [V]; dz may be p. */
void mn_softmax_back(float *dz, const float *p, const float *z, float constant, float slope, size_t V);

/* Sum of squares in double, [n]. */
double mn_sum_squares(const float *x, size_t n);

/* One step of Adam (Kingma, Ba 2015, algorithm 1, beta .9 and .999, epsilon 1e-8) with the gradient scaled by scale.
 * steps: this one's number, from 1. params, m, v, gradient: [n]. */
void mn_adam_step(float *params, float *m, float *v, const float *gradient, float scale, double rate, size_t steps, size_t n);

#endif
