/* Logarithms of softmax over a vocabulary. Private to src/predict. */
#ifndef MN_LOG_SOFTMAX_H
#define MN_LOG_SOFTMAX_H

#include "base/base.h"

/* lp[a] = x[a] sharpness - ln sum_b exp(x[b] sharpness), in double, in the fastest instruction set here; the bits are the same
 * in all of them. lp, x: [A]; sharpness = 1/temperature > 0. The sum within 1e-14 relative; entries 708 nats below the greatest
 * add nothing to it. MN_ERR_NUM on NaN, +INFINITY or nothing finite. No allocation; O(A), some 60 us for 49,152. */
MN_CHECKED mn_status mn_log_softmax(double *lp, const float *x, size_t A, double sharpness);

/* The two passes of it, for each instruction set. */
typedef struct mn_log_softmax_passes {
    /* The greatest x; NaN where there is one. */
    float (*most)(const float *x, size_t A);
    /* sum exp(x sharpness - top). */
    double (*sum)(const float *x, size_t A, double sharpness, double top);
    /* lp = x sharpness - lnz. */
    void (*write)(double *lp, const float *x, size_t A, double sharpness, double lnz);
} mn_log_softmax_passes;

extern const mn_log_softmax_passes mn_log_softmax_plain, mn_log_softmax_avx2, mn_log_softmax_avx512;

#endif
