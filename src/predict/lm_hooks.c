/* Which kernels of ours run here, and llama.cpp's way to them: its library is linked with --wrap, so that its matrix products
 * and its attention come here first. */
#include <string.h>

#include "predict/lm_attention.h"
#include "predict/lm_gemm.h"
#include "predict/lm_panels.h"

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
        const mn_q8_panel *panels = parts == 1 ? mn_lm_panels_find(a, all, (size_t)k, stride) : NULL;
        mn_lm_gemm_q8(out, (const mn_q8 *)a + from * stride, panels, b, rows, (size_t)n, (size_t)k, (size_t)ldc, stride,
                      (size_t)ldb);
        return true;
    }
    return __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}

void __real_ggml_compute_forward_flash_attn_ext(const struct ggml_compute_params *params, struct ggml_tensor *dst);
void __wrap_ggml_compute_forward_flash_attn_ext(const struct ggml_compute_params *params, struct ggml_tensor *dst);

/* Halfs in the cache, a mask, and nothing but a scale: no ALiBi, no cap, no sinks. */
static bool attention_fits(const struct ggml_tensor *dst, const float settings[3])
{
    const struct ggml_tensor *q = dst->src[0], *k = dst->src[1], *v = dst->src[2], *mask = dst->src[3];
    return mn_lm_gemm_q8_fits() && q->type == GGML_TYPE_F32 && k->type == GGML_TYPE_F16 && v->type == GGML_TYPE_F16 && mask &&
           mask->type == GGML_TYPE_F16 && !dst->src[4] && settings[1] == 0 && settings[2] == 0 && q->ne[0] == v->ne[0] &&
           q->ne[0] <= MN_ATTENTION_WIDTH && q->ne[2] <= MN_ATTENTION_HEADS && mask->ne[2] == 1 && k->ne[2] == v->ne[2] &&
           q->ne[2] % k->ne[2] == 0 && k->ne[3] == q->ne[3] && v->ne[3] == q->ne[3];
}

/* Row r: query r % n of sequence r / n. */
static void attend(struct ggml_tensor *dst, float scale, size_t r)
{
    const struct ggml_tensor *q = dst->src[0], *k = dst->src[1], *v = dst->src[2], *mask = dst->src[3];
    size_t n = (size_t)q->ne[1], i = r % n, s = r / n;
    mn_attention a = {.q = (const float *)((const char *)q->data + i * q->nb[1] + s * q->nb[3]),
                      .k = (const char *)k->data + s * k->nb[3],
                      .v = (const char *)v->data + s * v->nb[3],
                      .mask = (const uint16_t *)((const char *)mask->data + i * mask->nb[1] +
                                                 s % (size_t)mask->ne[3] * mask->nb[3]),
                      .q_head = q->nb[2],
                      .k_cell = k->nb[1],
                      .k_head = k->nb[2],
                      .v_cell = v->nb[1],
                      .v_head = v->nb[2],
                      .k_next = k->nb[3] - (size_t)(k->ne[2] - 1) * k->nb[2],
                      .v_next = v->nb[3] - (size_t)(v->ne[2] - 1) * v->nb[2],
                      .cells = (size_t)k->ne[1],
                      .heads = (size_t)q->ne[2],
                      .kv_heads = (size_t)k->ne[2],
                      .D = (size_t)q->ne[0],
                      .scale = scale};
    mn_lm_attention((float *)dst->data + r * a.heads * a.D, &a);
}

void __wrap_ggml_compute_forward_flash_attn_ext(const struct ggml_compute_params *params, struct ggml_tensor *dst)
{
    float settings[3]; /* scale, ALiBi's, cap */
    size_t parts = (size_t)params->nth, part = (size_t)params->ith, rows = (size_t)(dst->src[0]->ne[1] * dst->src[0]->ne[3]);
    memcpy(settings, dst->op_params, sizeof settings);
    if (!attention_fits(dst, settings)) return __real_ggml_compute_forward_flash_attn_ext(params, dst), (void)0;
    for (size_t r = rows * part / parts; r < rows * (part + 1) / parts; r++) attend(dst, settings[0], r);
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
