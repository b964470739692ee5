/* Which product runs here, and llama.cpp's way to them: its library is linked with --wrap=llamafile_sgemm, so that its matrix
 * products come here first. */
#include "predict/lm_gemm.h"

#if defined(__x86_64__) && defined(MN_WRAP_GEMM)

#include <ggml.h>

bool mn_lm_gemm_q8_fits(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

bool mn_lm_gemm_bf16_fits(void)
{
    return mn_lm_gemm_q8_fits() && !__builtin_cpu_supports("avx512bf16");
}

struct ggml_compute_params {
    int ith, nth; /* this thread, of so many; llama.cpp waits for all of them afterwards. What follows is not ours */
};
bool __real_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a,
                            int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type);
bool __wrap_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a,
                            int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type);

bool __wrap_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a,
                            int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type)
{
    size_t parts = (size_t)params->nth, part = (size_t)params->ith, all = (size_t)m, stride = (size_t)lda;
    size_t from = all * part / parts, rows = all * (part + 1) / parts - from;
    float *out = (float *)c + from;
    if (c_type == GGML_TYPE_F32 && a_type == GGML_TYPE_BF16 && b_type == GGML_TYPE_F32 && mn_lm_gemm_bf16_fits()) {
        mn_lm_gemm_bf16(out, (const uint16_t *)a + from * stride, b, rows, (size_t)n, (size_t)k, (size_t)ldc, stride,
                        (size_t)ldb);
        return true;
    }
    if (c_type == GGML_TYPE_F32 && a_type == GGML_TYPE_Q8_0 && b_type == GGML_TYPE_Q8_0 && mn_lm_gemm_q8_fits()) {
        mn_lm_gemm_q8(out, (const mn_q8 *)a + from * stride, b, rows, (size_t)n, (size_t)k, (size_t)ldc, stride, (size_t)ldb);
        return true;
    }
    return __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}

#else

bool mn_lm_gemm_q8_fits(void)
{
    return false;
}

bool mn_lm_gemm_bf16_fits(void)
{
    return false;
}

#endif
