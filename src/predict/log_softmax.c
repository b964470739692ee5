#include "predict/log_softmax.h"

#include <math.h>

static const mn_log_softmax_passes *passes(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return &mn_log_softmax_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &mn_log_softmax_avx2;
#endif
    return &mn_log_softmax_plain;
}

mn_status mn_log_softmax(double *lp, const float *x, size_t A, double sharpness)
{
    const mn_log_softmax_passes *p = passes();
    float most = p->most(x, A);
    if (!isfinite(most)) return MN_ERR_NUM;
    double top = (double)most * sharpness;
    p->write(lp, x, A, sharpness, top + log(p->sum(x, A, sharpness, top)));
    return MN_OK;
}
